//! A client of ours.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use rejoin::client::{ClientEvent, ClientState};
use rejoin_mio::{ClientApplication, ClientNetworkHost, Session};

/// A client host, what it was told, and whether it has its turns.
pub struct Player {
    /// The client.
    pub host: ClientNetworkHost,
    /// Its identity.
    pub client_id: u64,
    /// Whether it runs. One that does not is silent: nothing leaves it, and what arrives waits or is lost with its socket.
    pub is_running: bool,
    diary: Diary,
}

/// What a client's application was told, in order.
#[derive(Default)]
struct Diary {
    events: Vec<(ClientEvent, Vec<u8>)>,
}

impl ClientApplication for Diary {
    fn handle_event(&mut self, _: &mut Session<'_>, event: ClientEvent, payload: &[u8]) {
        self.events.push((event, payload.to_vec()));
    }
}

impl Player {
    /// A player who has been told nothing yet.
    #[must_use]
    pub fn new(client_id: u64, host: ClientNetworkHost) -> Self {
        Self { host, client_id, is_running: true, diary: Diary::default() }
    }

    /// Gives it its turn, if it runs; it waits at most this long for something to do.
    ///
    /// # Panics
    ///
    /// If the operating system's event queue fails.
    pub fn poll(&mut self, wait: Duration) {
        if self.is_running {
            self.host.poll(Some(wait), &mut self.diary).expect("an event queue");
        }
    }

    /// Leaves the game.
    pub fn stop(&mut self) {
        self.host.stop(&mut self.diary);
    }

    /// Where the client stands.
    #[must_use]
    pub fn state(&self) -> ClientState {
        self.host.session().state()
    }

    /// Where it receives, as others on this machine reach it.
    #[must_use]
    pub fn address(&self, server: SocketAddr) -> SocketAddr {
        let bound = self.host.bound_addresses();
        let socket = bound.iter().find(|bound| bound.is_ipv4() == server.is_ipv4());
        SocketAddr::new(server.ip(), socket.map_or(0, SocketAddr::port))
    }

    /// What it was told, in order.
    pub fn events(&self) -> impl Iterator<Item = ClientEvent> + '_ {
        self.diary.events.iter().map(|(event, _)| *event)
    }

    /// The reliable messages it got, in order.
    #[must_use]
    pub fn messages(&self) -> Vec<Vec<u8>> {
        self.bytes_of(|event| matches!(event, ClientEvent::Message { .. }))
    }

    /// The unreliable messages or raw payloads it got, in order.
    #[must_use]
    pub fn datagrams(&self) -> Vec<Vec<u8>> {
        self.bytes_of(|event| matches!(event, ClientEvent::Datagram))
    }

    /// The newest state it got: its tick, the move tick it acknowledges, and its bytes.
    #[must_use]
    pub fn newest_state(&self) -> Option<(u64, Option<u64>, &[u8])> {
        self.diary.events.iter().rev().find_map(|(event, bytes)| match event {
            ClientEvent::State { server_tick, acknowledged } => {
                Some((*server_tick, *acknowledged, bytes.as_slice()))
            }
            _ => None,
        })
    }

    fn bytes_of(&self, is_wanted: impl Fn(&ClientEvent) -> bool) -> Vec<Vec<u8>> {
        let wanted = self.diary.events.iter().filter(|(event, _)| is_wanted(event));
        wanted.map(|(_, bytes)| bytes.clone()).collect()
    }
}

impl fmt::Debug for Player {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Player")
            .field("client_id", &self.client_id)
            .field("host", &self.host)
            .field("is_running", &self.is_running)
            .field("events", &self.events().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}
