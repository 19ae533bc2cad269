//! A router between clients and their server.

use std::io;
use std::net::{SocketAddr, UdpSocket};

use rejoin::DATAGRAM_BYTES_MAX;

use super::LOOPBACK;

/// Passes datagrams on. The server sees each client at an address of the relay, as behind a home router.
#[derive(Debug)]
pub struct Relay {
    /// Whether anything passes. What arrives while nothing does is lost.
    pub is_open: bool,
    server: Option<SocketAddr>,
    front: UdpSocket,
    mappings: Vec<Mapping>,
}

/// How one client is seen by the server.
#[derive(Debug)]
struct Mapping {
    client: SocketAddr,
    back: UdpSocket,
}

impl Relay {
    pub(super) fn open() -> io::Result<Self> {
        Ok(Self { is_open: true, server: None, front: bind()?, mappings: Vec::new() })
    }

    /// The address that clients take for the server's.
    pub(super) fn address(&self) -> io::Result<SocketAddr> {
        self.front.local_addr()
    }

    pub(super) fn set_server(&mut self, server: SocketAddr) {
        self.server = Some(server);
    }

    /// Forgets through which ports the clients talk: their next datagrams come from others, and they do not know.
    pub fn forget_ports(&mut self) {
        self.mappings.clear();
    }

    /// Passes on what waits. A datagram that cannot be sent is lost, as on any network.
    pub(super) fn poll(&mut self) -> io::Result<()> {
        let mut buffer = [0; DATAGRAM_BYTES_MAX];
        while let Some((len, client)) = receive(&self.front, &mut buffer) {
            let is_open = self.is_open;
            let server = self.server;
            let back = self.back_of(client)?;
            if let (true, Some(server)) = (is_open, server) {
                drop(back.send_to(&buffer[..len], server));
            }
        }
        for mapping in &self.mappings {
            while let Some((len, _)) = receive(&mapping.back, &mut buffer) {
                if self.is_open {
                    drop(self.front.send_to(&buffer[..len], mapping.client));
                }
            }
        }
        Ok(())
    }

    fn back_of(&mut self, client: SocketAddr) -> io::Result<&UdpSocket> {
        let known = self.mappings.iter().position(|mapping| mapping.client == client);
        let place = known.unwrap_or(self.mappings.len());
        if known.is_none() {
            self.mappings.push(Mapping { client, back: bind()? });
        }
        Ok(&self.mappings[place].back)
    }
}

fn bind() -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind(LOOPBACK)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// The next datagram that waits; an error is taken for none.
fn receive(socket: &UdpSocket, buffer: &mut [u8]) -> Option<(usize, SocketAddr)> {
    socket.recv_from(buffer).ok()
}
