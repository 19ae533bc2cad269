//! A running server host and everybody who talks to it over loopback, in one thread.
//!
//! Time is the machine's, so nothing here is awaited by the clock: a test runs everybody until something holds. Because all ends share
//! the thread, a machine that stalls stalls them together, and none of them misses the others.

mod guest;
mod player;
mod recorder;
mod relay;

use std::net::SocketAddr;
use std::time::Duration;

use rejoin::client::{ClientConfig, ClientState};
use rejoin::{ClientId, ConnectToken, Key, LifecycleEvent, SessionId, SessionState, Timestamp};
use rejoin_mio::{ClientNetworkHost, Clock, HostConfig, ServerNetworkHost, TokenRequest};

use crate::foreign::{self, ForeignClient, TokenContents, USER_DATA_BYTES};

pub use guest::Guest;
pub use player::Player;
pub use recorder::{Logins, Recorder};
pub use relay::Relay;

/// The protocol id of every hosted server.
pub const PROTOCOL_ID: u64 = 0x5245_4a4f_494e_0001;
/// The private key of every hosted server.
pub const PRIVATE_KEY: [u8; foreign::KEY_BYTES] = [0x42; foreign::KEY_BYTES];
/// Any free port of the IPv4 loopback.
pub const LOOPBACK: &str = "127.0.0.1:0";
/// Any free port of the IPv6 loopback.
pub const LOOPBACK_V6: &str = "[::1]:0";

/// After this long a condition is taken never to hold: far beyond what any test takes on a slow machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// How long the server sleeps in one round at most; what arrives wakes it.
const ROUND: Duration = Duration::from_millis(1);

/// A silence that lasts longer than any test, in milliseconds.
const PATIENT_MS: u32 = 600_000;

/// The lifetime of tokens, in seconds: the longest the default settings accept.
const TOKEN_LIFETIME_S: u16 = 45;
/// The silence after which clients give up, in seconds. Servers here are less patient.
const TOKEN_TIMEOUT_S: i32 = 10;

/// The settings most tests start from: framed payloads, and short times, because they pass for real.
#[must_use]
pub fn config() -> HostConfig {
    config_at(LOOPBACK)
}

/// The same for foreign clients: raw payloads, the token is the login, and a timeout that outlasts the slowest of their keep-alives.
#[must_use]
pub fn raw_config(bind_address: &str) -> HostConfig {
    let mut config = config_at(bind_address);
    config.sessions = config.sessions.raw();
    config.sessions.heartbeat_ms = 100;
    config.sessions.timeout_min_ms = 1_000;
    config.sessions.timeout_max_ms = 1_000;
    config
}

fn config_at(bind_address: &str) -> HostConfig {
    let bind_address = bind_address.parse().expect("an address");
    let mut config = HostConfig::new(bind_address, PROTOCOL_ID, Key::new(PRIVATE_KEY));
    config.sessions.heartbeat_ms = 50;
    config.sessions.timeout_min_ms = 500;
    config.sessions.timeout_max_ms = 500;
    config.sessions.login_timeout_ms = 60_000;
    config
}

/// A server host, its application, and its clients of either make.
#[derive(Debug)]
pub struct Hosted {
    /// The server.
    pub server: ServerNetworkHost,
    /// Its application.
    pub application: Recorder,
    /// Our clients.
    pub players: Vec<Player>,
    /// Foreign clients.
    pub guests: Vec<Guest>,
    /// The router between the server and everybody else, if there is one.
    pub relay: Option<Relay>,
    last_round: Timestamp,
}

/// Who is there.
impl Hosted {
    /// Starts a server, with nobody there.
    ///
    /// # Panics
    ///
    /// If it does not start.
    #[must_use]
    pub fn start(config: HostConfig) -> Self {
        let server = ServerNetworkHost::start(config).expect("a server that starts");
        let last_round = server.now();
        Self {
            server,
            application: Recorder::default(),
            players: Vec::new(),
            guests: Vec::new(),
            relay: None,
            last_round,
        }
    }

    /// The same with a router in front, of which clients believe that it is the server.
    ///
    /// # Panics
    ///
    /// If either does not start.
    #[must_use]
    pub fn start_behind_relay(mut config: HostConfig) -> Self {
        let mut relay = Relay::open().expect("a socket");
        config.public_addresses = vec![relay.address().expect("an address")];
        let hosted = Self::start(config);
        relay.set_server(hosted.server.bound_addresses()[0]);
        Self { relay: Some(relay), ..hosted }
    }

    /// By which address clients reach the server, or the router in front of it.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.server.sessions().config().public_addresses[0]
    }

    /// A token of the backend for this identity.
    #[must_use]
    pub fn mint(&self, client_id: u64) -> ConnectToken {
        mint(self.address(), client_id)
    }

    /// What a foreign backend puts into its token for this identity.
    #[must_use]
    pub fn token_contents(&self, client_id: u64) -> TokenContents {
        token_contents(self.address(), client_id)
    }

    /// A player who connects and does not ask to log in. Returns its place in `players`.
    pub fn add_player(&mut self, client_id: u64) -> usize {
        self.add_player_with(client_id, &self.mint(client_id), ClientConfig::default())
    }

    /// A player who connects with this token.
    ///
    /// # Panics
    ///
    /// If the token or the settings are no good.
    pub fn add_player_with(&mut self, client_id: u64, token: &ConnectToken, config: ClientConfig) -> usize {
        let host = ClientNetworkHost::connect(config, token).expect("a client that starts");
        self.players.push(Player::new(client_id, host));
        self.players.len() - 1
    }

    /// A player who is connected, as both ends know, and not logged in.
    ///
    /// # Panics
    ///
    /// If the handshake does not come through.
    pub fn add_connected(&mut self, client_id: u64) -> usize {
        let place = self.add_player(client_id);
        self.run_until("the handshake", |hosted| hosted.players[place].state() == ClientState::Connected);
        place
    }

    /// A player who is logged in, and holds what it needs to come back. The application must accept logins.
    ///
    /// # Panics
    ///
    /// If the login does not come through.
    pub fn add_logged_in(&mut self, client_id: u64) -> usize {
        self.add_logged_in_with(client_id, ClientConfig::default())
    }

    /// The same, with a client that takes no silence for a lost path.
    ///
    /// # Panics
    ///
    /// If the login does not come through.
    pub fn add_patient(&mut self, client_id: u64) -> usize {
        let mut config = ClientConfig::default();
        config.path_dead_ms = Some(PATIENT_MS);
        self.add_logged_in_with(client_id, config)
    }

    fn add_logged_in_with(&mut self, client_id: u64, config: ClientConfig) -> usize {
        let place = self.add_player_with(client_id, &self.mint(client_id), config);
        self.players[place].host.commands().login(b"credential").expect("a login");
        self.run_until("the login", |hosted| {
            let session = hosted.players[place].host.session();
            session.state().is_logged_in() && session.resume_tokens() > 0
        });
        place
    }

    /// A foreign client that connects with this token. Returns its place in `guests`.
    ///
    /// # Panics
    ///
    /// If it cannot read the token.
    pub fn add_guest<C: ForeignClient + 'static>(&mut self, token: &foreign::ConnectToken) -> usize {
        let bind_address = SocketAddr::new(self.address().ip(), 0);
        let client = C::connect(token, bind_address).expect("a client that starts");
        self.guests.push(Guest::new(Box::new(client)));
        self.guests.len() - 1
    }
}

/// Letting things happen.
impl Hosted {
    /// Runs everybody until something holds.
    ///
    /// # Panics
    ///
    /// If it does not hold within [`PATIENCE`].
    #[track_caller]
    pub fn run_until(&mut self, what: &str, mut holds: impl FnMut(&mut Self) -> bool) {
        let start = self.server.now();
        while !holds(self) {
            self.run_round();
            assert!(self.server.now().since(start) < PATIENCE, "waited in vain for {what}: {self:#?}");
        }
    }

    /// Gives everybody one turn.
    ///
    /// # Panics
    ///
    /// If the operating system's event queue fails, or gives no sockets.
    pub fn run_round(&mut self) {
        self.server.poll(Some(ROUND), &mut self.application).expect("an event queue");
        self.pass_on();
        for player in &mut self.players {
            player.poll(Duration::ZERO);
        }
        self.pass_on();
        let now = self.server.now();
        for guest in &mut self.guests {
            guest.poll(now.since(self.last_round));
        }
        self.last_round = now;
    }

    fn pass_on(&mut self) {
        if let Some(relay) = &mut self.relay {
            relay.poll().expect("a socket");
        }
    }
}

/// Looking at what happened.
impl Hosted {
    /// The session of an identity, wherever it stands.
    ///
    /// # Panics
    ///
    /// If there is none.
    #[must_use]
    pub fn session_id(&self, client_id: u64) -> SessionId {
        self.server.sessions().session_of(ClientId(client_id)).expect("a session").id()
    }

    /// The state of an identity's session, if there is one.
    #[must_use]
    pub fn state(&self, client_id: u64) -> Option<SessionState> {
        self.server.sessions().session_of(ClientId(client_id)).map(|view| view.state())
    }

    /// The highest move tick accepted from an identity.
    #[must_use]
    pub fn move_high_water(&self, client_id: u64) -> Option<u64> {
        self.server.sessions().session_of(ClientId(client_id)).and_then(|view| view.move_high_water())
    }

    /// The lifecycle events of a session, in order.
    pub fn lifecycle_of(&self, id: SessionId) -> impl Iterator<Item = LifecycleEvent> + '_ {
        self.application.lifecycle_of(id)
    }
}

/// A token of the backend, made now.
///
/// # Panics
///
/// If the operating system gives no random numbers.
#[must_use]
pub fn mint(server: SocketAddr, client_id: u64) -> ConnectToken {
    let request = TokenRequest {
        protocol_id: PROTOCOL_ID,
        private_key: &Key::new(PRIVATE_KEY),
        client_id: ClientId(client_id),
        addresses: &[server],
        lifetime_s: TOKEN_LIFETIME_S.into(),
        timeout_s: TOKEN_TIMEOUT_S,
    };
    request.mint(Clock::start().unix_time_s()).expect("a token")
}

/// What a foreign backend puts into its token; the user data begins with the client id.
#[must_use]
pub fn token_contents(server: SocketAddr, client_id: u64) -> TokenContents {
    let mut user_data = [0x5a; USER_DATA_BYTES];
    user_data[..8].copy_from_slice(&client_id.to_le_bytes());
    TokenContents {
        server_addrs: vec![server],
        protocol_id: PROTOCOL_ID,
        client_id,
        expire_seconds: TOKEN_LIFETIME_S,
        timeout_seconds: TOKEN_TIMEOUT_S,
        private_key: PRIVATE_KEY,
        user_data,
    }
}
