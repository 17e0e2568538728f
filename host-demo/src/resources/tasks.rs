//! `workflowTasks`: what the user who asks is to decide.
//!
//! A task is told with the workflow and the node that it comes from; `get` also tells what it is about: the data that the
//! execution was triggered with.

use std::{collections::BTreeSet, sync::Arc};

use serde_json::{Map, Value, json};
use store::{Conn, Record, Submission, TaskId, TaskStatus, UserId};

use super::{Call, approvals, id_of, own, read_all, required_text, text};
use crate::{
    access::RequestContext,
    host::Host,
    http::{answer::Answer, error::ApiError},
};

pub(super) async fn answer(host: &Arc<Host>, context: &RequestContext, call: Call) -> Result<Answer, ApiError> {
    match call.address.action.as_str() {
        "list" | "get" => read(host, context, call).await,
        "count" => count(host, context).await,
        "submit" => {
            let id = TaskId(id_of(&call.key()?)?);
            let values = call.values.clone().into_object()?;
            let action = required_text(&values, "action")?;
            host.engine.submit_task(context.actor().id, id, action, submission(&values)?).await?;
            read(host, context, call.as_get()).await
        }
        "delegate" => {
            let id = TaskId(id_of(&call.key()?)?);
            let values = call.values.clone().into_object()?;
            let to = values.get("userId").filter(|to| !to.is_null());
            let to = to.ok_or_else(|| ApiError::invalid("REQUIRED", "\"userId\" is required"))?;
            let (to, comment) = (UserId(id_of(to)?), text(&values, "comment")?);
            host.engine.delegate_task(context.actor().id, id, to, comment).await?;
            read(host, context, call.as_get()).await
        }
        "history" => approvals::history_of_task(host, context, &call).await,
        "saveDraft" => {
            let id = TaskId(id_of(&call.key()?)?);
            let values = call.values.clone().into_object()?;
            host.engine.save_task_draft(context.actor().id, id, submission(&values)?).await?;
            read(host, context, call.as_get()).await
        }
        _ => Err(call.unknown_action()),
    }
}

pub(super) fn submission(body: &Record) -> Result<Submission, ApiError> {
    let values = match body.get("values") {
        None | Some(Value::Null) => Record::new(),
        Some(Value::Object(values)) => values.clone(),
        Some(_) => return Err(ApiError::invalid("INVALID_VALUE", "\"values\" must be an object")),
    };
    Ok(Submission { values, comment: text(body, "comment")?, return_to: text(body, "returnTo")? })
}

/// How many tasks the user has, by state.
async fn count(host: &Host, context: &RequestContext) -> Result<Answer, ApiError> {
    let counted = host.store.read().await?.count_tasks(context.actor().id).await?;
    let all =
        [TaskStatus::Pending, TaskStatus::Approved, TaskStatus::Rejected, TaskStatus::Answered, TaskStatus::Closed];
    let count = |status: TaskStatus| {
        let count = counted.iter().find(|(of, _)| *of == status).map_or(0, |(_, count)| *count);
        (status.to_string(), count.into())
    };
    Ok(Answer::Data(Value::Object(all.into_iter().map(count).collect())))
}

async fn read(host: &Host, context: &RequestContext, call: Call) -> Result<Answer, ApiError> {
    // Who asks for some fields gets these alone.
    let is_whole = call.params.select.fields.is_empty();
    let answer = own::read(host, context, call).await?;
    if is_whole { tell_about(&mut host.store.read().await?, answer).await } else { Ok(answer) }
}

/// Adds where records come from that belong to a node's job; to a single one also what it is about.
pub(super) async fn tell_about(conn: &mut Conn, mut answer: Answer) -> Result<Answer, ApiError> {
    match &mut answer {
        Answer::List { records, .. } => tell_origins(conn, records.iter_mut()).await?,
        Answer::Data(Value::Array(items)) => {
            tell_origins(conn, items.iter_mut().filter_map(Value::as_object_mut)).await?;
        }
        Answer::Data(Value::Object(task)) => {
            tell_origins(conn, std::iter::once(&mut *task)).await?;
            let id = task.get("executionId").cloned().unwrap_or_default();
            let execution = read_all(conn, "executions", &id, &[]).await?.into_iter().next();
            let data =
                execution.and_then(|mut execution| execution.get_mut("context")?.get_mut("data").map(Value::take));
            task.insert("data".to_owned(), data.unwrap_or_default());
        }
        Answer::Data(_) | Answer::Empty => {}
    }
    Ok(answer)
}

/// Adds `node` and `workflow` to tasks.
async fn tell_origins<'t>(conn: &mut Conn, tasks: impl Iterator<Item = &'t mut Record>) -> Result<(), ApiError> {
    let mut tasks: Vec<_> = tasks.collect();
    for (name, key, collection, members) in [
        ("node", "nodeId", "flow_nodes", ["id", "key", "type", "title"]),
        ("workflow", "workflowId", "workflows", ["id", "key", "type", "title"]),
    ] {
        let ids: BTreeSet<i64> = tasks.iter().filter_map(|task| task.get(key)?.as_i64()).collect();
        let origins = read_all(conn, collection, &json!(ids), &[]).await?;
        for task in &mut tasks {
            let id = task.get(key);
            let origin = origins.iter().find(|origin| origin.get("id") == id);
            let told = |origin: &Record| -> Map<String, Value> {
                members.iter().filter_map(|&member| Some((member.to_owned(), origin.get(member)?.clone()))).collect()
            };
            let told = origin.map_or(Value::Null, |origin| Value::Object(told(origin)));
            task.insert(name.to_owned(), told);
        }
    }
    Ok(())
}
