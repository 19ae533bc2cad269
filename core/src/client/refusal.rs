//! Why a send of the application was refused, as it is counted.

use super::error::ClientSendError;

/// Why a message, value or move was not queued: the kind of a [`ClientSendError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ClientSendRefusal {
    /// The server has not let the client in yet, or the session has ended; where payloads are raw.
    NotConnected,
    /// Nobody is logged in, or the session has ended; where payloads are framed.
    NotLoggedIn,
    /// It is empty, or larger than its kind or the server allows.
    Size,
    /// There is no such key.
    NoSuchKey,
    /// What the server has not acknowledged leaves no room.
    Full,
    /// There is no such lane.
    NoSuchLane,
    /// Payloads are raw, and it needs frames.
    FramedOnly,
    /// The tick of a move is not above the one before, or not above what the server has seen.
    StaleTick,
}

impl ClientSendRefusal {
    /// All causes, in the order of their declaration.
    pub const ALL: [Self; 8] = [
        Self::NotConnected,
        Self::NotLoggedIn,
        Self::Size,
        Self::NoSuchKey,
        Self::Full,
        Self::NoSuchLane,
        Self::FramedOnly,
        Self::StaleTick,
    ];
}

impl From<ClientSendError> for ClientSendRefusal {
    fn from(error: ClientSendError) -> Self {
        match error {
            ClientSendError::NotConnected => Self::NotConnected,
            ClientSendError::NotLoggedIn => Self::NotLoggedIn,
            ClientSendError::Size => Self::Size,
            ClientSendError::NoSuchKey => Self::NoSuchKey,
            ClientSendError::Full { .. } => Self::Full,
            ClientSendError::NoSuchLane => Self::NoSuchLane,
            ClientSendError::FramedOnly => Self::FramedOnly,
            ClientSendError::StaleTick => Self::StaleTick,
        }
    }
}
