//! The receiving half of a lane.

mod foresight;

pub(super) use foresight::Foresight;

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::{LaneTerms, LaneWindow, Piece};
use crate::link::frame::PIECE_BYTES_MAX;
use crate::memory::{Thrift, deque_bytes, reserve_deque, reserve_vec, vec_bytes};

/// The memory for what is held back. What it has beside the window is the distance between two times at which holes are closed, so
/// that an arriving byte moves at most four others, however it arrives.
const fn held_memory_bytes(window: LaneWindow) -> usize {
    window.bytes() + window.bytes() / 4
}

/// What became of a piece that arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LaneArrival {
    /// It had its turn, and so had those that waited for it; so many messages became complete and were delivered.
    Delivered(u64),
    /// It waits for an earlier one.
    HeldBack,
    /// It was taken or held back before; it did nothing (P17).
    Duplicate,
    /// It lies beyond the window, which no correct sender leaves (P51).
    BeyondWindow,
    /// It would have to wait together with more bytes than a lane holds back (P51).
    HoldBackFull,
    /// It makes its message longer than a message may be (P54).
    TooLong,
    /// The session has no such lane (P50).
    NoSuchLane,
}

#[derive(Clone, Copy, Debug)]
struct Held {
    number: u64,
    offset: usize,
    len: usize,
    continues: bool,
}

/// Delivers the messages of a lane once each and in order.
#[derive(Debug, Default)]
pub(crate) struct ReliableReceiver {
    /// The number of the piece whose turn it is.
    next_number: u64,
    /// What arrived ahead of its turn, by number.
    held: VecDeque<Held>,
    /// The bytes of `held` in the order of their arrival, with holes where pieces had their turn.
    held_bytes: Vec<u8>,
    /// How many bytes of `held_bytes` are in use.
    held_len: usize,
    /// What has come of a message that goes on: bytes that arrived, whatever else the peer promised.
    unfinished: Vec<u8>,
    /// Memory that is promised to `unfinished` until nothing waits on the lane, beyond its session's quota.
    granted_bytes: usize,
    duplicates: u64,
    /// How many bytes holes cost so far.
    #[cfg(test)]
    moved_bytes: u64,
}

impl ReliableReceiver {
    /// Takes a piece and delivers the messages that become complete.
    pub(crate) fn receive(
        &mut self,
        number: u64,
        piece: Piece<'_>,
        terms: LaneTerms,
        mut deliver: impl FnMut(&[u8]),
    ) -> LaneArrival {
        let arrival = self.take(number, piece, terms, &mut deliver);
        if self.is_idle() {
            self.granted_bytes = 0;
        }
        arrival
    }

    fn take(
        &mut self,
        number: u64,
        piece: Piece<'_>,
        terms: LaneTerms,
        deliver: &mut impl FnMut(&[u8]),
    ) -> LaneArrival {
        let LaneTerms { window, message_bytes_max } = terms;
        let Some(ahead) = number.checked_sub(self.next_number) else { return self.duplicate() };
        if ahead >= window.pieces() {
            return LaneArrival::BeyondWindow;
        }
        if ahead > 0 {
            return self.hold_back(number, piece, window);
        }
        if self.unfinished.len() + piece.bytes.len() > message_bytes_max {
            return LaneArrival::TooLong;
        }
        let mut delivered = u64::from(join(&mut self.unfinished, piece, terms, deliver));
        self.next_number = self.next_number.saturating_add(1);
        while let Some(held) = self.take_held() {
            if self.unfinished.len() + held.len > message_bytes_max {
                return LaneArrival::TooLong;
            }
            delivered += u64::from(self.join_held(held, terms, deliver));
        }
        LaneArrival::Delivered(delivered)
    }

    /// Expects number 0 next and drops what is held back (P24).
    pub(crate) fn restart(&mut self) {
        self.next_number = 0;
        self.held.clear();
        self.held_bytes.clear();
        self.held_len = 0;
        self.unfinished = Vec::new();
        self.granted_bytes = 0;
    }

    /// Whether nothing waits, for an earlier piece or for the rest of its message.
    const fn is_idle(&self) -> bool {
        self.unfinished.is_empty() && self.held_len == 0
    }

    /// Bytes that wait: for an earlier piece, or for the rest of their message.
    pub(crate) const fn held_back_bytes(&self) -> usize {
        self.held_len + self.unfinished.len()
    }

    /// How many pieces arrived again after they were handled.
    pub(crate) const fn duplicates(&self) -> u64 {
        self.duplicates
    }

    /// The memory it takes.
    pub(crate) fn memory_bytes(&self) -> usize {
        deque_bytes(&self.held) + vec_bytes(&self.held_bytes) + vec_bytes(&self.unfinished)
    }

    /// The most memory that a lane with these terms takes.
    pub(crate) const fn memory_bytes_max(terms: LaneTerms) -> usize {
        terms.window.held_pieces_max() * size_of::<Held>()
            + held_memory_bytes(terms.window)
            + terms.message_bytes_max
    }

    /// How many bytes were moved to close holes.
    #[cfg(test)]
    pub(crate) const fn moved_bytes(&self) -> u64 {
        self.moved_bytes
    }

    /// What is charged for it: also the memory that is promised to what has to come before what is held back.
    pub(crate) fn charged_bytes(&self, terms: LaneTerms) -> usize {
        let newest = self.held.back().map(|held| held.number);
        let promised = self.promised_bytes(self.unfinished.len(), self.next_number, newest, terms);
        deque_bytes(&self.held) + vec_bytes(&self.held_bytes) + vec_bytes(&self.unfinished).max(promised)
    }

    /// Whether it has memory of the pool for a message that goes on.
    pub(crate) const fn has_grant(&self) -> bool {
        self.granted_bytes > 0
    }

    /// The memory that has to be there for `unfinished` bytes and all that comes up to the newest piece held back, so that none of it is ever refused.
    fn promised_bytes(&self, unfinished: usize, next: u64, newest: Option<u64>, terms: LaneTerms) -> usize {
        let pieces = newest.map_or(0, |newest| newest.saturating_sub(next).saturating_add(1));
        let bytes = usize::try_from(pieces).unwrap_or(usize::MAX).saturating_mul(PIECE_BYTES_MAX);
        let joined = if pieces == 0 { 0 } else { unfinished + bytes.min(terms.window.bytes()) };
        joined.min(terms.message_bytes_max).max(self.granted_bytes)
    }

    /// Gives back memory that it does not use.
    pub(crate) fn give_back(&mut self, thrift: Thrift) {
        if self.held.is_empty() {
            self.held_bytes = Vec::new();
        } else if thrift == Thrift::Spare {
            self.close_holes();
            self.held_bytes.shrink_to_fit();
        }
        thrift.shrink_deque(&mut self.held);
        // A message that goes on would take it again with its next piece.
        if self.unfinished.is_empty() {
            self.unfinished = Vec::new();
        }
    }

    fn duplicate(&mut self) -> LaneArrival {
        self.duplicates += 1;
        LaneArrival::Duplicate
    }

    fn hold_back(&mut self, number: u64, piece: Piece<'_>, window: LaneWindow) -> LaneArrival {
        let Err(place) = self.held.binary_search_by_key(&number, |held| held.number) else {
            return self.duplicate();
        };
        let Piece { bytes, continues } = piece;
        if self.held_len + bytes.len() > window.bytes() {
            return LaneArrival::HoldBackFull;
        }
        self.make_room(bytes.len(), window);
        self.held.insert(place, Held { number, offset: self.held_bytes.len(), len: bytes.len(), continues });
        self.held_bytes.extend_from_slice(bytes);
        self.held_len += bytes.len();
        LaneArrival::HeldBack
    }

    /// Takes out the held piece whose turn it is; its bytes stay until the next one is held back.
    fn take_held(&mut self) -> Option<Held> {
        let next_number = self.next_number;
        let held = self.held.pop_front_if(|held| held.number == next_number)?;
        self.held_len -= held.len;
        Some(held)
    }

    /// Adds a piece that was held to its message; says whether that completed it.
    fn join_held(&mut self, held: Held, terms: LaneTerms, deliver: &mut impl FnMut(&[u8])) -> bool {
        let bytes = self.held_bytes.get(held.offset..held.offset + held.len).unwrap_or_default();
        self.next_number = self.next_number.saturating_add(1);
        join(&mut self.unfinished, Piece { bytes, continues: held.continues }, terms, deliver)
    }

    /// Sees to it that one more piece, of so many bytes of the window, finds room.
    fn make_room(&mut self, bytes: usize, window: LaneWindow) {
        let memory_bytes_max = held_memory_bytes(window);
        if self.held.is_empty() {
            self.held_bytes.clear();
        }
        if self.held_bytes.len() + bytes > memory_bytes_max {
            self.close_holes();
        }
        reserve_deque(&mut self.held, 1, window.held_pieces_max());
        reserve_vec(&mut self.held_bytes, bytes, memory_bytes_max);
    }

    /// Moves the held bytes together, in place.
    fn close_holes(&mut self) {
        if self.held_bytes.len() == self.held_len {
            return;
        }
        let held = self.held.make_contiguous();
        held.sort_unstable_by_key(|held| held.offset);
        let mut end = 0;
        for held in &mut *held {
            self.held_bytes.copy_within(held.offset..held.offset + held.len, end);
            held.offset = end;
            end += held.len;
        }
        held.sort_unstable_by_key(|held| held.number);
        self.held_bytes.truncate(end);
        #[cfg(test)]
        {
            self.moved_bytes += end as u64;
        }
    }
}

/// Adds a piece to what has come of its message; delivers the message and says so if that completes it.
fn join(
    unfinished: &mut Vec<u8>,
    piece: Piece<'_>,
    terms: LaneTerms,
    deliver: &mut impl FnMut(&[u8]),
) -> bool {
    if piece.continues || !unfinished.is_empty() {
        reserve_vec(unfinished, piece.bytes.len(), terms.message_bytes_max);
    }
    if piece.continues {
        unfinished.extend_from_slice(piece.bytes);
        return false;
    }
    if unfinished.is_empty() {
        deliver(piece.bytes);
        return true;
    }
    unfinished.extend_from_slice(piece.bytes);
    deliver(unfinished);
    unfinished.clear();
    // A long message is rare: its memory is given back, that of shorter ones is kept for the next.
    unfinished.shrink_to(terms.window.bytes());
    true
}
