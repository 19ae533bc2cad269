//! What the core tells the application.

use crate::lifecycle::{Cause, LifecycleEventKind, SessionState};
use crate::{ClientId, SessionId, Timestamp, Violation};

/// Something that happened, in the order it happened. Small and `Copy`; bytes that belong to it come in the buffer given to
/// `poll_event`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A session changed its state. Never dropped. With `TransportConnected` come the token's 256 bytes of user data, also with
    /// a `Reconnected` that a backend token brought about; with `LoginStarted` the credential the peer sent (empty where the token is the login).
    Lifecycle(LifecycleEvent),
    /// A message of a reliable lane, exactly once and in the order of its lane, unless that is the one without order. Its bytes are in the buffer.
    Message {
        /// The session it came from.
        session: SessionId,
        /// The lane it came on.
        lane: u8,
    },
    /// An unreliable message, or a payload where payloads are raw. Its bytes are in the buffer.
    Datagram {
        /// The session it came from.
        session: SessionId,
    },
    /// A latest-wins value, newer than any before of its key. Its bytes are in the buffer; there may be none.
    Latest {
        /// The session it came from.
        session: SessionId,
        /// The key it belongs to.
        key: u16,
    },
    /// An accepted move input: each tick once, ascending. Its bytes are in the buffer.
    Move {
        /// The session it came from.
        session: SessionId,
        /// Its tick.
        tick: u64,
    },
    /// A heartbeat left for this session. Only where `Config::heartbeat_events` is set.
    HeartbeatSent {
        /// The session.
        session: SessionId,
        /// When.
        at: Timestamp,
    },
    /// A heartbeat of this session arrived. Only where `Config::heartbeat_events` is set.
    HeartbeatReceived {
        /// The session.
        session: SessionId,
        /// When.
        at: Timestamp,
    },
    /// A resume token was presented again after its successor had been confirmed: somebody may hold a copy. It opened nothing. Told once,
    /// if the queue has room; where it has none, when the token comes the next time.
    TokenReuse {
        /// The session the token belongs to.
        session: SessionId,
        /// The generation presented.
        generation: u64,
    },
    /// The server has taken its leave ([`drain`](crate::MultiSessionManager::drain) or
    /// [`shutdown`](crate::MultiSessionManager::shutdown)) and nobody is left: every session has ended, and this comes after the
    /// `Disconnected` of the last. Told once, never dropped.
    Drained {
        /// When.
        at: Timestamp,
        /// How many sessions the deadline or the shutdown ended; the others had ended by themselves.
        ended: u32,
    },
    /// The path of a session goes by another port of the same IP address, because a router gave its player a new one, and the session
    /// has followed. Told once for each move, never dropped: before it was polled, the session does not follow to yet another port.
    PathMoved {
        /// The session.
        session: SessionId,
        /// When.
        at: Timestamp,
        /// The port that its packets went to until now.
        from_port: u16,
        /// The port that they go to.
        to_port: u16,
    },
    /// The host came back later than the core had asked for; deadlines were shifted by as much, within the configured cap.
    Stalled {
        /// How late, in milliseconds.
        late_ms: u64,
    },
}

impl Event {
    /// The session it is about.
    pub(crate) const fn session(&self) -> Option<SessionId> {
        match *self {
            Self::Lifecycle(LifecycleEvent { session, .. })
            | Self::Message { session, .. }
            | Self::Datagram { session }
            | Self::Latest { session, .. }
            | Self::Move { session, .. }
            | Self::HeartbeatSent { session, .. }
            | Self::HeartbeatReceived { session, .. }
            | Self::TokenReuse { session, .. }
            | Self::PathMoved { session, .. } => Some(session),
            Self::Stalled { .. } | Self::Drained { .. } => None,
        }
    }
}

/// One transition of one session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LifecycleEvent {
    /// The session.
    pub session: SessionId,
    /// Its identity.
    pub client_id: ClientId,
    /// What happened.
    pub kind: LifecycleEventKind,
    /// The state before; `None` for the first event of a session.
    pub previous: Option<SessionState>,
    /// The state after.
    pub current: SessionState,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub cause: Cause,
    /// For `Reconnected`: whether the lanes go on where they were.
    pub continuity: Option<Continuity>,
    /// For the end of a session that broke the protocol too often: how it did so last.
    pub violation: Option<Violation>,
}

/// Whether messages go on across a reconnect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Continuity {
    /// Nothing was lost: what was unacknowledged is sent again, and nothing arrives twice.
    Kept,
    /// The peer lost its memory: lanes begin afresh on both ends, and what was queued is gone.
    Restarted,
}
