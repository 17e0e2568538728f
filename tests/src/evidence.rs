//! What the database holds after a run.

use std::{collections::BTreeMap, path::Path};

use anyhow::Result;
use sqlx::{ConnectOptions as _, Row as _, SqliteConnection, sqlite::SqliteConnectOptions};

/// An execution that was stored.
#[derive(Debug, Clone)]
pub(crate) struct Execution {
    pub(crate) id: i64,
    pub(crate) workflow: i64,
    pub(crate) mark: String,
    /// `None` while queued.
    pub(crate) status: Option<i64>,
    /// Why it was ended from outside.
    pub(crate) reason: Option<String>,
    pub(crate) jobs: Jobs,
}

/// The jobs of an execution.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Jobs {
    pub(crate) stored: usize,
    /// Different nodes among them.
    pub(crate) nodes: usize,
    pub(crate) pending: usize,
}

/// Everything the verdict looks at.
#[derive(Debug, Default)]
pub(crate) struct Evidence {
    pub(crate) executions: Vec<Execution>,
    /// How often a step was logged, by mark and step.
    pub(crate) steps: BTreeMap<(String, String), usize>,
}

const EXECUTIONS: &str = r#"SELECT "id", "workflowId", "context" ->> '$.data.mark' AS "mark", "status", "reason",
    (SELECT count(*) FROM "jobs" WHERE "executionId" = "executions"."id") AS "stored",
    (SELECT count(DISTINCT "nodeId") FROM "jobs" WHERE "executionId" = "executions"."id") AS "nodes",
    (SELECT count(*) FROM "jobs" WHERE "executionId" = "executions"."id" AND "status" = 0) AS "pending"
    FROM "executions" ORDER BY "id""#;
const STEPS: &str = r#"SELECT "mark", "step", count(*) AS "count" FROM "logs" GROUP BY "mark", "step""#;
const UNFINISHED: &str = r#"SELECT count(*) FROM "executions" WHERE "status" IS NULL OR "status" = 0"#;
const STORED: &str = r#"SELECT coalesce(sum("executed"), 0) FROM "workflows""#;
/// Those that wait for another one are left out: they go with it if it ends badly.
const OPEN: &str = r#"SELECT "id" FROM "executions" WHERE "workflowId" = ? AND ("status" IS NULL OR "status" = 0)
    AND "waitsFor" IS NULL ORDER BY "id" LIMIT ?"#;

/// A connection to a server's database that changes nothing.
pub(crate) struct Reader(SqliteConnection);

impl Reader {
    pub(crate) async fn open(database: &Path) -> Result<Self> {
        let options = SqliteConnectOptions::new().filename(database).disable_statement_logging();
        let mut connection = options.connect().await?;
        sqlx::query("PRAGMA query_only = ON").execute(&mut connection).await?;
        Ok(Self(connection))
    }

    /// Counts the executions that have not ended.
    pub(crate) async fn unfinished(&mut self) -> Result<i64> {
        Ok(sqlx::query_scalar(UNFINISHED).fetch_one(&mut self.0).await?)
    }

    /// Counts all executions that there have ever been.
    pub(crate) async fn stored(&mut self) -> Result<i64> {
        Ok(sqlx::query_scalar(STORED).fetch_one(&mut self.0).await?)
    }

    /// The ids of executions of a workflow that have not ended, oldest first, so many at most.
    pub(crate) async fn open_executions(&mut self, workflow: i64, limit: usize) -> Result<Vec<i64>> {
        let ids = sqlx::query_scalar(OPEN).bind(workflow).bind(i64::try_from(limit)?);
        Ok(ids.fetch_all(&mut self.0).await?)
    }

    pub(crate) async fn evidence(&mut self) -> Result<Evidence> {
        let mut evidence = Evidence::default();
        let count = |number: i64| usize::try_from(number).unwrap_or_default();
        for row in sqlx::query(EXECUTIONS).fetch_all(&mut self.0).await? {
            evidence.executions.push(Execution {
                id: row.try_get("id")?,
                workflow: row.try_get("workflowId")?,
                mark: row.try_get::<Option<String>, _>("mark")?.unwrap_or_default(),
                status: row.try_get("status")?,
                reason: row.try_get("reason")?,
                jobs: Jobs {
                    stored: count(row.try_get("stored")?),
                    nodes: count(row.try_get("nodes")?),
                    pending: count(row.try_get("pending")?),
                },
            });
        }
        for row in sqlx::query(STEPS).fetch_all(&mut self.0).await? {
            let times = count(row.try_get("count")?);
            evidence.steps.insert((row.try_get("mark")?, row.try_get("step")?), times);
        }
        Ok(evidence)
    }
}
