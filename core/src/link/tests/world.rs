//! Two links in virtual time with a lossy, reordering, duplicating path between them, and owners as simple as can be.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use crate::link::control::Control;
use crate::link::frame::{
    Frame, FrameWriter, HeartbeatResponse, Hello, PAYLOAD_BYTES_MAX, ResumeToken, Role, State, Welcome,
};
use crate::link::lane::{LaneWindow, Piece};
use crate::link::latest::LatestArrival;
use crate::link::source::{FrameSource, Written};
use crate::link::{Link, LinkLimits};
use crate::{Timestamp, Violation};

pub(super) const LIMITS: LinkLimits = LinkLimits {
    ordered_lanes: 4,
    lane_queue_bytes_max: 1 << 20,
    message_bytes_max: 262_144,
    lane_window: LaneWindow::new(65_536),
    lane_queue_pieces_max: 4_096,
    datagram_queue_bytes_max: 8_192,
    datagram_queue_messages_max: 64,
    latest_keys: 256,
    latest_queue_bytes_max: 65_536,
    packets_in_flight_max: 64,
    bandwidth_max_bytes_per_s: None,
};
pub(super) const CLIENT: usize = 0;
pub(super) const SERVER: usize = 1;
pub(super) const HEARTBEAT_MS: u64 = 1_000;

/// Two IPv6 addresses on port 40000: with them a resume token is as large as it gets.
const ADDRESSES: [u8; 38] = {
    let mut addresses = [0; 38];
    addresses[0] = 2;
    addresses[19] = 2;
    addresses
};

/// The frames that an end's owner writes.
#[derive(Debug, Default)]
pub(super) struct Source {
    pub(super) is_server: bool,
    pub(super) lane_epoch: u64,
    pub(super) lanes_kept: bool,
    pub(super) state: Option<(u64, Vec<u8>)>,
    pub(super) moves: Vec<(u64, Vec<u8>)>,
    pub(super) controls_written: Vec<Control>,
}

impl FrameSource for Source {
    fn write_preface(&mut self, writer: &mut FrameWriter<'_>) -> bool {
        if !self.is_server {
            return writer.write_hello(&Hello::new(self.lane_epoch));
        }
        writer.write_welcome(&Welcome {
            version: 1,
            lane_epoch: self.lane_epoch,
            lanes_kept: self.lanes_kept,
            login_explicit: false,
            logged_in: true,
            session: 1,
            tick_rate_hz: 60,
            server_tick: 1_000,
            heartbeat_ms: HEARTBEAT_MS,
            timeout_ms: 5_000,
            reconnect_window_ms: 30_000,
            ordered_lanes: 4,
            message_bytes_max: 262_144,
            lane_window_bytes: 65_536,
            latest_keys: 256,
            move_high_water: None,
        })
    }

    fn write_control(&mut self, control: Control, writer: &mut FrameWriter<'_>) -> Written {
        let is_written = match control {
            Control::Login(attempt) => writer.write_login(attempt, b"secret"),
            Control::LoginAccepted(attempt) => writer.write_login_accepted(attempt),
            Control::LoginRejected(_) | Control::Draining(_) => return Written::Nothing,
            Control::ResumeToken(generation) => writer.write_resume_token(&ResumeToken {
                generation,
                create_unix: 1,
                expire_unix: 2,
                nonce: &[1; 24],
                private: &[2; 1024],
                client_to_server_key: &[3; 32],
                server_to_client_key: &[4; 32],
                timeout_seconds: 5,
                address_count: 2,
                addresses: &ADDRESSES,
            }),
        };
        if is_written {
            self.controls_written.push(control);
            Written::Done(())
        } else {
            Written::NoRoom
        }
    }

    fn write_moves(&mut self, writer: &mut FrameWriter<'_>) -> Written {
        if self.moves.is_empty() {
            return Written::Nothing;
        }
        let newest_first = self.moves.iter().rev().map(|(tick, input)| (*tick, input.as_slice()));
        if writer.write_moves(newest_first) > 0 { Written::Done(()) } else { Written::NoRoom }
    }

    fn write_state(&mut self, writer: &mut FrameWriter<'_>) -> Written<u64> {
        let Some((server_tick, bytes)) = &self.state else { return Written::Nothing };
        let state = State { server_tick: *server_tick, acknowledged_tick: None, bytes };
        if writer.write_state(&state) { Written::Done(*server_tick) } else { Written::NoRoom }
    }

    fn write_heartbeat_response(
        &mut self,
        stamp: u64,
        delay_micros: u64,
        writer: &mut FrameWriter<'_>,
    ) -> bool {
        writer.write_heartbeat_response(&HeartbeatResponse {
            stamp,
            delay_micros,
            server_tick: 1_000,
            tick_phase_micros: 7,
            move_arrival: None,
        })
    }
}

/// One end with its owner.
#[derive(Debug)]
pub(super) struct End {
    pub(super) link: Link,
    pub(super) source: Source,
    pub(super) is_opened: bool,
    pub(super) next_sequence: u64,
    seen: BTreeSet<u64>,
    /// The reliable messages of lane 0 that were delivered.
    pub(super) messages: Vec<Vec<u8>>,
    /// Those of the other lanes.
    pub(super) lane_messages: BTreeMap<u8, Vec<Vec<u8>>>,
    pub(super) datagrams: Vec<Vec<u8>>,
    /// The latest-wins values that were delivered, with their keys.
    pub(super) latest: Vec<(u16, Vec<u8>)>,
    pub(super) state_ticks: Vec<u64>,
    pub(super) controls_acked: Vec<Control>,
    pub(super) controls_received: usize,
    pub(super) discarded: u64,
}

impl End {
    pub(super) fn new(role: Role, limits: &LinkLimits) -> Self {
        let is_server = role == Role::Server;
        Self {
            link: Link::new(role, limits, Timestamp::ZERO),
            source: Source { is_server, lane_epoch: 77, lanes_kept: true, ..Source::default() },
            is_opened: false,
            next_sequence: if is_server { 1 << 40 } else { 0 },
            seen: BTreeSet::new(),
            messages: Vec::new(),
            lane_messages: BTreeMap::new(),
            datagrams: Vec::new(),
            latest: Vec::new(),
            state_ticks: Vec::new(),
            controls_acked: Vec::new(),
            controls_received: 0,
            discarded: 0,
        }
    }

    /// The messages of a lane that were delivered.
    pub(super) fn messages_of(&self, lane: u8) -> &[Vec<u8>] {
        if lane == 0 { &self.messages } else { self.lane_messages.get(&lane).map_or(&[], Vec::as_slice) }
    }

    pub(super) fn poll_packet(&mut self, now: Timestamp) -> Option<(u64, Vec<u8>)> {
        let mut out = [0; PAYLOAD_BYTES_MAX];
        let sequence = self.next_sequence;
        let len = self.link.poll_packet(now, sequence, &mut out, &mut self.source);
        if len == 0 {
            return None;
        }
        self.next_sequence += 1;
        Some((sequence, out[..len].to_vec()))
    }

    pub(super) fn receive(&mut self, now: Timestamp, sequence: u64, payload: &[u8]) {
        if !self.seen.insert(sequence) {
            return;
        }
        let checked = self.link.check(payload).unwrap();
        let has_preface = checked.frames().any(|frame| matches!(frame, Frame::Hello(_) | Frame::Welcome(_)));
        if !self.is_opened && !has_preface {
            return;
        }
        if self.is_opened && !has_preface && self.source.is_server {
            self.link.end_preface();
        }
        for frame in checked.frames() {
            self.handle(now, &frame);
        }
        self.link.on_packet_received(now, sequence, &checked);
    }

    fn handle(&mut self, now: Timestamp, frame: &Frame<'_>) {
        let Self { link, controls_acked, .. } = self;
        match frame {
            Frame::Hello(_) if !self.is_opened => {
                link.begin_preface(now);
                self.open(now, self.source.lanes_kept);
            }
            Frame::Welcome(welcome) if !self.is_opened => {
                link.end_preface();
                self.open(now, welcome.lanes_kept);
            }
            Frame::Ack(ack) => {
                link.handle_ack(now, ack, |control| controls_acked.push(control)).unwrap();
            }
            Frame::Heartbeat { stamp } => link.handle_heartbeat(now, *stamp),
            Frame::HeartbeatResponse(response) => drop(link.handle_heartbeat_response(now, response)),
            Frame::Lane { lane, number, message } => self.receive_piece(*lane, *number, Piece::last(message)),
            Frame::Fragment { lane, number, bytes } => {
                self.receive_piece(*lane, *number, Piece::continued(bytes));
            }
            Frame::Datagram { message } => self.datagrams.push(message.to_vec()),
            Frame::Latest { key, version, value } => match link.handle_latest(*key, *version) {
                Some(LatestArrival::Newer) => self.latest.push((*key, value.to_vec())),
                arrival => assert_eq!(arrival, Some(LatestArrival::Stale)),
            },
            Frame::State(state) => self.state_ticks.push(state.server_tick),
            Frame::LoginAccepted { .. } | Frame::ResumeToken(_) | Frame::Login { .. } => {
                self.controls_received += 1;
            }
            _ => {}
        }
    }

    fn receive_piece(&mut self, lane: u8, number: u64, piece: Piece<'_>) {
        let Self { link, messages, lane_messages, .. } = self;
        let delivered = if lane == 0 { messages } else { lane_messages.entry(lane).or_default() };
        let arrival = link.handle_lane(lane, number, piece, |message| delivered.push(message.to_vec()));
        assert_eq!(Violation::of_arrival(arrival), Ok(()));
    }

    fn open(&mut self, now: Timestamp, kept: bool) {
        self.is_opened = true;
        self.discarded = self.link.open_lanes(kept);
        self.link.allow_data();
        self.link.start_heartbeat(now, HEARTBEAT_MS);
    }

    fn connection_replaced(&mut self, now: Timestamp) {
        self.link.connection_replaced(now);
        self.is_opened = false;
        self.seen.clear();
        self.next_sequence += 1_000_000;
        if !self.source.is_server {
            self.link.begin_preface(now);
        }
    }
}

/// What the path does to packets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Path {
    pub(super) loss_percent: u64,
    pub(super) duplicate_percent: u64,
    pub(super) latency_ms: u64,
    pub(super) jitter_ms: u64,
}

/// The narrowest part of the way from the server to the client, with the buffer in front of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bottleneck {
    pub(super) bytes_per_s: u64,
    pub(super) buffer_bytes: u64,
    free_at: Timestamp,
}

impl Bottleneck {
    pub(super) fn new(bytes_per_s: u64, buffer_bytes: u64) -> Self {
        Self { bytes_per_s, buffer_bytes, free_at: Timestamp::ZERO }
    }

    /// When the packet is through; `None` if the buffer has no room for it.
    fn pass(&mut self, now: Timestamp, bytes: u64) -> Option<Timestamp> {
        let buffered = self.free_at.micros_since(now) * self.bytes_per_s / 1_000_000;
        if buffered + bytes > self.buffer_bytes {
            return None;
        }
        self.free_at = self.free_at.max(now).plus_micros(bytes * 1_000_000 / self.bytes_per_s);
        Some(self.free_at)
    }
}

pub(super) const CLEAN: Path = Path { loss_percent: 0, duplicate_percent: 0, latency_ms: 40, jitter_ms: 0 };

#[derive(Debug)]
pub(super) struct World {
    pub(super) now: Timestamp,
    pub(super) ends: [End; 2],
    pub(super) path: Path,
    pub(super) bottleneck: Option<Bottleneck>,
    random: u64,
    /// By arrival, then by order of sending: the receiver, the sequence, the payload.
    on_the_way: BTreeMap<(Timestamp, u64), (usize, u64, Vec<u8>)>,
    packets_sent: u64,
}

impl World {
    /// A client that says hello to a server, with nothing else to say.
    pub(super) fn new(path: Path, seed: u64) -> Self {
        Self::with_limits(path, seed, &LIMITS)
    }

    pub(super) fn with_limits(path: Path, seed: u64, limits: &LinkLimits) -> Self {
        let mut client = End::new(Role::Client, limits);
        client.link.begin_preface(Timestamp::ZERO);
        Self {
            now: Timestamp::ZERO,
            ends: [client, End::new(Role::Server, limits)],
            path,
            bottleneck: None,
            random: seed.wrapping_mul(2).wrapping_add(1),
            on_the_way: BTreeMap::new(),
            packets_sent: 0,
        }
    }

    /// A clean path and both ends open and idle.
    pub(super) fn opened() -> Self {
        let mut world = Self::new(CLEAN, 0);
        world.run_for_ms(500);
        assert!(world.ends.iter().all(|end| end.is_opened));
        world
    }

    fn random_below(&mut self, bound: u64) -> u64 {
        self.random =
            self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) % bound
    }

    /// Queues a reliable message on both ends.
    pub(super) fn queue_message(&mut self, message: &[u8]) {
        for end in &mut self.ends {
            end.link.queue_message(0, message).unwrap();
        }
    }

    /// New keys on both ends; what was on the way is lost.
    pub(super) fn replace_connection(&mut self) {
        self.on_the_way.clear();
        let now = self.now;
        self.ends.iter_mut().for_each(|end| end.connection_replaced(now));
    }

    /// Lets time pass until a moment, from one thing that happens to the next.
    pub(super) fn run_for_ms(&mut self, millis: u64) {
        let end = self.now.plus_millis(millis);
        self.run_until(end, |_| false);
    }

    /// Lets time pass until `is_done`; says whether that came before `deadline`.
    pub(super) fn run_until(&mut self, deadline: Timestamp, is_done: impl Fn(&Self) -> bool) -> bool {
        loop {
            self.ends.iter_mut().for_each(|end| end.link.handle_timeout(self.now));
            self.send_all();
            if is_done(self) {
                return true;
            }
            let wake_ups = self.ends.iter().filter_map(|end| end.link.poll_timeout());
            let arrival = self.on_the_way.first_key_value().map(|((at, _), _)| *at);
            let next = wake_ups.chain(arrival).min().unwrap_or(Timestamp::NEVER);
            assert!(next > self.now, "what was due has left: nothing spins");
            if next > deadline {
                self.now = deadline;
                return false;
            }
            self.now = next;
            self.receive_all();
        }
    }

    fn send_all(&mut self) {
        for (index, receiver) in [(CLIENT, SERVER), (SERVER, CLIENT)] {
            for count in 0.. {
                assert!(count < 2_000, "output comes to an end");
                let Some((sequence, payload)) = self.ends[index].poll_packet(self.now) else { break };
                self.carry(receiver, sequence, &payload);
            }
            assert!(!self.ends[index].link.has_output(self.now));
        }
    }

    fn carry(&mut self, receiver: usize, sequence: u64, payload: &[u8]) {
        if self.random_below(100) < self.path.loss_percent {
            return;
        }
        let mut leaves = self.now;
        if let Some(bottleneck) = self.bottleneck.as_mut().filter(|_| receiver == CLIENT) {
            let Some(through) = bottleneck.pass(self.now, payload.len() as u64 + 53) else { return };
            leaves = through;
        }
        let copies = if self.random_below(100) < self.path.duplicate_percent { 2 } else { 1 };
        for _ in 0..copies {
            let jitter_ms = self.random_below(self.path.jitter_ms + 1);
            let arrival = leaves.plus_millis(self.path.latency_ms + jitter_ms);
            self.packets_sent += 1;
            self.on_the_way.insert((arrival, self.packets_sent), (receiver, sequence, payload.to_vec()));
        }
    }

    fn receive_all(&mut self) {
        while let Some(entry) = self.on_the_way.first_entry()
            && entry.key().0 <= self.now
        {
            let (receiver, sequence, payload) = entry.remove();
            self.ends[receiver].receive(self.now, sequence, &payload);
        }
    }
}
