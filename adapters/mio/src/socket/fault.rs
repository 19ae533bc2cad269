//! What an errno means to a loop that must not end.

use std::io::{self, ErrorKind};

/// An error of a socket operation that concerns one datagram or one peer, never the socket as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum SocketFault {
    /// The other host answered that nobody listens there (an ICMP message, reported at a later call).
    Refused,
    /// There is no way to the network or the host.
    Unreachable,
    /// The kernel has no memory for another datagram.
    NoBuffers,
    /// The datagram is longer than the path or the socket allows.
    TooLong,
    /// A firewall of this machine forbids it.
    Forbidden,
    /// Anything else.
    Other,
}

impl SocketFault {
    /// All of them, in the order of their counters.
    pub const ALL: [Self; 6] =
        [Self::Refused, Self::Unreachable, Self::NoBuffers, Self::TooLong, Self::Forbidden, Self::Other];
}

/// The three things a loop does about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Classified {
    /// Wait for the next event.
    Blocked,
    /// Try again at once.
    Interrupted,
    /// Count it and go on.
    Fault(SocketFault),
}

pub(super) fn classify(error: &io::Error) -> Classified {
    match error.kind() {
        ErrorKind::WouldBlock => Classified::Blocked,
        ErrorKind::Interrupted => Classified::Interrupted,
        kind => Classified::Fault(fault(kind, error.raw_os_error())),
    }
}

fn fault(kind: ErrorKind, errno: Option<i32>) -> SocketFault {
    match kind {
        ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted => {
            SocketFault::Refused
        }
        ErrorKind::HostUnreachable
        | ErrorKind::NetworkUnreachable
        | ErrorKind::NetworkDown
        | ErrorKind::AddrNotAvailable => SocketFault::Unreachable,
        ErrorKind::OutOfMemory => SocketFault::NoBuffers,
        ErrorKind::PermissionDenied => SocketFault::Forbidden,
        // The standard library has no kind for these two.
        _ => match errno {
            Some(libc::ENOBUFS) => SocketFault::NoBuffers,
            Some(libc::EMSGSIZE) => SocketFault::TooLong,
            _ => SocketFault::Other,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classified(errno: i32) -> Classified {
        classify(&io::Error::from_raw_os_error(errno))
    }

    #[test]
    fn only_would_block_ends_a_drain() {
        assert_eq!(classified(libc::EAGAIN), Classified::Blocked);
        assert_eq!(classified(libc::EWOULDBLOCK), Classified::Blocked);
        for errno in (1..=133).filter(|&errno| errno != libc::EAGAIN) {
            assert_ne!(classified(errno), Classified::Blocked, "errno {errno}");
        }
    }

    #[test]
    fn an_interrupted_call_is_made_again() {
        assert_eq!(classified(libc::EINTR), Classified::Interrupted);
    }

    #[test]
    fn each_fault_of_the_network_has_its_counter() {
        let expected = [
            (libc::ECONNREFUSED, SocketFault::Refused),
            (libc::ECONNRESET, SocketFault::Refused),
            (libc::ENETUNREACH, SocketFault::Unreachable),
            (libc::EHOSTUNREACH, SocketFault::Unreachable),
            (libc::ENETDOWN, SocketFault::Unreachable),
            (libc::EADDRNOTAVAIL, SocketFault::Unreachable),
            (libc::ENOBUFS, SocketFault::NoBuffers),
            (libc::ENOMEM, SocketFault::NoBuffers),
            (libc::EMSGSIZE, SocketFault::TooLong),
            (libc::EPERM, SocketFault::Forbidden),
            (libc::EACCES, SocketFault::Forbidden),
            (libc::EINVAL, SocketFault::Other),
            (libc::EAFNOSUPPORT, SocketFault::Other),
        ];
        for (errno, fault) in expected {
            assert_eq!(classified(errno), Classified::Fault(fault), "errno {errno}");
        }
    }

    #[test]
    fn counters_are_in_the_order_of_the_list() {
        for (index, fault) in SocketFault::ALL.into_iter().enumerate() {
            assert_eq!(fault as usize, index);
        }
    }
}
