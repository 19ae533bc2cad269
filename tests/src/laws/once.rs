//! The law of replays: a receiver takes a sealed packet of a session at most once.
//!
//! The server is one receiver, over all its starts. A process of a client is one: where another one had the same token before, it has the
//! same keys and no memory, so it may take for a sign of life what the other one was sent. Nothing comes of that: the welcome names its process.

use std::collections::HashSet;

use super::{Violation, ensure};
use crate::netcode::{header, seal_of};
use crate::world::Receiver;

/// Every packet that was taken, by its seal.
#[derive(Clone, Debug, Default)]
pub struct TakenOnce {
    taken: HashSet<(Receiver, u64)>,
}

impl TakenOnce {
    /// A receiver took a datagram for one of its session, and for new.
    pub fn taken(&mut self, receiver: Receiver, datagram: &[u8]) -> Result<(), Violation> {
        // Handshake packets come again by design.
        let Some((kind, sequence, _)) = header(datagram).filter(|(kind, ..)| *kind >= 4) else {
            return Ok(());
        };
        let is_new = self.taken.insert((receiver, seal_of(datagram)));
        ensure(is_new, || format!("{receiver:?} took a packet of kind {kind}, sequence {sequence}, twice"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_that_is_taken_twice_is_caught_and_handshakes_may_come_again() {
        let (server, client) = (Receiver::Server, Receiver::Client(1));
        let mut once = TakenOnce::default();
        assert_eq!(once.taken(server, b"\x15\x01a payload"), Ok(()));
        assert_eq!(once.taken(client, b"\x15\x02another!"), Ok(()));
        assert!(once.taken(server, b"\x15\x01a payload").is_err());
        assert!(once.taken(client, b"\x15\x02another!").is_err());
        assert_eq!(once.taken(Receiver::Client(2), b"\x15\x02another!"), Ok(()));
        assert_eq!(once.taken(server, b"\x13\x01response"), Ok(()));
        assert_eq!(once.taken(server, b"\x13\x01response"), Ok(()));
    }
}
