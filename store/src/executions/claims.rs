//! Claims: an execution is run by one process at a time, and no more of a workflow at once than its options say.

use super::{ClaimedBy, Execution};
use crate::{
    db::{Dialect, Tx, each},
    error::StoreError,
    id::{ExecutionId, WorkflowId},
};

/// When an execution that begins at the bound moment is to be aborted.
macro_rules! expires_at {
    (sqlite) => {
        r#"(SELECT strftime('%Y-%m-%dT%H:%M:%fZ', ?, '+' || (json_extract("options", '$.timeout') / 1000.0) || ' seconds')
            FROM "workflows" WHERE "workflows"."id" = "executions"."workflowId"
              AND json_type("options", '$.timeout') = 'integer' AND json_extract("options", '$.timeout') > 0)"#
    };
    (postgres) => {
        r#"(SELECT to_char((?::timestamptz + (("options"::json ->> 'timeout') || ' milliseconds')::interval)
                             AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
            FROM "workflows" WHERE "workflows"."id" = "executions"."workflowId"
              AND ("options"::json ->> 'timeout') ~ '^0*[1-9][0-9]*$' AND json_typeof("options"::json -> 'timeout') = 'number')"#
    };
}

/// How many executions of a workflow may run at once; those with keys hold each other back instead.
macro_rules! concurrency {
    (sqlite) => {
        r#"coalesce((SELECT CASE WHEN json_type("options", '$.concurrencyKey') = 'text' THEN 1000
                                 ELSE json_extract("options", '$.concurrency') END
                     FROM "workflows" WHERE "workflows"."id" = "executions"."workflowId"), 1)"#
    };
    (postgres) => {
        r#"coalesce((SELECT CASE WHEN json_typeof("options"::json -> 'concurrencyKey') = 'string' THEN 1000
                                 ELSE ("options"::json ->> 'concurrency')::bigint END
                     FROM "workflows" WHERE "workflows"."id" = "executions"."workflowId"), 1)"#
    };
}

/// The execution that is to be claimed next; bound is the workflow.
macro_rules! first_in_queue {
    (sqlite) => {
        first_in_queue!(by r#""id""#)
    };
    // One that somebody else is about to change is not waited for, and not passed by either.
    (postgres) => {
        concat!(
            r#"(SELECT "id" FROM "executions"
                WHERE "status" IS NULL AND "claimedBy" IS NULL AND "id" = "#,
            // Only the queue's own index has this order. By the primary key the server would read past all that was ever queued.
            first_in_queue!(by r#"("id" + 0)"#),
            r#" FOR NO KEY UPDATE SKIP LOCKED)"#
        )
    };
    (by $order:literal) => {
        concat!(
            r#"(SELECT "id" FROM "executions"
                WHERE "workflowId" = ? AND "status" IS NULL AND "claimedBy" IS NULL
                  AND "waitsFor" IS NULL AND "notBefore" IS NULL AND "heldBack" IS NULL
                ORDER BY "#,
            $order,
            r#" LIMIT 1)"#
        )
    };
}

macro_rules! claim_next {
    ($database:ident) => {
        concat!(
            r#"UPDATE "executions"
               SET "status" = 0, "dispatched" = 1, "claimedBy" = ?, "startedAt" = ?, "updatedAt" = ?, "expiresAt" = "#,
            expires_at!($database),
            r#" WHERE "id" = "#,
            first_in_queue!($database),
            r#" AND (SELECT count(*) FROM "executions" AS "running" WHERE "running"."workflowId" = ?
                       AND "running"."status" = 0
                       AND ("running"."claimedBy" IS NOT NULL OR "running"."ready" = 1)) < "#,
            concurrency!($database),
            r#" AND NOT EXISTS (SELECT 1 FROM "workflowRemains" AS "gone" WHERE "gone"."workflowId" = "executions"."workflowId")
               RETURNING "id", "workflowId", "status", "context", "stack", "manually", "eventKey", "expiresAt", "retryOf",
                 "key", "createdAt", "startedAt", "#,
            concurrency!($database),
            r#" AS "concurrency""#
        )
    };
}

macro_rules! claim {
    ($database:ident) => {
        concat!(
            r#"UPDATE "executions"
               SET "status" = 0, "dispatched" = 1, "claimedBy" = ?, "startedAt" = coalesce("startedAt", ?),
                   "updatedAt" = ?, "ready" = NULL, "heldBack" = NULL,
                   "expiresAt" = CASE WHEN "status" IS NULL THEN "#,
            expires_at!($database),
            r#" ELSE "expiresAt" END
               WHERE "id" = ? AND "waitsFor" IS NULL
                 AND (("status" IS NULL AND "claimedBy" = ?) OR ("status" = 0 AND "claimedBy" IS NULL))
                 AND NOT EXISTS (SELECT 1 FROM "workflowRemains" AS "gone" WHERE "gone"."workflowId" = "executions"."workflowId")
               RETURNING "id", "workflowId", "status", "context", "stack", "manually", "eventKey", "expiresAt", "retryOf",
                 "key", "createdAt", "startedAt""#
        )
    };
}

/// A claimed execution, and how many of its workflow may run at once.
#[derive(Debug, Clone, PartialEq)]
pub struct Claimed {
    /// The execution, started.
    pub execution: Execution,
    /// At least 1.
    pub concurrency: u32,
}

impl Claimed {
    fn read(row: &crate::db::Row) -> Result<Self, StoreError> {
        let concurrency = row.get::<Option<i64>>("concurrency")?.and_then(|number| u32::try_from(number).ok());
        Ok(Self { execution: Execution::read(row)?, concurrency: concurrency.unwrap_or(1).max(1) })
    }
}

impl Tx {
    /// Claims the oldest queued execution of a workflow and starts it, unless as many of it run as may at once: those that
    /// somebody holds, and those that are to be gone on with. One statement, whose cost depends neither on the length of the
    /// queue nor on the history.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn claim_next(&mut self, workflow: WorkflowId, by: &ClaimedBy) -> Result<Option<Claimed>, StoreError> {
        self.take_turns(workflow).await?;
        let now = self.moment();
        let rows = self
            .query(
                each!(claim_next),
                [
                    by.0.as_str().into(),
                    now.as_str().into(),
                    now.as_str().into(),
                    now.as_str().into(),
                    workflow.0.into(),
                    workflow.0.into(),
                ],
            )
            .await?;
        let Some(row) = rows.first() else { return Ok(None) };
        self.note_claim(row, &now)?;
        Claimed::read(row).map(Some)
    }

    /// Waits until nobody else claims executions of this workflow, so that all see the claims of the others.
    async fn take_turns(&mut self, workflow: WorkflowId) -> Result<(), StoreError> {
        match self.dialect() {
            Dialect::Sqlite | Dialect::Mysql => Ok(()),
            Dialect::Postgres if self.turn == Some(workflow) => Ok(()),
            Dialect::Postgres => {
                self.query("SELECT 1 FROM pg_advisory_xact_lock(?)", [workflow.0.into()]).await?;
                self.turn = Some(workflow);
                Ok(())
            }
        }
    }

    /// Starts a queued execution that `by` holds already, or takes up a started one again that nobody holds; `None` if
    /// somebody else has it, it has ended, or it is gone. How many others run does not matter.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn claim(&mut self, id: ExecutionId, by: &ClaimedBy) -> Result<Option<Execution>, StoreError> {
        let now = self.moment();
        let rows = self
            .query(
                each!(claim),
                [
                    by.0.as_str().into(),
                    now.as_str().into(),
                    now.as_str().into(),
                    now.as_str().into(),
                    id.0.into(),
                    by.0.as_str().into(),
                ],
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
                   RETURNING "ready", "workflowId", "concurrencyKey""#,
                [id.0.into()],
            )
            .await?;
        let Some(row) = rows.first() else { return Ok(false) };
        let ready = row.get::<Option<bool>>("ready")?.unwrap_or(false);
        if let (false, Some(key)) = (ready, row.get::<Option<String>>("concurrencyKey")?) {
            self.let_next(WorkflowId(row.get("workflowId")?), &key).await?;
        }
        Ok(ready)
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

#[cfg(test)]
mod tests {
    use test_database::{Database, TestDatabase};

    use crate::{Store, StoreError};

    /// What the planner makes of the claim with a history in front of the queue, when it was told last that all of it is queued.
    #[tokio::test]
    async fn a_claim_reads_the_queue_and_not_what_was_queued_before() -> Result<(), StoreError> {
        if !test_database::begin(Database::Postgres) {
            return Ok(());
        }
        let database = TestDatabase::new();
        let store = Store::open(database.url()).await?;
        database
            .execute(
                r#"INSERT INTO "executions" ("id", "workflowId", "key", "eventKey", "context", "createdAt", "updatedAt")
                   SELECT "id", 7, 'key', 'event', '{}', '', '' FROM generate_series(1, 20000) AS "id";
                   ANALYZE "executions";
                   UPDATE "executions" SET "status" = 1 WHERE "id" <= 19000"#,
            )
            .await;
        let explain = concat!("EXPLAIN ", claim_next!(postgres));
        let plan = store
            .write(move |tx| {
                Box::pin(async move {
                    let moment = "2026-01-01T00:00:00.000Z";
                    let values = ["me".into(), moment.into(), moment.into(), moment.into(), 7.into(), 7.into()];
                    let lines = tx.query(explain, values).await?;
                    lines.iter().map(|line| line.get::<String>("QUERY PLAN")).collect::<Result<Vec<_>, StoreError>>()
                })
            })
            .await?
            .join("\n");
        assert!(plan.contains(r#"Index Scan using "executions.queue""#), "{plan}");
        store.close().await;
        Ok(())
    }
}
