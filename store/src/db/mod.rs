//! Opening the database, reading from it, and writing.
//!
//! [`Store::write`] takes a closure, runs it in a transaction and answers after the commit. How depends on the database: in
//! SQLite one task runs the closures of many callers, one after the other, and commits them together (`sqlite.rs`); in
//! PostgreSQL each has a connection and a transaction of its own, beside others (`postgres.rs`), and so it has in a further
//! database of any kind, which others write too (`further.rs`). Readers have connections of their own and never wait for
//! writers. Only this module knows the databases; it knows nothing of filters or associations.

mod arguments;
mod bell;
mod bulk;
mod conn;
pub(crate) mod dialect;
mod faults;
mod fixed;
mod further;
mod ids;
mod lifeline;
mod link;
mod migrate;
mod native;
mod pool;
mod postgres;
mod predecessors;
pub(crate) mod refusal;
mod row;
mod server_time;
mod snapshot;
mod sqlite;
mod step;
mod transaction;
mod writer;

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use futures::future::BoxFuture;
use sea_query_sqlx::SqlxValues;
use tokio::sync::broadcast;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    changes::{Change, Feed},
    clock::Clock,
    error::StoreError,
    hosts::{Hint, Message},
    id::WorkflowId,
    record_changes::{Listener, RecordListener},
    schema::Schema,
};
use faults::FaultPoint;
use further::Further;
use link::Link;
use postgres::Postgres;
use sqlite::Sqlite;

pub use conn::{Conn, Tx};
pub(crate) use dialect::Dialect;
pub use faults::Faults;
pub(crate) use fixed::{Fixed, each, listed, listed_texts};
pub use further::ConnectOptions;
pub(crate) use ids::ids;
pub use native::Native;
pub(crate) use native::{Digits, Listed};
pub(crate) use row::{Cell, Row};
pub use snapshot::database_file;
pub(crate) use snapshot::{Found, shown, snapshot};
pub(crate) use sqlite::LOCK_TIMEOUT;

/// Requests that wait to be written. At a few thousand small ones a second this is well under a second of work; more
/// callers than that wait in [`Store::write`].
const WAITING_REQUESTS: usize = 1_024;
/// Reads are short; more connections than this only compete for the processor and the page cache.
const READERS: u32 = 8;
/// Prepared statements kept per connection. Their texts depend on the collection and the shape of the filter.
const CACHED_STATEMENTS: usize = 512;

/// The database. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
}

struct Shared {
    engine: Engine,
    common: Common,
}

/// What does the work.
enum Engine {
    Sqlite(Box<Sqlite>),
    Postgres(Arc<Postgres>),
    Further(Arc<Further>),
}

/// What all databases have to do with.
#[derive(Clone)]
struct Common {
    schema: Arc<ArcSwap<Schema>>,
    clock: Clock,
    faults: FaultPoint,
    feed: Feed,
    listener: Listener,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Store {
    /// Opens the database and applies the migrations. `url`: `sqlite:PATH`, whose file is made if there is none, or
    /// `postgres://USER:PASSWORD@HOST:PORT/DATABASE`.
    ///
    /// # Errors
    ///
    /// [`StoreError::Invalid`] for a URL that is not understood, or with `UNFINISHED_COPY` for a database into which another one is
    /// still to be [copied](crate::transfer()); database and migration errors.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        Self::open_by(url, Clock::default()).await
    }

    /// Opens the database with this clock. One of a server leads it, unless it stands still.
    ///
    /// # Errors
    ///
    /// Those of [`Store::open`].
    pub async fn open_by(url: &str, clock: Clock) -> Result<Self, StoreError> {
        let store = Self::open_on(url, clock, FaultPoint::default()).await?;
        let unfinished = store.read().await?.unfinished_copy().await?;
        let Some(source) = unfinished else { return Ok(store) };
        store.close().await;
        let message = format!("it is an unfinished copy of {source}; `host-demo migrate` goes on with it");
        Err(StoreError::invalid("UNFINISHED_COPY", message))
    }

    /// Opens a database that another one is to be copied into, perhaps for a test that makes statements fail.
    pub(crate) async fn open_to_copy(url: &str, faults: Option<Arc<dyn Faults>>) -> Result<Self, StoreError> {
        Self::open_on(url, Clock::default(), FaultPoint(faults)).await
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
        let common = Common::new(clock, faults);
        let engine = if snapshot::is_postgres(url) {
            Engine::Postgres(Arc::new(Postgres::open(url, &common).await?))
        } else {
            Engine::Sqlite(Box::new(Sqlite::open(url, &common).await?))
        };
        common.tasks.close();
        Ok(Self { shared: Arc::new(Shared { engine, common }) })
    }

    /// Opens a further database: somebody else's, in which nothing is changed by that, and whose tables are its collections.
    /// `url`: `sqlite:PATH` of a file that is there, `postgres://USER:PASSWORD@HOST:PORT/DATABASE`, or `mysql://…` or
    /// `mariadb://…` likewise. Its structure is read, and from then on as it was, until [`refresh_structure`](Self::refresh_structure).
    ///
    /// What is in it is written by others too, at any time. It has records and nothing else: what a host needs for itself, such
    /// as executions, is refused with `MAIN_ONLY`.
    ///
    /// # Errors
    ///
    /// [`StoreError::Invalid`] for a URL that is not understood; database errors, if it cannot be reached or read.
    pub async fn connect(url: &str, options: &ConnectOptions) -> Result<Self, StoreError> {
        let common = Common::new(Clock::default(), FaultPoint::default());
        let engine = Engine::Further(Arc::new(Further::connect(url, options, &common).await?));
        common.tasks.close();
        let store = Self { shared: Arc::new(Shared { engine, common }) };
        store.refresh_structure().await?;
        Ok(store)
    }

    /// The further database that it is, if it is one.
    pub(crate) fn further(&self) -> Result<&Further, StoreError> {
        match &self.shared.engine {
            Engine::Further(further) => Ok(further),
            Engine::Sqlite(_) | Engine::Postgres(_) => {
                Err(StoreError::invalid("FURTHER_ONLY", "only a further data source has that"))
            }
        }
    }

    /// Works with another structure from now on.
    pub(crate) fn set_structure(&self, schema: Schema) {
        self.shared.common.schema.store(Arc::new(schema));
    }

    /// What time it is for those who work on the database.
    pub fn clock(&self) -> &Clock {
        &self.shared.common.clock
    }

    /// Today's schema.
    pub fn schema(&self) -> Arc<Schema> {
        self.shared.common.schema.load_full()
    }

    /// Hears of every change of executions and jobs that is committed from now on, by this process, and, a moment later, by
    /// others. See [`crate::changes`].
    pub fn changes(&self) -> broadcast::Receiver<Change> {
        let receiver = self.shared.common.feed.subscribe();
        if let Engine::Postgres(postgres) = &self.shared.engine {
            postgres.bell().ring([Message::Watching]);
        }
        receiver
    }

    /// Says whether other hosts may work on the same main database.
    pub fn is_shared(&self) -> bool {
        matches!(self.shared.engine, Engine::Postgres(_))
    }

    /// Hears the hints of other hosts from now on; `None` if there can be no others. See [`crate::hosts`].
    pub fn hints(&self) -> Option<broadcast::Receiver<Hint>> {
        match &self.shared.engine {
            Engine::Sqlite(_) | Engine::Further(_) => None,
            Engine::Postgres(postgres) => Some(postgres.bell().hints()),
        }
    }

    /// Gives other hosts a hint, if there are any. It may be lost.
    pub fn hint(&self, hint: Hint) {
        if let Engine::Postgres(postgres) = &self.shared.engine {
            postgres.bell().ring([Message::Hint(hint)]);
        }
    }

    /// Tells `listener` of changed records from now on, in the transactions that change them. See [`crate::record_changes`].
    /// A store has one listener: later ones are passed over.
    pub fn listen(&self, listener: Arc<dyn RecordListener>) {
        if self.shared.common.listener.set(listener).is_err() {
            tracing::warn!("the store has a listener already");
        }
    }

    /// Takes a connection that sees everything committed before this call.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn read(&self) -> Result<Conn, StoreError> {
        let (schema, faults) = (self.schema(), self.shared.common.faults.clone());
        faults.pass("ACQUIRE").map_err(StoreError::Database)?;
        Ok(match &self.shared.engine {
            Engine::Sqlite(sqlite) => Conn::new(Link::SqlitePooled(sqlite.reader().await?), schema, faults),
            Engine::Postgres(postgres) => Conn::new(Link::PostgresReader(postgres.reader().await?), schema, faults),
            Engine::Further(further) => Conn::new(further.reader().await?, schema, faults),
        })
    }

    /// Runs `work` in a transaction and answers after the commit. On an error nothing of `work` is stored. Once handed over
    /// it is carried out even if the caller goes away; a caller that goes away while the queue is full has not handed it
    /// over.
    ///
    /// Transactions of SQLite follow each other in the order of the calls. Those of PostgreSQL and of further databases run beside
    /// each other, and each statement sees what others have committed before it: what `work` reads and then relies on it has to
    /// hold.
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
        self.write_in_turn(None, work).await
    }

    /// [`Store::write`] for who is going to [claim](Tx::claim_next) executions of a workflow: what claims have to wait for is
    /// waited for at the beginning, which costs no statement more.
    ///
    /// # Errors
    ///
    /// Those of [`Store::write`].
    pub async fn write_in_turn<T, E, F>(&self, workflow: Option<WorkflowId>, work: F) -> Result<T, E>
    where
        F: for<'tx> FnOnce(&'tx mut Tx) -> BoxFuture<'tx, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        match &self.shared.engine {
            Engine::Sqlite(sqlite) => sqlite.write(work).await,
            Engine::Postgres(postgres) => postgres.write(workflow, work).await,
            Engine::Further(further) => further.write(work).await,
        }
    }

    /// Runs a reading statement that others have written, on a connection that cannot write, and takes its rows one by one. It
    /// is interrupted when its time is over.
    ///
    /// # Errors
    ///
    /// [`StoreError::Invalid`] with `SQL` if the database refuses the statement or the time is over; what `take` answers;
    /// database errors.
    pub(crate) async fn read_guarded(
        &self,
        text: String,
        values: SqlxValues,
        time: Duration,
        take: impl FnMut(&Row) -> Result<(), StoreError> + Send,
    ) -> Result<(), StoreError> {
        match &self.shared.engine {
            Engine::Sqlite(sqlite) => sqlite.read_guarded(text, values, time, take).await,
            Engine::Postgres(postgres) => postgres.read_guarded(text, values, time, take).await,
            Engine::Further(_) => Err(StoreError::invalid("MAIN_ONLY", "SQL is for the main data source")),
        }
    }

    /// Does something in the background, unless the store is closed before it is done.
    pub(crate) fn spawn_until_closed(&self, work: impl Future<Output = ()> + Send + 'static) {
        let stop = self.shared.common.stop.clone();
        self.shared.common.tasks.spawn(async move {
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                () = work => {}
            }
        });
    }

    /// Checks that the database answers.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.read().await?.ask("SELECT 1", []).await.map(drop)
    }

    /// Finishes what was handed over, waits for the readers and closes the database. Later requests get [`StoreError::Closed`].
    pub async fn close(&self) {
        self.shared.common.stop.cancel();
        self.shared.common.tasks.wait().await;
        match &self.shared.engine {
            Engine::Sqlite(sqlite) => sqlite.close().await,
            Engine::Postgres(postgres) => postgres.close().await,
            Engine::Further(further) => further.close().await,
        }
    }
}

impl Common {
    fn new(clock: Clock, faults: FaultPoint) -> Self {
        Self {
            schema: Arc::default(),
            clock,
            faults,
            feed: Feed::default(),
            listener: Listener::default(),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        }
    }
}

/// A connection of a pool, or why there is none.
fn acquired<T>(acquired: Result<T, sqlx::Error>) -> Result<T, StoreError> {
    acquired.map_err(|error| match error {
        sqlx::Error::PoolClosed => StoreError::Closed,
        other => StoreError::Database(other),
    })
}
