//! Refusing repeated packets (netcode standard, section Replay Protection).

use crate::planted::{PlantedBug, is_planted};

const WINDOW: u64 = 256;
const WORD_BITS: u64 = u64::BITS as u64;
const WORDS: usize = (WINDOW / WORD_BITS) as usize;

/// Remembers which of the last 256 sequences have arrived; anything older counts as arrived.
///
/// Ask [`ReplayWindow::is_fresh`] before opening a packet and call [`ReplayWindow::advance`] after it opened, so
/// that forged packets move nothing. Only keep-alives, payloads and disconnects go through it.
#[derive(Clone, Debug, Default)]
pub(crate) struct ReplayWindow {
    most_recent: Option<u64>,
    /// One bit for each sequence in the window, at the sequence modulo the window's size.
    arrived: [u64; WORDS],
}

impl ReplayWindow {
    /// A window that nothing has passed yet.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// The highest sequence that has passed.
    pub(crate) const fn most_recent(&self) -> Option<u64> {
        self.most_recent
    }

    /// Whether a packet with this sequence may still be accepted.
    pub(crate) fn is_fresh(&self, sequence: u64) -> bool {
        let Some(most_recent) = self.most_recent else { return true };
        if is_planted(PlantedBug::AdditionInReplayTest) && sequence + WINDOW <= most_recent {
            return false;
        }
        // By subtraction: adding the window to a sequence near the end of the range would overflow.
        match most_recent.checked_sub(sequence) {
            None => true,
            Some(age) => age < WINDOW && self.word(sequence) & mask(sequence) == 0,
        }
    }

    /// Records a packet that opened. One that is older than the window changes nothing.
    pub(crate) fn advance(&mut self, sequence: u64) {
        match self.most_recent.map(|most_recent| (most_recent, most_recent.checked_sub(sequence))) {
            None => self.most_recent = Some(sequence),
            Some((_, Some(age))) if age >= WINDOW => return,
            Some((_, Some(_))) => {}
            Some((most_recent, None)) => {
                self.forget_between(most_recent, sequence);
                self.most_recent = Some(sequence);
            }
        }
        *self.word_mut(sequence) |= mask(sequence);
    }

    /// Clears the bits of the sequences skipped between `previous` and `newest`: they stood for older ones.
    fn forget_between(&mut self, previous: u64, newest: u64) {
        let advanced = newest - previous;
        if advanced >= WINDOW {
            self.arrived = [0; WORDS];
            return;
        }
        for ahead in 1..advanced {
            *self.word_mut(previous + ahead) &= !mask(previous + ahead);
        }
    }

    fn word(&self, sequence: u64) -> u64 {
        self.arrived[word_index(sequence)]
    }

    fn word_mut(&mut self, sequence: u64) -> &mut u64 {
        &mut self.arrived[word_index(sequence)]
    }
}

const fn word_index(sequence: u64) -> usize {
    (sequence % WINDOW / WORD_BITS) as usize
}

const fn mask(sequence: u64) -> u64 {
    1 << (sequence % WORD_BITS)
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;

    use super::super::fixtures::Lcg;
    use super::*;

    /// The rule of the standard in its plainest form: every sequence ever seen, and the highest.
    #[derive(Default)]
    struct Model {
        seen: BTreeSet<u64>,
    }

    impl Model {
        fn is_fresh(&self, sequence: u64) -> bool {
            let too_old = self.seen.last().is_some_and(|&last| last >= sequence && last - sequence >= WINDOW);
            !too_old && !self.seen.contains(&sequence)
        }
    }

    #[test]
    fn a_new_window_accepts_every_sequence() {
        let window = ReplayWindow::new();

        assert_eq!(window.most_recent(), None);
        assert!([0, 1, u64::MAX].into_iter().all(|sequence| window.is_fresh(sequence)));
    }

    #[test]
    fn a_sequence_passes_once() {
        for sequence in [0, 1, 255, 256, 1 << 63, u64::MAX - 1, u64::MAX] {
            let mut window = ReplayWindow::new();

            window.advance(sequence);

            assert!(!window.is_fresh(sequence), "{sequence}");
            assert_eq!(window.most_recent(), Some(sequence));
        }
    }

    #[test]
    fn the_window_reaches_back_256_sequences_and_no_further() {
        for newest in [256, 300, 1 << 40, u64::MAX] {
            let mut window = ReplayWindow::new();
            window.advance(newest);

            assert!(window.is_fresh(newest - 255), "{newest}");
            assert!(!window.is_fresh(newest - 256), "{newest}");
            assert!(!window.is_fresh(0), "{newest}");
        }
    }

    #[test]
    fn a_leap_to_the_end_of_the_range_forgets_all_and_overflows_nothing() {
        let mut window = ReplayWindow::new();
        (0..256).for_each(|sequence| window.advance(sequence));

        window.advance(u64::MAX);

        assert!((u64::MAX - 255..u64::MAX).all(|sequence| window.is_fresh(sequence)));
        assert!(!window.is_fresh(255));
    }

    #[test]
    fn a_sequence_older_than_the_window_changes_nothing() {
        let mut window = ReplayWindow::new();
        window.advance(1_000);

        window.advance(1_000 - 256 - 1);

        assert_eq!(window.most_recent(), Some(1_000));
        assert!((1_000 - 255..1_000).all(|sequence| window.is_fresh(sequence)));
    }

    #[test]
    fn it_agrees_with_a_plain_set_on_every_nearby_sequence() {
        for base in [0, 1 << 20, u64::MAX - 9_000] {
            let (mut window, mut model, mut random) = (ReplayWindow::new(), Model::default(), Lcg(base));
            let mut around = base;
            for _ in 0..400 {
                around = around.saturating_add(random.below(20));
                if random.below(50) == 0 {
                    around = around.saturating_add(random.below(600));
                }
                let sequence = around.saturating_sub(random.below(300));
                if window.is_fresh(sequence) {
                    window.advance(sequence);
                    model.seen.insert(sequence);
                }

                assert_eq!(window.most_recent(), model.seen.last().copied());
                for near in around.saturating_sub(700)..=around.saturating_add(300) {
                    assert_eq!(window.is_fresh(near), model.is_fresh(near), "{near} after {sequence}");
                }
            }
        }
    }
}
