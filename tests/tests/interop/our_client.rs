//! Our client against foreign servers.

use std::time::Duration;

use rejoin::client::{ClientConfig, ClientDisconnectReason, ClientEvent, ClientState};
use rejoin::{ConnectToken, Timestamp};
use rejoin_mio::{ClientNetworkHost, Clock};
use rejoin_tests::foreign::{
    ForeignServer, Mint, OfficialServer, RenetcodeServer, ServerConfig, ServerEvent,
};
use rejoin_tests::hosted::{
    LOOPBACK, LOOPBACK_V6, PATIENCE, PRIVATE_KEY, PROTOCOL_ID, Player, mint, token_contents,
};

use super::{PAYLOAD_BYTES, payload, with_each};

with_each! {
    [official: OfficialServer, renetcode: RenetcodeServer];
    the_handshake_completes
    payloads_cross_both_ways_unchanged
    a_client_is_denied_where_the_server_is_full
    a_kicked_client_knows
    a_client_that_leaves_is_gone_at_once
    a_server_that_falls_silent_ends_the_session
}

/// How long a client waits for something to do. Foreign servers do not let on when their sockets are ready.
const WAIT: Duration = Duration::from_millis(1);

/// A foreign server and our clients, in one thread.
#[derive(Debug)]
struct Abroad<S> {
    server: S,
    server_events: Vec<ServerEvent>,
    is_server_running: bool,
    players: Vec<Player>,
    clock: Clock,
    last_round: Timestamp,
}

impl<S: ForeignServer> Abroad<S> {
    fn start(bind_address: &str, max_clients: usize) -> Self {
        let config = ServerConfig {
            bind_addr: bind_address.parse().unwrap(),
            private_key: PRIVATE_KEY,
            protocol_id: PROTOCOL_ID,
            max_clients,
        };
        let clock = Clock::start();
        Self {
            server: S::start(&config).unwrap(),
            server_events: Vec::new(),
            is_server_running: true,
            players: Vec::new(),
            clock,
            last_round: clock.now(),
        }
    }

    fn add_player(&mut self, client_id: u64) -> usize {
        self.add_player_with(client_id, &mint(self.server.addr(), client_id))
    }

    fn add_player_with(&mut self, client_id: u64, token: &ConnectToken) -> usize {
        let host = ClientNetworkHost::connect(ClientConfig::raw(), token).unwrap();
        self.players.push(Player::new(client_id, host));
        self.players.len() - 1
    }

    fn add_connected(&mut self, client_id: u64) -> usize {
        let place = self.add_player(client_id);
        self.await_connected(place);
        place
    }

    fn await_connected(&mut self, place: usize) {
        let id = self.players[place].client_id;
        self.run_until("the handshake", |abroad| {
            let is_known = abroad
                .server_events
                .iter()
                .any(|event| matches!(event, ServerEvent::Connected { client_id, .. } if *client_id == id));
            is_known && abroad.players[place].state() == ClientState::Connected
        });
    }

    fn run_until(&mut self, what: &str, mut holds: impl FnMut(&mut Self) -> bool) {
        let start = self.clock.now();
        while !holds(self) {
            self.run_round();
            assert!(self.clock.now().since(start) < PATIENCE, "waited in vain for {what}: {self:#?}");
        }
    }

    fn run_round(&mut self) {
        let now = self.clock.now();
        if self.is_server_running {
            self.server.poll(now.since(self.last_round));
            while let Some(event) = self.server.poll_event() {
                self.server_events.push(event);
            }
        }
        self.last_round = now;
        for player in &mut self.players {
            player.poll(WAIT);
        }
    }

    /// Both ends send payloads of all sizes and receive each other's.
    fn exchange_payloads(&mut self, place: usize) {
        let client_id = self.players[place].client_id;
        for bytes in PAYLOAD_BYTES {
            let (up, down) = (payload(bytes, 1), payload(bytes, 2));
            self.players[place].host.commands().send_datagram(&up).unwrap();
            self.server.send(client_id, &down).unwrap();

            let mut received = None;
            self.run_until("the payloads", |abroad| {
                received = received.take().or_else(|| abroad.server.receive());
                received.is_some() && abroad.players[place].datagrams().contains(&down)
            });
            assert_eq!(received, Some((client_id, up)));
        }
        let expected = PAYLOAD_BYTES.map(|bytes| payload(bytes, 2));
        assert_eq!(self.players[place].datagrams(), expected, "each once and in order");
    }

    fn await_end(&mut self, place: usize, reason: ClientDisconnectReason) {
        self.run_until("the end", |abroad| abroad.players[place].state() == ClientState::Disconnected);
        let last = self.players[place].events().last();
        assert_eq!(last, Some(ClientEvent::Disconnected { reason }));
    }
}

fn the_handshake_completes<S: ForeignServer>() {
    let mut abroad = Abroad::<S>::start(LOOPBACK, 4);

    let player = abroad.add_connected(7);

    let events: Vec<_> = abroad.players[player].events().collect();
    assert_eq!(events, [ClientEvent::Connected { login_explicit: false }]);
}

fn payloads_cross_both_ways_unchanged<S: ForeignServer>() {
    let mut abroad = Abroad::<S>::start(LOOPBACK, 4);
    let player = abroad.add_connected(7);

    abroad.exchange_payloads(player);
}

fn a_client_is_denied_where_the_server_is_full<S: ForeignServer>() {
    let mut abroad = Abroad::<S>::start(LOOPBACK, 1);
    let first = abroad.add_connected(1);

    let second = abroad.add_player(2);
    abroad.await_end(second, ClientDisconnectReason::Denied);

    abroad.exchange_payloads(first);
}

fn a_kicked_client_knows<S: ForeignServer>() {
    let mut abroad = Abroad::<S>::start(LOOPBACK, 4);
    let kicked = abroad.add_connected(1);
    let other = abroad.add_connected(2);

    abroad.server.kick(1);
    abroad.await_end(kicked, ClientDisconnectReason::Closed);

    abroad.exchange_payloads(other);
}

fn a_client_that_leaves_is_gone_at_once<S: ForeignServer>() {
    let mut abroad = Abroad::<S>::start(LOOPBACK, 4);
    let leaving = abroad.add_connected(1);
    let other = abroad.add_connected(2);

    abroad.players[leaving].stop();
    abroad.await_end(leaving, ClientDisconnectReason::Left);

    let gone = ServerEvent::Disconnected { client_id: 1 };
    abroad.run_until("the departure", |abroad| abroad.server_events.contains(&gone));
    abroad.exchange_payloads(other);
}

fn a_server_that_falls_silent_ends_the_session<S: ForeignServer>() {
    let mut abroad = Abroad::<S>::start(LOOPBACK, 4);
    let mut contents = token_contents(abroad.server.addr(), 1);
    contents.timeout_seconds = 1;
    let token = ConnectToken::read(&Mint::Official.mint(&contents).unwrap()).unwrap();
    let player = abroad.add_player_with(1, &token);
    abroad.await_connected(player);

    abroad.is_server_running = false;
    let silent_since = abroad.clock.now();
    abroad.await_end(player, ClientDisconnectReason::TimedOut);

    assert!(abroad.clock.now().since(silent_since) >= Duration::from_millis(500), "not before its time");
}

#[test]
fn tokens_of_all_foreign_mints_can_be_used() {
    let mut abroad = Abroad::<OfficialServer>::start(LOOPBACK, 4);
    for (client_id, foreign_mint) in (1..).zip(Mint::ALL) {
        let contents = token_contents(abroad.server.addr(), client_id);
        let token = ConnectToken::read(&foreign_mint.mint(&contents).unwrap()).unwrap();
        let player = abroad.add_player_with(client_id, &token);
        abroad.await_connected(player);
        abroad.exchange_payloads(player);
    }
}

#[test]
fn our_client_plays_over_ipv6() {
    let mut abroad = Abroad::<OfficialServer>::start(LOOPBACK_V6, 4);
    let player = abroad.add_connected(7);
    abroad.exchange_payloads(player);
}
