//! What the others do to a host, and what it survives.

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use rejoin::lifecycle::{Cause, DisconnectReason};
use rejoin::{DropReason, SessionState};
use rejoin_mio::ServerNetworkHost;
use rejoin_tests::hosted::{Hosted, LOOPBACK, PATIENCE, config};

/// Somebody on the network with no session.
struct Stranger {
    socket: UdpSocket,
    target: SocketAddr,
}

impl Stranger {
    fn new(target: SocketAddr) -> Self {
        Self { socket: UdpSocket::bind(LOOPBACK).unwrap(), target }
    }

    fn send(&self, datagram: &[u8]) {
        self.socket.send_to(datagram, self.target).unwrap();
    }
}

#[test]
fn a_port_in_use_is_named_and_its_owner_goes_on() {
    let mut hosted = Hosted::start(config());
    let player = hosted.add_logged_in(1);
    let mut second = config();
    second.bind_addresses = vec![hosted.address()];

    let error = ServerNetworkHost::start(second).unwrap_err();

    assert!(error.to_string().contains(&hosted.address().to_string()), "{error}");
    hosted.players[player].host.commands().send(0, b"still here").unwrap();
    let id = hosted.session_id(1);
    hosted.run_until("a message", |hosted| hosted.application.messages_from(id) == [b"still here"]);
}

#[test]
fn a_stopped_server_makes_room_for_another_on_its_port() {
    let mut hosted = Hosted::start(config());
    hosted.add_logged_in(1);
    let mut again = config();
    again.bind_addresses = vec![hosted.address()];

    hosted.server.stop(&mut hosted.application);
    hosted.server.stop(&mut hosted.application);
    let mut successor = Hosted::start(again);

    assert!(successor.server.sessions().is_empty());
    successor.add_logged_in(1);
}

#[test]
fn an_empty_datagram_at_any_position_costs_the_server_nothing() {
    let mut hosted = Hosted::start(config());
    let player = hosted.add_patient(1);
    let id = hosted.session_id(1);
    let stranger = Stranger::new(hosted.address());
    let mut expected = Vec::new();

    for empty_at in 0..=3_u8 {
        for position in 0..=3_u8 {
            if position == empty_at {
                stranger.send(b"");
            }
            if position < 3 {
                let message = vec![empty_at, position];
                hosted.players[player].host.commands().send_datagram(&message).unwrap();
                hosted.players[player].poll(Duration::ZERO);
                expected.push(message);
            }
        }
        hosted.server.poll(Some(PATIENCE), &mut hosted.application).unwrap();

        assert_eq!(hosted.application.datagrams_from(id), expected, "all in one turn");
        let empties = hosted.server.sessions().counters().dropped(DropReason::Empty);
        assert_eq!(empties, u64::from(empty_at) + 1);
    }
}

#[test]
fn an_empty_datagram_at_any_position_costs_a_client_nothing() {
    let mut hosted = Hosted::start(config());
    let player = hosted.add_patient(1);
    let id = hosted.session_id(1);
    let stranger = Stranger::new(hosted.players[player].address(hosted.address()));
    let mut expected = Vec::new();

    for empty_at in 0..=3_u8 {
        for position in 0..=3_u8 {
            if position == empty_at {
                stranger.send(b"");
            }
            if position < 3 {
                let message = vec![empty_at, position];
                hosted.server.commands().send_datagram(id, &message).unwrap();
                hosted.server.poll(Some(Duration::ZERO), &mut hosted.application).unwrap();
                expected.push(message);
            }
        }
        hosted.players[player].poll(PATIENCE);

        assert_eq!(hosted.players[player].datagrams(), expected, "all in one turn");
    }
}

/// The socket never runs dry: more waits before each turn of the server than it reads in one.
#[test]
fn a_flood_of_garbage_starves_neither_timers_nor_players() {
    let mut config = config();
    config.receive_budget = 16;
    config.sessions.reconnect_window_ms = Some(500);
    let mut hosted = Hosted::start(config);
    let player = hosted.add_logged_in(1);
    let silent = hosted.add_logged_in(2);
    let (id, silent_id) = (hosted.session_id(1), hosted.session_id(2));
    let stranger = Stranger::new(hosted.address());
    let mut garbage = Garbage::default();
    for _ in 0..64 {
        stranger.send(garbage.next());
    }

    hosted.players[silent].is_running = false;
    let mut sent = 0;
    hosted.run_until("two deadlines of the one and a hundred messages of the other", |hosted| {
        for _ in 0..16 {
            stranger.send(garbage.next());
        }
        if sent < 100 {
            hosted.players[player].host.commands().send(0, &[sent]).unwrap();
            sent += 1;
        }
        hosted.state(2).is_none() && hosted.application.messages_from(id).len() == 100
    });

    let causes: Vec<_> = hosted.lifecycle_of(silent_id).skip(3).map(|event| event.cause).collect();
    let expired = Cause::Ended(DisconnectReason::ReconnectExpired);
    assert_eq!(causes, [Cause::Silence, Cause::Silence, expired]);
    let expected: Vec<Vec<u8>> = (0..100).map(|number| vec![number]).collect();
    assert_eq!(hosted.application.messages_from(id), expected);
    assert_eq!(hosted.state(1), Some(SessionState::LoggedIn));
}

/// Datagrams that are no packets, and some that look like packets of each type.
#[derive(Default)]
struct Garbage {
    count: usize,
    bytes: Vec<u8>,
}

impl Garbage {
    fn next(&mut self) -> &[u8] {
        const PREFIXES: [u8; 8] = [0xff, 0x00, 0x11, 0x12, 0x13, 0x14, 0x15, 0x86];
        const LENGTHS: [usize; 5] = [0, 1, 25, 333, 1_078];
        let prefix = PREFIXES[self.count % PREFIXES.len()];
        let length = LENGTHS[self.count % LENGTHS.len()];
        self.count += 1;
        self.bytes.clear();
        self.bytes.resize(length, prefix);
        &self.bytes
    }
}
