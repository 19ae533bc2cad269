//! The client against the server of this crate, over a path that a test can cut.

use alloc::vec::Vec;
use core::net::SocketAddr;

use super::bench::{Draw, first_server};
use crate::client::{ClientConfig, ClientDisconnectReason, ClientEvent, ClientSession, ClientState};
use crate::lifecycle::LifecycleEventKind;
use crate::netcode::packet::{self, PacketKind};
use crate::{
    ClientId, Config, Continuity, DATAGRAM_BYTES_MAX, Event, Key, LoginPolicy, MultiSessionManager,
    SessionId, SessionState, Timestamp, TokenSpec, USER_DATA_BYTES,
};

const PROTOCOL_ID: u64 = 99;
const UNIX_S: u64 = 1_900_000_000;

/// A server, a client and the path between them, which takes 20 ms each way.
pub(super) struct Pair {
    pub(super) now: Timestamp,
    pub(super) server: MultiSessionManager,
    pub(super) client: ClientSession,
    pub(super) client_address: SocketAddr,
    is_cut: bool,
    loss_percent: u64,
    /// Decides which datagram is lost.
    draw: Draw,
    to_server: Vec<(Timestamp, SocketAddr, Vec<u8>)>,
    to_client: Vec<(Timestamp, SocketAddr, Vec<u8>)>,
    pub(super) server_events: Vec<(Event, Vec<u8>)>,
    pub(super) client_events: Vec<(ClientEvent, Vec<u8>)>,
}

pub(super) const LATENCY_MS: u64 = 20;

fn server_config() -> Config {
    let mut config = Config::new(PROTOCOL_ID, Key::new([3; 32]), first_server());
    config.key_history = crate::KeyHistory::Fresh;
    config.timeout_min_ms = 2_500;
    config.timeout_max_ms = 2_500;
    config.reconnect_window_ms = Some(20_000);
    config
}

impl Pair {
    fn new(server_config: Config, client_config: ClientConfig) -> Self {
        let now = Timestamp::from_millis(5_000);
        let server = MultiSessionManager::new(server_config, [8; 32], now, UNIX_S).unwrap();
        let token = TokenSpec {
            protocol_id: PROTOCOL_ID,
            create_unix: UNIX_S,
            expire_unix: UNIX_S + 45,
            nonce: [4; 24],
            private_key: &Key::new([3; 32]),
            client_id: ClientId(12),
            timeout_seconds: 5,
            addresses: &[first_server()],
            client_to_server_key: &Key::new([5; 32]),
            server_to_client_key: &Key::new([6; 32]),
            user_data: &[0; USER_DATA_BYTES],
        };
        let token = token.mint().unwrap();
        let client = ClientSession::new(client_config, [2; 32], now, &token, UNIX_S).unwrap();
        Self {
            now,
            server,
            client,
            client_address: "198.51.100.1:5000".parse().unwrap(),
            is_cut: false,
            loss_percent: 0,
            draw: Draw(1),
            to_server: Vec::new(),
            to_client: Vec::new(),
            server_events: Vec::new(),
            client_events: Vec::new(),
        }
    }

    /// A pair of which the client is logged in.
    pub(super) fn logged_in() -> Self {
        let mut pair = Self::new(server_config(), ClientConfig::default());
        pair.client.login(b"secret").unwrap();
        pair.run_for_ms(300);
        let session = pair.session();
        pair.server.accept_login(pair.now, session).unwrap();
        pair.run_for_ms(500);
        assert_eq!(pair.client.state(), ClientState::LoggedIn);
        pair
    }

    pub(super) fn session(&self) -> SessionId {
        self.server.session_of(ClientId(12)).unwrap().id()
    }

    fn server_state(&self) -> Option<SessionState> {
        Some(self.server.session_of(ClientId(12))?.state())
    }

    /// Millisecond by millisecond, which is finer than any deadline here.
    pub(super) fn run_for_ms(&mut self, millis: u64) {
        for _ in 0..millis {
            self.now = self.now.plus_millis(1);
            self.deliver();
            self.server.handle_timeout(self.now);
            self.client.handle_timeout(self.now);
            self.collect();
        }
    }

    fn deliver(&mut self) {
        let now = self.now;
        for (_, from, mut bytes) in self.to_server.extract_if(.., |(at, ..)| *at <= now) {
            let _verdict = self.server.handle_datagram(now, from, &mut bytes);
        }
        for (_, to, mut bytes) in self.to_client.extract_if(.., |(at, ..)| *at <= now) {
            if to == self.client_address {
                let _verdict = self.client.handle_datagram(now, first_server(), &mut bytes);
            }
        }
    }

    fn collect(&mut self) {
        let arrival = self.now.plus_millis(LATENCY_MS);
        let mut buffer = [0; DATAGRAM_BYTES_MAX];
        while let Some(transmit) = self.client.poll_transmit(self.now, &mut buffer) {
            if self.passes() {
                self.to_server.push((arrival, self.client_address, buffer[..transmit.len].to_vec()));
            }
        }
        while let Some(transmit) = self.server.poll_transmit(self.now, &mut buffer) {
            if self.passes() {
                self.to_client.push((arrival, transmit.to, buffer[..transmit.len].to_vec()));
            }
        }
        let mut payload = Vec::new();
        while let Some(event) = self.client.poll_event(&mut payload) {
            self.client_events.push((event, payload.clone()));
        }
        while let Some(event) = self.server.poll_event(&mut payload) {
            self.server_events.push((event, payload.clone()));
        }
        assert!(self.client.poll_timeout().is_none_or(|deadline| deadline.at > self.now), "all was polled");
    }

    fn passes(&mut self) -> bool {
        !self.is_cut && self.draw.below(100) >= self.loss_percent
    }

    /// Of what is on its way to the server, payload packets never arrive.
    fn lose_payloads_to_server(&mut self) {
        let is_payload = |bytes: &[u8]| packet::peek(bytes).is_ok_and(|it| it.kind == PacketKind::Payload);
        self.to_server.retain(|(_, _, bytes)| !is_payload(bytes));
    }

    fn client_kinds(&self) -> Vec<ClientEvent> {
        self.client_events.iter().map(|(event, _)| *event).collect()
    }

    fn has_client_event(&self, wanted: ClientEvent) -> bool {
        self.client_events.iter().any(|(event, _)| *event == wanted)
    }

    /// The numbers that travelled as reliable messages to the client.
    fn numbers_at_client(&self) -> Vec<u32> {
        let messages =
            self.client_events.iter().filter(|(event, _)| matches!(event, ClientEvent::Message { .. }));
        messages.map(|(_, bytes)| u32::from_le_bytes(bytes[..].try_into().unwrap())).collect()
    }

    fn numbers_at_server(&self) -> Vec<u32> {
        let messages = self.server_events.iter().filter(|(event, _)| matches!(event, Event::Message { .. }));
        messages.map(|(_, bytes)| u32::from_le_bytes(bytes[..].try_into().unwrap())).collect()
    }

    /// Sends a number each way every 10 ms while time passes.
    fn chat_for_ms(&mut self, millis: u64, next: &mut u32) {
        for _ in 0..millis / 10 {
            let session = self.session();
            self.client.send(0, &next.to_le_bytes()).unwrap();
            self.server.send(self.now, session, 0, &next.to_le_bytes()).unwrap();
            *next += 1;
            self.run_for_ms(10);
        }
    }
}

#[test]
fn a_login_is_made_answered_and_told_to_both_ends() {
    let pair = Pair::logged_in();

    assert_eq!(pair.client_kinds(), [ClientEvent::Connected { login_explicit: true }, ClientEvent::LoggedIn]);
    assert_eq!(pair.server_state(), Some(SessionState::LoggedIn));
    assert_eq!(pair.client.session_id(), Some(pair.session()));
    assert_eq!(pair.client.resume_tokens(), 3);
    assert!(pair.client.rtt().is_some_and(|rtt| rtt.as_millis() >= 40 && rtt.as_millis() < 60));
}

#[test]
fn a_rejected_login_may_be_tried_again() {
    let mut pair = Pair::new(server_config(), ClientConfig::default());
    pair.client.login(b"wrong").unwrap();
    pair.run_for_ms(300);
    let session = pair.session();

    pair.server.reject_login(pair.now, session, 42, "no such name").unwrap();
    pair.run_for_ms(300);
    let rejected = pair.client_events.last().unwrap().clone();
    pair.client.login(b"right").unwrap();
    pair.run_for_ms(300);
    pair.server.accept_login(pair.now, session).unwrap();
    pair.run_for_ms(300);

    assert_eq!(
        rejected,
        (ClientEvent::LoginRejected { code: 42, attempts_left: 2 }, b"no such name".to_vec())
    );
    assert_eq!(pair.client.state(), ClientState::LoggedIn);
}

#[test]
fn where_the_token_is_the_login_nothing_more_is_needed() {
    let mut config = server_config();
    config.login = LoginPolicy::TokenIsLogin;
    let mut pair = Pair::new(config, ClientConfig::default());

    pair.run_for_ms(500);

    assert_eq!(
        pair.client_kinds(),
        [ClientEvent::Connected { login_explicit: false }, ClientEvent::LoggedIn]
    );
}

#[test]
fn the_clock_follows_the_servers_ticks_over_an_outage_within_its_bound() {
    let mut pair = Pair::logged_in();
    let tick_rate_hz = pair.client.tick_rate_hz().unwrap();
    let start = pair.now;
    let ticks = |now: Timestamp| 1_000_000 + now.micros_since(start) * tick_rate_hz / 1_000_000;
    let mut newest = 0;
    let mut checked = 0;

    for elapsed_ms in 0..20_000 {
        pair.is_cut = (5_000..9_000).contains(&elapsed_ms);
        if pair.server.session_of(ClientId(12)).is_some() && ticks(pair.now) > newest {
            newest = ticks(pair.now);
            pair.server.set_server_tick(pair.now, newest);
        }
        pair.run_for_ms(1);
        let shown = pair.client.server_clock(pair.now).unwrap();
        // Once the first samples under these ticks have come; they are set to the millisecond.
        if elapsed_ms > 2_000 {
            let shown_micros = (shown.tick - 1_000_000) * 1_000_000 / tick_rate_hz + shown.phase_micros;
            let error_micros = shown_micros.abs_diff(pair.now.micros_since(start));
            assert!(error_micros <= shown.error_micros + 2_000, "{error_micros}: {shown:?}");
            assert!(shown.error_micros <= 25_000, "{shown:?}");
            checked += 1;
        }
    }

    assert!(checked > 17_000);
    assert_eq!(pair.client.state(), ClientState::LoggedIn);
}

#[test]
fn moves_reach_the_server_and_states_the_client() {
    let mut pair = Pair::logged_in();
    let session = pair.session();
    let first = pair.client.server_tick(pair.now).unwrap() + 5;

    for tick in first..first + 10 {
        pair.client.send_move(tick, &[1]).unwrap();
        pair.run_for_ms(16);
    }
    pair.run_for_ms(100);
    pair.server.publish_state(pair.now, session, 900, b"here").unwrap();
    pair.run_for_ms(100);

    let moves = pair.server_events.iter().filter(|(event, _)| matches!(event, Event::Move { .. })).count();
    assert_eq!(moves, 10);
    let state = ClientEvent::State { server_tick: 900, acknowledged: Some(first + 9) };
    assert_eq!(pair.client_events.last(), Some(&(state, b"here".to_vec())));
    assert_eq!(pair.client.move_high_water(), Some(first + 9));
}

#[test]
fn an_outage_with_a_change_of_address_ends_in_the_same_session_and_no_message_is_lost_or_repeated() {
    let mut pair = Pair::logged_in();
    let session = pair.session();
    let mut next = 0;
    pair.chat_for_ms(300, &mut next);

    pair.is_cut = true;
    pair.chat_for_ms(4_000, &mut next);
    assert_eq!(pair.client.state(), ClientState::Away);
    assert_eq!(pair.server_state(), Some(SessionState::ReconnectPending));
    pair.client_address = "203.0.113.77:6000".parse().unwrap();
    pair.is_cut = false;
    pair.chat_for_ms(500, &mut next);
    pair.run_for_ms(2_000);

    assert_eq!(pair.client.state(), ClientState::LoggedIn);
    assert!(pair.has_client_event(ClientEvent::Reconnected { continuity: Continuity::Kept }));
    assert_eq!((pair.session(), pair.client.session_id()), (session, Some(session)));
    let all: Vec<u32> = (0..next).collect();
    assert_eq!(pair.numbers_at_client(), all);
    assert_eq!(pair.numbers_at_server(), all);
}

#[test]
fn outage_after_outage_on_a_lossy_path_neither_loses_nor_repeats_a_message() {
    for seed in 0..4 {
        let mut pair = Pair::logged_in();
        let session = pair.session();
        pair.draw = Draw(seed);
        pair.loss_percent = 15;
        let mut next = 0;

        for outage in 0..5 {
            pair.chat_for_ms(500, &mut next);
            pair.is_cut = true;
            pair.chat_for_ms(1_000 + 700 * outage, &mut next);
            pair.client_address.set_port(6_000 + u16::try_from(outage).unwrap());
            pair.is_cut = false;
            pair.chat_for_ms(2_000, &mut next);
        }
        pair.loss_percent = 0;
        pair.run_for_ms(8_000);

        assert_eq!(pair.client.state(), ClientState::LoggedIn, "seed {seed}");
        assert_eq!(pair.session(), session);
        let all: Vec<u32> = (0..next).collect();
        assert_eq!(pair.numbers_at_client(), all, "seed {seed}");
        assert_eq!(pair.numbers_at_server(), all, "seed {seed}");
    }
}

#[test]
fn a_network_that_changes_is_left_at_once_and_again_and_again() {
    let mut pair = Pair::logged_in();
    let session = pair.session();
    let mut next = 0;

    for port in 6_000..6_012 {
        pair.client_address = SocketAddr::new(pair.client_address.ip(), port);
        pair.client.network_changed(pair.now);
        pair.chat_for_ms(300, &mut next);
        assert_eq!(pair.client.state(), ClientState::LoggedIn, "port {port}");
        // More than three in a minute would be a quarrel over the session.
        pair.run_for_ms(30_000);
    }

    assert_eq!(pair.session(), session);
    let all: Vec<u32> = (0..next).collect();
    assert_eq!(pair.numbers_at_client(), all);
    assert_eq!(pair.numbers_at_server(), all);
}

#[test]
fn a_client_that_a_router_moves_between_challenge_and_response_comes_back_with_its_last_token() {
    let mut pair = Pair::logged_in();
    let session = pair.session();
    pair.client.purse.void(2);
    pair.is_cut = true;
    pair.run_for_ms(3_000);
    assert_eq!(pair.client.purse.len(), 0, "the last one is out for the attempt");
    assert_eq!(pair.client.resume_tokens(), 1, "nothing is sealed under it so far");

    pair.client_address.set_port(6_000);
    pair.is_cut = false;
    while !pair.client.handshake.as_ref().unwrap().is_responding() {
        pair.run_for_ms(1);
    }
    pair.to_server.clear();
    pair.client_address.set_port(6_001);
    pair.run_for_ms(2_000);

    assert_eq!(pair.client.state(), ClientState::LoggedIn);
    assert_eq!((pair.session(), pair.server_state()), (session, Some(SessionState::LoggedIn)));
}

#[test]
fn a_short_outage_on_the_same_path_needs_no_token() {
    let mut pair = Pair::logged_in();

    pair.is_cut = true;
    pair.run_for_ms(1_900);
    pair.is_cut = false;
    pair.run_for_ms(1_000);

    assert_eq!(pair.client.state(), ClientState::LoggedIn);
    let session = pair.session();
    assert_eq!(pair.server.session(session).unwrap().state(), SessionState::LoggedIn);
}

#[test]
fn a_session_that_the_server_dropped_is_gone() {
    let mut pair = Pair::logged_in();
    let session = pair.session();

    pair.server.remove(pair.now, session).unwrap();
    pair.run_for_ms(4_000);

    let reason = ClientDisconnectReason::SessionGone;
    assert_eq!(pair.client_events.last().unwrap().0, ClientEvent::Disconnected { reason });
}

#[test]
fn an_outage_longer_than_the_window_ends_both_ends() {
    let mut pair = Pair::logged_in();

    pair.is_cut = true;
    pair.run_for_ms(23_500);

    let reason = ClientDisconnectReason::ReconnectExpired;
    assert_eq!(pair.client_events.last().unwrap().0, ClientEvent::Disconnected { reason });
    assert_eq!(pair.server_state(), None);
}

#[test]
fn the_words_of_a_host_that_disconnects_arrive() {
    let mut pair = Pair::logged_in();
    let session = pair.session();

    pair.server.disconnect(pair.now, session, 7, b"bye").unwrap();
    pair.run_for_ms(100);

    let reason = ClientDisconnectReason::Host;
    let last = pair.client_events.last().unwrap();
    assert_eq!(last.0, ClientEvent::Disconnected { reason });
    assert!(last.1.ends_with(b"bye"));
}

#[test]
fn a_shutdown_is_told_as_one() {
    let mut pair = Pair::logged_in();

    pair.server.shutdown(pair.now);
    pair.run_for_ms(100);

    let reason = ClientDisconnectReason::Shutdown;
    assert_eq!(pair.client_events.last().unwrap().0, ClientEvent::Disconnected { reason });
}

#[test]
fn a_client_that_leaves_ends_its_session_at_the_server() {
    let mut pair = Pair::logged_in();

    pair.client.disconnect(pair.now);
    pair.run_for_ms(100);

    let last = pair.server_events.iter().rev().find_map(|(event, _)| match event {
        Event::Lifecycle(lifecycle) => Some(*lifecycle),
        _ => None,
    });
    assert_eq!(last.unwrap().kind, LifecycleEventKind::Disconnected);
    assert_eq!(pair.server_state(), None);
}

#[test]
fn a_client_that_moved_and_leaves_on_its_way_back_ends_its_session_at_the_server() {
    for is_let_in in [false, true] {
        let mut pair = Pair::logged_in();
        pair.client_address.set_port(6_000);
        pair.client.network_changed(pair.now);
        let is_there = |pair: &Pair| match &pair.client.handshake {
            Some(handshake) => !is_let_in && handshake.is_responding(),
            None => true,
        };
        while !is_there(&pair) {
            pair.run_for_ms(1);
            pair.lose_payloads_to_server();
        }
        // What follows the response never arrives.
        pair.run_for_ms(u64::from(!is_let_in) * 25);
        pair.to_server.clear();
        assert_eq!(pair.client.state(), ClientState::Away);

        pair.client.disconnect(pair.now);
        pair.run_for_ms(100);

        assert_eq!(pair.server_state(), None, "let in: {is_let_in}");
    }
}

#[test]
fn another_process_resumes_the_session_with_fresh_lanes() {
    let mut pair = Pair::logged_in();
    let session = pair.session();
    let mut next = 0;
    pair.chat_for_ms(200, &mut next);
    let mut saved = Vec::new();
    assert!(pair.client.save(&mut saved));

    pair.client = ClientSession::resume(ClientConfig::default(), [77; 32], pair.now, &saved, UNIX_S).unwrap();
    pair.client_address = "203.0.113.5:7000".parse().unwrap();
    pair.client_events.clear();
    pair.run_for_ms(500);

    assert_eq!(pair.client_kinds(), [ClientEvent::Connected { login_explicit: true }, ClientEvent::LoggedIn]);
    assert_eq!(pair.client.session_id(), Some(session));
    pair.client.send(0, &next.to_le_bytes()).unwrap();
    pair.run_for_ms(200);
    assert_eq!(pair.numbers_at_server().last(), Some(&next));
}

#[test]
fn raw_payloads_travel_both_ways() {
    let mut config = server_config().raw();
    config.reconnect_window_ms = None;
    let mut pair = Pair::new(config, ClientConfig::raw());
    pair.run_for_ms(300);
    let session = pair.session();

    pair.client.send_datagram(&[7; 1_200]).unwrap();
    pair.server.send_datagram(pair.now, session, &[8; 1_200]).unwrap();
    pair.run_for_ms(6_000);

    assert_eq!(pair.client_events.last(), Some(&(ClientEvent::Datagram, [8; 1_200].to_vec())));
    let at_server = pair.server_events.iter().find(|(event, _)| matches!(event, Event::Datagram { .. }));
    assert_eq!(at_server.unwrap().1, [7; 1_200]);
    assert_eq!(pair.client.state(), ClientState::Connected, "keep-alives keep it alive");
}
