//! What leaves a link: which frames go into a packet, and in which order.

use super::Link;
use super::control::Control;
use super::datagrams::DatagramSizeError;
use super::draft::{Carried, Draft};
use super::frame::{FrameWriter, PAYLOAD_BYTES_MAX};
use super::lane::{LaneSendError, Message, OutgoingPiece};
use super::latest::LatestSendError;
use super::received::AckUrgency;
use super::source::{FrameSource, Written};
use crate::Timestamp;

/// After so many packets in a row without room for a reliable message that might leave, one keeps room for it: what is
/// newer and matters sooner goes ahead of reliable messages, but does not starve them.
const PACKETS_WITHOUT_MESSAGE_MAX: u8 = 4;
/// Places of a packet's record that control frames leave to an ack and a run of messages.
const PLACES_BESIDE_CONTROL: usize = 2;

impl Link {
    /// Queues a control frame, once however often it is asked for. It is sent until it is acknowledged.
    pub(crate) fn queue_control(&mut self, control: Control) {
        self.controls.insert(control);
    }

    /// Queues a reliable message of 1 to [`message_bytes_max`](Self::message_bytes_max) bytes on a lane; returns the number of its
    /// first piece. May be called while the lanes are closed.
    pub(crate) fn queue_message(&mut self, lane: u8, message: &[u8]) -> Result<u64, LaneSendError> {
        self.queue_message_of(lane, Message::Borrowed(message))
    }

    /// As [`queue_message`](Self::queue_message), wherever the bytes of the message lie.
    pub(crate) fn queue_message_of(&mut self, lane: u8, message: Message<'_>) -> Result<u64, LaneSendError> {
        if !self.limits.has_lane(lane) {
            return Err(LaneSendError::NoSuchLane);
        }
        self.traffic.get_or_create(&self.limits).lanes_out.push(lane, message, &self.limits)
    }

    /// Queues an unreliable message of 1 to 1,150 bytes; when the queue is full, the oldest give way.
    pub(crate) fn queue_datagram(&mut self, message: &[u8]) -> Result<(), DatagramSizeError> {
        self.traffic.get_or_create(&self.limits).datagrams.push(message)
    }

    /// Gives a key a new latest-wins value of at most 1,150 bytes. May be called while the lanes are closed.
    pub(crate) fn set_latest(&mut self, key: u16, value: &[u8]) -> Result<(), LatestSendError> {
        self.traffic.get_or_create(&self.limits).latest_out.set(key, value, self.limits.latest_keys)
    }

    /// The owner has newer move inputs to send.
    pub(crate) const fn mark_moves_pending(&mut self) {
        self.moves_pending = true;
    }

    /// The owner has a newer state to send.
    pub(crate) fn mark_state_pending(&mut self) {
        self.totals.states_overwritten += u64::from(self.state.is_unsent);
        self.state.is_unsent = true;
        self.state.is_pending = true;
    }

    /// Writes the next payload, to be sent as the netcode payload packet of this `sequence`; returns its length, or 0 if
    /// nothing leaves now, in which case the sequence is not used. Repeated calls come to an end.
    pub(crate) fn poll_packet(
        &mut self,
        now: Timestamp,
        sequence: u64,
        out: &mut [u8; PAYLOAD_BYTES_MAX],
        source: &mut impl FrameSource,
    ) -> usize {
        if !self.has_output(now) {
            return 0;
        }
        let mut draft = Draft::new(out);
        if self.preface.repeats() && source.write_preface(&mut draft.writer) {
            draft.raise_urgency(AckUrgency::Urgent);
        }
        let preface_len = draft.writer.len();
        self.write_path_responses(&mut draft);
        self.write_controls(&mut draft, source);
        self.reserve_for_message(now, &mut draft);
        self.write_ack(now, &mut draft);
        let holds_heartbeat = self.write_heartbeats(now, &mut draft, source);
        if self.is_open() {
            self.write_moves(&mut draft, source);
            self.write_state(&mut draft, source);
            self.write_latest(&mut draft);
            self.write_datagrams(&mut draft);
            draft.writer.reserve(0);
            self.write_messages(now, &mut draft);
        }
        let len = draft.writer.len();
        if len == preface_len && !self.preface.is_due(now) {
            self.preface.on_crowded_out();
            return 0;
        }
        self.preface.on_packet_sent(now);
        if len == 0 {
            return 0;
        }
        self.heartbeat.on_packet_sent(now, holds_heartbeat);
        self.record(now, sequence, len, draft);
        len
    }

    /// Answers path challenges ahead of everything else: what the peer does next waits for it.
    fn write_path_responses(&mut self, draft: &mut Draft<'_>) {
        while let Some(value) = self.path_responses.first()
            && draft.writer.write_path_response(value)
        {
            self.path_responses.on_first_sent();
        }
    }

    /// Writes a payload with a path challenge alone, to be sent as the netcode payload packet of this `sequence`, whatever else
    /// waits; returns its length.
    pub(crate) fn write_path_challenge(
        &mut self,
        now: Timestamp,
        sequence: u64,
        value: u64,
        out: &mut [u8; PAYLOAD_BYTES_MAX],
    ) -> usize {
        let mut draft = Draft::new(out);
        let is_written = draft.writer.write_path_challenge(value);
        debug_assert!(is_written, "a challenge fits an empty packet");
        let len = draft.writer.len();
        self.record(now, sequence, len, draft);
        len
    }

    fn write_controls(&mut self, draft: &mut Draft<'_>, source: &mut impl FrameSource) {
        while self.may_record()
            && draft.places_left() > PLACES_BESIDE_CONTROL
            && let Some(control) = self.controls.first()
        {
            match source.write_control(control, &mut draft.writer) {
                Written::Done(()) => {
                    draft.raise_urgency(AckUrgency::Urgent);
                    draft.carry(Carried::Control(control));
                }
                Written::NoRoom if !draft.writer.is_untouched() => return,
                Written::NoRoom => debug_assert!(false, "{control:?} fits no packet"),
                Written::Nothing => {}
            }
            self.controls.remove(control);
        }
    }

    /// Keeps room for the reliable message that had none for too long.
    fn reserve_for_message(&self, now: Timestamp, draft: &mut Draft<'_>) {
        if self.packets_without_message < PACKETS_WITHOUT_MESSAGE_MAX || !self.may_send_messages(now) {
            return;
        }
        let Some(message) = self.next_message() else { return };
        let len = FrameWriter::lane_frame_len(message.number, message.len());
        if len <= draft.writer.remaining() {
            draft.writer.reserve(len);
        }
    }

    fn write_ack(&mut self, now: Timestamp, draft: &mut Draft<'_>) {
        let Some(largest_received_at) = self.received.largest_received_at() else { return };
        if !self.received.has_unsent_ack() {
            return;
        }
        let ranges = self.received.ranges();
        let written = draft.writer.write_ack(now.micros_since(largest_received_at), ranges.clone());
        if written == 0 {
            return;
        }
        // What the peer has seen acknowledged need not be named again; left-out ranges were not seen.
        let is_complete = written == ranges.clone().count();
        let largest = ranges.map(|range| *range.end()).next();
        if let Some(largest) = largest.filter(|_| is_complete && draft.places_left() > 1) {
            draft.carry(Carried::Ack(largest));
        }
        self.received.on_ack_sent();
    }

    /// Writes the response that is owed and the heartbeat that is due; says whether a heartbeat was written.
    fn write_heartbeats(
        &mut self,
        now: Timestamp,
        draft: &mut Draft<'_>,
        source: &mut impl FrameSource,
    ) -> bool {
        if let Some(owed) = self.heartbeat.owed() {
            let delay_micros = now.micros_since(owed.received_at);
            if source.write_heartbeat_response(owed.stamp, delay_micros, &mut draft.writer) {
                draft.raise_urgency(AckUrgency::Lazy);
                self.heartbeat.on_response_sent();
            }
        }
        let is_written = self.heartbeat.is_due(now, self.received.largest_received_at())
            && draft.writer.write_heartbeat(now.as_micros());
        if is_written {
            draft.raise_urgency(AckUrgency::Lazy);
        }
        is_written
    }

    fn write_moves(&mut self, draft: &mut Draft<'_>, source: &mut impl FrameSource) {
        if !self.moves_pending {
            return;
        }
        match source.write_moves(&mut draft.writer) {
            Written::Done(()) => draft.raise_urgency(AckUrgency::Lazy),
            Written::NoRoom if !draft.writer.is_untouched() => return,
            Written::NoRoom => debug_assert!(false, "one move input fits a packet"),
            Written::Nothing => {}
        }
        self.moves_pending = false;
    }

    fn write_state(&mut self, draft: &mut Draft<'_>, source: &mut impl FrameSource) {
        if !self.may_send_state() || draft.places_left() == 0 {
            return;
        }
        match source.write_state(&mut draft.writer) {
            Written::Done(tick) => {
                draft.raise_urgency(AckUrgency::Lazy);
                draft.carry(Carried::State(tick));
                self.state.newest_sent = Some(tick);
                self.state.is_unsent = false;
            }
            Written::NoRoom if !draft.writer.is_untouched() => return,
            Written::NoRoom => debug_assert!(false, "a state fits a packet"),
            Written::Nothing => {}
        }
        self.state.is_pending = false;
        self.state.is_unrecorded = false;
    }

    /// A value leaves only in a packet that will be recorded: otherwise nobody would notice its loss.
    fn write_latest(&mut self, draft: &mut Draft<'_>) {
        if draft.places_left() == 0 || !self.has_room_to_record(AckUrgency::Lazy) {
            return;
        }
        let Some(queues) = self.traffic.get_mut() else { return };
        while let Some(value) = queues.latest_out.next_to_send()
            && draft.writer.write_latest(value.key, value.version, value.bytes)
        {
            draft.raise_urgency(AckUrgency::Lazy);
            draft.carry_latest(queues.latest_out.on_sent());
        }
    }

    fn write_datagrams(&mut self, draft: &mut Draft<'_>) {
        let Some(queues) = self.traffic.get_mut() else { return };
        while let Some(message) = queues.datagrams.front()
            && draft.writer.write_datagram(message)
        {
            draft.raise_urgency(AckUrgency::Lazy);
            queues.datagrams.pop();
        }
    }

    fn write_messages(&mut self, now: Timestamp, draft: &mut Draft<'_>) {
        if !self.may_send_messages(now) {
            let is_passed_over = self.do_messages_wait_for_bandwidth(now);
            self.packets_without_message =
                self.packets_without_message.saturating_add(u8::from(is_passed_over));
            return;
        }
        let window = self.limits.lane_window;
        let Some(queues) = self.traffic.get_mut() else { return };
        let has_place = |draft: &Draft<'_>, message: &OutgoingPiece<'_>| {
            draft.has_place_for_message(message.lane, message.number)
        };
        while let Some(message) = queues.lanes_out.next_to_send(window, |message| has_place(draft, message)) {
            let (lane, number) = (message.lane, message.number);
            let is_written = if message.continues {
                draft.writer.write_fragment(lane, number, message.bytes)
            } else {
                draft.writer.write_lane(lane, number, message.bytes)
            };
            if !is_written {
                break;
            }
            draft.raise_urgency(AckUrgency::Urgent);
            draft.carry_message(lane, number);
            queues.lanes_out.on_sent(lane, number);
        }
        self.packets_without_message =
            if draft.carries_messages() { 0 } else { self.packets_without_message.saturating_add(1) };
    }

    /// Remembers the packet where its fate matters.
    fn record(&mut self, now: Timestamp, sequence: u64, len: usize, draft: Draft<'_>) {
        let bytes = u16::try_from(len).unwrap_or(u16::MAX);
        if draft.carries_messages()
            && let Some(pace) = self.pace()
        {
            self.pacer.on_sent(now, bytes, &pace);
        }
        let (urgency, carried) = draft.finish();
        let is_recorded = self.has_room_to_record(urgency);
        self.state.is_unrecorded |=
            !is_recorded && carried.iter().any(|carried| matches!(carried, Carried::State(_)));
        if is_recorded {
            // A probe takes the place of the oldest packet where there is no other.
            if let Some(displaced) = self.sent.on_sent(sequence, now, bytes, urgency, carried) {
                self.requeue(displaced);
            }
        } else {
            self.sent.on_sent_unrecorded(sequence);
        }
        if urgency == AckUrgency::Urgent {
            self.probe_packets = self.probe_packets.saturating_sub(1);
        }
        self.bandwidth.on_sent(now, bytes);
        if self.bandwidth.due() > now
            && let Some(queues) = self.traffic.get_mut()
        {
            // They would be stale when they leave.
            queues.datagrams.drop_over_bandwidth();
        }
        self.totals.packets_sent += 1;
        self.totals.bytes_sent += len as u64;
    }
}
