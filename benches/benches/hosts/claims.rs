//! A long queue of one workflow.

use std::time::{Duration, Instant};

use benches::load::{enqueue, make_workflow};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use store::{ClaimedBy, ExecutionFinish, ExecutionStatus, Store, StoreError, WorkflowRow};
use test_database::TestDatabase;

/// The lengths that are compared.
pub(crate) const QUEUED: [u64; 4] = [100, 10_000, 100_000, 1_000_000];
/// Claims between two looks at the clock: short beside the shortest queue.
const AT_A_TIME: u64 = 20;

pub(crate) struct Queue {
    store: Store,
    workflow: WorkflowRow,
    url: String,
}

impl Queue {
    pub(crate) async fn open(database: &TestDatabase) -> Self {
        // The disk would hide what a long queue costs.
        database.execute("DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET synchronous_commit = off', current_database()); END $$").await;
        let store = Store::open(database.url()).await.expect("the database opens");
        let workflow = make_workflow(&store, 0).await;
        Self { store, workflow, url: database.url().to_owned() }
    }

    /// Queues so many executions and none besides, as somebody finds them after a long night.
    pub(crate) async fn fill(&self, queued: u64) {
        let mut connection = PgConnection::connect(&self.url).await.expect("the database opens");
        let (workflow, key) = (self.workflow.id.0, &self.workflow.key);
        let fill = format!(
            r#"TRUNCATE "executions" CASCADE;
               INSERT INTO "executions" ("id", "workflowId", "key", "eventKey", "context", "createdAt", "updatedAt")
               SELECT "id", {workflow}, '{key}', '00000000-0000-4000-8000-000000000000',
                      '{}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'
               FROM generate_series(1, {queued}) AS "id";
               VACUUM ANALYZE "executions""#,
            benches::load::context()
        );
        for statement in fill.split(';') {
            let done = sqlx::query(AssertSqlSafe(statement.to_owned())).execute(&mut connection).await;
            done.expect("the queue is filled");
        }
        connection.close().await.expect("the connection ends");
    }

    /// Claims so many executions and ends them, each in a transaction; what is claimed is queued again meanwhile, out of sight of the clock.
    pub(crate) async fn time_claims(&self, claims: u64) -> Duration {
        let mut took = Duration::ZERO;
        let mut left = claims;
        while left > 0 {
            let now = left.min(AT_A_TIME);
            left -= now;
            let begun = Instant::now();
            for _ in 0..now {
                self.claim().await;
            }
            took += begun.elapsed();
            enqueue(&self.store, &self.workflow, usize::try_from(now).expect("few")).await;
        }
        took
    }

    async fn claim(&self) {
        let (workflow, by) = (self.workflow.id, ClaimedBy("bench".to_owned()));
        let done = self.store.write(move |tx| {
            Box::pin(async move {
                let claimed = tx.claim_next(workflow, &by).await?.expect("one is queued");
                let finish = ExecutionFinish { status: ExecutionStatus::Resolved, reason: None, output: None };
                tx.finish(claimed.execution.id, finish).await.map(drop)
            })
        });
        done.await.map_err(|error: StoreError| error).expect("it is claimed");
    }
}
