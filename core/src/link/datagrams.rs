//! Unreliable messages that wait for a packet.

use alloc::collections::VecDeque;

use super::byte_ring::{ByteRing, TwoParts};
use super::frame::MESSAGE_BYTES_MAX;
use crate::memory::{Room, Thrift, deque_bytes, needed_bytes, reserve_deque};

/// The message is empty or larger than one packet takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DatagramSizeError;

/// A bounded queue, first in, first out; when it is full the oldest messages give way to the newest.
#[derive(Debug)]
pub(crate) struct DatagramQueue {
    bytes: ByteRing,
    lengths: VecDeque<u16>,
    queue_bytes_max: usize,
    queue_messages_max: usize,
    dropped: u64,
    dropped_over_bandwidth: u64,
}

impl DatagramQueue {
    /// A queue that holds at most `queue_bytes_max` bytes in at most `queue_messages_max` messages.
    pub(crate) fn new(queue_bytes_max: usize, queue_messages_max: usize) -> Self {
        Self {
            bytes: ByteRing::new(queue_bytes_max),
            lengths: VecDeque::new(),
            queue_bytes_max,
            queue_messages_max,
            dropped: 0,
            dropped_over_bandwidth: 0,
        }
    }

    /// Queues a message of 1 to [`MESSAGE_BYTES_MAX`] bytes, and drops the oldest ones where it needs their room.
    pub(crate) fn push(&mut self, message: &[u8]) -> Result<(), DatagramSizeError> {
        let len = u16::try_from(message.len())
            .ok()
            .filter(|len| (1..=MESSAGE_BYTES_MAX).contains(&usize::from(*len)))
            .ok_or(DatagramSizeError)?;
        if message.len() > self.queue_bytes_max || self.queue_messages_max == 0 {
            self.dropped += 1;
            return Ok(());
        }
        while self.lengths.len() >= self.queue_messages_max
            || self.bytes.len() + message.len() > self.queue_bytes_max
        {
            self.pop();
            self.dropped += 1;
        }
        self.bytes.push(message);
        reserve_deque(&mut self.lengths, 1, self.queue_messages_max);
        self.lengths.push_back(len);
        Ok(())
    }

    /// Makes room for a message of so many bytes; where there is no memory for it, the oldest ones are dropped that have it. `false` if even an empty
    /// queue finds none: then the message is [dropped](Self::drop_newest) itself.
    pub(crate) fn make_room(&mut self, len: usize, room: &mut Room) -> bool {
        if len > self.queue_bytes_max || self.queue_messages_max == 0 {
            return true;
        }
        loop {
            let is_admitted = self.lengths.len() < self.queue_messages_max
                && self.bytes.len() + len <= self.queue_bytes_max;
            let lengths = needed_bytes::<u16>(self.lengths.len(), self.lengths.capacity(), 1);
            if is_admitted && room.plan(self.bytes.needed_bytes(len) + lengths) {
                self.bytes.make_room(len, room);
                room.reserve_deque(&mut self.lengths, 1, self.queue_messages_max);
                return true;
            }
            if self.lengths.is_empty() {
                return false;
            }
            self.pop();
            self.dropped += 1;
        }
    }

    /// Counts a message that was not queued because there is no memory for it.
    pub(crate) const fn drop_newest(&mut self) {
        self.dropped += 1;
    }

    /// Gives back memory that it does not use.
    pub(crate) fn give_back(&mut self, thrift: Thrift) {
        self.bytes.give_back(thrift);
        thrift.shrink_deque(&mut self.lengths);
    }

    /// The oldest message.
    pub(crate) fn front(&self) -> Option<TwoParts<'_>> {
        let len = usize::from(*self.lengths.front()?);
        Some(self.bytes.front(len))
    }

    /// Removes the oldest message.
    pub(crate) fn pop(&mut self) {
        if let Some(len) = self.lengths.pop_front() {
            self.bytes.pop(usize::from(len));
        }
    }

    /// Drops and counts everything.
    pub(crate) fn clear(&mut self) {
        self.dropped += self.lengths.len() as u64;
        self.lengths.clear();
        self.bytes.clear();
    }

    /// Drops everything because there is no bandwidth for it, and counts that apart.
    pub(crate) fn drop_over_bandwidth(&mut self) {
        self.dropped_over_bandwidth += self.lengths.len() as u64;
        self.lengths.clear();
        self.bytes.clear();
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.lengths.is_empty()
    }

    /// How many messages wait.
    pub(crate) fn len(&self) -> usize {
        self.lengths.len()
    }

    /// How many bytes they have.
    pub(crate) fn queue_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// The memory it takes.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.bytes.memory_bytes() + deque_bytes(&self.lengths)
    }

    /// The most memory that a queue with these bounds takes.
    pub(crate) const fn memory_bytes_max(queue_bytes_max: usize, queue_messages_max: usize) -> usize {
        queue_bytes_max + queue_messages_max * size_of::<u16>()
    }

    /// How many messages were dropped without being sent, but not for want of bandwidth.
    pub(crate) const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// How many messages were dropped for want of bandwidth.
    pub(crate) const fn dropped_over_bandwidth(&self) -> u64 {
        self.dropped_over_bandwidth
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn drained(queue: &mut DatagramQueue) -> Vec<Vec<u8>> {
        let mut messages = Vec::new();
        while let Some((front, back)) = queue.front() {
            messages.push([front, back].concat());
            queue.pop();
        }
        messages
    }

    #[test]
    fn messages_leave_in_the_order_they_came() {
        let mut queue = DatagramQueue::new(100, 10);
        queue.push(b"one").unwrap();
        queue.push(b"two").unwrap();
        assert_eq!(drained(&mut queue), [b"one", b"two"]);
        assert!(queue.is_empty());
    }

    #[test]
    fn the_oldest_give_way_when_the_bytes_are_used_up() {
        let mut queue = DatagramQueue::new(10, 10);
        for message in [&b"aaaa"[..], b"bbbb", b"cccccc"] {
            queue.push(message).unwrap();
        }
        assert_eq!(drained(&mut queue), [&b"bbbb"[..], b"cccccc"]);
        assert_eq!(queue.dropped(), 1);
    }

    #[test]
    fn the_oldest_give_way_when_the_messages_are_too_many() {
        let mut queue = DatagramQueue::new(100, 2);
        for message in [b"a", b"b", b"c"] {
            queue.push(message).unwrap();
        }
        assert_eq!(drained(&mut queue), [b"b", b"c"]);
        assert_eq!(queue.dropped(), 1);
    }

    #[test]
    fn a_message_above_the_whole_bound_is_dropped_alone() {
        let mut queue = DatagramQueue::new(5, 10);
        queue.push(b"keep").unwrap();
        queue.push(b"too large").unwrap();
        assert_eq!(drained(&mut queue), [b"keep"]);
        assert_eq!(queue.dropped(), 1);
    }

    #[test]
    fn a_message_no_packet_takes_is_the_callers_mistake() {
        let mut queue = DatagramQueue::new(10_000, 10);
        assert_eq!(queue.push(b""), Err(DatagramSizeError));
        assert_eq!(queue.push(&[0; MESSAGE_BYTES_MAX + 1]), Err(DatagramSizeError));
        assert_eq!(queue.push(&[0; MESSAGE_BYTES_MAX]), Ok(()));
    }

    #[test]
    fn clearing_counts_what_is_lost() {
        let mut queue = DatagramQueue::new(100, 10);
        queue.push(b"a").unwrap();
        queue.push(b"b").unwrap();
        queue.clear();
        assert!(queue.front().is_none());
        assert_eq!((queue.dropped(), queue.dropped_over_bandwidth()), (2, 0));
    }

    #[test]
    fn what_is_dropped_over_bandwidth_is_counted_apart() {
        let mut queue = DatagramQueue::new(100, 10);
        queue.push(b"a").unwrap();
        queue.drop_over_bandwidth();
        assert!(queue.is_empty());
        assert_eq!((queue.dropped(), queue.dropped_over_bandwidth()), (0, 1));
    }
}
