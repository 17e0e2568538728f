//! The statements that leave the same rows, without anything around them, on several connections beside each other.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use benches::{
    load::context,
    server::{Workflow, post},
};
use futures::future::join_all;
use serde_json::json;
use sqlx::{ConnectOptions as _, PgConnection, Row as _, postgres::PgConnectOptions};
use store::WorkflowRow;
use tokio::runtime::Runtime;

const NOW: &str = "2026-01-01T00:00:00.000Z";

const CLAIM_NEXT: &str = r#"UPDATE "executions" SET "status" = 0, "dispatched" = 1, "claimedBy" = 'bare', "startedAt" = $1, "updatedAt" = $1
    WHERE "id" = (SELECT "id" FROM "executions" WHERE "workflowId" = $2 AND "status" IS NULL AND "claimedBy" IS NULL AND "waitsFor" IS NULL
                    AND "notBefore" IS NULL AND "heldBack" IS NULL
                  ORDER BY "id" LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED)
    RETURNING "id", "workflowId", "status", "context""#;
const STATUS: &str = r#"SELECT "status" FROM "executions" WHERE "id" = $1 FOR NO KEY UPDATE"#;
const INSERT_LOG: &str = r#"INSERT INTO "logs" ("tag", "createdAt", "updatedAt") VALUES ($1, $2, $2) RETURNING *"#;
const INSERT_JOB: &str = r#"INSERT INTO "jobs" ("id", "executionId", "nodeId", "nodeKey", "upstreamId", "status", "result", "startedAt", "createdAt", "updatedAt")
    VALUES ($1, $2, $3, 'abcdefghijk', $4, 1, $5, $6, $6, $6)"#;
const FINISH: &str = r#"UPDATE "executions" SET "status" = 1, "claimedBy" = NULL, "updatedAt" = $1 WHERE "id" = $2"#;
const NODES: &str = r#"SELECT "id" FROM "flow_nodes" WHERE "workflowId" = $1 ORDER BY "id""#;
const INSERT_POST: &str = r#"INSERT INTO "posts" ("title", "content", "read", "createdAt", "updatedAt") VALUES ($1, $2, $3, $4, $4) RETURNING *"#;
const BY_KEY: &str = r#"SELECT "id", "enabled" FROM "workflows" WHERE "id" = $1"#;
const COUNT: &str =
    r#"UPDATE "workflows" SET "allExecuted" = "allExecuted" + 1, "executed" = "executed" + 1 WHERE "key" = $1"#;
const INSERT_EXECUTION: &str = r#"INSERT INTO "executions" ("id", "workflowId", "key", "eventKey", "context", "dispatched", "createdAt", "updatedAt")
    VALUES ($1, $2, $3, '00000000-0000-4000-8000-000000000000', $4, 0, $5, $5)"#;

/// Times `work` on the runtime.
pub(crate) fn timed<F: Future<Output = ()>>(runtime: &Runtime, work: F) -> Duration {
    let begun = Instant::now();
    runtime.block_on(work);
    begun.elapsed()
}

/// Connections to one database.
pub(crate) struct Bare {
    lanes: Vec<Lane>,
}

/// One of them.
struct Lane {
    connection: PgConnection,
    /// Below the store's ids, so that the two never meet; shared by all.
    last_id: Arc<AtomicI64>,
}

impl Bare {
    pub(crate) async fn connect(url: &str, connections: usize) -> Self {
        let options: PgConnectOptions = url.parse().expect("a URL");
        let options = options.disable_statement_logging();
        let last_id = Arc::new(AtomicI64::new(0));
        let mut lanes = Vec::with_capacity(connections);
        for _ in 0..connections {
            let connection = options.connect().await.expect("the database opens");
            lanes.push(Lane { connection, last_id: Arc::clone(&last_id) });
        }
        Self { lanes }
    }

    /// Works off what is queued of each workflow, one connection for each.
    pub(crate) async fn drain(&mut self, workflows: &[WorkflowRow]) {
        let lanes = self.lanes.iter_mut().zip(workflows);
        join_all(lanes.map(|(lane, workflow)| lane.drain(workflow.id.0))).await;
    }

    /// Does for the database what so many bound creates do, one connection for each workflow.
    pub(crate) async fn requests(&mut self, workflows: &[Workflow], requests: u64) {
        let next = &AtomicU64::new(0);
        let lanes = self.lanes.iter_mut().zip(workflows);
        join_all(lanes.map(|(lane, workflow)| async move {
            while next.fetch_add(1, Ordering::Relaxed) < requests {
                lane.request(workflow).await;
            }
        }))
        .await;
    }
}

impl Lane {
    async fn drain(&mut self, workflow: i64) {
        let nodes = sqlx::query_scalar(NODES).bind(workflow).fetch_all(&mut self.connection).await;
        let nodes: Vec<i64> = nodes.expect("the nodes are read");
        self.control("BEGIN").await;
        let mut claimed = self.claim_next(workflow).await;
        self.control("COMMIT").await;
        // The end of an execution and the claim of the next one share a commit, as a turn of the engine's does.
        while let Some(id) = claimed.take() {
            let mut upstream = None;
            for (index, node) in nodes.iter().enumerate() {
                self.control("BEGIN").await;
                upstream = Some(self.node(id, *node, upstream).await);
                if index + 1 == nodes.len() {
                    self.finish(id).await;
                    claimed = self.claim_next(workflow).await;
                }
                self.control("COMMIT").await;
            }
        }
    }

    async fn request(&mut self, workflow: &Workflow) {
        self.control("BEGIN").await;
        let values = post();
        let row = sqlx::query(INSERT_POST)
            .bind(values["title"].as_str())
            .bind(values["content"].as_str())
            .bind(0_i64)
            .bind(NOW);
        row.fetch_one(&mut self.connection).await.expect("the post is stored");
        sqlx::query(BY_KEY).bind(workflow.id).fetch_one(&mut self.connection).await.expect("the workflow is read");
        sqlx::query(COUNT).bind(&workflow.key).execute(&mut self.connection).await.expect("it is counted");
        let user = json!({"id": 1, "email": "admin@example.com", "username": "admin", "nickname": "Super Admin", "phone": null,
            "passwordChangeTz": null, "appLang": null, "systemSettings": {}, "createdAt": NOW, "updatedAt": NOW,
            "createdById": null, "updatedById": null});
        let execution = sqlx::query(INSERT_EXECUTION)
            .bind(self.next_id())
            .bind(workflow.id)
            .bind(&workflow.key)
            .bind(json!({"data": values, "user": user, "roleName": "root"}).to_string())
            .bind(NOW);
        execution.execute(&mut self.connection).await.expect("the execution is stored");
        self.control("COMMIT").await;
        self.control("BEGIN").await;
        let id = self.claim_next(workflow.id).await.expect("one is queued");
        self.finish(id).await;
        self.control("COMMIT").await;
    }

    async fn claim_next(&mut self, workflow: i64) -> Option<i64> {
        let row = sqlx::query(CLAIM_NEXT).bind(NOW).bind(workflow).fetch_optional(&mut self.connection).await;
        row.expect("the queue is read").map(|row| row.get("id"))
    }

    /// Leaves a record and a job; answers the job.
    async fn node(&mut self, execution: i64, node: i64, upstream: Option<i64>) -> i64 {
        let status = sqlx::query(STATUS).bind(execution).fetch_one(&mut self.connection).await;
        let _status: i64 = status.expect("the execution is there").get("status");
        let title = context()["data"]["title"].as_str().map(str::to_owned);
        let log = sqlx::query(INSERT_LOG).bind(title).bind(NOW).fetch_one(&mut self.connection).await;
        log.expect("the record is stored");
        let id = self.next_id();
        let job = sqlx::query(INSERT_JOB)
            .bind(id)
            .bind(execution)
            .bind(node)
            .bind(upstream)
            .bind(r#"{"id":1,"tag":"A title of usual length","createdAt":"2026-01-01","updatedAt":"2026-01-01"}"#)
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

    fn next_id(&self) -> i64 {
        self.last_id.fetch_add(1, Ordering::Relaxed) + 1
    }
}
