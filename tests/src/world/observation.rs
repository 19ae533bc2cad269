//! What somebody sees who stands beside everybody.

use super::Datagram;

/// What a host did with a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It belonged to a session and was new.
    Taken,
    /// It was part of a handshake that goes on.
    Answered,
    /// Nothing came of it.
    Dropped,
}

/// One datagram at one end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Observation {
    /// It left an end, even if its network is down.
    Sent(Datagram),
    /// It was read by one.
    Received(Datagram, Fate),
}
