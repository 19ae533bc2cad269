//! The server of `netcode-official`.

use std::{collections::VecDeque, fmt, net::SocketAddr, time::Duration};

use netcode_official::{Error, Server};

use super::{
    super::{ForeignServer, SendError, ServerConfig, ServerEvent, StartError},
    send_error,
};

/// A server of `netcode-official` 1.0.
///
/// Payloads are 1 to 1,200 bytes. Keep-alives go out at 10 Hz and before each payload until the client is confirmed.
/// Its challenges and denials are numbered from 2^63. It has 1 to 256 slots, and its socket listens on all interfaces.
///
/// The library names slots where this interface names clients. A client that comes and goes within one poll may
/// therefore go unreported.
pub struct OfficialServer {
    server: Server,
    now: Duration,
    /// The id of the client reported to be in each slot.
    client_ids: Vec<Option<u64>>,
    events: VecDeque<ServerEvent>,
    payloads: VecDeque<(u64, Vec<u8>)>,
}

impl OfficialServer {
    fn slot(&self, client_id: u64) -> Option<usize> {
        self.client_ids.iter().position(|id| *id == Some(client_id))
    }

    /// Turns the library's events, which name slots, into ours, which name clients.
    fn collect_events(&mut self) {
        while let Some(event) = self.server.next_event() {
            match event {
                netcode_official::ServerEvent::ClientConnected { client_index } => {
                    self.enter(client_index);
                }
                netcode_official::ServerEvent::ClientDisconnected { client_index, .. } => {
                    let id = self.client_ids.get_mut(client_index).and_then(Option::take);
                    self.events.extend(id.map(|client_id| ServerEvent::Disconnected { client_id }));
                }
            }
        }
    }

    fn enter(&mut self, slot: usize) {
        let Some(user_data) = self.server.client_user_data(slot) else { return };
        let Some(id) = self.client_ids.get_mut(slot) else { return };
        let client_id = self.server.client_id(slot);
        *id = Some(client_id);
        self.events.push_back(ServerEvent::Connected { client_id, user_data: Box::new(*user_data) });
    }

    fn collect_payloads(&mut self) {
        for (slot, id) in self.client_ids.iter().enumerate() {
            let Some(client_id) = *id else { continue };
            while let Some((payload, _sequence)) = self.server.receive_packet(slot) {
                self.payloads.push_back((client_id, payload));
            }
        }
    }
}

impl ForeignServer for OfficialServer {
    fn start(config: &ServerConfig) -> Result<Self, StartError> {
        let mut server = Server::new(config.bind_addr, config.protocol_id, &config.private_key, 0.0)
            .map_err(|error| match error {
                Error::Io(error) => StartError::Socket(error),
                error => StartError::Socket(std::io::Error::other(error)),
            })?;
        server.start(config.max_clients).map_err(|_| StartError::MaxClients(config.max_clients))?;
        Ok(Self {
            server,
            now: Duration::ZERO,
            client_ids: vec![None; config.max_clients],
            events: VecDeque::new(),
            payloads: VecDeque::new(),
        })
    }

    fn poll(&mut self, elapsed: Duration) {
        self.now += elapsed;
        self.server.update(self.now.as_secs_f64());
        self.collect_events();
        self.collect_payloads();
    }

    fn poll_event(&mut self) -> Option<ServerEvent> {
        self.events.pop_front()
    }

    fn send(&mut self, client_id: u64, payload: &[u8]) -> Result<(), SendError> {
        let slot = self.slot(client_id).ok_or(SendError::NotConnected)?;
        self.server.send_packet(slot, payload).map_err(|error| send_error(&error))
    }

    fn receive(&mut self) -> Option<(u64, Vec<u8>)> {
        self.payloads.pop_front()
    }

    fn kick(&mut self, client_id: u64) {
        if let Some(slot) = self.slot(client_id) {
            self.server.disconnect_client(slot);
            self.collect_events();
        }
    }

    fn addr(&self) -> SocketAddr {
        self.server.address()
    }
}

impl fmt::Debug for OfficialServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OfficialServer")
            .field("addr", &self.addr())
            .field("client_ids", &self.client_ids)
            .field("now", &self.now)
            .finish_non_exhaustive()
    }
}
