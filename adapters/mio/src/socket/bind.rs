//! Opening a socket, and saying in words why it could not be opened.

use std::error::Error;
use std::fmt;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use socket2::{Domain, Protocol, Type};

/// Why a socket could not be opened on an address.
#[derive(Debug)]
pub struct BindError {
    address: SocketAddr,
    source: io::Error,
}

impl BindError {
    pub(crate) fn new(address: SocketAddr, source: io::Error) -> Self {
        Self { address, source }
    }

    /// The address that was asked for.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot bind {}: ", self.address)?;
        match self.source.kind() {
            ErrorKind::AddrInUse => f.write_str("the port is in use by another program"),
            ErrorKind::AddrNotAvailable => f.write_str("this machine has no such address"),
            ErrorKind::PermissionDenied => {
                f.write_str("this process may not use that port, try one above 1023")
            }
            _ if self.source.raw_os_error() == Some(libc::EMFILE) => {
                f.write_str("this process may not open more files, `ulimit -n` shows and sets how many")
            }
            _ => self.source.fmt(f),
        }
    }
}

impl Error for BindError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.source)
    }
}

/// A non-blocking socket on this address, and the address with the port it really got.
pub(super) fn open(address: SocketAddr, dual_stack: bool) -> io::Result<(mio::net::UdpSocket, SocketAddr)> {
    let socket = socket2::Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        // The default differs between operating systems.
        socket.set_only_v6(!dual_stack)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    let socket = std::net::UdpSocket::from(socket);
    let local_address = socket.local_addr()?;
    Ok((mio::net::UdpSocket::from_std(socket), local_address))
}
