//! `approvals`: what the user who asks has applied for, and what has become of it.
//!
//! What others are to decide is with their tasks. The history of an approval is told to its applicant, to those who were asked,
//! and to administrators.

use std::{collections::BTreeSet, sync::Arc};

use serde_json::{Value, json};
use store::{Approval, ApprovalId, Conn, JobId, Record, TaskId, UserId};

use super::{
    Call, id_of, own, read_all,
    tasks::{submission, tell_about},
    text,
};
use crate::{
    access::RequestContext,
    host::Host,
    http::{answer::Answer, body::Values, error::ApiError, params::Whose},
};

pub(super) async fn answer(host: &Arc<Host>, context: &RequestContext, call: Call) -> Result<Answer, ApiError> {
    match call.address.action.as_str() {
        "list" | "get" => read(host, context, call).await,
        "history" => {
            let approval = own_approval(host, context, &call).await?;
            history(&mut host.store.read().await?, approval.job_id).await
        }
        "withdraw" => {
            let id = ApprovalId(id_of(&call.key()?)?);
            let comment = match &call.values {
                Values::Nothing => None,
                given => text(&given.clone().into_object()?, "comment")?,
            };
            host.engine.withdraw(context.actor().id, id, comment).await?;
            read(host, context, call.as_get()).await
        }
        "resubmit" => {
            let id = ApprovalId(id_of(&call.key()?)?);
            let said = submission(&call.values.clone().into_object()?)?;
            host.engine.resubmit(context.actor().id, id, said).await?;
            read(host, context, call.as_get()).await
        }
        _ => Err(call.unknown_action()),
    }
}

/// The history of the approval that a task of the user belongs to.
pub(super) async fn history_of_task(
    host: &Arc<Host>,
    context: &RequestContext,
    call: &Call,
) -> Result<Answer, ApiError> {
    let id = TaskId(id_of(&call.key()?)?);
    if call.params.whose == Whose::All {
        context.role().require_manager()?;
    }
    let mut conn = host.store.read().await?;
    let mine = |task: &store::Task| call.params.whose == Whose::All || task.user_id == context.actor().id;
    let task = conn.task(id).await?.filter(mine).ok_or_else(ApiError::no_record)?;
    history(&mut conn, task.job_id).await
}

async fn read(host: &Arc<Host>, context: &RequestContext, call: Call) -> Result<Answer, ApiError> {
    // Who asks for some fields gets these alone.
    let is_whole = call.params.select.fields.is_empty();
    let answer = own::read(host, context, call).await?;
    if is_whole { tell_about(&mut host.store.read().await?, answer).await } else { Ok(answer) }
}

/// An approval of the user; of anybody, for administrators who say so.
async fn own_approval(host: &Host, context: &RequestContext, call: &Call) -> Result<Approval, ApiError> {
    let id = ApprovalId(id_of(&call.key()?)?);
    let is_all = call.params.whose == Whose::All;
    if is_all {
        context.role().require_manager()?;
    }
    let found = host.store.read().await?.approval(id).await?;
    let own = found.filter(|approval| is_all || approval.user_id == Some(context.actor().id));
    own.ok_or_else(ApiError::no_record)
}

/// Every step of an approval, in the order in which they were taken; then the tasks that are open, then those closed.
async fn history(conn: &mut Conn, job: JobId) -> Result<Answer, ApiError> {
    let approval = conn.approval_of_job(job).await?.ok_or_else(ApiError::no_record)?;
    let records = |records: Vec<Record>| records.into_iter().next().ok_or_else(ApiError::no_record);
    let stored = records(read_all(conn, "approvals", &json!(approval.id.0), &[]).await?)?;
    let tasks = conn.tasks_of_job(job).await?;
    let ids: Vec<i64> = tasks.iter().map(|task| task.id.0).collect();
    let rows = read_all(conn, "workflowTasks", &json!(ids), &[]).await?;
    let users: BTreeSet<i64> =
        tasks.iter().map(|task| task.user_id.0).chain(approval.user_id.map(|user| user.0)).collect();
    let users = read_all(conn, "users", &json!(users), &[]).await?;
    let person = |id: Option<UserId>| {
        let user = users.iter().find(|user| user.get("id").and_then(Value::as_i64) == id.map(|id| id.0));
        user.map_or(Value::Null, |user| {
            let member = |name: &str| user.get(name).cloned().unwrap_or_default();
            json!({"id": member("id"), "username": member("username"), "nickname": member("nickname")})
        })
    };
    let given = |id: TaskId| {
        let row = rows.iter().find(|row| row.get("id").and_then(Value::as_i64) == Some(id.0));
        row.and_then(|row| row.get("createdAt").cloned()).unwrap_or_default()
    };
    let mut in_order: Vec<_> = tasks.iter().collect();
    in_order.sort_by_key(|task| (task.decided_at.is_none(), task.decided_at.clone(), task.status.code(), task.id));
    let mut steps = vec![json!({
        "action": "submit", "user": person(approval.user_id), "round": 1, "at": stored.get("createdAt"),
    })];
    steps.extend(in_order.into_iter().map(|task| {
        let delegated_to = tasks.iter().find(|other| other.delegated_from == Some(task.id));
        json!({
            "taskId": task.id, "action": task.action, "status": task.status.code(), "user": person(Some(task.user_id)),
            "round": task.round, "givenAt": given(task.id), "at": task.decided_at, "comment": task.comment,
            "values": task.decided_at.as_ref().map(|_| &task.values), "returnTo": task.return_to,
            "delegatedTo": delegated_to.map_or(Value::Null, |other| person(Some(other.user_id))),
            "delegatedFrom": task.delegated_from,
        })
    }));
    let earlier = workflow::provided::earlier(conn, job).await?;
    let earlier: Vec<Value> = earlier.iter().map(|node| json!({"key": node.key, "title": node.title})).collect();
    Ok(Answer::Data(json!({
        "id": approval.id, "title": approval.title, "status": approval.status.name(), "steps": steps, "earlier": earlier,
    })))
}
