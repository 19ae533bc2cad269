//! The server and a client at the two ends of a path, logged in.

use std::net::SocketAddr;

use rejoin::client::{ClientConfig, ClientEvent, ClientSendError, ClientSession};
use rejoin::lifecycle::LifecycleEventKind;
use rejoin::{
    ClientId, Config, DATAGRAM_BYTES_MAX, Event, Key, MultiSessionManager, SendError, SessionId, Timestamp,
    TokenSpec, USER_DATA_BYTES,
};

use super::{Application, Endpoint, Entrance, Packet, Path, Pipe, PipeSettings, Received};
use crate::world::{Chance, PRIVATE_KEY, PROTOCOL_ID, UNIX_START_S, server_address};

/// The rate of a path while its ends log in.
const LOGIN_BITS_PER_S: u64 = 1_000_000_000;
/// How long both ends are left alone after the login, so that nothing of it is left to send, in milliseconds.
const SETTLING_MS: u64 = 2_000;

/// A server at the near end, a client at the far one.
pub type SessionPath = Path<End<Server>, End<Client>>;

/// What the two ends of a session have in common.
pub trait Session {
    /// Takes a datagram of the other end.
    fn handle_datagram(&mut self, now: Timestamp, datagram: &mut [u8]);
    /// Fires what is due.
    fn handle_timeout(&mut self, now: Timestamp);
    /// When it wants to be called.
    fn poll_timeout(&self) -> Option<Timestamp>;
    /// Writes the next datagram; its length.
    fn poll_transmit(&mut self, now: Timestamp, buffer: &mut [u8]) -> Option<usize>;
    /// Gives what came; the bytes that belong to it replace what `bytes` held.
    fn poll_received(&mut self, now: Timestamp, bytes: &mut Vec<u8>) -> Option<Received>;
    /// Queues a reliable message; `false` if there is no room for it now.
    fn send(&mut self, now: Timestamp, lane: u8, message: &[u8]) -> bool;
    /// Sends the move input or publishes the state of a tick.
    fn send_newest(&mut self, now: Timestamp, tick: u64, bytes: &[u8]);
}

/// The server, with one player.
#[derive(Debug)]
pub struct Server {
    /// The real one.
    pub manager: MultiSessionManager,
    /// The player's session, once it is logged in.
    pub session: Option<SessionId>,
}

impl Server {
    fn id(&self) -> SessionId {
        self.session.expect("a logged-in session")
    }
}

impl Session for Server {
    fn handle_datagram(&mut self, now: Timestamp, datagram: &mut [u8]) {
        self.manager.handle_datagram(now, client_address(), datagram);
    }

    fn handle_timeout(&mut self, now: Timestamp) {
        self.manager.handle_timeout(now);
    }

    fn poll_timeout(&self) -> Option<Timestamp> {
        self.manager.poll_timeout().map(|deadline| deadline.at)
    }

    fn poll_transmit(&mut self, now: Timestamp, buffer: &mut [u8]) -> Option<usize> {
        self.manager.poll_transmit(now, buffer).map(|transmit| transmit.len)
    }

    fn poll_received(&mut self, now: Timestamp, bytes: &mut Vec<u8>) -> Option<Received> {
        Some(match self.manager.poll_event(bytes)? {
            Event::Message { .. } => Received::Message,
            Event::Move { tick, .. } => Received::Newest { tick },
            Event::Lifecycle(event) => {
                if event.kind == LifecycleEventKind::LoginStarted {
                    self.manager.accept_login(now, event.session).expect("a pending login");
                    self.session = Some(event.session);
                }
                Received::Other
            }
            _ => Received::Other,
        })
    }

    fn send(&mut self, now: Timestamp, lane: u8, message: &[u8]) -> bool {
        match self.manager.send(now, self.id(), lane, message) {
            Ok(()) => true,
            Err(SendError::Full { .. }) => false,
            Err(error) => panic!("the server cannot send: {error:?}"),
        }
    }

    fn send_newest(&mut self, now: Timestamp, tick: u64, bytes: &[u8]) {
        self.manager.publish_state(now, self.id(), tick, bytes).expect("a state");
    }
}

/// A client.
#[derive(Debug)]
pub struct Client {
    /// The real one.
    pub session: ClientSession,
}

impl Session for Client {
    fn handle_datagram(&mut self, now: Timestamp, datagram: &mut [u8]) {
        self.session.handle_datagram(now, server_address(), datagram);
    }

    fn handle_timeout(&mut self, now: Timestamp) {
        self.session.handle_timeout(now);
    }

    fn poll_timeout(&self) -> Option<Timestamp> {
        self.session.poll_timeout().map(|deadline| deadline.at)
    }

    fn poll_transmit(&mut self, now: Timestamp, buffer: &mut [u8]) -> Option<usize> {
        self.session.poll_transmit(now, buffer).map(|transmit| transmit.len)
    }

    fn poll_received(&mut self, _now: Timestamp, bytes: &mut Vec<u8>) -> Option<Received> {
        Some(match self.session.poll_event(bytes)? {
            ClientEvent::Message { .. } => Received::Message,
            ClientEvent::State { server_tick, .. } => Received::Newest { tick: server_tick },
            _ => Received::Other,
        })
    }

    fn send(&mut self, _now: Timestamp, lane: u8, message: &[u8]) -> bool {
        match self.session.send(lane, message) {
            Ok(()) => true,
            Err(ClientSendError::Full { .. }) => false,
            Err(error) => panic!("the client cannot send: {error:?}"),
        }
    }

    fn send_newest(&mut self, _now: Timestamp, tick: u64, bytes: &[u8]) {
        self.session.send_move(tick, bytes).expect("a move");
    }
}

/// One end of a session and its application.
#[derive(Debug)]
pub struct End<S> {
    /// The end.
    pub session: S,
    /// Its application.
    pub application: Application,
    /// When the packet that came last was put on the wire.
    departed_at: Timestamp,
    payload: Vec<u8>,
}

impl<S: Session> End<S> {
    fn new(session: S) -> Self {
        Self {
            session,
            application: Application::default(),
            departed_at: Timestamp::ZERO,
            payload: Vec::new(),
        }
    }

    fn read(&mut self, now: Timestamp) {
        while let Some(received) = self.session.poll_received(now, &mut self.payload) {
            self.application.inbox.take(now, self.departed_at, received, &self.payload);
        }
    }
}

impl<S: Session> Endpoint for End<S> {
    fn next_task(&self) -> Option<Timestamp> {
        self.application.next_task()
    }

    fn run_application(&mut self, now: Timestamp) {
        self.read(now);
        self.application.run(now, &mut self.session);
    }

    fn handle_packet(&mut self, now: Timestamp, mut packet: Packet) {
        self.departed_at = packet.departed_at;
        self.session.handle_datagram(now, &mut packet.bytes);
        // Before the next packet comes, so that what came is known to be of this one.
        self.read(now);
    }

    fn poll_timeout(&mut self) -> Option<Timestamp> {
        self.session.poll_timeout()
    }

    fn handle_timeout(&mut self, now: Timestamp) {
        self.session.handle_timeout(now);
    }

    fn poll_transmit(&mut self, now: Timestamp) -> Option<Vec<u8>> {
        let mut buffer = [0; DATAGRAM_BYTES_MAX];
        let len = self.session.poll_transmit(now, &mut buffer)?;
        Some(buffer[..len].to_vec())
    }
}

/// A server and a client that is logged in, on a path that is `down` from the server and `up` from the client from now on.
///
/// The login itself went over a path with the same delays that loses nothing.
#[must_use]
pub fn logged_in_path(
    config: Config,
    client_config: ClientConfig,
    down: PipeSettings,
    up: PipeSettings,
    seed: u64,
) -> SessionPath {
    let mut chance = Chance::new(seed);
    let manager = MultiSessionManager::new(config, chance.bytes(), Timestamp::ZERO, UNIX_START_S)
        .expect("valid settings");
    let session = new_client(client_config, &mut chance);
    let pipe = |settings: PipeSettings| Pipe::new(for_login(settings), 0);
    let server = End::new(Server { manager, session: None });
    let mut path = Path::new(server, End::new(Client { session }), pipe(down), pipe(up));
    path.run_until("the login", 10_000, |path| path.far.session.session.state().is_logged_in());
    path.run_for_ms(SETTLING_MS);
    path.forth.change(down, chance.number());
    path.back.change(up, chance.number());
    path
}

/// The pipe over which the ends of this one find each other.
pub(crate) fn for_login(settings: PipeSettings) -> PipeSettings {
    PipeSettings {
        bits_per_s: LOGIN_BITS_PER_S,
        loss_per_mille: 0,
        entrance: Entrance::Queue { bytes_max: u64::MAX },
        ..settings
    }
}

fn new_client(config: ClientConfig, chance: &mut Chance) -> ClientSession {
    let keys = [(); 2].map(|()| Key::new(chance.bytes()));
    let token = TokenSpec {
        protocol_id: PROTOCOL_ID,
        create_unix: UNIX_START_S,
        expire_unix: UNIX_START_S + 45,
        nonce: chance.bytes(),
        private_key: &Key::new(PRIVATE_KEY),
        client_id: ClientId(1),
        timeout_seconds: 5,
        addresses: &[server_address()],
        client_to_server_key: &keys[0],
        server_to_client_key: &keys[1],
        user_data: &[0x5a; USER_DATA_BYTES],
    };
    let token = token.mint().expect("a valid token");
    let mut session =
        ClientSession::new(config, chance.bytes(), Timestamp::ZERO, &token, UNIX_START_S).expect("a session");
    session.login(b"a credential").expect("a login");
    session
}

fn client_address() -> SocketAddr {
    SocketAddr::from(([198, 51, 100, 7], 50_000))
}
