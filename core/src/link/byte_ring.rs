//! Messages of any size in one ring of bytes that keeps its capacity.

use alloc::collections::VecDeque;

use crate::memory::{Room, Thrift, deque_bytes, needed_bytes, reserve_deque, shrink_idle};

/// The two parts in which a run of bytes lies in a ring; the second is empty unless the run wraps.
pub(crate) type TwoParts<'a> = (&'a [u8], &'a [u8]);

/// A queue of bytes in which a run is found by its position: how many bytes were pushed before it.
#[derive(Debug)]
pub(crate) struct ByteRing {
    bytes: VecDeque<u8>,
    bytes_max: usize,
    /// The position of the oldest byte that is still here.
    start: u64,
}

impl ByteRing {
    /// An empty ring whose owner keeps at most `bytes_max` bytes in it: it takes no more memory than that.
    pub(crate) const fn new(bytes_max: usize) -> Self {
        Self { bytes: VecDeque::new(), bytes_max, start: 0 }
    }

    /// How many bytes it holds.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The position of the oldest byte.
    pub(crate) const fn start(&self) -> u64 {
        self.start
    }

    /// The position of the byte that is pushed next.
    pub(crate) fn end(&self) -> u64 {
        self.start.wrapping_add(self.bytes.len() as u64)
    }

    /// Appends `bytes`; returns their position.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> u64 {
        let position = self.end();
        reserve_deque(&mut self.bytes, bytes.len(), self.bytes_max);
        self.bytes.extend(bytes);
        position
    }

    /// Removes the oldest `len` bytes. A ring that becomes empty gives back what it had beyond a burst's worth.
    pub(crate) fn pop(&mut self, len: usize) {
        let len = len.min(self.bytes.len());
        self.bytes.drain(..len);
        self.start = self.start.wrapping_add(len as u64);
        shrink_idle(&mut self.bytes);
    }

    /// The memory it takes.
    pub(crate) fn memory_bytes(&self) -> usize {
        deque_bytes(&self.bytes)
    }

    /// The memory that it has to take for so many bytes more.
    pub(crate) fn needed_bytes(&self, additional: usize) -> usize {
        needed_bytes::<u8>(self.bytes.len(), self.bytes.capacity(), additional)
    }

    /// Makes room for so many bytes more.
    pub(crate) fn make_room(&mut self, additional: usize, room: &mut Room) {
        room.reserve_deque(&mut self.bytes, additional, self.bytes_max);
    }

    /// Gives back memory that it does not use.
    pub(crate) fn give_back(&mut self, thrift: Thrift) {
        thrift.shrink_deque(&mut self.bytes);
    }

    /// Removes everything.
    pub(crate) fn clear(&mut self) {
        self.pop(self.bytes.len());
    }

    /// The oldest `len` bytes.
    pub(crate) fn front(&self, len: usize) -> TwoParts<'_> {
        self.get(self.start, len)
    }

    /// The `len` bytes at `position`; what is not here any more is left out.
    pub(crate) fn get(&self, position: u64, len: usize) -> TwoParts<'_> {
        let Ok(offset) = usize::try_from(position.wrapping_sub(self.start)) else { return (&[], &[]) };
        let (front, back) = self.bytes.as_slices();
        let end = offset.saturating_add(len);
        (
            clipped(front, offset, end),
            clipped(back, offset.saturating_sub(front.len()), end.saturating_sub(front.len())),
        )
    }
}

/// The part of `bytes` between two offsets that may lie outside of it.
fn clipped(bytes: &[u8], start: usize, end: usize) -> &[u8] {
    bytes.get(start.min(bytes.len())..end.min(bytes.len())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn joined(parts: TwoParts<'_>) -> Vec<u8> {
        [parts.0, parts.1].concat()
    }

    #[test]
    fn runs_are_found_again_wherever_they_wrap() {
        let mut ring = ByteRing::new(1_500);
        let mut runs = VecDeque::new();
        for round in 0..2_000_u16 {
            let run: Vec<u8> = (0..round % 37).map(|offset| (round + offset).to_le_bytes()[0]).collect();
            runs.push_back((ring.push(&run), run));
            if runs.len() > 9 {
                let (_, oldest) = runs.pop_front().unwrap();
                ring.pop(oldest.len());
            }
            for (position, run) in &runs {
                assert_eq!(joined(ring.get(*position, run.len())), *run);
            }
        }
    }

    #[test]
    fn bytes_that_are_gone_or_never_were_are_left_out() {
        let mut ring = ByteRing::new(1_500);
        let position = ring.push(b"gone");
        ring.push(b"here");
        ring.pop(4);
        assert_eq!(joined(ring.get(position, 4)), b"");
        assert_eq!(joined(ring.get(position + 4, 9)), b"here");
        assert_eq!(joined(ring.get(position + 100, 1)), b"");
        ring.clear();
        assert_eq!(ring.len(), 0);
        assert_eq!(joined(ring.get(position + 4, 4)), b"");
    }

    #[test]
    fn a_ring_takes_no_more_than_its_bound_and_gives_back_a_burst() {
        let mut ring = ByteRing::new(100_000);
        for _ in 0..100 {
            ring.push(&[1; 1_000]);
            assert!(ring.memory_bytes() <= 100_000);
        }
        ring.pop(99_999);
        assert_eq!(ring.memory_bytes(), 100_000);
        ring.pop(1);
        assert_eq!(ring.memory_bytes(), 65_536);
    }

    #[test]
    fn a_ring_in_steady_use_keeps_its_capacity() {
        let mut ring = ByteRing::new(1_500);
        ring.push(&[0; 1_000]);
        let capacity = ring.bytes.capacity();
        for _ in 0..100 {
            ring.pop(300);
            ring.push(&[1; 300]);
        }
        assert_eq!(ring.bytes.capacity(), capacity);
    }
}
