//! `subflow`: runs another workflow.
//!
//! The child is an execution of its own. It is stored together with the job that waits for it and knows that job; when it
//! ends, in whatever way and process, or is deleted, that is noted in the job in the same transaction. A job that is ended
//! otherwise ends the child with it. So nothing has to be remembered in between.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use store::{Job, JobStatus, NewExecution};

use super::{Effect, NodeError, NodeResult, NodeType, Run};
use crate::{loop_guard, variables::Path};

/// Starts an execution of another workflow, and waits for its end or not. The job's result is the child's output, or
/// `{"execution": id}` if it is not waited for.
pub(super) struct Subflow;

/// Runs another workflow in an execution of its own.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Config {
    /// The key of the workflow; its enabled version is run.
    workflow: String,
    /// The context of the child, in the shape of its trigger: `{"data": …}`. The user and the role are the parent's unless
    /// it names others.
    #[serde(default)]
    context: Map<String, Value>,
    /// Whether the execution goes on at once instead of waiting for the child.
    #[serde(default, rename = "async")]
    detached: bool,
}

impl NodeType for Subflow {
    const NAME: &'static str = "subflow";
    const AT_ONCE: bool = true;
    const STANDS_ALONE: bool = false;

    type Config = Config;

    async fn run(config: Config, run: &Run<'_>) -> Result<Effect, NodeError> {
        let Config { workflow: key, mut context, detached } = config;
        for name in ["user", "roleName"] {
            let inherited = Path::parse(&format!("$context.{name}")).and_then(|path| run.scope.lookup(&path));
            if let (false, Some(value)) = (context.contains_key(name), inherited) {
                context.insert(name.to_owned(), value);
            }
        }
        let mut stack = run.stack.to_vec();
        stack.push(run.execution);
        let event_key = run.idempotency_key();
        Ok(Effect::write_for_job(move |tx, job| {
            Box::pin(async move {
                let Some(workflow) = tx.enabled_workflow(&key).await? else {
                    return Err(NodeError::Refused(format!("no enabled workflow has the key \"{key}\"")));
                };
                if !loop_guard::admits(tx, &workflow, &stack).await? {
                    return Err(NodeError::Refused(format!(
                        "the workflow \"{key}\" is under way already in the executions that led here, and its stack limit allows no more"
                    )));
                }
                let child = NewExecution {
                    stack,
                    parent_job: (!detached).then_some(job),
                    ..NewExecution::new(workflow.id, workflow.key, Value::Object(context), event_key)
                };
                let id = tx.enqueue(vec![child]).await?.into_iter().next().map(|id| id.0);
                let status = if detached { JobStatus::Resolved } else { JobStatus::Pending };
                let result = json!({"execution": id});
                Ok(NodeResult { wakes: Some(workflow.id), ..NodeResult::ended(status, result) })
            })
        }))
    }

    fn resume(_: Config, job: &Job) -> Result<NodeResult, NodeError> {
        let status = job.result.get("status").and_then(Value::as_i64).and_then(JobStatus::from_code);
        match status {
            None | Some(JobStatus::Pending) => {
                Err(NodeError::Refused("the execution of the subflow is gone: its workflow was destroyed".into()))
            }
            Some(JobStatus::Resolved) => {
                Ok(NodeResult::resolved(job.result.get("output").cloned().unwrap_or_default()))
            }
            Some(
                status @ (JobStatus::Failed
                | JobStatus::Error
                | JobStatus::Aborted
                | JobStatus::Canceled
                | JobStatus::Rejected
                | JobStatus::RetryNeeded),
            ) => {
                let mut result = job.result.clone();
                result["message"] = format!("the execution of the subflow ended as {status}").into();
                Ok(NodeResult::ended(status, result))
            }
        }
    }
}
