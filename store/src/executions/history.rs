//! Deleting history: what is kept no longer, and what destroyed workflows leave behind. In small batches, so that nobody who
//! writes waits for long.

use serde_json::Value;

use crate::{
    db::{Conn, Row, Tx, each, listed},
    error::StoreError,
    id::{ExecutionId, WorkflowId},
    moment,
    status::ExecutionStatus,
};

/// A part of a workflow's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryPage {
    /// What is kept no longer.
    pub outdated: Vec<ExecutionId>,
    /// Where the next part begins; `None` behind the last one.
    pub next: Option<ExecutionId>,
}

macro_rules! that_forget {
    (sqlite) => {
        r#"SELECT "id", "options" FROM "workflows"
           WHERE json_type("options", '$.keepExecutionsForMs') = 'object' ORDER BY "id""#
    };
    (postgres) => {
        r#"SELECT "id", "options" FROM "workflows"
           WHERE json_typeof("options"::json -> 'keepExecutionsForMs') = 'object' ORDER BY "id""#
    };
}

macro_rules! delete_ended {
    ($database:ident) => {
        concat!(
            r#"DELETE FROM "executions" WHERE "id" IN "#,
            listed!($database),
            r#" AND "status" IS NOT NULL AND "status" <> 0 AND "deadLetter" IS NULL"#
        )
    };
}

impl Conn {
    /// The workflow versions that keep some of their executions for a time only, with their options.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn workflows_that_forget(&mut self) -> Result<Vec<(WorkflowId, Value)>, StoreError> {
        let rows = self.query(each!(that_forget), []).await?;
        rows.iter().map(|row| Ok((WorkflowId(row.get("id")?), row.json("options")?))).collect()
    }

    /// Looks through the next `limit` executions of a workflow version behind one for those that ended before the moments
    /// given for their states (milliseconds since 1970). Dead letters are kept.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn history(
        &mut self,
        workflow: WorkflowId,
        behind: ExecutionId,
        ended_before_ms: &[(ExecutionStatus, i64)],
        limit: u32,
    ) -> Result<HistoryPage, StoreError> {
        let rows = self
            .query(
                r#"SELECT "id", "status", "updatedAt", "deadLetter" FROM "executions"
                   WHERE "workflowId" = ? AND "id" > ? ORDER BY "id" LIMIT ?"#,
                [workflow.0.into(), behind.0.into(), i64::from(limit).into()],
            )
            .await?;
        let mut page = HistoryPage { outdated: Vec::new(), next: None };
        for row in &rows {
            let id = ExecutionId(row.get("id")?);
            page.next = Some(id);
            let status: Option<i64> = row.get("status")?;
            let before = ended_before_ms.iter().find(|(listed, _)| listed.is_final() && listed.code() == status);
            let ended = moment::to_millis(&row.get::<String>("updatedAt")?);
            let outdated = before.zip(ended).is_some_and(|((_, before_ms), ended_ms)| ended_ms < *before_ms);
            if outdated && !row.get::<Option<bool>>("deadLetter")?.unwrap_or(false) {
                page.outdated.push(id);
            }
        }
        if rows.len() < limit as usize {
            page.next = None;
        }
        Ok(page)
    }

    /// Workflow versions that are gone and have left executions behind.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn workflow_remains(&mut self) -> Result<Vec<WorkflowId>, StoreError> {
        let rows = self.query(r#"SELECT "workflowId" FROM "workflowRemains" ORDER BY 1"#, []).await?;
        rows.iter().map(|row| row.get("workflowId").map(WorkflowId)).collect()
    }
}

impl Tx {
    /// Deletes ended executions with their jobs; what has not ended stays. Answers how many are gone.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn delete_ended(&mut self, ids: &[ExecutionId]) -> Result<u64, StoreError> {
        let ids: Value = ids.iter().map(|id| id.0).collect();
        self.run(each!(delete_ended), [ids.to_string().into()]).await
    }

    /// Deletes at most `limit` executions that a workflow version has left behind; jobs of other executions do not wait for them
    /// any longer. Says whether there may be more.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn delete_remains(&mut self, workflow: WorkflowId, limit: u32) -> Result<bool, StoreError> {
        let rows = self
            .query_held(
                r#"SELECT "id" FROM "executions" WHERE "workflowId" = ? ORDER BY "id" LIMIT ?"#,
                [workflow.0.into(), i64::from(limit).into()],
            )
            .await?;
        self.remove_executions(&ids(&rows)?).await?;
        let more = rows.len() >= limit as usize;
        if !more {
            self.run(r#"DELETE FROM "workflowRemains" WHERE "workflowId" = ?"#, [workflow.0.into()]).await?;
        }
        Ok(more)
    }

    /// Deletes the executions of a workflow version: a batch and what runs at once, the rest, which cannot be claimed any
    /// more, later.
    pub(crate) async fn leave_behind(&mut self, workflow: WorkflowId) -> Result<(), StoreError> {
        let running = self
            .query_held(
                r#"SELECT "id" FROM "executions" WHERE "workflowId" = ? AND "status" = 0
                     AND ("claimedBy" IS NOT NULL OR "ready" = 1) ORDER BY "id""#,
                [workflow.0.into()],
            )
            .await?;
        self.remove_executions(&ids(&running)?).await?;
        self.run(
            r#"INSERT INTO "workflowRemains" ("workflowId") VALUES (?) ON CONFLICT DO NOTHING"#,
            [workflow.0.into()],
        )
        .await?;
        self.delete_remains(workflow, EXECUTIONS_PER_BATCH).await.map(drop)
    }
}

fn ids(rows: &[Row]) -> Result<Vec<ExecutionId>, StoreError> {
    rows.iter().map(|row| row.get("id").map(ExecutionId)).collect()
}

/// Executions that are deleted in one transaction: with their jobs, some milliseconds of work.
pub const EXECUTIONS_PER_BATCH: u32 = 500;
