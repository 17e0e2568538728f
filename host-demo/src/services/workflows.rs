//! The service `workflows`: an execution, stored as queued like any other.

use plugin_api::{ExecutionId, StartWorkflow};
use serde_json::{Value, json};
use store::{Filter, Find, NewExecution, Tx, WorkflowId, WorkflowRow};
use uuid::Uuid;

use crate::{host::Host, http::error::ApiError, plugins::Caller};

/// Stores an execution of an enabled workflow of the caller's own trigger types, and wakes the dispatcher.
pub(super) async fn start(host: &Host, caller: Caller, question: StartWorkflow) -> Result<ExecutionId, ApiError> {
    let workflow = WorkflowId(question.workflow.0);
    let id = host
        .store
        .write::<_, ApiError, _>(move |tx| {
            Box::pin(async move {
                // Work that was handed to the writer is done even if nobody waits for it; this was promised to nobody.
                if caller.given_up.is_cancelled() {
                    return Err(ApiError::ShuttingDown);
                }
                let workflow = startable(tx, &caller, workflow).await?;
                enqueue(tx, workflow, question).await
            })
        })
        .await?;
    host.engine.wake(&[workflow]);
    Ok(id)
}

async fn startable(tx: &mut Tx, caller: &Caller, id: WorkflowId) -> Result<WorkflowRow, ApiError> {
    let own = |workflow: &WorkflowRow| caller.trigger_types.contains(&workflow.trigger_type);
    // Whether others' workflows exist is not this plugin's to know.
    let workflow = tx.workflow(id).await?.filter(own).ok_or_else(|| {
        ApiError::Refused(format!("Plugin \"{}\" has no workflow {id} of its trigger types", caller.plugin))
    })?;
    if !workflow.enabled {
        return Err(ApiError::Refused(format!("Workflow {id} is not enabled")));
    }
    Ok(workflow)
}

async fn enqueue(tx: &mut Tx, workflow: WorkflowRow, question: StartWorkflow) -> Result<ExecutionId, ApiError> {
    let user = match question.user {
        None => Value::Null,
        Some(user) => {
            let users = tx.schema().collection("users")?.clone();
            let filter = Filter::by_key(&users, &json!(user.0))?;
            let found = tx.find(&Find { filter, ..Find::all(users) }).await?.into_iter().next();
            found.map(Value::Object).ok_or_else(|| ApiError::Refused("user not found".to_owned()))?
        }
    };
    let mut context = json!({"data": question.data, "user": user});
    if let Some(role) = question.role {
        context["roleName"] = role.into();
    }
    let execution = NewExecution::new(workflow.id, workflow.key, context, Uuid::new_v4().to_string());
    let stored = tx.enqueue(vec![execution]).await?.pop();
    stored.map(|id| ExecutionId(id.0)).ok_or_else(|| ApiError::Internal("nothing was stored".to_owned()))
}
