//! The fixed step of a simulation.

use rejoin::Timestamp;

/// Ticks that are run in a row to catch up; what is overdue beyond them is skipped.
const CATCH_UP_TICKS_MAX: u64 = 8;

/// When the ticks of a simulation are due, counted from the moment this was made.
///
/// Tick `n` is due exactly `n / hz` seconds after the start, so rounding never adds up. After a stall a few missed ticks are run one by
/// one and the others are skipped, so that a slow simulation does not fall further behind by catching up; the numbers stay in
/// step with the clock either way.
#[derive(Clone, Copy, Debug)]
pub struct Ticks {
    start: Timestamp,
    hz: u32,
    next: u64,
}

impl Ticks {
    /// Ticks from `start` on, `hz` a second; 0 counts as 1. The first is tick 1, one step after `start`.
    #[must_use]
    pub fn new(start: Timestamp, hz: u32) -> Self {
        Self { start, hz: hz.max(1), next: 1 }
    }

    /// When the next tick is due.
    #[must_use]
    pub fn next_at(&self) -> Timestamp {
        let micros = u128::from(self.next) * 1_000_000 / u128::from(self.hz);
        self.start.plus_micros(u64::try_from(micros).unwrap_or(u64::MAX))
    }

    /// The next tick if it is due; call it until `None`.
    pub fn poll(&mut self, now: Timestamp) -> Option<u64> {
        if now < self.next_at() {
            return None;
        }
        self.next = self.next.max(self.latest(now).saturating_sub(CATCH_UP_TICKS_MAX - 1));
        let tick = self.next;
        self.next += 1;
        Some(tick)
    }

    /// The newest tick that is due at `now`.
    fn latest(&self, now: Timestamp) -> u64 {
        let ticks = u128::from(now.micros_since(self.start)) * u128::from(self.hz) / 1_000_000;
        u64::try_from(ticks).unwrap_or(u64::MAX - 1).min(u64::MAX - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(ticks: &mut Ticks, now: Timestamp) -> Vec<u64> {
        std::iter::from_fn(|| ticks.poll(now)).collect()
    }

    #[test]
    fn ticks_come_at_their_rate_without_drift() {
        let mut ticks = Ticks::new(Timestamp::from_millis(500), 60);
        let mut count = 0;
        for millis in 500..=10_500 {
            count += due(&mut ticks, Timestamp::from_millis(millis)).len();
        }
        assert_eq!(count, 600);
    }

    #[test]
    fn no_tick_comes_before_its_time() {
        let mut ticks = Ticks::new(Timestamp::ZERO, 10);
        assert_eq!(due(&mut ticks, Timestamp::from_micros(99_999)), []);
        assert_eq!(ticks.next_at(), Timestamp::from_millis(100));
        assert_eq!(due(&mut ticks, Timestamp::from_millis(100)), [1]);
        assert_eq!(ticks.next_at(), Timestamp::from_millis(200));
    }

    #[test]
    fn a_due_moment_always_yields_its_tick() {
        let mut ticks = Ticks::new(Timestamp::ZERO, 7);
        for expected in 1..1_000 {
            let moment = ticks.next_at();
            assert_eq!(due(&mut ticks, moment), [expected]);
        }
    }

    #[test]
    fn after_a_stall_a_few_ticks_are_caught_up_and_the_rest_are_skipped() {
        let mut ticks = Ticks::new(Timestamp::ZERO, 10);
        assert_eq!(due(&mut ticks, Timestamp::from_millis(10_000)), (93..=100).collect::<Vec<_>>());
        assert_eq!(ticks.next_at(), Timestamp::from_millis(10_100));
    }
}
