//! What arrives at a link.

use super::control::Control;
use super::draft::Carried;
use super::frame::{Ack, CheckedPayload, FrameError, HeartbeatResponse, Role, check_form};
use super::lane::{LaneArrival, Piece};
use super::latest::LatestArrival;
use super::sent::AckError;
use super::{Link, Openness};
use crate::Timestamp;

impl Link {
    /// Checks a payload of the peer as a whole, before any of its frames is acted on (P5).
    pub(crate) fn check<'a>(&self, payload: &'a [u8]) -> Result<CheckedPayload<'a>, FrameError> {
        let sender = match self.role {
            Role::Client => Role::Server,
            Role::Server => Role::Client,
        };
        check_form(payload, sender)
    }

    /// To be called after the frames of a payload were handled: the packet will be acknowledged.
    ///
    /// Not for a payload that is dropped (P5, P22).
    pub(crate) fn on_packet_received(&mut self, now: Timestamp, sequence: u64, payload: &CheckedPayload<'_>) {
        self.received.insert(sequence, now, payload.ack_urgency());
        self.totals.packets_received += 1;
        self.totals.bytes_received += payload.len() as u64;
    }

    /// Takes an ack; tells of each control frame that arrived. An error is a protocol violation, and nothing of the
    /// ack counts (P13).
    pub(crate) fn handle_ack(
        &mut self,
        now: Timestamp,
        ack: &Ack<'_>,
        mut on_control_acked: impl FnMut(Control),
    ) -> Result<(), AckError> {
        let is_window_used = self.is_window_used(now);
        let Self { sent, rtt, congestion, controls, traffic, received, .. } = self;
        let acked = sent.on_ack(now, ack.ranges(), ack.delay_micros, rtt, |packet, list| {
            congestion.on_acked(packet, is_window_used);
            for carried in list.into_iter().flatten() {
                match carried {
                    Carried::Control(control) => {
                        controls.remove(control);
                        on_control_acked(control);
                    }
                    Carried::Messages { lane, first, count } => {
                        let Some(queues) = traffic.get_mut() else { continue };
                        queues.lanes_out.on_acked(lane, first, count);
                    }
                    Carried::Latest { first, count } => {
                        let Some(queues) = traffic.get_mut() else { continue };
                        queues.latest_out.on_acked(first, count);
                    }
                    Carried::Ack(largest) => received.forget_through(largest),
                    Carried::State(_) => {}
                }
            }
        })?;
        if let Some(sent_at) = acked.sample_sent_at {
            congestion.on_round_trip(now, sent_at, rtt.latest_micros(), is_window_used);
        }
        if acked.packets > 0 {
            self.probe_packets = 0;
        }
        self.totals.packets_acknowledged += u64::from(acked.packets);
        self.detect_lost(now, is_window_used);
        Ok(())
    }

    /// Takes a heartbeat: its response leaves with the next packet, at once (P35).
    pub(crate) fn handle_heartbeat(&mut self, now: Timestamp, stamp: u64) {
        self.heartbeat.handle_heartbeat(now, stamp);
    }

    /// Takes a path challenge: its response leaves with the next packet, at once (P41).
    pub(crate) fn handle_path_challenge(&mut self, value: u64) {
        self.path_responses.insert(value);
    }

    /// Takes the response to a heartbeat; returns the round trip without the peer's delay, in microseconds, or `None` if
    /// it answers nothing that this end sent in this key epoch.
    pub(crate) fn handle_heartbeat_response(
        &mut self,
        now: Timestamp,
        response: &HeartbeatResponse,
    ) -> Option<u64> {
        let round_trip_micros = self.heartbeat.round_trip_micros(now, response)?;
        let on_the_way_micros = round_trip_micros.saturating_sub(response.delay_micros);
        self.rtt.update(on_the_way_micros, 0);
        self.congestion.on_idle_round_trip(now, on_the_way_micros);
        Some(on_the_way_micros)
    }

    /// Takes a piece of a lane's message and delivers the messages that become complete, in order. `None` while the lanes are closed: the payload
    /// must not count as received then.
    ///
    /// One call delivers at most a window of messages and, beside the piece, what was [held back](Self::held_back_bytes).
    /// [`Violation::of_arrival`](crate::Violation::of_arrival) says which arrivals break the protocol.
    pub(crate) fn handle_lane(
        &mut self,
        lane: u8,
        number: u64,
        piece: Piece<'_>,
        deliver: impl FnMut(&[u8]),
    ) -> Option<LaneArrival> {
        if self.openness < Openness::Receiving {
            return None;
        }
        if !self.limits.has_lane(lane) {
            return Some(LaneArrival::NoSuchLane);
        }
        let lanes_in = &mut self.traffic.get_or_create(&self.limits).lanes_in;
        Some(lanes_in.receive(lane, number, piece, self.limits.lane_terms(lane), deliver))
    }

    /// Takes the version of a key's latest-wins value, which is to be delivered if it is newer (P71). `None` while the lanes are closed: the
    /// payload must not count as received then.
    pub(crate) fn handle_latest(&mut self, key: u16, version: u64) -> Option<LatestArrival> {
        if self.openness < Openness::Receiving {
            return None;
        }
        let latest_in = &mut self.traffic.get_or_create(&self.limits).latest_in;
        Some(latest_in.receive(key, version, self.limits.latest_keys))
    }
}
