//! Any refusal at all, and its place among all of them.

use core::fmt;

use super::{
    AttemptEnd, DenyReason, DropReason, DroppedEvent, IgnoredInput, LoginRefusal, MoveRefusal, SendRefusal,
    Violation,
};

/// What was refused, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Refusal {
    /// A datagram was dropped without an answer.
    Dropped(DropReason),
    /// A payload broke the protocol. Its datagram counts beside it, as dropped for [`DropReason::Violation`].
    Violation(Violation),
    /// A request was answered with *denied*.
    Denied(DenyReason),
    /// A login request let nobody in.
    Login(LoginRefusal),
    /// A move input did not count.
    Move(MoveRefusal),
    /// A send of the application was not queued.
    Send(SendRefusal),
    /// A completed handshake never replaced the connection that it was to replace.
    Attempt(AttemptEnd),
    /// An input of the lifecycle had no meaning in the state it met.
    Ignored(IgnoredInput),
    /// An event found no room.
    Event(DroppedEvent),
}

/// Where the causes of each operation begin among all.
mod first {
    use super::{
        AttemptEnd, DenyReason, DropReason, DroppedEvent, IgnoredInput, LoginRefusal, MoveRefusal,
        SendRefusal, Violation,
    };

    pub(super) const DROPPED: usize = 0;
    pub(super) const VIOLATION: usize = DROPPED + DropReason::ALL.len();
    pub(super) const DENIED: usize = VIOLATION + Violation::ALL.len();
    pub(super) const LOGIN: usize = DENIED + DenyReason::ALL.len();
    pub(super) const MOVE: usize = LOGIN + LoginRefusal::ALL.len();
    pub(super) const SEND: usize = MOVE + MoveRefusal::ALL.len();
    pub(super) const ATTEMPT: usize = SEND + SendRefusal::ALL.len();
    pub(super) const IGNORED: usize = ATTEMPT + AttemptEnd::ALL.len();
    pub(super) const EVENT: usize = IGNORED + IgnoredInput::ALL.len();
    pub(super) const NONE: usize = EVENT + DroppedEvent::ALL.len();
}

impl Refusal {
    /// How many there are.
    pub const COUNT: usize = first::NONE;

    /// All of them: operation after operation, and in each in the order of its causes.
    pub fn all() -> impl Iterator<Item = Self> {
        let datagrams = DropReason::ALL.into_iter().map(Self::Dropped);
        datagrams
            .chain(Violation::ALL.into_iter().map(Self::Violation))
            .chain(DenyReason::ALL.into_iter().map(Self::Denied))
            .chain(LoginRefusal::ALL.into_iter().map(Self::Login))
            .chain(MoveRefusal::ALL.into_iter().map(Self::Move))
            .chain(SendRefusal::ALL.into_iter().map(Self::Send))
            .chain(AttemptEnd::ALL.into_iter().map(Self::Attempt))
            .chain(IgnoredInput::ALL.into_iter().map(Self::Ignored))
            .chain(DroppedEvent::ALL.into_iter().map(Self::Event))
    }

    /// Its place in the order of [`all`](Self::all), below [`COUNT`](Self::COUNT).
    pub(crate) const fn place(self) -> usize {
        match self {
            Self::Dropped(reason) => first::DROPPED + reason as usize,
            Self::Violation(violation) => first::VIOLATION + violation as usize,
            Self::Denied(reason) => first::DENIED + reason as usize,
            Self::Login(refusal) => first::LOGIN + refusal as usize,
            Self::Move(refusal) => first::MOVE + refusal as usize,
            Self::Send(refusal) => first::SEND + refusal as usize,
            Self::Attempt(end) => first::ATTEMPT + end as usize,
            Self::Ignored(input) => first::IGNORED + input as usize,
            Self::Event(event) => first::EVENT + event as usize,
        }
    }
}

/// The operation and the cause, in words that no peer has chosen.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dropped(reason) => write!(f, "dropped {reason:?}"),
            Self::Violation(violation) => write!(f, "violation {violation:?}"),
            Self::Denied(reason) => write!(f, "denied {reason:?}"),
            Self::Login(refusal) => write!(f, "login {refusal:?}"),
            Self::Move(refusal) => write!(f, "move {refusal:?}"),
            Self::Send(refusal) => write!(f, "send {refusal:?}"),
            Self::Attempt(end) => write!(f, "attempt {end:?}"),
            Self::Ignored(input) => write!(f, "input {input:?}"),
            Self::Event(event) => write!(f, "event {event:?}"),
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

impl From<DenyReason> for Refusal {
    fn from(reason: DenyReason) -> Self {
        Self::Denied(reason)
    }
}

impl From<LoginRefusal> for Refusal {
    fn from(refusal: LoginRefusal) -> Self {
        Self::Login(refusal)
    }
}

impl From<MoveRefusal> for Refusal {
    fn from(refusal: MoveRefusal) -> Self {
        Self::Move(refusal)
    }
}

impl From<SendRefusal> for Refusal {
    fn from(refusal: SendRefusal) -> Self {
        Self::Send(refusal)
    }
}

impl From<AttemptEnd> for Refusal {
    fn from(end: AttemptEnd) -> Self {
        Self::Attempt(end)
    }
}

impl From<IgnoredInput> for Refusal {
    fn from(input: IgnoredInput) -> Self {
        Self::Ignored(input)
    }
}

impl From<DroppedEvent> for Refusal {
    fn from(event: DroppedEvent) -> Self {
        Self::Event(event)
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn every_refusal_has_a_place_and_a_name_of_its_own() {
        let mut names = BTreeSet::new();
        for (place, refusal) in Refusal::all().enumerate() {
            assert_eq!(refusal.place(), place, "{refusal}");
            assert!(names.insert(refusal.to_string()), "{refusal}");
        }
        assert_eq!(names.len(), Refusal::COUNT);
    }
}
