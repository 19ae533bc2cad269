//! The law of replays: a sealed packet of a session is taken at most once, by whomever, over restarts of the server.

use std::collections::HashSet;
use std::net::SocketAddr;

use super::{Violation, ensure};
use crate::netcode::{header, seal_of};

/// Every packet that was taken, by its seal.
#[derive(Clone, Debug, Default)]
pub struct TakenOnce {
    taken: HashSet<u64>,
}

impl TakenOnce {
    /// The receiver at this address took a datagram for one of its session, and for new.
    pub fn taken(&mut self, to: SocketAddr, datagram: &[u8]) -> Result<(), Violation> {
        // Handshake packets come again by design.
        let Some((kind, sequence, _)) = header(datagram).filter(|(kind, ..)| *kind >= 4) else {
            return Ok(());
        };
        let is_new = self.taken.insert(seal_of(datagram));
        ensure(is_new, || format!("{to} took a packet of kind {kind}, sequence {sequence}, twice"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_that_is_taken_twice_is_caught_and_handshakes_may_come_again() {
        let (here, there) = (SocketAddr::from(([192, 0, 2, 1], 1)), SocketAddr::from(([192, 0, 2, 1], 2)));
        let mut once = TakenOnce::default();
        assert_eq!(once.taken(here, b"\x15\x01a payload"), Ok(()));
        assert_eq!(once.taken(here, b"\x15\x02another!"), Ok(()));
        assert!(once.taken(here, b"\x15\x01a payload").is_err());
        assert!(once.taken(there, b"\x15\x02another!").is_err());
        assert_eq!(once.taken(here, b"\x13\x01response"), Ok(()));
        assert_eq!(once.taken(here, b"\x13\x01response"), Ok(()));
    }
}
