//! Where the server's simulation stands, as far as a client can tell.

use crate::Timestamp;

const MICROS_PER_SECOND: u128 = 1_000_000;

/// A tick of the server and the moment at which it stood there.
#[derive(Clone, Copy, Debug)]
pub(super) struct TickSample {
    /// The client's own time at which the sample was taken.
    pub(super) at: Timestamp,
    pub(super) tick: u64,
    /// How far into the tick the server was, the packet's way included, in microseconds.
    pub(super) phase_micros: u64,
    pub(super) tick_rate_hz: u64,
}

impl TickSample {
    /// The tick at `now`, if the server went on at its rate.
    pub(super) fn tick_at(&self, now: Timestamp) -> u64 {
        let elapsed = u128::from(now.micros_since(self.at)) + u128::from(self.phase_micros);
        let ticks = elapsed.saturating_mul(u128::from(self.tick_rate_hz)) / MICROS_PER_SECOND;
        self.tick.saturating_add(u64::try_from(ticks).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_estimate_goes_on_at_the_rate_of_the_server() {
        let at = Timestamp::from_millis(1_000);
        let sample = TickSample { at, tick: 600, phase_micros: 10_000, tick_rate_hz: 50 };

        assert_eq!(sample.tick_at(at), 600);
        assert_eq!(sample.tick_at(at.plus_millis(10)), 601);
        assert_eq!(sample.tick_at(at.plus_millis(1_000)), 650);
    }

    #[test]
    fn figures_no_server_has_do_not_overflow() {
        let sample = TickSample {
            at: Timestamp::ZERO,
            tick: u64::MAX,
            phase_micros: u64::MAX,
            tick_rate_hz: u64::MAX,
        };

        assert_eq!(sample.tick_at(Timestamp::NEVER), u64::MAX);
    }
}
