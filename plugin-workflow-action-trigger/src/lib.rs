//! plugin-workflow-action-trigger
