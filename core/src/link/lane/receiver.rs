//! The receiving half of a lane.

use alloc::vec::Vec;

use super::{WINDOW_BYTES, WINDOW_MESSAGES};

/// What became of a message that arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LaneArrival {
    /// It was delivered, and so were the messages that waited for it: so many in all.
    Delivered(u64),
    /// It waits for an earlier one.
    HeldBack,
    /// It was delivered or held back before; it did nothing (P17).
    Duplicate,
    /// It lies beyond the window, which no correct sender leaves (P51).
    BeyondWindow,
    /// The session has no such lane (P50).
    NoSuchLane,
}

#[derive(Clone, Copy, Debug)]
struct Held {
    number: u64,
    offset: usize,
    len: usize,
}

/// Delivers the messages of a lane once each and in order.
#[derive(Debug, Default)]
pub(crate) struct ReliableReceiver {
    /// The number of the message that is delivered next.
    next_number: u64,
    /// What arrived ahead of its turn, in the order of arrival, which is also that of its bytes.
    held: Vec<Held>,
    /// The bytes of `held`, with holes where messages were delivered.
    held_bytes: Vec<u8>,
    /// How many bytes of `held_bytes` are in use.
    held_len: usize,
    duplicates: u64,
}

impl ReliableReceiver {
    /// Takes a message of at most 1,150 bytes and delivers what has its turn.
    pub(crate) fn receive(
        &mut self,
        number: u64,
        message: &[u8],
        mut deliver: impl FnMut(&[u8]),
    ) -> LaneArrival {
        let Some(ahead) = number.checked_sub(self.next_number) else { return self.duplicate() };
        if ahead >= WINDOW_MESSAGES {
            return LaneArrival::BeyondWindow;
        }
        if ahead > 0 {
            return self.hold_back(number, message);
        }
        deliver(message);
        self.next_number = self.next_number.saturating_add(1);
        let mut delivered = 1;
        while self.deliver_held(&mut deliver) {
            delivered += 1;
        }
        LaneArrival::Delivered(delivered)
    }

    /// Expects number 0 next and drops what is held back (P24).
    pub(crate) fn restart(&mut self) {
        self.next_number = 0;
        self.held.clear();
        self.held_bytes.clear();
        self.held_len = 0;
    }

    /// Bytes of the messages that wait for an earlier one.
    pub(crate) const fn held_back_bytes(&self) -> usize {
        self.held_len
    }

    /// How many messages arrived again after they were handled.
    pub(crate) const fn duplicates(&self) -> u64 {
        self.duplicates
    }

    /// How many bytes of memory the hold-back takes.
    #[cfg(test)]
    pub(crate) fn held_bytes_capacity(&self) -> usize {
        self.held_bytes.capacity()
    }

    fn duplicate(&mut self) -> LaneArrival {
        self.duplicates += 1;
        LaneArrival::Duplicate
    }

    fn hold_back(&mut self, number: u64, message: &[u8]) -> LaneArrival {
        if self.held.iter().any(|held| held.number == number) {
            return self.duplicate();
        }
        if self.held_len + message.len() > WINDOW_BYTES {
            return LaneArrival::BeyondWindow;
        }
        if self.held_bytes.len() + message.len() > WINDOW_BYTES {
            self.close_holes();
        }
        self.held.push(Held { number, offset: self.held_bytes.len(), len: message.len() });
        self.held_bytes.extend_from_slice(message);
        self.held_len += message.len();
        LaneArrival::HeldBack
    }

    /// Delivers the next message if it is held back.
    fn deliver_held(&mut self, deliver: &mut impl FnMut(&[u8])) -> bool {
        let Some(index) = self.held.iter().position(|held| held.number == self.next_number) else {
            return false;
        };
        let held = self.held.remove(index);
        deliver(self.held_bytes.get(held.offset..held.offset + held.len).unwrap_or_default());
        self.held_len -= held.len;
        self.next_number = self.next_number.saturating_add(1);
        if self.held.is_empty() {
            self.held_bytes.clear();
        }
        true
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
