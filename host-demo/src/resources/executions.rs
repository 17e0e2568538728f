//! `executions`: reading, and taking hold of one from outside: ending it, running it again, ending what it waits for.

use std::sync::Arc;

use serde_json::{Value, json};
use store::{ExecutionId, Filter, Find, JobId, JobStatus, NodeId, Page, Record, Select, StoreError};
use workflow::EngineError;

use super::{Call, id_of, read, read_all, read_one};
use crate::{
    access::RequestContext,
    host::Host,
    http::{answer::Answer, error::ApiError},
};

/// Dead letters that one request puts back: each is a transaction, and the caller waits for all.
const REDRIVEN_PER_REQUEST: u64 = 1_000;

pub(super) async fn answer(host: &Arc<Host>, context: &RequestContext, call: Call) -> Result<Answer, ApiError> {
    let action = call.address.action.as_str();
    if matches!(action, "list" | "get") {
        return read(context, call).await;
    }
    if !matches!(action, "cancel" | "rerun" | "redrive" | "resume") {
        return Err(call.unknown_action());
    }
    context.role().require_manager()?;
    match action {
        "cancel" => {
            let id = execution(&call)?;
            host.engine.cancel(id).await?;
            one(host, id).await
        }
        "rerun" => {
            let node = call.params.node_id.as_ref();
            let node = node.ok_or_else(|| ApiError::invalid("REQUIRED", "\"nodeId\" is required"))?;
            let again = host.engine.rerun(execution(&call)?, NodeId(id_of(node)?)).await?;
            one(host, again).await
        }
        "redrive" => redrive(host, &call).await,
        _ => resume(host, call).await,
    }
}

fn execution(call: &Call) -> Result<ExecutionId, ApiError> {
    Ok(ExecutionId(id_of(&call.key()?)?))
}

async fn one(host: &Host, id: ExecutionId) -> Result<Answer, ApiError> {
    Ok(Answer::record(read_one(host, "executions", json!(id.0), &["jobs"]).await?))
}

/// Puts dead letters back: those with the keys, or those that the filter finds, oldest first.
async fn redrive(host: &Host, call: &Call) -> Result<Answer, ApiError> {
    let keys = call.keys();
    let mut again: Vec<ExecutionId> = Vec::new();
    for key in &keys {
        again.push(host.engine.redrive(ExecutionId(id_of(key)?)).await?);
    }
    match (&call.params.filter, keys.is_empty()) {
        (Some(filter), true) => {
            for letter in dead_letters(host, filter).await? {
                match host.engine.redrive(letter).await {
                    Ok(id) => again.push(id),
                    // Somebody else has put it back meanwhile.
                    Err(EngineError::Store(StoreError::Invalid { .. } | StoreError::NotFound { .. })) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        (None, true) => {
            return Err(ApiError::invalid("FILTER_REQUIRED", "\"filterByTk\" or \"filter\" is required"));
        }
        (_, false) => {}
    }
    let ids: Value = again.iter().map(|id| id.0).collect();
    let mut conn = host.store.read().await?;
    Ok(Answer::records(read_all(&mut conn, "executions", &ids, &[]).await?))
}

async fn dead_letters(host: &Host, wire: &Value) -> Result<Vec<ExecutionId>, ApiError> {
    let mut conn = host.store.read().await?;
    let executions = conn.schema().collection("executions")?.clone();
    let filter = Filter::parse(conn.schema(), &executions, &json!({"deadLetter": true}))?;
    let filter = filter.and(Filter::parse(conn.schema(), &executions, wire)?);
    let select = Select { fields: vec!["id".to_owned()], ..Select::default() };
    let page = Some(Page { number: 1, size: REDRIVEN_PER_REQUEST });
    let records = conn.find(&Find { filter, select, page, ..Find::all(executions) }).await?;
    Ok(records.iter().filter_map(|record| record.get("id")?.as_i64().map(ExecutionId)).collect())
}

/// Ends the job that an execution waits for: the one that is named, or the only one.
async fn resume(host: &Host, call: Call) -> Result<Answer, ApiError> {
    let id = execution(&call)?;
    let named = call.params.job_id.as_ref().map(id_of).transpose()?.map(JobId);
    let values = call.values.into_object()?;
    let status = status(&values)?;
    let jobs = host.store.read().await?.jobs(id).await?;
    let mut waiting = jobs.iter().filter(|job| named.map_or(job.status == JobStatus::Pending, |named| named == job.id));
    let job = match (waiting.next(), waiting.next()) {
        (Some(job), None) => job.id,
        (None, _) if named.is_some() => return Err(ApiError::no_record()),
        (None, _) => return Err(ApiError::invalid("NOT_WAITING", "the execution waits for no job")),
        (Some(_), Some(_)) => {
            return Err(ApiError::invalid("REQUIRED", "\"jobId\" is required: the execution waits for several jobs"));
        }
    };
    let result = values.get("result").cloned().unwrap_or_default();
    host.engine.resume_job(job, status, result).await?;
    one(host, id).await
}

/// How the job ends; well, if nothing is said.
fn status(values: &Record) -> Result<JobStatus, ApiError> {
    match values.get("status") {
        None => Ok(JobStatus::Resolved),
        Some(code) => code
            .as_i64()
            .and_then(JobStatus::from_code)
            .filter(|status| *status != JobStatus::Pending)
            .ok_or_else(|| ApiError::invalid("INVALID_VALUE", "\"status\" must be a final state, from 1 to -6")),
    }
}
