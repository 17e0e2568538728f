//! Asks a PostgreSQL server again and again what time it is, so that all its hosts go by one clock.

use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::pool::Pool;
use crate::clock::Clock;

/// How often: clocks of computers drift by less than a millisecond in this time.
const EVERY: Duration = Duration::from_secs(10);
/// An answer that took longer says too little.
const PROMPT: Duration = Duration::from_millis(500);

/// Who asks.
pub(super) struct ServerTime {
    pub(super) pool: Pool,
    pub(super) clock: Clock,
}

impl ServerTime {
    /// Asks once.
    pub(super) async fn ask(&self) -> Result<(), sqlx::Error> {
        let mut held = self.pool.acquire().await?;
        let (connection, line) = held.parts()?;
        let question = sqlx::query_scalar("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint");
        let asked = Instant::now();
        let now_ms: i64 = line.answer(question.fetch_one(connection)).await?;
        let took = asked.elapsed();
        if took <= PROMPT || !self.clock.is_led() {
            let on_its_way = i64::try_from(took.as_millis() / 2).unwrap_or_default();
            self.clock.follow(now_ms.saturating_add(on_its_way));
        }
        Ok(())
    }

    /// Asks until the store is closed. While the server cannot be reached, the clock goes on by itself.
    pub(super) async fn keep_asking(self, stop: CancellationToken) {
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = ticks.tick() => {}
            }
            if let Err(error) = self.ask().await {
                tracing::debug!(%error, "the server's time is not known");
            }
        }
    }
}
