//! The bytes of a lane's messages until the peer has acknowledged them.

use alloc::collections::VecDeque;
use alloc::sync::Arc;

use super::{Message, SHARED_BYTES_MIN};
use crate::link::byte_ring::{ByteRing, TwoParts};
use crate::memory::{Room, Thrift, deque_bytes, needed_bytes, reserve_deque, shrink_idle};

/// A queue of message bytes: some copied into a ring of the lane's own, some in buffers that other lanes keep too.
///
/// A byte is found by its position: how many bytes were pushed before it, whatever they lie in.
#[derive(Debug)]
pub(super) struct KeptBytes {
    copied: ByteRing,
    /// The messages that were not copied, oldest first.
    shared: VecDeque<SharedMessage>,
    /// What their buffers take, as if nobody else kept them.
    shared_bytes: usize,
    /// The position of the oldest byte that is still here.
    start: u64,
    len: usize,
    bytes_max: usize,
}

#[derive(Debug)]
struct SharedMessage {
    position: u64,
    /// The position in the ring of what was copied next after it.
    copied_after: u64,
    bytes: Arc<[u8]>,
}

impl SharedMessage {
    fn end(&self) -> u64 {
        self.position.wrapping_add(self.bytes.len() as u64)
    }
}

/// What a shared buffer of so many bytes takes.
const fn buffer_bytes(len: usize) -> usize {
    (BUFFER_HEADER_BYTES + len).next_multiple_of(size_of::<usize>())
}

/// What a shared buffer takes beside its bytes: how often it is referred to.
const BUFFER_HEADER_BYTES: usize = 2 * size_of::<usize>();

impl KeptBytes {
    /// An empty queue whose owner keeps at most `bytes_max` bytes in it.
    pub(super) const fn new(bytes_max: usize) -> Self {
        Self {
            copied: ByteRing::new(bytes_max),
            shared: VecDeque::new(),
            shared_bytes: 0,
            start: 0,
            len: 0,
            bytes_max,
        }
    }

    /// How many bytes it holds; shared ones count in full.
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// Appends a message; returns its position.
    pub(super) fn push(&mut self, message: Message<'_>) -> u64 {
        let position = self.start.wrapping_add(self.len as u64);
        match message {
            Message::Borrowed(bytes) => {
                self.copied.push(bytes);
            }
            Message::Shared(bytes) => {
                reserve_deque(&mut self.shared, 1, self.bytes_max / SHARED_BYTES_MIN);
                self.shared.push_back(SharedMessage {
                    position,
                    copied_after: self.copied.end(),
                    bytes: Arc::clone(bytes),
                });
                self.shared_bytes += buffer_bytes(bytes.len());
            }
        }
        self.len += message.bytes().len();
        position
    }

    /// Removes the oldest `len` bytes, all of one message.
    pub(super) fn pop(&mut self, len: usize) {
        let len = len.min(self.len);
        let is_shared = self.shared.front().is_some_and(|first| first.position <= self.start);
        self.start = self.start.wrapping_add(len as u64);
        self.len -= len;
        if is_shared {
            let start = self.start;
            if let Some(gone) = self.shared.pop_front_if(|first| first.end() <= start) {
                self.shared_bytes -= buffer_bytes(gone.bytes.len());
            }
            shrink_idle(&mut self.shared);
        } else {
            self.copied.pop(len);
        }
    }

    /// Removes everything.
    pub(super) fn clear(&mut self) {
        self.start = self.start.wrapping_add(self.len as u64);
        self.len = 0;
        self.copied.clear();
        self.shared.clear();
        self.shared_bytes = 0;
        shrink_idle(&mut self.shared);
    }

    /// The memory it takes; a shared buffer counts with the part that falls to each who keeps it.
    pub(super) fn memory_bytes(&self) -> usize {
        let part = |message: &SharedMessage| {
            buffer_bytes(message.bytes.len()).div_ceil(Arc::strong_count(&message.bytes))
        };
        let buffers: usize = self.shared.iter().map(part).sum();
        self.copied.memory_bytes() + deque_bytes(&self.shared) + buffers
    }

    /// What is charged for it: a shared buffer counts in full, whoever else keeps it.
    pub(super) fn charged_bytes(&self) -> usize {
        self.copied.memory_bytes() + deque_bytes(&self.shared) + self.shared_bytes
    }

    /// What would be charged for a message in addition, at least.
    pub(super) fn needed_bytes(&self, message: Message<'_>) -> usize {
        match message {
            Message::Borrowed(bytes) => self.copied.needed_bytes(bytes.len()),
            Message::Shared(bytes) => {
                let records = needed_bytes::<SharedMessage>(self.shared.len(), self.shared.capacity(), 1);
                records + buffer_bytes(bytes.len())
            }
        }
    }

    /// Makes room for a message.
    pub(super) fn make_room(&mut self, message: Message<'_>, room: &mut Room) {
        match message {
            Message::Borrowed(bytes) => self.copied.make_room(bytes.len(), room),
            Message::Shared(bytes) => {
                room.take(buffer_bytes(bytes.len()));
                room.reserve_deque(&mut self.shared, 1, self.bytes_max / SHARED_BYTES_MIN);
            }
        }
    }

    /// Gives back memory that it does not use.
    pub(super) fn give_back(&mut self, thrift: Thrift) {
        self.copied.give_back(thrift);
        thrift.shrink_deque(&mut self.shared);
    }

    /// The most memory that a queue of at most `bytes_max` bytes takes: its ring keeps its size while shared messages wait.
    pub(super) const fn memory_bytes_max(bytes_max: usize) -> usize {
        let shared_max = bytes_max / SHARED_BYTES_MIN;
        2 * bytes_max + shared_max * (size_of::<SharedMessage>() + BUFFER_HEADER_BYTES + size_of::<usize>())
    }

    /// The `len` bytes at `position`, all of one message.
    pub(super) fn get(&self, position: u64, len: usize) -> TwoParts<'_> {
        let later = self.shared.partition_point(|message| message.position <= position);
        let before = later.checked_sub(1).and_then(|index| self.shared.get(index));
        let Some(shared) = before else {
            let offset = position.wrapping_sub(self.start);
            return self.copied.get(self.copied.start().wrapping_add(offset), len);
        };
        if let Some(offset) = position.checked_sub(shared.end()) {
            return self.copied.get(shared.copied_after.wrapping_add(offset), len);
        }
        // The offset lies within the buffer.
        let offset = usize::try_from(position - shared.position).unwrap_or(usize::MAX);
        let run = shared.bytes.get(offset..).unwrap_or_default();
        (run.get(..len).unwrap_or(run), &[])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn joined(parts: TwoParts<'_>) -> Vec<u8> {
        [parts.0, parts.1].concat()
    }

    #[test]
    fn copied_and_shared_messages_are_found_again_in_any_mixture() {
        let mut kept = KeptBytes::new(1_000);
        let mut expected = VecDeque::new();
        for round in 0..3_000_u16 {
            let bytes: Vec<u8> = (0..=round % 37).map(|offset| (round + offset).to_le_bytes()[0]).collect();
            let position = if round % 7 < 3 || round % 301 < 20 {
                kept.push(Message::Shared(&Arc::from(&bytes[..])))
            } else {
                kept.push(Message::Borrowed(&bytes))
            };
            expected.push_back((position, bytes));
            if expected.len() > usize::from(round % 11) {
                let (_, oldest) = expected.pop_front().unwrap();
                kept.pop(oldest.len() / 2);
                kept.pop(oldest.len().div_ceil(2));
            }
            for (position, bytes) in &expected {
                assert_eq!(joined(kept.get(*position, bytes.len())), *bytes);
                let half = bytes.len() / 2;
                assert_eq!(joined(kept.get(*position + half as u64, bytes.len() - half)), bytes[half..]);
            }
            assert_eq!(kept.len(), expected.iter().map(|(_, bytes)| bytes.len()).sum::<usize>());
        }
    }

    #[test]
    fn a_shared_buffer_is_let_go_when_its_last_byte_leaves() {
        let buffer = Arc::from(&b"for everybody"[..]);
        let (mut one, mut other) = (KeptBytes::new(1_000), KeptBytes::new(1_000));
        for kept in [&mut one, &mut other] {
            kept.push(Message::Borrowed(b"own"));
            kept.push(Message::Shared(&buffer));
        }
        one.pop(3);
        one.pop(12);
        assert_eq!(Arc::strong_count(&buffer), 3);
        one.pop(1);
        assert_eq!(Arc::strong_count(&buffer), 2);
        other.clear();
        assert_eq!((Arc::strong_count(&buffer), other.len()), (1, 0));
        let position = other.push(Message::Borrowed(b"afresh"));
        assert_eq!(joined(other.get(position, 6)), b"afresh");
    }
}
