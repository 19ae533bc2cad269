//! What a link takes of its session's memory: what is charged for it, and room for more before it takes more.
//!
//! The owner of a link with a [`Room`] asks before each operation that lets a container grow. Whoever asks nobody, as a client, is bounded by the
//! link's limits alone.
//!
//! Some memory is *fixed*: a link may always take it, so that it is never at a standstill. The rest is *charged* as it is taken, by what containers have room
//! for, together with what is promised: whatever comes before a piece that is held back will find room.

use super::control::ControlQueue;
use super::draft::CarriedList;
use super::frame::Frame;
use super::lane::{LaneReceivers, LaneSenders, Message, Piece};
use super::latest::{LatestReceiver, LatestSender};
use super::received::ReceivedPackets;
use super::sent::SentPackets;
use super::traffic::Queues;
use super::{Link, LinkLimits};
use crate::memory::{NoRoom, Room, Thrift};

impl LinkLimits {
    /// The memory that a link with these limits may always take, beyond its own place.
    pub(crate) const fn fixed_bytes(&self) -> usize {
        size_of::<Queues>()
            + LaneSenders::places_bytes_max(self)
            + LaneReceivers::places_bytes_max(self)
            + LatestReceiver::memory_bytes_max(self.latest_keys)
            + LatestSender::GUARANTEED_BYTES
            + SentPackets::<CarriedList>::GUARANTEED_BYTES
            + ReceivedPackets::memory_bytes_max()
            + ControlQueue::memory_bytes_max()
    }
}

impl Link {
    /// What is charged for it beyond what is [fixed](LinkLimits::fixed_bytes).
    pub(crate) fn charged_bytes(&self) -> usize {
        let queues = self.traffic.get().map_or(0, |queues| {
            queues.lanes_out.charged_bytes()
                + queues.lanes_in.charged_bytes(&self.limits)
                + queues.datagrams.memory_bytes()
                + queues.latest_out.charged_bytes()
        });
        queues + self.sent.charged_bytes()
    }

    /// Makes room for a message that will be queued; `false` if that takes more memory than there is.
    pub(crate) fn make_room_for_message(&mut self, lane: u8, message: Message<'_>, room: &mut Room) -> bool {
        if !self.limits.has_lane(lane) {
            return true;
        }
        self.traffic.get_or_create(&self.limits).lanes_out.make_room(lane, message, &self.limits, room)
    }

    /// Makes room for a latest-wins value that will be set; `false` if that takes more memory than there is.
    pub(crate) fn make_room_for_value(&mut self, key: u16, value: &[u8], room: &mut Room) -> bool {
        let limits = self.limits;
        key >= limits.latest_keys
            || self.traffic.get_or_create(&limits).latest_out.make_room(key, value, limits.latest_keys, room)
    }

    /// Makes room for an unreliable message, where there is no memory for it in the place of older ones. `false`, and the message is counted as
    /// dropped, if there is none at all.
    pub(crate) fn make_room_for_datagram(&mut self, len: usize, room: &mut Room) -> bool {
        let datagrams = &mut self.traffic.get_or_create(&self.limits).datagrams;
        let has_room = datagrams.make_room(len, room);
        if !has_room {
            datagrams.drop_newest();
        }
        has_room
    }

    /// Makes room for what these frames of one payload will make the lanes keep; an error if that takes more memory than there is, of which `quota_bytes` are the session's own.
    pub(crate) fn make_room_for_pieces<'a>(
        &mut self,
        frames: impl Iterator<Item = Frame<'a>>,
        quota_bytes: usize,
        room: &mut Room,
    ) -> Result<(), NoRoom> {
        let pieces = frames.filter_map(|frame| match frame {
            Frame::Lane { lane, number, message } => Some((lane, number, Piece::last(message))),
            Frame::Fragment { lane, number, bytes } => Some((lane, number, Piece::continued(bytes))),
            _ => None,
        });
        let lanes_in = &mut self.traffic.get_or_create(&self.limits).lanes_in;
        lanes_in.make_room(pieces, &self.limits, quota_bytes, room)
    }

    /// Whether a lane has memory of the pool for a message that goes on.
    pub(crate) fn has_grant(&self) -> bool {
        self.traffic.get().is_some_and(|queues| queues.lanes_in.has_grant())
    }

    /// Whether the next packet can be recorded without more memory.
    pub(crate) fn is_ready_to_send(&self) -> bool {
        let is_ready = |queues: &Queues| queues.latest_out.is_ready_to_send();
        self.sent.is_ready() && self.traffic.get().is_none_or(is_ready)
    }

    /// Sees to it that the next packet can be recorded; where there is no memory for that, what is reliable waits.
    pub(crate) fn make_room_to_send(&mut self, room: &mut Room) {
        self.sent.make_room(room);
        if let Some(queues) = self.traffic.get_mut() {
            queues.latest_out.make_room_to_send(room);
        }
    }

    /// Notes, and says, whether [`make_room_to_send`](Self::make_room_to_send) would find room.
    pub(crate) fn note_room_to_send(&mut self, room: &mut Room) -> bool {
        let has_room = self.sent.has_room(room);
        let values = self.traffic.get_mut().map(|queues| queues.latest_out.has_room_to_send(room));
        has_room && values != Some(false)
    }

    /// Gives back memory that it does not use.
    pub(crate) fn give_back(&mut self, thrift: Thrift) {
        self.sent.give_back(thrift);
        if let Some(queues) = self.traffic.get_mut() {
            queues.lanes_out.give_back(thrift);
            queues.lanes_in.give_back(thrift);
            queues.datagrams.give_back(thrift);
            queues.latest_out.give_back(thrift);
        }
    }
}
