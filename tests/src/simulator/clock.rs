//! The clock of one machine: it runs a little wrong, and may leap ahead.

use rejoin::Timestamp;

const MILLION: u128 = 1_000_000;

/// Turns true time into the machine's own and back, in whole numbers, so that every build agrees.
#[derive(Clone, Copy, Debug)]
pub(super) struct LocalClock {
    /// From when on it runs like this.
    since: Timestamp,
    /// What it showed then.
    shown: Timestamp,
    /// Its microseconds in a million true ones.
    rate: u128,
}

impl LocalClock {
    /// A clock that is `drift_ppm` microseconds a second too fast.
    pub(super) fn new(drift_ppm: i64) -> Self {
        let rate = MILLION.saturating_add_signed(drift_ppm.into());
        Self { since: Timestamp::ZERO, shown: Timestamp::ZERO, rate }
    }

    /// What it shows.
    pub(super) fn at(&self, now: Timestamp) -> Timestamp {
        let passed = u128::from(now.micros_since(self.since)) * self.rate / MILLION;
        self.shown.plus_micros(u64::try_from(passed).unwrap_or(u64::MAX))
    }

    /// The first moment at which it shows `local` or more.
    pub(super) fn when(&self, local: Timestamp) -> Timestamp {
        let to_pass = (u128::from(local.micros_since(self.shown)) * MILLION).div_ceil(self.rate);
        self.since.plus_micros(u64::try_from(to_pass).unwrap_or(u64::MAX))
    }

    /// It is set ahead.
    pub(super) fn leap(&mut self, now: Timestamp, millis: u64) {
        self.shown = self.at(now).plus_millis(millis);
        self.since = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_found_for_a_local_time_is_the_first_that_shows_it() {
        for drift_ppm in [-300, 0, 1, 299] {
            let mut clock = LocalClock::new(drift_ppm);
            clock.leap(Timestamp::from_millis(7), 3_600_000);
            for local in (3_600_000_000..3_600_100_000).step_by(997).map(Timestamp::from_micros) {
                let when = clock.when(local);
                assert!(clock.at(when) >= local, "{drift_ppm} {local}");
                let before = Timestamp::from_micros(when.as_micros().saturating_sub(1));
                assert!(before < Timestamp::from_millis(7) || clock.at(before) < local || when == before);
            }
        }
    }

    #[test]
    fn a_fast_clock_gains_what_its_drift_says() {
        let clock = LocalClock::new(100);
        assert_eq!(clock.at(Timestamp::from_millis(10_000)), Timestamp::from_millis(10_001));
    }
}
