//! The plugins' node types, as the engine knows them: one conversion between its words and those of the ABI.

use std::sync::Arc;

use plugin_api::{self as api, ErrorKind, PluginError, TaskAction};
use serde_json::Value;
use store::{ApprovalStatus, JobStatus, Task, TaskStatus, UserId};
use workflow::provided::{Asked, Earlier, Meant, NextStep, Progress, ProvidedError, ProvidedNode, ProvidedNodes};

use crate::plugins::{LoadedNode, PluginManager};

/// The node types of the plugins that are loaded at the moment of each question.
pub(crate) struct NodesOfPlugins(pub(crate) Arc<PluginManager>);

impl ProvidedNodes for NodesOfPlugins {
    fn find(&self, name: &str) -> Result<Arc<dyn ProvidedNode>, ProvidedError> {
        let plugins = self.0.current();
        let node = plugins.node(name).ok_or_else(|| ProvidedError::Unknown(name.to_owned()))?;
        Ok(Arc::new(Node(node.clone())))
    }

    fn all(&self) -> Vec<(String, Value)> {
        self.0.current().nodes().map(|node| (node.info().id.clone(), node.config_schema().clone())).collect()
    }
}

struct Node(LoadedNode);

impl Node {
    fn error(&self, error: PluginError) -> ProvidedError {
        let plugin = self.0.plugin();
        match error.kind {
            ErrorKind::Invalid => ProvidedError::Refused(error.message),
            ErrorKind::Unavailable => ProvidedError::Unavailable(format!(
                "plugin \"{plugin}\" cannot decide now ({}): nothing was done, please try again later",
                error.message
            )),
            _ => ProvidedError::Fault(format!("plugin \"{plugin}\": {}", error.message)),
        }
    }
}

impl ProvidedNode for Node {
    fn config_schema(&self) -> &Value {
        self.0.config_schema()
    }

    fn check(&self, config: &Value) -> Result<(), ProvidedError> {
        self.0.check(config).map_err(|error| self.error(error))
    }

    fn people(&self, config: &Value) -> Result<Meant, ProvidedError> {
        let people = self.0.people(config).map_err(|error| self.error(error))?;
        Ok(Meant { users: people.users, roles: people.roles })
    }

    fn step(&self, config: &Value, progress: &Progress) -> Result<NextStep, ProvidedError> {
        let step = self.0.step(config, &told(progress)).map_err(|error| self.error(error))?;
        Ok(match step {
            api::Step::Wait { standing, close, ask } => {
                NextStep::Wait { status: status(standing), close, ask: ask.into_iter().map(asked).collect() }
            }
            api::Step::End { standing, ending, result, branch } => {
                let job = match ending {
                    api::Ending::Resolved => JobStatus::Resolved,
                    api::Ending::Rejected => JobStatus::Rejected,
                    api::Ending::Canceled => JobStatus::Canceled,
                };
                NextStep::End { status: status(standing), job, result, branch }
            }
            api::Step::Back { to, result } => NextStep::Back { to, result },
        })
    }
}

fn told(progress: &Progress) -> api::Progress {
    let user = |id: UserId| api::UserId(id.0);
    api::Progress {
        people: progress.people.iter().copied().map(user).collect(),
        applicant: progress.applicant.map(user),
        tasks: progress.tasks.iter().map(task).collect(),
        withdraws: progress.withdraws,
        earlier: progress.earlier.iter().map(earlier).collect(),
    }
}

fn earlier(node: &Earlier) -> api::EarlierNode {
    api::EarlierNode { key: node.key.clone(), title: node.title.clone() }
}

fn task(task: &Task) -> api::TaskProgress {
    let action = task.action.as_deref().and_then(|name| serde_json::from_value(name.into()).ok());
    api::TaskProgress {
        user: api::UserId(task.user_id.0),
        round: task.round,
        action,
        closed: task.status == TaskStatus::Closed,
        values: task.values.clone(),
        comment: task.comment.clone(),
        decided_at: task.decided_at.clone(),
        return_to: task.return_to.clone(),
    }
}

fn asked(ask: api::Ask) -> Asked {
    let name = |action: TaskAction| match action {
        TaskAction::Approve => "approve",
        TaskAction::Reject => "reject",
        TaskAction::Return => "return",
        TaskAction::Delegate => "delegate",
        TaskAction::Resubmit => "resubmit",
        // What later plugins may know fails to be read before it comes here.
        _ => "withdraw",
    };
    Asked {
        users: ask.users.into_iter().map(|user| UserId(user.0)).collect(),
        round: ask.round,
        title: ask.title,
        description: ask.description,
        form: ask.form,
        actions: ask.actions.into_iter().map(|action| name(action).to_owned()).collect(),
        decisive: (ask.approvals, ask.rejections),
    }
}

fn status(standing: api::Standing) -> ApprovalStatus {
    match standing {
        api::Standing::Pending => ApprovalStatus::Pending,
        api::Standing::Returned => ApprovalStatus::Returned,
        api::Standing::Approved => ApprovalStatus::Approved,
        api::Standing::Rejected => ApprovalStatus::Rejected,
        api::Standing::Withdrawn => ApprovalStatus::Withdrawn,
    }
}
