//! Takes a plugin that keeps failing out of service, and tries it again later.
//!
//! ```text
//! closed ── `faults` within the window ──> open ── cool-down ──> trying: one call is let through
//!   ^                                       ^─────── it fails ──────┘  │
//!   └── it succeeds, or an administrator enables the plugin ───────────┘
//! ```
//!
//! [`State`] is the machine, and knows the time only from its callers. [`Breaker`] is the machine among many threads: a call
//! of a plugin that is well costs one atomic load.

use std::{
    collections::VecDeque,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

/// When a plugin is taken out of service, and for how long: `[plugin.breaker]` of the manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BreakerSettings {
    /// So many faults within the window; 0 is never.
    pub faults: u32,
    /// The window, in seconds.
    pub window_seconds: u32,
    /// How long it stays out of service before it is tried again, in seconds; 0 is until an administrator enables it.
    pub cooldown_seconds: u32,
    /// A call that takes longer than this is at fault, in milliseconds; 0 is no limit.
    pub slow_call_ms: u32,
}

impl Default for BreakerSettings {
    /// Five faults in a minute are no accident. A hook answers from memory, in microseconds: a second is far outside of what
    /// a busy machine explains, and holds up every writer of the host.
    fn default() -> Self {
        Self { faults: 5, window_seconds: 60, cooldown_seconds: 30, slow_call_ms: 1_000 }
    }
}

impl BreakerSettings {
    /// Says whether a call took too long.
    pub(super) fn is_slow(&self, took: Duration) -> bool {
        self.slow_call_ms > 0 && took > Duration::from_millis(self.slow_call_ms.into())
    }
}

/// Leave to call the plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pass {
    /// As always.
    Normal,
    /// To see whether it works again; the outcome decides.
    Trial,
}

/// What the outcome of a call changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// The plugin is out of service from now on.
    Opened,
    /// It is back.
    Closed,
}

/// The machine.
#[derive(Debug)]
enum State {
    /// In service, with the moments of the latest faults, at most as many as it takes.
    Closed { recent: VecDeque<Instant> },
    /// Out of service; `None` is until somebody closes it.
    Open { until: Option<Instant> },
    /// Out of service but for the one call that is under way.
    Trying,
}

impl State {
    const fn closed() -> Self {
        Self::Closed { recent: VecDeque::new() }
    }

    fn open(settings: &BreakerSettings, now: Instant) -> Self {
        let cooldown = Duration::from_secs(settings.cooldown_seconds.into());
        Self::Open { until: (!cooldown.is_zero()).then(|| now + cooldown) }
    }

    fn pass(&mut self, now: Instant) -> Option<Pass> {
        match self {
            Self::Closed { .. } => Some(Pass::Normal),
            Self::Open { until: Some(until) } if now >= *until => {
                *self = Self::Trying;
                Some(Pass::Trial)
            }
            Self::Open { .. } | Self::Trying => None,
        }
    }

    fn fault(&mut self, pass: Pass, settings: &BreakerSettings, now: Instant) -> Option<Change> {
        match (&mut *self, pass) {
            (Self::Closed { recent }, _) => {
                if settings.faults == 0 {
                    return None;
                }
                let window = Duration::from_secs(settings.window_seconds.into());
                recent.push_back(now);
                while recent.front().is_some_and(|first| now.saturating_duration_since(*first) > window) {
                    recent.pop_front();
                }
                if recent.len() < settings.faults as usize {
                    return None;
                }
            }
            (Self::Trying, Pass::Trial) => {}
            // A call that was let through before it opened.
            (Self::Trying, Pass::Normal) | (Self::Open { .. }, _) => return None,
        }
        *self = Self::open(settings, now);
        Some(Change::Opened)
    }

    fn success(&mut self, pass: Pass) -> Option<Change> {
        if !matches!((&*self, pass), (Self::Trying, Pass::Trial)) {
            return None;
        }
        *self = Self::closed();
        Some(Change::Closed)
    }
}

/// How a plugin has been doing since it was loaded.
#[derive(Debug, Clone, Default)]
pub(super) struct Health {
    /// Whether its hooks are left out.
    pub(super) is_suspended: bool,
    /// How many calls failed.
    pub(super) faults: u64,
    /// What the last of them said.
    pub(super) last_fault: Option<String>,
}

/// Counts a plugin's faults.
#[derive(Debug)]
pub(super) struct Breaker {
    settings: BreakerSettings,
    /// False from the first fault that opens it until it is closed again.
    is_closed: AtomicBool,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    state: State,
    health: Health,
}

impl Breaker {
    pub(super) fn new(settings: BreakerSettings) -> Self {
        let inner = Inner { state: State::closed(), health: Health::default() };
        Self { settings, is_closed: AtomicBool::new(true), inner: Mutex::new(inner) }
    }

    pub(super) fn settings(&self) -> &BreakerSettings {
        &self.settings
    }

    /// Asks for leave to call the plugin.
    pub(super) fn pass(&self, now: Instant) -> Option<Pass> {
        if self.is_closed.load(Ordering::Acquire) { Some(Pass::Normal) } else { self.inner().state.pass(now) }
    }

    /// Says that a call failed.
    pub(super) fn fault(&self, pass: Pass, message: &str, now: Instant) -> Option<Change> {
        let mut inner = self.inner();
        inner.health.faults += 1;
        inner.health.last_fault = Some(message.to_owned());
        let change = inner.state.fault(pass, &self.settings, now);
        self.note(&mut inner, change)
    }

    /// Says that a call succeeded.
    pub(super) fn success(&self, pass: Pass) -> Option<Change> {
        match pass {
            Pass::Normal => None,
            Pass::Trial => {
                let mut inner = self.inner();
                let change = inner.state.success(pass);
                self.note(&mut inner, change)
            }
        }
    }

    /// Puts the plugin back in service; answers whether it was out of it.
    pub(super) fn close(&self) -> bool {
        let mut inner = self.inner();
        let was_open = !matches!(inner.state, State::Closed { .. });
        inner.state = State::closed();
        self.note(&mut inner, Some(Change::Closed));
        was_open
    }

    pub(super) fn health(&self) -> Health {
        self.inner().health.clone()
    }

    fn note(&self, inner: &mut Inner, change: Option<Change>) -> Option<Change> {
        match change {
            Some(Change::Opened) => inner.health.is_suspended = true,
            Some(Change::Closed) => inner.health.is_suspended = false,
            None => return None,
        }
        self.is_closed.store(!inner.health.is_suspended, Ordering::Release);
        change
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn settings() -> BreakerSettings {
        BreakerSettings { faults: 3, window_seconds: 10, cooldown_seconds: 5, slow_call_ms: 0 }
    }

    /// What happens next: so many milliseconds later, a call that fails or does not.
    fn calls() -> impl Strategy<Value = Vec<(u64, bool)>> {
        prop::collection::vec((0_u64..4_000, any::<bool>()), 0..200)
    }

    proptest! {
        /// Against a plain reading of the rules, one call after the other.
        #[test]
        fn opens_and_closes_as_the_rules_say(calls in calls()) {
            let (settings, begun) = (settings(), Instant::now());
            let breaker = Breaker::new(settings);
            let (mut now, mut faults, mut open_until) = (begun, Vec::<Instant>::new(), None::<Instant>);
            for (later, fails) in calls {
                now += Duration::from_millis(later);
                let expected = match open_until {
                    None => Some(Pass::Normal),
                    Some(until) if now >= until => Some(Pass::Trial),
                    Some(_) => None,
                };
                prop_assert_eq!(breaker.pass(now), expected);
                let Some(pass) = expected else { continue };
                if fails {
                    faults.push(now);
                    let within = faults.iter().filter(|fault| now - **fault <= Duration::from_secs(10)).count();
                    let opens = pass == Pass::Trial || within >= 3;
                    prop_assert_eq!(breaker.fault(pass, "x", now), opens.then_some(Change::Opened));
                    if opens {
                        open_until = Some(now + Duration::from_secs(5));
                        faults.clear();
                    }
                } else {
                    let closes = pass == Pass::Trial;
                    prop_assert_eq!(breaker.success(pass), closes.then_some(Change::Closed));
                    if closes {
                        open_until = None;
                    }
                }
                prop_assert_eq!(breaker.health().is_suspended, open_until.is_some());
            }
        }

        /// Whatever order the outcomes of overlapping calls come in, at most one trial is under way.
        #[test]
        fn one_trial_at_a_time(steps in prop::collection::vec((0_u8..4, 0_u64..4_000), 0..200)) {
            let (breaker, mut now) = (Breaker::new(settings()), Instant::now());
            let (mut normal, mut trials) = (0_u32, 0_u32);
            for (step, later) in steps {
                now += Duration::from_millis(later);
                match step {
                    0 | 1 => match breaker.pass(now) {
                        Some(Pass::Normal) => normal += 1,
                        Some(Pass::Trial) => trials += 1,
                        None => {}
                    },
                    2 if trials > 0 => {
                        trials -= 1;
                        prop_assert!(breaker.success(Pass::Trial).is_some());
                    }
                    _ if trials > 0 => {
                        trials -= 1;
                        prop_assert!(breaker.fault(Pass::Trial, "x", now).is_some());
                    }
                    _ if normal > 0 => {
                        normal -= 1;
                        breaker.fault(Pass::Normal, "x", now);
                    }
                    _ => {}
                }
                prop_assert!(trials <= 1);
            }
        }
    }

    #[test]
    fn without_a_cool_down_it_waits_for_somebody() {
        let breaker = Breaker::new(BreakerSettings { faults: 1, cooldown_seconds: 0, ..settings() });
        let now = Instant::now();
        assert_eq!(breaker.fault(Pass::Normal, "x", now), Some(Change::Opened));
        assert_eq!(breaker.pass(now + Duration::from_secs(1_000_000)), None);
        assert!(breaker.close() && !breaker.close());
        assert_eq!(breaker.pass(now), Some(Pass::Normal));
        assert_eq!((breaker.health().faults, breaker.health().last_fault.as_deref()), (1, Some("x")));
    }

    #[test]
    fn zero_faults_is_never() {
        let breaker = Breaker::new(BreakerSettings { faults: 0, ..settings() });
        let now = Instant::now();
        for _ in 0..100 {
            assert_eq!(breaker.fault(Pass::Normal, "x", now), None);
        }
        assert_eq!(breaker.pass(now), Some(Pass::Normal));
    }

    #[test]
    fn the_limit_of_a_call() {
        let limited = BreakerSettings { slow_call_ms: 10, ..settings() };
        assert!(limited.is_slow(Duration::from_millis(11)) && !limited.is_slow(Duration::from_millis(10)));
        assert!(!settings().is_slow(Duration::from_secs(100)));
    }
}
