//! Tells a PostgreSQL server that takes its time from one that cannot be reached.
//!
//! A network may fail in silence: what is sent vanishes, connections stay open, and whoever waits for an answer waits for good. So about
//! a statement that takes long the server is asked over a new connection: as long as it is at work on it, it may take any time.
//!
//! A connection that was given up is dropped, not returned to its [pool](super::pool). Those that were idle meanwhile have most likely gone
//! the same way, and are not used any more either.

use std::{
    io,
    pin::{Pin, pin},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use sqlx::{
    ConnectOptions as _, Connection as _, Executor as _, PgConnection,
    postgres::{PgConnectOptions, PgDatabaseError, PgSeverity},
};
use tokio::time::timeout;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How long a request waits for a connection before it is told that the database cannot be reached.
pub(super) const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a statement is waited for before the server is asked about it.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// The same for the first statement on a connection, which may be dead: with what follows less than [`ACQUIRE_TIMEOUT`].
const FIRST_PATIENCE: Duration = Duration::from_secs(1);
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
    /// What each connection is told first.
    greeting: &'static str,
    tasks: TaskTracker,
    stop: CancellationToken,
    /// When a connection was last given up.
    lost: Arc<Mutex<Option<Instant>>>,
}

/// A connection that can be asked about.
pub(super) struct Numbered {
    pub(super) connection: PgConnection,
    /// The server's number of it.
    pub(super) pid: i32,
}

/// How whoever holds a connection stands with the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nothing was asked.
    New,
    /// Everything is answered.
    Answered,
    /// Something was asked, and nobody has waited for all of the answer.
    Asked,
    /// The connection had ended before anything was asked.
    Gone,
    /// It has ended, or is silent.
    Ended,
}

/// Waits for what the server answers on one connection.
pub(super) struct Line<'h> {
    lifeline: &'h Lifeline,
    pid: i32,
    standing: &'h mut Standing,
    is_first: bool,
}

impl Lifeline {
    /// For connections with these options; what looks after them is among `tasks`, until `stop`.
    pub(super) fn new(options: PgConnectOptions, tasks: TaskTracker, stop: CancellationToken) -> Self {
        let options = options.options([("idle_in_transaction_session_timeout", SILENT_TRANSACTION)]);
        Self { options: Arc::new(options), greeting: "", tasks, stop, lost: Arc::default() }
    }

    /// Has each connection of a pool carry out these statements before others.
    pub(super) fn greeted_by(self, greeting: &'static str) -> Self {
        Self { greeting, ..self }
    }

    /// How connections are made.
    pub(super) fn options(&self) -> &PgConnectOptions {
        &self.options
    }

    /// What the tasks of connections are among, and when they end.
    pub(super) fn tasks(&self) -> (&TaskTracker, &CancellationToken) {
        (&self.tasks, &self.stop)
    }

    /// Makes a connection of its own.
    pub(super) async fn connect(&self) -> Result<PgConnection, sqlx::Error> {
        timeout(ACQUIRE_TIMEOUT, self.options.connect()).await.unwrap_or_else(|_late| Err(silence()))
    }

    /// Makes one for a pool.
    pub(super) async fn connect_numbered(&self) -> Result<Numbered, sqlx::Error> {
        let mut connection = self.connect().await?;
        let pid = sqlx::query_scalar("SELECT pg_backend_pid()").persistent(false).fetch_one(&mut connection).await?;
        if !self.greeting.is_empty() {
            connection.execute(self.greeting).await?;
        }
        Ok(Numbered { connection, pid })
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

    /// What waits for the answer to the next question on a connection.
    pub(super) fn line<'h>(&'h self, pid: i32, standing: &'h mut Standing) -> Line<'h> {
        let is_first = *standing == Standing::New;
        *standing = Standing::Asked;
        Line { lifeline: self, pid, standing, is_first }
    }

    /// Takes note that connections that are idle now are most likely of no use.
    pub(super) fn has_lost(&self) {
        *self.lost.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Says whether a connection was lost while another one was idle for so long.
    pub(super) fn has_lost_within(&self, idle: Duration) -> bool {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|lost| lost.elapsed() < idle)
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
        let answer = self.wait(pin!(statement)).await;
        *self.standing = match &answer {
            Some(Err(error)) if is_the_end(error) && self.is_first => Standing::Gone,
            Some(Err(error)) if is_the_end(error) => Standing::Ended,
            Some(_) => Standing::Answered,
            None => Standing::Ended,
        };
        answer.unwrap_or_else(|| Err(silence()))
    }

    /// `None` if there will be no answer.
    async fn wait<T>(
        &self,
        mut statement: Pin<&mut impl Future<Output = Result<T, sqlx::Error>>>,
    ) -> Option<Result<T, sqlx::Error>> {
        let mut patience = if self.is_first { FIRST_PATIENCE } else { PATIENCE };
        loop {
            if let Ok(answer) = timeout(patience, &mut statement).await {
                return Some(answer);
            }
            patience = PATIENCE;
            let is_at_work = tokio::select! {
                biased;
                answer = &mut statement => return Some(answer),
                is_at_work = self.lifeline.is_at_work(self.pid) => is_at_work,
            };
            if is_at_work {
                continue;
            }
            if let Ok(answer) = timeout(ON_ITS_WAY, &mut statement).await {
                return Some(answer);
            }
            self.lifeline.has_lost();
            return None;
        }
    }
}

/// Says whether an error is the last that is heard on its connection.
fn is_the_end(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(refused) => refused
            .try_downcast_ref::<PgDatabaseError>()
            .is_some_and(|refused| matches!(refused.severity(), PgSeverity::Fatal | PgSeverity::Panic)),
        other => matches!(other, sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_)),
    }
}

pub(super) fn silence() -> sqlx::Error {
    sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, "the database does not answer"))
}
