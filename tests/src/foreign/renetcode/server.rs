//! The server of `renetcode`.

use std::{collections::VecDeque, fmt, net::SocketAddr, time::Duration};

use renetcode::{NetcodeServer, ServerAuthentication, ServerResult};

use super::{
    super::{
        ForeignServer, SendError, ServerConfig, ServerEvent, StartError, socket::Socket, token::unix_time,
    },
    DATAGRAM_BYTES_MAX, send_error,
};

/// The library's limit on client slots; above it, it panics.
const CLIENT_SLOTS_MAX: usize = 1024;

/// A server of `renetcode` 2.0.
///
/// Payloads are 0 to 1,300 bytes. Keep-alives go out at 4 Hz and are put off by payloads, also before the client knows
/// that it is connected. Its first challenge and its first packet to each client lack their sequence number. It does
/// not find an IPv6 address of its own in a standard token. Malformed packets from a pending or connected client's
/// address can make it panic.
pub struct RenetcodeServer {
    server: NetcodeServer,
    socket: Socket,
    inbox: Inbox,
}

/// What the server has for its user.
#[derive(Debug, Default)]
struct Inbox {
    events: VecDeque<ServerEvent>,
    payloads: VecDeque<(u64, Vec<u8>)>,
}

impl RenetcodeServer {
    fn receive_packets(&mut self) {
        let mut buffer = [0; DATAGRAM_BYTES_MAX];
        while let Some((bytes, from)) = self.socket.receive(&mut buffer) {
            let Some(datagram) = buffer.get_mut(..bytes) else { continue };
            let result = self.server.process_packet(from, datagram);
            self.inbox.handle(&self.socket, result);
        }
    }

    fn update_clients(&mut self) {
        for client_id in self.server.clients_id() {
            let result = self.server.update_client(client_id);
            self.inbox.handle(&self.socket, result);
        }
    }
}

impl Inbox {
    /// Sends what a result asks to be sent and keeps what it reports.
    fn handle(&mut self, socket: &Socket, result: ServerResult<'_, '_>) {
        match result {
            ServerResult::None => {}
            ServerResult::PacketToSend { addr, payload } => socket.send(payload, addr),
            ServerResult::Payload { client_id, payload } => {
                self.payloads.push_back((client_id, payload.to_vec()));
            }
            ServerResult::ClientConnected { client_id, addr, user_data, payload } => {
                socket.send(payload, addr);
                self.events.push_back(ServerEvent::Connected { client_id, user_data });
            }
            ServerResult::ClientDisconnected { client_id, addr, payload } => {
                if let Some(payload) = payload {
                    socket.send(payload, addr);
                }
                self.events.push_back(ServerEvent::Disconnected { client_id });
            }
        }
    }
}

impl ForeignServer for RenetcodeServer {
    fn start(config: &ServerConfig) -> Result<Self, StartError> {
        if !(1..=CLIENT_SLOTS_MAX).contains(&config.max_clients) {
            return Err(StartError::MaxClients(config.max_clients));
        }
        let socket = Socket::bind(config.bind_addr).map_err(StartError::Socket)?;
        let server = NetcodeServer::new(renetcode::ServerConfig {
            current_time: unix_time(),
            max_clients: config.max_clients,
            protocol_id: config.protocol_id,
            public_addresses: vec![socket.local_addr()],
            authentication: ServerAuthentication::Secure { private_key: config.private_key },
        });
        Ok(Self { server, socket, inbox: Inbox::default() })
    }

    fn poll(&mut self, elapsed: Duration) {
        self.server.update(elapsed);
        self.receive_packets();
        self.update_clients();
    }

    fn poll_event(&mut self) -> Option<ServerEvent> {
        self.inbox.events.pop_front()
    }

    fn send(&mut self, client_id: u64, payload: &[u8]) -> Result<(), SendError> {
        let (to, datagram) = self
            .server
            .generate_payload_packet(client_id, payload)
            .map_err(|error| send_error(&error, payload.len()))?;
        self.socket.send(datagram, to);
        Ok(())
    }

    fn receive(&mut self) -> Option<(u64, Vec<u8>)> {
        self.inbox.payloads.pop_front()
    }

    fn kick(&mut self, client_id: u64) {
        let result = self.server.disconnect(client_id);
        self.inbox.handle(&self.socket, result);
    }

    fn addr(&self) -> SocketAddr {
        self.socket.local_addr()
    }
}

impl fmt::Debug for RenetcodeServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RenetcodeServer")
            .field("addr", &self.addr())
            .field("client_ids", &self.server.clients_id())
            .field("now", &self.server.current_time())
            .finish_non_exhaustive()
    }
}
