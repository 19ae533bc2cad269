//! How much memory a container takes, counted by its capacity, and growth that ends at a bound.
//!
//! Each container that a peer can make grow says in `memory_bytes` what it takes beyond its own place, and in `memory_bytes_max`
//! what it takes at most.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use smallvec::{Array, SmallVec};

/// What an empty queue may keep for its next use, in bytes; what it took beyond is given back.
pub(crate) const IDLE_BYTES_MAX: usize = 65_536;

/// What a vector takes beyond its own place.
pub(crate) const fn vec_bytes<T>(vec: &Vec<T>) -> usize {
    vec.capacity() * size_of::<T>()
}

/// What a queue takes beyond its own place.
pub(crate) fn deque_bytes<T>(deque: &VecDeque<T>) -> usize {
    deque.capacity() * size_of::<T>()
}

/// What a small vector takes beyond its own place, which is nothing as long as it is small.
pub(crate) fn small_vec_bytes<A: Array>(vec: &SmallVec<A>) -> usize {
    if vec.spilled() { vec.capacity() * size_of::<A::Item>() } else { 0 }
}

/// What a B-tree of `entries` entries takes, as they lie when most came in ascending order.
pub(crate) const fn tree_bytes<T>(entries: usize) -> usize {
    tree_node_bytes::<T>(entries, 7)
}

/// What a B-tree of `entries` entries takes at most: with every node as empty as it may be.
pub(crate) const fn tree_bytes_max<T>(entries: usize) -> usize {
    tree_node_bytes::<T>(entries, 6)
}

/// `per_leaf` is one more than the entries of a leaf: between two leaves lies an entry of their parent.
const fn tree_node_bytes<T>(entries: usize, per_leaf: usize) -> usize {
    // Eleven entries, the parent and the place in it; and the children of an inner node.
    let leaf_bytes = 11 * size_of::<T>() + 2 * size_of::<usize>();
    let inner_bytes = leaf_bytes + 12 * size_of::<usize>();
    let leaves = entries.div_ceil(per_leaf);
    let inner = if leaves > 1 { leaves.div_ceil(per_leaf - 1) } else { 0 };
    leaves.saturating_mul(leaf_bytes).saturating_add(inner.saturating_mul(inner_bytes))
}

/// What a hash map of up to `entries` entries takes at most.
///
/// One slot in eight stays empty, their number is a power of two, and traces of removed entries may double it once.
pub(crate) const fn map_bytes_max<K, V>(entries: usize) -> usize {
    let slots = 2 * (entries * 8 / 7 + 1).next_power_of_two();
    let slots = if slots < 16 { 16 } else { slots };
    slots.saturating_mul(size_of::<(K, V)>() + 1).saturating_add(32)
}

/// What a vector or queue of up to `entries` entries takes at most when it grows by doubling.
pub(crate) const fn doubling_bytes_max<T>(entries: usize) -> usize {
    let capacity = entries.next_power_of_two();
    let capacity = if capacity < 4 { 4 } else { capacity };
    capacity.saturating_mul(size_of::<T>())
}

/// Makes room for `additional` more entries of at most `len_max` in all: twice as much as there was, but not beyond the bound.
pub(crate) fn reserve_vec<T>(vec: &mut Vec<T>, additional: usize, len_max: usize) {
    if let Some(more) = growth(vec.len(), vec.capacity(), additional, len_max) {
        vec.reserve_exact(more);
    }
}

/// As [`reserve_vec`].
pub(crate) fn reserve_deque<T>(deque: &mut VecDeque<T>, additional: usize, len_max: usize) {
    if let Some(more) = growth(deque.len(), deque.capacity(), additional, len_max) {
        deque.reserve_exact(more);
    }
}

/// Gives back what an empty queue does not need for its next use.
pub(crate) fn shrink_idle<T>(deque: &mut VecDeque<T>) {
    if deque.is_empty() && deque_bytes(deque) > IDLE_BYTES_MAX {
        deque.shrink_to(IDLE_BYTES_MAX / size_of::<T>());
    }
}

/// How much memory an operation may take, in bytes.
///
/// An operation first says with [`plan`](Self::plan) what it needs at least. After that each of its containers finds room, and grows by more than it
/// needs only as far as that leaves the others theirs.
#[derive(Debug)]
pub(crate) struct Room {
    left: usize,
    /// Of what is left: what the rest of the operation needs.
    planned: usize,
}

impl Room {
    /// So many bytes may be taken.
    pub(crate) const fn new(bytes: usize) -> Self {
        Self { left: bytes, planned: 0 }
    }

    /// Whether an operation that needs so much may go on.
    pub(crate) const fn plan(&mut self, needed: usize) -> bool {
        self.planned = needed;
        needed <= self.left
    }

    /// Makes room for `additional` more entries of at most `len_max` in all, as [`reserve_vec`] does where there is memory for it.
    pub(crate) fn reserve_vec<T>(&mut self, vec: &mut Vec<T>, additional: usize, len_max: usize) {
        self.reserve_paid(vec, additional, len_max, 0);
    }

    /// As [`reserve_vec`](Self::reserve_vec).
    pub(crate) fn reserve_deque<T>(&mut self, deque: &mut VecDeque<T>, additional: usize, len_max: usize) {
        let (len, capacity) = (deque.len(), deque.capacity());
        if let Some(more) = self.growth::<T>(len, capacity, additional, len_max, capacity) {
            deque.reserve_exact(more);
        }
    }

    /// As [`reserve_vec`](Self::reserve_vec), where room for so many entries is paid for: planned with others, or taken before, whether the vector has it or not.
    pub(crate) fn reserve_paid<T>(
        &mut self,
        vec: &mut Vec<T>,
        additional: usize,
        len_max: usize,
        paid: usize,
    ) {
        let paid = paid.max(vec.capacity());
        if let Some(more) = self.growth::<T>(vec.len(), vec.capacity(), additional, len_max, paid) {
            vec.reserve_exact(more);
        }
    }

    /// Takes so much of what was planned, whatever it is for.
    pub(crate) const fn take(&mut self, bytes: usize) {
        self.left = self.left.saturating_sub(bytes);
        self.planned = self.planned.saturating_sub(bytes);
    }

    /// How much room to ask for beyond `len`, if there is need; room for `paid` entries costs nothing.
    fn growth<T>(
        &mut self,
        len: usize,
        capacity: usize,
        additional: usize,
        len_max: usize,
        paid: usize,
    ) -> Option<usize> {
        let needed = needed_bytes::<T>(len, paid, additional);
        let others = self.planned.saturating_sub(needed);
        let wanted = growth(len, capacity, additional, len_max)?;
        // Twice as much as there was, or a quarter more, or only what it takes: seldom enough that the copying does not count.
        let least = wanted.min(paid.saturating_sub(len)).max(additional);
        let modest = wanted.min(additional + (len + additional) / 4).max(least);
        let cost = |more: usize| needed_bytes::<T>(len, paid, more);
        let fits = |more: &usize| cost(*more).saturating_add(others) <= self.left;
        let more = [wanted, modest].into_iter().find(fits).unwrap_or(least);
        self.left = self.left.saturating_sub(cost(more));
        self.planned = others;
        Some(more)
    }
}

/// An operation needs more memory than there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoRoom {
    /// How much it needs.
    pub(crate) needed_bytes: usize,
}

/// What a session gives back when it takes more memory than it is sure of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Thrift {
    /// What empty containers have room for.
    Idle,
    /// What any container has room for beyond what is in it.
    Spare,
}

impl Thrift {
    /// Lets a queue give back what it should.
    pub(crate) fn shrink_deque<T>(self, deque: &mut VecDeque<T>) {
        if self == Self::Spare || deque.is_empty() {
            deque.shrink_to_fit();
        }
    }
}

/// What a container of `len` entries with room for `capacity` has to take at least for `additional` more, in bytes.
pub(crate) const fn needed_bytes<T>(len: usize, capacity: usize, additional: usize) -> usize {
    (len + additional).saturating_sub(capacity) * size_of::<T>()
}

/// How much room to ask for beyond `len`, if there is need.
fn growth(len: usize, capacity: usize, additional: usize, len_max: usize) -> Option<usize> {
    let needed = len.saturating_add(additional);
    (needed > capacity).then(|| capacity.saturating_mul(2).min(len_max).max(needed) - len)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::keyed_map;
    use alloc::collections::BTreeSet;
    use allocation_counter::measure;

    #[test]
    fn growth_ends_at_the_bound_but_never_refuses() {
        let mut vec: Vec<u16> = Vec::new();
        for len in 1..=1_000 {
            reserve_vec(&mut vec, 1, 1_000);
            vec.push(0);
            assert!(vec.capacity() < 2 * len && vec.capacity() <= 1_000);
        }
        reserve_vec(&mut vec, 100, 1_000);
        assert_eq!(vec.capacity(), 1_100);
        assert_eq!(vec_bytes(&vec), 2_200);
    }

    #[test]
    fn within_a_room_containers_grow_generously_until_that_would_cost_another_its_need() {
        let (mut first, mut second): (Vec<u8>, VecDeque<u64>) = (Vec::with_capacity(100), VecDeque::new());
        first.extend([0; 100]);
        let mut room = Room::new(100);
        assert!(room.plan(10 + 5 * 8));

        room.reserve_vec(&mut first, 10, 1_000);
        assert_eq!(first.capacity(), 137, "a quarter more: twice as much would leave the second too little");
        room.reserve_deque(&mut second, 5, 1_000);
        assert_eq!((second.capacity(), room.left), (5, 23));

        room.reserve_vec(&mut first, 20, 1_000);
        assert_eq!((first.capacity(), room.left), (137, 23), "there is room already");
        assert!(room.plan(23) && !room.plan(24));
    }

    #[test]
    fn where_memory_is_short_containers_take_what_they_need_and_no_more() {
        let mut vec: Vec<u16> = Vec::new();
        let mut room = Room::new(20);
        assert!(room.plan(20));
        room.reserve_vec(&mut vec, 10, 1_000);
        assert_eq!((vec.capacity(), room.left), (10, 0));
    }

    #[test]
    fn what_is_paid_for_is_taken_freely_and_no_more_than_there_is_beside_it() {
        let grown = |left: usize, paid_bytes: usize| {
            let mut vec = alloc::vec![0_u8; 100];
            let mut room = Room::new(left);
            room.reserve_paid(&mut vec, 10, 1_000, paid_bytes);
            (vec.capacity(), room.left)
        };
        assert_eq!(grown(0, 500), (200, 0), "twice as much as there was");
        assert_eq!(grown(0, 150), (150, 0), "all that is paid for");
        assert_eq!(grown(60, 150), (200, 10));
        assert_eq!(grown(40, 120), (137, 23), "a quarter more");
        assert_eq!(grown(0, 110), (110, 0));
    }

    #[test]
    fn an_empty_queue_keeps_what_it_may_and_gives_back_the_rest() {
        let mut deque: VecDeque<u32> = (0..100_000).collect();
        shrink_idle(&mut deque);
        assert!(deque_bytes(&deque) >= 400_000, "it is not empty");
        deque.clear();
        shrink_idle(&mut deque);
        assert_eq!(deque_bytes(&deque), IDLE_BYTES_MAX);
    }

    #[test]
    fn trees_take_what_is_reckoned() {
        for entries in [1, 7, 100, 10_000_u64] {
            let mut ascending = BTreeSet::new();
            let taken = measure(|| ascending.extend((0..entries).map(|entry| [entry; 5])));
            let taken = usize::try_from(taken.bytes_current).unwrap();
            let entries = usize::try_from(entries).unwrap();
            let reckoned = tree_bytes::<[u64; 5]>(entries);
            assert!(reckoned.abs_diff(taken) <= 600 + taken / 20, "{entries}: {reckoned}, not {taken}");
            assert!(taken <= tree_bytes_max::<[u64; 5]>(entries), "{entries}");
        }
    }

    #[test]
    fn maps_never_take_more_than_is_reckoned() {
        for entries in [1, 3, 14, 28, 500, 1_000_u64] {
            let mut map = keyed_map([1; 16]);
            for entry in 0..20_000_u64 {
                map.insert(entry, [entry; 3]);
                map.remove(&entry.wrapping_sub(entries));
                let bytes_max = map_bytes_max::<u64, [u64; 3]>(usize::try_from(entries).unwrap() + 1);
                assert!(map.allocation_size() <= bytes_max, "{entries}: {}", map.allocation_size());
            }
        }
    }
}
