//! Jobs: what each node of an execution did. A job is stored before the next node starts.

use serde_json::Value;

use crate::{
    db::{Conn, Tx},
    error::StoreError,
    id::{ExecutionId, JobId, NodeId},
    status::JobStatus,
};

/// A job as the engine sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// The job.
    pub id: JobId,
    /// Its execution.
    pub execution_id: ExecutionId,
    /// Its node.
    pub node_id: NodeId,
    /// Its node's key, for `$jobsMapByNodeKey`.
    pub node_key: String,
    /// The job before it.
    pub upstream_id: Option<JobId>,
    /// Its state.
    pub status: JobStatus,
    /// What the node answered.
    pub result: Value,
    /// When a pending job falls due by itself, in milliseconds since 1970.
    pub due_at_ms: Option<i64>,
}

/// A job to be stored.
#[derive(Debug, Clone, PartialEq)]
pub struct NewJob {
    /// Its execution.
    pub execution_id: ExecutionId,
    /// Its node.
    pub node_id: NodeId,
    /// Its node's key.
    pub node_key: String,
    /// The job before it.
    pub upstream_id: Option<JobId>,
    /// Its state.
    pub status: JobStatus,
    /// What the node answered.
    pub result: Value,
    /// When a pending job falls due by itself, in milliseconds since 1970.
    pub due_at_ms: Option<i64>,
    /// When the node began, in milliseconds since 1970.
    pub started_at_ms: i64,
}

impl Conn {
    /// Reads the jobs of an execution, oldest first.
    pub async fn jobs(&mut self, execution: ExecutionId) -> Result<Vec<Job>, StoreError> {
        let _ = execution;
        todo!()
    }
}

impl Tx {
    /// Stores a job.
    pub async fn create_job(&mut self, job: NewJob) -> Result<Job, StoreError> {
        let _ = job;
        todo!()
    }

    /// Ends a pending job; illegal moves are errors.
    pub async fn finish_job(&mut self, id: JobId, status: JobStatus, result: Value) -> Result<Job, StoreError> {
        let _ = (id, status, result);
        todo!()
    }

    /// Ends every pending job of an execution, when the execution ends from outside.
    pub async fn abort_jobs(&mut self, execution: ExecutionId) -> Result<(), StoreError> {
        let _ = execution;
        todo!()
    }
}
