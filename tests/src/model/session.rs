//! What there is to know of one session.

use std::net::SocketAddr;
use std::time::Duration;

use rejoin::lifecycle::SessionState;
use rejoin::{ClientId, SessionId, Timestamp};

use super::clock::Deadline;
use super::trial::Trial;

/// One of the tokens that were shown, by the key that its holder seals with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TokenId(pub(super) usize);

/// What a token that was shown says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) id: TokenId,
    pub(super) client_id: ClientId,
    pub(super) origin: Origin,
}

/// Whose token it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// The backend's: for whoever logs in, who may be silent for so long.
    Backend { timeout_s: i32 },
    /// The server's own: for the player of a session that comes back to it. Each generation counts once, and makes those below void.
    Resume { session: SessionId, generation: u64 },
}

/// Where a peer is, and what it seals with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Path {
    pub(super) address: SocketAddr,
    pub(super) token: TokenId,
    /// The highest sequence so far: a packet below it says nothing about the present.
    pub(super) newest: Option<u64>,
}

impl Path {
    pub(super) const fn new(address: SocketAddr, token: TokenId) -> Self {
        Self { address, token, newest: None }
    }

    /// A packet with this sequence was opened; says whether it is the newest.
    pub(super) fn note(&mut self, sequence: u64) -> bool {
        let is_newest = self.newest.is_none_or(|newest| newest < sequence);
        self.newest = self.newest.max(Some(sequence));
        is_newest
    }
}

/// A completed handshake that would take a session over, and waits for its first packet.
#[derive(Clone, Debug)]
pub(super) struct Attempt {
    pub(super) path: Path,
    pub(super) origin: Origin,
    pub(super) deadline: Deadline,
    pub(super) newest_response: u64,
    /// Whether `ReconnectStarted` was told of it.
    pub(super) is_announced: bool,
}

/// A session that has not ended.
#[derive(Clone, Debug)]
pub(super) struct Session {
    pub(super) client_id: ClientId,
    pub(super) state: SessionState,
    pub(super) since: Timestamp,
    pub(super) timeout_micros: u64,
    pub(super) path: Path,
    /// Whether anything has come on the path.
    pub(super) is_confirmed: bool,
    /// Another port that its packets come from.
    pub(super) trial: Option<Trial>,
    /// As the server said after the last step that touched it.
    pub(super) round_trip: Option<Duration>,
    pub(super) attempt: Option<Attempt>,
    pub(super) last_live: Timestamp,
    /// When it counts as silent, when it must be logged in, and when it has been away for too long.
    pub(super) silence: Deadline,
    pub(super) login: Deadline,
    pub(super) window: Option<Deadline>,
    pub(super) away_since: Option<Timestamp>,
    pub(super) logins: u32,
    /// The highest generation of its resume tokens that opened a handshake.
    pub(super) spent: u64,
    /// The highest one whose handshake was confirmed.
    pub(super) confirmed: u64,
    /// When another process took its living path lately.
    pub(super) take_overs: Vec<Timestamp>,
    pub(super) violations: u32,
}

impl Session {
    /// Whether the handshake that began it was made from here and waits for its first packet.
    pub(super) fn waits_at(&self, address: SocketAddr) -> bool {
        !self.is_confirmed && self.path.address == address
    }

    /// The attempt that was made from here.
    pub(super) fn attempt_at(&mut self, address: SocketAddr) -> Option<&mut Attempt> {
        self.attempt.as_mut().filter(|attempt| attempt.path.address == address)
    }
}
