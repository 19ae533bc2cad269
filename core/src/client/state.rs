//! Where a client stands.

/// The state of a [`ClientSession`](super::ClientSession).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ClientState {
    /// No server has let the client in yet.
    Connecting,
    /// The server knows the client. Where payloads are raw this is the working state; otherwise nobody is logged in yet.
    Connected,
    /// Logged in, and the path is alive.
    LoggedIn,
    /// Logged in, but the path is lost; the client is on its way back.
    Away,
    /// It is over.
    Disconnected,
}

impl ClientState {
    /// Whether the player is logged in: with a live path or on the way back.
    #[must_use]
    pub const fn is_logged_in(self) -> bool {
        matches!(self, Self::LoggedIn | Self::Away)
    }
}
