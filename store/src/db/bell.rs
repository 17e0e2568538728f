//! The bell between the hosts that work on one server: `NOTIFY` to tell the others, `LISTEN` to hear them.
//!
//! Messages are sent after the commit they are about, many at a time, by one task. What is sent while the server cannot be
//! reached is lost, as [`crate::hosts`] allows; a host that has lost its own connection hears [`Hint::Lost`] when it has another one.

mod wire;

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use sqlx::postgres::{PgListener, PgPoolOptions};
use tokio::{
    sync::{broadcast, mpsc},
    time::{Instant, MissedTickBehavior, interval, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    Common,
    lifeline::{ACQUIRE_TIMEOUT, Lifeline},
    pool::Pool,
};
use crate::{
    changes::Feed,
    hosts::{Hint, Message},
};

/// Where all hosts of a database listen.
const CHANNEL: &str = "hosts";
/// Messages that wait to be sent: far more than are sent at a time. Those that find no place are lost.
const WAITING_MESSAGES: usize = 4_096;
/// Messages that are put together at most.
const MESSAGES_AT_A_TIME: usize = 512;
/// Hints kept for those who hear them; who is slower is told that some are lost.
const KEPT_HINTS: usize = 1_024;
/// How often a host says that somebody watches.
const SAYING: Duration = Duration::from_secs(10);
/// How long others go on telling without hearing that again: a saying or two may be lost.
const LISTENING_MS: i64 = 30_000;
/// How long nothing is heard before the server is asked whether it is still there.
const QUIET: Duration = Duration::from_secs(5);
/// Between two attempts to reach the server.
const PAUSE: Duration = Duration::from_secs(1);

/// The handle on the bell.
pub(super) struct Bell {
    outgoing: mpsc::Sender<Message>,
    heard: broadcast::Sender<Hint>,
    watched: Watched,
}

/// Until when other hosts watch, in milliseconds since the store was opened.
#[derive(Clone)]
struct Watched {
    opened: Instant,
    until_ms: Arc<AtomicI64>,
}

impl Watched {
    fn now_ms(&self) -> i64 {
        i64::try_from(self.opened.elapsed().as_millis()).unwrap_or(i64::MAX)
    }
}

/// What the tasks of a bell work with.
#[derive(Clone)]
struct Ringer {
    /// Names this host, so that it does not hear itself.
    name: String,
    lifeline: Lifeline,
    /// For what is sent, one at a time.
    pool: Pool,
    feed: Feed,
    heard: broadcast::Sender<Hint>,
    watched: Watched,
    stop: CancellationToken,
}

impl Bell {
    /// Begins to listen and to send, until the store is closed.
    pub(super) fn hang(lifeline: Lifeline, common: &Common) -> Self {
        let (outgoing, waiting) = mpsc::channel(WAITING_MESSAGES);
        let watched = Watched { opened: Instant::now(), until_ms: Arc::new(AtomicI64::new(0)) };
        let heard = broadcast::Sender::new(KEPT_HINTS);
        let ringer = Ringer {
            name: uuid::Uuid::new_v4().to_string(),
            pool: lifeline.pool(1),
            lifeline,
            feed: common.feed.clone(),
            heard: heard.clone(),
            watched: watched.clone(),
            stop: common.stop.clone(),
        };
        common.tasks.spawn(ringer.clone().listen());
        common.tasks.spawn(ringer.send(waiting));
        Self { outgoing, heard, watched }
    }

    /// Sends messages as soon as it goes.
    pub(super) fn ring(&self, messages: impl IntoIterator<Item = Message>) {
        for message in messages {
            if self.outgoing.try_send(message).is_err() {
                return tracing::debug!("other hosts are not told: too many messages wait");
            }
        }
    }

    /// Hears of hints from now on.
    pub(super) fn hints(&self) -> broadcast::Receiver<Hint> {
        self.heard.subscribe()
    }

    /// Says whether other hosts want to hear of every change.
    pub(super) fn is_watched(&self) -> bool {
        self.watched.now_ms() < self.watched.until_ms.load(Ordering::Relaxed)
    }
}

impl Ringer {
    async fn send(self, mut waiting: mpsc::Receiver<Message>) {
        let mut saying = interval(SAYING);
        saying.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut messages = Vec::new();
        loop {
            tokio::select! {
                biased;
                // What waits is still sent.
                () = self.stop.cancelled(), if !waiting.is_closed() => {
                    waiting.close();
                    continue;
                }
                count = waiting.recv_many(&mut messages, MESSAGES_AT_A_TIME) => {
                    if count == 0 {
                        return;
                    }
                }
                _ = saying.tick() => {
                    if !self.feed.has_readers() {
                        continue;
                    }
                    messages.push(Message::Watching);
                }
            }
            for payload in wire::payloads(&self.name, std::mem::take(&mut messages)) {
                if let Err(error) = self.notify(payload).await {
                    tracing::debug!(%error, "other hosts are not told");
                }
            }
        }
    }

    async fn notify(&self, payload: String) -> Result<(), sqlx::Error> {
        let mut held = self.pool.acquire().await?;
        let (connection, line) = held.parts()?;
        let notify = sqlx::query("SELECT pg_notify($1, $2)").bind(CHANNEL).bind(payload);
        line.answer(notify.execute(connection)).await.map(drop)
    }

    async fn listen(self) {
        let listening = async {
            loop {
                if let Err(error) = self.hear().await {
                    tracing::debug!(%error, "other hosts are not heard");
                }
                sleep(PAUSE).await;
            }
        };
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = listening => {}
        }
    }

    /// Hears the others until the server cannot be reached.
    async fn hear(&self) -> Result<(), sqlx::Error> {
        // A connection that fell silent would keep its place, so each attempt has a pool of its own.
        let pool = PgPoolOptions::new().max_connections(1).acquire_timeout(ACQUIRE_TIMEOUT);
        let pool = pool.connect_lazy_with(self.lifeline.options().clone());
        let mut listener = PgListener::connect_with(&pool).await?;
        listener.eager_reconnect(false);
        listener.listen(CHANNEL).await?;
        // Nothing that is said from here on is missed.
        self.pass_on(Hint::Lost);
        loop {
            match timeout(QUIET, listener.try_recv()).await {
                Ok(Ok(Some(notification))) => self.take(wire::messages(&self.name, notification.payload())),
                Ok(Ok(None)) => return Ok(()),
                Ok(Err(error)) => return Err(error),
                Err(_quiet) => {
                    let asking = timeout(ACQUIRE_TIMEOUT, sqlx::query("SELECT 1").execute(&mut listener));
                    asking.await.unwrap_or(Err(sqlx::Error::PoolTimedOut))?;
                }
            }
        }
    }

    fn take(&self, messages: Vec<Message>) {
        for message in messages {
            match message {
                Message::Hint(hint) => self.pass_on(hint),
                Message::Watching => {
                    self.watched.until_ms.fetch_max(self.watched.now_ms() + LISTENING_MS, Ordering::Relaxed);
                }
                Message::Told(change) => self.feed.pass_on(change),
            }
        }
    }

    fn pass_on(&self, hint: Hint) {
        // There may be nobody to hear it.
        drop(self.heard.send(hint));
    }
}
