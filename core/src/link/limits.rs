//! The bounds of one link, as the settings of its end say.

use super::control::ControlQueue;
use super::datagrams::DatagramQueue;
use super::draft::CarriedList;
use super::frame::{LANES_MAX, PIECE_BYTES_MAX, UNORDERED_LANE};
use super::lane::{LaneTerms, LaneWindow};
use super::path_responses::OwedPathResponses;
use super::received::ReceivedPackets;
use super::sent::SentPackets;
use super::traffic::Traffic;

/// The bounds of one link's memory.
///
/// Beside them each lane holds back at most a window of received bytes (P51) and what has come of one unfinished message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LinkLimits {
    /// Reliable lanes in each direction, 1 to [`LANES_MAX`](super::frame::LANES_MAX). Those that are not used take no memory.
    pub(crate) ordered_lanes: u8,
    /// Bytes of reliable messages that are queued or not acknowledged, on each lane.
    pub(crate) lane_queue_bytes_max: usize,
    /// The most bytes of one reliable message, in either direction (P54).
    pub(crate) message_bytes_max: u32,
    /// How far a lane's sender may be ahead of its receiver, in either direction (P51).
    pub(crate) lane_window: LaneWindow,
    /// Pieces of reliable messages on each lane; 16 bytes each beside their content.
    pub(crate) lane_queue_pieces_max: usize,
    /// Bytes of unreliable messages that wait.
    pub(crate) datagram_queue_bytes_max: usize,
    /// How many such messages; 2 bytes each beside their content.
    pub(crate) datagram_queue_messages_max: usize,
    /// Keys for latest-wins values in each direction. Each end takes 8 bytes for each up to the highest that the peer used, and 40 for
    /// each up to the highest that it used itself.
    pub(crate) latest_keys: u16,
    /// Bytes of latest-wins values that are not acknowledged, with 4 beside each value; their memory is at most twice that.
    pub(crate) latest_queue_bytes_max: usize,
    /// Recorded packets in flight; about 140 bytes each. Reliable data waits when they are used up.
    pub(crate) packets_in_flight_max: u16,
    /// Bytes a second that it sends at most, headers included; `None` for as many as the path carries.
    pub(crate) bandwidth_max_bytes_per_s: Option<u32>,
}

impl LinkLimits {
    /// The shortest message worth a place in a queue's message count: a queue has a place for each so many of its bytes.
    pub(crate) const MESSAGE_BYTES_TYPICAL: usize = 16;

    /// The settings behind them, each with its least and its most, in the order of their names in both ends' configurations.
    pub(crate) fn ranges(&self) -> [(&'static str, u64, u64, u64); 8] {
        let bandwidth = self.bandwidth_max_bytes_per_s.unwrap_or(u32::MAX);
        let (window_min, window_max) = (LaneWindow::BYTES_MIN, LaneWindow::BYTES_MAX);
        [
            ("ordered_lanes", self.ordered_lanes.into(), 1, LANES_MAX.into()),
            ("message_bytes_max", self.message_bytes_max.into(), 1, 16_777_216),
            ("lane_window_bytes", self.lane_window.bytes() as u64, window_min.into(), window_max.into()),
            ("lane_queue_bytes_max", self.lane_queue_bytes_max as u64, 1_200, 16_777_216),
            ("datagram_queue_bytes_max", self.datagram_queue_bytes_max as u64, 1_200, 16_777_216),
            ("packets_in_flight_max", self.packets_in_flight_max.into(), 16, 8_192),
            ("bandwidth_max_bytes_per_s", bandwidth.into(), 8_000, u32::MAX.into()),
            ("latest_queue_bytes_max", self.latest_queue_bytes_max as u64, 1_200, 16_777_216),
        ]
    }

    /// The most bytes of one message of a lane (P54, P56).
    pub(super) const fn message_bytes_max(&self, lane: u8) -> usize {
        let bytes = self.message_bytes_max as usize;
        if lane == UNORDERED_LANE && bytes > PIECE_BYTES_MAX { PIECE_BYTES_MAX } else { bytes }
    }

    /// The most bytes of a message that can be queued on a lane.
    pub(crate) fn queueable_bytes_max(&self, lane: u8) -> usize {
        self.message_bytes_max(lane).min(self.lane_queue_bytes_max)
    }

    /// What the receiver takes on a lane.
    pub(super) const fn lane_terms(&self, lane: u8) -> LaneTerms {
        LaneTerms { window: self.lane_window, message_bytes_max: self.message_bytes_max(lane) }
    }

    /// What a lane that is otherwise empty takes for the longest message, in either direction, at most.
    pub(crate) const fn longest_message_bytes_max(&self) -> usize {
        let bytes = self.message_bytes_max as usize;
        // Sixteen bytes for the record of each piece, and what a shared buffer takes beside its bytes.
        bytes + bytes.div_ceil(PIECE_BYTES_MAX) * 16 + 256
    }

    /// The most memory that unreliable messages take.
    pub(crate) const fn datagrams_bytes_max(&self) -> usize {
        DatagramQueue::memory_bytes_max(self.datagram_queue_bytes_max, self.datagram_queue_messages_max)
    }

    /// The most memory that a link with these limits takes beyond its own place.
    pub(crate) const fn memory_bytes_max(&self) -> usize {
        Traffic::memory_bytes_max(self)
            + SentPackets::<CarriedList>::memory_bytes_max(self.packets_in_flight_max as usize)
            + ReceivedPackets::memory_bytes_max()
            + ControlQueue::memory_bytes_max()
            + OwedPathResponses::memory_bytes_max()
    }

    /// Whether the session has this lane (P50, P56).
    pub(super) const fn has_lane(&self, lane: u8) -> bool {
        lane < self.ordered_lanes || lane == UNORDERED_LANE
    }
}

/// What the record of one packet takes.
pub(crate) const RECORD_BYTES: usize = SentPackets::<CarriedList>::memory_bytes_max(1);
