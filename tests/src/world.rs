//! A server and its clients on a network that exists only in memory and in virtual time.
//!
//! The manager and the client sessions are the real ones; clock, addresses, wire and application are the world's. Everything follows from
//! the seed, so a run can be repeated. Whoever is driven here is held to the laws of [`drive`](crate::laws).

mod chance;
mod observation;
mod passing;
mod record;
mod terms;
mod wire;

use std::net::SocketAddr;

use rejoin::client::{ClientConfig, ClientEvent, ClientSession, SavedError};
use rejoin::lifecycle::{LifecycleEventKind, SessionState};
use rejoin::{
    CONNECT_TOKEN_BYTES, ClientId, Config, ConnectToken, DATAGRAM_BYTES_MAX, Event, Key, LifecycleEvent,
    MultiSessionManager, SessionId, Timestamp,
};

use crate::laws::{drive, uphold};
use crate::model::{Command, may_be_challenge};

pub use chance::Chance;
pub use observation::{Fate, Observation, Receiver};
pub use record::{Record, ServerLog};
pub use terms::TokenTerms;
pub use wire::{Conditions, Datagram, Wire};

/// The protocol id of every world.
pub const PROTOCOL_ID: u64 = 0x5245_4a4f_494e_0001;
/// The private key of every world's servers.
pub const PRIVATE_KEY: [u8; 32] = [0x42; 32];
/// The unix time at which worlds begin.
pub const UNIX_START_S: u64 = 1_900_000_000;

/// Steps at one and the same moment after which something spins.
const STEPS_PER_MOMENT_MAX: usize = 10_000;

/// The address of the server.
#[must_use]
pub fn server_address() -> SocketAddr {
    SocketAddr::from(([203, 0, 113, 1], 40_000))
}

/// The settings most tests start from: short times, so that little virtual time has to pass.
#[must_use]
pub fn config() -> Config {
    let mut config = Config::new(PROTOCOL_ID, Key::new(PRIVATE_KEY), server_address());
    config.heartbeat_ms = 250;
    config.timeout_min_ms = 2_000;
    config.timeout_max_ms = 2_000;
    config.reconnect_window_ms = Some(20_000);
    config.login_timeout_ms = 5_000;
    config.heartbeat_events = true;
    config
}

/// A client and its host.
#[derive(Debug)]
pub struct Player {
    /// The client's end of the session.
    pub session: ClientSession,
    /// Its identity.
    pub client_id: ClientId,
    /// Where it sends from at present.
    pub address: SocketAddr,
    /// Whether its network is up. Nothing passes while it is not, in either direction.
    pub is_up: bool,
    /// What it was told, in order.
    pub events: Vec<(ClientEvent, Vec<u8>)>,
}

/// What the server's application does by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Logins {
    /// Every login is accepted at once.
    Accepted,
    /// Logins wait for the test.
    Pending,
}

/// Everything.
#[derive(Debug)]
pub struct World {
    /// The present.
    pub now: Timestamp,
    /// The server.
    pub server: MultiSessionManager,
    /// What the server's application was told, in order.
    pub server_events: Vec<(Event, Vec<u8>)>,
    /// What it does with logins.
    pub logins: Logins,
    /// The clients.
    pub players: Vec<Player>,
    /// The network.
    pub wire: Wire,
    /// What every end sent and read, if that is wanted.
    pub observations: Option<Vec<Observation>>,
    /// What became of the server, call by call, if that is wanted.
    pub server_log: Option<ServerLog>,
    chance: Chance,
    next_port: u16,
    next_nonce: u64,
    steps_at_now: usize,
}

/// Making a world, and the people in it.
impl World {
    /// A world with a server and nobody else.
    #[must_use]
    pub fn new(config: Config, seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let server = new_server(config, &mut chance, Timestamp::ZERO);
        Self {
            now: Timestamp::ZERO,
            server,
            server_events: Vec::new(),
            logins: Logins::Accepted,
            players: Vec::new(),
            wire: Wire::new(chance.fork()),
            observations: None,
            server_log: None,
            chance,
            next_port: 50_000,
            next_nonce: 0,
            steps_at_now: 0,
        }
    }

    /// Unix time now.
    #[must_use]
    pub fn unix_s(&self) -> u64 {
        UNIX_START_S + self.now.as_micros() / 1_000_000
    }

    /// A token of the backend for this identity, valid for 45 seconds. Its user data is another one each time.
    pub fn mint(&mut self, client_id: ClientId) -> ConnectToken {
        self.next_nonce += 1;
        TokenTerms {
            client_id,
            create_unix_s: self.unix_s(),
            lifetime_s: 45,
            timeout_s: 5,
            addresses: &[server_address()],
            private_key: PRIVATE_KEY,
        }
        .mint(&mut self.chance, self.next_nonce)
    }

    /// A new player with a token of the backend. Returns its place in `players`.
    pub fn add_player(&mut self, client_id: u64) -> usize {
        let token = self.mint(ClientId(client_id));
        self.add_player_with(client_id, &token, ClientConfig::default())
    }

    /// A new player with this token.
    pub fn add_player_with(&mut self, client_id: u64, token: &ConnectToken, config: ClientConfig) -> usize {
        // As a client gets it: over some other channel, as bytes.
        let mut bytes = [0; CONNECT_TOKEN_BYTES];
        token.write(&mut bytes);
        let token = ConnectToken::read(&bytes).expect("a well-formed token");
        let seed = self.chance.bytes();
        let session = ClientSession::new(config, seed, self.now, &token, self.unix_s()).expect("a session");
        self.seat(ClientId(client_id), session)
    }

    /// A player that comes back in another process, with what the former one had saved.
    pub fn add_player_from(&mut self, client_id: u64, saved: &[u8]) -> usize {
        self.try_add_player_from(client_id, saved).expect("a session")
    }

    /// As [`add_player_from`](Self::add_player_from), where what was saved may be of no use any more.
    pub fn try_add_player_from(&mut self, client_id: u64, saved: &[u8]) -> Result<usize, SavedError> {
        let seed = self.chance.bytes();
        let unix_s = self.unix_s();
        let session = ClientSession::resume(ClientConfig::default(), seed, self.now, saved, unix_s)?;
        Ok(self.seat(ClientId(client_id), session))
    }

    fn seat(&mut self, client_id: ClientId, session: ClientSession) -> usize {
        let address = self.fresh_address();
        self.players.push(Player { session, client_id, address, is_up: true, events: Vec::new() });
        self.players.len() - 1
    }

    /// An address nobody had before.
    pub fn fresh_address(&mut self) -> SocketAddr {
        self.next_port += 1;
        SocketAddr::from(([198, 51, 100, 7], self.next_port))
    }

    /// A new player that is logged in.
    pub fn add_logged_in(&mut self, client_id: u64) -> usize {
        let player = self.add_player(client_id);
        self.players[player].session.login(b"a credential").expect("a login");
        self.run_until("the login", |world| world.players[player].session.state().is_logged_in());
        player
    }

    /// Starts the server anew: another boot, no memory.
    pub fn restart_server(&mut self, config: Config) {
        self.server = new_server(config, &mut self.chance, self.now);
        self.note(Record::Started);
        let unix_s = self.unix_s();
        self.server.set_unix_time(self.now, unix_s);
    }
}

fn new_server(config: Config, chance: &mut Chance, now: Timestamp) -> MultiSessionManager {
    let unix_s = UNIX_START_S + now.as_micros() / 1_000_000;
    MultiSessionManager::new(config, chance.bytes(), now, unix_s).expect("valid settings")
}

/// What is written down of the server.
impl World {
    /// From now on it is written down what becomes of the server. Nobody must have met it yet.
    pub fn keep_server_log(&mut self) {
        let mut log = ServerLog::new(self.now);
        log.note(self.now, Record::Started);
        self.server_log = Some(log);
    }

    /// Whoever calls the server by itself notes that, if it is one of the commands.
    pub fn note_command(&mut self, command: Command, is_done: bool) {
        self.note(Record::Commanded(command, is_done));
    }

    fn note(&mut self, record: Record) {
        if let Some(log) = &mut self.server_log {
            log.note(self.now, record);
        }
    }

    /// The server is about to be called.
    fn note_call(&mut self) {
        if let Some(log) = &mut self.server_log {
            log.note_call(self.now, self.server.poll_timeout());
        }
    }
}

/// What happens to networks.
impl World {
    /// Nothing passes to or from this player any more.
    pub fn cut(&mut self, player: usize) {
        self.players[player].is_up = false;
    }

    /// The player's network is back.
    pub fn heal(&mut self, player: usize) {
        self.players[player].is_up = true;
    }

    /// A router gives the player another port, of which its host knows nothing.
    pub fn move_port(&mut self, player: usize) {
        self.players[player].address = self.fresh_address();
    }

    /// The player sends from another address from now on, and its host knows.
    pub fn move_address(&mut self, player: usize) {
        let address = self.fresh_address();
        let now = self.now;
        let player = &mut self.players[player];
        player.address = address;
        player.session.network_changed(now);
    }
}

/// Driving everybody at the present moment.
impl World {
    fn fire_server(&mut self) {
        let due = self.server.poll_timeout().filter(|deadline| deadline.at <= self.now);
        let Some(fired) = due else { return };
        self.note_call();
        self.note(Record::Fired);
        self.server.handle_timeout(self.now);
        let produced = self.drain_server();
        uphold(drive::check_progress(fired, self.server.poll_timeout(), produced));
    }

    /// Lets what is due of a player happen; says whether that was anything.
    fn fire_player(&mut self, player: usize) -> bool {
        let due = self.players[player].session.poll_timeout().filter(|deadline| deadline.at <= self.now);
        let Some(fired) = due else { return false };
        self.players[player].session.handle_timeout(self.now);
        let produced = self.drain_player(player);
        uphold(drive::check_progress(fired, self.players[player].session.poll_timeout(), produced));
        true
    }

    /// Lets a datagram arrive now.
    pub fn deliver(&mut self, datagram: Datagram) {
        self.hand_over(datagram);
    }

    /// Lets a datagram arrive now; returns the player that read it, if one did.
    fn hand_over(&mut self, mut datagram: Datagram) -> Option<usize> {
        // What is opened is overwritten.
        let original = (self.observations.is_some() || self.server_log.is_some()).then(|| datagram.clone());
        let reader = if datagram.to == server_address() {
            None
        } else {
            Some(self.players.iter().position(|player| player.address == datagram.to && player.is_up)?)
        };
        let fate = match reader.map(|reader| &mut self.players[reader].session) {
            None => {
                self.note_call();
                let verdict = self.server.handle_datagram(self.now, datagram.from, &mut datagram.bytes);
                if let Some(original) = &original {
                    self.note(Record::Received(original.clone(), verdict));
                }
                verdict.into()
            }
            Some(session) => session.handle_datagram(self.now, datagram.from, &mut datagram.bytes).into(),
        };
        let receiver = reader.map_or(Receiver::Server, Receiver::Client);
        if let Some(observations) = &mut self.observations {
            observations.extend(original.map(|original| Observation::Received(receiver, original, fate)));
        }
        reader
    }

    /// Drains everybody until nobody has anything to say.
    pub fn settle(&mut self) {
        let asked = self.server.poll_timeout();
        uphold(drive::check_pure(asked, self.server.poll_timeout()));
        for player in &self.players {
            uphold(drive::check_pure(player.session.poll_timeout(), player.session.poll_timeout()));
        }
        for _ in 0..STEPS_PER_MOMENT_MAX {
            if !(self.drain_server() | self.drain_players()) {
                return;
            }
        }
        panic!("somebody spins at {}", self.now);
    }

    fn drain_server(&mut self) -> bool {
        self.note_call();
        let asked = self.server.poll_timeout();
        let mut produced = false;
        let mut payload = Vec::new();
        while let Some(event) = self.server.poll_event(&mut payload) {
            self.server_events.push((event, payload.clone()));
            self.note(Record::Told(event));
            self.answer(event);
            produced = true;
        }
        let mut buffer = [0; DATAGRAM_BYTES_MAX];
        while let Some(transmit) = self.server.poll_transmit(self.now, &mut buffer) {
            let bytes = buffer[..transmit.len].to_vec();
            let datagram = Datagram { from: server_address(), to: transmit.to, bytes };
            if let Some(observations) = &mut self.observations {
                observations.push(Observation::Sent(datagram.clone()));
            }
            if self.server_log.is_some() && may_be_challenge(&datagram.bytes) {
                self.note(Record::Sent(datagram.clone()));
            }
            self.wire.send(self.now, datagram);
            produced = true;
        }
        if produced {
            uphold(drive::check_due(self.now, asked));
        }
        produced
    }

    fn answer(&mut self, event: Event) {
        if let Event::Lifecycle(LifecycleEvent { kind: LifecycleEventKind::LoginStarted, session, .. }) =
            event
            && self.logins == Logins::Accepted
            && self.server.session(session).is_some_and(|view| view.state() == SessionState::LoginPending)
        {
            self.server.accept_login(self.now, session).expect("a pending login");
            self.note(Record::Commanded(Command::Accept(session), true));
        }
    }

    fn drain_players(&mut self) -> bool {
        (0..self.players.len()).fold(false, |produced, player| self.drain_player(player) | produced)
    }

    fn drain_player(&mut self, player: usize) -> bool {
        let player = &mut self.players[player];
        let asked = player.session.poll_timeout();
        let mut produced = false;
        let mut payload = Vec::new();
        while let Some(event) = player.session.poll_event(&mut payload) {
            player.events.push((event, payload.clone()));
            produced = true;
        }
        let mut buffer = [0; DATAGRAM_BYTES_MAX];
        while let Some(transmit) = player.session.poll_transmit(self.now, &mut buffer) {
            let bytes = buffer[..transmit.len].to_vec();
            let datagram = Datagram { from: player.address, to: transmit.to, bytes };
            if let Some(observations) = &mut self.observations {
                observations.push(Observation::Sent(datagram.clone()));
            }
            if player.is_up {
                self.wire.send(self.now, datagram);
            }
            produced = true;
        }
        if produced {
            uphold(drive::check_due(self.now, asked));
        }
        produced
    }
}

/// Looking at what happened.
impl World {
    /// The session of a player, wherever it stands.
    ///
    /// # Panics
    ///
    /// If there is none.
    #[must_use]
    pub fn session_id(&self, player: usize) -> SessionId {
        let client_id = self.players[player].client_id;
        self.server.session_of(client_id).expect("a session").id()
    }

    /// The state of a player's session, if there is one.
    #[must_use]
    pub fn state(&self, player: usize) -> Option<SessionState> {
        self.server.session_of(self.players[player].client_id).map(|view| view.state())
    }

    /// The lifecycle events of a session, in order.
    pub fn lifecycle_of(&self, id: SessionId) -> impl Iterator<Item = LifecycleEvent> + '_ {
        self.server_events.iter().filter_map(move |(event, _)| match event {
            Event::Lifecycle(event) if event.session == id => Some(*event),
            _ => None,
        })
    }

    /// Their kinds alone.
    #[must_use]
    pub fn kinds_of(&self, id: SessionId) -> Vec<LifecycleEventKind> {
        self.lifecycle_of(id).map(|event| event.kind).collect()
    }

    /// The reliable messages the server got from a session, in order.
    #[must_use]
    pub fn messages_from(&self, id: SessionId) -> Vec<Vec<u8>> {
        let of_session = |event: &Event| matches!(event, Event::Message { session, .. } if *session == id);
        self.server_events
            .iter()
            .filter(|(event, _)| of_session(event))
            .map(|(_, bytes)| bytes.clone())
            .collect()
    }

    /// The ticks of the move inputs the server accepted from a session, in order.
    #[must_use]
    pub fn moves_from(&self, id: SessionId) -> Vec<u64> {
        self.server_events
            .iter()
            .filter_map(|(event, _)| match event {
                Event::Move { session, tick } if *session == id => Some(*tick),
                _ => None,
            })
            .collect()
    }

    /// The reliable messages a player got, in order.
    #[must_use]
    pub fn messages_to(&self, player: usize) -> Vec<Vec<u8>> {
        self.players[player]
            .events
            .iter()
            .filter(|(event, _)| matches!(event, ClientEvent::Message { .. }))
            .map(|(_, bytes)| bytes.clone())
            .collect()
    }
}
