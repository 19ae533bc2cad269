//! Why something that is no datagram was refused: one enum for each operation.

use crate::SessionId;
use crate::event::Event;
use crate::lifecycle::Input;
use crate::server::SendError;

/// Why a login request let nobody in. Each request has one cause at most; one that was accepted has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum LoginRefusal {
    /// Its number is not above that of an earlier one: it came again, or was overtaken (P30).
    Repeated,
    /// An earlier one waits for the application's answer.
    Pending,
    /// The player is logged in; the acceptance was sent again (P30).
    AlreadyLoggedIn,
    /// The application rejected it, and the peer may try again.
    Rejected,
    /// The application rejected it, and it was the last one that `Config::login_attempts_max` allows: the session ended.
    AttemptsUsedUp,
    /// The session ended before the application answered.
    Unanswered,
}

impl LoginRefusal {
    /// All causes, in the order of their declaration.
    pub const ALL: [Self; 6] = [
        Self::Repeated,
        Self::Pending,
        Self::AlreadyLoggedIn,
        Self::Rejected,
        Self::AttemptsUsedUp,
        Self::Unanswered,
    ];
}

/// Why a move input did not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum MoveRefusal {
    /// Its tick had been accepted before, as redundant sending brings about all the time.
    Duplicate,
    /// A later tick had been accepted, and it is not known to be a duplicate.
    Stale,
    /// It is further past the reference than `Config::move_ticks_ahead_max` allows.
    TooFarAhead,
}

impl MoveRefusal {
    /// All causes, in the order of their declaration.
    pub const ALL: [Self; 3] = [Self::Duplicate, Self::Stale, Self::TooFarAhead];
}

/// Why a message, value or state of the application was not queued: the kind of a [`SendError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum SendRefusal {
    /// No session has this handle, any more or ever.
    UnknownSession,
    /// The player has not logged in.
    NotLoggedIn,
    /// It is empty, or longer than its kind allows.
    Size,
    /// There is no such lane.
    NoSuchLane,
    /// There is no such key.
    NoSuchKey,
    /// What the peer has not acknowledged leaves no room.
    Full,
    /// Payloads are raw, and it needs frames.
    RawPayloads,
    /// It would take more memory than the session may.
    NoMemory,
}

impl SendRefusal {
    /// All causes, in the order of their declaration.
    pub const ALL: [Self; 8] = [
        Self::UnknownSession,
        Self::NotLoggedIn,
        Self::Size,
        Self::NoSuchLane,
        Self::NoSuchKey,
        Self::Full,
        Self::RawPayloads,
        Self::NoMemory,
    ];
}

impl From<SendError> for SendRefusal {
    fn from(error: SendError) -> Self {
        match error {
            SendError::UnknownSession => Self::UnknownSession,
            SendError::NotLoggedIn => Self::NotLoggedIn,
            SendError::Size { .. } => Self::Size,
            SendError::NoSuchLane => Self::NoSuchLane,
            SendError::NoSuchKey => Self::NoSuchKey,
            SendError::Full { .. } => Self::Full,
            SendError::RawPayloads => Self::RawPayloads,
            SendError::NoMemory => Self::NoMemory,
        }
    }
}

/// Why a completed handshake that would have replaced the connection of a session, to come back or to take over, never did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum AttemptEnd {
    /// No packet under its keys came in time.
    TimedOut,
    /// Its maker gave it up.
    PeerLeft,
    /// A newer handshake of the same identity completed.
    Replaced,
    /// A handshake of another identity completed at its address.
    AddressTaken,
    /// The session ended meanwhile.
    SessionEnded,
    /// It was confirmed, but the identity had logged in meanwhile, and the policy rejects a second login.
    NotWelcome,
    /// The prefix that it was made from was banned.
    PrefixBanned,
}

impl AttemptEnd {
    /// All causes, in the order of their declaration.
    pub const ALL: [Self; 7] = [
        Self::TimedOut,
        Self::PeerLeft,
        Self::Replaced,
        Self::AddressTaken,
        Self::SessionEnded,
        Self::NotWelcome,
        Self::PrefixBanned,
    ];
}

/// An input of the [lifecycle](crate::lifecycle) that had no meaning in the state it met: those of its [`Input`]s that can be without one.
///
/// What a peer sends is judged before it becomes an input, so that of all these only `BackendConfirmed` is ever seen, where
/// `DuplicateIdentity::Reject` has it ignored. Another one that is not 0 is a mistake in this crate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum IgnoredInput {
    /// [`Input::HandshakeCompleted`] of an identity that has a session.
    HandshakeCompleted,
    /// [`Input::LoginRequested`] while one is pending, or on the way back.
    LoginRequested,
    /// [`Input::LoginDeadline`] after the login.
    LoginDeadline,
    /// [`Input::LivenessDeadline`] of a session that is away.
    LivenessDeadline,
    /// [`Input::ResumeCompleted`] before the login.
    ResumeCompleted,
    /// [`Input::ResumeConfirmed`] before the login.
    ResumeConfirmed,
    /// [`Input::ReconnectDeadline`] of a session that is not away.
    ReconnectDeadline,
    /// [`Input::BackendConfirmed`] of an identity that is logged in, where a second login is rejected.
    BackendConfirmed,
}

impl IgnoredInput {
    /// All of them, in the order of their declaration.
    pub const ALL: [Self; 8] = [
        Self::HandshakeCompleted,
        Self::LoginRequested,
        Self::LoginDeadline,
        Self::LivenessDeadline,
        Self::ResumeCompleted,
        Self::ResumeConfirmed,
        Self::ReconnectDeadline,
        Self::BackendConfirmed,
    ];

    /// The name of an input that was ignored; `None` for those that have a meaning in every state of a session.
    pub(crate) const fn of(input: Input) -> Option<Self> {
        match input {
            Input::HandshakeCompleted => Some(Self::HandshakeCompleted),
            Input::LoginRequested { .. } => Some(Self::LoginRequested),
            Input::LoginDeadline => Some(Self::LoginDeadline),
            Input::LivenessDeadline => Some(Self::LivenessDeadline),
            Input::ResumeCompleted => Some(Self::ResumeCompleted),
            Input::ResumeConfirmed => Some(Self::ResumeConfirmed),
            Input::ReconnectDeadline => Some(Self::ReconnectDeadline),
            Input::BackendConfirmed => Some(Self::BackendConfirmed),
            Input::Confirmed
            | Input::LoginAccepted
            | Input::LoginRejected { .. }
            | Input::LivePacket
            | Input::PathTaken
            | Input::PathMoved
            | Input::AttemptEnded
            | Input::Ended(_) => None,
        }
    }
}

/// An event that found no room in the queue: those that may be lost. All others are never dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum DroppedEvent {
    /// [`Event::HeartbeatSent`].
    HeartbeatSent,
    /// [`Event::HeartbeatReceived`].
    HeartbeatReceived,
    /// [`Event::TokenReuse`]; it is told when the token comes the next time.
    TokenReuse,
    /// [`Event::Stalled`].
    Stalled,
}

impl DroppedEvent {
    /// All of them, in the order of their declaration.
    pub const ALL: [Self; 4] =
        [Self::HeartbeatSent, Self::HeartbeatReceived, Self::TokenReuse, Self::Stalled];

    /// The name of an event that was dropped, and the session it tells of; `None` for those that never are.
    pub(crate) const fn of(event: &Event) -> Option<(Self, Option<SessionId>)> {
        match event {
            Event::HeartbeatSent { session, .. } => Some((Self::HeartbeatSent, Some(*session))),
            Event::HeartbeatReceived { session, .. } => Some((Self::HeartbeatReceived, Some(*session))),
            Event::TokenReuse { session, .. } => Some((Self::TokenReuse, Some(*session))),
            Event::Stalled { .. } => Some((Self::Stalled, None)),
            Event::Lifecycle(_)
            | Event::Message { .. }
            | Event::Datagram { .. }
            | Event::Latest { .. }
            | Event::Move { .. }
            | Event::PathMoved { .. }
            | Event::Drained { .. } => None,
        }
    }
}
