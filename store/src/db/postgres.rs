//! PostgreSQL: many transactions beside each other, each on a connection of its own.
//!
//! A transaction is READ COMMITTED. It is never repeated, because its work can be done once only; so what it relies on it holds
//! with row locks, and it fails as a whole if it cannot go on.

use std::{str::FromStr as _, sync::Arc, time::Duration};

use futures::{TryStreamExt as _, future::BoxFuture};
use sea_query_sqlx::SqlxValues;
use sqlx::{AssertSqlSafe, Connection as _, SqlSafeStr as _, SqlStr, postgres::PgConnectOptions};
use tokio::sync::Semaphore;

use super::{
    CACHED_STATEMENTS, Common, READERS, Row, Tx, WAITING_REQUESTS, acquired,
    arguments::arguments,
    bell::Bell,
    lifeline::Lifeline,
    migrate,
    pool::{Held, Pool},
    refusal::guarded_refusal,
    server_time::ServerTime,
    transaction::conclude,
};
use crate::{error::StoreError, id::WorkflowId, schema::Schema};

/// What each connection is told when it is made: the question below, so that it is planned once.
const PREPARE: &str = r#"PREPARE "hostVersion" AS
    SELECT "version", (SELECT "version" FROM "_hostVersion") AS "changes" FROM "_schemaVersion""#;
/// Transactions at a time. The server's disk takes about as many commits together; more only wait for each other's rows.
const WRITERS: u32 = 16;

/// A database on a server.
pub(super) struct Postgres {
    common: Common,
    readers: Pool,
    writers: Pool,
    waiting: Arc<Semaphore>,
    bell: Bell,
}

impl Postgres {
    /// Connects, and brings the database up to date.
    pub(super) async fn open(url: &str, common: &Common) -> Result<Self, StoreError> {
        let options = PgConnectOptions::from_str(url)
            .map_err(|error| StoreError::invalid("INVALID_VALUE", format!("the database URL: {error}")))?
            .application_name("host")
            .statement_cache_capacity(CACHED_STATEMENTS);
        let lifeline = Lifeline::new(options, common.tasks.clone(), common.stop.clone()).greeted_by(PREPARE);
        let mut connection = lifeline.connect().await.map_err(StoreError::Database)?;
        migrate::postgres(&mut connection).await?;
        connection.close().await.map_err(StoreError::Database)?;
        let (writers, readers) = (lifeline.pool(WRITERS), lifeline.pool(READERS));
        let time = ServerTime { pool: readers.clone(), clock: common.clock.clone() };
        time.ask().await.map_err(StoreError::Database)?;
        common.tasks.spawn(time.keep_asking(common.stop.clone()));
        let waiting = Arc::new(Semaphore::new(WAITING_REQUESTS));
        let bell = Bell::hang(lifeline, common);
        let postgres = Self { common: common.clone(), readers, writers, waiting, bell };
        let schema = Arc::new(Schema::built_in(super::Dialect::Postgres));
        let mut tx = postgres.begin(None, schema).await?;
        postgres.publish(tx.schema());
        tx.control("ROLLBACK").await.map_err(StoreError::Database)?;
        Ok(postgres)
    }

    /// What other hosts are told by and heard with.
    pub(super) fn bell(&self) -> &Bell {
        &self.bell
    }

    pub(super) async fn reader(&self) -> Result<Held, StoreError> {
        acquired(self.readers.acquire().await)
    }

    /// Reads in a transaction that cannot write; the server watches the time.
    pub(super) async fn read_guarded(
        &self,
        text: String,
        values: SqlxValues,
        time: Duration,
        mut take: impl FnMut(&Row) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut reader = self.reader().await?;
        let (connection, line) = reader.parts().map_err(StoreError::Database)?;
        let bound = arguments(values.0).map_err(StoreError::Database)?;
        let mut refused = None;
        let reading = async {
            // Rolled back wherever it is left.
            let mut reading = connection.begin_with("BEGIN READ ONLY").await?;
            let limit = format!("SET LOCAL statement_timeout = {}", time.as_millis());
            sqlx::raw_sql(AssertSqlSafe(limit)).execute(&mut *reading).await?;
            {
                let mut rows = sqlx::query_with(AssertSqlSafe(text), bound).persistent(false).fetch(&mut *reading);
                while let Some(row) = rows.try_next().await? {
                    if let Err(error) = take(&Row::Postgres(row)) {
                        refused = Some(error);
                        break;
                    }
                }
            }
            reading.rollback().await
        };
        let read = line.answer(reading).await;
        match refused {
            Some(error) => Err(error),
            None => read.map_err(|error| guarded_refusal(error, time)),
        }
    }

    /// Runs a closure in a transaction, in a task that does not end with the caller. `turn`: a workflow whose claims nobody else
    /// makes meanwhile.
    pub(super) async fn write<T, E, F>(self: &Arc<Self>, turn: Option<WorkflowId>, work: F) -> Result<T, E>
    where
        F: for<'tx> FnOnce(&'tx mut Tx) -> BoxFuture<'tx, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        // The semaphore is never closed.
        let place = Arc::clone(&self.waiting).acquire_owned().await.map_err(|_closed| StoreError::Closed)?;
        if self.common.stop.is_cancelled() {
            return Err(StoreError::Closed.into());
        }
        let postgres = Arc::clone(self);
        let task = self.common.tasks.spawn(async move {
            let answer = postgres.transaction(turn, work).await;
            drop(place);
            answer
        });
        task.await.unwrap_or_else(|_gone| Err(StoreError::Closed.into()))
    }

    async fn writer(&self) -> Result<Held, StoreError> {
        acquired(self.writers.acquire().await)
    }

    async fn begin(&self, turn: Option<WorkflowId>, schema: Arc<Schema>) -> Result<Tx, StoreError> {
        let Common { clock, faults, listener, .. } = &self.common;
        Tx::begin_postgres(self.writer().await?, turn, schema, clock.clone(), faults.clone(), Arc::clone(listener))
            .await
    }

    async fn transaction<T, E, F>(&self, turn: Option<WorkflowId>, work: F) -> Result<T, E>
    where
        F: for<'tx> FnOnce(&'tx mut Tx) -> BoxFuture<'tx, Result<T, E>>,
        E: From<StoreError>,
    {
        let tx = self.begin(turn, self.common.schema.load_full()).await?;
        // What others have committed stays, whatever becomes of this transaction.
        self.publish(tx.schema());
        conclude(tx, work, |tx| {
            self.publish(tx.schema());
            if self.bell.is_watched() {
                tx.send_changes();
            }
            self.bell.ring(tx.announce(&self.common.feed));
        })
        .await
    }

    /// Shows readers a schema, unless they have a later one.
    fn publish(&self, schema: &Arc<Schema>) {
        self.common.schema.rcu(|known| Arc::clone(if known.version() < schema.version() { schema } else { known }));
    }

    /// Waits for the connections.
    pub(super) async fn close(&self) {
        self.readers.close().await;
        self.writers.close().await;
    }
}

/// Begins a transaction, and asks how far the schema and the changes of all hosts are: the last row has the `version` of the
/// one and the number of the other's `changes`.
pub(super) fn begin(turn: Option<WorkflowId>) -> SqlStr {
    match turn {
        None => r#"BEGIN; EXECUTE "hostVersion""#.into_sql_str(),
        // What follows sees the claims of those before.
        Some(WorkflowId(workflow)) => {
            AssertSqlSafe(format!(r#"BEGIN; SELECT pg_advisory_xact_lock({workflow}); EXECUTE "hostVersion""#))
                .into_sql_str()
        }
    }
}
