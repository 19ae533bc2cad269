//! One UDP socket, and what its errors mean.

mod bind;
mod fault;
#[cfg(test)]
mod tests;

use std::io;
use std::net::SocketAddr;

use mio::event::Source;
use mio::{Interest, Registry, Token};
use socket2::SockRef;

pub use self::bind::BindError;
pub use self::fault::SocketFault;
use self::fault::{Classified, classify};
use crate::address;

/// A non-blocking UDP socket for a [`mio::Poll`], whose errors never end the loop that uses it.
///
/// Addresses go in and out in one form: an IPv4 peer is an IPv4 address, also on a dual-stack socket. Readiness is edge-triggered: after
/// an event, receive until [`Received::Drained`] or remember that the socket may hold more.
#[derive(Debug)]
pub struct Socket {
    inner: mio::net::UdpSocket,
    local_address: SocketAddr,
    dual_stack: bool,
    counters: SocketCounters,
}

/// What one attempt to receive came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// A datagram, possibly of zero bytes; its first `bytes` are in the buffer.
    Datagram {
        /// How many bytes of the buffer it fills. One that is longer than the buffer is cut to it.
        bytes: usize,
        /// Who sent it.
        from: SocketAddr,
    },
    /// Nothing waits: the next event tells when something does.
    Drained,
    /// An error that was counted. There may be more to receive.
    Fault(SocketFault),
}

/// What one attempt to send came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// The kernel took it.
    Whole,
    /// The kernel has no room: keep the datagram and ask for [`Interest::WRITABLE`].
    Blocked,
    /// An error that was counted. The datagram is gone, as if the network had lost it.
    Fault(SocketFault),
}

/// What went through a socket since it was bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SocketCounters {
    /// Datagrams received.
    pub datagrams_received: u64,
    /// Bytes in them, without IP and UDP headers.
    pub bytes_received: u64,
    /// Datagrams the kernel took.
    pub datagrams_sent: u64,
    /// Bytes in them, without IP and UDP headers.
    pub bytes_sent: u64,
    /// How often the kernel had no room for a datagram that was then kept.
    pub sends_blocked: u64,
    /// Errors while receiving, in the order of [`SocketFault::ALL`].
    pub receive_faults: [u64; SocketFault::ALL.len()],
    /// Errors while sending, in the order of [`SocketFault::ALL`].
    pub send_faults: [u64; SocketFault::ALL.len()],
}

impl SocketCounters {
    /// Adds what went through another socket.
    pub(crate) fn add(&mut self, other: &Self) {
        self.datagrams_received += other.datagrams_received;
        self.bytes_received += other.bytes_received;
        self.datagrams_sent += other.datagrams_sent;
        self.bytes_sent += other.bytes_sent;
        self.sends_blocked += other.sends_blocked;
        for (total, more) in self.receive_faults.iter_mut().zip(other.receive_faults) {
            *total += more;
        }
        for (total, more) in self.send_faults.iter_mut().zip(other.send_faults) {
            *total += more;
        }
    }
}

impl Socket {
    /// Opens a socket and binds it. Port 0 takes a free one; [`local_address`](Self::local_address) tells which.
    ///
    /// The IPv6 wildcard `[::]` receives IPv4 too, on every operating system.
    pub fn bind(address: SocketAddr) -> Result<Self, BindError> {
        Self::bind_as(address, is_ipv6_wildcard(address))
    }

    /// The same for the families one by one: `[::]` receives IPv6 alone and leaves `0.0.0.0` of the same port to another socket.
    pub fn bind_one_family(address: SocketAddr) -> Result<Self, BindError> {
        Self::bind_as(address, false)
    }

    fn bind_as(address: SocketAddr, dual_stack: bool) -> Result<Self, BindError> {
        let (inner, local_address) =
            bind::open(address, dual_stack).map_err(|source| BindError::new(address, source))?;
        Ok(Self { inner, local_address, dual_stack, counters: SocketCounters::default() })
    }

    /// Asks the kernel for this much room for waiting datagrams in each direction; it may grant less.
    pub fn request_buffer_bytes(&self, bytes: usize) {
        let socket = SockRef::from(&self.inner);
        for granted in [socket.set_recv_buffer_size(bytes), socket.set_send_buffer_size(bytes)] {
            if let Err(error) = granted {
                log::debug!("{}: the kernel keeps its socket buffer size: {error}", self.local_address);
            }
        }
    }

    /// The address it is bound to, with the real port.
    #[must_use]
    pub fn local_address(&self) -> SocketAddr {
        self.local_address
    }

    /// Whether a datagram for `to` can leave by this socket, judged by its family.
    #[must_use]
    pub fn reaches(&self, to: SocketAddr) -> bool {
        self.dual_stack || to.is_ipv4() == self.local_address.is_ipv4()
    }

    /// What went through it since it was bound.
    #[must_use]
    pub fn counters(&self) -> &SocketCounters {
        &self.counters
    }

    /// Takes one waiting datagram.
    ///
    /// Give it a buffer larger than any datagram you accept, so that one that was cut is seen to be too long.
    pub fn receive(&mut self, buffer: &mut [u8]) -> Received {
        loop {
            match self.inner.recv_from(buffer) {
                Ok((bytes, from)) => {
                    self.counters.datagrams_received += 1;
                    self.counters.bytes_received += bytes as u64;
                    return Received::Datagram { bytes, from: address::from_kernel(from) };
                }
                Err(error) => match classify(&error) {
                    Classified::Blocked => return Received::Drained,
                    Classified::Interrupted => {}
                    Classified::Fault(fault) => {
                        self.counters.receive_faults[fault as usize] += 1;
                        return Received::Fault(fault);
                    }
                },
            }
        }
    }

    /// Sends one datagram.
    pub fn send(&mut self, to: SocketAddr, datagram: &[u8]) -> Sent {
        let kernel_address = if self.dual_stack { address::for_ipv6_socket(to) } else { to };
        loop {
            match self.inner.send_to(datagram, kernel_address) {
                Ok(_) => {
                    self.counters.datagrams_sent += 1;
                    self.counters.bytes_sent += datagram.len() as u64;
                    return Sent::Whole;
                }
                Err(error) => match classify(&error) {
                    Classified::Blocked => {
                        self.counters.sends_blocked += 1;
                        return Sent::Blocked;
                    }
                    Classified::Interrupted => {}
                    Classified::Fault(fault) => {
                        self.counters.send_faults[fault as usize] += 1;
                        return Sent::Fault(fault);
                    }
                },
            }
        }
    }
}

#[cfg(test)]
impl Socket {
    /// One whose every attempt to receive is an error: a socket that listens for TCP has no datagrams.
    pub(crate) fn failing() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.set_nonblocking(true).expect("a socket option");
        let local_address = listener.local_addr().expect("a bound socket");
        let inner = std::net::UdpSocket::from(std::os::fd::OwnedFd::from(listener));
        let inner = mio::net::UdpSocket::from_std(inner);
        Self { inner, local_address, dual_stack: false, counters: SocketCounters::default() }
    }
}

impl Source for Socket {
    fn register(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        self.inner.register(registry, token, interests)
    }

    fn reregister(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        self.inner.reregister(registry, token, interests)
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        self.inner.deregister(registry)
    }
}

/// Whether it is `[::]`, the one address that two families can share.
pub(crate) fn is_ipv6_wildcard(address: SocketAddr) -> bool {
    address.is_ipv6() && address.ip().is_unspecified()
}
