//! Opening the database, reading from it, and the one writer.
//!
//! SQLite has one writer: [`Store::write`] hands a closure to a task that runs many of them in one transaction, commits
//! once, and only then answers each. A closure that fails is rolled back alone. Readers have connections of their own and
//! never wait for the writer. Only this module names the database; it knows nothing of filters or associations.

mod conn;
pub(crate) mod dialect;
mod faults;
mod migrate;
mod row;
mod writer;

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use futures::{FutureExt as _, future::BoxFuture};
use sqlx::{
    ConnectOptions as _, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    changes::{Change, Feed},
    clock::Clock,
    error::StoreError,
    record_changes::{Listener, RecordListener},
    schema::Schema,
};
use faults::FaultPoint;

pub use conn::{Conn, Tx};
pub use faults::Faults;
pub(crate) use row::{Cell, Row};

/// Requests that wait for the writer. At a few thousand small ones a second this is well under a second of work; more
/// callers than that wait in [`Store::write`].
const WAITING_REQUESTS: usize = 1_024;
/// Reads are short; more connections than this only compete for the processor and the page cache.
const READERS: u32 = 8;
/// Prepared statements kept per connection. Their texts depend on the collection and the shape of the filter.
const CACHED_STATEMENTS: usize = 512;
/// How long a statement waits for another process that holds the database's lock.
const LOCK_TIMEOUT: Duration = Duration::from_secs(10);

/// The database. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
}

struct Shared {
    schema: Arc<ArcSwap<Schema>>,
    clock: Clock,
    faults: FaultPoint,
    feed: Feed,
    listener: Listener,
    readers: SqlitePool,
    /// For connections beside those of the pool.
    read_options: SqliteConnectOptions,
    requests: mpsc::Sender<Box<dyn writer::Request>>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Store {
    /// Opens, or makes, the database and applies the migrations. `url`: `sqlite:PATH`.
    ///
    /// # Errors
    ///
    /// [`StoreError::Invalid`] for a URL that is not understood; database and migration errors.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        Self::open_on(url, Clock::default(), FaultPoint::default()).await
    }

    /// Opens the database with this clock for what starts by one.
    ///
    /// # Errors
    ///
    /// Those of [`Store::open`].
    pub async fn open_by(url: &str, clock: Clock) -> Result<Self, StoreError> {
        Self::open_on(url, clock, FaultPoint::default()).await
    }

    /// Opens the database for a test that makes statements fail.
    ///
    /// # Errors
    ///
    /// Those of [`Store::open`], and the failures on purpose.
    pub async fn open_with_faults(url: &str, faults: Arc<dyn Faults>) -> Result<Self, StoreError> {
        Self::open_on(url, Clock::default(), FaultPoint(Some(faults))).await
    }

    async fn open_on(url: &str, clock: Clock, faults: FaultPoint) -> Result<Self, StoreError> {
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
        migrate::run(&mut connection).await?;
        let listener = Listener::default();
        let tx = Tx::open(connection, clock.clone(), faults.clone(), Arc::clone(&listener)).await?;

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
        let schema = Arc::new(ArcSwap::new(Arc::clone(tx.schema())));
        let (requests, waiting) = mpsc::channel(WAITING_REQUESTS);
        let feed = Feed::default();
        let stop = CancellationToken::new();
        let tasks = TaskTracker::new();
        tasks.spawn(writer::Writer::new(tx, Arc::clone(&schema), feed.clone()).run(waiting, stop.clone()));
        tasks.close();
        Ok(Self {
            shared: Arc::new(Shared {
                schema,
                clock,
                faults,
                feed,
                listener,
                readers,
                read_options,
                requests,
                stop,
                tasks,
            }),
        })
    }

    /// How to make a connection that cannot write.
    pub(crate) fn read_options(&self) -> &SqliteConnectOptions {
        &self.shared.read_options
    }

    /// What time it is for what starts by the clock.
    pub fn clock(&self) -> &Clock {
        &self.shared.clock
    }

    /// Today's schema.
    pub fn schema(&self) -> Arc<Schema> {
        self.shared.schema.load_full()
    }

    /// Hears of every change of executions and jobs that is committed from now on, in order. See [`crate::changes`].
    pub fn changes(&self) -> broadcast::Receiver<Change> {
        self.shared.feed.subscribe()
    }

    /// Tells `listener` of changed records from now on, in the transactions that change them. See [`crate::record_changes`].
    /// A store has one listener: later ones are passed over.
    pub fn listen(&self, listener: Arc<dyn RecordListener>) {
        if self.shared.listener.set(listener).is_err() {
            tracing::warn!("the store has a listener already");
        }
    }

    /// Takes a connection that sees everything committed before this call.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn read(&self) -> Result<Conn, StoreError> {
        self.shared.faults.pass("ACQUIRE").map_err(StoreError::Database)?;
        let connection = self.shared.readers.acquire().await.map_err(|error| match error {
            sqlx::Error::PoolClosed => StoreError::Closed,
            other => StoreError::Database(other),
        })?;
        Ok(Conn::reader(connection, self.schema(), self.shared.faults.clone()))
    }

    /// Runs `work` in a transaction and answers after the commit. On an error nothing of `work` is stored.
    /// Work runs in the order of the calls. Once handed over it is carried out even if the caller goes away; a caller that
    /// goes away while the queue is full has not handed it over.
    ///
    /// # Errors
    ///
    /// The error of `work`, or [`StoreError`] if the commit fails, the work panics or the store is closed.
    pub async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: for<'tx> FnOnce(&'tx mut Tx) -> BoxFuture<'tx, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let request = Box::new(Write { work, reply });
        self.shared.requests.send(request).await.map_err(|_closed| StoreError::Closed)?;
        answer.await.unwrap_or_else(|_gone| Err(StoreError::Closed.into()))
    }

    /// Checks that the database answers.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.read().await?.query("SELECT 1", []).await.map(drop)
    }

    /// Finishes what was handed over, waits for the readers and closes the database. Later requests get [`StoreError::Closed`].
    pub async fn close(&self) {
        self.shared.stop.cancel();
        self.shared.tasks.wait().await;
        self.shared.readers.close().await;
    }
}

fn connect_options(url: &str) -> Result<SqliteConnectOptions, StoreError> {
    let path = url.strip_prefix("sqlite:").map(|rest| rest.strip_prefix("//").unwrap_or(rest));
    match path {
        // A database in memory belongs to one connection; readers would not see it.
        Some(path) if !path.is_empty() && path != ":memory:" => Ok(SqliteConnectOptions::new()
            .filename(path)
            .statement_cache_capacity(CACHED_STATEMENTS)
            .busy_timeout(LOCK_TIMEOUT)),
        Some(_) | None => Err(StoreError::invalid("INVALID_VALUE", "the database URL must be sqlite:PATH")),
    }
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
            // The closure itself may panic too, not only its future. A half-changed transaction is rolled back whole.
            let work = async move {
                tx.begin_notes();
                let done = work(&mut *tx).await?;
                tx.tell_notes().await?;
                Ok(done)
            };
            let result =
                AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|_panic| Err(StoreError::Panicked.into()));
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
