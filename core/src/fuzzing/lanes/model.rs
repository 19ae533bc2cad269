//! The receiving half of a lane, as PROTOCOL.md describes it and without regard to memory.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use crate::link::lane::{LaneArrival, LaneTerms, Piece};

/// What became of a piece, and the messages that it completed.
type Outcome = (LaneArrival, Vec<Vec<u8>>);

pub(super) struct ReceiverModel {
    terms: LaneTerms,
    next_number: u64,
    /// What waits: by number, the bytes and whether the message goes on.
    held: BTreeMap<u64, (Vec<u8>, bool)>,
    unfinished: Vec<u8>,
    /// On the lane without order: what arrived.
    arrived: BTreeSet<u64>,
}

impl ReceiverModel {
    pub(super) const fn new(terms: LaneTerms) -> Self {
        Self {
            terms,
            next_number: 0,
            held: BTreeMap::new(),
            unfinished: Vec::new(),
            arrived: BTreeSet::new(),
        }
    }

    /// The lowest number that is still to come.
    pub(super) const fn next_number(&self) -> u64 {
        self.next_number
    }

    pub(super) fn held_back_bytes(&self) -> usize {
        self.waiting_bytes() + self.unfinished.len()
    }

    /// Judges a piece of an ordered lane.
    pub(super) fn receive(&mut self, number: u64, piece: Piece<'_>) -> Outcome {
        if number < self.next_number || self.held.contains_key(&number) {
            return (LaneArrival::Duplicate, Vec::new());
        }
        if number - self.next_number >= self.terms.window.pieces() {
            return (LaneArrival::BeyondWindow, Vec::new());
        }
        let is_its_turn = number == self.next_number;
        if !is_its_turn && self.waiting_bytes() + piece.bytes.len() > self.terms.window.bytes() {
            return (LaneArrival::HoldBackFull, Vec::new());
        }
        self.held.insert(number, (piece.bytes.to_vec(), piece.continues));
        if !is_its_turn {
            return (LaneArrival::HeldBack, Vec::new());
        }
        let mut complete = Vec::new();
        while let Some((bytes, continues)) = self.held.remove(&self.next_number) {
            if self.unfinished.len() + bytes.len() > self.terms.message_bytes_max {
                return (LaneArrival::TooLong, complete);
            }
            self.next_number += 1;
            self.unfinished.extend(bytes);
            if !continues {
                complete.push(core::mem::take(&mut self.unfinished));
            }
        }
        (LaneArrival::Delivered(complete.len() as u64), complete)
    }

    /// Judges a message of the lane without order.
    pub(super) fn receive_unordered(&mut self, number: u64, piece: Piece<'_>) -> Outcome {
        if number < self.next_number || self.arrived.contains(&number) {
            return (LaneArrival::Duplicate, Vec::new());
        }
        if number - self.next_number >= self.terms.window.pieces() {
            return (LaneArrival::BeyondWindow, Vec::new());
        }
        self.arrived.insert(number);
        while self.arrived.remove(&self.next_number) {
            self.next_number += 1;
        }
        (LaneArrival::Delivered(1), [piece.bytes.to_vec()].into())
    }

    /// Bytes that wait for an earlier piece.
    pub(super) fn waiting_bytes(&self) -> usize {
        self.held.values().map(|(bytes, _)| bytes.len()).sum()
    }
}
