//! The statements that storing the same rows takes, without anything around them.

use std::path::Path;

use benches::server::{CALLERS, Mode, Workflow, post};
use serde_json::json;
use sqlx::{
    ConnectOptions as _, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteSynchronous},
};

const NOW: &str = "2026-01-01T00:00:00.000Z";

const BY_KEY: &str = r#"SELECT "id", "enabled" FROM "workflows" WHERE "id" = ?"#;
const INSERT_POST: &str =
    r#"INSERT INTO "posts" ("title", "content", "read", "createdAt", "updatedAt") VALUES (?, ?, ?, ?, ?) RETURNING *"#;
const INSERT_EXECUTION: &str = r#"INSERT INTO "executions" ("id", "workflowId", "key", "eventKey", "context", "dispatched", "claimedBy", "createdAt", "updatedAt")
    VALUES (?, ?, ?, ?, ?, 0, ?, ?, ?)"#;
const COUNT: &str =
    r#"UPDATE "workflows" SET "allExecuted" = "allExecuted" + 1, "executed" = "executed" + 1 WHERE "key" = ?"#;
const CLAIM: &str = r#"UPDATE "executions" SET "status" = 0, "dispatched" = 1, "claimedBy" = 'bare', "startedAt" = ?, "updatedAt" = ?
    WHERE "id" = ? RETURNING "id", "workflowId", "status", "context""#;
const CLAIM_NEXT: &str = r#"UPDATE "executions" SET "status" = 0, "dispatched" = 1, "claimedBy" = 'bare', "startedAt" = ?, "updatedAt" = ?
    WHERE "id" = (SELECT "id" FROM "executions" WHERE "workflowId" = ? AND "status" IS NULL AND "claimedBy" IS NULL AND "waitsFor" IS NULL
                  ORDER BY "id" LIMIT 1)
    RETURNING "id", "workflowId", "status", "context""#;
const FINISH: &str = r#"UPDATE "executions" SET "status" = 1, "claimedBy" = NULL, "updatedAt" = ? WHERE "id" = ?"#;

/// One connection, set up like the server's writer, to a copy of its database: on the database itself the server's dispatcher
/// would run what is queued here.
pub(crate) struct Bare {
    connection: SqliteConnection,
    next_id: i64,
}

impl Bare {
    pub(crate) async fn copy(database: &Path, name: &str) -> Self {
        let copy = database.with_file_name(format!("{name}.db"));
        let mut original = connect(database).await;
        let vacuum = sqlx::query("VACUUM INTO ?").bind(copy.to_str().expect("the path is UTF-8"));
        vacuum.execute(&mut original).await.expect("the database is copied");
        let mut connection = connect(&copy).await;
        sqlx::query("PRAGMA journal_mode = WAL")
            .execute(&mut connection)
            .await
            .expect("the copy has a write-ahead log");
        Self { connection, next_id: 1 }
    }

    /// Does for the database what so many bound creates do.
    pub(crate) async fn requests(&mut self, workflow: &Workflow, mode: Mode, requests: u64) {
        let mut left = requests;
        while left > 0 {
            let together = left.min(CALLERS);
            left -= together;
            let first = self.next_id;
            self.control("BEGIN IMMEDIATE").await;
            for _ in 0..together {
                self.create(workflow, mode).await;
            }
            self.control("COMMIT").await;
            self.control("BEGIN IMMEDIATE").await;
            for id in first..self.next_id {
                self.run(workflow, mode, id).await;
            }
            self.control("COMMIT").await;
        }
    }

    async fn create(&mut self, workflow: &Workflow, mode: Mode) {
        let values = post();
        let row = sqlx::query(INSERT_POST)
            .bind(values["title"].as_str())
            .bind(values["content"].as_str())
            .bind(0)
            .bind(NOW)
            .bind(NOW);
        row.fetch_one(&mut self.connection).await.expect("the post is stored");
        sqlx::query(BY_KEY).bind(workflow.id).fetch_one(&mut self.connection).await.expect("the workflow is read");
        let user = json!({"id": 1, "email": "admin@example.com", "username": "admin", "nickname": "Super Admin", "phone": null,
            "passwordChangeTz": null, "appLang": null, "systemSettings": {}, "createdAt": NOW, "updatedAt": NOW,
            "createdById": null, "updatedById": null});
        let execution = sqlx::query(INSERT_EXECUTION)
            .bind(self.next_id)
            .bind(workflow.id)
            .bind(&workflow.key)
            .bind("00000000-0000-4000-8000-000000000000")
            .bind(json!({"data": values, "user": user, "roleName": "root"}).to_string())
            .bind((mode == Mode::Sync).then_some("bare"))
            .bind(NOW)
            .bind(NOW);
        execution.execute(&mut self.connection).await.expect("the execution is stored");
        sqlx::query(COUNT).bind(&workflow.key).execute(&mut self.connection).await.expect("it is counted");
        self.next_id += 1;
    }

    async fn run(&mut self, workflow: &Workflow, mode: Mode, id: i64) {
        let claim = match mode {
            Mode::Sync => sqlx::query(CLAIM).bind(NOW).bind(NOW).bind(id),
            Mode::Async => sqlx::query(CLAIM_NEXT).bind(NOW).bind(NOW).bind(workflow.id),
        };
        claim.fetch_one(&mut self.connection).await.expect("the execution is claimed");
        sqlx::query(FINISH).bind(NOW).bind(id).execute(&mut self.connection).await.expect("the execution ends");
    }

    async fn control(&mut self, sql: &'static str) {
        sqlx::query(sql).execute(&mut self.connection).await.expect("the transaction goes on");
    }
}

async fn connect(database: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(database).synchronous(SqliteSynchronous::Full);
    options.disable_statement_logging().connect().await.expect("the database opens")
}
