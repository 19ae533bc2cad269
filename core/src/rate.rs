//! How much of something may be spent: a rate, and what may be saved up of it.

use crate::Timestamp;

/// Levels are kept in millionths of a unit: one microsecond at one unit a second.
const MILLIONTHS: u64 = 1_000_000;

/// So many units a second, and so many at once after a pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rate {
    pub(crate) per_s: u32,
    pub(crate) burst: u32,
}

/// A token bucket. It does not know its rate, so that a table of them stays small; the same rate belongs with every call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TokenBucket {
    level_millionths: u64,
    filled_at: Timestamp,
}

impl TokenBucket {
    /// A bucket that was not touched for long.
    pub(crate) const fn full(now: Timestamp, rate: Rate) -> Self {
        Self { level_millionths: rate.burst as u64 * MILLIONTHS, filled_at: now }
    }

    /// Units that can be taken now.
    pub(crate) fn level(&mut self, now: Timestamp, rate: Rate) -> u64 {
        self.fill(now, rate);
        self.level_millionths / MILLIONTHS
    }

    /// Takes so many units; `false`, with nothing taken, if there are fewer.
    pub(crate) fn try_take(&mut self, now: Timestamp, rate: Rate, units: u32) -> bool {
        self.fill(now, rate);
        let left = self.level_millionths.checked_sub(u64::from(units) * MILLIONTHS);
        self.level_millionths = left.unwrap_or(self.level_millionths);
        left.is_some()
    }

    /// Takes so many units, or all that are left.
    pub(crate) fn take_up_to(&mut self, now: Timestamp, rate: Rate, units: u32) {
        self.fill(now, rate);
        self.level_millionths = self.level_millionths.saturating_sub(u64::from(units) * MILLIONTHS);
    }

    fn fill(&mut self, now: Timestamp, rate: Rate) {
        let earned = now.micros_since(self.filled_at).saturating_mul(rate.per_s.into());
        self.level_millionths =
            self.level_millionths.saturating_add(earned).min(u64::from(rate.burst) * MILLIONTHS);
        self.filled_at = self.filled_at.max(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { per_s: 10, burst: 5 };

    const fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn a_full_bucket_gives_its_burst_and_then_its_rate() {
        let mut bucket = TokenBucket::full(at(0), RATE);
        assert_eq!((0..10).filter(|_| bucket.try_take(at(0), RATE, 1)).count(), 5);
        let taken = (1..=100).filter(|tenth| bucket.try_take(at(tenth * 10), RATE, 1)).count();
        assert_eq!(taken, 10, "in one second");
    }

    #[test]
    fn what_is_not_there_is_not_taken() {
        let mut bucket = TokenBucket::full(at(0), RATE);
        assert!(!bucket.try_take(at(0), RATE, 6));
        assert_eq!(bucket.level(at(0), RATE), 5);
        bucket.take_up_to(at(0), RATE, 6);
        assert_eq!(bucket.level(at(0), RATE), 0);
    }

    #[test]
    fn a_pause_saves_up_no_more_than_the_burst_and_a_clock_that_goes_back_nothing() {
        let mut bucket = TokenBucket::full(at(1_000), RATE);
        bucket.take_up_to(at(1_000), RATE, 5);
        assert_eq!(bucket.level(at(0), RATE), 0);
        assert_eq!(bucket.level(at(1_100), RATE), 1);
        assert_eq!(bucket.level(Timestamp::from_micros(u64::MAX), RATE), 5);
    }
}
