//! A newtype for every id. All are 64-bit and stay below 2^53, so that JSON numbers carry them exactly.
//!
//! Workflows, nodes, executions and jobs are numbered here, by the clock: a later id is larger, and an id that was deleted is
//! never given again.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    )+};
}

ids! {
    /// Identifies a user.
    UserId,
    /// Identifies one version of a workflow.
    WorkflowId,
    /// Identifies a node of one workflow version.
    NodeId,
    /// Identifies an execution; later ones have larger ids.
    ExecutionId,
    /// Identifies a job.
    JobId,
}

/// 2024-01-01T00:00:00Z, so that 41 bits of milliseconds last until 2093.
const EPOCH_MS: i64 = 1_704_067_200_000;

/// 41 bits of milliseconds and 12 bits of sequence make 53: exact in every JSON number. A burst of more than 4,096 ids in a
/// millisecond runs ahead of the clock, which catches up.
const SEQUENCE_BITS: u32 = 12;

static LAST: AtomicI64 = AtomicI64::new(0);

/// Takes `count` ids in a row and answers the first.
pub(crate) fn take(count: usize) -> i64 {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    let clock = clock_id();
    let first = |last: i64| clock.max(last.saturating_add(1));
    let before = LAST.update(Ordering::Relaxed, Ordering::Relaxed, |last| first(last).saturating_add(count - 1));
    first(before)
}

/// Makes later ids larger than `id`, whatever the clock says: for ids that a former process stored.
pub(crate) fn advance_past(id: i64) {
    LAST.fetch_max(id, Ordering::Relaxed);
}

fn clock_id() -> i64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let ms = i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX);
    (ms - EPOCH_MS).max(0) << SEQUENCE_BITS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_rise_and_travel_exactly() {
        let first = take(3);
        let next = take(1);
        assert!(next > first + 2, "{next} is not above {first} + 2");
        assert!(next < 1 << 53);
        advance_past(next + 1_000_000);
        assert!(take(1) > next + 1_000_000);
    }
}
