//! The keeper: sleeps until a mark is to be asked about, or until something changes.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use store::{RecordChange, StoreError, Tx, WorkflowClock, WorkflowId, WorkflowRow};
use tokio::sync::Notify;

use super::{
    fire::{Fired, fire},
    follow::{Followed, clock_of, follow},
    watched::Watched,
};
use crate::{host::Host, plugins::Plugins};

/// How long a workflow that could not be asked about is left alone, in milliseconds.
const RETRY_MS: i64 = 5_000;
/// Longest time without a look at the marks: how late those of another process on the database are noticed, and how soon another
/// attempt follows one that failed.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// What the keeper is told.
#[derive(Default)]
pub(crate) struct ClockKeeper {
    watched: Watched,
    /// Workflows or plugins may have changed since the keeper looked at them.
    has_changed: AtomicBool,
    woken: Notify,
}

impl ClockKeeper {
    /// Takes the hint that workflows, or the plugins that keep their time, have changed.
    pub(crate) fn workflows_changed(&self) {
        self.has_changed.store(true, Ordering::SeqCst);
        self.woken.notify_one();
    }

    /// Says whether changes of a collection's records matter.
    pub(crate) fn watches(&self, collection: &str) -> bool {
        self.watched.has(collection)
    }

    /// Hears of changed records, in the transaction that changes them.
    pub(crate) async fn hear(self: &Arc<Self>, tx: &mut Tx, changes: &[RecordChange]) -> Result<(), StoreError> {
        if self.watched.hear(tx, changes).await? {
            let keeper = Arc::clone(self);
            tx.afterwards(move || keeper.woken.notify_one());
        }
        Ok(())
    }

    /// Watches what an enabled workflow waits with, before anybody has begun to keep the time for it: a transaction that begins from now on
    /// tells of its changes.
    pub(crate) fn expect(&self, plugins: &Plugins, row: &WorkflowRow) {
        if !plugins.has_clock(&row.trigger_type) {
            return;
        }
        // What its plugin does not take is told when the time is to be kept for it.
        if let Ok(clock) = clock_of(plugins, row) {
            self.watched.add(&clock);
        }
    }

    pub(super) fn begin_again(&self) {
        self.watched.begin_again();
    }

    pub(super) fn watch(&self, clocks: &[WorkflowClock]) {
        self.watched.replace(clocks);
    }

    pub(super) fn watch_too(&self, clock: &WorkflowClock) {
        self.watched.add(clock);
    }
}

/// Keeps the time until the server stops.
pub(crate) fn keep(host: &Arc<Host>) {
    let host_of_task = Arc::clone(host);
    host.requests.spawn(async move { Keeping::new(host_of_task).run().await });
}

/// The keeper's own state.
struct Keeping {
    host: Arc<Host>,
    followed: Followed,
    /// The workflows that could not be asked about, and until when they are left alone.
    held: HashMap<WorkflowId, i64>,
}

impl Keeping {
    fn new(host: Arc<Host>) -> Self {
        host.clock.has_changed.store(true, Ordering::SeqCst);
        Self { host, followed: Followed::default(), held: HashMap::new() }
    }

    async fn run(mut self) {
        let stopping = self.host.stopping();
        while !stopping.is_cancelled() {
            let next = match self.round().await {
                Ok(Next::AtOnce) => continue,
                Ok(Next::At(moment_ms)) => moment_ms,
                Err(StoreError::Closed) => return,
                Err(error) => {
                    tracing::error!(error = &error as &dyn std::error::Error, "what is due could not be started");
                    None
                }
            };
            let clock = self.host.store.clock();
            tokio::select! {
                () = stopping.cancelled() => return,
                () = self.host.clock.woken.notified() => {}
                () = clock.reaches(next.unwrap_or(i64::MAX)), if next.is_some() => {}
                () = tokio::time::sleep(LOOK_AGAIN) => {
                    self.host.clock.has_changed.fetch_or(self.followed.is_incomplete, Ordering::SeqCst);
                }
            }
        }
    }

    /// Follows the workflows, and starts what is due.
    async fn round(&mut self) -> Result<Next, StoreError> {
        if self.host.clock.has_changed.swap(false, Ordering::SeqCst) {
            let again = |_: &StoreError| self.host.clock.has_changed.store(true, Ordering::SeqCst);
            self.followed = follow(&self.host).await.inspect_err(again)?;
        }
        let now_ms = self.host.store.clock().now_ms();
        self.held.retain(|_, until_ms| *until_ms > now_ms);
        let but: Vec<WorkflowId> = self.followed.unattended.iter().chain(self.held.keys()).copied().collect();
        let next_ms = self.host.store.read().await?.next_mark_at(&but).await?;
        if next_ms.is_none_or(|next_ms| next_ms > now_ms) {
            return Ok(Next::At(self.held.values().copied().chain(next_ms).min()));
        }
        let Fired { started, failed, is_idle } = fire(&self.host, but).await?;
        self.host.engine.wake(&started.into_iter().collect::<Vec<_>>());
        // Under a clock that stands still it is tried again when that goes on.
        self.held.extend(failed.into_iter().map(|workflow| (workflow, now_ms.saturating_add(RETRY_MS))));
        Ok(if is_idle { Next::At(None) } else { Next::AtOnce })
    }
}

/// When the next round is.
enum Next {
    AtOnce,
    /// At a moment, if there is one.
    At(Option<i64>),
}
