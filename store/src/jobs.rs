//! Jobs: what each node of an execution did. A job is stored with its node's effect, before the next effect.

use serde_json::Value;

use crate::{
    changes::{Change, JobChange},
    db::{Conn, Row, Tx},
    error::StoreError,
    id::{ExecutionId, JobId, NodeId, WorkflowId},
    moment,
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
    /// Where it stands below the job before it, for the first one of a branch or round; otherwise `null`.
    pub meta: Value,
    /// When a pending job falls due by itself, in milliseconds since 1970.
    pub due_at_ms: Option<i64>,
    /// The job whose node begins anew because of this one.
    pub returns_to: Option<JobId>,
}

/// A job to be stored.
#[derive(Debug, Clone, PartialEq)]
pub struct NewJob {
    /// Its id, if it was reserved.
    pub id: Option<JobId>,
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
    /// Where it stands below the job before it, for the first one of a branch or round; otherwise `null`.
    pub meta: Value,
    /// When a pending job falls due by itself, in milliseconds since 1970.
    pub due_at_ms: Option<i64>,
    /// When the node began, in milliseconds since 1970.
    pub started_at_ms: i64,
}

impl Job {
    fn read(row: &Row) -> Result<Self, StoreError> {
        let code = row.get("status")?;
        Ok(Self {
            id: JobId(row.get("id")?),
            execution_id: ExecutionId(row.get("executionId")?),
            node_id: NodeId(row.get("nodeId")?),
            node_key: row.get("nodeKey")?,
            upstream_id: row.get::<Option<i64>>("upstreamId")?.map(JobId),
            status: JobStatus::from_code(code)
                .ok_or_else(|| StoreError::Corrupt { what: format!("job status {code}") })?,
            result: row.json("result")?,
            meta: row.json("meta")?,
            due_at_ms: row.get("dueAt")?,
            returns_to: row.get::<Option<i64>>("returnsTo")?.map(JobId),
        })
    }
}

impl Conn {
    /// Reads one job.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn job(&mut self, id: JobId) -> Result<Option<Job>, StoreError> {
        let rows = self
            .query(
                r#"SELECT "id", "executionId", "nodeId", "nodeKey", "upstreamId", "status", "result", "meta", "dueAt",
                          "returnsTo" FROM "jobs" WHERE "id" = ?"#,
                [id.0.into()],
            )
            .await?;
        rows.first().map(Job::read).transpose()
    }

    /// Reads the jobs of an execution, oldest first.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn jobs(&mut self, execution: ExecutionId) -> Result<Vec<Job>, StoreError> {
        let rows = self
            .query(
                r#"SELECT "id", "executionId", "nodeId", "nodeKey", "upstreamId", "status", "result", "meta", "dueAt",
                          "returnsTo" FROM "jobs" WHERE "executionId" = ? ORDER BY "id""#,
                [execution.0.into()],
            )
            .await?;
        rows.iter().map(Job::read).collect()
    }
}

impl Conn {
    /// The moment (milliseconds since 1970) at which the first pending job of an execution falls due by itself.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn next_due(&mut self, execution: ExecutionId) -> Result<Option<i64>, StoreError> {
        let rows = self
            .query(
                r#"SELECT min("dueAt") AS "dueAt" FROM "jobs" WHERE "executionId" = ? AND "status" = 0"#,
                [execution.0.into()],
            )
            .await?;
        rows.first().map_or(Ok(None), |row| row.get("dueAt"))
    }
}

impl Tx {
    /// Answers the id of a job that is to be stored in this transaction, for rows that belong to it.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn reserve_job_id(&mut self) -> Result<JobId, StoreError> {
        self.next_id().await.map(JobId)
    }

    /// Stores a job.
    ///
    /// # Errors
    ///
    /// Database errors; [`StoreError::Invalid`] if the execution is gone.
    pub async fn create_job(&mut self, job: NewJob) -> Result<Job, StoreError> {
        let id = match job.id {
            Some(id) => id,
            None => self.reserve_job_id().await?,
        };
        let now = self.moment();
        let started = moment::from_millis(job.started_at_ms).unwrap_or_else(|| now.clone());
        self.run(
            r#"INSERT INTO "jobs" ("id", "executionId", "nodeId", "nodeKey", "upstreamId", "status", "result", "meta",
                                   "startedAt", "createdAt", "updatedAt", "dueAt")
               VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"#,
            [
                id.0.into(),
                job.execution_id.0.into(),
                job.node_id.0.into(),
                job.node_key.as_str().into(),
                job.upstream_id.map(|id| id.0).into(),
                job.status.code().into(),
                column(&job.result),
                column(&job.meta),
                started.as_str().into(),
                now.as_str().into(),
                now.as_str().into(),
                job.due_at_ms.into(),
            ],
        )
        .await?;
        self.note(Change::Job(JobChange {
            id,
            execution_id: job.execution_id,
            node_id: job.node_id,
            node_key: job.node_key.clone(),
            status: job.status,
            started_at: Some(started),
            at: now,
        }));
        Ok(Job {
            id,
            execution_id: job.execution_id,
            node_id: job.node_id,
            node_key: job.node_key,
            upstream_id: job.upstream_id,
            status: job.status,
            result: job.result,
            meta: job.meta,
            due_at_ms: job.due_at_ms,
            returns_to: None,
        })
    }

    /// Reads a job that nobody else changes before the transaction ends. An execution is held before its jobs.
    async fn held_job(&mut self, id: JobId) -> Result<Option<Job>, StoreError> {
        let Some(job) = self.job(id).await? else { return Ok(None) };
        self.execution_status(job.execution_id).await?;
        self.job(id).await
    }

    /// Notes that a job sends its execution back to the node of an earlier one.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn set_returns_to(&mut self, id: JobId, to: JobId) -> Result<(), StoreError> {
        self.run(r#"UPDATE "jobs" SET "returnsTo" = ? WHERE "id" = ?"#, [to.0.into(), id.0.into()]).await.map(drop)
    }

    /// Ends a pending job; illegal moves are errors.
    ///
    /// # Errors
    ///
    /// [`StoreError::IllegalMove`], [`StoreError::NotFound`].
    pub async fn finish_job(&mut self, id: JobId, status: JobStatus, result: Value) -> Result<Job, StoreError> {
        let Some(job) = self.held_job(id).await? else { return Err(StoreError::NotFound { what: "job".into() }) };
        let status = job.status.to(status)?;
        let now = self.moment();
        let rows = self
            .query(
                r#"UPDATE "jobs" SET "status" = ?, "result" = ?, "updatedAt" = ? WHERE "id" = ?
                   RETURNING "id", "executionId", "nodeId", "nodeKey", "startedAt""#,
                [status.code().into(), column(&result), now.as_str().into(), id.0.into()],
            )
            .await?;
        self.note_jobs(&rows, status, &now)?;
        self.close_approval_of_job(id).await?;
        self.close_tasks_of_job(id).await?;
        Ok(Job { status, result, ..job })
    }

    /// Ends every pending job of an execution, when the execution ends from outside, and the executions that they wait for.
    /// Answers the workflow versions that have work now because of it.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn abort_jobs(&mut self, execution: ExecutionId) -> Result<Vec<WorkflowId>, StoreError> {
        let ended = self.end_pending_jobs(execution).await?;
        self.abort_children(ended).await
    }

    /// [`Self::abort_jobs`] for this execution alone. Answers the jobs.
    pub(crate) async fn end_pending_jobs(&mut self, execution: ExecutionId) -> Result<Vec<JobId>, StoreError> {
        let aborted = JobStatus::Pending.to(JobStatus::Aborted)?;
        let now = self.moment();
        let rows = self
            .query(
                r#"UPDATE "jobs" SET "status" = ?, "updatedAt" = ? WHERE "executionId" = ? AND "status" = 0
                   RETURNING "id", "executionId", "nodeId", "nodeKey", "startedAt""#,
                [aborted.code().into(), now.as_str().into(), execution.0.into()],
            )
            .await?;
        self.note_jobs(&rows, aborted, &now)?;
        self.close_approvals(execution).await?;
        self.close_tasks(execution).await?;
        rows.iter().map(|row| row.get("id").map(JobId)).collect()
    }

    fn note_jobs(&mut self, rows: &[Row], status: JobStatus, now: &str) -> Result<(), StoreError> {
        for row in rows {
            self.note(Change::Job(JobChange::read(row, status, now)?));
        }
        Ok(())
    }
}

/// A result that is `null` is stored as `NULL`, like one that is not there.
fn column(result: &Value) -> sea_query::Value {
    (!result.is_null()).then(|| result.to_string()).into()
}
