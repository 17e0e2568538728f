//! What time it is, for all who work on a database: for what starts by the clock, what is due or out of time, and when things were
//! done. A test sets it instead of waiting. Hosts that share a database go by the clock of its server, as theirs may differ.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use tokio::sync::{Notify, watch};

use crate::{db::Tx, moment};

/// Longest sleep at a time: how late it is noticed that somebody has set the system's clock.
const LONGEST_SLEEP: Duration = Duration::from_secs(10);

/// Tells the time, in milliseconds since 1970. Cheap to clone.
#[derive(Clone, Default)]
pub struct Clock(Kind);

#[derive(Clone)]
enum Kind {
    /// The system's, until it is known what time it is for all who work on the database.
    System(Arc<System>),
    /// Stands still but for those who set it.
    Set(Arc<watch::Sender<i64>>),
}

/// The system's clock, and how it is led by another one.
struct System {
    /// How wrong it is, on purpose.
    wrong_by_ms: i64,
    made: Instant,
    /// What time it was for the leading clock when this one was made; [`ALONE`] if there is none.
    led_from_ms: AtomicI64,
    /// The leading clock may have been set: those who sleep look again.
    led_anew: Notify,
}

/// No moment that a clock tells.
const ALONE: i64 = i64::MIN;

impl Default for Kind {
    fn default() -> Self {
        Self::System(Arc::new(System::wrong_by(0)))
    }
}

impl System {
    fn wrong_by(wrong_by_ms: i64) -> Self {
        Self { wrong_by_ms, made: Instant::now(), led_from_ms: AtomicI64::new(ALONE), led_anew: Notify::new() }
    }

    fn made_ago_ms(&self) -> i64 {
        i64::try_from(self.made.elapsed().as_millis()).unwrap_or(i64::MAX)
    }

    fn now_ms(&self) -> i64 {
        match self.led_from_ms.load(Ordering::Relaxed) {
            ALONE => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                i64::try_from(since.as_millis()).unwrap_or(i64::MAX).saturating_add(self.wrong_by_ms)
            }
            // By what cannot be set: neither a person nor a time server makes it jump.
            led_from_ms => led_from_ms.saturating_add(self.made_ago_ms()),
        }
    }
}

impl Clock {
    /// The system's clock, if that were wrong by so much; for tests.
    pub fn wrong_by(milliseconds: i64) -> Self {
        Self(Kind::System(Arc::new(System::wrong_by(milliseconds))))
    }

    /// Goes by another clock from now on, on which it is so late. One that stands still does not.
    pub(crate) fn follow(&self, now_ms: i64) {
        if let Kind::System(system) = &self.0 {
            system.led_from_ms.store(now_ms.saturating_sub(system.made_ago_ms()), Ordering::Relaxed);
            system.led_anew.notify_waiters();
        }
    }

    /// Says whether it goes by another clock.
    pub(crate) fn is_led(&self) -> bool {
        matches!(&self.0, Kind::System(system) if system.led_from_ms.load(Ordering::Relaxed) != ALONE)
    }

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
            Kind::System(system) => system.now_ms(),
            Kind::Set(now) => *now.borrow(),
        }
    }

    /// Waits until it is so late.
    pub async fn reaches(&self, moment_ms: i64) {
        match &self.0 {
            Kind::System(system) => loop {
                let led_anew = system.led_anew.notified();
                let Ok(left @ 1..) = u64::try_from(moment_ms.saturating_sub(system.now_ms())) else { return };
                tokio::select! {
                    () = tokio::time::sleep(Duration::from_millis(left).min(LONGEST_SLEEP)) => {}
                    () = led_anew => {}
                }
            },
            // The sender is held here, so it is never gone.
            Kind::Set(now) => drop(now.subscribe().wait_for(|now| *now >= moment_ms).await),
        }
    }
}

impl Tx {
    /// What time it is by the store's clock, in milliseconds since 1970.
    pub fn clock_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// The same, as it is stored.
    pub(crate) fn moment(&self) -> String {
        moment::now(&self.clock)
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::System(_) => f.write_str("the system's clock"),
            Kind::Set(now) => write!(f, "a clock that stands at {}", *now.borrow()),
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::Clock;

    const HOUR_MS: i64 = 3_600_000;

    #[tokio::test]
    async fn who_sleeps_wakes_when_the_leading_clock_is_set() {
        let clock = Clock::default();
        let now_ms = clock.now_ms();
        clock.follow(now_ms);
        let mut sleeping = std::pin::pin!(clock.reaches(now_ms + HOUR_MS));
        assert!(sleeping.as_mut().now_or_never().is_none());
        clock.follow(now_ms + HOUR_MS / 2);
        assert!(sleeping.as_mut().now_or_never().is_none(), "too early still");
        clock.follow(now_ms + HOUR_MS);
        assert!(sleeping.now_or_never().is_some());
    }

    #[tokio::test]
    async fn a_clock_that_is_led_is_as_late_as_the_leading_one_however_wrong_it_is() {
        for wrong_by_ms in [0, HOUR_MS, -HOUR_MS] {
            let clock = Clock::wrong_by(wrong_by_ms);
            let right_ms = Clock::default().now_ms();
            assert!((clock.now_ms() - right_ms - wrong_by_ms).abs() < HOUR_MS / 2);
            clock.follow(right_ms);
            assert!((clock.now_ms() - right_ms).abs() < HOUR_MS / 2);
        }
    }
}
