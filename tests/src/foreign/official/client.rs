//! The client of `netcode-official`.

use std::{fmt, net::SocketAddr, time::Duration};

use netcode_official::{Client, ClientState, Error};

use super::{
    super::{ConnectError, ConnectToken, DisconnectCause, ForeignClient, SendError, Status},
    send_error,
};

/// A client of `netcode-official` 1.0.
///
/// Payloads are 1 to 1,200 bytes. Everything runs at 10 Hz. A server that says goodbye makes it try the token's next
/// address first; a payload that arrives in the same poll as that goodbye is lost. Dropping it says goodbye, ten times.
pub struct OfficialClient {
    client: Client,
    now: Duration,
    local_addr: SocketAddr,
    has_left: bool,
}

impl ForeignClient for OfficialClient {
    fn connect(token: &ConnectToken, bind_addr: SocketAddr) -> Result<Self, ConnectError> {
        let mut client = Client::new(bind_addr, 0.0).map_err(|error| match error {
            Error::Io(error) => ConnectError::Socket(error),
            error => ConnectError::Socket(std::io::Error::other(error)),
        })?;
        let local_addr = SocketAddr::new(bind_addr.ip(), client.port());
        client.connect(token).map_err(|_| ConnectError::InvalidToken)?;
        Ok(Self { client, now: Duration::ZERO, local_addr, has_left: false })
    }

    fn poll(&mut self, elapsed: Duration) {
        self.now += elapsed;
        self.client.update(self.now.as_secs_f64());
    }

    fn status(&self) -> Status {
        match self.client.state() {
            ClientState::SendingConnectionRequest | ClientState::SendingConnectionResponse => {
                Status::Connecting
            }
            ClientState::Connected => Status::Connected,
            ClientState::ConnectionDenied => Status::Denied,
            ClientState::Disconnected if self.has_left => Status::Disconnected(DisconnectCause::ByClient),
            ClientState::Disconnected => Status::Disconnected(DisconnectCause::ByServer),
            ClientState::ConnectionTimedOut => Status::Disconnected(DisconnectCause::TimedOut),
            ClientState::ConnectionRequestTimedOut => Status::Disconnected(DisconnectCause::RequestTimedOut),
            ClientState::ConnectionResponseTimedOut => {
                Status::Disconnected(DisconnectCause::ResponseTimedOut)
            }
            ClientState::ConnectTokenExpired => Status::Disconnected(DisconnectCause::TokenExpired),
            ClientState::InvalidConnectToken => Status::Disconnected(DisconnectCause::TokenInvalid),
        }
    }

    fn send(&mut self, payload: &[u8]) -> Result<(), SendError> {
        // The library takes a payload without a connection as sent.
        if self.client.state() != ClientState::Connected {
            return Err(SendError::NotConnected);
        }
        self.client.send_packet(payload).map_err(|error| send_error(&error))
    }

    fn receive(&mut self) -> Option<Vec<u8>> {
        self.client.receive_packet().map(|(payload, _sequence)| payload)
    }

    fn disconnect(&mut self) {
        if !self.client.state().is_disconnected() {
            self.client.disconnect();
            self.has_left = true;
        }
    }

    fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }
}

impl fmt::Debug for OfficialClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OfficialClient")
            .field("local_addr", &self.local_addr)
            .field("status", &self.status())
            .field("now", &self.now)
            .finish_non_exhaustive()
    }
}
