//! The receiving half of the lane without order.

use super::{LaneArrival, LaneWindow};

/// How many bits one word of the window has.
const WORD_BITS: u64 = 64;
/// The words that hold a bit for each number of the window.
const WORDS: usize = 16;
const _: () = assert!(LaneWindow::PIECES_MAX == 16 * WORD_BITS);

/// Delivers the messages of the lane without order once each, as they arrive (P56).
#[derive(Debug, Default)]
pub(crate) struct UnorderedReceiver {
    /// The lowest number that has not arrived.
    lowest_missing: u64,
    /// For each number of the window above it, at its place modulo the largest window: whether it arrived.
    arrived: [u64; WORDS],
    duplicates: u64,
}

impl UnorderedReceiver {
    /// Takes a message and delivers it unless it came before.
    pub(crate) fn receive(
        &mut self,
        number: u64,
        message: &[u8],
        window: LaneWindow,
        mut deliver: impl FnMut(&[u8]),
    ) -> LaneArrival {
        let ahead = number.checked_sub(self.lowest_missing);
        if ahead.is_some_and(|ahead| ahead >= window.pieces()) {
            return LaneArrival::BeyondWindow;
        }
        if ahead.is_none() || self.has_arrived(number) {
            self.duplicates += 1;
            return LaneArrival::Duplicate;
        }
        self.flip(number);
        deliver(message);
        while self.has_arrived(self.lowest_missing) {
            self.flip(self.lowest_missing);
            self.lowest_missing = self.lowest_missing.saturating_add(1);
        }
        LaneArrival::Delivered(1)
    }

    /// Expects numbers from 0 on (P24).
    pub(crate) const fn restart(&mut self) {
        self.lowest_missing = 0;
        self.arrived = [0; WORDS];
    }

    /// How many messages arrived again after they were delivered.
    pub(crate) const fn duplicates(&self) -> u64 {
        self.duplicates
    }

    fn has_arrived(&self, number: u64) -> bool {
        let (word, bit) = place_of(number);
        self.arrived.get(word).is_some_and(|word| word & bit != 0)
    }

    fn flip(&mut self, number: u64) {
        let (word, bit) = place_of(number);
        if let Some(word) = self.arrived.get_mut(word) {
            *word ^= bit;
        }
    }
}

/// The word and the bit of a number.
fn place_of(number: u64) -> (usize, u64) {
    let place = number % LaneWindow::PIECES_MAX;
    // Below the number of words.
    let word = usize::try_from(place / WORD_BITS).unwrap_or_default();
    (word, 1 << (place % WORD_BITS))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    const WINDOW: LaneWindow = LaneWindow::new(65_536);

    fn arrivals(receiver: &mut UnorderedReceiver, numbers: &[u64]) -> Vec<LaneArrival> {
        numbers.iter().map(|&number| receiver.receive(number, b"m", WINDOW, |_| {})).collect()
    }

    #[test]
    fn p56_messages_are_delivered_as_they_arrive_and_once() {
        let mut receiver = UnorderedReceiver::default();
        let delivered = LaneArrival::Delivered(1);
        assert_eq!(arrivals(&mut receiver, &[2, 0, 255, 1]), [delivered; 4]);
        assert_eq!(arrivals(&mut receiver, &[2, 0, 255, 1]), [LaneArrival::Duplicate; 4]);
        assert_eq!(receiver.duplicates(), 4);
    }

    #[test]
    fn p56_a_message_beyond_the_window_is_a_violation() {
        let mut receiver = UnorderedReceiver::default();
        assert_eq!(arrivals(&mut receiver, &[256, u64::MAX]), [LaneArrival::BeyondWindow; 2]);
        assert_eq!(arrivals(&mut receiver, &[1, 0]), [LaneArrival::Delivered(1); 2]);
        let after = [LaneArrival::Delivered(1), LaneArrival::BeyondWindow];
        assert_eq!(arrivals(&mut receiver, &[257, 258]), after);
    }

    #[test]
    fn p51_the_largest_window_has_a_bit_for_each_of_its_numbers() {
        let mut receiver = UnorderedReceiver::default();
        let window = LaneWindow::new(LaneWindow::BYTES_MAX);
        let mut receive = |number| receiver.receive(number, b"m", window, |_| {});
        assert!((1..1_024).all(|number| receive(number) == LaneArrival::Delivered(1)));
        assert!((1..1_024).all(|number| receive(number) == LaneArrival::Duplicate));
        assert_eq!(receive(1_024), LaneArrival::BeyondWindow);
        assert_eq!((receive(0), receive(2_047)), (LaneArrival::Delivered(1), LaneArrival::Delivered(1)));
    }

    #[test]
    fn numbers_are_told_apart_for_ever() {
        let mut receiver = UnorderedReceiver::default();
        let mut delivered = 0;
        for base in (0..20_000).step_by(100) {
            for number in (base..base + 100).rev().chain(base..base + 100) {
                receiver.receive(number, b"m", WINDOW, |_| delivered += 1);
            }
        }
        assert_eq!((delivered, receiver.duplicates()), (20_000, 20_000));
    }

    #[test]
    fn p24_a_restart_expects_number_zero() {
        let mut receiver = UnorderedReceiver::default();
        arrivals(&mut receiver, &[0, 1, 5]);
        receiver.restart();
        assert_eq!(arrivals(&mut receiver, &[0, 1, 5]), [LaneArrival::Delivered(1); 3]);
    }
}
