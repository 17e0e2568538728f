//! Executions that repeat others: retries, dead letters that are put back, runs from a node on.
//!
//! A repetition is a row of its own, with the context of what it repeats (`retryOf`), so that what happened can be read later.

use std::collections::{HashMap, HashSet};

use super::ending::Counts;
use crate::{
    changes::{Change, ExecutionChange, ExecutionStep},
    db::{Conn, Tx, each},
    error::StoreError,
    id::{ExecutionId, JobId, NodeId, WorkflowId},
    jobs::Job,
    moment,
    status::JobStatus,
};

/// What decides whether an execution is run again.
#[derive(Debug, Clone, PartialEq)]
pub struct Retryable {
    /// The options of its workflow.
    pub options: serde_json::Value,
    /// Which attempt it is, counted from 1.
    pub attempt: i64,
}

/// A new execution that repeats another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Repetition {
    /// The new execution.
    pub id: ExecutionId,
    /// Its workflow version.
    pub workflow_id: WorkflowId,
}

macro_rules! retryable {
    (sqlite) => {
        retryable!(r#"json_type("workflows"."options", '$.retry')"#)
    };
    (postgres) => {
        retryable!(r#"json_typeof("workflows"."options"::json -> 'retry')"#)
    };
    ($type:literal) => {
        concat!(
            r#"SELECT "workflows"."options", "executions"."attempt"
               FROM "executions" JOIN "workflows" ON "workflows"."id" = "executions"."workflowId"
               WHERE "executions"."id" = ? AND "#,
            $type,
            " = 'object'"
        )
    };
}

impl Conn {
    /// Reads what decides whether an execution is run again; `None` if its workflow never wants that.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn retryable(&mut self, id: ExecutionId) -> Result<Option<Retryable>, StoreError> {
        let rows = self.query(each!(retryable), [id.0.into()]).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        Ok(Some(Retryable { options: row.json("options")?, attempt: row.get("attempt")? }))
    }
}

impl Tx {
    /// Stores a new execution with the context of this one, queued, not to begin before a moment (milliseconds since 1970).
    ///
    /// # Errors
    ///
    /// [`StoreError::NotFound`] if the execution or its workflow is gone.
    pub async fn repeat(
        &mut self,
        id: ExecutionId,
        attempt: i64,
        not_before_ms: Option<i64>,
    ) -> Result<Repetition, StoreError> {
        // Whoever counts holds the workflow from here to the commit, so ids rise in the order of the commits.
        let rows = self.query(r#"SELECT "workflowId", "key" FROM "executions" WHERE "id" = ?"#, [id.0.into()]).await?;
        let mut counts = Counts::default();
        for row in &rows {
            counts.add(WorkflowId(row.get("workflowId")?), row.get("key")?);
        }
        self.count_executions(&counts, 1).await?;
        let (new, now) = (ExecutionId(self.next_id().await?), self.moment());
        let rows = self
            .query(
                r#"INSERT INTO "executions" ("id", "workflowId", "key", "eventKey", "context", "manually", "stack",
                     "parentExecutionId", "parentJobId", "concurrencyKey", "attempt", "retryOf", "notBefore", "createdAt", "updatedAt")
                   SELECT ?, "workflowId", "key", "eventKey", "context", "manually", "stack", "parentExecutionId",
                     "parentJobId", "concurrencyKey", ?, "id", ?, ?, ?
                   FROM "executions" WHERE "id" = ? AND EXISTS (SELECT 1 FROM "workflows" WHERE "workflows"."id" = "executions"."workflowId")
                   RETURNING "id", "workflowId", "key", "createdAt", "startedAt""#,
                [
                    new.0.into(),
                    attempt.into(),
                    not_before_ms.and_then(moment::from_millis).into(),
                    now.as_str().into(),
                    now.as_str().into(),
                    id.0.into(),
                ],
            )
            .await?;
        let Some(row) = rows.first() else { return Err(StoreError::NotFound { what: "execution".into() }) };
        // A job that waits for it waits for the repetition now.
        self.run(r#"UPDATE "executions" SET "parentJobId" = NULL WHERE "id" = ?"#, [id.0.into()]).await?;
        let queued = ExecutionChange::read(row, ExecutionStep::Repeated, &now)?;
        let workflow_id = queued.workflow_id;
        self.note(Change::Execution(queued));
        if not_before_ms.is_none() {
            self.hold_back(new).await?;
        }
        Ok(Repetition { id: new, workflow_id })
    }

    /// Keeps an execution as a dead letter.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn bury(&mut self, id: ExecutionId) -> Result<(), StoreError> {
        self.run(r#"UPDATE "executions" SET "deadLetter" = 1 WHERE "id" = ?"#, [id.0.into()]).await.map(drop)
    }

    /// Puts a dead letter back: stores its repetition, as a first attempt. It is no dead letter from then on.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotFound`]; [`StoreError::Invalid`] (`NO_DEAD_LETTER`) for other executions.
    pub async fn redrive(&mut self, id: ExecutionId) -> Result<Repetition, StoreError> {
        let dug_out = self
            .run(r#"UPDATE "executions" SET "deadLetter" = NULL WHERE "id" = ? AND "deadLetter" = 1"#, [id.0.into()])
            .await?;
        if dug_out == 0 {
            return Err(match self.execution_status(id).await? {
                None => StoreError::NotFound { what: "execution".into() },
                Some(_) => StoreError::invalid("NO_DEAD_LETTER", "the execution is not a dead letter"),
            });
        }
        self.repeat(id, 1, None).await
    }

    /// Stores the repetition of an ended execution from a node on: it takes over the jobs that were done before that node.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotFound`]; [`StoreError::Invalid`] (`NOT_ENDED`, `NODE_NOT_REACHED`).
    pub async fn rerun(&mut self, id: ExecutionId, from: NodeId) -> Result<Repetition, StoreError> {
        let status = self.execution_status(id).await?;
        let status = status.ok_or_else(|| StoreError::NotFound { what: "execution".into() })?;
        if !status.is_final() {
            return Err(StoreError::invalid("NOT_ENDED", "the execution has not ended"));
        }
        let jobs = self.jobs(id).await?;
        let Some(reached) = jobs.iter().position(|job| job.node_id == from) else {
            return Err(StoreError::invalid("NODE_NOT_REACHED", "the execution has not reached this node"));
        };
        let repetition = self.repeat(id, 1, None).await?;
        let around = surrounding(&jobs, &jobs[reached]);
        let (mut copies, now) = (HashMap::new(), self.moment());
        for job in &jobs[..reached] {
            let pending = around.contains(&job.id);
            if !pending && job.status != JobStatus::Resolved {
                continue;
            }
            let copy = self.next_id().await?;
            let upstream: Option<i64> = job.upstream_id.and_then(|upstream| copies.get(&upstream).copied());
            self.run(
                r#"INSERT INTO "jobs" ("id", "executionId", "nodeId", "nodeKey", "upstreamId", "status", "result", "meta", "log",
                     "startedAt", "createdAt", "updatedAt")
                   SELECT ?, ?, "nodeId", "nodeKey", ?, CASE WHEN ? = 1 THEN 0 ELSE "status" END,
                     CASE WHEN ? = 0 THEN "result" END, "meta", "log", "startedAt", ?, ?
                   FROM "jobs" WHERE "id" = ?"#,
                [
                    copy.into(),
                    repetition.id.0.into(),
                    upstream.into(),
                    pending.into(),
                    pending.into(),
                    now.as_str().into(),
                    now.as_str().into(),
                    job.id.0.into(),
                ],
            )
            .await?;
            copies.insert(job.id, copy);
        }
        Ok(repetition)
    }
}

/// The jobs of the nodes around a job, which go on when it is repeated: those that the first job of a branch or round on the way
/// up hangs below.
fn surrounding(jobs: &[Job], from: &Job) -> HashSet<JobId> {
    let by_id: HashMap<JobId, &Job> = jobs.iter().map(|job| (job.id, job)).collect();
    let (mut around, mut below) = (HashSet::new(), from);
    while let Some(above) = below.upstream_id.and_then(|id| by_id.get(&id)) {
        if !below.meta.is_null() {
            around.insert(above.id);
        }
        below = above;
    }
    around
}
