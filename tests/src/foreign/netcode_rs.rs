//! The client of `netcode-rs` 1.4.
//!
//! How it departs from the standard, or fills what the standard leaves open:
//!
//! - Packets go out at 10 Hz when nothing else does, keep-alives included, and 10 disconnect packets say goodbye.
//! - It reads datagrams of at most 1,200 bytes and cuts longer ones short, so that they fail to decrypt. That leaves
//!   1,182 bytes of payload with one sequence byte, and 1,175 with eight. It sends payloads of 0 to 1,200 bytes.
//! - Tokens hold the groups of an IPv6 address in network byte order, where the standard says little-endian: with a
//!   standard token it goes to the wrong address.
//! - Packet types that a client must ignore are only logged, and refused later for other reasons.
//! - Any number of sequence bytes is accepted, zero included. More than 8 makes it panic, before anything is
//!   authenticated and whoever sent them. So does a sequence number close to 2^64 in a build with overflow checks. Feed
//!   it no garbage.
//! - A connected client that is told to disconnect tries the token's next server address before it gives up.
//! - Received payloads are queued without limit, and survive the end of the connection.
//! - An empty datagram ends the reading of that poll.

use std::{fmt, io, net::SocketAddr, time::Duration};

use netcode_rs::{Client, ClientConfig, ClientState, Error, NetcodeSocket};

use super::{ConnectError, ConnectToken, DisconnectCause, ForeignClient, SendError, Status};

/// The size asked for each buffer of the socket, in bytes: the library's own default.
const SOCKET_BUFFER_BYTES: usize = 256 * 1024;

/// A client of `netcode-rs` 1.4.
///
/// It receives payloads of up to 1,182 bytes, or 1,175 once sequence numbers are eight bytes long, and loses longer
/// ones. It sends 0 to 1,200 bytes. Everything runs at 10 Hz. A server that says goodbye makes it try the token's next
/// address first. It cannot use IPv6 addresses of a standard token. Malformed packets from anybody can make it panic.
pub struct NetcodeRsClient {
    client: Client<NetcodeSocket>,
    now: Duration,
    has_left: bool,
    has_socket_failed: bool,
}

impl ForeignClient for NetcodeRsClient {
    fn connect(token: &ConnectToken, bind_addr: SocketAddr) -> Result<Self, ConnectError> {
        let socket = NetcodeSocket::new(bind_addr, SOCKET_BUFFER_BYTES, SOCKET_BUFFER_BYTES)
            .map_err(|error| ConnectError::Socket(io::Error::other(error)))?;
        let mut client = Client::with_config_and_transceiver(token, ClientConfig::default(), socket)
            .map_err(|_| ConnectError::InvalidToken)?;
        client.connect();
        Ok(Self { client, now: Duration::ZERO, has_left: false, has_socket_failed: false })
    }

    fn poll(&mut self, elapsed: Duration) {
        self.now += elapsed;
        if self.client.try_update(self.now.as_secs_f64()).is_err() {
            self.has_socket_failed = true;
        }
    }

    fn status(&self) -> Status {
        if self.has_socket_failed {
            return Status::Disconnected(DisconnectCause::SocketFailed);
        }
        match self.client.state() {
            ClientState::SendingConnectionRequest | ClientState::SendingChallengeResponse => {
                Status::Connecting
            }
            ClientState::Connected => Status::Connected,
            ClientState::ConnectionDenied => Status::Denied,
            ClientState::Disconnected if self.has_left => Status::Disconnected(DisconnectCause::ByClient),
            ClientState::Disconnected => Status::Disconnected(DisconnectCause::ByServer),
            ClientState::ConnectionTimedOut => Status::Disconnected(DisconnectCause::TimedOut),
            ClientState::ConnectionRequestTimedOut => Status::Disconnected(DisconnectCause::RequestTimedOut),
            ClientState::ChallengeResponseTimedOut => Status::Disconnected(DisconnectCause::ResponseTimedOut),
            ClientState::ConnectTokenExpired => Status::Disconnected(DisconnectCause::TokenExpired),
        }
    }

    fn send(&mut self, payload: &[u8]) -> Result<(), SendError> {
        // The library takes a payload without a connection as sent.
        if self.status() != Status::Connected {
            return Err(SendError::NotConnected);
        }
        self.client.send(payload).map_err(|error| match error {
            Error::SizeMismatch(..) => SendError::PayloadBytes(payload.len()),
            _ => SendError::Socket,
        })
    }

    fn receive(&mut self) -> Option<Vec<u8>> {
        self.client.recv()
    }

    fn disconnect(&mut self) {
        // The library would say goodbye again, and from whatever state it is in.
        if !matches!(self.status(), Status::Connecting | Status::Connected) {
            return;
        }
        match self.client.disconnect() {
            Ok(()) => self.has_left = true,
            Err(_) => self.has_socket_failed = true,
        }
    }

    fn local_addr(&self) -> SocketAddr {
        self.client.addr()
    }
}

impl fmt::Debug for NetcodeRsClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NetcodeRsClient")
            .field("local_addr", &self.local_addr())
            .field("status", &self.status())
            .field("now", &self.now)
            .finish_non_exhaustive()
    }
}
