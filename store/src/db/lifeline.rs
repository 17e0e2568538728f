//! Tells a PostgreSQL server that takes its time from one that cannot be reached.
//!
//! A network may fail in silence: what is sent vanishes, connections stay open, and whoever waits for an answer waits for good. So each
//! connection is asked for its number before it is used, and about a statement that takes long the server is asked over a new connection:
//! as long as it is at work on it, it may take any time.
//!
//! A connection that was given up is dropped, not returned. Those that were idle meanwhile have most likely gone the same way, and are
//! not used any more either.

use std::{
    io,
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use futures::FutureExt as _;
use sqlx::{
    ConnectOptions as _, Connection as _, PgConnection, PgPool, Postgres,
    pool::PoolConnection,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use super::refusal::is_transient;

/// How long a request waits for a connection before it is told that the database cannot be reached.
pub(super) const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a connection may take to tell its number: less than a request waits, so that there is time for another one.
const IDENTIFY_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a statement is waited for before the server is asked about it.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long the server may take to answer that, with a new connection.
const ASK_TIMEOUT: Duration = Duration::from_secs(3);
/// How long an answer may be on its way that the server says it has given.
const ON_ITS_WAY: Duration = Duration::from_secs(1);
/// How long the server keeps a transaction, with its locks, that nothing is heard of: as long as a lease lasts, after which others would
/// go on with its work anyway.
const SILENT_TRANSACTION: &str = "15s";

/// What all connections of a store to its server have in common. Cheap to clone.
#[derive(Clone)]
pub(super) struct Lifeline {
    options: Arc<PgConnectOptions>,
    tasks: TaskTracker,
    /// When a connection was last given up.
    lost: Arc<Mutex<Option<Instant>>>,
}

/// A connection that somebody holds. Returned to its pool when dropped.
pub(super) struct Held {
    /// There until it is closed.
    connection: Option<PoolConnection<Postgres>>,
    /// The server's number of it.
    pid: i32,
    is_lost: bool,
    lifeline: Lifeline,
}

/// Waits for what the server answers on one connection.
pub(super) struct Line<'h> {
    pid: i32,
    is_lost: &'h mut bool,
    lifeline: &'h Lifeline,
}

impl Lifeline {
    /// For connections with these options; what ends connections is among `tasks`.
    pub(super) fn new(options: PgConnectOptions, tasks: TaskTracker) -> Self {
        let options = options.options([("idle_in_transaction_session_timeout", SILENT_TRANSACTION)]);
        Self { options: Arc::new(options), tasks, lost: Arc::default() }
    }

    /// How connections are made.
    pub(super) fn options(&self) -> &PgConnectOptions {
        &self.options
    }

    /// Makes a connection of its own.
    pub(super) async fn connect(&self) -> Result<PgConnection, sqlx::Error> {
        timeout(ACQUIRE_TIMEOUT, self.options.connect()).await.unwrap_or_else(|_late| Err(silence()))
    }

    /// A pool of so many connections at most.
    pub(super) fn pool(&self, connections: u32) -> PgPool {
        self.pool_of(PgPoolOptions::new().max_connections(connections))
    }

    /// A pool with these limits.
    pub(super) fn pool_of(&self, limits: PgPoolOptions) -> PgPool {
        let lifeline = self.clone();
        limits
            .acquire_timeout(ACQUIRE_TIMEOUT)
            // Each tells its number instead.
            .test_before_acquire(false)
            .before_acquire(move |_, meta| {
                let is_suspect = lifeline.last_loss().is_some_and(|lost| lost.elapsed() < meta.idle_for);
                async move { Ok(!is_suspect) }.boxed()
            })
            .connect_lazy_with((*self.options).clone())
    }

    /// Takes a connection that answers.
    pub(super) async fn acquire(&self, pool: &PgPool) -> Result<Held, sqlx::Error> {
        let acquiring = async {
            loop {
                let connection = Some(pool.acquire().await?);
                let mut held = Held { connection, pid: 0, is_lost: false, lifeline: self.clone() };
                match timeout(IDENTIFY_TIMEOUT, held.identify()).await {
                    Ok(Ok(())) => return Ok(held),
                    Ok(Err(error)) if !is_transient(&error) => return Err(error),
                    // It has broken, or was ended, while nobody used it.
                    Ok(Err(_)) => held.is_lost = true,
                    Err(_late) => {
                        held.is_lost = true;
                        self.has_lost();
                    }
                }
            }
        };
        timeout(ACQUIRE_TIMEOUT, acquiring).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
    }

    /// Says whether the server is at work on what it was asked on a connection.
    async fn is_at_work(&self, pid: i32) -> bool {
        let asking = async {
            let mut connection = self.options.connect().await?;
            let state = sqlx::query_scalar("SELECT state FROM pg_stat_activity WHERE pid = $1").bind(pid);
            let state: Option<Option<String>> = state.fetch_optional(&mut connection).await?;
            connection.close().await.map(|()| state)
        };
        match timeout(ASK_TIMEOUT, asking).await {
            Ok(Ok(Some(state))) => state.is_none_or(|state| !state.starts_with("idle")),
            // It is there, and has no time to tell.
            Ok(Err(sqlx::Error::Database(_))) => true,
            Ok(Ok(None) | Err(_)) | Err(_) => false,
        }
    }

    fn has_lost(&self) {
        *self.lost.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    fn last_loss(&self) -> Option<Instant> {
        *self.lost.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    /// The connection, and what waits for its answers.
    pub(super) fn parts(&mut self) -> Result<(&mut PgConnection, Line<'_>), sqlx::Error> {
        let Self { connection, pid, is_lost, lifeline } = self;
        match connection {
            Some(connection) if !*is_lost => Ok((&mut **connection, Line { pid: *pid, is_lost, lifeline })),
            Some(_) | None => Err(silence()),
        }
    }

    async fn identify(&mut self) -> Result<(), sqlx::Error> {
        let (connection, _) = self.parts()?;
        self.pid = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(connection).await?;
        Ok(())
    }

    /// Ends it.
    pub(super) async fn close(mut self) -> Result<(), sqlx::Error> {
        match self.connection.take() {
            Some(connection) if !self.is_lost => {
                timeout(PATIENCE, connection.close()).await.unwrap_or_else(|_late| Err(silence()))
            }
            Some(connection) => {
                drop(connection.detach());
                Ok(())
            }
            None => Ok(()),
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else { return };
        if self.is_lost {
            return drop(connection.detach());
        }
        // A connection that does not answer would keep its place in the pool for good.
        let (returning, lifeline) = (connection.return_to_pool(), self.lifeline.clone());
        self.lifeline.tasks.spawn(async move {
            if timeout(PATIENCE, returning).await.is_err() {
                lifeline.has_lost();
            }
        });
    }
}

impl Line<'_> {
    /// Waits for an answer as long as the server is at work on it.
    ///
    /// # Errors
    ///
    /// The statement's, or that there will be no answer; whether the statement was carried out is not known then.
    pub(super) async fn answer<T>(
        self,
        statement: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, sqlx::Error> {
        let mut statement = pin!(statement);
        loop {
            if let Ok(answer) = timeout(PATIENCE, &mut statement).await {
                return answer;
            }
            let is_at_work = tokio::select! {
                biased;
                answer = &mut statement => return answer,
                is_at_work = self.lifeline.is_at_work(self.pid) => is_at_work,
            };
            if is_at_work {
                continue;
            }
            if let Ok(answer) = timeout(ON_ITS_WAY, &mut statement).await {
                return answer;
            }
            *self.is_lost = true;
            self.lifeline.has_lost();
            return Err(silence());
        }
    }
}

fn silence() -> sqlx::Error {
    sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, "the database does not answer"))
}
