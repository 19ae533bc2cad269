//! The one place that reads the machine's clocks.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use rejoin::Timestamp;

/// A host's clocks: a steady one for everything that is measured, and the wall clock for the expiry of tokens.
///
/// The steady clock counts from the making of the `Clock`. A host reads it once per wake and passes the moment on, so that everything
/// that happens in one wake happens at one time.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    zero: Instant,
}

impl Clock {
    /// A clock whose zero is now.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the adapter reads the clock so that the core need not")]
    pub fn start() -> Self {
        Self { zero: Instant::now() }
    }

    /// The present moment, never before an earlier answer.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        Timestamp::ZERO + self.zero.elapsed()
    }

    /// The wall clock in whole seconds since 1970 UTC; 0 if it stands before that.
    ///
    /// It may jump either way, so nothing but the expiry of connect tokens is judged by it.
    #[must_use]
    pub fn unix_time_s(&self) -> u64 {
        self.unix_time_micros() / 1_000_000
    }

    /// The wall clock in microseconds since 1970 UTC, to compare moments between processes of one machine; 0 if it stands before that.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the adapter reads the clock so that the core need not")]
    pub fn unix_time_micros(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_steady_clock_never_goes_back() {
        let clock = Clock::start();
        let first = clock.now();
        let second = clock.now();
        assert!(second >= first);
    }

    #[test]
    fn the_wall_clock_counts_seconds_and_not_fractions_of_them() {
        let year_2020_s = 1_577_836_800;
        let year_2500_s = 16_725_225_600;
        let now_s = Clock::start().unix_time_s();
        assert!((year_2020_s..year_2500_s).contains(&now_s), "{now_s}");
    }
}
