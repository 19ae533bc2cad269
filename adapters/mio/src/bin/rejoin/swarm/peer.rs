//! One client of the swarm: a session, a socket of its own, and a bad network between the two.
//!
//! ```text
//! socket ─▶ downlink ─▶ session ─▶ listener, watcher, download, tally
//! pilot, speaker, herald, download ─▶ session ─▶ uplink ─▶ socket
//! ```

use std::net::SocketAddr;

use mio::{Interest, Registry, Token};
use rejoin::client::{ClientEvent, ClientSession, ClientState, Verdict};
use rejoin::{DATAGRAM_BYTES_MAX, SessionId, Timestamp};
use rejoin_mio::{Received, Socket};

use super::bulk::Download;
use super::chat::{Listener, Speaker, Text};
use super::inquiry::{Inquiry, clock_error_micros};
use super::outage::{Outages, Turn};
use super::pilot::{self, Pilot};
use super::status::Watcher;
use crate::arena_wire::{
    Answer, BULK_LANE, CHAT_LANE, CONTROL_LANE, OWN_STATUS_KEY, Request, STATUS_KEYS, read_line,
    read_surroundings,
};
use crate::conditioner::{Conditioner, LinkConditions};
use crate::failure::Failure;
use crate::report::Samples;

/// Larger than any datagram that is accepted.
const RECEIVE_BUFFER_BYTES: usize = 2_048;

/// Datagrams read in one turn at most, so that one client does not keep the others waiting.
const RECEIVE_BUDGET: u32 = 64;

/// How often round-trip time and clock error are noted, in microseconds.
const MEASURE_EVERY_MICROS: u64 = 500_000;

/// The moment of a wake, by both clocks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wake {
    pub(super) now: Timestamp,
    /// The wall clock, if it is the server's too.
    pub(super) unix_micros: Option<u64>,
}

/// Buffers that all clients take turns with.
#[derive(Debug)]
pub(super) struct Buffers {
    receive: Box<[u8]>,
    transmit: Box<[u8]>,
    payload: Vec<u8>,
}

impl Buffers {
    pub(super) fn new() -> Self {
        Self {
            receive: vec![0; RECEIVE_BUFFER_BYTES].into(),
            transmit: vec![0; DATAGRAM_BYTES_MAX].into(),
            payload: Vec::new(),
        }
    }
}

/// How a client's login went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Login {
    #[default]
    Unanswered,
    Accepted,
    Refused,
}

/// What happened to one client.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) is_established: bool,
    pub(super) login: Login,
    /// The session it had logged in to ended, and not because it left.
    pub(super) has_ended_early: bool,
    /// Outages within the reconnect window; the two after `outages_beyond_window` are of these.
    pub(super) outages: u64,
    pub(super) outages_beyond_window: u64,
    pub(super) resumes: u64,
    pub(super) same_session: u64,
    pub(super) states: u64,
    pub(super) rtt: Samples,
    pub(super) resume: Samples,
    pub(super) clock_error: Samples,
}

/// What a client does once everybody is in.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) pilot: Pilot,
    /// Says texts in the chat.
    pub(super) speaker: Speaker,
    /// Says texts of itself, as its status.
    pub(super) herald: Speaker,
    pub(super) download: Download,
    pub(super) inquiry: Inquiry,
    pub(super) outages: Outages,
}

/// The present outage of a client, or its last one.
#[derive(Clone, Copy, Debug, Default)]
struct Outage {
    /// The session when it began.
    session: Option<SessionId>,
    /// Whether it is one that the server promised to wait for.
    is_within_window: bool,
}

#[derive(Debug)]
pub(super) struct Peer {
    token: Token,
    tag: String,
    server: SocketAddr,
    session: ClientSession,
    socket: Socket,
    /// Readiness is edge-triggered, so it is remembered until the socket was seen empty.
    readable: bool,
    uplink: Conditioner,
    downlink: Conditioner,
    part: Option<Part>,
    moves_address: bool,
    outage: Outage,
    /// Something came through since the cable was plugged in.
    heard_since_mend: bool,
    measure_due_at: Timestamp,
    pub(super) listener: Listener,
    pub(super) watcher: Watcher,
    pub(super) tally: Tally,
}

/// What a client is made of.
#[derive(Debug)]
pub(super) struct PeerSpec {
    pub(super) index: usize,
    pub(super) tag: String,
    pub(super) server: SocketAddr,
    pub(super) session: ClientSession,
    pub(super) conditions: LinkConditions,
    pub(super) moves_address: bool,
    pub(super) speakers: u32,
    pub(super) seed: u64,
}

impl Peer {
    /// Opens the client's socket. Its session connects and logs in as soon as it gets its turns.
    pub(super) fn new(spec: PeerSpec, registry: &Registry) -> Result<Self, Failure> {
        let token = Token(spec.index);
        Ok(Self {
            socket: open_socket(spec.server, token, registry)?,
            token,
            tag: spec.tag,
            server: spec.server,
            session: spec.session,
            readable: true,
            uplink: Conditioner::new(spec.conditions, spec.seed),
            downlink: Conditioner::new(spec.conditions, spec.seed.wrapping_add(1)),
            part: None,
            moves_address: spec.moves_address,
            outage: Outage::default(),
            heard_since_mend: false,
            measure_due_at: Timestamp::ZERO,
            listener: Listener::new(spec.speakers),
            watcher: Watcher::new(spec.speakers),
            tally: Tally::default(),
        })
    }

    /// Begins to move, speak, ask for bulk and lose the network.
    pub(super) fn begin(&mut self, part: Part) {
        self.part = Some(part);
    }

    /// Stops moving, speaking and asking; no further outage begins.
    pub(super) fn settle(&mut self) {
        if let Some(part) = &mut self.part {
            part.pilot.end();
            part.speaker.end();
            part.herald.end();
            part.download.end();
            part.inquiry.end();
            part.outages.end();
        }
    }

    pub(super) fn state(&self) -> ClientState {
        self.session.state()
    }

    /// Whether it is logged in, and able to come back where the server lets players come back.
    pub(super) fn is_ready(&self) -> bool {
        let may_come_back = self.session.reconnect_window().is_some_and(|window| !window.is_zero());
        self.tally.login == Login::Accepted && (!may_come_back || self.session.resume_tokens() > 0)
    }

    /// Whether it will never be logged in.
    pub(super) fn is_refused(&self) -> bool {
        self.tally.login == Login::Refused || self.state() == ClientState::Disconnected
    }

    pub(super) fn part(&self) -> Option<&Part> {
        self.part.as_ref()
    }

    /// Whether it is cut off or on its way back.
    pub(super) fn is_away(&self) -> bool {
        self.state() == ClientState::Away || self.part.as_ref().is_some_and(|part| part.outages.is_away())
    }

    /// Whether it is back, has heard all texts that were `spoken` and seen the last of the statuses that were `set`, and got all that it
    /// asked for.
    pub(super) fn is_settled(&self, spoken: u64, set: u64) -> bool {
        let has_all = |part: &Part| !part.download.is_under_way() && part.inquiry.is_over();
        !self.is_away()
            && self.listener.delivered >= spoken
            && self.watcher.has_seen_last(set)
            && self.part.as_ref().is_none_or(has_all)
    }

    /// An event says that its socket may hold datagrams.
    pub(super) fn handle_readable(&mut self) {
        self.readable = true;
    }

    /// When it wants its next turn.
    pub(super) fn next_at(&self) -> Timestamp {
        if self.readable {
            return Timestamp::ZERO;
        }
        let session = self.session.poll_timeout().map(|deadline| deadline.at);
        let links = [self.uplink.next_at(), self.downlink.next_at()];
        let part = self.part.as_ref().map_or(Timestamp::NEVER, |part| {
            // Only who is logged in can do what these want.
            let plays = if self.state().is_logged_in() {
                [part.speaker.next_at(), part.herald.next_at(), part.inquiry.next_at()]
                    .into_iter()
                    .fold(part.pilot.next_at(), Timestamp::min)
            } else {
                Timestamp::NEVER
            };
            plays.min(part.outages.next_at())
        });
        links.into_iter().flatten().chain(session).fold(part, Timestamp::min)
    }

    /// One turn: the cable, what arrived, timers, events, what it does by itself, and what leaves.
    pub(super) fn turn(
        &mut self,
        wake: Wake,
        buffers: &mut Buffers,
        registry: &Registry,
    ) -> Result<(), Failure> {
        let now = wake.now;
        self.turn_cable(now, registry)?;
        self.receive(now, buffers);
        self.session.handle_timeout(now);
        self.handle_events(now, &mut buffers.payload);
        self.notice_return(now);
        self.play(now);
        self.measure(wake);
        self.transmit(now, buffers);
        Ok(())
    }

    /// Says goodbye, past the bad network: this is the end of the run and no part of it.
    pub(super) fn leave(&mut self, now: Timestamp, buffers: &mut Buffers) {
        self.session.disconnect(now);
        while let Some(transmit) = self.session.poll_transmit(now, &mut buffers.transmit) {
            self.socket.send(transmit.to, &buffers.transmit[..transmit.len]);
        }
    }

    fn turn_cable(&mut self, now: Timestamp, registry: &Registry) -> Result<(), Failure> {
        let Some(part) = &mut self.part else { return Ok(()) };
        match part.outages.poll(now) {
            Some(Turn::Cut) => {
                let is_within_window =
                    self.session.reconnect_window().is_none_or(|window| part.outages.lasting() <= window);
                self.tally.outages += u64::from(is_within_window);
                self.tally.outages_beyond_window += u64::from(!is_within_window);
                self.outage = Outage { session: self.session.session_id(), is_within_window };
                self.heard_since_mend = false;
                part.pilot.handle_outage();
                self.uplink.cut();
                self.downlink.cut();
            }
            Some(Turn::Mend) => {
                self.uplink.mend();
                self.downlink.mend();
                if self.moves_address {
                    self.socket = open_socket(self.server, self.token, registry)?;
                    self.readable = true;
                    self.session.network_changed(now);
                }
            }
            None => {}
        }
        Ok(())
    }

    fn receive(&mut self, now: Timestamp, buffers: &mut Buffers) {
        for _ in 0..RECEIVE_BUDGET {
            if !self.readable {
                break;
            }
            match self.socket.receive(&mut buffers.receive) {
                Received::Datagram { bytes, from } => {
                    self.downlink.push(now, from, &buffers.receive[..bytes]);
                }
                Received::Drained => self.readable = false,
                Received::Fault(_) => {}
            }
        }
        while let Some(mut datagram) = self.downlink.poll(now) {
            let verdict = self.session.handle_datagram(now, datagram.address, &mut datagram.bytes);
            self.heard_since_mend |= verdict == Verdict::Accepted;
        }
    }

    fn handle_events(&mut self, now: Timestamp, payload: &mut Vec<u8>) {
        while let Some(event) = self.session.poll_event(payload) {
            match event {
                ClientEvent::Connected { .. } => self.tally.is_established = true,
                ClientEvent::LoggedIn => self.tally.login = Login::Accepted,
                ClientEvent::LoginRejected { code, .. } => {
                    log::info!(
                        "login rejected ({code}): {}",
                        String::from_utf8_lossy(payload).escape_debug()
                    );
                    self.tally.login = Login::Refused;
                }
                ClientEvent::Message { lane } => self.handle_message(now, lane, payload),
                ClientEvent::Latest { .. } => self.watch(payload),
                ClientEvent::State { acknowledged, .. } => self.see(acknowledged, payload),
                ClientEvent::ServerDraining { code, other_address, .. } => {
                    log::info!(
                        "client {}: the server drains ({code}); elsewhere: {other_address:?}",
                        self.token.0
                    );
                }
                // Who never got in is told by the report, for all together.
                ClientEvent::Disconnected { reason } if self.tally.is_established => {
                    self.tally.has_ended_early = self.tally.login == Login::Accepted;
                    log::info!("client {} is out: {reason:?}, so {:?}", self.token.0, reason.next_step());
                }
                _ => {}
            }
        }
    }

    fn handle_message(&mut self, now: Timestamp, lane: u8, message: &[u8]) {
        match (lane, &mut self.part) {
            (CHAT_LANE, _) => self.hear(message),
            (BULK_LANE, Some(part)) => part.download.handle(now, message),
            (CONTROL_LANE, Some(part)) => match Answer::read(message) {
                Some(Answer::BulkRefused) => part.download.handle_refused(),
                Some(Answer::Figures(figures)) => part.inquiry.handle_answer(figures),
                // A swarm says nothing that is refused: what it said would count as lost.
                Some(Answer::TextRefused(_)) | None => {}
            },
            _ => {}
        }
    }

    fn hear(&mut self, line: &[u8]) {
        if let Some(text) = self.read_text(line) {
            self.listener.handle(text);
        }
    }

    fn watch(&mut self, line: &[u8]) {
        if let Some(status) = self.read_text(line) {
            self.watcher.handle(status);
        }
    }

    /// The text of a line, if a player of this swarm said it.
    fn read_text(&self, line: &[u8]) -> Option<Text> {
        let (name, text) = read_line(line)?;
        Text::read(&self.tag, name, text)
    }

    fn see(&mut self, acknowledged: Option<u64>, state: &[u8]) {
        if read_surroundings(state).is_some() {
            self.tally.states += 1;
        }
        if let (Some(up_to), Some(part)) = (acknowledged, &mut self.part) {
            part.pilot.handle_acknowledged(up_to);
        }
    }

    /// It is back when something came through and the session is whole.
    fn notice_return(&mut self, now: Timestamp) {
        let Some(part) = &mut self.part else { return };
        let is_back = self.heard_since_mend && self.session.state() == ClientState::LoggedIn;
        if !is_back || !part.outages.is_coming_back() {
            return;
        }
        if let Some(micros) = part.outages.handle_return(now) {
            part.pilot.handle_return(self.session.move_redundancy().map_or(0, usize::from));
            if self.outage.is_within_window {
                self.tally.resumes += 1;
                self.tally.same_session += u64::from(self.session.session_id() == self.outage.session);
                self.tally.resume.add(micros);
            }
        }
    }

    fn play(&mut self, now: Timestamp) {
        if !self.session.state().is_logged_in() {
            return;
        }
        self.steer(now);
        let (session, Some(part)) = (&mut self.session, &mut self.part) else { return };
        if let Some(text) = part.speaker.due(now) {
            match session.send(CHAT_LANE, text.write(&self.tag).as_bytes()) {
                Ok(()) => part.speaker.handle_said(now),
                Err(_) => part.speaker.handle_refused(now),
            }
        }
        let is_shown = session.session_id().is_some_and(|id| id.index < STATUS_KEYS.into());
        if let Some(status) = part.herald.due(now) {
            let sent =
                is_shown.then(|| session.send_latest(OWN_STATUS_KEY, status.write(&self.tag).as_bytes()));
            match sent {
                Some(Ok(())) => part.herald.handle_said(now),
                _ => part.herald.handle_refused(now),
            }
        }
        // If the lane is full now, there is another turn.
        if let Some(request) = part.download.due()
            && session.send(CONTROL_LANE, &Request::Bulk(request).to_bytes()).is_ok()
        {
            part.download.handle_asked(now, request);
        }
        if now >= part.inquiry.next_at() {
            let sent = session.send(CONTROL_LANE, &Request::Figures.to_bytes());
            part.inquiry.handle_asked(now, sent.is_ok());
        }
    }

    fn steer(&mut self, now: Timestamp) {
        let (session, Some(part)) = (&mut self.session, &mut self.part) else { return };
        let lead_ticks = session
            .recommended_lead_ticks()
            .map_or_else(|| pilot::guessed_lead_ticks(session.rtt(), session.tick_rate_hz()), u64::from);
        let tick = session.server_tick(now).unwrap_or(0).saturating_add(lead_ticks);
        if let Some(controls) = part.pilot.poll(now, tick, session.move_high_water())
            && session.send_move(tick, &controls.to_bytes()).is_ok()
        {
            part.pilot.handle_sent(tick);
        }
    }

    fn measure(&mut self, wake: Wake) {
        if wake.now < self.measure_due_at {
            return;
        }
        self.measure_due_at = wake.now.plus_micros(MEASURE_EVERY_MICROS);
        if let Some(rtt) = self.session.rtt().filter(|_| !self.is_away()) {
            self.tally.rtt.add(u64::try_from(rtt.as_micros()).unwrap_or(u64::MAX));
        }
        if let Some(micros) = self.clock_error_micros(wake) {
            self.tally.clock_error.add(micros);
        }
    }

    /// By how much it is wrong about the server's clock; `None` while there is nothing to compare.
    fn clock_error_micros(&self, wake: Wake) -> Option<u64> {
        let figures = self.part.as_ref()?.inquiry.newest()?;
        let estimate = self.session.server_clock(wake.now)?;
        clock_error_micros(estimate, self.session.tick_rate_hz()?, figures, wake.unix_micros?)
    }

    fn transmit(&mut self, now: Timestamp, buffers: &mut Buffers) {
        while let Some(transmit) = self.session.poll_transmit(now, &mut buffers.transmit) {
            self.uplink.push(now, transmit.to, &buffers.transmit[..transmit.len]);
        }
        while let Some(datagram) = self.uplink.poll(now) {
            // What the kernel has no room for is lost, as in any network.
            self.socket.send(datagram.address, &datagram.bytes);
        }
    }
}

/// A socket on a free port, of the server's family.
fn open_socket(server: SocketAddr, token: Token, registry: &Registry) -> Result<Socket, Failure> {
    let any: SocketAddr = if server.is_ipv4() { ([0; 4], 0).into() } else { ([0; 16], 0).into() };
    let mut socket = Socket::bind(any).map_err(Failure::unsuccessful)?;
    registry
        .register(&mut socket, token, Interest::READABLE)
        .map_err(|error| Failure::unsuccessful(format!("cannot watch a socket: {error}")))?;
    Ok(socket)
}
