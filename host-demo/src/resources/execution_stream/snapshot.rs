//! The state of one execution at the moment it was read, and which changes it has in it already.

use std::collections::HashMap;

use serde_json::{Value, json};
use store::{
    ExecutionChange, ExecutionId, ExecutionStatus, Filter, Find, JobChange, JobStatus, Record, Select, Store,
    WorkflowId,
};

use crate::http::{error::ApiError, stream::Told};

/// An execution with its jobs.
pub(super) struct Snapshot {
    execution: Record,
    /// By id, as they were made.
    jobs: Vec<Record>,
    /// When each job changed last, and whether it has ended.
    changed: HashMap<i64, (String, bool)>,
}

impl Snapshot {
    /// Reads it; `None` if the execution is not there.
    pub(super) async fn read(store: &Store, id: ExecutionId) -> Result<Option<Self>, ApiError> {
        let Some(mut execution) = find(store, id, &[], &["jobs"]).await? else { return Ok(None) };
        let jobs = match execution.remove("jobs") {
            Some(Value::Array(jobs)) => jobs,
            _ => Vec::new(),
        };
        let mut jobs: Vec<Record> =
            jobs.into_iter().filter_map(|job| if let Value::Object(job) = job { Some(job) } else { None }).collect();
        jobs.sort_by_key(id_of);
        let changed = jobs.iter().map(|job| (id_of(job), (text(job, "updatedAt").to_owned(), is_final(job)))).collect();
        Ok(Some(Self { execution, jobs, changed }))
    }

    /// The execution, then its jobs.
    pub(super) fn told(&self) -> Vec<Told> {
        let mut execution = pick(&self.execution, &["id", "workflowId", "key", "status", "createdAt", "startedAt"]);
        let ended = self.status().is_some_and(ExecutionStatus::is_final);
        execution["finishedAt"] = finished_at(&self.execution, ended);
        let jobs = self.jobs.iter().map(|job| {
            let mut data = pick(job, &["id", "executionId", "nodeId", "nodeKey", "status", "startedAt"]);
            data["finishedAt"] = finished_at(job, is_final(job));
            Told { name: "job", data }
        });
        std::iter::once(Told { name: "execution", data: execution }).chain(jobs).collect()
    }

    /// Says whether a change was committed before the execution was read.
    pub(super) fn has(&self, change: &ExecutionChange) -> bool {
        let read_at = text(&self.execution, "updatedAt");
        let told = match self.status() {
            Some(ExecutionStatus::Queued) => 0,
            Some(ExecutionStatus::Started) => 1,
            Some(_ended) => 2,
            None => return false,
        };
        change.at.as_str() < read_at || (change.at == read_at && change.step.rank() <= told)
    }

    /// Says whether a job's change was committed before the execution was read.
    pub(super) fn has_job(&self, change: &JobChange) -> bool {
        self.changed.get(&change.id.0).is_some_and(|(read_at, ended)| {
            change.at < *read_at || (change.at == *read_at && (*ended || change.status == JobStatus::Pending))
        })
    }

    fn status(&self) -> Option<ExecutionStatus> {
        ExecutionStatus::from_code(self.execution.get("status").and_then(Value::as_i64))
    }
}

/// The workflow version of an execution, and its key.
pub(super) async fn workflow_of(store: &Store, id: ExecutionId) -> Result<Option<(WorkflowId, String)>, ApiError> {
    let execution = find(store, id, &["workflowId", "key"], &[]).await?;
    Ok(execution.and_then(|execution| {
        Some((WorkflowId(execution.get("workflowId")?.as_i64()?), text(&execution, "key").to_owned()))
    }))
}

async fn find(store: &Store, id: ExecutionId, fields: &[&str], appends: &[&str]) -> Result<Option<Record>, ApiError> {
    let mut conn = store.read().await?;
    let executions = conn.schema().collection("executions")?.clone();
    let filter = Filter::by_key(&executions, &json!(id.0))?;
    let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    let select = Select { fields: owned(fields), appends: owned(appends), ..Select::default() };
    Ok(conn.find(&Find { filter, select, ..Find::all(executions) }).await?.into_iter().next())
}

fn pick(record: &Record, names: &[&str]) -> Value {
    names.iter().map(|&name| (name, record.get(name).cloned().unwrap_or(Value::Null))).collect()
}

fn finished_at(record: &Record, ended: bool) -> Value {
    if ended { record.get("updatedAt").cloned().unwrap_or(Value::Null) } else { Value::Null }
}

fn is_final(job: &Record) -> bool {
    job.get("status")
        .and_then(Value::as_i64)
        .and_then(JobStatus::from_code)
        .is_some_and(|status| status != JobStatus::Pending)
}

fn id_of(record: &Record) -> i64 {
    record.get("id").and_then(Value::as_i64).unwrap_or_default()
}

fn text<'r>(record: &'r Record, name: &str) -> &'r str {
    record.get(name).and_then(Value::as_str).unwrap_or_default()
}
