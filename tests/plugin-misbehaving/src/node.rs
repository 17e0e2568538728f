//! The node type: an answer says which wrong to do when it is judged.

use plugin_api::{
    Ask, Ending, LocalizedText, NodeInfo, People, PluginError, Progress, Standing, Step, TaskAction, TaskNode,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Config {
    assignees: Value,
}

/// A node type of this name.
pub(crate) struct MisbehavingNode(pub(crate) String);

impl TaskNode for MisbehavingNode {
    type Config = Config;

    fn info(&self) -> NodeInfo {
        NodeInfo {
            id: self.0.clone(),
            title: LocalizedText::new("Misbehaving"),
            description: LocalizedText::new("Does wrong what it is told to."),
            branches: vec![],
        }
    }

    fn check(&self, _: &Value) -> Result<(), PluginError> {
        Ok(())
    }

    fn people(&self, config: &Config) -> Result<People, PluginError> {
        Ok(People { users: config.assignees.clone(), roles: vec![] })
    }

    fn step(&self, _: &Config, progress: &Progress) -> Result<Step, PluginError> {
        let (standing, close) = (Standing::Pending, false);
        let Some(task) = progress.tasks.iter().find(|task| task.action.is_some()) else {
            let (users, actions) = (progress.people.clone(), vec![TaskAction::Approve]);
            let (title, description, form) = ("t".to_owned(), String::new(), Map::new());
            let ask = Ask { users, round: 1, title, description, form, actions, approvals: 1, rejections: 0 };
            return Ok(Step::Wait { standing, close, ask: vec![ask] });
        };
        match task.comment.as_deref() {
            Some("panic") => panic!("as told in an answer"),
            Some("back") => Ok(Step::Back { to: "nowhere".to_owned(), result: json!({}) }),
            Some("wait") => Ok(Step::Wait { standing, close, ask: vec![] }),
            _ => {
                let (standing, ending, result) = (Standing::Approved, Ending::Resolved, json!({}));
                Ok(Step::End { standing, ending, result, branch: None })
            }
        }
    }
}
