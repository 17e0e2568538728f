//! The executions table, which is the queue: there is no other list of pending work.
//!
//! An execution is inserted in the transaction of the action that triggers it. It is claimed by one process at a time.
//! One that `waits_for` another cannot be claimed until that one is resolved, and disappears if that one ends otherwise:
//! so a failing synchronous workflow stops the rest of its chain, whatever happens to the process in between.

mod concurrency;
mod ending;
mod figures;
mod leases;

use sea_query::{Expr, Query};
use serde_json::Value;

use crate::{
    changes::{Change, ExecutionChange, ExecutionStep},
    db::{Conn, Row, Tx},
    error::StoreError,
    id::{ExecutionId, JobId, WorkflowId},
    moment,
    status::ExecutionStatus,
};
pub use concurrency::context_members;
use ending::Counts;
pub use leases::{HandBack, Standing, Takeover};

pub use figures::QueueFigures;

/// Names the process that holds a claim; a new one at every start.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ClaimedBy(pub String);

/// An execution as the engine sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct Execution {
    /// The execution.
    pub id: ExecutionId,
    /// The workflow version it runs.
    pub workflow_id: WorkflowId,
    /// Its state.
    pub status: ExecutionStatus,
    /// The trigger's context: `data`, `user`, `roleName`.
    pub context: Value,
    /// The executions that led to this one, outermost first.
    pub stack: Vec<ExecutionId>,
    /// Whether a person started it by hand.
    pub manually: bool,
}

/// An execution to be stored.
#[derive(Debug, Clone, PartialEq)]
pub struct NewExecution {
    /// The workflow version to run.
    pub workflow_id: WorkflowId,
    /// Its key.
    pub key: String,
    /// The trigger's context.
    pub context: Value,
    /// One per action, shared by all executions it starts (a UUID).
    pub event_key: String,
    /// The process that will run it at once; `None` leaves it to any dispatcher.
    pub claimed_by: Option<ClaimedBy>,
    /// The synchronous execution that has to be resolved first.
    pub waits_for: Option<ExecutionId>,
    /// The executions that led to this one.
    pub stack: Vec<ExecutionId>,
    /// The job that is told of its end: it waits for it.
    pub parent_job: Option<JobId>,
    /// Whether a person started it by hand.
    pub manually: bool,
}

/// How an execution ends.
#[derive(Debug, Clone, PartialEq)]
pub struct ExecutionFinish {
    /// A final state.
    pub status: ExecutionStatus,
    /// Why, for `aborted` and the like: `manual_cancel`, `timeout`.
    pub reason: Option<String>,
    /// The workflow's output, if it has one.
    pub output: Option<Value>,
}

/// Rows per INSERT: each binds 14 values, and the database takes 32,766.
const ROWS_PER_INSERT: usize = 500;

impl Execution {
    fn read(row: &Row) -> Result<Self, StoreError> {
        let code = row.get("status")?;
        let stack = row.json("stack")?;
        Ok(Self {
            id: ExecutionId(row.get("id")?),
            workflow_id: WorkflowId(row.get("workflowId")?),
            status: ExecutionStatus::from_code(code)
                .ok_or_else(|| StoreError::Corrupt { what: format!("execution status {code:?}") })?,
            context: row.json("context")?,
            stack: stack.as_array().into_iter().flatten().filter_map(Value::as_i64).map(ExecutionId).collect(),
            manually: row.get::<Option<bool>>("manually")?.unwrap_or(false),
        })
    }
}

impl Conn {
    /// Reads one execution.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn execution(&mut self, id: ExecutionId) -> Result<Option<Execution>, StoreError> {
        let rows = self
            .query(
                r#"SELECT "id", "workflowId", "status", "context", "stack", "manually" FROM "executions" WHERE "id" = ?"#,
                [id.0.into()],
            )
            .await?;
        rows.first().map(Execution::read).transpose()
    }

    /// Reads the state of an execution; `None` if there is no such execution.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn execution_status(&mut self, id: ExecutionId) -> Result<Option<ExecutionStatus>, StoreError> {
        let rows = self.query(r#"SELECT "status" FROM "executions" WHERE "id" = ?"#, [id.0.into()]).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let code = row.get("status")?;
        match ExecutionStatus::from_code(code) {
            Some(status) => Ok(Some(status)),
            None => Err(StoreError::Corrupt { what: format!("execution status {code:?}") }),
        }
    }

    /// Counts the executions among these that run a version of the workflow with this key.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn executions_of_key(&mut self, among: &[ExecutionId], key: &str) -> Result<u64, StoreError> {
        let ids: Value = among.iter().map(|id| id.0).collect();
        let rows = self
            .query(
                r#"SELECT count(*) AS "count" FROM "executions"
                   WHERE "id" IN (SELECT "value" FROM json_each(?)) AND "key" = ?"#,
                [ids.to_string().into(), key.into()],
            )
            .await?;
        let count: i64 = rows.first().map_or(Ok(0), |row| row.get("count"))?;
        Ok(count.unsigned_abs())
    }

    /// The workflow versions that have executions a dispatcher may claim. Its cost grows with their number, not with the
    /// length of the queue.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn workflows_with_queued(&mut self) -> Result<Vec<WorkflowId>, StoreError> {
        let rows = self
            .query(
                r#"WITH RECURSIVE "busy" ("id") AS (
                     SELECT min("workflowId") FROM "executions"
                     WHERE "status" IS NULL AND "claimedBy" IS NULL AND "waitsFor" IS NULL
                       AND "notBefore" IS NULL AND "heldBack" IS NULL
                     UNION ALL
                     SELECT (SELECT min("workflowId") FROM "executions"
                             WHERE "status" IS NULL AND "claimedBy" IS NULL AND "waitsFor" IS NULL
                               AND "notBefore" IS NULL AND "heldBack" IS NULL AND "workflowId" > "busy"."id")
                     FROM "busy" WHERE "busy"."id" IS NOT NULL)
                   SELECT "id" FROM "busy" WHERE "id" IS NOT NULL"#,
                [],
            )
            .await?;
        rows.iter().map(|row| row.get("id").map(WorkflowId)).collect()
    }

    /// The queued executions that `by` holds and could run, but has not begun since `before_ms` (milliseconds since 1970):
    /// whoever was to run them has gone away. At most `limit`, oldest first.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn abandoned_executions(
        &mut self,
        by: &ClaimedBy,
        before_ms: i64,
        limit: u32,
    ) -> Result<Vec<ExecutionId>, StoreError> {
        let rows = self
            .query(
                r#"SELECT "id" FROM "executions"
                   WHERE "claimedBy" = ? AND "status" IS NULL AND "waitsFor" IS NULL AND "updatedAt" < ?
                   ORDER BY "id" LIMIT ?"#,
                [by.0.as_str().into(), moment::from_millis(before_ms).into(), i64::from(limit).into()],
            )
            .await?;
        rows.iter().map(|row| row.get("id").map(ExecutionId)).collect()
    }

    /// The unclaimed, started executions that have a job whose time has come, at most `limit`, with the earliest moment
    /// (milliseconds since 1970) at which a further job falls due.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn due_executions(
        &mut self,
        now_ms: i64,
        limit: u32,
    ) -> Result<(Vec<ExecutionId>, Option<i64>), StoreError> {
        let due = self
            .query(
                r#"SELECT "jobs"."executionId" AS "id", min("jobs"."dueAt") AS "dueAt"
                   FROM "jobs" JOIN "executions" ON "executions"."id" = "jobs"."executionId"
                   WHERE "jobs"."status" = 0 AND "jobs"."dueAt" <= ?
                     AND "executions"."status" = 0 AND "executions"."claimedBy" IS NULL
                   GROUP BY "jobs"."executionId" ORDER BY 2 LIMIT ?"#,
                [now_ms.into(), i64::from(limit).into()],
            )
            .await?;
        let later = self
            .query(
                r#"SELECT min("dueAt") AS "dueAt" FROM "jobs"
                   WHERE "status" = 0 AND "dueAt" IS NOT NULL AND "dueAt" > ?"#,
                [now_ms.into()],
            )
            .await?;
        let ids = due.iter().map(|row| row.get("id").map(ExecutionId)).collect::<Result<_, _>>()?;
        Ok((ids, later.first().map_or(Ok(None), |row| row.get("dueAt"))?))
    }
}

impl Conn {
    /// The started executions that nobody holds and that are to be gone on with, at most `limit`, oldest first.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn ready_executions(&mut self, limit: u32) -> Result<Vec<ExecutionId>, StoreError> {
        let rows = self
            .query(
                r#"SELECT "id" FROM "executions" WHERE "ready" = 1 AND "status" = 0 AND "claimedBy" IS NULL
                   ORDER BY "id" LIMIT ?"#,
                [i64::from(limit).into()],
            )
            .await?;
        rows.iter().map(|row| row.get("id").map(ExecutionId)).collect()
    }
}

impl Tx {
    /// Stores executions in the order given (their ids rise), and counts them in their workflows.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn enqueue(&mut self, executions: Vec<NewExecution>) -> Result<Vec<ExecutionId>, StoreError> {
        let now = moment::now();
        let mut counts = Counts::default();
        let ids: Vec<ExecutionId> = executions.iter().map(|_| ExecutionId(self.next_id())).collect();
        let mut rows: Vec<[sea_query::Value; 14]> = Vec::with_capacity(executions.len());
        for (id, execution) in ids.iter().zip(executions) {
            let stack: Value = execution.stack.iter().map(|id| id.0).collect();
            rows.push([
                id.0.into(),
                execution.workflow_id.0.into(),
                execution.key.as_str().into(),
                execution.event_key.into(),
                execution.context.to_string().into(),
                false.into(),
                execution.manually.then_some(true).into(),
                (!execution.stack.is_empty()).then(|| stack.to_string()).into(),
                execution.stack.last().map(|id| id.0).into(),
                execution.parent_job.map(|id| id.0).into(),
                execution.claimed_by.map(|by| by.0).into(),
                execution.waits_for.map(|id| id.0).into(),
                now.as_str().into(),
                now.as_str().into(),
            ]);
            self.note(Change::Execution(ExecutionChange {
                id: *id,
                workflow_id: execution.workflow_id,
                key: execution.key.clone(),
                step: ExecutionStep::Queued,
                queued_at: now.clone(),
                started_at: None,
                at: now.clone(),
            }));
            counts.add(execution.workflow_id, execution.key);
        }
        for chunk in rows.chunks(ROWS_PER_INSERT) {
            let mut insert = Query::insert();
            insert.into_table("executions").columns([
                "id",
                "workflowId",
                "key",
                "eventKey",
                "context",
                "dispatched",
                "manually",
                "stack",
                "parentExecutionId",
                "parentJobId",
                "claimedBy",
                "waitsFor",
                "createdAt",
                "updatedAt",
            ]);
            for row in chunk {
                insert.values_panic(row.iter().cloned().map(Expr::val));
            }
            self.execute(&insert).await?;
        }
        self.count_executions(&counts, 1).await?;
        Ok(ids)
    }

    /// Claims the oldest queued execution of a workflow and starts it.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn claim_next(&mut self, workflow: WorkflowId, by: &ClaimedBy) -> Result<Option<Execution>, StoreError> {
        let now = moment::now();
        let rows = self
            .query(
                r#"UPDATE "executions"
                   SET "status" = 0, "dispatched" = 1, "claimedBy" = ?, "startedAt" = ?, "updatedAt" = ?
                   WHERE "id" = (SELECT "id" FROM "executions"
                                 WHERE "workflowId" = ? AND "status" IS NULL AND "claimedBy" IS NULL
                                   AND "waitsFor" IS NULL AND "notBefore" IS NULL AND "heldBack" IS NULL
                                 ORDER BY "id" LIMIT 1)
                   RETURNING "id", "workflowId", "status", "context", "stack", "manually", "key", "createdAt", "startedAt""#,
                [by.0.as_str().into(), now.as_str().into(), now.as_str().into(), workflow.0.into()],
            )
            .await?;
        let Some(row) = rows.first() else { return Ok(None) };
        self.note_claim(row, &now)?;
        Execution::read(row).map(Some)
    }

    /// Starts a queued execution that `by` holds already, or takes up a waiting one again; `None` if somebody else has
    /// it, it has ended, or it is gone.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn claim(&mut self, id: ExecutionId, by: &ClaimedBy) -> Result<Option<Execution>, StoreError> {
        let now = moment::now();
        let rows = self
            .query(
                r#"UPDATE "executions"
                   SET "status" = 0, "dispatched" = 1, "claimedBy" = ?, "startedAt" = coalesce("startedAt", ?),
                       "updatedAt" = ?, "ready" = NULL
                   WHERE "id" = ? AND "waitsFor" IS NULL
                     AND (("status" IS NULL AND "claimedBy" = ?) OR ("status" = 0 AND "claimedBy" IS NULL))
                   RETURNING "id", "workflowId", "status", "context", "stack", "manually", "key", "createdAt", "startedAt""#,
                [by.0.as_str().into(), now.as_str().into(), now.as_str().into(), id.0.into(), by.0.as_str().into()],
            )
            .await?;
        let Some(row) = rows.first() else { return Ok(None) };
        self.note_claim(row, &now)?;
        Execution::read(row).map(Some)
    }

    /// Gives up the claim of an execution that waits for a job. Says whether it can go on already, because a job of it
    /// was ended meanwhile.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn release(&mut self, id: ExecutionId) -> Result<bool, StoreError> {
        let rows = self
            .query(
                r#"UPDATE "executions" SET "claimedBy" = NULL, "takeovers" = 0 WHERE "id" = ? AND "status" = 0
                   RETURNING "ready""#,
                [id.0.into()],
            )
            .await?;
        Ok(rows.first().map_or(Ok(None), |row| row.get("ready"))?.unwrap_or(false))
    }

    /// Leaves word that a started execution is to be gone on with, by whoever holds it or takes it up. Stays until it is
    /// claimed the next time.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn set_ready(&mut self, id: ExecutionId) -> Result<(), StoreError> {
        self.run(r#"UPDATE "executions" SET "ready" = 1 WHERE "id" = ? AND "status" = 0"#, [id.0.into()])
            .await
            .map(drop)
    }
}
