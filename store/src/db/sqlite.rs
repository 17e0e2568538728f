//! SQLite: readers, and one writer, because the database has one.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use futures::{TryStreamExt as _, future::BoxFuture};
use sea_query_sqlx::SqlxValues;
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, SqlitePool,
    pool::PoolConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use tokio::sync::{mpsc, oneshot};

use super::{
    CACHED_STATEMENTS, Common, READERS, Row, Tx, WAITING_REQUESTS, acquired, migrate, refusal::guarded_refusal,
    transaction::contained, writer,
};
use crate::error::StoreError;

/// Steps of the database's machine between two looks at the clock: well below a millisecond.
const STEPS_PER_LOOK: i32 = 10_000;
/// How long a statement waits for another process that holds the database's lock.
pub(crate) const LOCK_TIMEOUT: Duration = Duration::from_secs(10);

/// A database file.
pub(super) struct Sqlite {
    readers: SqlitePool,
    /// For connections beside those of the pool.
    read_options: SqliteConnectOptions,
    requests: mpsc::Sender<Box<dyn writer::Request>>,
}

impl Sqlite {
    /// Opens the file, and starts the writer.
    pub(super) async fn open(url: &str, common: &Common) -> Result<Self, StoreError> {
        let options = connect_options(url)?;
        let mut connection = options
            .clone()
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .connect()
            .await
            .map_err(StoreError::Database)?;
        migrate::sqlite(&mut connection).await?;
        let tx = Tx::open_sqlite(connection, common.clock.clone(), common.faults.clone(), Arc::clone(&common.listener))
            .await?;
        common.schema.store(Arc::clone(tx.schema()));

        let read_options = options.read_only(true);
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            // A connection to a file does not go away by itself.
            .test_before_acquire(false)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(read_options.clone())
            .await
            .map_err(StoreError::Database)?;
        let (requests, waiting) = mpsc::channel(WAITING_REQUESTS);
        let writer = writer::Writer::new(tx, Arc::clone(&common.schema), common.feed.clone());
        common.tasks.spawn(writer.run(waiting, common.stop.clone()));
        Ok(Self { readers, read_options, requests })
    }

    pub(super) async fn reader(&self) -> Result<PoolConnection<sqlx::Sqlite>, StoreError> {
        acquired(self.readers.acquire().await)
    }

    /// Reads on a connection of its own.
    pub(super) async fn read_guarded(
        &self,
        text: String,
        values: SqlxValues,
        time: Duration,
        mut take: impl FnMut(&Row) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut connection = self.read_options.connect().await.map_err(StoreError::Database)?;
        let deadline = Instant::now() + time;
        connection
            .lock_handle()
            .await
            .map_err(StoreError::Database)?
            .set_progress_handler(STEPS_PER_LOOK, move || Instant::now() < deadline);
        {
            let mut rows = sqlx::query_with(AssertSqlSafe(text), values).fetch(&mut connection);
            while let Some(row) = rows.try_next().await.map_err(|error| guarded_refusal(error, time))? {
                take(&Row::Sqlite(row))?;
            }
        }
        connection.close().await.map_err(StoreError::Database)
    }

    /// Hands a closure to the writer.
    pub(super) async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: for<'tx> FnOnce(&'tx mut Tx) -> BoxFuture<'tx, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let request = Box::new(Write { work, reply });
        self.requests.send(request).await.map_err(|_closed| StoreError::Closed)?;
        answer.await.unwrap_or_else(|_gone| Err(StoreError::Closed.into()))
    }

    /// Waits for the readers.
    pub(super) async fn close(&self) {
        self.readers.close().await;
    }
}

/// How the file is opened that a URL leads to.
pub(super) fn connect_options(url: &str) -> Result<SqliteConnectOptions, StoreError> {
    Ok(SqliteConnectOptions::new()
        .filename(path(url).ok_or_else(misunderstood)?)
        .statement_cache_capacity(CACHED_STATEMENTS)
        .busy_timeout(LOCK_TIMEOUT))
}

/// The file that a URL leads to, if it leads to one.
pub(super) fn path(url: &str) -> Option<&Path> {
    let path = url.strip_prefix("sqlite:").map(|rest| rest.strip_prefix("//").unwrap_or(rest))?;
    // A database in memory belongs to one connection; readers would not see it.
    (!path.is_empty() && path != ":memory:").then(|| Path::new(path))
}

pub(super) fn misunderstood() -> StoreError {
    let message = "the database URL must be sqlite:PATH or postgres://USER:PASSWORD@HOST:PORT/DATABASE";
    StoreError::invalid("INVALID_VALUE", message)
}

/// A caller's closure with the channel on which the caller waits.
struct Write<F, T, E> {
    work: F,
    reply: oneshot::Sender<Result<T, E>>,
}

impl<F, T, E> writer::Request for Write<F, T, E>
where
    F: for<'tx> FnOnce(&'tx mut Tx) -> BoxFuture<'tx, Result<T, E>> + Send + 'static,
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
{
    fn run<'tx>(self: Box<Self>, tx: &'tx mut Tx) -> BoxFuture<'tx, writer::Outcome> {
        let Self { work, reply } = *self;
        Box::pin(async move {
            let result = contained(work, tx).await;
            let verdict = if result.is_ok() { writer::Verdict::Keep } else { writer::Verdict::Undo };
            let answer: writer::Answer = Box::new(move |commit: Result<(), StoreError>| {
                let answer = commit.map_err(E::from).and(result);
                // The caller may have gone away; the work is done all the same.
                drop(reply.send(answer));
            });
            writer::Outcome { verdict, answer }
        })
    }

    fn refuse(self: Box<Self>, error: StoreError) {
        drop(self.reply.send(Err(error.into())));
    }
}
