//! Ids of workflows, nodes, executions and jobs: they rise with time, and JSON numbers carry them exactly.
//!
//! Layout, from the top: seconds since 2024 (31 bits), a sequence within the second (16 bits), the host (5 bits). Together
//! 52 bits, so every id stays below 2^53. When a second's sequence is used up, or the clock goes back, ids go on rising
//! from the last one, ahead of the clock.

/// 2024-01-01T00:00:00Z.
const EPOCH_SECONDS: u64 = 1_704_067_200;
const HOST_BITS: u32 = 5;
const SEQUENCE_BITS: u32 = 16;

/// Makes ids that always rise.
#[derive(Debug)]
pub(crate) struct IdGenerator {
    host: i64,
    last: i64,
}

impl IdGenerator {
    /// Starts above `largest`, the largest id that is stored.
    pub(crate) fn above(largest: i64) -> Self {
        // Processes on one database take turns at writing it; the bits are kept free for a database without that.
        Self { host: 0, last: largest }
    }

    /// Goes on above `largest`, which another process has stored.
    pub(crate) fn rise_above(&mut self, largest: i64) {
        self.last = self.last.max(largest);
    }

    /// Makes the next id, at this moment in milliseconds since 1970.
    pub(crate) fn next(&mut self, now_ms: i64) -> i64 {
        self.next_at(u64::try_from(now_ms / 1_000).unwrap_or(0))
    }

    fn next_at(&mut self, unix_seconds: u64) -> i64 {
        let seconds = i64::try_from(unix_seconds.saturating_sub(EPOCH_SECONDS)).unwrap_or(0);
        let from_clock = seconds << SEQUENCE_BITS;
        let from_last = (self.last >> HOST_BITS) + 1;
        self.last = (from_clock.max(from_last) << HOST_BITS) | self.host;
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::{EPOCH_SECONDS, IdGenerator};

    const DAY_IN_2026: u64 = EPOCH_SECONDS + 80_000_000;

    #[test]
    fn ids_rise_whatever_the_clock_does() {
        let mut ids = IdGenerator::above(0);
        let mut last = 0;
        for second in [DAY_IN_2026, DAY_IN_2026, DAY_IN_2026 + 5, DAY_IN_2026 - 1_000, 0] {
            let id = ids.next_at(second);
            assert!(id > last, "{id} after {last}");
            assert!((1_000_000_000_000..1 << 53).contains(&id), "{id}");
            last = id;
        }
    }

    #[test]
    fn a_second_holds_more_ids_than_its_sequence() {
        let mut ids = IdGenerator::above(0);
        let made: Vec<i64> = (0..70_000).map(|_| ids.next_at(DAY_IN_2026)).collect();
        assert!(made.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn ids_start_above_the_stored_ones() {
        let stored = 1 << 52;
        assert!(IdGenerator::above(stored).next_at(DAY_IN_2026) > stored);
    }
}
