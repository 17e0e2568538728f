//! What the demo sets up and does, as data: `content.json`.

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::Value;

/// Stands for the id of the user who is signed in, wherever a value of an action says so.
const SIGNED_IN_USER: &str = "{user}";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Content {
    /// What `collections:create` takes, in order.
    pub(super) collections: Vec<Value>,
    pub(super) workflows: Vec<Workflow>,
    /// Done one after the other, once the workflows are enabled.
    pub(super) actions: Vec<Action>,
    /// The collections whose records are told at the end.
    pub(super) shown: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Workflow {
    /// What actions call it.
    pub(super) name: String,
    pub(super) title: String,
    /// The trigger's configuration.
    pub(super) config: Value,
    pub(super) nodes: Vec<Node>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Node {
    pub(super) title: String,
    #[serde(rename = "type")]
    pub(super) node_type: String,
    pub(super) config: Value,
    /// The node it follows, by its place in the list.
    pub(super) after: Option<usize>,
    /// The branch of that node which it begins: for a condition, 1 is "yes" and 0 is "no".
    pub(super) branch: Option<u32>,
}

/// A create, bound to a workflow.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Action {
    pub(super) collection: String,
    /// The name of the workflow it is bound to.
    pub(super) workflow: String,
    /// The association whose record is handed over, instead of the created one.
    #[serde(default)]
    pub(super) path: String,
    pub(super) values: Value,
    /// What the action shows; such an action is also printed as a call to paste.
    pub(super) curl: Option<String>,
}

impl Content {
    /// Reads the content that is built in.
    pub(super) fn read() -> Result<Self> {
        serde_json::from_str(include_str!("content.json")).context("content.json")
    }
}

impl Action {
    /// The values, with the signed-in user's id where they ask for it.
    pub(super) fn values_for(&self, user: &Value) -> Value {
        let mut values = self.values.clone();
        for value in values.as_object_mut().into_iter().flat_map(|fields| fields.values_mut()) {
            if value == SIGNED_IN_USER {
                *value = user["id"].clone();
            }
        }
        values
    }

    /// The binding, as `triggerWorkflows` takes it.
    pub(super) fn binding(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{key}!{}", self.path) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Content;

    #[test]
    fn actions_name_workflows_and_nodes_follow_earlier_ones() {
        let content = Content::read().expect("readable content");
        for action in &content.actions {
            assert!(content.workflows.iter().any(|workflow| workflow.name == action.workflow), "{}", action.workflow);
        }
        for workflow in &content.workflows {
            for (place, node) in workflow.nodes.iter().enumerate() {
                assert!(node.after.is_none_or(|after| after < place), "{}: {}", workflow.name, node.title);
            }
        }
    }

    #[test]
    fn values_take_the_signed_in_user() {
        let content = Content::read().expect("readable content");
        let values = content.actions[0].values_for(&json!({ "id": 7 }));
        assert_eq!(values["applicantId"], 7);
    }
}
