//! The message layer inside netcode payload packets, as PROTOCOL.md specifies it; both ends use it.
//!
//! A [`Link`] turns what waits into the frames of one packet, and takes the frames that concern the way there: acks,
//! heartbeats, reliable messages. It outlives key epochs. It knows nothing of addresses, keys, or who is logged in:
//! its owner opens it, and writes the frames that speak of such things through a [`FrameSource`](source::FrameSource).

mod bandwidth;
mod byte_ring;
mod congestion;
pub(crate) mod control;
pub(crate) mod datagrams;
mod draft;
mod due;
pub(crate) mod frame;
mod heartbeat;
mod incoming;
pub(crate) mod lane;
pub(crate) mod latest;
mod limits;
mod outgoing;
mod pacer;
mod path_responses;
mod preface;
pub(crate) mod received;
mod room;
pub(crate) mod rtt;
pub(crate) mod sent;
pub(crate) mod source;
mod statistics;
mod traffic;
mod varint;

#[cfg(test)]
mod tests;

pub use frame::UNORDERED_LANE;
pub(crate) use limits::{LinkLimits, RECORD_BYTES};
pub use statistics::LinkStatistics;

use core::ops::RangeInclusive;

use crate::Timestamp;
use crate::planted::{PlantedBug, is_planted};
use bandwidth::Bandwidth;
use congestion::Congestion;
use control::ControlQueue;
use draft::{Carried, CarriedList};
use frame::{Role, Welcome};
use heartbeat::Heartbeat;
use lane::LaneWindow;
use pacer::Pacer;
use path_responses::OwedPathResponses;
use preface::Preface;
use received::{MAX_ACK_DELAY_MICROS, ReceivedPackets};
use rtt::RttEstimator;
use sent::SentPackets;
use traffic::Traffic;

/// How many packets one probe time-out may send, whatever the windows say (RFC 9002, section 6.2.4).
const PACKETS_PER_PROBE: u8 = 2;
/// How often a client repeats its hello until it is answered (P20).
const HELLO_INTERVAL_MICROS: u32 = 100_000;

/// How far the lanes, datagrams, latest values, states and moves of a key epoch are open (P27).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Openness {
    /// The lane epoch is not settled: nothing of lanes is sent or processed.
    Closed,
    /// What arrives is processed.
    Receiving,
    /// Everything is.
    Open,
}

/// One end of the message layer of one session.
///
/// Its methods are of four kinds. `handle_*` take what arrived, `queue_*` and `mark_*` what is to be sent;
/// [`has_output`](Self::has_output) and [`poll_packet`](Self::poll_packet) give what leaves;
/// [`poll_timeout`](Self::poll_timeout) says when [`handle_timeout`](Self::handle_timeout) and a look at the output
/// are due again. The rest tells it where the session stands.
#[derive(Debug)]
pub(crate) struct Link {
    role: Role,
    openness: Openness,
    preface: Preface,
    heartbeat: Heartbeat,
    path_responses: OwedPathResponses,
    received: ReceivedPackets,
    sent: SentPackets<CarriedList>,
    rtt: RttEstimator,
    congestion: Congestion,
    pacer: Pacer,
    bandwidth: Bandwidth,
    /// Packets that a probe may still send beyond the windows.
    probe_packets: u8,
    controls: ControlQueue,
    limits: LinkLimits,
    traffic: Traffic,
    /// How many packets in a row had neither room nor bandwidth for a reliable message that might have left.
    packets_without_message: u8,
    moves_pending: bool,
    state: StateProgress,
    totals: Totals,
}

/// How far the newest state has come.
#[derive(Clone, Copy, Debug, Default)]
struct StateProgress {
    /// It is to be sent, for the first time or again.
    is_pending: bool,
    /// It never left.
    is_unsent: bool,
    /// It left in a packet that there was no room to record, so that nobody would notice its loss.
    is_unrecorded: bool,
    /// The server tick of the newest that was sent.
    newest_sent: Option<u64>,
}

impl StateProgress {
    /// The packet with the state of this tick is lost: a newer one is on its way, or this one is needed.
    fn on_lost(&mut self, tick: u64) {
        self.is_pending |= self.newest_sent == Some(tick);
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Totals {
    packets_sent: u64,
    packets_received: u64,
    bytes_sent: u64,
    bytes_received: u64,
    packets_acknowledged: u64,
    packets_lost: u64,
    states_overwritten: u64,
}

impl Link {
    /// A link with nothing to send, in its first key epoch.
    pub(crate) fn new(role: Role, limits: &LinkLimits, now: Timestamp) -> Self {
        Self {
            role,
            openness: Openness::Closed,
            preface: Preface::default(),
            heartbeat: Heartbeat::new(role, now),
            path_responses: OwedPathResponses::default(),
            received: ReceivedPackets::default(),
            sent: SentPackets::new(limits.packets_in_flight_max.into()),
            rtt: RttEstimator::new(),
            congestion: Congestion::new(),
            pacer: Pacer::default(),
            bandwidth: Bandwidth::new(limits.bandwidth_max_bytes_per_s),
            probe_packets: 0,
            controls: ControlQueue::default(),
            limits: *limits,
            traffic: Traffic::default(),
            packets_without_message: 0,
            moves_pending: false,
            state: StateProgress::default(),
            totals: Totals::default(),
        }
    }

    /// The keys are new: what was in flight is queued again, and all that belonged to the former keys is forgotten
    /// (P24, P25). The lanes are closed until [`open_lanes`](Self::open_lanes).
    pub(crate) fn connection_replaced(&mut self, now: Timestamp) {
        let Self { sent, controls, state, .. } = self;
        let mut packets = 0;
        sent.drain_all(|carried| {
            packets += 1;
            if packets > 1 && is_planted(PlantedBug::OldestAloneRequeued) {
                return;
            }
            for carried in carried {
                match carried {
                    Carried::Control(_) if is_planted(PlantedBug::ControlsForgotten) => {}
                    Carried::Control(control) => controls.insert(control),
                    Carried::State(tick) => state.on_lost(tick),
                    Carried::Messages { .. } | Carried::Latest { .. } | Carried::Ack(_) => {}
                }
            }
        });
        if let Some(queues) = self.traffic.get_mut() {
            if is_planted(PlantedBug::DuplicateAfterResume) {
                queues.lanes_in.restart();
            }
            if !is_planted(PlantedBug::RequeueForgotten) {
                queues.lanes_out.requeue_all();
            }
            queues.latest_out.requeue_all();
        }
        self.state.is_pending |= core::mem::take(&mut self.state.is_unrecorded);
        if !is_planted(PlantedBug::AcksOfOldEpoch) {
            self.received.clear();
        }
        self.rtt.reset();
        self.congestion = Congestion::new();
        self.pacer = Pacer::default();
        self.probe_packets = 0;
        self.preface.end();
        self.heartbeat.connection_replaced(now);
        self.path_responses.clear();
        self.openness = Openness::Closed;
        self.packets_without_message = 0;
    }

    /// The lane epoch is settled, so what arrives may be processed. Returns how many reliable messages are discarded.
    ///
    /// That is none if the lanes are `kept`. Otherwise they start afresh in both directions (P24), as do latest-wins values (P73), and
    /// unreliable messages that waited go too, to be counted as dropped. A session's first key epoch keeps its (empty) lanes.
    pub(crate) fn open_lanes(&mut self, kept: bool) -> u64 {
        self.openness = self.openness.max(Openness::Receiving);
        let Some(queues) = self.traffic.get_mut().filter(|_| !kept) else { return 0 };
        self.packets_without_message = 0;
        queues.lanes_in.restart();
        queues.datagrams.clear();
        queues.latest_in.restart();
        queues.latest_out.restart();
        if is_planted(PlantedBug::RestartKeepsNumbers) {
            return 0;
        }
        queues.lanes_out.restart()
    }

    /// The session has the lanes and keys that a welcome says: so many in each direction, lanes with messages and a window of so many
    /// bytes.
    pub(crate) const fn set_lane_terms(&mut self, welcome: &Welcome) {
        self.limits.ordered_lanes = welcome.ordered_lanes;
        self.limits.message_bytes_max = welcome.message_bytes_max;
        self.limits.lane_window = LaneWindow::new(welcome.lane_window_bytes);
        self.limits.latest_keys = welcome.latest_keys;
    }

    /// The most bytes of a message that can be queued on a lane.
    pub(crate) fn message_bytes_max(&self, lane: u8) -> usize {
        self.limits.queueable_bytes_max(lane)
    }

    /// The session is logged in: lanes, datagrams, latest values, states and moves may be sent (P27). Does nothing while the lanes
    /// are closed.
    pub(crate) fn allow_data(&mut self) {
        if self.openness == Openness::Receiving {
            self.openness = Openness::Open;
        }
    }

    /// Puts the preface into every packet from now on, the first of which leaves at once. A client's repeats by
    /// itself (P20); a server's answers each packet that comes with a hello (P21).
    pub(crate) fn begin_preface(&mut self, now: Timestamp) {
        let interval_micros = match self.role {
            Role::Client => Some(HELLO_INTERVAL_MICROS),
            Role::Server => None,
        };
        self.preface.begin(now, interval_micros);
    }

    /// The peer has answered the preface.
    pub(crate) fn end_preface(&mut self) {
        self.preface.end();
    }

    /// Begins to send heartbeats every `interval_ms`, at least 10 (P35).
    pub(crate) fn start_heartbeat(&mut self, now: Timestamp, interval_ms: u64) {
        self.heartbeat.start(now, interval_ms);
    }

    /// The peer is at another port of the same machine: what is under way to the former one is lost, which says nothing about how
    /// much the path carries.
    pub(crate) fn path_moved(&mut self) {
        let Self { sent, controls, traffic, state, .. } = self;
        let mut requeue = Requeue { controls, traffic, state };
        let lost = sent.abandon_all(|carried| {
            requeue.all(carried);
        });
        self.totals.packets_lost += u64::from(lost);
    }

    /// Whether the peer has yet to show that it knows the answer to its hello (P21).
    pub(crate) const fn is_in_preface(&self) -> bool {
        self.preface.repeats()
    }

    /// The smoothed round-trip time, or what is assumed before the first sample.
    pub(crate) fn round_trip_micros(&self) -> u64 {
        self.rtt.smoothed_micros()
    }

    /// Finds lost packets and sends probes where the peer is silent (P14).
    pub(crate) fn handle_timeout(&mut self, now: Timestamp) {
        self.detect_lost(now, self.is_window_used(now));
        if self.sent.pto_deadline(&self.rtt).is_some_and(|deadline| deadline <= now) {
            self.probe(now);
        }
    }

    /// Bytes that the next payload to arrive may set free beside its own.
    pub(crate) fn held_back_bytes(&self) -> usize {
        self.traffic.get().map_or(0, |queues| queues.lanes_in.held_back_bytes())
    }

    /// The memory it takes beyond its own place.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.traffic.memory_bytes()
            + self.sent.memory_bytes()
            + self.received.memory_bytes()
            + self.controls.memory_bytes()
            + self.path_responses.memory_bytes()
    }

    /// Asks for a heartbeat now, before it is due: a question whether the peer is there.
    pub(crate) fn request_heartbeat(&mut self, now: Timestamp) {
        self.heartbeat.request_probe(now);
    }

    /// How long an answer that is due at once may take (RFC 9002, section 6.2.1).
    pub(crate) fn probe_timeout_micros(&self) -> u64 {
        self.rtt.pto_micros(MAX_ACK_DELAY_MICROS)
    }

    /// By how much round trips differ.
    pub(crate) fn round_trip_variance_micros(&self) -> u64 {
        self.rtt.variance_micros()
    }

    /// Payload packets left in this key epoch before this link wrote any, from the first to the last of these sequences: their
    /// acknowledgement is no violation.
    pub(crate) fn note_sent_elsewhere(&mut self, sequences: RangeInclusive<u64>) {
        self.sent.on_sent_elsewhere(sequences);
    }

    /// How many heartbeats left.
    pub(crate) const fn heartbeats_sent(&self) -> u32 {
        self.heartbeat.sent()
    }

    fn detect_lost(&mut self, now: Timestamp, is_window_used: bool) {
        let Self { sent, rtt, controls, traffic, state, .. } = self;
        let mut requeue = Requeue { controls, traffic, state };
        let lost = sent.detect_lost(now, rtt, |carried| {
            requeue.all(carried);
        });
        self.congestion.on_lost(now, &lost, &self.rtt, is_window_used);
        self.totals.packets_lost += u64::from(lost.packets);
    }

    /// Sends again what the oldest packets carried that the peer should have acknowledged, or else a heartbeat.
    fn probe(&mut self, now: Timestamp) {
        let Self { sent, controls, traffic, state, .. } = self;
        let mut requeue = Requeue { controls, traffic, state };
        let mut is_reliable = false;
        sent.on_pto(now, |carried| is_reliable |= requeue.all(carried));
        if is_reliable {
            self.probe_packets = PACKETS_PER_PROBE;
        } else {
            self.heartbeat.request_probe(now);
        }
    }

    /// Queues again what a packet carried whose record had to give way.
    fn requeue(&mut self, carried: CarriedList) {
        let Self { controls, traffic, state, .. } = self;
        Requeue { controls, traffic, state }.all(carried);
    }
}

/// Where the content of a lost packet goes (P15).
struct Requeue<'a> {
    controls: &'a mut ControlQueue,
    traffic: &'a mut Traffic,
    state: &'a mut StateProgress,
}

impl Requeue<'_> {
    /// Queues again what has to be; says whether anything of it was reliable.
    fn all(&mut self, carried: CarriedList) -> bool {
        let mut is_reliable = false;
        for carried in carried {
            match carried {
                Carried::Control(control) => self.controls.insert(control),
                Carried::Messages { lane, first, count } => {
                    let Some(queues) = self.traffic.get_mut() else { continue };
                    queues.lanes_out.on_lost(lane, first, count);
                }
                Carried::Latest { first, count } => {
                    if let Some(queues) = self.traffic.get_mut() {
                        queues.latest_out.on_lost(first, count);
                    }
                    continue;
                }
                Carried::State(tick) => {
                    self.state.on_lost(tick);
                    continue;
                }
                // The next ack names what this one did.
                Carried::Ack(_) => continue,
            }
            is_reliable = true;
        }
        is_reliable
    }
}
