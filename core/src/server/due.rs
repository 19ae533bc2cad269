//! The sessions with output, in the order of their turns.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::memory::{deque_bytes, doubling_bytes_max, vec_bytes};

/// A queue of slots, each in it once at most, whoever lives in the slot meanwhile.
#[derive(Debug, Default)]
pub(super) struct DueSessions {
    turns: VecDeque<u32>,
    /// For each slot ever listed: whether it is listed now.
    is_listed: Vec<bool>,
}

impl DueSessions {
    /// Whether nobody has output.
    pub(super) fn is_empty(&self) -> bool {
        self.turns.is_empty()
    }

    /// Whether the session in slot `index` is listed.
    pub(super) fn contains(&self, index: u32) -> bool {
        self.is_listed.get(index as usize).is_some_and(|is_listed| *is_listed)
    }

    /// Lists the session in slot `index` behind the others, unless it is listed already.
    pub(super) fn push(&mut self, index: u32) {
        let slot = index as usize;
        if self.is_listed.len() <= slot {
            self.is_listed.resize(slot + 1, false);
        }
        if !core::mem::replace(&mut self.is_listed[slot], true) {
            self.turns.push_back(index);
        }
    }

    /// Takes out the slot whose turn it is.
    pub(super) fn pop(&mut self) -> Option<u32> {
        let index = self.turns.pop_front()?;
        if let Some(is_listed) = self.is_listed.get_mut(index as usize) {
            *is_listed = false;
        }
        Some(index)
    }

    /// The memory it takes.
    pub(super) fn memory_bytes(&self) -> usize {
        deque_bytes(&self.turns) + vec_bytes(&self.is_listed)
    }

    /// The most memory it takes with so many slots.
    pub(super) const fn memory_bytes_max(slots: usize) -> usize {
        // Short vectors of bytes begin with room for eight.
        doubling_bytes_max::<u32>(slots) + doubling_bytes_max::<bool>(slots) + 8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_take_turns_and_are_listed_once() {
        let mut due = DueSessions::default();
        for index in [7, 3, 7, 3, 0] {
            due.push(index);
        }
        assert!(due.contains(3) && !due.contains(4) && !due.contains(100));
        assert_eq!(due.pop(), Some(7));
        due.push(7);
        let turns: Vec<u32> = core::iter::from_fn(|| due.pop()).collect();
        assert_eq!(turns, [3, 0, 7]);
        assert!(due.is_empty() && !due.contains(7));
    }
}
