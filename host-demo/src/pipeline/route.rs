//! What a request to a plugin's route starts: one execution, stored before the answer.

use std::sync::Arc;

use plugin_api::{ExecutionMode, RouteStart};
use serde_json::Value;
use store::{ClaimedBy, ExecutionId, NewExecution, Tx, WorkflowId};
use uuid::Uuid;

use super::{asker::startable, verdict};
use crate::{host::Host, http::error::ApiError, plugins::Plugins};

/// What became of it.
pub(crate) enum Started {
    /// It has resolved, with what it worked out and said.
    Ended {
        /// Of its last *output* node.
        output: Option<Value>,
        /// Of its *response-message* nodes.
        messages: Vec<String>,
    },
    /// It is stored and runs in the background.
    Queued(ExecutionId),
}

/// Starts an execution for a plugin's route.
///
/// # Errors
///
/// [`ApiError::RouteUnavailable`] if the workflow is not enabled any more, or not the plugin's; the verdict of a synchronous one.
pub(crate) async fn start(
    host: &Arc<Host>,
    plugins: Arc<Plugins>,
    plugin: Arc<str>,
    start: RouteStart,
) -> Result<Started, ApiError> {
    let claimed_by = (start.mode == ExecutionMode::Sync).then(|| host.engine.claim());
    let (is_sync, id) = (claimed_by.is_some(), WorkflowId(start.workflow.0));
    let execution =
        host.store.write::<_, ApiError, _>(move |tx| Box::pin(enqueue(tx, plugins, plugin, claimed_by, start))).await?;
    if !is_sync {
        host.engine.wake(&[id]);
        return Ok(Started::Queued(execution));
    }
    let mut outcome = verdict::run(&host.engine, execution).await?;
    let output = outcome.output.take();
    Ok(Started::Ended { messages: verdict::verdict(outcome)?, output })
}

async fn enqueue(
    tx: &mut Tx,
    plugins: Arc<Plugins>,
    plugin: Arc<str>,
    claimed_by: Option<ClaimedBy>,
    start: RouteStart,
) -> Result<ExecutionId, ApiError> {
    let Some(workflow) = startable(&plugins, tx, &plugin, start.workflow).await? else {
        return Err(ApiError::RouteUnavailable { plugin: plugin.to_string() });
    };
    let context = Value::Object(start.context);
    let new = NewExecution::new(workflow.id, workflow.key, context, Uuid::new_v4().to_string());
    let stored = tx.enqueue(vec![NewExecution { claimed_by, ..new }]).await?.pop();
    stored.ok_or_else(|| ApiError::Internal("nothing was stored".to_owned()))
}
