//! The lanes of one session, each with memory of its own from its first message on.

use alloc::vec::Vec;

use smallvec::SmallVec;

use super::receiver::Foresight;
use super::{
    LaneArrival, LaneSendError, LaneTerms, LaneWindow, Message, OutgoingPiece, Piece, ReliableReceiver,
    ReliableSender, UnorderedReceiver,
};
use crate::link::LinkLimits;
use crate::link::frame::UNORDERED_LANE;
use crate::memory::{NoRoom, Room, Thrift, vec_bytes};

/// Lanes in the order of their numbers; those that were never used are not among them.
#[derive(Debug)]
struct LaneMap<T>(Vec<(u8, T)>);

impl<T> LaneMap<T> {
    fn get(&self, lane: u8) -> Option<&T> {
        let place = self.place(lane).ok()?;
        self.0.get(place).map(|(_, half)| half)
    }

    fn get_mut(&mut self, lane: u8) -> Option<&mut T> {
        let place = self.place(lane).ok()?;
        self.0.get_mut(place).map(|(_, half)| half)
    }

    fn get_or_insert_with(&mut self, lane: u8, make: impl FnOnce() -> T) -> &mut T {
        let place = self.place(lane).unwrap_or_else(|place| {
            // The default growth would make room for four.
            self.0.reserve_exact(1);
            self.0.insert(place, (lane, make()));
            place
        });
        // The place was found, or has just been filled.
        &mut self.0[place].1
    }

    fn place(&self, lane: u8) -> Result<usize, usize> {
        self.0.binary_search_by_key(&lane, |(lane, _)| *lane)
    }

    fn values(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|(_, half)| half)
    }

    fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.0.iter_mut().map(|(_, half)| half)
    }
}

impl<T> Default for LaneMap<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

/// The sending halves. Lanes with something to send take turns, piece by piece.
#[derive(Debug, Default)]
pub(crate) struct LaneSenders {
    lanes: LaneMap<ReliableSender>,
    /// The lowest lane that has its turn.
    turn: u8,
}

impl LaneSenders {
    /// Queues a message on a lane; returns the number of its first piece.
    pub(crate) fn push(
        &mut self,
        lane: u8,
        message: Message<'_>,
        limits: &LinkLimits,
    ) -> Result<u64, LaneSendError> {
        let make = || ReliableSender::new(limits.lane_queue_bytes_max, limits.lane_queue_pieces_max);
        if message.bytes().len() > limits.message_bytes_max(lane) {
            return Err(LaneSendError::Size);
        }
        self.lanes.get_or_insert_with(lane, make).push(message)
    }

    /// Makes room for a message on a lane; `false`, and no memory taken, if that takes more than there is. A message that
    /// [`push`](Self::push) refuses anyway needs none.
    pub(crate) fn make_room(
        &mut self,
        lane: u8,
        message: Message<'_>,
        limits: &LinkLimits,
        room: &mut Room,
    ) -> bool {
        if message.bytes().len() > limits.message_bytes_max(lane) {
            return true;
        }
        let make = || ReliableSender::new(limits.lane_queue_bytes_max, limits.lane_queue_pieces_max);
        let sender = self.lanes.get_or_insert_with(lane, make);
        !sender.admits(message) || sender.make_room(message, room)
    }

    /// What is charged for the lanes, beside their places.
    pub(crate) fn charged_bytes(&self) -> usize {
        self.lanes.values().map(ReliableSender::charged_bytes).sum()
    }

    /// The most that the places of all lanes take.
    pub(crate) const fn places_bytes_max(limits: &LinkLimits) -> usize {
        (limits.ordered_lanes as usize + 1) * size_of::<(u8, ReliableSender)>()
    }

    /// Gives back memory that they do not use.
    pub(crate) fn give_back(&mut self, thrift: Thrift) {
        self.lanes.values_mut().for_each(|sender| sender.give_back(thrift));
    }

    /// The piece to be sent next, of the lane whose turn it is among those that have one `is_wanted` says yes to.
    pub(crate) fn next_to_send(
        &self,
        window: LaneWindow,
        is_wanted: impl Fn(&OutgoingPiece<'_>) -> bool,
    ) -> Option<OutgoingPiece<'_>> {
        let start = self.lanes.place(self.turn).unwrap_or_else(|place| place);
        let (later, first) = self.lanes.0.split_at(start);
        let in_turn = first.iter().chain(later);
        in_turn.filter_map(|(lane, sender)| sender.next_to_send(*lane, window)).find(is_wanted)
    }

    /// To be called when [`next_to_send`](Self::next_to_send) was written into a packet: the turn passes on.
    pub(crate) fn on_sent(&mut self, lane: u8, number: u64) {
        if let Some(sender) = self.lanes.get_mut(lane) {
            sender.on_sent(number);
            self.turn = lane.saturating_add(1);
        }
    }

    /// The peer has `count` pieces of a lane, from number `first` on.
    pub(crate) fn on_acked(&mut self, lane: u8, first: u64, count: u16) {
        let Some(sender) = self.lanes.get_mut(lane) else { return };
        (first..first.saturating_add(u64::from(count))).for_each(|number| sender.on_acked(number));
    }

    /// The packet that carried `count` pieces of a lane, from number `first` on, is lost.
    pub(crate) fn on_lost(&mut self, lane: u8, first: u64, count: u16) {
        let Some(sender) = self.lanes.get_mut(lane) else { return };
        (first..first.saturating_add(u64::from(count))).for_each(|number| sender.on_lost(number));
    }

    /// Queues again whatever is not acknowledged (P24).
    pub(crate) fn requeue_all(&mut self) {
        self.lanes.values_mut().for_each(ReliableSender::requeue_all);
    }

    /// Begins each lane again at number 0 (P24); returns how many messages were discarded without an acknowledgement.
    pub(crate) fn restart(&mut self) -> u64 {
        self.lanes.values_mut().map(ReliableSender::restart).sum()
    }

    /// The memory they take.
    pub(crate) fn memory_bytes(&self) -> usize {
        let lanes: usize = self.lanes.values().map(ReliableSender::memory_bytes).sum();
        vec_bytes(&self.lanes.0) + lanes
    }

    /// The most memory that they take with these limits.
    pub(crate) const fn memory_bytes_max(limits: &LinkLimits) -> usize {
        let lanes = limits.ordered_lanes as usize + 1;
        let content_bytes =
            ReliableSender::memory_bytes_max(limits.lane_queue_bytes_max, limits.lane_queue_pieces_max);
        lanes * (size_of::<(u8, ReliableSender)>() + content_bytes)
    }

    /// How many bytes all lanes keep.
    pub(crate) fn queue_bytes(&self) -> usize {
        self.lanes.values().map(ReliableSender::queue_bytes).sum()
    }
}

/// The receiving halves.
#[derive(Debug, Default)]
pub(crate) struct LaneReceivers {
    ordered: LaneMap<ReliableReceiver>,
    unordered: UnorderedReceiver,
}

impl LaneReceivers {
    /// Takes a piece of a lane and delivers what becomes complete there.
    pub(crate) fn receive(
        &mut self,
        lane: u8,
        number: u64,
        piece: Piece<'_>,
        terms: LaneTerms,
        deliver: impl FnMut(&[u8]),
    ) -> LaneArrival {
        if lane == UNORDERED_LANE {
            return self.unordered.receive(number, piece.bytes, terms.window, deliver);
        }
        self.ordered
            .get_or_insert_with(lane, ReliableReceiver::default)
            .receive(number, piece, terms, deliver)
    }

    /// Makes room for what these pieces of one payload will make the lanes keep. If that takes more memory than there is, nothing changes, and the error says
    /// how much it takes.
    ///
    /// `quota_bytes` is what of it the session is sure of. A lane that needs more is granted its longest message at once: if lanes took what they need piece
    /// by piece, each of two might have half of a message, and wait for ever for what the other has.
    pub(crate) fn make_room<'a>(
        &mut self,
        pieces: impl Iterator<Item = (u8, u64, Piece<'a>)>,
        limits: &LinkLimits,
        quota_bytes: usize,
        room: &mut Room,
    ) -> Result<(), NoRoom> {
        let none = ReliableReceiver::default();
        let mut foreseen: SmallVec<[(u8, Foresight); 4]> = SmallVec::new();
        for (lane, number, piece) in pieces.filter(|(lane, ..)| *lane < limits.ordered_lanes) {
            let receiver = self.ordered.get(lane).unwrap_or(&none);
            let place = foreseen.iter().position(|(other, _)| *other == lane).unwrap_or_else(|| {
                foreseen.push((lane, receiver.foresight()));
                foreseen.len() - 1
            });
            // The place was found, or has just been filled.
            receiver.foresee(&mut foreseen[place].1, number, piece, limits.lane_terms(lane));
        }
        let needed_bytes = |with_grant| -> usize {
            let of_lane = |(lane, foresight): &(u8, Foresight)| {
                let receiver = self.ordered.get(*lane).unwrap_or(&none);
                receiver.needed_bytes(foresight, limits.lane_terms(*lane), with_grant)
            };
            foreseen.iter().map(of_lane).sum()
        };
        let needed = needed_bytes(false);
        let with_grant = needed > quota_bytes;
        let planned_bytes = if with_grant { needed_bytes(true) } else { needed };
        if !room.plan(planned_bytes) {
            return Err(NoRoom { needed_bytes: planned_bytes });
        }
        for (lane, foresight) in foreseen {
            let receiver = self.ordered.get_or_insert_with(lane, ReliableReceiver::default);
            receiver.make_room_for(&foresight, limits.lane_terms(lane), with_grant, room);
        }
        Ok(())
    }

    /// What is charged for the lanes, beside their places.
    pub(crate) fn charged_bytes(&self, limits: &LinkLimits) -> usize {
        let of_lane =
            |(lane, receiver): &(u8, ReliableReceiver)| receiver.charged_bytes(limits.lane_terms(*lane));
        self.ordered.0.iter().map(of_lane).sum()
    }

    /// The most that the places of all lanes take.
    pub(crate) const fn places_bytes_max(limits: &LinkLimits) -> usize {
        limits.ordered_lanes as usize * size_of::<(u8, ReliableReceiver)>()
    }

    /// Whether a lane has a grant of the pool.
    pub(crate) fn has_grant(&self) -> bool {
        self.ordered.values().any(ReliableReceiver::has_grant)
    }

    /// Gives back memory that they do not use.
    pub(crate) fn give_back(&mut self, thrift: Thrift) {
        self.ordered.values_mut().for_each(|receiver| receiver.give_back(thrift));
    }

    /// Expects number 0 next on each lane and drops what is held back (P24).
    pub(crate) fn restart(&mut self) {
        self.ordered.values_mut().for_each(ReliableReceiver::restart);
        self.unordered.restart();
    }

    /// Bytes that wait for an earlier piece or for the rest of their message, on all lanes.
    pub(crate) fn held_back_bytes(&self) -> usize {
        self.ordered.values().map(ReliableReceiver::held_back_bytes).sum()
    }

    /// The memory they take.
    pub(crate) fn memory_bytes(&self) -> usize {
        let lanes: usize = self.ordered.values().map(ReliableReceiver::memory_bytes).sum();
        vec_bytes(&self.ordered.0) + lanes
    }

    /// The most memory that they take with these limits.
    pub(crate) const fn memory_bytes_max(limits: &LinkLimits) -> usize {
        let content_bytes = ReliableReceiver::memory_bytes_max(limits.lane_terms(0));
        limits.ordered_lanes as usize * (size_of::<(u8, ReliableReceiver)>() + content_bytes)
    }

    /// How many pieces arrived again after they were handled.
    pub(crate) fn duplicates(&self) -> u64 {
        let ordered: u64 = self.ordered.values().map(ReliableReceiver::duplicates).sum();
        ordered.saturating_add(self.unordered.duplicates())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::frame::LANES_MAX;
    use alloc::vec;

    const LIMITS: LinkLimits = LinkLimits {
        ordered_lanes: LANES_MAX,
        lane_queue_bytes_max: 1_000,
        message_bytes_max: 1_000,
        lane_window: LaneWindow::new(65_536),
        lane_queue_pieces_max: 10,
        datagram_queue_bytes_max: 0,
        datagram_queue_messages_max: 0,
        latest_keys: 256,
        latest_queue_bytes_max: 65_536,
        packets_in_flight_max: 1,
        bandwidth_max_bytes_per_s: None,
    };

    const MESSAGE: Message<'_> = Message::Borrowed(b"m");

    fn senders(queued: &[(u8, usize)]) -> LaneSenders {
        let mut senders = LaneSenders::default();
        for (lane, count) in queued {
            for _ in 0..*count {
                senders.push(*lane, MESSAGE, &LIMITS).unwrap();
            }
        }
        senders
    }

    fn send_next(senders: &mut LaneSenders) -> Option<(u8, u64)> {
        let message = senders.next_to_send(LIMITS.lane_window, |_| true)?;
        let sent = (message.lane, message.number);
        senders.on_sent(sent.0, sent.1);
        Some(sent)
    }

    #[test]
    fn lanes_with_something_to_send_take_turns() {
        let mut senders = senders(&[(15, 2), (0, 4), (7, 1)]);
        let sent: Vec<_> = core::iter::from_fn(|| send_next(&mut senders)).collect();
        assert_eq!(sent, [(0, 0), (7, 0), (15, 0), (0, 1), (15, 1), (0, 2), (0, 3)]);
    }

    #[test]
    fn a_lane_that_is_not_wanted_keeps_its_turn() {
        let mut senders = senders(&[(1, 2), (2, 2)]);
        let unwanted = senders.next_to_send(LIMITS.lane_window, |message| message.lane != 1).unwrap();
        assert_eq!((unwanted.lane, unwanted.number), (2, 0));
        senders.on_sent(2, 0);
        assert_eq!(send_next(&mut senders), Some((1, 0)));
        assert!(senders.next_to_send(LIMITS.lane_window, |_| false).is_none());
    }

    #[test]
    fn each_lane_has_a_queue_of_its_own() {
        let mut senders = senders(&[(3, 10)]);
        assert_eq!(senders.push(3, MESSAGE, &LIMITS), Err(LaneSendError::Full { bytes_to_acknowledge: 1 }));
        assert_eq!(senders.push(4, MESSAGE, &LIMITS), Ok(0));
        while send_next(&mut senders).is_some() {}
        senders.on_acked(3, 0, 4);
        assert_eq!(senders.queue_bytes(), 7);
        senders.on_lost(3, 5, 2);
        assert_eq!(send_next(&mut senders), Some((3, 5)));
        assert_eq!(senders.restart(), 7);
    }

    #[test]
    fn news_of_a_lane_that_was_never_used_changes_nothing() {
        let mut senders = senders(&[(0, 1)]);
        senders.on_sent(5, 0);
        senders.on_acked(5, 0, 9);
        senders.on_lost(5, 0, 9);
        assert_eq!(send_next(&mut senders), Some((0, 0)));
    }

    #[test]
    fn a_gap_in_one_lane_holds_no_other_lane_back() {
        let mut receivers = LaneReceivers::default();
        let mut delivered = vec![];
        let mut receive = |lane, number| {
            receivers.receive(lane, number, Piece::last(&[lane]), LIMITS.lane_terms(lane), |message| {
                delivered.push((message.to_vec(), number));
            })
        };
        assert_eq!(receive(2, 1), LaneArrival::HeldBack);
        assert_eq!(receive(9, 0), LaneArrival::Delivered(1));
        assert_eq!(receive(2, 0), LaneArrival::Delivered(2));
        assert_eq!(receive(9, 0), LaneArrival::Duplicate);
        assert_eq!(delivered, [(vec![9], 0), (vec![2], 0), (vec![2], 0)]);
        assert_eq!((receivers.held_back_bytes(), receivers.duplicates()), (0, 1));
    }

    #[test]
    fn lanes_that_are_not_used_take_no_memory() {
        assert_eq!(senders(&[]).lanes.0.capacity(), 0);
        assert_eq!(senders(&[(15, 1)]).lanes.0.capacity(), 1);
        let mut receivers = LaneReceivers::default();
        receivers.receive(15, 0, Piece::last(b"m"), LIMITS.lane_terms(15), |_| {});
        assert_eq!(receivers.ordered.0.capacity(), 1);
    }
}
