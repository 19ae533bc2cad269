//! The lifecycle of a session: one pure function, [`step`], and its vocabulary.
//!
//! Nothing else in this crate changes a [`SessionState`]. Whatever happens to a session (a handshake, a login, silence, a way back,
//! a command of the host) is an [`Input`]; `step` says where the session goes, through which states, and which events tell about it.
//!
//! What is *passed through* is never rested in: `TimedOut` always, and `LoginPending` where the token is the login.
//!
//! # The matrix
//!
//! Every pair of state and input, one table per policy. `A → B` is the path taken with the events in parentheses; *stay* means that the
//! input is expected and changes nothing; *ignored* is counted; *refused* is an error to whoever called. The tables are generated from
//! `step` and compared with it by a test.
//!
#![doc = include_str!("lifecycle/matrix.md")]
//!
//! # Two holders of one identity
//!
#![doc = include_str!("lifecycle/holders.md")]

use core::fmt;

/// Where a session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SessionState {
    /// The netcode handshake is complete; nobody has logged in yet.
    TransportConnected,
    /// A login request waits for the application's answer.
    LoginPending,
    /// The player is in the game and its path is alive.
    LoggedIn,
    /// The last login was rejected; the peer may try again.
    LoginFailed,
    /// The peer was silent for too long. Passed through, never rested in.
    TimedOut,
    /// The path is lost and the session is kept for the reconnect window.
    ReconnectPending,
    /// A resume handshake is complete and waits for its first packet under the new keys.
    Reconnecting,
    /// The session is over.
    Disconnected,
}

impl SessionState {
    /// All states, in the order of a session's life.
    pub const ALL: [Self; 8] = [
        Self::TransportConnected,
        Self::LoginPending,
        Self::LoggedIn,
        Self::LoginFailed,
        Self::TimedOut,
        Self::ReconnectPending,
        Self::Reconnecting,
        Self::Disconnected,
    ];

    /// Whether the player has logged in and the session has not ended: with a live path or on its way back.
    #[must_use]
    pub const fn is_logged_in(self) -> bool {
        matches!(self, Self::LoggedIn | Self::ReconnectPending | Self::Reconnecting)
    }

    /// Whether the session waits for its player to come back.
    #[must_use]
    pub const fn is_away(self) -> bool {
        matches!(self, Self::ReconnectPending | Self::Reconnecting)
    }
}

impl fmt::Display for SessionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// Who decides that a player is logged in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LoginPolicy {
    /// The application answers each login request with accept or reject.
    #[default]
    Explicit,
    /// A confirmed handshake with a valid connect token is the login.
    TokenIsLogin,
}

/// What happens when a backend token of an identity that is already logged in is confirmed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DuplicateIdentity {
    /// The newcomer takes over. With an explicit login the old session ends as superseded and the new one logs in; where the token is
    /// the login the session goes on with fresh lanes.
    #[default]
    TakeOver,
    /// The newcomer is denied.
    Reject,
}

/// The parts of the configuration that the lifecycle depends on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LifecyclePolicy {
    /// Who decides that a player is logged in.
    pub login: LoginPolicy,
    /// Whether a session that loses its path is kept for a reconnect window.
    pub reconnect: bool,
    /// What a second login of the same identity does.
    pub duplicate: DuplicateIdentity,
}

/// Why a session ended: the reason of its last event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum DisconnectReason {
    /// The peer said goodbye.
    PeerLeft,
    /// The peer was silent for longer than its timeout and there was nothing to retain.
    TimedOut,
    /// The reconnect window ended before the peer came back.
    ReconnectExpired,
    /// The peer did not log in within the login deadline.
    LoginTimeout,
    /// The peer used up its login attempts.
    LoginRefused,
    /// A newer session of the same identity took its place.
    Superseded,
    /// The host disconnected the peer, with its own reason code.
    Disconnected(u32),
    /// The host banned the identity.
    Banned,
    /// The host removed the session without telling the peer.
    Removed,
    /// The host shut down.
    Shutdown,
    /// The peer broke the protocol more often than is tolerated.
    ProtocolViolation,
    /// Two holders of the identity kept taking over from each other.
    Contested,
    /// Another peer's handshake was confirmed from this session's address and there was nothing to retain.
    PathTaken,
    /// The server drained, and its deadline came.
    Drained,
    /// The player was away for longest when a newcomer needed its place (`Config::at_capacity`).
    PlaceGivenUp,
    /// The session had memory of the pool for messages that it did not complete, while others were refused it (`Config::pool_grant_ms`).
    MemoryHeld,
}

/// Why a transition happened; part of every lifecycle event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// A netcode handshake completed.
    Handshake,
    /// The peer asked to log in.
    LoginRequest,
    /// The application accepted the login.
    Accepted,
    /// The application rejected the login, with its own reason code.
    Rejected(u32),
    /// The confirmed token is the login, by policy.
    TokenIsLogin,
    /// Nothing live arrived for the session's timeout.
    Silence,
    /// Another peer's handshake was confirmed from the session's address.
    PathTaken,
    /// An attempt to come back was not confirmed in time.
    AttemptUnconfirmed,
    /// A resume handshake completed.
    ResumeHandshake,
    /// A live packet arrived on the old path, or the path moved to another port.
    Revived,
    /// A resume handshake was confirmed after the path had been lost.
    Resumed,
    /// A newer handshake was confirmed while the old path was still alive.
    TakenOver,
    /// The session ended.
    Ended(DisconnectReason),
}

/// The kind of a lifecycle event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LifecycleEventKind {
    /// A session exists.
    TransportConnected,
    /// A login request reached the application, or the token begins to stand for it.
    LoginStarted,
    /// The player is in.
    LoginSucceeded,
    /// The application rejected the login.
    LoginFailed,
    /// The peer was silent for too long.
    TimedOut,
    /// The session waits for its player; the reconnect window runs.
    ReconnectScheduled,
    /// A resume handshake completed.
    ReconnectStarted,
    /// The player is back in the same session.
    Reconnected,
    /// The session is over. Always the last event of a session, exactly once.
    Disconnected,
}

/// What can happen to a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// A handshake completed and no session of its identity exists.
    HandshakeCompleted,
    /// The session's first handshake is confirmed.
    Confirmed,
    /// A login request arrived. `attempts_left` counts it as not yet used.
    LoginRequested {
        /// Login attempts that remain, this one included.
        attempts_left: u32,
    },
    /// The application accepts the pending login.
    LoginAccepted,
    /// The application rejects the pending login.
    LoginRejected {
        /// The application's reason code.
        code: u32,
        /// Login attempts that remain after this one.
        attempts_left: u32,
    },
    /// The time to log in is over.
    LoginDeadline,
    /// Nothing live arrived for the session's timeout.
    LivenessDeadline,
    /// A live packet arrived on the session's current path.
    LivePacket,
    /// Another session's handshake was confirmed from this session's address.
    PathTaken,
    /// The peer is at another port of the same IP address, and hears there alone.
    PathMoved,
    /// A resume handshake of this session completed.
    ResumeCompleted,
    /// That handshake is confirmed.
    ResumeConfirmed,
    /// An attempt to come back ended without being confirmed.
    AttemptEnded,
    /// The reconnect window is over.
    ReconnectDeadline,
    /// A handshake of the same identity with a backend token is confirmed.
    BackendConfirmed,
    /// The session ends: a goodbye, a command of the host, or a limit that was passed.
    Ended(DisconnectReason),
}

/// One part of a transition: the state it reaches, the event that tells about it, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge {
    /// The state reached.
    pub to: SessionState,
    /// The event that tells about it.
    pub event: LifecycleEventKind,
    /// Why.
    pub cause: Cause,
}

/// The answer of [`step`] to one input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The session takes this edge.
    Go(Edge),
    /// The session takes both edges at once, passing through the state of the first.
    Through(Edge, Edge),
    /// The input is expected here and changes nothing.
    Stay,
    /// The input has no meaning here; it is counted.
    Ignored,
    /// The input is a command that does not fit the state: an error to the caller.
    Refused,
}

impl Step {
    /// The edges taken, in order; none unless the session moves.
    pub fn edges(self) -> impl Iterator<Item = Edge> {
        let (first, second) = match self {
            Self::Go(edge) => (Some(edge), None),
            Self::Through(first, second) => (Some(first), Some(second)),
            Self::Stay | Self::Ignored | Self::Refused => (None, None),
        };
        first.into_iter().chain(second)
    }
}

/// Decides what `input` does to a session in `state`, which is `None` where no session exists yet.
///
/// Pure: the same arguments always give the same answer, and nothing else in this crate changes a state.
#[must_use]
#[expect(clippy::match_same_arms, reason = "one arm is one row of the table")]
pub fn step(state: Option<SessionState>, input: Input, policy: LifecyclePolicy) -> Step {
    use SessionState as S;

    let Some(state) = state else {
        return match input {
            Input::HandshakeCompleted => connected(),
            _ => Step::Ignored,
        };
    };
    let before_login = matches!(state, S::TransportConnected | S::LoginPending | S::LoginFailed);
    let away = state.is_away();

    match (state, input) {
        // TimedOut is passed through and Disconnected is left for good: neither answers anything.
        (S::TimedOut | S::Disconnected, Input::LoginAccepted | Input::LoginRejected { .. }) => Step::Refused,
        (S::TimedOut | S::Disconnected, _) | (_, Input::HandshakeCompleted) => Step::Ignored,

        (_, Input::Ended(reason)) => Step::Go(end(reason)),

        (S::TransportConnected, Input::Confirmed) => match policy.login {
            LoginPolicy::TokenIsLogin => Step::Through(
                login_started(Cause::TokenIsLogin),
                to(S::LoggedIn, LifecycleEventKind::LoginSucceeded, Cause::TokenIsLogin),
            ),
            LoginPolicy::Explicit => Step::Stay,
        },
        (_, Input::Confirmed) => Step::Stay,

        (S::TransportConnected | S::LoginFailed, Input::LoginRequested { attempts_left: 0 }) => {
            Step::Go(end(DisconnectReason::LoginRefused))
        }
        (S::TransportConnected | S::LoginFailed, Input::LoginRequested { .. }) => {
            Step::Go(login_started(Cause::LoginRequest))
        }
        (S::LoggedIn, Input::LoginRequested { .. }) => Step::Stay,
        (_, Input::LoginRequested { .. }) => Step::Ignored,

        (S::LoginPending, Input::LoginAccepted) => {
            Step::Go(to(S::LoggedIn, LifecycleEventKind::LoginSucceeded, Cause::Accepted))
        }
        (S::LoginPending, Input::LoginRejected { code, attempts_left: 0 }) => {
            Step::Through(login_failed(code), end(DisconnectReason::LoginRefused))
        }
        (S::LoginPending, Input::LoginRejected { code, .. }) => Step::Go(login_failed(code)),
        (_, Input::LoginAccepted | Input::LoginRejected { .. }) => Step::Refused,

        (_, Input::LoginDeadline) if before_login => Step::Go(end(DisconnectReason::LoginTimeout)),
        (_, Input::LoginDeadline) => Step::Ignored,

        (_, Input::LivenessDeadline) if before_login => {
            Step::Through(timed_out(), end(DisconnectReason::TimedOut))
        }
        (S::LoggedIn, Input::LivenessDeadline) if policy.reconnect => {
            Step::Through(timed_out(), reconnect_scheduled(Cause::Silence))
        }
        (S::LoggedIn, Input::LivenessDeadline) => Step::Through(timed_out(), end(DisconnectReason::TimedOut)),
        (_, Input::LivenessDeadline) => Step::Ignored,

        (_, Input::LivePacket) if away => Step::Go(reconnected(Cause::Revived)),
        (_, Input::LivePacket) => Step::Stay,

        (S::LoggedIn, Input::PathTaken) if policy.reconnect => {
            Step::Go(reconnect_scheduled(Cause::PathTaken))
        }
        (_, Input::PathTaken) if away => Step::Stay,
        (_, Input::PathTaken) => Step::Go(end(DisconnectReason::PathTaken)),

        (_, Input::PathMoved) if away => Step::Go(reconnected(Cause::Revived)),
        (_, Input::PathMoved) => Step::Stay,

        (S::ReconnectPending, Input::ResumeCompleted) => {
            Step::Go(to(S::Reconnecting, LifecycleEventKind::ReconnectStarted, Cause::ResumeHandshake))
        }
        (S::LoggedIn | S::Reconnecting, Input::ResumeCompleted) => Step::Stay,
        (_, Input::ResumeCompleted) => Step::Ignored,

        (S::LoggedIn, Input::ResumeConfirmed) => Step::Go(reconnected(Cause::TakenOver)),
        (S::ReconnectPending | S::Reconnecting, Input::ResumeConfirmed) => {
            Step::Go(reconnected(Cause::Resumed))
        }
        (_, Input::ResumeConfirmed) => Step::Ignored,

        (S::Reconnecting, Input::AttemptEnded) => Step::Go(reconnect_scheduled(Cause::AttemptUnconfirmed)),
        (_, Input::AttemptEnded) => Step::Stay,

        (_, Input::ReconnectDeadline) if away => Step::Go(end(DisconnectReason::ReconnectExpired)),
        (_, Input::ReconnectDeadline) => Step::Ignored,

        (_, Input::BackendConfirmed) if before_login => Step::Go(end(DisconnectReason::Superseded)),
        (_, Input::BackendConfirmed) => match (policy.duplicate, policy.login) {
            (DuplicateIdentity::Reject, _) => Step::Ignored,
            (DuplicateIdentity::TakeOver, LoginPolicy::Explicit) => {
                Step::Go(end(DisconnectReason::Superseded))
            }
            (DuplicateIdentity::TakeOver, LoginPolicy::TokenIsLogin) if away => {
                Step::Go(reconnected(Cause::Resumed))
            }
            (DuplicateIdentity::TakeOver, LoginPolicy::TokenIsLogin) => {
                Step::Go(reconnected(Cause::TakenOver))
            }
        },
    }
}

const fn to(to: SessionState, event: LifecycleEventKind, cause: Cause) -> Edge {
    Edge { to, event, cause }
}

const fn connected() -> Step {
    Step::Go(to(SessionState::TransportConnected, LifecycleEventKind::TransportConnected, Cause::Handshake))
}

const fn login_started(cause: Cause) -> Edge {
    to(SessionState::LoginPending, LifecycleEventKind::LoginStarted, cause)
}

const fn login_failed(code: u32) -> Edge {
    to(SessionState::LoginFailed, LifecycleEventKind::LoginFailed, Cause::Rejected(code))
}

const fn timed_out() -> Edge {
    to(SessionState::TimedOut, LifecycleEventKind::TimedOut, Cause::Silence)
}

const fn reconnect_scheduled(cause: Cause) -> Edge {
    to(SessionState::ReconnectPending, LifecycleEventKind::ReconnectScheduled, cause)
}

const fn reconnected(cause: Cause) -> Edge {
    to(SessionState::LoggedIn, LifecycleEventKind::Reconnected, cause)
}

const fn end(reason: DisconnectReason) -> Edge {
    to(SessionState::Disconnected, LifecycleEventKind::Disconnected, Cause::Ended(reason))
}

#[cfg(test)]
mod tests;
