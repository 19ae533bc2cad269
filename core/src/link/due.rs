//! When a link has something to do: what may leave, and when.

use super::lane::OutgoingPiece;
use super::pacer::Pace;
use super::received::AckUrgency;
use super::traffic::Queues;
use super::{Link, Openness};
use crate::Timestamp;

/// After so many packets in a row one may carry a reliable message that waits for nothing but bandwidth: it does not wait for
/// ever where states and inputs use all of it.
const PACKETS_OVER_BANDWIDTH_MAX: u8 = 16;

impl Link {
    /// When something becomes due; pure. What is due already may be among it: [`has_output`](Self::has_output) tells.
    pub(crate) fn poll_timeout(&self) -> Option<Timestamp> {
        [self.output_due(), self.sent.loss_time(&self.rtt), self.sent.pto_deadline(&self.rtt)]
            .into_iter()
            .flatten()
            .min()
    }

    /// Whether [`poll_packet`](Self::poll_packet) would be worth a call at `now`; pure.
    pub(crate) fn has_output(&self, now: Timestamp) -> bool {
        self.output_due().is_some_and(|due| due <= now)
    }

    /// When the next packet may leave; `None` while nothing waits for one.
    fn output_due(&self) -> Option<Timestamp> {
        let content_due = if self.preface.crowds_out() { None } else { self.content_due() };
        let heartbeat_due = self.heartbeat.output_due(self.received.largest_received_at());
        let response_due = self.path_responses.first().map(|_| Timestamp::ZERO);
        let due = [self.preface.due(), response_due, heartbeat_due, self.received.ack_due(), content_due]
            .into_iter()
            .flatten()
            .min()?;
        Some(due.max(self.bandwidth.due()))
    }

    /// The same for what has no time of its own.
    fn content_due(&self) -> Option<Timestamp> {
        let has_datagrams = || self.traffic.get().is_some_and(|queues| !queues.datagrams.is_empty());
        let has_unreliable =
            || self.moves_pending || self.may_send_state() || has_datagrams() || self.may_send_latest();
        if (self.is_open() && has_unreliable()) || (self.may_record() && !self.controls.is_empty()) {
            return Some(Timestamp::ZERO);
        }
        self.messages_due()
    }

    /// When the next reliable message may leave; `None` while it has to wait for an acknowledgement, or there is none.
    fn messages_due(&self) -> Option<Timestamp> {
        let is_starved = self.packets_without_message >= PACKETS_OVER_BANDWIDTH_MAX;
        let is_probe = self.probe_packets > 0;
        let bandwidth = &self.bandwidth;
        let affordable = if is_starved || is_probe { bandwidth.due() } else { bandwidth.messages_due() };
        self.messages_paced().map(|paced| paced.max(affordable))
    }

    /// The same as far as the windows and the pace go.
    fn messages_paced(&self) -> Option<Timestamp> {
        self.next_message()?;
        if self.probe_packets > 0 {
            return Some(Timestamp::ZERO);
        }
        if self.sent.is_full() || !self.congestion.has_room(self.sent.bytes_in_flight()) {
            return None;
        }
        Some(self.pace().map_or(Timestamp::ZERO, |pace| self.pacer.due(&pace)))
    }

    /// Whether reliable messages may leave now.
    pub(super) fn may_send_messages(&self, now: Timestamp) -> bool {
        self.messages_due().is_some_and(|due| due <= now)
    }

    /// Whether a reliable message could leave now if it were not for the bandwidth.
    pub(super) fn do_messages_wait_for_bandwidth(&self, now: Timestamp) -> bool {
        self.messages_paced().is_some_and(|paced| paced <= now) && !self.may_send_messages(now)
    }

    /// The reliable message that goes out next, if its lane's window has room for it.
    pub(super) fn next_message(&self) -> Option<OutgoingPiece<'_>> {
        let queues = self.traffic.get().filter(|_| self.is_open())?;
        queues.lanes_out.next_to_send(self.limits.lane_window, |_| true)
    }

    /// Whether a packet of this urgency can be recorded. Packets that carry nothing reliable take at most half of the record, so that
    /// they never keep reliable data waiting.
    pub(super) fn has_room_to_record(&self, urgency: AckUrgency) -> bool {
        let lazy_packets_max = usize::from(self.limits.packets_in_flight_max / 2);
        match urgency {
            AckUrgency::None => false,
            AckUrgency::Lazy => !self.sent.is_full() && self.sent.lazy_packets() < lazy_packets_max,
            AckUrgency::Urgent => self.may_record(),
        }
    }

    /// Whether a state waits, or the newest is to leave once more, in a packet that is recorded this time.
    pub(super) fn may_send_state(&self) -> bool {
        self.state.is_pending || (self.state.is_unrecorded && self.has_room_to_record(AckUrgency::Lazy))
    }

    /// Whether a latest-wins value waits, and may leave: its loss has to be noticed.
    fn may_send_latest(&self) -> bool {
        let has_value = |queues: &Queues| queues.latest_out.next_to_send().is_some();
        self.has_room_to_record(AckUrgency::Lazy) && self.traffic.get().is_some_and(has_value)
    }

    /// Whether a packet with something reliable can be recorded. A probe always can.
    pub(super) fn may_record(&self) -> bool {
        self.probe_packets > 0 || !self.sent.is_full()
    }

    /// How fast reliable messages leave; `None` before the first round-trip sample, when the initial window may leave at
    /// once.
    pub(super) fn pace(&self) -> Option<Pace> {
        self.rtt.min_micros().map(|_| Pace::new(&self.congestion, self.rtt.smoothed_micros()))
    }

    /// Whether acknowledgements that arrive now are of a window that was in use: it is nearly full, or the pace alone keeps
    /// it from being so.
    pub(super) fn is_window_used(&self, now: Timestamp) -> bool {
        !self.congestion.has_room(self.sent.bytes_in_flight())
            || self.messages_paced().is_some_and(|paced| paced > now)
    }

    pub(super) fn is_open(&self) -> bool {
        self.openness == Openness::Open
    }
}
