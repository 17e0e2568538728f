//! The node type `approval`: whom it asks, and what their answers mean.
//!
//! [`config`] is what people configure, `decide` the decision.

pub mod config;
mod decide;

use plugin_api::{NodeBranch, NodeInfo, People, PluginError, Progress, Step, TaskNode};
use serde_json::Value;

use self::config::{Action, Config, Mode, OnReturn, Outcome};
use crate::locales;

/// The branch behind an approval that was rejected.
pub const REJECTED: i64 = 0;
/// The branch behind one that was approved.
pub const APPROVED: i64 = 1;
/// The branch behind one that was returned.
pub const RETURNED: i64 = 2;

/// The node type.
#[derive(Debug)]
pub struct ApprovalNode;

impl TaskNode for ApprovalNode {
    type Config = Config;

    fn info(&self) -> NodeInfo {
        let branch = |index, title: plugin_api::Translations| NodeBranch { index, title: title.text() };
        NodeInfo {
            id: "approval".to_owned(),
            title: locales::NODE.text(),
            description: locales::NODE_DESCRIPTION.text(),
            branches: vec![
                branch(APPROVED, locales::APPROVED),
                branch(REJECTED, locales::REJECTED),
                branch(RETURNED, locales::RETURNED),
            ],
        }
    }

    fn check(&self, config: &Value) -> Result<(), PluginError> {
        config::check(config)
    }

    fn people(&self, config: &Config) -> Result<People, PluginError> {
        Ok(People { users: config.assignees.clone(), roles: config.roles.clone() })
    }

    fn step(&self, config: &Config, progress: &Progress) -> Result<Step, PluginError> {
        decide::step(config, progress)
    }
}

impl Config {
    /// Whether a returned application goes back to its applicant.
    fn goes_back(&self) -> bool {
        self.on_return == OnReturn::Applicant
    }

    fn allows(&self, action: Action) -> bool {
        self.actions.contains(&action)
    }

    fn is_in_order(&self) -> bool {
        self.mode == Mode::Sequential
    }

    fn branches(&self) -> bool {
        self.outcome == Outcome::Branch
    }
}
