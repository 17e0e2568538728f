//! The statements that leave the same rows, without anything around them.

use std::path::Path;

use benches::load::context;
use sqlx::{
    ConnectOptions as _, Row as _, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteSynchronous},
};
use store::WorkflowRow;

use crate::CONCURRENCY;

const NOW: &str = "2026-01-01T00:00:00.000Z";

/// Executions without nodes that the engine ends in one transaction.
const EMPTY_PER_COMMIT: usize = 32;

const INSERT_EXECUTION: &str = r#"INSERT INTO "executions" ("id", "workflowId", "key", "eventKey", "context", "dispatched", "claimedBy", "createdAt", "updatedAt")
    VALUES (?, ?, ?, ?, ?, 0, 'bare', ?, ?)"#;
const COUNT: &str =
    r#"UPDATE "workflows" SET "allExecuted" = "allExecuted" + 1, "executed" = "executed" + 1 WHERE "key" = ?"#;
const CLAIM: &str = r#"UPDATE "executions" SET "status" = 0, "dispatched" = 1, "claimedBy" = 'bare', "startedAt" = ?, "updatedAt" = ?
    WHERE "id" = ? RETURNING "id", "workflowId", "status", "context""#;
const CLAIM_NEXT: &str = r#"UPDATE "executions" SET "status" = 0, "dispatched" = 1, "claimedBy" = 'bare', "startedAt" = ?, "updatedAt" = ?
    WHERE "id" = (SELECT "id" FROM "executions" WHERE "workflowId" = ? AND "status" IS NULL AND "claimedBy" IS NULL AND "waitsFor" IS NULL
                    AND "notBefore" IS NULL AND "heldBack" IS NULL
                  ORDER BY "id" LIMIT 1)
    RETURNING "id", "workflowId", "status", "context""#;
const STATUS: &str = r#"SELECT "status" FROM "executions" WHERE "id" = ?"#;
const INSERT_LOG: &str = r#"INSERT INTO "logs" ("tag", "createdAt", "updatedAt") VALUES (?, ?, ?) RETURNING *"#;
const INSERT_JOB: &str = r#"INSERT INTO "jobs" ("id", "executionId", "nodeId", "nodeKey", "upstreamId", "status", "result", "startedAt", "createdAt", "updatedAt")
    VALUES (?, ?, ?, 'abcdefghijk', ?, 1, ?, ?, ?, ?)"#;
const FINISH: &str = r#"UPDATE "executions" SET "status" = 1, "claimedBy" = NULL, "updatedAt" = ? WHERE "id" = ?"#;
const NODES: &str = r#"SELECT "id" FROM "flow_nodes" WHERE "workflowId" = ? ORDER BY "id""#;

/// One connection, set up like the store's writer.
pub(crate) struct Bare {
    connection: SqliteConnection,
    next_id: i64,
}

impl Bare {
    pub(crate) async fn connect(database: &Path) -> Self {
        let options = SqliteConnectOptions::new().filename(database).synchronous(SqliteSynchronous::Full);
        let connection = options.disable_statement_logging().connect().await.expect("the database opens");
        // Below the store's ids, so that the two never meet.
        Self { connection, next_id: 1 }
    }

    /// Works off so many queued executions of a workflow, one after the other.
    pub(crate) async fn drain(&mut self, workflow: &WorkflowRow, executions: usize) {
        let nodes = self.nodes(workflow).await;
        if nodes.is_empty() {
            let mut left = executions;
            while left > 0 {
                let together = left.min(EMPTY_PER_COMMIT);
                left -= together;
                self.control("BEGIN IMMEDIATE").await;
                for _ in 0..together {
                    let id = self.claim_next(workflow).await.expect("one is queued");
                    self.finish(id).await;
                }
                self.control("COMMIT").await;
            }
            return;
        }
        self.control("BEGIN IMMEDIATE").await;
        let mut claimed = self.claim_next(workflow).await;
        self.control("COMMIT").await;
        // The end of an execution and the claim of the next one share a commit, as a turn of the engine's does.
        while let Some(id) = claimed.take() {
            let mut upstream = None;
            for (index, node) in nodes.iter().enumerate() {
                self.control("BEGIN IMMEDIATE").await;
                upstream = Some(self.node(id, *node, upstream).await);
                if index + 1 == nodes.len() {
                    self.finish(id).await;
                    claimed = self.claim_next(workflow).await;
                }
                self.control("COMMIT").await;
            }
        }
    }

    /// Stores and runs so many executions, for several callers at a time.
    pub(crate) async fn run(&mut self, workflow: &WorkflowRow, executions: usize) {
        let nodes = self.nodes(workflow).await;
        let mut left = executions;
        while left > 0 {
            let together = left.min(CONCURRENCY);
            left -= together;
            self.control("BEGIN IMMEDIATE").await;
            let mut running = Vec::with_capacity(together);
            for _ in 0..together {
                running.push((self.enqueue(workflow).await, None));
            }
            self.control("COMMIT").await;
            self.control("BEGIN IMMEDIATE").await;
            for (id, _) in &running {
                sqlx::query(CLAIM).bind(NOW).bind(NOW).bind(id).fetch_one(&mut self.connection).await.expect("claimed");
                if nodes.is_empty() {
                    self.finish(*id).await;
                }
            }
            self.control("COMMIT").await;
            for (index, node) in nodes.iter().enumerate() {
                self.control("BEGIN IMMEDIATE").await;
                for (id, upstream) in &mut running {
                    *upstream = Some(self.node(*id, *node, *upstream).await);
                    if index + 1 == nodes.len() {
                        self.finish(*id).await;
                    }
                }
                self.control("COMMIT").await;
            }
        }
    }

    async fn nodes(&mut self, workflow: &WorkflowRow) -> Vec<i64> {
        let nodes = sqlx::query_scalar(NODES).bind(workflow.id.0).fetch_all(&mut self.connection).await;
        nodes.expect("the nodes are read")
    }

    async fn enqueue(&mut self, workflow: &WorkflowRow) -> i64 {
        let id = self.id();
        let execution = sqlx::query(INSERT_EXECUTION)
            .bind(id)
            .bind(workflow.id.0)
            .bind(&workflow.key)
            .bind("00000000-0000-4000-8000-000000000000")
            .bind(context().to_string())
            .bind(NOW)
            .bind(NOW);
        execution.execute(&mut self.connection).await.expect("the execution is stored");
        sqlx::query(COUNT).bind(&workflow.key).execute(&mut self.connection).await.expect("it is counted");
        id
    }

    async fn claim_next(&mut self, workflow: &WorkflowRow) -> Option<i64> {
        let claim = sqlx::query(CLAIM_NEXT).bind(NOW).bind(NOW).bind(workflow.id.0);
        let row = claim.fetch_optional(&mut self.connection).await.expect("the queue is read");
        row.map(|row| row.get("id"))
    }

    /// Leaves a record and a job; answers the job.
    async fn node(&mut self, execution: i64, node: i64, upstream: Option<i64>) -> i64 {
        let status = sqlx::query(STATUS).bind(execution).fetch_one(&mut self.connection).await;
        let _status: i64 = status.expect("the execution is there").get("status");
        let log = sqlx::query(INSERT_LOG).bind("A title of usual length").bind(NOW).bind(NOW);
        log.fetch_one(&mut self.connection).await.expect("the record is stored");
        let id = self.id();
        let job = sqlx::query(INSERT_JOB)
            .bind(id)
            .bind(execution)
            .bind(node)
            .bind(upstream)
            .bind(r#"{"id":1,"tag":"A title of usual length","createdAt":"2026-01-01","updatedAt":"2026-01-01"}"#)
            .bind(NOW)
            .bind(NOW)
            .bind(NOW);
        job.execute(&mut self.connection).await.expect("the job is stored");
        id
    }

    async fn finish(&mut self, id: i64) {
        sqlx::query(FINISH).bind(NOW).bind(id).execute(&mut self.connection).await.expect("the execution ends");
    }

    async fn control(&mut self, sql: &'static str) {
        sqlx::query(sql).execute(&mut self.connection).await.expect("the transaction goes on");
    }

    fn id(&mut self) -> i64 {
        self.next_id += 1;
        self.next_id
    }
}
