//! A first-in first-out queue of values with bytes, all bytes in one ring.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::memory::{Room, Thrift, deque_bytes, needed_bytes, reserve_deque};

/// Values with byte strings attached. Once its rings have grown, it allocates nothing.
#[derive(Debug)]
pub(crate) struct ByteQueue<T> {
    entries: VecDeque<(T, usize)>,
    bytes: VecDeque<u8>,
    entries_max: usize,
    bytes_max: usize,
}

impl<T> Default for ByteQueue<T> {
    fn default() -> Self {
        Self::new(usize::MAX, usize::MAX)
    }
}

impl<T> ByteQueue<T> {
    /// An empty queue. Its owner keeps at most so many entries with at most so many bytes in it; it takes no more memory than they do.
    pub(crate) const fn new(entries_max: usize, bytes_max: usize) -> Self {
        Self { entries: VecDeque::new(), bytes: VecDeque::new(), entries_max, bytes_max }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many entries are queued.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Bytes queued, without the values they belong to.
    pub(crate) fn bytes_len(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn push(&mut self, value: T, bytes: &[u8]) {
        reserve_deque(&mut self.entries, 1, self.entries_max);
        reserve_deque(&mut self.bytes, bytes.len(), self.bytes_max);
        self.entries.push_back((value, bytes.len()));
        self.bytes.extend(bytes);
    }

    /// Makes room for an entry; `false`, and no memory taken, if that takes more than there is.
    pub(crate) fn make_room(&mut self, bytes: usize, room: &mut Room) -> bool {
        let entries = needed_bytes::<(T, usize)>(self.entries.len(), self.entries.capacity(), 1);
        let is_planned =
            room.plan(entries + needed_bytes::<u8>(self.bytes.len(), self.bytes.capacity(), bytes));
        if is_planned {
            room.reserve_deque(&mut self.entries, 1, self.entries_max);
            room.reserve_deque(&mut self.bytes, bytes, self.bytes_max);
        }
        is_planned
    }

    /// Gives back memory that it does not use.
    pub(crate) fn give_back(&mut self, thrift: Thrift) {
        thrift.shrink_deque(&mut self.entries);
        thrift.shrink_deque(&mut self.bytes);
    }

    /// Forgets the first entry.
    pub(crate) fn drop_front(&mut self) {
        if let Some((_, len)) = self.entries.pop_front() {
            self.bytes.drain(..len);
        }
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.bytes.clear();
    }

    /// The memory it takes.
    pub(crate) fn memory_bytes(&self) -> usize {
        deque_bytes(&self.entries) + deque_bytes(&self.bytes)
    }

    /// The most memory that a queue with these bounds takes.
    pub(crate) const fn memory_bytes_max(entries_max: usize, bytes_max: usize) -> usize {
        entries_max * size_of::<(T, usize)>() + bytes_max
    }

    /// The length of the first entry's bytes.
    pub(crate) fn front_len(&self) -> Option<usize> {
        self.entries.front().map(|&(_, len)| len)
    }

    /// Takes the first entry; its bytes replace what `buffer` held.
    pub(crate) fn pop(&mut self, buffer: &mut Vec<u8>) -> Option<T> {
        let (value, len) = self.entries.pop_front()?;
        buffer.clear();
        buffer.extend(self.bytes.drain(..len));
        Some(value)
    }

    /// Takes the first entry; its bytes go to the front of `buffer`. `None`, with the entry kept, if they do not fit.
    pub(crate) fn pop_into(&mut self, buffer: &mut [u8]) -> Option<(T, usize)> {
        let room = buffer.get_mut(..self.front_len()?)?;
        let (value, len) = self.entries.pop_front()?;
        for (to, from) in room.iter_mut().zip(self.bytes.drain(..len)) {
            *to = from;
        }
        Some((value, len))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_and_their_bytes_come_out_together_and_in_order() {
        let mut queue = ByteQueue::new(3, 8);
        queue.push('a', b"one");
        queue.push('b', b"");
        queue.push('c', b"three");
        let mut buffer = std::vec![9; 40];
        assert_eq!((queue.pop(&mut buffer), &buffer[..]), (Some('a'), &b"one"[..]));
        assert_eq!((queue.pop(&mut buffer), &buffer[..]), (Some('b'), &b""[..]));
        let mut room = [0; 8];
        assert_eq!(queue.pop_into(&mut room[..4]), None, "five bytes do not fit into four");
        assert_eq!(queue.pop_into(&mut room), Some(('c', 5)));
        assert_eq!(&room[..5], b"three");
        assert!(queue.is_empty() && queue.bytes_len() == 0);
    }
}
