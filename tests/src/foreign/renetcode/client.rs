//! The client of `renetcode`.

use std::{collections::VecDeque, fmt, net::SocketAddr, time::Duration};

use renetcode::{ClientAuthentication, DisconnectReason, NetcodeClient};

use super::{
    super::{
        ConnectError, ConnectToken, DisconnectCause, ForeignClient, SendError, Status, socket::Socket,
        token::RENETCODE_CLIENT_ID_BYTES,
    },
    DATAGRAM_BYTES_MAX, send_error,
};

/// A client of `renetcode` 2.0.
///
/// Payloads are 0 to 1,300 bytes. Everything runs at 4 Hz, except that a challenge is answered at once. It
/// cannot use IPv6 addresses of a standard token. Malformed packets from the server's address can make it panic.
pub struct RenetcodeClient {
    client: NetcodeClient,
    socket: Socket,
    payloads: VecDeque<Vec<u8>>,
}

impl RenetcodeClient {
    fn receive_packets(&mut self) {
        let mut buffer = [0; DATAGRAM_BYTES_MAX];
        while let Some((bytes, from)) = self.socket.receive(&mut buffer) {
            if from != self.client.server_addr() {
                continue;
            }
            let Some(datagram) = buffer.get_mut(..bytes) else { continue };
            let payload = self.client.process_packet(datagram);
            self.payloads.extend(payload.map(<[u8]>::to_vec));
        }
    }
}

impl ForeignClient for RenetcodeClient {
    fn connect(token: &ConnectToken, bind_addr: SocketAddr) -> Result<Self, ConnectError> {
        let connect_token = read_token(token)?;
        let socket = Socket::bind(bind_addr).map_err(ConnectError::Socket)?;
        let client = NetcodeClient::new(Duration::ZERO, ClientAuthentication::Secure { connect_token })
            .map_err(|_| ConnectError::InvalidToken)?;
        Ok(Self { client, socket, payloads: VecDeque::new() })
    }

    fn poll(&mut self, elapsed: Duration) {
        self.receive_packets();
        if let Some((datagram, to)) = self.client.update(elapsed) {
            self.socket.send(datagram, to);
        }
    }

    fn status(&self) -> Status {
        let Some(reason) = self.client.disconnect_reason() else {
            return if self.client.is_connected() { Status::Connected } else { Status::Connecting };
        };
        Status::Disconnected(match reason {
            DisconnectReason::ConnectionDenied => return Status::Denied,
            DisconnectReason::ConnectTokenExpired => DisconnectCause::TokenExpired,
            DisconnectReason::ConnectionTimedOut => DisconnectCause::TimedOut,
            DisconnectReason::ConnectionResponseTimedOut => DisconnectCause::ResponseTimedOut,
            DisconnectReason::ConnectionRequestTimedOut => DisconnectCause::RequestTimedOut,
            DisconnectReason::DisconnectedByClient => DisconnectCause::ByClient,
            DisconnectReason::DisconnectedByServer => DisconnectCause::ByServer,
        })
    }

    fn send(&mut self, payload: &[u8]) -> Result<(), SendError> {
        let (to, datagram) = self
            .client
            .generate_payload_packet(payload)
            .map_err(|error| send_error(&error, payload.len()))?;
        self.socket.send(datagram, to);
        Ok(())
    }

    fn receive(&mut self) -> Option<Vec<u8>> {
        self.payloads.pop_front()
    }

    fn disconnect(&mut self) {
        if self.client.is_disconnected() {
            return;
        }
        // Encoding fails only for payloads; without a packet the server notices by its timeout.
        if let Ok((to, datagram)) = self.client.disconnect() {
            self.socket.send(datagram, to);
        }
    }

    fn local_addr(&self) -> SocketAddr {
        self.socket.local_addr()
    }
}

impl fmt::Debug for RenetcodeClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RenetcodeClient")
            .field("local_addr", &self.local_addr())
            .field("status", &self.status())
            .field("now", &self.client.current_time())
            .finish_non_exhaustive()
    }
}

/// Reads a token in the standard's form, which lacks the client id that `renetcode` expects in front. The client
/// never uses it, so any will do.
fn read_token(token: &ConnectToken) -> Result<renetcode::ConnectToken, ConnectError> {
    let mut serial = vec![0; RENETCODE_CLIENT_ID_BYTES];
    serial.extend_from_slice(token);
    let token = renetcode::ConnectToken::read(&mut &serial[..]).map_err(|_| ConnectError::InvalidToken)?;

    // The library leaves these checks out and panics when they would have failed.
    if token.server_addresses[0].is_none() || token.create_timestamp > token.expire_timestamp {
        return Err(ConnectError::InvalidToken);
    }
    Ok(token)
}
