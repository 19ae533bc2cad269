//! When tick 0 of a simulation was, found from the ticks themselves.

use rejoin::Timestamp;

const MICROS_PER_S: i128 = 1_000_000;

/// Ticks come late but never early, so the one that was least late tells best when the first one was due.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TickOrigin {
    tick_hz: u32,
    /// In microseconds of the clock by which the ticks are timed; a simulation may be older than that clock.
    micros: Option<i128>,
}

impl TickOrigin {
    pub(crate) fn new(tick_hz: u32) -> Self {
        Self { tick_hz: tick_hz.max(1), micros: None }
    }

    /// A tick is run at this moment.
    pub(crate) fn handle_tick(&mut self, now: Timestamp, tick: u64) {
        let micros = i128::from(now.as_micros()) - i128::from(tick) * MICROS_PER_S / i128::from(self.tick_hz);
        self.micros = Some(self.micros.map_or(micros, |earliest| earliest.min(micros)));
    }

    /// Microseconds since tick 0; `None` before the first tick.
    pub(crate) fn micros_since(&self, now: Timestamp) -> Option<u64> {
        u64::try_from(i128::from(now.as_micros()) - self.micros?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn before_the_first_tick_nothing_is_known() {
        assert_eq!(TickOrigin::new(50).micros_since(at(7)), None);
    }

    #[test]
    fn the_tick_that_was_least_late_tells() {
        let mut origin = TickOrigin::new(50);
        for (millis, tick) in [(1_025, 1), (1_042, 2), (1_090, 3)] {
            origin.handle_tick(at(millis), tick);
        }
        assert_eq!(origin.micros_since(at(2_000)), Some(998_000));
    }

    #[test]
    fn a_simulation_may_be_older_than_the_clock() {
        let mut origin = TickOrigin::new(60);
        origin.handle_tick(at(10), 600);
        assert_eq!(origin.micros_since(at(20)), Some(10_010_000));
    }

    #[test]
    fn no_tick_is_too_large() {
        let mut origin = TickOrigin::new(0);
        origin.handle_tick(at(0), u64::MAX);
        assert_eq!(origin.micros_since(at(0)), None);
    }
}
