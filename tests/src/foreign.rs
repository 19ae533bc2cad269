//! Independent implementations of netcode 1.02 behind one interface, to test ours against.
//!
//! Three crates are wrapped: `netcode-official` and `renetcode` as client and server, `netcode-rs` as client. All are
//! pure Rust. Each party owns one non-blocking UDP socket and reads it only inside `poll`. Sends leave at once; no call
//! waits.
//!
//! Time is what the caller says it is: `poll` moves the party's clock by `elapsed`, so a test may run faster than real
//! time or freeze one side. The exception is the Unix time against which tokens expire, which `netcode-official` reads
//! from the machine at each poll, and the `renetcode` server once, when it starts.
//!
//! What all three clients have in common, and the standard says otherwise or leaves open:
//!
//! - The time allowed for connecting (token expiry minus creation) starts again with each server address of the token.
//! - The connection request takes a sequence number although it carries none, so a client's first encrypted packet
//!   has a sequence of at least 1.
//! - Both directions use replay windows of 256 packets.
//! - A payload that arrives before the client is connected is lost.
//!
//! The module of each implementation lists how it departs from the standard. The wrappers hide none of that; they only
//! refuse a connect token on which the crate would panic, and a goodbye after the connection has ended.

mod netcode_rs;
mod official;
mod renetcode;
mod socket;
mod token;

#[cfg(test)]
mod tests;

use std::{error::Error, fmt, io, net::SocketAddr, time::Duration};

pub use self::{
    netcode_rs::NetcodeRsClient,
    official::{OfficialClient, OfficialServer},
    renetcode::{RenetcodeClient, RenetcodeServer},
    token::{Mint, MintError, TokenContents},
};

/// The size of a connect token, in bytes (netcode standard, section "Connect Token").
pub const CONNECT_TOKEN_BYTES: usize = 2048;

/// The size of a private key, in bytes.
pub const KEY_BYTES: usize = 32;

/// The size of the user data in a connect token, in bytes.
pub const USER_DATA_BYTES: usize = 256;

/// A connect token in the standard's public form.
pub type ConnectToken = [u8; CONNECT_TOKEN_BYTES];

/// A netcode client of foreign make.
///
/// To let a client vanish without a word, stop polling it and keep it: some of them say goodbye when dropped.
pub trait ForeignClient: fmt::Debug {
    /// Binds a socket to `bind_addr`, usually port 0 of a loopback address, and prepares to connect to the servers
    /// listed in `token`. The first packet leaves with the first [`poll`](Self::poll).
    fn connect(token: &ConnectToken, bind_addr: SocketAddr) -> Result<Self, ConnectError>
    where
        Self: Sized;

    /// Moves the client's clock by `elapsed`, takes in what has arrived and sends what is due.
    fn poll(&mut self, elapsed: Duration);

    /// How the connection stands after the last call.
    fn status(&self) -> Status;

    /// Sends one payload to the server, unreliably.
    ///
    /// The range of sizes is the implementation's own, which need not be the standard's 1 to 1,200 bytes.
    fn send(&mut self, payload: &[u8]) -> Result<(), SendError>;

    /// The next payload received from the server, in order of arrival.
    fn receive(&mut self) -> Option<Vec<u8>>;

    /// Tells the server goodbye and ends the connection. Does nothing once the connection has ended.
    fn disconnect(&mut self);

    /// The address the client's socket is bound to, with its real port.
    fn local_addr(&self) -> SocketAddr;
}

/// A netcode server of foreign make.
pub trait ForeignServer: fmt::Debug {
    /// Binds a socket and opens the server for clients. It answers with the first [`poll`](Self::poll).
    fn start(config: &ServerConfig) -> Result<Self, StartError>
    where
        Self: Sized;

    /// Moves the server's clock by `elapsed`, takes in what has arrived and sends what is due.
    fn poll(&mut self, elapsed: Duration);

    /// The next arrival or departure of a client, in order.
    fn poll_event(&mut self) -> Option<ServerEvent>;

    /// Sends one payload to a connected client, unreliably.
    ///
    /// The range of sizes is the implementation's own, which need not be the standard's 1 to 1,200 bytes.
    fn send(&mut self, client_id: u64, payload: &[u8]) -> Result<(), SendError>;

    /// The next payload received, with the id of the client it came from.
    fn receive(&mut self) -> Option<(u64, Vec<u8>)>;

    /// Disconnects a client and tells it so. Does nothing for a client that is not connected.
    ///
    /// The departure is reported like any other, by [`poll_event`](Self::poll_event) after the next poll at the latest.
    fn kick(&mut self, client_id: u64);

    /// The address clients reach the server at, with its real port. It belongs in their connect tokens.
    fn addr(&self) -> SocketAddr;
}

/// What a server needs to know to start.
#[derive(Clone, Copy)]
pub struct ServerConfig {
    /// The address clients reach the server at. Port 0 lets the system choose.
    pub bind_addr: SocketAddr,
    /// The key shared with whoever mints the connect tokens.
    pub private_key: [u8; KEY_BYTES],
    /// The protocol id of the tokens to accept.
    pub protocol_id: u64,
    /// The number of client slots: 1 to 256 for `netcode-official`, 1 to 1,024 for `renetcode`.
    pub max_clients: usize,
}

impl fmt::Debug for ServerConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerConfig")
            .field("bind_addr", &self.bind_addr)
            .field("protocol_id", &self.protocol_id)
            .field("max_clients", &self.max_clients)
            .finish_non_exhaustive()
    }
}

/// An arrival or departure on a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerEvent {
    /// A client took a slot. It may not know yet.
    Connected {
        /// The id in the client's connect token.
        client_id: u64,
        /// The user data in the client's connect token.
        user_data: Box<[u8; USER_DATA_BYTES]>,
    },
    /// A client left, fell silent or was kicked.
    Disconnected {
        /// The id in the client's connect token.
        client_id: u64,
    },
}

/// How a client's connection stands (netcode standard, section "Client State Machine").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Sending connection requests or challenge responses.
    Connecting,
    /// Payloads can be sent and received.
    Connected,
    /// Refused by the last server tried, because it is full.
    Denied,
    /// Over, or never established.
    Disconnected(DisconnectCause),
}

/// Why a client is disconnected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DisconnectCause {
    /// [`ForeignClient::disconnect`] was called.
    ByClient,
    /// The server sent a disconnect packet.
    ByServer,
    /// Nothing was heard from the server for the token's timeout while connected.
    TimedOut,
    /// The last server tried never answered the connection request.
    RequestTimedOut,
    /// The last server tried never answered the challenge response.
    ResponseTimedOut,
    /// The token expired before the client was connected.
    TokenExpired,
    /// The token was not valid.
    TokenInvalid,
    /// The implementation gave up because its socket failed.
    SocketFailed,
}

/// Why a client could not be created.
#[derive(Debug)]
pub enum ConnectError {
    /// The implementation cannot read the connect token, or would panic on it.
    InvalidToken,
    /// The socket could not be set up.
    Socket(io::Error),
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidToken => f.write_str("the connect token is not valid"),
            Self::Socket(error) => write!(f, "the client's socket could not be set up: {error}"),
        }
    }
}

impl Error for ConnectError {}

/// Why a server could not be started.
#[derive(Debug)]
pub enum StartError {
    /// The number of client slots is outside the implementation's range.
    MaxClients(usize),
    /// The socket could not be set up.
    Socket(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MaxClients(count) => write!(f, "{count} client slots are out of range"),
            Self::Socket(error) => write!(f, "the server's socket could not be set up: {error}"),
        }
    }
}

impl Error for StartError {}

/// Why a payload was not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendError {
    /// There is no connection to send it on.
    NotConnected,
    /// The implementation does not send payloads of this many bytes.
    PayloadBytes(usize),
    /// The implementation reported a failure of its socket.
    Socket,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotConnected => f.write_str("not connected"),
            Self::PayloadBytes(bytes) => write!(f, "a payload of {bytes} bytes is out of range"),
            Self::Socket => f.write_str("the socket failed"),
        }
    }
}

impl Error for SendError {}
