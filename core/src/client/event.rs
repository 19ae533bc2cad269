//! What a client tells its application.

use alloc::vec::Vec;
use core::net::SocketAddr;

use crate::Timestamp;
use crate::event::Continuity;
use crate::farewell::goodbye_code;
use crate::queue::ByteQueue;

/// Something that happened, in the order it happened. Bytes that belong to it come in the buffer given to `poll_event`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientEvent {
    /// The server knows the client. Comes once.
    Connected {
        /// Whether the server waits for [`login`](super::ClientSession::login). Otherwise the token is the login.
        login_explicit: bool,
    },
    /// The player is logged in. Comes once; never where payloads are raw.
    LoggedIn,
    /// The application of the server refused a login. Its words, in UTF-8, are in the buffer.
    LoginRejected {
        /// Its code for the cause.
        code: u64,
        /// How many more attempts it allows.
        attempts_left: u64,
    },
    /// A message of a reliable lane, exactly once and in the order of its lane, unless that is the one without order. Its bytes are in the buffer.
    Message {
        /// The lane it came on.
        lane: u8,
    },
    /// An unreliable message, or a payload where payloads are raw. Its bytes are in the buffer.
    Datagram,
    /// A latest-wins value, newer than any before of its key. Its bytes are in the buffer; there may be none.
    Latest {
        /// The key it belongs to.
        key: u16,
    },
    /// A newer state than any before (P45). Its bytes are in the buffer.
    State {
        /// The tick it shows.
        server_tick: u64,
        /// The highest move tick the server had accepted.
        acknowledged: Option<u64>,
    },
    /// Nothing has come through from the server for too long. A client with resume tokens has been looking for a way back for a while: one
    /// that is found soon enough makes this event needless.
    PathLost,
    /// The way to the server is open again.
    Reconnected {
        /// Whether the lanes go on where they were.
        continuity: Continuity,
    },
    /// The server takes its leave: it lets nobody in any more, and may end the session (P80). Comes once for each announcement, and as the
    /// first thing to a process that resumed a session. The client stays where it is: to go is the application's to decide.
    ServerDraining {
        /// When the server ends whoever is left; `None` if it does not.
        deadline: Option<Timestamp>,
        /// The code of the server's host for the cause.
        code: u32,
        /// Where the server says that players may go instead, which takes a connect token of the backend for that address.
        other_address: Option<SocketAddr>,
    },
    /// It is over. Comes exactly once, and nothing comes after it. With `Host` come the host's own bytes.
    Disconnected {
        /// Why.
        reason: ClientDisconnectReason,
    },
}

/// Why a client's session ended; [`next_step`](Self::next_step) says what to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ClientDisconnectReason {
    /// The application called `disconnect`.
    Left,
    /// Every server refused the connect token.
    Denied,
    /// The connect token expired before a server let the client in.
    TokenExpired,
    /// No server answered, or a session that cannot be resumed fell silent.
    TimedOut,
    /// The server keeps no session for the resume token any more (P65), or no usable token is left: a new one of the backend is needed.
    SessionGone,
    /// The reconnect window ended before a way back was found.
    ReconnectExpired,
    /// The server ended the connection without saying why.
    Closed,
    /// The application of the server ended the session; its own bytes are in the buffer.
    Host,
    /// The server shut down.
    Shutdown,
    /// The login attempts are used up.
    LoginRefused,
    /// Nobody logged in in time.
    LoginTimeout,
    /// A newer session of the same identity took this one's place. Coming back by itself would fight over it (P64).
    Superseded,
    /// The server counted too many protocol violations.
    ProtocolViolation,
    /// Two holders of the session's tokens fought over it (P64).
    Contested,
    /// The server drained, and its deadline came.
    Drained,
}

impl ClientDisconnectReason {
    /// What a goodbye code of the server means (P8).
    pub(super) const fn from_goodbye(code: u8) -> Self {
        match code {
            goodbye_code::SHUTDOWN => Self::Shutdown,
            goodbye_code::LOGIN_REFUSED => Self::LoginRefused,
            goodbye_code::LOGIN_TIMEOUT => Self::LoginTimeout,
            goodbye_code::SUPERSEDED => Self::Superseded,
            goodbye_code::PROTOCOL_VIOLATION => Self::ProtocolViolation,
            goodbye_code::CONTESTED => Self::Contested,
            goodbye_code::RECONNECT_EXPIRED => Self::ReconnectExpired,
            goodbye_code::DRAINED => Self::Drained,
            _ => Self::Host,
        }
    }
}

/// What an event without bytes counts for in the bound of the queue.
const EVENT_BYTES: usize = 64;

/// The events that wait for the application.
///
/// Payloads are refused while it is above its bound, and each brings at most one packet and what the lanes hold back. Everything else
/// that makes an event needs a payload or happens once, so the queue stays bounded without dropping anything.
#[derive(Debug)]
pub(super) struct EventQueue {
    events: ByteQueue<ClientEvent>,
    overhead_bytes: usize,
    bytes_max: usize,
}

impl EventQueue {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self { events: ByteQueue::default(), overhead_bytes: 0, bytes_max }
    }

    pub(super) fn push(&mut self, event: ClientEvent, bytes: &[u8]) {
        self.overhead_bytes += EVENT_BYTES;
        self.events.push(event, bytes);
    }

    pub(super) fn pop(&mut self, bytes: &mut Vec<u8>) -> Option<ClientEvent> {
        let event = self.events.pop(bytes)?;
        self.overhead_bytes -= EVENT_BYTES;
        Some(event)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Whether no further payload may be taken.
    pub(super) fn is_full(&self) -> bool {
        self.events.bytes_len() + self.overhead_bytes >= self.bytes_max
    }
}
