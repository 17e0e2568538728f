//! How executions end: what becomes of their chains, and how many there are of a workflow.

use std::collections::BTreeMap;

use serde_json::Value;

use super::ExecutionFinish;
use crate::{
    changes::{Change, ExecutionChange, ExecutionStep},
    db::{Row, Tx, each, ids, listed},
    error::StoreError,
    id::{ExecutionId, JobId, WorkflowId},
    status::ExecutionStatus,
};

/// The states, of the workflow's option, in which executions are not kept.
macro_rules! unkept {
    (sqlite) => {
        r#"EXISTS (SELECT 1 FROM "workflows", json_each("workflows"."options", '$.deleteExecutionOnStatus') AS "unkept"
                   WHERE "workflows"."id" = "executions"."workflowId"
                     AND "unkept"."value" = "executions"."status")"#
    };
    (postgres) => {
        r#"EXISTS (SELECT 1 FROM "workflows",
                     LATERAL json_array_elements_text(
                       CASE json_typeof("workflows"."options"::json -> 'deleteExecutionOnStatus')
                       WHEN 'array' THEN "workflows"."options"::json -> 'deleteExecutionOnStatus' ELSE '[]' END) AS "unkept" ("value")
                   WHERE "workflows"."id" = "executions"."workflowId"
                     AND "unkept"."value" = "executions"."status"::text)"#
    };
}

macro_rules! finish {
    ($database:ident) => {
        concat!(
            r#"UPDATE "executions"
               SET "status" = ?, "reason" = ?, "output" = ?, "claimedBy" = NULL, "waitsFor" = NULL,
                   "ready" = NULL, "notBefore" = NULL, "heldBack" = NULL, "updatedAt" = ?
               WHERE "id" = ? AND ("status" = 0 OR ? = 0)
               RETURNING "parentJobId", "id", "workflowId", "key", "createdAt", "startedAt", "concurrencyKey",
                         "deadLetter" IS NULL AND "#,
            unkept!($database),
            r#" AS "unkept",
                         EXISTS (SELECT 1 FROM "workflowTasks"
                                 WHERE "workflowTasks"."executionId" = "executions"."id"
                                   AND "workflowTasks"."status" = 0) AS "asks",
                         EXISTS (SELECT 1 FROM "executions" AS "next"
                                 WHERE "next"."waitsFor" = "executions"."id") AS "awaited""#
        )
    };
}

/// The variable of a workflow's concurrency key.
macro_rules! variable {
    (sqlite) => {
        r#"json_type("options", '$.concurrencyKey') = 'text' THEN json_extract("options", '$.concurrencyKey')"#
    };
    (postgres) => {
        r#"json_typeof("options"::json -> 'concurrencyKey') = 'string' THEN "options"::json ->> 'concurrencyKey'"#
    };
}

/// The versions of a workflow whose numbers change; bound is the key.
macro_rules! counted {
    (sqlite) => {
        r#""key" = ?3"#
    };
    // In order, as everybody takes them.
    (postgres) => {
        r#""id" = ANY (ARRAY(SELECT "id" FROM "workflows" WHERE "key" = ?3 ORDER BY "id" FOR NO KEY UPDATE))"#
    };
}

macro_rules! count {
    ($database:ident) => {
        concat!(
            r#"UPDATE "workflows"
               SET "allExecuted" = CASE WHEN "allExecuted" + ?1 > 0 THEN "allExecuted" + ?1 ELSE 0 END,
                   "executed" = CASE WHEN "id" <> ?2 THEN "executed" WHEN "executed" + ?1 > 0 THEN "executed" + ?1 ELSE 0 END
               WHERE "#,
            counted!($database),
            // Behind what others have stored who held them before.
            r#" RETURNING "#,
            ids!($database),
            r#" AS "ids", CASE WHEN "id" = ?2 AND "#,
            variable!($database),
            r#" END AS "variable""#
        )
    };
}

macro_rules! versions {
    ($database:ident) => {
        concat!(
            r#"SELECT "id" FROM "workflows"
               WHERE "key" IN (SELECT "key" FROM "workflows" WHERE "id" IN "#,
            listed!($database),
            r#") ORDER BY "id""#
        )
    };
}

impl Tx {
    /// Ends an execution; its chain goes on if it is resolved, and is deleted otherwise. An execution whose workflow says
    /// so (`deleteExecutionOnStatus`) is deleted with its jobs. Answers the workflow versions that have work now because
    /// of it.
    ///
    /// # Errors
    ///
    /// [`StoreError::IllegalMove`] if it has ended, or has not begun and is not aborted; [`StoreError::NotFound`].
    pub async fn finish(&mut self, id: ExecutionId, finish: ExecutionFinish) -> Result<Vec<WorkflowId>, StoreError> {
        let now = self.moment();
        // Nearly all that end have begun: asking each of them first would cost a statement.
        let mut rows = Vec::new();
        if ExecutionStatus::Started.to(finish.status).is_ok() {
            rows = self.end(id, &finish, true, &now).await?;
        }
        if rows.is_empty() {
            let Some(before) = self.execution_status(id).await? else {
                return Err(StoreError::NotFound { what: "execution".into() });
            };
            before.to(finish.status)?;
            rows = self.end(id, &finish, false, &now).await?;
        }
        let Some(row) = rows.first() else { return Ok(Vec::new()) };
        let status = finish.status;
        if let Some(parent) = row.get("parentJobId")? {
            self.tell_parent(JobId(parent), id, Some(status), finish.output).await?;
        }
        self.note(Change::Execution(ExecutionChange::read(row, ExecutionStep::Ended(status), &now)?));
        if row.get("asks")? {
            self.close_approvals(id).await?;
            self.close_tasks(id).await?;
        }
        let mut released = Vec::new();
        if row.get("awaited")? {
            match status {
                ExecutionStatus::Resolved => released = self.release_chain(id).await?,
                _ => self.drop_chain(id).await?,
            }
        }
        if let Some(key) = row.get::<Option<String>>("concurrencyKey")? {
            let workflow = WorkflowId(row.get("workflowId")?);
            if self.let_next(workflow, &key).await? {
                released.push(workflow);
            }
        }
        if row.get("unkept")? {
            self.run(r#"DELETE FROM "executions" WHERE "id" = ?"#, [id.0.into()]).await?;
        }
        Ok(released)
    }

    /// Writes the end of an execution, and if `only_begun`, only of one that has begun.
    async fn end(
        &mut self,
        id: ExecutionId,
        finish: &ExecutionFinish,
        only_begun: bool,
        now: &str,
    ) -> Result<Vec<Row>, StoreError> {
        self.query(
            each!(finish),
            [
                finish.status.code().into(),
                finish.reason.clone().into(),
                finish.output.as_ref().map(Value::to_string).into(),
                now.into(),
                id.0.into(),
                only_begun.into(),
            ],
        )
        .await
    }

    async fn release_chain(&mut self, id: ExecutionId) -> Result<Vec<WorkflowId>, StoreError> {
        let now = self.moment();
        let rows = self
            .query(
                r#"UPDATE "executions" SET "waitsFor" = NULL, "updatedAt" = ? WHERE "waitsFor" = ?
                   RETURNING "workflowId", "claimedBy" IS NULL AS "free""#,
                [now.into(), id.0.into()],
            )
            .await?;
        let mut workflows = Vec::new();
        for row in &rows {
            if row.get::<bool>("free")? {
                workflows.push(WorkflowId(row.get("workflowId")?));
            }
        }
        workflows.sort_unstable();
        workflows.dedup();
        Ok(workflows)
    }

    /// Deletes the queued executions that wait for this one: the chain of a synchronous execution that is left waiting.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn drop_chain(&mut self, id: ExecutionId) -> Result<(), StoreError> {
        let rows = self
            .query(
                r#"WITH RECURSIVE "chain" ("id") AS (
                     SELECT "id" FROM "executions" WHERE "waitsFor" = ?
                     UNION
                     SELECT "executions"."id" FROM "executions" JOIN "chain" ON "executions"."waitsFor" = "chain"."id")
                   DELETE FROM "executions" WHERE "id" IN (SELECT "id" FROM "chain") AND "status" IS NULL
                   RETURNING "id", "workflowId", "key", "createdAt", "startedAt", "concurrencyKey""#,
                [id.0.into()],
            )
            .await?;
        let now = self.moment();
        let mut counts = Counts::default();
        for row in &rows {
            let dropped = ExecutionChange::read(row, ExecutionStep::Dropped, &now)?;
            counts.add(dropped.workflow_id, dropped.key.clone());
            self.note(Change::Execution(dropped));
        }
        self.count_executions(&counts, -1).await?;
        for row in &rows {
            if let Some(key) = row.get::<Option<String>>("concurrencyKey")? {
                self.let_next(WorkflowId(row.get("workflowId")?), &key).await?;
            }
        }
        Ok(())
    }

    /// Adds executions to the numbers in their workflows, or takes them off. Answers the versions among these that have a
    /// concurrency key, with its variable.
    pub(super) async fn count_executions(
        &mut self,
        counts: &Counts,
        sign: i64,
    ) -> Result<Vec<(WorkflowId, String)>, StoreError> {
        if counts.0.is_empty() {
            return Ok(Vec::new());
        }
        if self.has_rivals() && counts.are_of_several_keys() {
            // All at once and in order, so that transactions do not wait for each other in circles.
            let ids: Value = counts.0.keys().map(|(workflow, _)| workflow.0).collect();
            self.query_held(each!(versions), [ids.to_string().into()]).await?;
        }
        // What was held since is behind what others have stored.
        self.renew_ids();
        let mut keyed = Vec::new();
        for ((workflow, key), count) in &counts.0 {
            let rows =
                self.query(each!(count), [(sign * count).into(), workflow.0.into(), key.as_str().into()]).await?;
            for row in &rows {
                self.bring_ids(row)?;
                if let Some(variable) = row.get::<Option<String>>("variable")? {
                    keyed.push((*workflow, variable));
                }
            }
        }
        Ok(keyed)
    }
}

/// Executions by workflow version and key.
#[derive(Default)]
pub(super) struct Counts(BTreeMap<(WorkflowId, String), i64>);

impl Counts {
    pub(super) fn add(&mut self, workflow: WorkflowId, key: String) {
        *self.0.entry((workflow, key)).or_default() += 1;
    }

    fn are_of_several_keys(&self) -> bool {
        let mut keys = self.0.keys().map(|(_, key)| key);
        keys.next().is_some_and(|first| keys.any(|key| key != first))
    }
}
