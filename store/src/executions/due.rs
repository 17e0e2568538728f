//! What a dispatcher looks for: work that is queued, due, to be gone on with, or out of time. The cost of each question grows
//! with what there is to do, not with the history.

use crate::{
    db::{Conn, Tx, each},
    error::StoreError,
    executions::ClaimedBy,
    id::{ExecutionId, WorkflowId},
    moment,
};

macro_rules! queue_due {
    (sqlite) => {
        queue_due!("")
    };
    (postgres) => {
        queue_due!(" FOR NO KEY UPDATE SKIP LOCKED")
    };
    ($rivals:literal) => {
        concat!(
            r#"UPDATE "executions" SET "notBefore" = NULL
               WHERE "id" IN (SELECT "id" FROM "executions"
                              WHERE "status" IS NULL AND "notBefore" IS NOT NULL AND "notBefore" <= ?
                              ORDER BY "notBefore" LIMIT ?"#,
            $rivals,
            r#")
               RETURNING "id", "workflowId", "concurrencyKey" IS NOT NULL AS "keyed""#
        )
    };
}

impl Conn {
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

    /// The execution of a workflow that is to be claimed next.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn next_queued(&mut self, workflow: WorkflowId) -> Result<Option<ExecutionId>, StoreError> {
        let rows = self
            .query(
                r#"SELECT "id" FROM "executions"
                   WHERE "workflowId" = ? AND "status" IS NULL AND "claimedBy" IS NULL AND "waitsFor" IS NULL
                     AND "notBefore" IS NULL AND "heldBack" IS NULL
                   ORDER BY "id" LIMIT 1"#,
                [workflow.0.into()],
            )
            .await?;
        rows.first().map(|row| row.get("id").map(ExecutionId)).transpose()
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

    /// The started executions that nobody holds and whose time is over, at most `limit`, with the earliest moment
    /// (milliseconds since 1970) at which the time of a further one is.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn expired_executions(
        &mut self,
        now_ms: i64,
        limit: u32,
    ) -> Result<(Vec<ExecutionId>, Option<i64>), StoreError> {
        let rows = self
            .query(
                r#"SELECT "id" FROM "executions" WHERE "status" = 0 AND "expiresAt" IS NOT NULL AND "expiresAt" <= ?
                     AND "claimedBy" IS NULL ORDER BY "expiresAt" LIMIT ?"#,
                [moment::from_millis(now_ms).into(), i64::from(limit).into()],
            )
            .await?;
        let later = self
            .query(
                r#"SELECT min("expiresAt") AS "next" FROM "executions"
                   WHERE "status" = 0 AND "expiresAt" IS NOT NULL AND "expiresAt" > ?"#,
                [moment::from_millis(now_ms).into()],
            )
            .await?;
        let ids = rows.iter().map(|row| row.get("id").map(ExecutionId)).collect::<Result<_, _>>()?;
        let next: Option<String> = later.first().map_or(Ok(None), |row| row.get("next"))?;
        Ok((ids, next.as_deref().and_then(moment::to_millis)))
    }

    /// The earliest moment (milliseconds since 1970) before which a queued execution is not to begin.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn next_not_before(&mut self) -> Result<Option<i64>, StoreError> {
        let rows = self
            .query(
                r#"SELECT min("notBefore") AS "next" FROM "executions"
                   WHERE "status" IS NULL AND "notBefore" IS NOT NULL"#,
                [],
            )
            .await?;
        let next: Option<String> = rows.first().map_or(Ok(None), |row| row.get("next"))?;
        Ok(next.as_deref().and_then(moment::to_millis))
    }
}

impl Tx {
    /// Lets the executions begin that were not to begin before this moment (milliseconds since 1970), at most `limit`.
    /// Answers their workflow versions.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn queue_due(&mut self, now_ms: i64, limit: u32) -> Result<Vec<WorkflowId>, StoreError> {
        let rows = self.query(each!(queue_due), [moment::from_millis(now_ms).into(), i64::from(limit).into()]).await?;
        let mut workflows = Vec::with_capacity(rows.len());
        for row in &rows {
            if row.get("keyed")? {
                self.hold_back(ExecutionId(row.get("id")?)).await?;
            }
            workflows.push(WorkflowId(row.get("workflowId")?));
        }
        workflows.sort_unstable();
        workflows.dedup();
        Ok(workflows)
    }
}
