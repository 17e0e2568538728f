//! The executions table, which is the queue: there is no other list of pending work.
//!
//! An execution is inserted in the transaction of the action that triggers it. It is claimed by one process at a time.
//! One that `waits_for` another cannot be claimed until that one is resolved, and disappears if that one ends otherwise:
//! so a failing synchronous workflow stops the rest of its chain, whatever happens to the process in between.

mod children;
mod claims;
mod concurrency;
mod due;
mod ending;
mod figures;
mod history;
mod leases;
mod repeat;

use sea_query::{Expr, Query};
use serde_json::Value;

use crate::{
    changes::{Change, ExecutionChange, ExecutionStep},
    db::{Conn, Row, Tx, each, listed},
    error::StoreError,
    id::{ExecutionId, JobId, WorkflowId},
    moment,
    status::ExecutionStatus,
};
pub use claims::Claimed;
use concurrency::concurrency_keys;
pub use concurrency::context_members;
use ending::Counts;
pub use figures::QueueFigures;
pub use history::{EXECUTIONS_PER_BATCH, HistoryPage};
pub use leases::{HandBack, Standing, Takeover};
pub use repeat::{Repetition, Retryable};

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
    /// Shared by all executions that one action started.
    pub event_key: String,
    /// When it is to be aborted, in milliseconds since 1970; known from its first processing on.
    pub expires_at_ms: Option<i64>,
    /// The execution that it repeats, whose first jobs it may have taken over.
    pub retry_of: Option<ExecutionId>,
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

impl NewExecution {
    /// Waits for any dispatcher, led to by nothing; set the public fields that matter.
    pub fn new(workflow_id: WorkflowId, key: String, context: Value, event_key: String) -> Self {
        Self {
            workflow_id,
            key,
            context,
            event_key,
            claimed_by: None,
            waits_for: None,
            stack: Vec::new(),
            parent_job: None,
            manually: false,
        }
    }
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

macro_rules! count_of_key {
    ($database:ident) => {
        concat!(
            r#"SELECT count(*) AS "count" FROM "executions" WHERE "id" IN "#,
            listed!($database),
            r#" AND "key" = ?"#
        )
    };
}

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
            event_key: row.get("eventKey")?,
            expires_at_ms: row.get::<Option<String>>("expiresAt")?.as_deref().and_then(moment::to_millis),
            retry_of: row.get::<Option<i64>>("retryOf")?.map(ExecutionId),
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
                r#"SELECT "id", "workflowId", "status", "context", "stack", "manually", "eventKey", "expiresAt", "retryOf"
                   FROM "executions" WHERE "id" = ?"#,
                [id.0.into()],
            )
            .await?;
        rows.first().map(Execution::read).transpose()
    }

    /// Reads the state of an execution, which nobody else changes before the transaction ends; `None` if there is no such
    /// execution.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn execution_status(&mut self, id: ExecutionId) -> Result<Option<ExecutionStatus>, StoreError> {
        let rows = self.query_held(r#"SELECT "status" FROM "executions" WHERE "id" = ?"#, [id.0.into()]).await?;
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
        let rows = self.query(each!(count_of_key), [ids.to_string().into(), key.into()]).await?;
        let count: i64 = rows.first().map_or(Ok(0), |row| row.get("count"))?;
        Ok(count.unsigned_abs())
    }
}

impl Tx {
    /// Stores executions in the order given (their ids rise), and counts them in their workflows.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn enqueue(&mut self, executions: Vec<NewExecution>) -> Result<Vec<ExecutionId>, StoreError> {
        let now = self.moment();
        let mut counts = Counts::default();
        for execution in &executions {
            counts.add(execution.workflow_id, execution.key.clone());
        }
        // Whoever counts holds the workflows from here to the commit, so ids rise in the order of the commits.
        let keyed = self.count_executions(&counts, 1).await?;
        let mut ids: Vec<ExecutionId> = Vec::with_capacity(executions.len());
        for _ in &executions {
            ids.push(ExecutionId(self.next_id().await?));
        }
        let concurrency_keys = concurrency_keys(&ids, &executions, &keyed);
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
                key: execution.key,
                step: ExecutionStep::Queued,
                queued_at: now.clone(),
                started_at: None,
                at: now.clone(),
            }));
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
        self.take_keys(&concurrency_keys).await?;
        Ok(ids)
    }
}
