//! How much chat one player may cause.
//!
//! Every line waits at every player until it is acknowledged, and for a player who is away that is not before the return. Without a
//! bound one who talks without end would fill the queues of all others.

use rejoin::Timestamp;

/// What a player may say at once: the talk that piled up during an outage of some minutes.
const BURST_BYTES: u64 = 32_768;

/// What comes back with time. Over the half minute that the arena keeps an absent player by default, four such talkers fit the queue
/// of the one who is away.
const BYTES_PER_S: u64 = 1_024;

/// A short line costs as much as one of this size, because queues are bounded in messages too.
const LINE_BYTES_MIN: u64 = 64;

const MICROS_PER_S: u64 = 1_000_000;

/// What is left of one player's allowance.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ChatAllowance {
    /// In millionths of a byte, so that no fraction is lost however often it is asked.
    micro_bytes: u64,
    counted_at: Timestamp,
}

impl ChatAllowance {
    /// A full one.
    pub(crate) fn new(now: Timestamp) -> Self {
        Self { micro_bytes: BURST_BYTES * MICROS_PER_S, counted_at: now }
    }

    /// Takes a line off; says whether it was allowed.
    pub(crate) fn take(&mut self, now: Timestamp, line_bytes: usize) -> bool {
        let regained = now.micros_since(self.counted_at).saturating_mul(BYTES_PER_S);
        self.micro_bytes = self.micro_bytes.saturating_add(regained).min(BURST_BYTES * MICROS_PER_S);
        self.counted_at = now;
        let cost = (line_bytes as u64).max(LINE_BYTES_MIN).saturating_mul(MICROS_PER_S);
        let left = self.micro_bytes.checked_sub(cost);
        self.micro_bytes = left.unwrap_or(self.micro_bytes);
        left.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines_until_refused(allowance: &mut ChatAllowance, now: Timestamp, line_bytes: usize) -> u64 {
        (0..100_000).find(|_| !allowance.take(now, line_bytes)).unwrap_or(u64::MAX)
    }

    #[test]
    fn a_burst_is_allowed_and_no_more() {
        let now = Timestamp::from_millis(500);
        assert_eq!(lines_until_refused(&mut ChatAllowance::new(now), now, 256), BURST_BYTES / 256);
        assert_eq!(lines_until_refused(&mut ChatAllowance::new(now), now, 1), BURST_BYTES / LINE_BYTES_MIN);
    }

    #[test]
    fn it_comes_back_with_time_and_not_beyond_the_burst() {
        let mut allowance = ChatAllowance::new(Timestamp::ZERO);
        lines_until_refused(&mut allowance, Timestamp::ZERO, 256);
        assert_eq!(lines_until_refused(&mut allowance, Timestamp::from_millis(1_000), 256), 4);
        assert_eq!(lines_until_refused(&mut allowance, Timestamp::NEVER, 256), BURST_BYTES / 256);
    }

    #[test]
    fn two_texts_a_second_are_always_allowed() {
        let mut allowance = ChatAllowance::new(Timestamp::ZERO);
        for number in 0..10_000 {
            assert!(allowance.take(Timestamp::from_millis(number * 500), 289), "{number}");
        }
    }

    #[test]
    fn asking_often_loses_nothing() {
        let mut allowance = ChatAllowance::new(Timestamp::ZERO);
        lines_until_refused(&mut allowance, Timestamp::ZERO, 256);
        let allowed = (1..=1_000_000).filter(|&micros| allowance.take(Timestamp::from_micros(micros), 256));
        assert_eq!(allowed.count(), 4);
    }
}
