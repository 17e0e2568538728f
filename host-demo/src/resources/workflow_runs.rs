//! `workflows:execute`: a person runs a workflow by hand, enabled or not.

use std::sync::Arc;

use plugin_api::{AssociationPath, Batch, CollectionRef, ManualData, ManualRun};
use serde_json::{Value, json};
use store::{ClaimedBy, ExecutionId, NewExecution, Select, Tx, UserId, WorkflowId, WorkflowRow, workflows::Revision};
use uuid::Uuid;

use super::{Call, id_of, nodes::no_workflow, read_all};
use crate::{
    host::Host,
    http::{answer::Answer, error::ApiError},
    triggers,
};

/// What a run stored.
struct Stored {
    execution: ExecutionId,
    new_version: Option<WorkflowId>,
    changed: Vec<WorkflowRow>,
}

pub(super) async fn execute(host: &Arc<Host>, author: UserId, call: Call) -> Result<Answer, ApiError> {
    let id = WorkflowId(id_of(&call.key()?)?);
    let revises = call.params.auto_revision;
    let input = Value::Object(call.values.into_object()?);
    let workflow = host.store.read().await?.workflow(id).await?.ok_or_else(no_workflow)?;
    let run = triggers::trigger(&host.plugins.current(), &workflow.trigger_type)?
        .manual(&workflow.config, &input)
        .map_err(triggers::refusal)?;
    let given = match &run.data {
        ManualData::Given(data) => data.clone(),
        ManualData::Load { collection, key, preloads } => load(host, collection, key.clone(), preloads).await?,
    };
    let claim = host.engine.claim();
    let stored = host
        .store
        .write::<_, ApiError, _>(move |tx| {
            Box::pin(async move {
                let execution = enqueue(tx, &workflow, run, given, claim).await?;
                let mut stored = Stored { execution, new_version: None, changed: Vec::new() };
                // A version that had run before is frozen already: there is nothing to keep editable.
                if revises && workflow.executed == 0 {
                    let next = tx.revise_workflow(id, Revision::NextVersion).await?;
                    stored.new_version = Some(next.id);
                    if let Value::Object(values) = json!({"enabled": workflow.enabled, "current": workflow.current}) {
                        stored.changed = tx.update_workflow(next.id, values, Some(author)).await?;
                    }
                }
                Ok(stored)
            })
        })
        .await?;
    host.switch.follow(&stored.changed).await?;
    let outcome = host.engine.run(stored.execution).await?;
    let mut answer = json!({"execution": {"id": outcome.id, "status": outcome.status.code()}});
    if let Some(version) = stored.new_version {
        answer["newVersionId"] = json!(version);
    }
    Ok(Answer::Data(answer))
}

/// Reads the record, or the records, that the workflow gets.
async fn load(
    host: &Host,
    collection: &CollectionRef,
    key: Value,
    preloads: &[AssociationPath],
) -> Result<Value, ApiError> {
    let mut conn = host.data_sources.find(collection.data_source()).await?.store().read().await?;
    let collection = Arc::clone(conn.schema().collection(collection.name())?);
    let appends: Vec<String> = preloads.iter().map(AssociationPath::to_string).collect();
    let is_one = !key.is_array();
    let keys = if let Value::Array(keys) = key { keys } else { vec![key] };
    let mut records = Vec::with_capacity(keys.len());
    for key in keys {
        let select = Select { appends: Vec::clone(&appends), ..Select::default() };
        let found = conn.follow(&collection, &[key], &[], &select).await?.into_iter().next();
        records.push(Value::Object(found.ok_or_else(|| ApiError::Refused("record not found".to_owned()))?));
    }
    Ok(if is_one { records.pop().unwrap_or_default() } else { records.into() })
}

async fn enqueue(
    tx: &mut Tx,
    workflow: &WorkflowRow,
    run: ManualRun,
    data: Value,
    claim: ClaimedBy,
) -> Result<ExecutionId, ApiError> {
    let user = read_all(tx, "users", &json!(run.user.0), &[]).await?.into_iter().next();
    let user = user.ok_or_else(|| ApiError::Refused("user not found".to_owned()))?;
    let data = match run.batch {
        Batch::PerRecord => data,
        Batch::PerBatch => json!([data]),
    };
    let mut context = Value::Object(run.more);
    context[run.variable] = data;
    context["user"] = Value::Object(user);
    if let Some(role) = run.role {
        context["roleName"] = role.into();
    }
    let execution = NewExecution {
        claimed_by: Some(claim),
        manually: true,
        ..NewExecution::new(workflow.id, workflow.key.clone(), context, Uuid::new_v4().to_string())
    };
    tx.enqueue(vec![execution]).await?.pop().ok_or_else(|| ApiError::Internal("nothing was stored".to_owned()))
}
