//! A manager with a virtual clock, the addresses it talks to, and what it said so far.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::net::SocketAddr;

use allocation_counter::measure;

use crate::event::LifecycleEvent;
use crate::ledger::Refusal;
use crate::lifecycle::{LifecycleEventKind, SessionState};
use crate::{
    ClientId, Config, DATAGRAM_BYTES_MAX, DropReason, Event, Key, LoginPolicy, MultiSessionManager,
    SessionId, SessionView, Timestamp, Verdict,
};

use super::super::session::Session;
use super::laws::Laws;
use super::peer::Peer;
use super::ticket::{Backend, PROTOCOL_ID};

pub(super) const UNIX_S: u64 = 1_900_000_000;
/// So many unspent resume tokens are with a client that is logged in (P60).
pub(super) const UNSPENT_TOKENS: usize = 3;
const SEED: [u8; 32] = [5; 32];
/// More rounds than any deadline or queue of a test gives.
const ROUNDS_MAX: usize = 20_000;

/// The address clients reach the server by.
pub(super) fn server_address() -> SocketAddr {
    SocketAddr::from(([203, 0, 113, 1], 40_000))
}

/// An address of a client.
pub(super) fn client_address(port: u16) -> SocketAddr {
    SocketAddr::from(([198, 51, 100, 7], port))
}

pub(super) fn framed_config() -> Config {
    Config::new(PROTOCOL_ID, Key::new([9; 32]), server_address())
}

pub(super) fn raw_config() -> Config {
    framed_config().raw()
}

/// Framed, and nobody has to send a login.
pub(super) fn token_login_config() -> Config {
    Config { login: LoginPolicy::TokenIsLogin, ..framed_config() }
}

/// A session is sure of so much beyond what is fixed, and the pool has hardly more than it must.
pub(super) fn tight_config() -> Config {
    let config = Config { message_bytes_max: 20_000, lane_queue_bytes_max: 20_000, ..framed_config() };
    let session_quota_bytes = config.session_fixed_bytes() + TIGHT_QUOTA_BYTES;
    Config { session_quota_bytes, pool_bytes_max: 42_000, ..config }
}

pub(super) const TIGHT_QUOTA_BYTES: usize = 5_000;

/// The server end of a test.
pub(super) struct Harness {
    pub(super) manager: MultiSessionManager,
    pub(super) backend: Backend,
    pub(super) now: Timestamp,
    /// Every event with its bytes.
    pub(super) events: Vec<(Event, Vec<u8>)>,
    /// Every datagram sent, in order.
    pub(super) sent: Vec<(SocketAddr, Vec<u8>)>,
    inboxes: BTreeMap<SocketAddr, Vec<Vec<u8>>>,
    laws: Laws,
    /// What the manager has allocated and not freed, in the calls that were measured.
    live_bytes: i64,
    /// The most that it ever was, in the middle of a call too.
    peak_bytes: i64,
    /// For the bytes of an event: with so much room that it never grows.
    payload: Vec<u8>,
}

impl Harness {
    pub(super) fn new(config: Config) -> Self {
        Self::with_seed(config, SEED)
    }

    pub(super) fn with_seed(config: Config, seed: [u8; 32]) -> Self {
        let now = Timestamp::from_millis(1_000);
        let backend = Backend::new(config.private_key.clone(), server_address());
        let mut manager = None;
        let allocated =
            measure(|| manager = Some(MultiSessionManager::new(config, seed, now, UNIX_S).unwrap()));
        Self {
            manager: manager.expect("the measured closure ran"),
            backend,
            now,
            events: Vec::new(),
            sent: Vec::new(),
            inboxes: BTreeMap::new(),
            laws: Laws::default(),
            live_bytes: allocated.bytes_current,
            peak_bytes: 0,
            payload: Vec::with_capacity(1 << 20),
        }
    }

    pub(super) fn raw() -> Self {
        Self::new(raw_config())
    }

    pub(super) fn framed() -> Self {
        Self::new(framed_config())
    }

    /// The unix time by the virtual clock.
    pub(super) fn unix_s(&self) -> u64 {
        UNIX_S + (self.now.as_micros() - 1_000_000) / 1_000_000
    }

    /// A client with a fresh token of the backend.
    pub(super) fn newcomer(&mut self, client_id: u64, port: u16) -> Peer {
        let unix_s = self.unix_s();
        Peer::new(self.backend.ticket(client_id, unix_s), client_address(port))
    }

    /// Gives the manager a datagram, and takes everything that follows at once.
    pub(super) fn take(&mut self, from: SocketAddr, datagram: &[u8]) -> Verdict {
        let verdict = self.read(from, datagram);
        self.settle();
        verdict
    }

    /// Gives the manager a datagram and takes nothing: one of several in a batch.
    pub(super) fn read(&mut self, from: SocketAddr, datagram: &[u8]) -> Verdict {
        let mut bytes = datagram.to_vec();
        let verdict = self.measured(|manager, now| manager.handle_datagram(now, from, &mut bytes));
        let is_response = datagram.first().is_some_and(|prefix| prefix & 0x0f == 3);
        self.laws.on_receipt(from, datagram.len(), is_response && verdict == Verdict::Answered);
        verdict
    }

    /// Sends a datagram of a peer, who hears what comes back.
    pub(super) fn talk(&mut self, peer: &mut Peer, datagram: &[u8]) -> Verdict {
        let verdict = self.take(peer.address, datagram);
        self.listen(peer);
        verdict
    }

    /// Lets a peer hear what was sent to its address.
    pub(super) fn listen(&mut self, peer: &mut Peer) {
        self.inbox(peer.address).into_iter().for_each(|datagram| peer.hear(datagram));
    }

    /// Takes what was sent to an address.
    pub(super) fn inbox(&mut self, address: SocketAddr) -> Vec<Vec<u8>> {
        self.inboxes.remove(&address).unwrap_or_default()
    }

    /// Calls the manager, and takes everything that follows.
    pub(super) fn call<T>(&mut self, command: impl FnOnce(&mut MultiSessionManager, Timestamp) -> T) -> T {
        let result = self.measured(command);
        self.settle();
        result
    }

    /// Calls the manager and takes nothing. What it allocates is counted, so the call should give nothing that has to be freed.
    pub(super) fn measured<T>(
        &mut self,
        command: impl FnOnce(&mut MultiSessionManager, Timestamp) -> T,
    ) -> T {
        let mut result = None;
        let (manager, now) = (&mut self.manager, self.now);
        let allocated = measure(|| result = Some(command(manager, now)));
        let peak_bytes = self.live_bytes.saturating_add_unsigned(allocated.bytes_max);
        self.peak_bytes = self.peak_bytes.max(peak_bytes);
        self.live_bytes += allocated.bytes_current;
        result.expect("the measured closure ran")
    }

    /// Lets time pass, from deadline to deadline.
    pub(super) fn advance(&mut self, millis: u64) {
        let end = self.now.plus_millis(millis);
        for _ in 0..ROUNDS_MAX {
            match self.manager.poll_timeout() {
                Some(deadline) if deadline.at <= end => {
                    self.now = self.now.max(deadline.at);
                    self.settle();
                }
                _ => {
                    self.now = end;
                    return;
                }
            }
        }
        panic!("time does not get on");
    }

    /// Lets time pass while the host does nothing at all.
    pub(super) fn oversleep(&mut self, millis: u64) {
        self.now = self.now.plus_millis(millis);
    }

    /// Does everything that is due now: afterwards the manager asks for nothing before a later moment.
    pub(super) fn settle(&mut self) {
        for _ in 0..ROUNDS_MAX {
            self.drain();
            match self.manager.poll_timeout() {
                Some(deadline) if deadline.at <= self.now => {
                    self.measured(MultiSessionManager::handle_timeout);
                }
                _ => {
                    self.check_index();
                    self.check_counters();
                    return self.check_memory();
                }
            }
        }
        panic!("the manager spins: {:?}", self.manager.poll_timeout());
    }

    /// Takes all datagrams and events.
    pub(super) fn drain(&mut self) {
        let asked_for = self.manager.poll_timeout();
        assert_eq!(self.manager.poll_timeout(), asked_for, "asking changes nothing");
        let mut taken = 0;
        let mut buffer = [0; DATAGRAM_BYTES_MAX];
        while let Some(transmit) = self.measured(|manager, now| manager.poll_transmit(now, &mut buffer)) {
            taken += 1;
            assert!(taken < ROUNDS_MAX, "output comes to an end");
            let datagram = buffer[..transmit.len].to_vec();
            if self.manager.session_at(transmit.to).is_some() {
                self.laws.on_path(transmit.to);
            }
            self.laws.on_transmit(transmit.to, datagram.len());
            self.inboxes.entry(transmit.to).or_default().push(datagram.clone());
            self.sent.push((transmit.to, datagram));
        }
        let mut payload = core::mem::take(&mut self.payload);
        while let Some(event) = self.measured(|manager, _| manager.poll_event(&mut payload)) {
            taken += 1;
            self.laws.on_event(&event);
            self.note_move(&event);
            self.events.push((event, payload.clone()));
        }
        self.payload = payload;
        let was_announced = asked_for.is_some_and(|deadline| deadline.at <= self.now);
        assert!(taken == 0 || was_announced, "output now, but asked for {asked_for:?}");
    }

    /// A session is at its new path.
    fn note_move(&mut self, event: &Event) {
        if let Event::PathMoved { session, .. } = event
            && let Some(view) = self.manager.session(*session)
        {
            self.laws.on_path(view.address());
        }
    }

    /// Everything is counted once: as done, or as refused for one cause, if it does not wait.
    fn check_counters(&self) {
        let counters = self.manager.counters();
        assert!(counters.add_up(), "{counters:?}");
        let waiting = |holds: fn(&Session) -> bool| {
            self.manager.table.iter().filter(|session| holds(session)).count() as u64
        };
        let logins = waiting(|session| session.state.get() == Some(SessionState::LoginPending));
        assert_eq!(counters.login_requests, counters.logins_accepted + counters.logins_refused() + logins);
        let attempts = waiting(|session| session.attempt.is_some());
        let ended = counters.attempts_confirmed + counters.attempts_ended();
        assert_eq!(counters.attempts_begun, ended + attempts);
        assert!(counters.denied_total() <= counters.answered);
    }

    /// What sessions were refused is among what the server refused.
    fn check_records(&self) {
        for refusal in Refusal::all() {
            let of_sessions: u64 = self.manager.sessions().map(|view| view.record().refused(refusal)).sum();
            assert!(of_sessions <= self.manager.counters().refused(refusal), "{refusal}");
        }
    }

    /// Every living session is found by its identity and its addresses, and nothing is left of those that ended.
    fn check_index(&self) {
        let (addresses, identities) = self.manager.directory.len();
        assert_eq!(identities, self.manager.len());
        let waiting = self.manager.table.iter().filter(|session| {
            session.state.get() == Some(SessionState::ReconnectPending) && session.attempt.is_none()
        });
        assert_eq!(self.manager.directory.away_len(), waiting.count(), "who waits for its player is listed");
        assert_eq!(self.laws.live(), self.manager.len(), "events tell of every session");
        for view in self.manager.sessions() {
            assert_eq!(self.state_of(view.client_id().0), Some(view.state()));
        }
        let mut known = BTreeSet::new();
        let mut followers = 0;
        for session in self.manager.table.iter() {
            let attempt_at = session.attempt.as_ref().map(|attempt| attempt.connection.address());
            let place = |address| self.manager.directory.place(address);
            let index = Some(session.id.index);
            let here = session.connection.address();
            if session.has_live_path() {
                assert_eq!(place(here).path, index, "a live path is found");
            } else if !session.is_confirmed && attempt_at.is_none() {
                assert_eq!(place(here).attempt, index, "a first handshake can be confirmed");
            }
            if let Some(there) = attempt_at {
                assert_eq!(place(there).attempt, index, "an attempt can be confirmed");
            }
            for handshake in &session.resume_handshakes {
                assert_eq!(place(handshake.address).resume, index, "a challenge can be answered");
            }
            if let Some(on_trial) = session.trial.as_ref().and_then(|trial| trial.address()) {
                let there = place(on_trial);
                assert_eq!(
                    (there.path, there.trial),
                    (None, index),
                    "a trial has its place, and nobody else's"
                );
                assert_eq!(on_trial.ip(), here.ip(), "only a port moves");
                known.insert(on_trial);
            }
            let follows = self.manager.config().port_searches_per_s > 0;
            if follows && session.is_confirmed && session.content.is_framed() {
                followers += 1;
                let slot = session.id.index;
                assert!(self.manager.directory.sessions_at(here.ip(), slot).next() == Some(slot));
            }
            known.extend(session.resume_handshakes.iter().map(|handshake| handshake.address));
            known.extend([here].into_iter().chain(attempt_at));
        }
        assert_eq!(self.manager.directory.followers(), followers, "no others are searched");
        assert!(addresses <= known.len(), "an address of no session is indexed");
    }

    /// Nobody, and all together, take more memory than the settings say.
    pub(super) fn check_memory(&self) {
        let config = self.manager.config();
        let (taken, most) = (self.manager.memory_bytes(), config.memory_bytes_max());
        assert!(taken <= most, "the manager takes {taken} bytes, of {most}");
        for view in self.manager.sessions() {
            let (taken, most) = (view.memory_bytes(), config.session_bytes_max());
            assert!(taken <= most, "a session takes {taken} bytes, of {most}");
            let charged = view.charged_bytes();
            assert!(taken <= charged, "a session takes {taken} bytes, and is charged for {charged}");
        }
        let excess = |view: SessionView<'_>| view.charged_bytes().saturating_sub(config.session_quota_bytes);
        let taken = self.manager.pool_bytes_taken();
        assert_eq!(
            self.manager.sessions().map(excess).sum::<usize>(),
            taken,
            "what is beyond quotas is of the pool"
        );
        assert!(taken <= config.pool_bytes_max, "{taken} bytes of the pool");
    }

    /// What the manager says it takes is what it has allocated, beyond its own place, give or take `tolerance_bytes`.
    pub(super) fn check_reckoning(&self, tolerance_bytes: usize) {
        self.check_memory();
        let allocated = usize::try_from(self.live_bytes).expect("more allocated than freed");
        let (peak, most) = (self.peak_bytes, self.manager.config().memory_bytes_max());
        assert!(usize::try_from(peak).is_ok_and(|peak| peak <= most), "{peak} bytes at a time, of {most}");
        let reckoned = self.manager.memory_bytes() - size_of::<MultiSessionManager>();
        assert!(
            reckoned.abs_diff(allocated) <= tolerance_bytes,
            "reckoned with {reckoned} bytes, allocated are {allocated}"
        );
    }

    /// Ends the test: everything is let go, and nothing is left.
    pub(super) fn close(mut self) {
        self.check_records();
        self.call(MultiSessionManager::shutdown);
        assert!(self.manager.is_empty());
        self.check_index();
        self.check_counters();
    }

    pub(super) fn session_of(&self, peer_id: u64) -> SessionView<'_> {
        self.manager.session_of(ClientId(peer_id)).expect("a session")
    }

    pub(super) fn id_of(&self, client_id: u64) -> SessionId {
        self.session_of(client_id).id()
    }

    pub(super) fn state_of(&self, client_id: u64) -> Option<SessionState> {
        self.manager.session_of(ClientId(client_id)).map(|session| session.state())
    }

    pub(super) fn dropped(&self, reason: DropReason) -> u64 {
        self.manager.counters().dropped(reason)
    }

    /// The lifecycle events of an identity.
    pub(super) fn lifecycle_of(&self, client_id: u64) -> Vec<LifecycleEvent> {
        let lifecycle = |(event, _): &(Event, Vec<u8>)| match event {
            Event::Lifecycle(event) if event.client_id == ClientId(client_id) => Some(*event),
            _ => None,
        };
        self.events.iter().filter_map(lifecycle).collect()
    }

    /// Their kinds.
    pub(super) fn kinds_of(&self, client_id: u64) -> Vec<LifecycleEventKind> {
        self.lifecycle_of(client_id).iter().map(|event| event.kind).collect()
    }

    /// The newest lifecycle event of an identity.
    pub(super) fn last_of(&self, client_id: u64) -> LifecycleEvent {
        self.lifecycle_of(client_id).pop().expect("an event")
    }

    /// The bytes of all events of one session that are not of its lifecycle.
    pub(super) fn received_from(&self, id: SessionId) -> Vec<&[u8]> {
        let of_session = |event: &Event| match event {
            Event::Message { session, .. } | Event::Datagram { session } | Event::Move { session, .. } => {
                *session == id
            }
            _ => false,
        };
        self.events.iter().filter(|(event, _)| of_session(event)).map(|(_, bytes)| &bytes[..]).collect()
    }

    /// The ticks of the moves that were accepted from one session.
    pub(super) fn ticks_from(&self, id: SessionId) -> Vec<u64> {
        let tick = |(event, _): &(Event, Vec<u8>)| match event {
            Event::Move { session, tick } if *session == id => Some(*tick),
            _ => None,
        };
        self.events.iter().filter_map(tick).collect()
    }
}

/// What peers do together with the server, so that a test can begin where it has something to say.
impl Harness {
    /// Request, challenge, response: afterwards the server waits for the first packet under the keys.
    pub(super) fn shake_hands(&mut self, peer: &mut Peer) {
        let request = peer.request();
        assert_eq!(self.talk(peer, &request), Verdict::Answered);
        let response = peer.response();
        assert_eq!(self.talk(peer, &response), Verdict::Answered);
        assert!(!peer.keep_alives.is_empty(), "the server says that the handshake is complete");
    }

    /// A raw client in its session.
    pub(super) fn raw_player(&mut self, client_id: u64, port: u16) -> Peer {
        let mut peer = self.newcomer(client_id, port);
        self.shake_hands(&mut peer);
        let keep_alive = peer.keep_alive();
        assert!(matches!(self.talk(&mut peer, &keep_alive), Verdict::Accepted(_)));
        peer
    }

    /// A framed client that was welcomed and has not logged in.
    pub(super) fn guest(&mut self, client_id: u64, port: u16) -> Peer {
        let mut peer = self.newcomer(client_id, port);
        peer.lane_epoch = 1_000 + client_id;
        self.enter(&mut peer);
        peer
    }

    /// Handshake, hello and welcome.
    pub(super) fn enter(&mut self, peer: &mut Peer) {
        self.shake_hands(peer);
        let hello = peer.hello();
        assert!(matches!(self.talk(peer, &hello), Verdict::Accepted(_)));
        assert_eq!(peer.welcome().expect("a welcome").lane_epoch, peer.lane_epoch);
        self.beat(peer);
    }

    /// A framed client that is logged in and holds its resume tokens.
    pub(super) fn player(&mut self, client_id: u64, port: u16) -> Peer {
        let mut peer = self.guest(client_id, port);
        if self.manager.config().login == LoginPolicy::Explicit {
            let login = peer.login(1, b"credential");
            self.talk(&mut peer, &login);
            let id = self.id_of(client_id);
            self.call(|manager, now| manager.accept_login(now, id)).unwrap();
            self.listen(&mut peer);
        }
        self.beat(&mut peer);
        assert_eq!(self.state_of(client_id), Some(SessionState::LoggedIn));
        assert_eq!(peer.unspent_tickets().len(), UNSPENT_TOKENS);
        peer
    }

    /// Lets a peer ask to come back from another port, with its next token, and hear the challenge.
    pub(super) fn request_resume(&mut self, peer: &mut Peer, port: u16) {
        peer.begin_resume(client_address(port));
        let request = peer.request();
        self.talk(peer, &request);
    }

    /// Comes back with the next resume token, from any address.
    pub(super) fn resume(&mut self, peer: &mut Peer, port: u16) {
        peer.begin_resume(client_address(port));
        self.enter(peer);
    }

    /// One heartbeat of a framed client, with its acknowledgements.
    pub(super) fn beat(&mut self, peer: &mut Peer) {
        let heartbeat = peer.heartbeat();
        assert!(matches!(self.talk(peer, &heartbeat), Verdict::Accepted(_)));
    }

    /// Lets time pass while these framed clients live.
    pub(super) fn live(&mut self, peers: &mut [&mut Peer], millis: u64) {
        self.pass(peers, millis, Peer::heartbeat);
    }

    /// Lets time pass while these raw clients live.
    pub(super) fn live_raw(&mut self, peers: &mut [&mut Peer], millis: u64) {
        self.pass(peers, millis, Peer::keep_alive);
    }

    fn pass(&mut self, peers: &mut [&mut Peer], millis: u64, sign_of_life: impl Fn(&mut Peer) -> Vec<u8>) {
        let end = self.now.plus_millis(millis);
        while self.now < end {
            for peer in &mut *peers {
                self.listen(peer);
                let datagram = sign_of_life(peer);
                self.talk(peer, &datagram);
            }
            self.advance(end.since(self.now).as_millis().min(250).try_into().unwrap());
        }
        for peer in peers {
            self.listen(peer);
        }
    }
}
