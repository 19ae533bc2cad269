//! What the pieces of one payload will make a lane keep, before any of them is taken.

use super::{Held, Piece, ReliableReceiver, held_memory_bytes};
use crate::link::lane::LaneTerms;
use crate::memory::{Room, deque_bytes, vec_bytes};

/// Where a lane will stand when some pieces have arrived.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::link::lane) struct Foresight {
    /// The number whose turn it is then.
    next_number: u64,
    /// What has come of a message that goes on.
    unfinished: usize,
    /// The most of it on the way there.
    unfinished_max: usize,
    /// Pieces that come ahead of their turn, and their bytes.
    held_pieces: usize,
    held_bytes: usize,
    /// The newest of the lane that are held back.
    newest_held: Option<u64>,
}

impl Foresight {
    /// A piece of so many bytes has its turn.
    fn join(&mut self, len: usize, continues: bool) {
        self.next_number = self.next_number.saturating_add(1);
        if continues || self.unfinished > 0 {
            self.unfinished += len;
            self.unfinished_max = self.unfinished_max.max(self.unfinished);
        }
        if !continues {
            self.unfinished = 0;
        }
    }
}

impl ReliableReceiver {
    /// Where the lane stands now.
    pub(in crate::link::lane) fn foresight(&self) -> Foresight {
        Foresight {
            next_number: self.next_number,
            unfinished: self.unfinished.len(),
            newest_held: self.held.back().map(|held| held.number),
            ..Foresight::default()
        }
    }

    /// Adds the piece of this number to what will have arrived. One that [`receive`](Self::receive) refuses changes nothing.
    pub(in crate::link::lane) fn foresee(
        &self,
        foresight: &mut Foresight,
        number: u64,
        piece: Piece<'_>,
        terms: LaneTerms,
    ) {
        let len = piece.bytes.len();
        match number.checked_sub(foresight.next_number) {
            Some(0) if foresight.unfinished + len <= terms.message_bytes_max => {
                foresight.join(len, piece.continues);
                let first = self.held.partition_point(|held| held.number < foresight.next_number);
                for held in self.held.range(first..) {
                    let is_next = held.number == foresight.next_number;
                    if !is_next || foresight.unfinished + held.len > terms.message_bytes_max {
                        break;
                    }
                    foresight.join(held.len, held.continues);
                }
            }
            Some(ahead) if ahead > 0 && ahead < terms.window.pieces() => {
                if self.held.binary_search_by_key(&number, |held| held.number).is_err() {
                    foresight.held_pieces += 1;
                    foresight.held_bytes += len;
                    foresight.newest_held = foresight.newest_held.max(Some(number));
                }
            }
            Some(_) | None => {}
        }
    }

    /// What is charged for the lane beyond what is charged now, when that has come about; with a grant, so that its message never has to ask again.
    pub(in crate::link::lane) fn needed_bytes(
        &self,
        foresight: &Foresight,
        terms: LaneTerms,
        with_grant: bool,
    ) -> usize {
        let held = (self.held.len() + foresight.held_pieces).min(terms.window.held_pieces_max());
        let held_bytes =
            (self.held_bytes_in_use() + foresight.held_bytes).min(held_memory_bytes(terms.window));
        let granted = if with_grant { terms.message_bytes_max } else { 0 };
        let message = self.message_bytes(foresight, terms);
        let beside = deque_bytes(&self.held).max(held * size_of::<Held>())
            + vec_bytes(&self.held_bytes).max(held_bytes);
        let charged = self.charged_bytes(terms);
        // What needs nothing asks for no grant.
        if beside + message <= charged { 0 } else { (beside + message.max(granted)).saturating_sub(charged) }
    }

    /// What has to be there for the message that goes on, when the pieces have arrived: for what has come of it, and what is promised to it.
    fn message_bytes(&self, foresight: &Foresight, terms: LaneTerms) -> usize {
        let Foresight { next_number, unfinished, newest_held, .. } = *foresight;
        let newest = newest_held.filter(|newest| *newest >= next_number);
        let promised = self.promised_bytes(unfinished, next_number, newest, terms);
        vec_bytes(&self.unfinished).max(self.unfinished_max(foresight, terms)).max(promised)
    }

    /// Takes the memory that was [needed](Self::needed_bytes), or that is charged already: more than that only where there is room.
    pub(in crate::link::lane) fn make_room_for(
        &mut self,
        foresight: &Foresight,
        terms: LaneTerms,
        with_grant: bool,
        room: &mut Room,
    ) {
        if with_grant && self.needed_bytes(foresight, terms, false) > 0 {
            self.granted_bytes = terms.message_bytes_max;
        }
        if foresight.held_pieces > 0 {
            if self.held.is_empty() {
                self.held_bytes.clear();
            }
            room.reserve_deque(&mut self.held, foresight.held_pieces, terms.window.held_pieces_max());
            let bytes_max = held_memory_bytes(terms.window);
            let more = foresight.held_bytes.min(bytes_max.saturating_sub(self.held_bytes.len()));
            room.reserve_vec(&mut self.held_bytes, more, bytes_max);
        }
        let more = self.unfinished_max(foresight, terms).saturating_sub(self.unfinished.len());
        let paid_bytes = self.message_bytes(foresight, terms);
        room.reserve_paid(&mut self.unfinished, more, terms.message_bytes_max, paid_bytes);
    }

    /// The most bytes of a message that goes on, on the way there; pieces that come before one whose turn it is join it as well.
    fn unfinished_max(&self, foresight: &Foresight, terms: LaneTerms) -> usize {
        let has_turn = foresight.next_number > self.next_number;
        let joining = if has_turn { foresight.held_bytes } else { 0 };
        (foresight.unfinished_max + joining).min(terms.message_bytes_max)
    }

    /// How far into `held_bytes` there is something held back, or a hole.
    fn held_bytes_in_use(&self) -> usize {
        if self.held.is_empty() { 0 } else { self.held_bytes.len() }
    }
}
