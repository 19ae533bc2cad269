//! The values that are not acknowledged, in one buffer.

use alloc::vec::Vec;

use crate::memory::{IDLE_BYTES_MAX, Room, needed_bytes, reserve_vec, vec_bytes};

/// What stands before each value: its key and its length, two bytes each.
const HEADER_BYTES: usize = 4;
/// Stands for the key of a value that is not needed any more. No session has that many keys.
const NO_KEY: u16 = u16::MAX;

/// Values one behind the other, found by their position. Those that are not needed leave a gap, which closes when room is needed.
///
/// The buffer takes at most twice the bytes that the values in use were ever allowed to have together, and in steady use it stops
/// growing.
#[derive(Debug)]
pub(super) struct ValueStore {
    bytes: Vec<u8>,
    used_bytes: usize,
    used_bytes_max: usize,
}

impl ValueStore {
    /// A store for values that together, with 4 bytes beside each, have at most `used_bytes_max` bytes.
    pub(super) const fn new(used_bytes_max: usize) -> Self {
        Self { bytes: Vec::new(), used_bytes: 0, used_bytes_max }
    }

    /// How many bytes all values have, with 4 bytes beside each.
    pub(super) const fn used_bytes(&self) -> usize {
        self.used_bytes
    }

    /// How many bytes would have to go before a value of `len` bytes fits, once the one at `replaced` has gone.
    pub(super) fn bytes_in_the_way_of(&self, len: usize, replaced: Option<usize>) -> usize {
        let freed = replaced.map_or(0, |position| HEADER_BYTES + self.get(position).len());
        (self.used_bytes - freed + HEADER_BYTES + len).saturating_sub(self.used_bytes_max)
    }

    /// The value at a position.
    pub(super) fn get(&self, position: usize) -> &[u8] {
        let Some((_, len)) = self.header(position) else { return &[] };
        self.bytes.get(position + HEADER_BYTES..position + HEADER_BYTES + len).unwrap_or_default()
    }

    /// Adds a value of at most 65,535 bytes that [fits](Self::bytes_in_the_way_of) and returns its position. `on_moved` is told of each
    /// other value that has a new position from now on.
    pub(super) fn insert(&mut self, key: u16, value: &[u8], on_moved: impl FnMut(u16, usize)) -> usize {
        self.make_room(HEADER_BYTES + value.len(), on_moved);
        let position = self.bytes.len();
        // The caller's values are shorter than a packet.
        let len = u16::try_from(value.len()).unwrap_or(u16::MAX);
        self.bytes.extend_from_slice(&key.to_le_bytes());
        self.bytes.extend_from_slice(&len.to_le_bytes());
        self.bytes.extend_from_slice(value);
        self.used_bytes += HEADER_BYTES + value.len();
        position
    }

    /// Puts a value of the same length in the place of another; says whether the lengths are the same.
    pub(super) fn overwrite(&mut self, position: usize, value: &[u8]) -> bool {
        let Some((_, len)) = self.header(position).filter(|(_, len)| *len == value.len()) else {
            return false;
        };
        let place = self.bytes.get_mut(position + HEADER_BYTES..position + HEADER_BYTES + len);
        place.is_some_and(|place| {
            place.copy_from_slice(value);
            true
        })
    }

    /// The value at a position is not needed any more.
    pub(super) fn remove(&mut self, position: usize) {
        let Some((_, len)) = self.header(position) else { return };
        if let Some(key) = self.bytes.get_mut(position..).and_then(<[u8]>::first_chunk_mut) {
            *key = NO_KEY.to_le_bytes();
        }
        self.used_bytes -= HEADER_BYTES + len;
        if self.used_bytes == 0 {
            self.clear();
        }
    }

    /// Removes all values.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(IDLE_BYTES_MAX);
        self.used_bytes = 0;
    }

    /// The memory it takes.
    pub(super) const fn memory_bytes(&self) -> usize {
        vec_bytes(&self.bytes)
    }

    /// The most memory that a store with this bound takes.
    pub(super) const fn memory_bytes_max(used_bytes_max: usize) -> usize {
        2 * used_bytes_max
    }

    /// The memory that it has to take for a value of `len` bytes, once its gaps are closed where that pays.
    pub(super) fn needed_bytes(&mut self, len: usize, on_moved: impl FnMut(u16, usize)) -> usize {
        let needed = needed_bytes::<u8>(self.bytes.len(), self.bytes.capacity(), HEADER_BYTES + len);
        if needed == 0 || self.bytes.len() < 2 * self.used_bytes {
            return needed;
        }
        self.close_gaps(on_moved);
        needed_bytes::<u8>(self.bytes.len(), self.bytes.capacity(), HEADER_BYTES + len)
    }

    /// Takes the memory for a value of `len` bytes.
    pub(super) fn take_room(&mut self, len: usize, room: &mut Room) {
        let bytes_max = Self::memory_bytes_max(self.used_bytes_max);
        room.reserve_vec(&mut self.bytes, HEADER_BYTES + len, bytes_max);
    }

    /// Gives back the memory that it does not use.
    pub(super) fn give_back(&mut self, on_moved: impl FnMut(u16, usize)) {
        self.close_gaps(on_moved);
        self.bytes.shrink_to_fit();
    }

    fn make_room(&mut self, needed: usize, on_moved: impl FnMut(u16, usize)) {
        if self.bytes.len() + needed <= self.bytes.capacity() {
            return;
        }
        // Each byte that is moved pays for one that becomes free.
        if self.bytes.len() >= 2 * self.used_bytes {
            self.close_gaps(on_moved);
        }
        reserve_vec(&mut self.bytes, needed, Self::memory_bytes_max(self.used_bytes_max));
    }

    fn close_gaps(&mut self, mut on_moved: impl FnMut(u16, usize)) {
        if self.bytes.len() == self.used_bytes {
            return;
        }
        let (mut from, mut to) = (0, 0);
        while let Some((key, len)) = self.header(from) {
            let end = (from + HEADER_BYTES + len).min(self.bytes.len());
            if key != NO_KEY {
                self.bytes.copy_within(from..end, to);
                on_moved(key, to);
                to += end - from;
            }
            from = end;
        }
        self.bytes.truncate(to);
    }

    /// The key and the length of the value at a position.
    fn header(&self, position: usize) -> Option<(u16, usize)> {
        let &[key_low, key_high, len_low, len_high] = self.bytes.get(position..)?.first_chunk()?;
        let len = u16::from_le_bytes([len_low, len_high]);
        Some((u16::from_le_bytes([key_low, key_high]), len.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeMap;
    use alloc::vec;

    #[test]
    fn values_are_found_again_however_often_they_are_moved() {
        let mut store = ValueStore::new(2_000);
        let mut kept: BTreeMap<u16, (usize, Vec<u8>)> = BTreeMap::new();
        for round in 0..5_000_u16 {
            let key = round % 23 * 7 % 23;
            let value = vec![round.to_le_bytes()[0]; usize::from(round) * 31 % 80];
            if let Some((position, _)) = kept.remove(&key) {
                store.remove(position);
            }
            let mut moved = vec![];
            let position = store.insert(key, &value, |key, position| moved.push((key, position)));
            for (key, position) in moved {
                kept.get_mut(&key).unwrap().0 = position;
            }
            kept.insert(key, (position, value));
            for (position, value) in kept.values() {
                assert_eq!(store.get(*position), value);
            }
            let used: usize = kept.values().map(|(_, value)| HEADER_BYTES + value.len()).sum();
            assert_eq!(store.used_bytes(), used);
        }
        assert!(store.bytes.capacity() <= 4_000, "{}", store.bytes.capacity());
    }

    #[test]
    fn a_store_in_steady_use_keeps_its_capacity() {
        let mut store = ValueStore::new(65_536);
        let mut oldest = store.insert(0, &[0; 300], |_, _| {});
        let mut capacities = vec![];
        for round in 0..1_000_u16 {
            let mut moved_to = None;
            let newest = store.insert(round % 2 + 1, &[1; 300], |_, position| moved_to = Some(position));
            store.remove(moved_to.unwrap_or(oldest));
            oldest = newest;
            capacities.push(store.bytes.capacity());
        }
        assert_eq!(capacities[20..].iter().min(), capacities[20..].iter().max());
        assert!(capacities[999] < 3_000);
    }

    #[test]
    fn where_there_are_no_gaps_no_value_is_moved_to_give_memory_back() {
        let mut store = ValueStore::new(1_000);
        let positions = [0, 1, 2].map(|key| store.insert(key, b"value", |_, _| {}));
        let mut moved = vec![];
        store.give_back(|key, _| moved.push(key));
        assert_eq!(moved, []);

        store.remove(positions[0]);
        store.give_back(|key, _| moved.push(key));
        store.give_back(|key, _| moved.push(key));
        assert_eq!(moved, [1, 2]);
    }

    #[test]
    fn a_value_takes_the_place_of_one_of_the_same_length_only() {
        let mut store = ValueStore::new(100);
        let position = store.insert(5, b"here", |_, _| {});
        assert!(!store.overwrite(position, b"there"));
        assert!(store.overwrite(position, b"gone"));
        assert_eq!((store.get(position), store.used_bytes()), (&b"gone"[..], 8));
    }

    #[test]
    fn what_is_in_the_way_does_not_count_what_is_replaced() {
        let mut store = ValueStore::new(100);
        let position = store.insert(1, &[0; 40], |_, _| {});
        store.insert(2, &[0; 40], |_, _| {});
        assert_eq!(store.bytes_in_the_way_of(8, None), 0);
        assert_eq!(store.bytes_in_the_way_of(9, None), 1);
        assert_eq!(store.bytes_in_the_way_of(52, Some(position)), 0);
        assert_eq!(store.bytes_in_the_way_of(60, Some(position)), 8);
    }
}
