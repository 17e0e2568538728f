//! The sweep: looks into the store for work that no hint told of, for what falls due, and for executions whose time is over.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use futures::future::BoxFuture;
use store::{Clock, StoreError};
use tokio::sync::Notify;

use super::Dispatcher;
use crate::processor::Task;

/// Longest time between two sweeps: how late work is found of which no hint came, as after another process's crash.
const LONGEST: Duration = Duration::from_secs(2);

/// Shortest time between two sweeps, so that many short delays share one.
const SHORTEST: Duration = Duration::from_millis(5);

/// Due executions, and others to be gone on with, taken up by one sweep; the next one follows at once if there are more.
pub(super) const DUE_PER_SWEEP: u32 = 1_000;

/// When the next sweep is.
pub(super) struct Alarm {
    at_ms: AtomicI64,
    earlier: Notify,
}

impl Default for Alarm {
    fn default() -> Self {
        Self { at_ms: AtomicI64::new(i64::MAX), earlier: Notify::new() }
    }
}

impl Alarm {
    /// Asks for a sweep at this moment, if none is planned by then.
    pub(super) fn set(&self, at_ms: i64) {
        if self.at_ms.fetch_min(at_ms, Ordering::SeqCst) > at_ms {
            self.earlier.notify_one();
        }
    }

    /// Waits until it is so late by this clock; not longer than [`LONGEST`] if that is not soon, or if the clock stands still.
    async fn wait(&self, clock: &Clock) {
        tokio::time::sleep(SHORTEST).await;
        let longest = tokio::time::sleep(LONGEST);
        tokio::pin!(longest);
        loop {
            tokio::select! {
                () = clock.reaches(self.at_ms.load(Ordering::SeqCst)) => return,
                () = &mut longest => return,
                () = self.earlier.notified() => {}
            }
        }
    }
}

impl Dispatcher {
    /// Sweeps from time to time, until told to stop.
    pub(super) async fn sweep(&self) {
        loop {
            // What is set from here on is later than what this sweep sees, or is seen by it.
            self.alarm.at_ms.store(i64::MAX, Ordering::SeqCst);
            match self.sweep_once().await {
                Ok(next) => self.alarm.set(next.unwrap_or(i64::MAX)),
                Err(StoreError::Closed) => return,
                Err(error) => tracing::warn!(error = &error as &dyn std::error::Error, "the sweep failed"),
            }
            tokio::select! {
                () = self.draining.cancelled() => return,
                () = self.alarm.wait(self.store.clock()) => {}
            }
        }
    }

    /// Takes up what is queued or due; answers when the next job falls due.
    async fn sweep_once(&self) -> Result<Option<i64>, StoreError> {
        self.processor.hand_back_interrupted().await?;
        let now_ms = self.store.clock().now_ms();
        let mut conn = self.store.read().await?;
        if !self.works() {
            for id in self.processor.abandoned(&mut conn).await? {
                self.line.push(Task::This(id));
            }
            return Ok(None);
        }
        // What may begin now, with what is taken back, is in the queue before it is read.
        let not_before = conn.next_not_before().await?;
        if not_before.is_some_and(|not_before| not_before <= now_ms) {
            drop(conn);
            self.queue_due(now_ms).await?;
            conn = self.store.read().await?;
        }
        let not_before = conn.next_not_before().await?;
        let lease_clock_ms = conn.now_ms().await?;
        if conn.has_expired_claims(lease_clock_ms).await? {
            drop(conn);
            self.processor.take_back().await?;
            conn = self.store.read().await?;
        }
        let (due, next) = conn.due_executions(now_ms, DUE_PER_SWEEP).await?;
        let ready = conn.ready_executions(DUE_PER_SWEEP).await?;
        let more = due.len().max(ready.len()) >= DUE_PER_SWEEP as usize;
        for id in self.processor.abandoned(&mut conn).await?.into_iter().chain(ready).chain(due) {
            self.line.push(Task::This(id));
        }
        let queued = conn.workflows_with_queued().await?;
        let (expired, next_expiry) = conn.expired_executions(now_ms, DUE_PER_SWEEP).await?;
        drop(conn);
        self.wake(&queued);
        for id in &expired {
            if let Some(woken) = self.processor.expire(*id, None).await? {
                self.wake(&woken);
            }
        }
        let more = more || !expired.is_empty();
        let next = [next, not_before, next_expiry].into_iter().flatten().min();
        Ok(if more { Some(now_ms) } else { next })
    }

    /// Lets begin what may from now on.
    async fn queue_due(&self, now_ms: i64) -> Result<(), StoreError> {
        let workflows = self
            .store
            .write(move |tx| -> BoxFuture<'_, Result<_, StoreError>> {
                Box::pin(async move { tx.queue_due(now_ms, DUE_PER_SWEEP).await })
            })
            .await?;
        self.wake(&workflows);
        Ok(())
    }
}
