//! What became of a datagram.

use crate::Violation;

/// The answer to `handle_datagram`. Bytes from the network are never an error of the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It belongs to this session and was new.
    Accepted,
    /// It did nothing.
    Dropped(DropReason),
}

/// Why a datagram did nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum DropReason {
    /// Not the shape of any sealed netcode packet.
    Malformed,
    /// A packet type that only a client sends.
    WrongDirection,
    /// From an address that is no server in use.
    UnknownAddress,
    /// A packet type that means nothing in the present state (netcode standard, section Client State Machine).
    Unexpected,
    /// It does not open under the keys in use.
    Unopened,
    /// It was received before, or is too old to tell.
    Replayed,
    /// A payload before the first welcome of its key epoch (P22).
    BeforeWelcome,
    /// A welcome of another version, or to another hello.
    BadWelcome,
    /// A payload that breaks the protocol (P5); the counters say how.
    Violation,
    /// The event queue has no room for a payload; its sender will repeat what was reliable.
    EventsFull,
    /// The session has ended.
    Ended,
}

impl DropReason {
    /// All causes, in the order of their declaration.
    pub const ALL: [Self; 11] = [
        Self::Malformed,
        Self::WrongDirection,
        Self::UnknownAddress,
        Self::Unexpected,
        Self::Unopened,
        Self::Replayed,
        Self::BeforeWelcome,
        Self::BadWelcome,
        Self::Violation,
        Self::EventsFull,
        Self::Ended,
    ];
}

/// Why a datagram did nothing, and if it broke the protocol, how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    Dropped(DropReason),
    Violation(Violation),
}

impl Refusal {
    /// The cause as the host is told.
    pub(super) const fn reason(self) -> DropReason {
        match self {
            Self::Dropped(reason) => reason,
            Self::Violation(_) => DropReason::Violation,
        }
    }
}

impl From<DropReason> for Refusal {
    fn from(reason: DropReason) -> Self {
        Self::Dropped(reason)
    }
}

impl From<Violation> for Refusal {
    fn from(violation: Violation) -> Self {
        Self::Violation(violation)
    }
}
