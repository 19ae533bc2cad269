//! A server host and client hosts that meet over loopback.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

use std::net::SocketAddr;
use std::time::Duration;

use rejoin::client::{ClientConfig, ClientDisconnectReason, ClientEvent, ClientState};
use rejoin::ledger::Incident;
use rejoin::lifecycle::{Cause, DisconnectReason, LifecycleEventKind};
use rejoin::{ClientId, ConnectToken, Continuity, DropReason, Event, Key, SessionState, Timestamp};
use rejoin_mio::{
    Application, ClientApplication, ClientNetworkHost, HostConfig, ServerNetworkHost, Session, Sessions,
    TokenRequest, development_key,
};

const PROTOCOL_ID: u64 = 7;
const STEP: Option<Duration> = Some(Duration::from_millis(1));
/// Far beyond what any test takes on a slow machine.
const PATIENCE: Duration = Duration::from_secs(20);

fn server() -> ServerNetworkHost {
    let bind = "127.0.0.1:0".parse().unwrap();
    ServerNetworkHost::start(HostConfig::new(bind, PROTOCOL_ID, development_key())).unwrap()
}

fn token(server: &ServerNetworkHost, client_id: u64) -> ConnectToken {
    let request = TokenRequest {
        protocol_id: PROTOCOL_ID,
        private_key: &development_key(),
        client_id: ClientId(client_id),
        addresses: &server.bound_addresses(),
        lifetime_s: 45,
        timeout_s: 5,
    };
    request.mint(rejoin_mio::Clock::start().unix_time_s()).unwrap()
}

/// Lets everybody in and repeats every message to its sender.
#[derive(Default)]
struct Parrot {
    kinds: Vec<(LifecycleEventKind, Cause)>,
}

impl Application for Parrot {
    fn handle_event(&mut self, sessions: &mut Sessions<'_>, event: Event, payload: &[u8]) {
        match event {
            Event::Lifecycle(lifecycle) => {
                self.kinds.push((lifecycle.kind, lifecycle.cause));
                if lifecycle.kind == LifecycleEventKind::LoginStarted {
                    sessions.accept_login(lifecycle.session).unwrap();
                }
            }
            Event::Message { session, lane } => sessions.send(session, lane, payload).unwrap(),
            _ => {}
        }
    }
}

impl Parrot {
    fn count(&self, kind: LifecycleEventKind) -> usize {
        self.kinds.iter().filter(|(other, _)| *other == kind).count()
    }
}

/// A player who logs in and writes down what happens.
struct Player {
    host: ClientNetworkHost,
    diary: Diary,
}

#[derive(Default)]
struct Diary {
    events: Vec<ClientEvent>,
    messages: Vec<Vec<u8>>,
}

impl ClientApplication for Diary {
    fn handle_event(&mut self, _: &mut Session<'_>, event: ClientEvent, payload: &[u8]) {
        self.events.push(event);
        if let ClientEvent::Message { .. } = event {
            self.messages.push(payload.to_vec());
        }
    }
}

impl Player {
    fn connect(server: &ServerNetworkHost, client_id: u64) -> Self {
        let mut host =
            ClientNetworkHost::connect(ClientConfig::default(), &token(server, client_id)).unwrap();
        host.commands().login(b"name").unwrap();
        Self { host, diary: Diary::default() }
    }

    fn state(&self) -> ClientState {
        self.host.session().state()
    }
}

/// Drives everybody until `done`.
fn drive(
    server: &mut ServerNetworkHost,
    parrot: &mut Parrot,
    players: &mut [Player],
    done: impl Fn(&ServerNetworkHost, &[Player]) -> bool,
) {
    let begin = server.now();
    while !done(server, players) {
        server.poll(STEP, parrot).unwrap();
        for player in &mut *players {
            player.host.poll(STEP, &mut player.diary).unwrap();
        }
        assert!(server.now().since(begin) < PATIENCE, "it does not come to its end: {players:?}");
    }
}

impl std::fmt::Debug for Player {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} after {:?}", self.host, self.diary.events)
    }
}

fn everybody_in(_: &ServerNetworkHost, players: &[Player]) -> bool {
    players.iter().all(|player| player.state() == ClientState::LoggedIn)
}

fn port(addresses: &[SocketAddr]) -> u16 {
    addresses[0].port()
}

#[test]
fn players_log_in_and_messages_pass_both_ways_in_order() {
    let (mut server, mut parrot) = (server(), Parrot::default());
    let mut players = [Player::connect(&server, 1), Player::connect(&server, 2)];
    drive(&mut server, &mut parrot, &mut players, everybody_in);
    assert_eq!(server.sessions().len(), 2);

    let expected: Vec<Vec<u8>> = (0..100u8).map(|number| vec![number; 50]).collect();
    for message in &expected {
        players[0].host.commands().send(0, message).unwrap();
    }
    drive(&mut server, &mut parrot, &mut players, |_, players| players[0].diary.messages.len() == 100);

    assert_eq!(players[0].diary.messages, expected);
    assert!(players[1].diary.messages.is_empty());
}

#[test]
fn a_game_reads_what_a_session_went_through_while_its_end_is_told() {
    let mut config = HostConfig::new("127.0.0.1:0".parse().unwrap(), PROTOCOL_ID, development_key());
    config.sessions.session_history_max = 16;
    let mut server = ServerNetworkHost::start(config).unwrap();
    let mut players = [Player::connect(&server, 1)];
    drive(&mut server, &mut Parrot::default(), &mut players, everybody_in);
    let mut told = Vec::new();
    let mut note = |sessions: &mut Sessions<'_>, event: Event, _: &[u8]| {
        if let Event::Lifecycle(event) = event {
            let history = sessions.record(event.session).map(|record| record.history().collect::<Vec<_>>());
            told.push((event.kind, history.unwrap()));
        }
    };

    server.stop(&mut note);

    let [(LifecycleEventKind::Disconnected, history)] = &told[..] else { panic!("{told:?}") };
    let kinds: Vec<_> = history.iter().map(|entry| entry.incident).collect();
    let connected = Incident::Transition {
        kind: LifecycleEventKind::TransportConnected,
        to: SessionState::TransportConnected,
        cause: Cause::Handshake,
    };
    let ended = Incident::Transition {
        kind: LifecycleEventKind::Disconnected,
        to: SessionState::Disconnected,
        cause: Cause::Ended(DisconnectReason::Shutdown),
    };
    assert_eq!((kinds.first(), kinds.last()), (Some(&connected), Some(&ended)));
}

#[test]
fn the_game_inside_a_host_sees_what_the_core_shows() {
    let (mut server, mut parrot) = (server(), Parrot::default());
    let mut players = [Player::connect(&server, 1)];
    drive(&mut server, &mut parrot, &mut players, |_, players| players[0].host.session().resume_tokens() > 0);
    let address = server.bound_addresses()[0];

    let session = players[0].host.commands();
    assert_eq!(session.server_address(), Some(address));
    assert_eq!(session.tick_rate_hz(), Some(60));
    assert_eq!(session.reconnect_window(), Some(Duration::from_mins(1)));
    assert_eq!(session.move_redundancy(), Some(ClientConfig::default().move_redundancy_min));
    assert_eq!(session.counters().dropped_total(), 0);
    assert!(session.resume_tokens() > 0);
    assert_eq!(server.commands().config().public_addresses, [address]);
}

#[test]
fn stopping_tells_every_peer_and_the_application_and_clears_all_sessions() {
    let (mut server, mut parrot) = (server(), Parrot::default());
    let mut players = [Player::connect(&server, 1), Player::connect(&server, 2), Player::connect(&server, 3)];
    drive(&mut server, &mut parrot, &mut players, everybody_in);

    server.stop(&mut parrot);
    server.stop(&mut parrot);

    assert!(server.sessions().is_empty());
    let ended = (LifecycleEventKind::Disconnected, Cause::Ended(DisconnectReason::Shutdown));
    assert_eq!(parrot.kinds.iter().filter(|event| **event == ended).count(), 3);
    drive(&mut server, &mut parrot, &mut players, |_, players| {
        players.iter().all(|player| player.state() == ClientState::Disconnected)
    });
    for player in &players {
        let last = ClientEvent::Disconnected { reason: ClientDisconnectReason::Shutdown };
        assert_eq!(player.diary.events.last(), Some(&last));
    }
}

#[test]
fn a_dropped_server_tells_its_peers() {
    let (mut first, mut parrot) = (server(), Parrot::default());
    let mut players = [Player::connect(&first, 1)];
    drive(&mut first, &mut parrot, &mut players, everybody_in);

    drop(first);

    let mut clock = server();
    drive(&mut clock, &mut parrot, &mut players, |_, players| {
        players[0].state() == ClientState::Disconnected
    });
}

#[test]
fn a_player_who_moves_to_another_port_comes_back_to_the_same_session_with_nothing_lost() {
    let (mut server, mut parrot) = (server(), Parrot::default());
    let mut players = [Player::connect(&server, 1)];
    drive(&mut server, &mut parrot, &mut players, |server, players| {
        everybody_in(server, players) && players[0].host.session().resume_tokens() > 0
    });
    let session = server.sessions().sessions().next().unwrap().id();
    let before = port(&players[0].host.bound_addresses());
    for number in 0..10u8 {
        players[0].host.commands().send(0, &[number]).unwrap();
    }

    players[0].host.rebind().unwrap();
    for number in 10..20u8 {
        players[0].host.commands().send(0, &[number]).unwrap();
    }
    drive(&mut server, &mut parrot, &mut players, |_, players| players[0].diary.messages.len() == 20);

    assert_ne!(port(&players[0].host.bound_addresses()), before);
    let expected: Vec<Vec<u8>> = (0..20u8).map(|number| vec![number]).collect();
    assert_eq!(players[0].diary.messages, expected);
    let view = server.sessions().session(session).unwrap();
    assert_eq!(view.state(), SessionState::LoggedIn);
    assert_eq!(view.address().port(), port(&players[0].host.bound_addresses()));
    let back = ClientEvent::Reconnected { continuity: Continuity::Kept };
    assert!(players[0].diary.events.contains(&back));
    assert_eq!(parrot.count(LifecycleEventKind::TransportConnected), 1);
    assert_eq!(parrot.count(LifecycleEventKind::Reconnected), 1);
}

#[test]
fn a_player_who_leaves_is_gone_at_once_and_the_others_stay() {
    let (mut server, mut parrot) = (server(), Parrot::default());
    let mut players = [Player::connect(&server, 1), Player::connect(&server, 2)];
    drive(&mut server, &mut parrot, &mut players, everybody_in);

    let Player { host, diary } = &mut players[0];
    host.stop(diary);
    host.stop(diary);
    drive(&mut server, &mut parrot, &mut players, |server, _| server.sessions().len() == 1);

    let left = ClientEvent::Disconnected { reason: ClientDisconnectReason::Left };
    assert_eq!(players[0].diary.events.iter().filter(|event| **event == left).count(), 1);
    assert_eq!(server.sessions().session_of(ClientId(2)).unwrap().state(), SessionState::LoggedIn);
    assert!(server.sessions().session_of(ClientId(1)).is_none());
}

#[test]
fn a_session_that_another_process_saved_goes_on_here() {
    let (mut server, mut parrot) = (server(), Parrot::default());
    let mut players = [Player::connect(&server, 1)];
    let mut saved = Vec::new();
    drive(&mut server, &mut parrot, &mut players, |server, players| {
        everybody_in(server, players) && players[0].host.session().resume_tokens() > 0
    });
    assert!(players[0].host.commands().save(&mut saved));
    let session = players[0].host.session().session_id();

    // The first process stands still from here on, and says nothing.
    let host = ClientNetworkHost::resume(ClientConfig::default(), &saved).unwrap();
    let mut resumed = [Player { host, diary: Diary::default() }];
    drive(&mut server, &mut parrot, &mut resumed, everybody_in);

    assert_eq!(resumed[0].host.session().session_id(), session);
    assert_eq!(server.sessions().len(), 1);
}

#[test]
fn a_token_for_another_key_is_no_way_in() {
    let config = HostConfig::new("127.0.0.1:0".parse().unwrap(), PROTOCOL_ID, Key::new([1; 32]));
    let mut server = ServerNetworkHost::start(config).unwrap();
    let mut player = Player::connect(&server, 1);
    let mut parrot = Parrot::default();

    while server.sessions().counters().dropped(DropReason::TokenUnreadable) == 0 {
        player.host.poll(STEP, &mut player.diary).unwrap();
        server.poll(STEP, &mut parrot).unwrap();
    }

    assert!(server.sessions().is_empty() && parrot.kinds.is_empty());
    assert_eq!(player.state(), ClientState::Connecting);
}

#[test]
fn the_clock_of_the_simulation_goes_from_the_start_of_the_host_and_not_from_its_first_tick() {
    let mut config = HostConfig::new("127.0.0.1:0".parse().unwrap(), PROTOCOL_ID, development_key());
    config.drive_ticks = true;
    config.sessions.tick_hz = 1;
    let mut server = ServerNetworkHost::start(config).unwrap();
    let mut parrot = Parrot::default();
    drive(&mut server, &mut parrot, &mut [], |server, _| server.now() > Timestamp::from_millis(200));

    let mut players = [Player::connect(&server, 1)];
    let has_clock = |players: &[Player]| players[0].host.session().server_clock(Timestamp::ZERO).is_some();
    drive(&mut server, &mut parrot, &mut players, |_, players| has_clock(players));

    let now = server.now().as_micros();
    let clock = players[0].host.commands().server_clock().unwrap();
    let micros = clock.tick * 1_000_000 + clock.phase_micros;
    // The host starts its ticks when it has bound its sockets.
    let binding_micros = 100_000;
    assert!(micros + clock.error_micros + binding_micros >= now, "{clock:?} at {now}");
}
