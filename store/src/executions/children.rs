//! Executions that jobs of others wait for. A child does not outlive the job that waits for it, and no job waits for a child that
//! is gone: both are seen to in the transaction that ends or deletes one of the two.

use serde_json::{Value, json};

use super::ExecutionFinish;
use crate::{
    db::{Tx, each, listed},
    error::StoreError,
    id::{ExecutionId, JobId, WorkflowId},
    status::ExecutionStatus,
};

/// Why a child is aborted.
const REASON: &str = "parent_ended";

macro_rules! waiting_jobs {
    ($database:ident) => {
        concat!(
            r#"SELECT "jobs"."id" FROM "executions" JOIN "jobs" ON "jobs"."executionId" = "executions"."id"
               WHERE "executions"."status" = 0 AND "jobs"."status" = 0 AND "executions"."id" IN "#,
            listed!($database)
        )
    };
}

macro_rules! remove {
    ($database:ident) => {
        concat!(
            r#"DELETE FROM "executions" WHERE "id" IN "#,
            listed!($database),
            r#" RETURNING "id", "parentJobId", coalesce("status", 0) = 0 AS "open""#
        )
    };
}

impl Tx {
    /// Aborts the executions that these jobs, which have ended otherwise or are gone, have waited for: with reason
    /// `parent_ended`, with the jobs that they wait for, and the executions that those wait for in turn. None of them is run
    /// again. Answers the workflow versions that have work now because of it.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn abort_children(&mut self, jobs: Vec<JobId>) -> Result<Vec<WorkflowId>, StoreError> {
        let (mut woken, mut ended) = (Vec::new(), jobs);
        while let Some(job) = ended.pop() {
            for child in self.open_children(job).await? {
                ended.extend(self.end_pending_jobs(child).await?);
                let finish =
                    ExecutionFinish { status: ExecutionStatus::Aborted, reason: Some(REASON.to_owned()), output: None };
                woken.extend(self.finish(child, finish).await?);
            }
        }
        Ok(woken)
    }

    /// The executions that have not ended and that a job waits for.
    async fn open_children(&mut self, job: JobId) -> Result<Vec<ExecutionId>, StoreError> {
        let rows = self
            .query_held(
                r#"SELECT "id" FROM "executions"
                   WHERE "parentJobId" = ? AND "parentJobId" IS NOT NULL AND coalesce("status", 0) = 0 ORDER BY "id""#,
                [job.0.into()],
            )
            .await?;
        rows.iter().map(|row| row.get("id").map(ExecutionId)).collect()
    }

    /// Deletes executions that are held, ended or not, with their jobs. Jobs that wait for one of them fall due; what one of them waits for is
    /// aborted.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub(super) async fn remove_executions(&mut self, ids: &[ExecutionId]) -> Result<(), StoreError> {
        let ids = ids.iter().map(|id| id.0).collect::<Value>().to_string();
        let waiting = self.query(each!(waiting_jobs), [ids.as_str().into()]).await?;
        let removed = self.query(each!(remove), [ids.as_str().into()]).await?;
        for row in &removed {
            if let (Some(parent), true) = (row.get::<Option<i64>>("parentJobId")?, row.get("open")?) {
                self.tell_parent(JobId(parent), ExecutionId(row.get("id")?), None, None).await?;
            }
        }
        let waiting = waiting.iter().map(|row| row.get("id").map(JobId)).collect::<Result<_, _>>()?;
        // Whose workflows have work now is found by the next sweep.
        self.abort_children(waiting).await.map(drop)
    }

    /// Lets the job that waits for an execution fall due, with how that one ended; without a state it is gone.
    pub(super) async fn tell_parent(
        &mut self,
        parent: JobId,
        child: ExecutionId,
        status: Option<ExecutionStatus>,
        output: Option<Value>,
    ) -> Result<(), StoreError> {
        let rows = self.query(r#"SELECT "executionId" FROM "jobs" WHERE "id" = ?"#, [parent.0.into()]).await?;
        let Some(row) = rows.first() else { return Ok(()) };
        // An execution is held before its jobs.
        self.execution_status(ExecutionId(row.get("executionId")?)).await?;
        let status = status.and_then(ExecutionStatus::code);
        let result = json!({"execution": child.0, "status": status, "output": output});
        let now = self.clock_ms();
        let rows = self
            .query(
                r#"UPDATE "jobs" SET "result" = ?, "dueAt" = ? WHERE "id" = ? AND "status" = 0 RETURNING "executionId""#,
                [result.to_string().into(), now.into(), parent.0.into()],
            )
            .await?;
        match rows.first() {
            Some(row) => self.set_ready(ExecutionId(row.get("executionId")?)).await,
            None => Ok(()),
        }
    }
}
