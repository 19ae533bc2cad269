//! A sender that nobody wrote: pieces of any number, size and contradiction.

use alloc::vec::Vec;

use super::super::input::Input;
use super::model::ReceiverModel;
use super::{ORDERED_LANES, STEPS_MAX, draw_lane, terms};
use crate::link::LinkLimits;
use crate::link::frame::{PIECE_BYTES_MAX, UNORDERED_LANE};
use crate::link::lane::{LaneReceivers, LaneTerms, LaneWindow, Piece};

/// Pieces of one input at most.
const PIECES_MAX: usize = 2_048;

/// The receivers, and the model of each lane.
struct Stranger {
    terms: LaneTerms,
    memory_bytes_max: usize,
    receivers: LaneReceivers,
    models: [ReceiverModel; ORDERED_LANES as usize + 1],
    pieces: usize,
}

pub(super) fn run(mut input: Input<'_>, limits: &LinkLimits) {
    let terms = terms(limits);
    let mut stranger = Stranger {
        terms,
        memory_bytes_max: LaneReceivers::memory_bytes_max(limits),
        receivers: LaneReceivers::default(),
        models: [(); ORDERED_LANES as usize + 1].map(|()| ReceiverModel::new(terms)),
        pieces: 0,
    };
    for _ in 0..STEPS_MAX {
        if input.is_empty() {
            break;
        }
        stranger.take(&mut input);
    }
}

impl Stranger {
    /// One piece, or a run of them, which fills a window at once.
    fn take(&mut self, input: &mut Input<'_>) {
        let lane = draw_lane(input);
        let model = &self.models[usize::from(lane.min(ORDERED_LANES))];
        let number = draw_number(input, model.next_number(), self.terms.window);
        let len = draw_len(input, self.terms.window.bytes() - model.waiting_bytes());
        let form = input.u8();
        let continues = lane != UNORDERED_LANE && form & 1 == 1;
        let count = 1 + 8 * u64::from(form.saturating_sub(223));
        (0..count).for_each(|later| self.receive(lane, number.saturating_add(later), len, continues));
    }

    fn receive(&mut self, lane: u8, number: u64, len: usize, continues: bool) {
        if self.pieces == PIECES_MAX {
            return;
        }
        self.pieces += 1;
        let bytes = self.pieces.to_le_bytes().repeat(len.div_ceil(8));
        let piece = Piece { bytes: &bytes[..len], continues };

        let mut delivered = Vec::new();
        let arrival = self
            .receivers
            .receive(lane, number, piece, self.terms, |message| delivered.push(message.to_vec()));

        let model = &mut self.models[usize::from(lane.min(ORDERED_LANES))];
        let is_ordered = lane != UNORDERED_LANE;
        let expected =
            if is_ordered { model.receive(number, piece) } else { model.receive_unordered(number, piece) };
        assert_eq!((arrival, delivered), expected, "piece {number} of lane {lane}");
        assert!(self.receivers.memory_bytes() <= self.memory_bytes_max);
        let held_back_bytes = self.models.iter().map(ReceiverModel::held_back_bytes).sum::<usize>();
        assert_eq!(self.receivers.held_back_bytes(), held_back_bytes);
    }
}

/// As long as there is room in the window, or any length.
fn draw_len(input: &mut Input<'_>, room: usize) -> usize {
    let len = usize::from(input.u16());
    if len >= 1 << 15 { room.clamp(1, PIECE_BYTES_MAX) } else { 1 + len % PIECE_BYTES_MAX }
}

/// A number near the one whose turn it is, at the end of the window, or any.
fn draw_number(input: &mut Input<'_>, next: u64, window: LaneWindow) -> u64 {
    match input.u8() {
        offset @ 0..=127 => next.saturating_add((offset / 4).into()),
        offset @ 128..=191 => next.saturating_sub(u64::from(offset) - 127),
        offset @ 192..=223 => next.saturating_add(window.pieces() - 16).saturating_add((offset - 192).into()),
        224..=250 => next.saturating_add(input.u16().into()),
        _ => input.u64(),
    }
}
