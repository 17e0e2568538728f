//! What a request to a plugin's route starts: one execution, stored before the answer.

use std::sync::Arc;

use plugin_api::{ExecutionMode, RouteStart};
use serde_json::Value;
use store::{ClaimedBy, ExecutionId, NewExecution, Tx, WorkflowId};
use uuid::Uuid;

use super::verdict;
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
    plugins: &Plugins,
    plugin: &str,
    start: RouteStart,
) -> Result<Started, ApiError> {
    let own: Vec<String> =
        plugins.triggers().filter(|it| it.plugin() == plugin).map(|it| it.info().id.clone()).collect();
    let unavailable = ApiError::RouteUnavailable { plugin: plugin.to_owned() };
    let id = WorkflowId(start.workflow.0);
    let claimed_by = (start.mode == ExecutionMode::Sync).then(|| host.engine.claim());
    let is_sync = claimed_by.is_some();
    let stored =
        host.store.write::<_, ApiError, _>(move |tx| Box::pin(enqueue(tx, id, own, claimed_by, start.context))).await?;
    let execution = stored.ok_or(unavailable)?;
    if !is_sync {
        host.engine.wake(&[id]);
        return Ok(Started::Queued(execution));
    }
    let outcome = verdict::run(&host.engine, execution).await?;
    let output = outcome.output.clone();
    Ok(Started::Ended { messages: verdict::verdict(outcome)?, output })
}

async fn enqueue(
    tx: &mut Tx,
    id: WorkflowId,
    own: Vec<String>,
    claimed_by: Option<ClaimedBy>,
    context: store::Record,
) -> Result<Option<ExecutionId>, ApiError> {
    let Some(workflow) = tx.workflow(id).await?.filter(|it| it.enabled && own.contains(&it.trigger_type)) else {
        return Ok(None);
    };
    let execution = NewExecution {
        workflow_id: workflow.id,
        key: workflow.key,
        context: Value::Object(context),
        event_key: Uuid::new_v4().to_string(),
        claimed_by,
        waits_for: None,
        stack: Vec::new(),
        parent_job: None,
        manually: false,
    };
    Ok(tx.enqueue(vec![execution]).await?.pop())
}
