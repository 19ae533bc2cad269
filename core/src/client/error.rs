//! The mistakes that callers can make, one kind per operation.

use core::fmt;

use super::config::ClientConfigError;
use crate::netcode::TokenError;

/// Why a session cannot begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientError {
    /// A setting is outside its range.
    Config(ClientConfigError),
    /// The connect token expired long ago.
    TokenExpired,
}

/// Why saved bytes cannot resume a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SavedError {
    /// A setting is outside its range.
    Config(ClientConfigError),
    /// Payloads are raw: there is no way back to such a session.
    RawPayloads,
    /// Not the saved form of a session, or cut short.
    Malformed,
    /// Saved by a version of this library whose form is another.
    Version(u8),
    /// A token inside is malformed.
    Token(TokenError),
    /// Every token inside expired long ago.
    TokenExpired,
}

/// Why a message or move was not queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientSendError {
    /// The server has not let the client in yet, or the session has ended. Only where payloads are raw.
    NotConnected,
    /// Nobody is logged in, or the session has ended. Only where payloads are framed.
    NotLoggedIn,
    /// The message is empty, or larger than its kind or the server allows.
    Size,
    /// There is no such key: the server has fewer.
    NoSuchKey,
    /// The lane's queue is full, or the values that are not acknowledged leave no room.
    Full {
        /// How many bytes of what it keeps, a lane the oldest first, the server has to acknowledge before there is room.
        bytes_to_acknowledge: usize,
    },
    /// There is no such lane: `ClientConfig::ordered_lanes` says how many there are.
    NoSuchLane,
    /// Payloads are raw, and such have neither lanes, keys nor moves.
    FramedOnly,
    /// The tick is not above that of the move before, or not above what the server has seen already.
    StaleTick,
}

/// Why a login cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientLoginError {
    /// The player is logged in already.
    AlreadyLoggedIn,
    /// The attempt before has not been answered yet.
    Pending,
    /// The credential is larger than 1,024 bytes.
    Size,
    /// Payloads are raw: the token is the login.
    FramedOnly,
    /// The session has ended.
    Disconnected,
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(error) => error.fmt(f),
            Self::TokenExpired => f.write_str("the connect token has expired"),
        }
    }
}

impl fmt::Display for SavedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(error) => error.fmt(f),
            Self::RawPayloads => f.write_str("a session with raw payloads cannot be resumed"),
            Self::Malformed => f.write_str("not the saved form of a session"),
            Self::Version(version) => write!(f, "saved in form {version}, which is unknown"),
            Self::Token(error) => write!(f, "a saved token is malformed: {error}"),
            Self::TokenExpired => f.write_str("every saved token has expired"),
        }
    }
}

impl fmt::Display for ClientSendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotConnected => "not connected",
            Self::NotLoggedIn => "not logged in",
            Self::Size => "the message is empty or larger than its kind allows",
            Self::Full { .. } => "the queue is full",
            Self::NoSuchLane => "there is no such lane",
            Self::NoSuchKey => "there is no such key",
            Self::FramedOnly => "raw payloads have neither lanes, keys nor moves",
            Self::StaleTick => "the tick is not above those before",
        })
    }
}

impl fmt::Display for ClientLoginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AlreadyLoggedIn => "already logged in",
            Self::Pending => "the attempt before is not answered yet",
            Self::Size => "the credential is larger than 1,024 bytes",
            Self::FramedOnly => "where payloads are raw the token is the login",
            Self::Disconnected => "the session has ended",
        })
    }
}

impl core::error::Error for ClientError {}
impl core::error::Error for SavedError {}
impl core::error::Error for ClientSendError {}
impl core::error::Error for ClientLoginError {}
