//! What became of a datagram.

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
    /// A payload that breaks the protocol (P5).
    Violation,
    /// The event queue has no room for a payload; its sender will repeat what was reliable.
    EventsFull,
    /// The session has ended.
    Ended,
}
