//! The UDP socket of those implementations that leave sockets to their user.

use std::{
    io::{self, ErrorKind},
    net::{SocketAddr, UdpSocket},
};

/// A non-blocking socket and the address it is bound to.
#[derive(Debug)]
pub(super) struct Socket {
    socket: UdpSocket,
    local_addr: SocketAddr,
}

impl Socket {
    pub(super) fn bind(addr: SocketAddr) -> io::Result<Self> {
        let socket = UdpSocket::bind(addr)?;
        socket.set_nonblocking(true)?;
        let local_addr = socket.local_addr()?;
        Ok(Self { socket, local_addr })
    }

    pub(super) fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Sends one datagram. A failure counts as loss: netcode repeats what matters.
    pub(super) fn send(&self, datagram: &[u8], to: SocketAddr) {
        drop(self.socket.send_to(datagram, to));
    }

    /// The next datagram waiting: its size in `buffer`, and its sender.
    pub(super) fn receive(&self, buffer: &mut [u8]) -> Option<(usize, SocketAddr)> {
        loop {
            match self.socket.recv_from(buffer) {
                Ok(received) => return Some(received),
                // Some systems report here that an earlier datagram found nobody at its destination.
                Err(error) if matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::Interrupted) => {
                }
                Err(_) => return None,
            }
        }
    }
}
