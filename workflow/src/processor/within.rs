//! Executions that are part of somebody's transaction: what they write is stored with it, or not at all.
//!
//! Everybody who writes waits for the transaction. So such an execution has no time to wait for anything: its nodes neither wait
//! nor reach outside of the store, and it is given up when it takes too long. What it sees is what the transaction sees. If the
//! transaction is undone, so are the execution and its jobs.

use std::{
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use futures::FutureExt as _;
use store::{ExecutionId, Tx, with_room};
use tracing::Instrument as _;

use super::{
    Begun, Lane, Next, Processor, Ran, Running, Task, span,
    walk::{Part, Walk},
};
use crate::{EngineError, reader::Within};

/// How long an execution may hold up the transaction: long for what databases and calculations take, short for those who wait.
const LONGEST: Duration = Duration::from_secs(2);

impl Processor {
    /// Runs an execution that was stored in this transaction under this process's claim; `None` if there is none to run.
    pub(crate) async fn run_within(self: &Arc<Self>, tx: &mut Tx, id: ExecutionId) -> Result<Option<Ran>, EngineError> {
        let Some(begun) = self.begin(tx, Task::This(id)).await? else { return Ok(None) };
        let Begun { execution, plan, jobs, woken, ended, events, .. } = begun;
        if execution.status.is_final() {
            return Ok(Some(Ran::over(id, execution.status, woken, ended, Next::Unknown)));
        }
        let span = span(&execution);
        let _running = Running { processor: self, id, events: events.clone() };
        let deadline = deadline(execution.expires_at_ms, tx.clock_ms());
        let part = Part { transaction: Within::new(tx), deadline };
        let walk = Walk::new(self, execution, plan, Lane::Ends, events).within(part);
        let walking = AssertUnwindSafe(walk.run(jobs)).catch_unwind().instrument(span.clone());
        // What one within another changes may start one more.
        let mut ran = with_room(walking).await.unwrap_or(Err(EngineError::Panicked))?;
        span.record("status", ran.outcome.status.to_string());
        ran.woken.extend(woken);
        Ok(Some(ran))
    }
}

/// The end of the execution's own time, if that comes first.
fn deadline(expires_at_ms: Option<i64>, now_ms: i64) -> Instant {
    let own = expires_at_ms.map(|at_ms| at_ms.saturating_sub(now_ms).max(0).unsigned_abs());
    Instant::now() + own.map_or(LONGEST, |own| LONGEST.min(Duration::from_millis(own)))
}

/// Says that a node cannot be part of a transaction.
pub(crate) fn not_within(node_type: &str) -> String {
    format!("a {node_type} node like this may wait or reach outside, which the transaction of a change cannot")
}
