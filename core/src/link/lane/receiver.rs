//! The receiving half of a lane.

use alloc::vec::Vec;

use super::{Piece, WINDOW_BYTES, WINDOW_PIECES};

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
    /// What arrived ahead of its turn, in the order of arrival, which is also that of its bytes.
    held: Vec<Held>,
    /// The bytes of `held`, with holes where pieces had their turn.
    held_bytes: Vec<u8>,
    /// How many bytes of `held_bytes` are in use.
    held_len: usize,
    /// What has come of a message that goes on: bytes that arrived, whatever else the peer promised.
    unfinished: Vec<u8>,
    duplicates: u64,
}

impl ReliableReceiver {
    /// Takes a piece and delivers the messages that become complete, each of at most `message_bytes_max` bytes.
    pub(crate) fn receive(
        &mut self,
        number: u64,
        piece: Piece<'_>,
        message_bytes_max: usize,
        mut deliver: impl FnMut(&[u8]),
    ) -> LaneArrival {
        let Some(ahead) = number.checked_sub(self.next_number) else { return self.duplicate() };
        if ahead >= WINDOW_PIECES {
            return LaneArrival::BeyondWindow;
        }
        if ahead > 0 {
            return self.hold_back(number, piece);
        }
        if self.unfinished.len() + piece.bytes.len() > message_bytes_max {
            return LaneArrival::TooLong;
        }
        let mut delivered = u64::from(join(&mut self.unfinished, piece, &mut deliver));
        self.next_number = self.next_number.saturating_add(1);
        while let Some(index) = self.held.iter().position(|held| held.number == self.next_number) {
            let len = self.held.get(index).map_or(0, |held| held.len);
            if self.unfinished.len() + len > message_bytes_max {
                return LaneArrival::TooLong;
            }
            delivered += u64::from(self.take_held(index, &mut deliver));
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
    }

    /// Bytes that wait: for an earlier piece, or for the rest of their message.
    pub(crate) const fn held_back_bytes(&self) -> usize {
        self.held_len + self.unfinished.len()
    }

    /// How many pieces arrived again after they were handled.
    pub(crate) const fn duplicates(&self) -> u64 {
        self.duplicates
    }

    /// How many bytes of memory the hold-back takes, and the unfinished message.
    #[cfg(test)]
    pub(crate) fn held_bytes_capacity(&self) -> usize {
        self.held_bytes.capacity() + self.unfinished.capacity()
    }

    fn duplicate(&mut self) -> LaneArrival {
        self.duplicates += 1;
        LaneArrival::Duplicate
    }

    fn hold_back(&mut self, number: u64, piece: Piece<'_>) -> LaneArrival {
        if self.held.iter().any(|held| held.number == number) {
            return self.duplicate();
        }
        let Piece { bytes, continues } = piece;
        if self.held_len + bytes.len() > WINDOW_BYTES {
            return LaneArrival::HoldBackFull;
        }
        if self.held_bytes.len() + bytes.len() > WINDOW_BYTES {
            self.close_holes();
        }
        self.held.push(Held { number, offset: self.held_bytes.len(), len: bytes.len(), continues });
        self.held_bytes.extend_from_slice(bytes);
        self.held_len += bytes.len();
        LaneArrival::HeldBack
    }

    /// Takes a held piece whose turn it is; says whether it completed a message.
    fn take_held(&mut self, index: usize, deliver: &mut impl FnMut(&[u8])) -> bool {
        let held = self.held.remove(index);
        let bytes = self.held_bytes.get(held.offset..held.offset + held.len).unwrap_or_default();
        let piece = Piece { bytes, continues: held.continues };
        let is_complete = join(&mut self.unfinished, piece, deliver);
        self.held_len -= held.len;
        self.next_number = self.next_number.saturating_add(1);
        if self.held.is_empty() {
            self.held_bytes.clear();
        }
        is_complete
    }

    /// Moves the held bytes together, in place.
    fn close_holes(&mut self) {
        let mut end = 0;
        for held in &mut self.held {
            self.held_bytes.copy_within(held.offset..held.offset + held.len, end);
            held.offset = end;
            end += held.len;
        }
        self.held_bytes.truncate(end);
    }
}

/// Adds a piece to what has come of its message; delivers the message and says so if that completes it.
fn join(unfinished: &mut Vec<u8>, piece: Piece<'_>, deliver: &mut impl FnMut(&[u8])) -> bool {
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
    unfinished.shrink_to(WINDOW_BYTES);
    true
}
