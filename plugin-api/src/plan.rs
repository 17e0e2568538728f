//! A hook's decision: what fires, under which terms, and what was considered but does not.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{id::WorkflowId, schema::AssociationPath, trigger::ExecutionMode};

/// What an action starts. The host runs synchronous firings first, each kind in the order given.
///
/// Before an action ([`crate::Phase::Before`], since 1.2) every firing runs at once, in the order given, whatever its mode
/// says, and gets the request instead of records: `params` (`filterByTk`, `filter`, `values`), `user` and `roleName`. A
/// path, preloads or terms have no meaning then: the host refuses the request rather than pass them over.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The workflows to start.
    #[serde(default)]
    pub firings: Vec<Firing>,
    /// The workflows that were considered and do not start, for the one who asks why.
    #[serde(default)]
    pub skips: Vec<Skip>,
}

/// Starts one workflow: one execution for each record that `path` leads to from each record of the action, or, with
/// [`Batch::PerBatch`], one for all of them.
///
/// A hook never sees the records. What depends on them (`condition`, `changed`) is judged by the host, in the action's own
/// transaction.
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
    /// What has to hold for a record to be handed over. Since 1.1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<Condition>,
    /// After an update, fields of the record handed over of which at least one has another value than before; none asks for
    /// no change. Since 1.1.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<String>,
    /// Whether the workflow also gets the record as it was before the action. Since 1.1.
    #[serde(default, skip_serializing_if = "Previous::is_default")]
    pub previous: Previous,
    /// One execution for each record, or one for all. Since 1.1.
    #[serde(default, skip_serializing_if = "Batch::is_default")]
    pub batch: Batch,
}

impl Firing {
    /// Starts a workflow with the action's own records, each for itself and whatever is in them; set the public fields that
    /// matter.
    pub fn new(workflow: WorkflowId, mode: ExecutionMode) -> Self {
        Self {
            workflow,
            path: AssociationPath::default(),
            preloads: Vec::new(),
            mode,
            condition: None,
            changed: Vec::new(),
            previous: Previous::default(),
            batch: Batch::default(),
        }
    }
}

/// A filter, as in the host's API, on `data` (the record handed over), `previous` (that record before the action), `user` and
/// `roleName`: `{"data.amount": {"$gt": 500}, "user.nickname": "Ann"}`. Without members it always holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Condition(pub Map<String, Value>);

/// Whether a workflow's context has `previous`, the record as it was before the action.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Previous {
    /// It has not.
    #[default]
    Omitted,
    /// It has; `null` for a record that was not there.
    Included,
}

impl Previous {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// How the records of one action are divided among executions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Batch {
    /// Each has its own.
    #[default]
    PerRecord,
    /// One gets them all: its `data`, and `previous` if included, is an array, even of one record.
    PerBatch,
}

impl Batch {
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }
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
    /// The workflow waits for requests that name it, and this one does not. Since 1.1; told only to
    /// [`crate::Detail::Everything`].
    NotBound,
    /// The entry has a path, and workflows of this trigger type take no related records. Since 1.2; told only before an
    /// action, of which older hosts do not ask.
    PathNotTaken,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A plan as a library of 1.0 writes it.
    const OLD: &str = r#"{"firings":[{"workflow":7,"path":"category","preloads":["owner"],"mode":"sync"}],
                         "skips":[{"key":"k","path":"","reason":"notEnabled"}]}"#;

    #[test]
    fn a_plan_of_1_0_is_read() {
        let plan: Plan = serde_json::from_str(OLD).expect("an old plan");
        let firing = Firing {
            path: AssociationPath::parse("category"),
            preloads: vec![AssociationPath::parse("owner")],
            ..Firing::new(WorkflowId(7), ExecutionMode::Sync)
        };
        assert_eq!(plan.firings, [firing]);
        assert_eq!(plan.skips[0].reason, SkipReason::NotEnabled);
    }

    #[test]
    fn what_1_0_can_say_is_written_as_1_0_wrote_it() {
        let plan: Plan = serde_json::from_str(OLD).expect("an old plan");
        let written = serde_json::to_value(&plan).expect("plain JSON");
        assert_eq!(written, serde_json::from_str::<Value>(OLD).expect("JSON"));
    }

    #[test]
    fn terms_survive_the_crossing() {
        let condition = json!({"data.amount": {"$gt": 500}});
        let firing = Firing {
            condition: serde_json::from_value(condition.clone()).expect("an object"),
            changed: vec!["status".to_owned()],
            previous: Previous::Included,
            batch: Batch::PerBatch,
            ..Firing::new(WorkflowId(1), ExecutionMode::Async)
        };
        let written = serde_json::to_value(&firing).expect("plain JSON");
        let terms = ["condition", "changed", "previous", "batch"].map(|name| written[name].clone());
        assert_eq!(terms, [condition, json!(["status"]), json!("included"), json!("perBatch")]);
        assert_eq!(serde_json::from_value::<Firing>(written).expect("a firing"), firing);
    }
}
