//! Waiting on a condition, with a deadline.

use std::time::{Duration, Instant};

/// Longer than anything that is waited for takes on a loaded two-core machine.
const DEADLINE: Duration = Duration::from_secs(60);
const INTERVAL: Duration = Duration::from_millis(20);

/// Asks again until `probe` answers `Some`; panics with `what` after a minute.
pub(crate) async fn eventually<T>(what: &str, mut probe: impl AsyncFnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    let mut ticks = tokio::time::interval(INTERVAL);
    loop {
        ticks.tick().await;
        if let Some(found) = probe().await {
            return found;
        }
        assert!(begun.elapsed() < DEADLINE, "waited a minute for: {what}");
    }
}
