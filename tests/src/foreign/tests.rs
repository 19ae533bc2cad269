//! Proves the wrappers by letting the foreign implementations talk to each other over loopback.

mod deviations;
mod sessions;

use std::{
    net::{Ipv4Addr, SocketAddr},
    thread,
    time::Duration,
};

use super::{
    ConnectToken, ForeignClient, ForeignServer, Mint, ServerConfig, ServerEvent, Status, TokenContents,
    USER_DATA_BYTES,
};

const PROTOCOL_ID: u64 = 0x6e65_7463_6f64_6521;
const PRIVATE_KEY: [u8; 32] = [7; 32];
const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// The parties' time that passes in one round.
const ROUND: Duration = Duration::from_millis(2);

/// The parties' time after which a test gives up waiting: 10 seconds.
const ROUNDS_MAX: u32 = 5_000;

/// A server that knows none of its clients yet.
fn start<S: ForeignServer>(max_clients: usize) -> S {
    start_at(LOOPBACK, max_clients)
}

fn start_at<S: ForeignServer>(bind_addr: SocketAddr, max_clients: usize) -> S {
    S::start(&ServerConfig { bind_addr, private_key: PRIVATE_KEY, protocol_id: PROTOCOL_ID, max_clients })
        .unwrap()
}

fn contents(server_addrs: &[SocketAddr], client_id: u64) -> TokenContents {
    TokenContents {
        server_addrs: server_addrs.to_vec(),
        protocol_id: PROTOCOL_ID,
        client_id,
        expire_seconds: 60,
        timeout_seconds: 5,
        private_key: PRIVATE_KEY,
        user_data: user_data(client_id),
    }
}

/// User data that differs in every byte position and between clients.
fn user_data(client_id: u64) -> [u8; USER_DATA_BYTES] {
    std::array::from_fn(|i| client_id.wrapping_add(i as u64).to_le_bytes()[0])
}

fn token(server: &impl ForeignServer, client_id: u64) -> ConnectToken {
    Mint::Official.mint(&contents(&[server.addr()], client_id)).unwrap()
}

/// A payload that differs from others of its size by `seed`.
fn payload(bytes: usize, seed: u8) -> Vec<u8> {
    (0..bytes).map(|i| i.to_le_bytes()[0] ^ seed).collect()
}

/// A client and a server, polled together.
struct Pair<C, S> {
    client: C,
    server: S,
}

impl<C: ForeignClient, S: ForeignServer> Pair<C, S> {
    fn new(client_id: u64) -> Self {
        let server: S = start(4);
        let client = C::connect(&token(&server, client_id), LOOPBACK).unwrap();
        Self { client, server }
    }

    /// A pair that both sides agree is connected.
    fn connected(client_id: u64) -> Self {
        let mut pair = Self::new(client_id);
        pair.connect(client_id);
        pair
    }

    fn connect(&mut self, client_id: u64) {
        let event = self.wait("the server to report the client", |pair| pair.server.poll_event());
        assert_eq!(event, ServerEvent::Connected { client_id, user_data: Box::new(user_data(client_id)) });
        self.wait_for_status(Status::Connected);
    }

    fn wait_for_status(&mut self, status: Status) {
        self.wait("the client's status", |pair| (pair.client.status() == status).then_some(()));
    }

    /// Polls both until `condition` yields something.
    #[track_caller]
    fn wait<T>(&mut self, what: &str, mut condition: impl FnMut(&mut Self) -> Option<T>) -> T {
        for _ in 0..ROUNDS_MAX {
            if let Some(found) = condition(self) {
                return found;
            }
            self.client.poll(ROUND);
            self.server.poll(ROUND);
            await_delivery();
        }
        panic!("waited in vain for {what}: {:?}, {:?}", self.client, self.server);
    }
}

/// Lets the system deliver what was sent. The implementations do not let on when their sockets are ready.
fn await_delivery() {
    thread::park_timeout(Duration::from_millis(1));
}
