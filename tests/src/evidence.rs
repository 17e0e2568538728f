//! What the database holds after a run.

use std::collections::BTreeMap;

use anyhow::Result;
use serde_json::Value;
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, PgConnection, SqliteConnection, postgres::PgConnectOptions,
    sqlite::SqliteConnectOptions,
};

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
    /// What was logged, by mark and step.
    pub(crate) steps: BTreeMap<(String, String), Logged>,
}

/// The lines of one step of one execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Logged {
    pub(crate) times: usize,
    /// The number of the first line. Lines that are written one after the other have rising numbers.
    pub(crate) first: i64,
}

// What the databases call differently is written in capitals: see `Reader::rows`.
const EXECUTIONS: &str = r#"SELECT ARRAY("id", "workflowId", MARK, "status", "reason",
    (SELECT count(*) FROM "jobs" WHERE "executionId" = "executions"."id"),
    (SELECT count(DISTINCT "nodeId") FROM "jobs" WHERE "executionId" = "executions"."id"),
    (SELECT count(*) FROM "jobs" WHERE "executionId" = "executions"."id" AND "status" = 0))
    FROM "executions" ORDER BY "id""#;
const STEPS: &str = r#"SELECT ARRAY("mark", "step", count(*), min("id")) FROM "logs" GROUP BY "mark", "step""#;
const UNFINISHED: &str = r#"SELECT ARRAY(count(*)) FROM "executions" WHERE "status" IS NULL OR "status" = 0"#;
const STORED: &str = r#"SELECT ARRAY(coalesce(sum("executed"), 0)) FROM "workflows""#;

/// A connection to a server's database that changes nothing.
pub(crate) enum Reader {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Reader {
    /// Opens what the server was given as its database.
    pub(crate) async fn open(url: &str) -> Result<Self> {
        if let Some(path) = url.strip_prefix("sqlite:") {
            let options = SqliteConnectOptions::new().filename(path).disable_statement_logging();
            let mut connection = options.connect().await?;
            sqlx::query("PRAGMA query_only = ON").execute(&mut connection).await?;
            return Ok(Self::Sqlite(connection));
        }
        let options: PgConnectOptions = url.parse()?;
        Ok(Self::Postgres(options.disable_statement_logging().connect().await?))
    }

    /// Reads rows, each as the values that `ARRAY` lists.
    async fn rows(&mut self, sql: &str) -> Result<Vec<Vec<Value>>> {
        let rows: Vec<String> = match self {
            Self::Sqlite(connection) => {
                let sql = sql.replacen("ARRAY(", "json_array(", 1).replace("MARK", r#""context" ->> '$.data.mark'"#);
                sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(connection).await?
            }
            Self::Postgres(connection) => {
                let sql = sql.replacen("ARRAY(", "json_build_array(", 1);
                let sql = sql.replace("MARK", r#""context"::json #>> '{data,mark}'"#);
                // As text, which both drivers read.
                let sql = format!(r#"SELECT "found"::text FROM ({sql}) AS "rows" ("found")"#);
                sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(connection).await?
            }
        };
        rows.iter().map(|row| Ok(serde_json::from_str(row)?)).collect()
    }

    async fn number(&mut self, sql: &str) -> Result<i64> {
        Ok(self.rows(sql).await?.first().and_then(|row| row[0].as_i64()).unwrap_or_default())
    }

    /// Counts the executions that have not ended.
    pub(crate) async fn unfinished(&mut self) -> Result<i64> {
        self.number(UNFINISHED).await
    }

    /// Counts all executions that there have ever been.
    pub(crate) async fn stored(&mut self) -> Result<i64> {
        self.number(STORED).await
    }

    /// The ids of executions of a workflow that have not ended, oldest first, so many at most. Those that wait for another one are
    /// left out: they go with it if it ends badly.
    pub(crate) async fn open_executions(&mut self, workflow: i64, limit: usize) -> Result<Vec<i64>> {
        let sql = format!(
            r#"SELECT ARRAY("id") FROM "executions" WHERE "workflowId" = {workflow} AND ("status" IS NULL OR "status" = 0)
                 AND "waitsFor" IS NULL ORDER BY "id" LIMIT {limit}"#
        );
        Ok(self.rows(&sql).await?.iter().filter_map(|row| row[0].as_i64()).collect())
    }

    pub(crate) async fn evidence(&mut self) -> Result<Evidence> {
        let mut evidence = Evidence::default();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let count = |value: &Value| usize::try_from(value.as_i64().unwrap_or_default()).unwrap_or_default();
        for row in self.rows(EXECUTIONS).await? {
            evidence.executions.push(Execution {
                id: row[0].as_i64().unwrap_or_default(),
                workflow: row[1].as_i64().unwrap_or_default(),
                mark: text(&row[2]),
                status: row[3].as_i64(),
                reason: row[4].as_str().map(str::to_owned),
                jobs: Jobs { stored: count(&row[5]), nodes: count(&row[6]), pending: count(&row[7]) },
            });
        }
        for row in self.rows(STEPS).await? {
            let logged = Logged { times: count(&row[2]), first: row[3].as_i64().unwrap_or_default() };
            evidence.steps.insert((text(&row[0]), text(&row[1])), logged);
        }
        Ok(evidence)
    }
}
