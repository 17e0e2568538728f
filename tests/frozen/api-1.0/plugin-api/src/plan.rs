//! A hook's decision: what fires, and what was considered but does not.

use serde::{Deserialize, Serialize};

use crate::{id::WorkflowId, schema::AssociationPath, trigger::ExecutionMode};

/// What an action starts. The host runs synchronous firings first, each kind in the order given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The workflows to start.
    #[serde(default)]
    pub firings: Vec<Firing>,
    /// The workflows that were considered and do not start, for the one who asks why.
    #[serde(default)]
    pub skips: Vec<Skip>,
}

/// Starts one workflow: one execution for each record that `path` leads to from each record of the action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Firing {
    /// The workflow version to run.
    pub workflow: WorkflowId,
    /// From the action's record to the one handed over; a to-many step fires once for each distinct record.
    pub path: AssociationPath,
    /// Associations loaded into the record that is handed over.
    #[serde(default)]
    pub preloads: Vec<AssociationPath>,
    /// Before the answer, or in the background.
    pub mode: ExecutionMode,
}

/// One workflow, or one entry of the bindings, that does not fire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skip {
    /// The workflow's key, as bound or as configured.
    pub key: String,
    /// The path it was bound with.
    #[serde(default)]
    pub path: AssociationPath,
    /// Why.
    pub reason: SkipReason,
}

/// Why a workflow does not fire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum SkipReason {
    /// No enabled workflow of this trigger type has the key.
    NotEnabled,
    /// The path leads to another collection than the workflow's.
    OtherCollection,
    /// A segment of the path is no association.
    UnknownPath,
    /// The same key was bound before in this request.
    Repeated,
    /// The workflow is global and does not name this action.
    ActionNotChosen,
}
