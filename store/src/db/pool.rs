//! Connections to a PostgreSQL server that are used again and again.
//!
//! Taking one and giving it back asks nothing of the server: what has answered a moment ago is taken to be there. Who finds out
//! with the first statement that it is not, asks again on [another one](Held::replace). A connection that has rested for longer is
//! asked whether it is there before it is used.

use std::time::Duration;

use deadpool::managed::{self, Manager, Metrics, Object, PoolError, QueueMode, RecycleError, RecycleResult, WeakPool};
use futures::future::{BoxFuture, join_all};
use sqlx::{Connection as _, PgConnection};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_util::{
    sync::CancellationToken,
    task::{TaskTracker, task_tracker::TaskTrackerToken},
};

use super::lifeline::{ACQUIRE_TIMEOUT, Lifeline, Line, Numbered, PATIENCE, Standing, silence};

/// How long a connection is taken to be there without being asked.
const TRUSTED: Duration = Duration::from_secs(1);
/// How long it may take to answer then: less than a request waits, so that there is time for another one.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a connection is used at most: the server keeps memory of what was done on it.
const LIFETIME: Duration = Duration::from_secs(30 * 60);
/// How long connections of the main database are kept without work.
const IDLE: Duration = Duration::from_secs(10 * 60);
/// Between attempts to reach a server that takes no connections, at first and at most.
const PAUSES: [Duration; 2] = [Duration::from_millis(10), Duration::from_secs(1)];

/// So many connections at most, made when they are needed. Cheap to clone.
#[derive(Clone)]
pub(super) struct Pool {
    connections: managed::Pool<Lifeline>,
    held: TaskTracker,
}

/// A connection that somebody holds. Returned to its pool when dropped.
pub(super) struct Held {
    /// There until it is closed.
    connection: Option<Object<Lifeline>>,
    standing: Standing,
    pool: Pool,
    /// Lets the pool wait for it.
    _token: TaskTrackerToken,
}

impl Manager for Lifeline {
    type Type = Numbered;
    type Error = sqlx::Error;

    /// Tries for as long as somebody waits.
    async fn create(&self) -> Result<Numbered, sqlx::Error> {
        let [mut pause, longest] = PAUSES;
        loop {
            match self.connect_numbered().await {
                Err(error) if takes_none_now(&error) => {
                    sleep(pause).await;
                    pause = longest.min(pause * 2);
                }
                connected => return connected,
            }
        }
    }

    async fn recycle(&self, numbered: &mut Numbered, metrics: &Metrics) -> RecycleResult<sqlx::Error> {
        let idle = metrics.last_used();
        if metrics.age() > LIFETIME || self.has_lost_within(idle) {
            return Err(RecycleError::message("it is not used any more"));
        }
        if idle < TRUSTED {
            return Ok(());
        }
        let Ok(answer) = timeout(ANSWER_TIMEOUT, numbered.connection.ping()).await else {
            self.has_lost();
            return Err(RecycleError::Backend(silence()));
        };
        answer.map_err(RecycleError::Backend)
    }
}

impl Lifeline {
    /// A pool of so many connections at most.
    pub(super) fn pool(&self, connections: u32) -> Pool {
        self.pool_for(connections, IDLE)
    }

    /// A pool of so many connections at most, which are kept without work for so long.
    pub(super) fn pool_for(&self, connections: u32, idle: Duration) -> Pool {
        let connections = managed::Pool::builder(self.clone())
            .max_size(usize::try_from(connections).unwrap_or(usize::MAX))
            // Those that were not needed lately are left to be closed.
            .queue_mode(QueueMode::Lifo)
            .build()
            // Only timeouts of its own would need a runtime.
            .unwrap_or_else(|error| unreachable!("{error}"));
        let (tasks, stop) = self.tasks();
        tasks.spawn(close_idle(connections.weak(), idle, stop.clone()));
        Pool { connections, held: TaskTracker::new() }
    }
}

impl Pool {
    /// Takes a connection.
    pub(super) async fn acquire(&self) -> Result<Held, sqlx::Error> {
        let token = self.held.token();
        let connection = timeout(ACQUIRE_TIMEOUT, self.connections.get());
        let connection = connection.await.map_err(|_late| sqlx::Error::PoolTimedOut)?.map_err(|error| match error {
            PoolError::Backend(error) => error,
            PoolError::Closed => sqlx::Error::PoolClosed,
            // There are no hooks, and no timeouts of its own.
            PoolError::Timeout(_) | PoolError::NoRuntimeSpecified | PoolError::PostCreateHook(_) => {
                sqlx::Error::PoolTimedOut
            }
        })?;
        Ok(Held { connection: Some(connection), standing: Standing::New, pool: self.clone(), _token: token })
    }

    /// Waits for the connections that are held, and closes all.
    pub(super) async fn close(&self) {
        let idle = self.connections.retain(|_, _| false).removed;
        self.connections.close();
        self.held.close();
        close_all(idle).await;
        self.held.wait().await;
    }
}

impl Held {
    /// The connection, and what waits for its answers.
    pub(super) fn parts(&mut self) -> Result<(&mut PgConnection, Line<'_>), sqlx::Error> {
        let Self { connection, standing, pool, .. } = self;
        match (connection, *standing) {
            (Some(numbered), Standing::New | Standing::Answered | Standing::Asked) => {
                let line = pool.connections.manager().line(numbered.pid, standing);
                Ok((&mut numbered.connection, line))
            }
            (Some(_), Standing::Gone | Standing::Ended) | (None, _) => Err(silence()),
        }
    }

    /// Says whether the connection had ended before anything was asked on it.
    pub(super) fn was_gone(&self) -> bool {
        self.standing == Standing::Gone
    }

    /// Takes another connection instead of one that was gone. Those that are idle are not trusted any more.
    ///
    /// In a box: it is rare, and everybody who runs a statement would carry along its size.
    pub(super) fn replace(&mut self) -> BoxFuture<'_, Result<(), sqlx::Error>> {
        Box::pin(async {
            self.pool.connections.manager().has_lost();
            drop(self.connection.take().map(Object::take));
            *self = self.pool.clone().acquire().await?;
            Ok(())
        })
    }

    /// Ends it.
    pub(super) async fn close(mut self) -> Result<(), sqlx::Error> {
        let Some(Numbered { connection, .. }) = self.connection.take().map(Object::take) else { return Ok(()) };
        match self.standing {
            Standing::New | Standing::Answered | Standing::Asked => {
                timeout(PATIENCE, connection.close()).await.unwrap_or_else(|_late| Err(silence()))
            }
            Standing::Gone | Standing::Ended => Ok(()),
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else { return };
        match self.standing {
            Standing::New | Standing::Answered => drop(connection),
            Standing::Gone | Standing::Ended => drop(Object::take(connection)),
            // The rest of the answer is read before others ask. A connection on which it does not come would keep its place for good.
            Standing::Asked => {
                let lifeline = self.pool.connections.manager().clone();
                let tasks = lifeline.tasks().0.clone();
                tasks.spawn(async move {
                    let answer = timeout(PATIENCE, connection.connection.ping()).await;
                    if answer.is_err() {
                        lifeline.has_lost();
                    }
                    if !matches!(answer, Ok(Ok(()))) {
                        drop(Object::take(connection));
                    }
                });
            }
        }
    }
}

/// Says whether a server that is starting, or has too many connections, is to be asked again.
fn takes_none_now(error: &sqlx::Error) -> bool {
    /// `cannot_connect_now` and `too_many_connections`.
    const NOT_NOW: [&str; 2] = ["57P03", "53300"];
    match error {
        sqlx::Error::Io(error) => error.kind() == std::io::ErrorKind::ConnectionRefused,
        sqlx::Error::Database(refused) => refused.code().is_some_and(|code| NOT_NOW.contains(&code.as_ref())),
        _ => false,
    }
}

/// Closes connections that are idle for so long, as long as there is the pool.
async fn close_idle(pool: WeakPool<Lifeline>, idle: Duration, stop: CancellationToken) {
    let mut ticks = interval(idle / 2);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let Some(pool) = pool.upgrade() else { return };
        close_all(pool.retain(|_, metrics| metrics.last_used() < idle).removed).await;
    }
}

async fn close_all(connections: Vec<Numbered>) {
    join_all(connections.into_iter().map(|numbered| close(numbered.connection))).await;
}

async fn close(connection: PgConnection) {
    if !matches!(timeout(PATIENCE, connection.close()).await, Ok(Ok(()))) {
        tracing::debug!("a connection did not close cleanly");
    }
}
