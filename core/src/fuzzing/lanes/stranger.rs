//! A sender that nobody wrote: pieces of any number, size and contradiction.

use alloc::vec::Vec;

use super::super::input::Input;
use super::model::ReceiverModel;
use super::{ORDERED_LANES, STEPS_MAX, draw_lane, terms};
use crate::link::LinkLimits;
use crate::link::frame::{PIECE_BYTES_MAX, UNORDERED_LANE};
use crate::link::lane::{LaneReceivers, Piece};

pub(super) fn run(mut input: Input<'_>, limits: &LinkLimits) {
    let terms = terms(limits);
    let mut receivers = LaneReceivers::default();
    let mut models = [(); ORDERED_LANES as usize + 1].map(|()| ReceiverModel::new(terms));
    for step in 0..STEPS_MAX {
        if input.is_empty() {
            break;
        }
        let lane = draw_lane(&mut input);
        let is_ordered = lane != UNORDERED_LANE;
        let model = &mut models[usize::from(lane.min(ORDERED_LANES))];
        let number = draw_number(&mut input, model.next_number());
        let len = draw_len(&mut input, terms.window.bytes() - model.waiting_bytes());
        let continues = is_ordered && input.u8() & 1 == 1;
        let bytes = step.to_le_bytes().repeat(len.div_ceil(8));
        let piece = Piece { bytes: &bytes[..len], continues };

        let mut delivered = Vec::new();
        let arrival =
            receivers.receive(lane, number, piece, terms, |message| delivered.push(message.to_vec()));

        let expected =
            if is_ordered { model.receive(number, piece) } else { model.receive_unordered(number, piece) };
        assert_eq!((arrival, delivered), expected, "piece {number} of lane {lane}");
        assert!(receivers.memory_bytes() <= LaneReceivers::memory_bytes_max(limits));
        assert_eq!(
            receivers.held_back_bytes(),
            models.iter().map(ReceiverModel::held_back_bytes).sum::<usize>()
        );
    }
}

/// As long as there is room in the window, or any length.
fn draw_len(input: &mut Input<'_>, room: usize) -> usize {
    let len = usize::from(input.u16());
    if len >= 1 << 15 { room.clamp(1, PIECE_BYTES_MAX) } else { 1 + len % PIECE_BYTES_MAX }
}

/// A number near the one whose turn it is, or any.
fn draw_number(input: &mut Input<'_>, next: u64) -> u64 {
    match input.u8() {
        offset @ 0..=127 => next.saturating_add((offset / 4).into()),
        offset @ 128..=191 => next.saturating_sub(u64::from(offset) - 127),
        192..=250 => next.saturating_add(input.u16().into()),
        _ => input.u64(),
    }
}
