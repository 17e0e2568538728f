//! What time it is, for what starts by the clock. A test sets it instead of waiting.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tokio::sync::watch;

/// Longest sleep at a time: how late a change of the system's clock is noticed.
const LONGEST_SLEEP: Duration = Duration::from_secs(10);

/// Tells the time, in milliseconds since 1970. Cheap to clone.
#[derive(Clone, Default)]
pub struct Clock(Kind);

#[derive(Clone, Default)]
enum Kind {
    /// The system's.
    #[default]
    System,
    /// Stands still but for those who set it.
    Set(Arc<watch::Sender<i64>>),
}

impl Clock {
    /// A clock that stands still until it is [`set`](Self::set); for tests.
    pub fn standing_at(now_ms: i64) -> Self {
        Self(Kind::Set(Arc::new(watch::Sender::new(now_ms))))
    }

    /// Sets a clock that stands still. The system's is left alone.
    pub fn set(&self, now_ms: i64) {
        if let Kind::Set(now) = &self.0 {
            now.send_replace(now_ms);
        }
    }

    /// What time it is.
    pub fn now_ms(&self) -> i64 {
        match &self.0 {
            Kind::System => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
            }
            Kind::Set(now) => *now.borrow(),
        }
    }

    /// Waits until it is so late.
    pub async fn reaches(&self, moment_ms: i64) {
        match &self.0 {
            Kind::System => {
                while let Ok(left @ 1..) = u64::try_from(moment_ms.saturating_sub(self.now_ms())) {
                    tokio::time::sleep(Duration::from_millis(left).min(LONGEST_SLEEP)).await;
                }
            }
            // The sender is held here, so it is never gone.
            Kind::Set(now) => drop(now.subscribe().wait_for(|now| *now >= moment_ms).await),
        }
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::System => f.write_str("the system's clock"),
            Kind::Set(now) => write!(f, "a clock that stands at {}", *now.borrow()),
        }
    }
}
