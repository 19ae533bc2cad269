//! The core's own clock type: time is an input, never read.

use core::fmt;
use core::ops::{Add, Sub};
use core::time::Duration;

/// A moment in microseconds since the host's own zero.
///
/// The zero is the host's to choose (usually its start); the core only ever compares and subtracts.
/// All arithmetic saturates, so no input can overflow it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The host's zero.
    pub const ZERO: Self = Self(0);
    /// Later than any moment that is ever reached; stands for "never".
    pub const NEVER: Self = Self(u64::MAX);

    /// The moment `micros` microseconds after the host's zero.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// The moment `millis` milliseconds after the host's zero.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000))
    }

    /// Microseconds since the host's zero.
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// Microseconds from `earlier` to `self`; zero if `earlier` is the later one.
    #[must_use]
    pub const fn micros_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The time from `earlier` to `self`; zero if `earlier` is the later one.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.micros_since(earlier))
    }

    /// The moment `micros` microseconds later.
    #[must_use]
    pub const fn plus_micros(self, micros: u64) -> Self {
        Self(self.0.saturating_add(micros))
    }

    /// The moment `millis` milliseconds later.
    #[must_use]
    pub const fn plus_millis(self, millis: u64) -> Self {
        self.plus_micros(millis.saturating_mul(1_000))
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        self.plus_micros(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX))
    }
}

impl Sub<Self> for Timestamp {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        self.since(earlier)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}s", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn a_moment_is_shown_in_seconds_to_the_microsecond() {
        assert_eq!(Timestamp::ZERO.to_string(), "0.000000s");
        assert_eq!((Timestamp::from_millis(12_034) + Duration::from_micros(5)).to_string(), "12.034005s");
    }

    #[test]
    fn arithmetic_saturates_at_both_ends() {
        let late = Timestamp::NEVER;
        assert_eq!(late + Duration::MAX, Timestamp::NEVER);
        assert_eq!(late.plus_millis(u64::MAX), Timestamp::NEVER);
        assert_eq!(Timestamp::ZERO - late, Duration::ZERO);
        assert_eq!(late.micros_since(Timestamp::ZERO), u64::MAX);
    }
}
