//! What somebody sees who stands beside everybody.

use rejoin::{Verdict, client};

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

/// Who read a datagram: a memory of what it read before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Receiver {
    /// The server, over all its starts.
    Server,
    /// A client's process, by its number.
    Client(usize),
}

impl From<Verdict> for Fate {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Accepted(_) => Self::Taken,
            Verdict::Answered => Self::Answered,
            Verdict::Dropped(_) => Self::Dropped,
        }
    }
}

impl From<client::Verdict> for Fate {
    fn from(verdict: client::Verdict) -> Self {
        match verdict {
            client::Verdict::Accepted => Self::Taken,
            client::Verdict::Dropped(_) => Self::Dropped,
        }
    }
}

/// One datagram at one end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Observation {
    /// It left an end, even if its network is down.
    Sent(Datagram),
    /// It was read by one.
    Received(Receiver, Datagram, Fate),
}
