//! Datagrams by their fingerprints, for as long as one of them can matter.

use std::collections::HashMap;

use rejoin::Timestamp;

/// A datagram that is older counts for nothing: no path lives so long without one that arrives.
const REMEMBERED_MS: u64 = 120_000;

/// What is known about datagrams; nothing ever asks for their order.
#[derive(Debug)]
pub(super) struct Remembered<T> {
    young: HashMap<u64, T>,
    old: HashMap<u64, T>,
    young_since: Timestamp,
}

impl<T> Default for Remembered<T> {
    fn default() -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), young_since: Timestamp::ZERO }
    }
}

impl<T> Remembered<T> {
    pub(super) fn insert(&mut self, fingerprint: u64, about: T) {
        self.young.insert(fingerprint, about);
    }

    pub(super) fn get_mut(&mut self, fingerprint: u64) -> Option<&mut T> {
        self.young.get_mut(&fingerprint).or_else(|| self.old.get_mut(&fingerprint))
    }

    /// Forgets what is too old.
    pub(super) fn forget_before(&mut self, now: Timestamp) {
        if now >= self.young_since.plus_millis(REMEMBERED_MS) {
            self.old = std::mem::take(&mut self.young);
            self.young_since = now;
        }
    }
}

/// A number that stands for all bytes of a datagram.
pub(super) fn fingerprint(bytes: &[u8]) -> u64 {
    const PRIME: u64 = 0x9e37_79b9_7f4a_7c15;
    let mix = |hash: u64, word: u64| (hash ^ word).wrapping_mul(PRIME).rotate_left(29);
    let (words, rest) = bytes.as_chunks::<8>();
    let hash = words.iter().fold(bytes.len() as u64, |hash, word| mix(hash, u64::from_le_bytes(*word)));
    let last = rest.iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
    mix(mix(hash, last), PRIME)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_bit_changes_the_fingerprint() {
        let datagram = [0x3c; 77];
        for place in 0..77 {
            for bit in 0..8 {
                let mut changed = datagram;
                changed[place] ^= 1 << bit;
                assert_ne!(fingerprint(&datagram), fingerprint(&changed), "{place} {bit}");
            }
        }
        assert_ne!(fingerprint(&datagram), fingerprint(&datagram[..76]));
    }

    #[test]
    fn what_was_told_is_known_for_two_minutes_and_forgotten_after_four() {
        let mut remembered = Remembered::default();
        remembered.insert(1, ());
        remembered.forget_before(Timestamp::from_millis(REMEMBERED_MS));
        assert!(remembered.get_mut(1).is_some());
        remembered.forget_before(Timestamp::from_millis(2 * REMEMBERED_MS));
        assert!(remembered.get_mut(1).is_none());
    }
}
