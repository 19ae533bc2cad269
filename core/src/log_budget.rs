//! How many lines of one kind go to the log.

use core::fmt;

use crate::Timestamp;

/// Lets some lines of one kind through at once, and then one in each interval, whatever happens how often.
///
/// For whoever writes a line about something that a peer can bring about: without a bound, a flood of datagrams becomes a flood of lines.
/// Time is the caller's, as everywhere in this crate.
#[derive(Clone, Debug)]
pub struct LogBudget {
    burst: u32,
    interval_ms: u32,
    /// By then the whole burst is there again.
    full_at: Timestamp,
    left_out: u64,
}

/// How many lines were left out since the one before; written behind a line it says so, if there were any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeftOut(pub u64);

impl LogBudget {
    /// A budget of `burst` lines at once, at least 1, and of one more for each `interval_ms` milliseconds.
    #[must_use]
    pub const fn new(burst: u32, interval_ms: u32) -> Self {
        let burst = if burst == 0 { 1 } else { burst };
        Self { burst, interval_ms, full_at: Timestamp::ZERO, left_out: 0 }
    }

    /// Whether a line may be written now; if so, how many could not be since the one before.
    pub fn take(&mut self, now: Timestamp) -> Option<LeftOut> {
        let interval_micros = u64::from(self.interval_ms) * 1_000;
        let full_at = self.full_at.max(now);
        if full_at.micros_since(now) > u64::from(self.burst - 1).saturating_mul(interval_micros) {
            self.left_out = self.left_out.saturating_add(1);
            return None;
        }
        self.full_at = full_at.plus_micros(interval_micros);
        Some(LeftOut(core::mem::take(&mut self.left_out)))
    }
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => Ok(()),
            1 => f.write_str(" (1 line like it was left out)"),
            lines => write!(f, " ({lines} lines like it were left out)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    fn written(budget: &mut LogBudget, at_millis: impl Iterator<Item = u64>) -> usize {
        at_millis.filter(|at| budget.take(Timestamp::from_millis(*at)).is_some()).count()
    }

    #[test]
    fn a_burst_is_written_at_once_and_then_a_line_in_each_interval() {
        let mut budget = LogBudget::new(5, 1_000);
        assert_eq!(written(&mut budget, core::iter::repeat_n(7, 1_000)), 5);
        assert_eq!(written(&mut budget, 8..=10_007), 10);
    }

    #[test]
    fn a_pause_brings_back_no_more_than_the_burst_and_a_clock_that_goes_back_nothing() {
        let mut budget = LogBudget::new(3, 1_000);
        assert_eq!(written(&mut budget, core::iter::repeat_n(1_000, 10)), 3);
        assert_eq!(written(&mut budget, core::iter::repeat_n(0, 10)), 0);
        assert_eq!(written(&mut budget, core::iter::repeat_n(1 << 40, 10)), 3);
    }

    #[test]
    fn a_budget_of_nothing_is_one_of_a_line() {
        assert_eq!(written(&mut LogBudget::new(0, 1_000), 0..1_000), 1);
    }

    #[test]
    fn the_largest_budget_lets_every_line_through() {
        let mut budget = LogBudget::new(u32::MAX, u32::MAX);
        assert_eq!(written(&mut budget, 0..1_000), 1_000);
    }

    #[test]
    fn the_next_line_says_how_many_were_left_out() {
        let mut budget = LogBudget::new(1, 1_000);
        assert_eq!(budget.take(Timestamp::ZERO), Some(LeftOut(0)));
        assert_eq!(written(&mut budget, 1..=2), 0);
        assert_eq!(budget.take(Timestamp::from_millis(1_000)), Some(LeftOut(2)));
        assert_eq!(budget.take(Timestamp::from_millis(2_000)), Some(LeftOut(0)));
        let told = [0, 1, 2].map(|lines| LeftOut(lines).to_string());
        assert_eq!(told, ["", " (1 line like it was left out)", " (2 lines like it were left out)"]);
    }
}
