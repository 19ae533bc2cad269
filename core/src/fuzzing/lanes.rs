//! Reliable lanes: both halves over a path that does anything, and the receiving half against a model of it.

mod model;
mod pair;
mod stranger;

use super::input::Input;
use crate::link::LinkLimits;
use crate::link::frame::{LANES_MAX, UNORDERED_LANE};
use crate::link::lane::{LaneTerms, LaneWindow};

/// Ordered lanes that are used; the one without order comes behind them.
const ORDERED_LANES: u8 = 3;
const STEPS_MAX: usize = 512;

/// Sends messages over a path that loses, repeats and reorders; or hands the receiver pieces that no honest sender cuts.
///
/// # Panics
///
/// If a message is not delivered exactly once, as it was and in its order; if a piece is not judged as the model does; or if memory is
/// beyond its bound.
pub fn lanes(input: &[u8]) {
    let mut input = Input::new(input);
    let is_honest = input.u8() & 1 == 0;
    let limits = draw_limits(&mut input);
    if is_honest {
        pair::run(input, &limits);
    } else {
        stranger::run(input, &limits);
    }
}

/// Small limits, so that they are reached.
fn draw_limits(input: &mut Input<'_>) -> LinkLimits {
    // Half of the windows are the smallest.
    let lane_window = LaneWindow::new(LaneWindow::BYTES_MIN << input.u8().leading_zeros().min(6));
    LinkLimits {
        ordered_lanes: LANES_MAX,
        lane_queue_bytes_max: 1 + usize::from(input.u16()),
        message_bytes_max: 1 + u32::from(input.u16()),
        lane_window,
        lane_queue_pieces_max: 1 + usize::from(input.u16() % 2_048),
        datagram_queue_bytes_max: 0,
        datagram_queue_messages_max: 0,
        latest_keys: 0,
        latest_queue_bytes_max: 0,
        packets_in_flight_max: 1,
        bandwidth_max_bytes_per_s: None,
    }
}

fn terms(limits: &LinkLimits) -> LaneTerms {
    let message_bytes_max = usize::try_from(limits.message_bytes_max).expect("16 bits and one");
    LaneTerms { window: limits.lane_window, message_bytes_max }
}

fn draw_lane(input: &mut Input<'_>) -> u8 {
    let lane = input.u8() % (ORDERED_LANES + 1);
    if lane == ORDERED_LANES { UNORDERED_LANE } else { lane }
}
