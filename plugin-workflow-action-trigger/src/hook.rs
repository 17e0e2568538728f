//! The door for actions: asks [`select`] with today's index.

use std::sync::Arc;

use plugin_api::{ActionEvent, ActionHook, Interest, Phase, Plan, PluginError, When};

use crate::{config::ActionType, index::SharedIndex, select::select};

/// Answers which workflows an action starts. It waits for nothing and holds no lock.
pub(crate) struct PostActionHook {
    index: Arc<SharedIndex>,
}

impl PostActionHook {
    pub(crate) fn new(index: Arc<SharedIndex>) -> Self {
        Self { index }
    }
}

impl ActionHook for PostActionHook {
    fn plan(&self, event: &ActionEvent<'_>) -> Result<Plan, PluginError> {
        Ok(select(&self.index.snapshot(), event))
    }
}

/// What the hook waits for whatever is enabled: requests with bindings. Each global workflow adds its own interest.
pub(crate) fn interests() -> Vec<Interest> {
    vec![Interest {
        phase: Phase::After,
        actions: ActionType::ALL.map(ActionType::action).to_vec(),
        collection: None,
        when: When::Bound,
    }]
}
