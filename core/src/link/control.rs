//! The frames that go ahead of all others and must arrive: login, its answers, that the server drains, resume tokens.

use smallvec::SmallVec;

use crate::memory::{doubling_bytes_max, small_vec_bytes};

/// Names a reliable control frame; what it says is written by the link's owner when it goes out.
///
/// Their order is the order in which they are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Control {
    /// The login attempt of this number.
    Login(u64),
    /// The acceptance of the attempt of this number.
    LoginAccepted(u64),
    /// The rejection of the attempt of this number.
    LoginRejected(u64),
    /// That the server drains, by the number of its announcement.
    Draining(u64),
    /// The resume token of this generation.
    ResumeToken(u64),
}

/// How many resume tokens wait at most: as many as a server has handed out and may still send.
const RESUME_TOKENS_MAX: usize = 6;
/// How many control frames wait at most, with the one that is queued beyond before the oldest gives way.
const WAITING_MAX: usize = 4 + RESUME_TOKENS_MAX + 1;

/// What a control frame is, whatever its number.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ControlKind {
    Login,
    LoginAccepted,
    LoginRejected,
    Draining,
    ResumeToken,
}

impl ControlKind {
    const fn waiting_max(self) -> usize {
        match self {
            Self::Login | Self::LoginAccepted | Self::LoginRejected | Self::Draining => 1,
            Self::ResumeToken => RESUME_TOKENS_MAX,
        }
    }
}

impl Control {
    const fn kind(self) -> ControlKind {
        match self {
            Self::Login(_) => ControlKind::Login,
            Self::LoginAccepted(_) => ControlKind::LoginAccepted,
            Self::LoginRejected(_) => ControlKind::LoginRejected,
            Self::Draining(_) => ControlKind::Draining,
            Self::ResumeToken(_) => ControlKind::ResumeToken,
        }
    }
}

/// The control frames that wait for a packet, each once, in the order of [`Control`].
///
/// Of the logins, of their acceptances and rejections, and of the announcements the newest one waits alone, and of the resume tokens the newest
/// few: those before it are answered, or replaced, by it.
#[derive(Debug, Default)]
pub(crate) struct ControlQueue(SmallVec<[Control; 2]>);

impl ControlQueue {
    /// Queues `control` unless it waits already, or newer ones take its place.
    pub(crate) fn insert(&mut self, control: Control) {
        let Err(place) = self.0.binary_search(&control) else { return };
        self.0.insert(place, control);
        let of_this_kind = || self.0.iter().filter(|other| other.kind() == control.kind());
        if of_this_kind().count() > control.kind().waiting_max()
            && let Some(&oldest) = of_this_kind().next()
        {
            self.remove(oldest);
        }
    }

    /// The memory it takes beyond its own place.
    pub(crate) fn memory_bytes(&self) -> usize {
        small_vec_bytes(&self.0)
    }

    /// The most memory it takes beyond its own place.
    pub(crate) const fn memory_bytes_max() -> usize {
        doubling_bytes_max::<Control>(WAITING_MAX)
    }

    /// Takes `control` out, if it waits.
    pub(crate) fn remove(&mut self, control: Control) {
        if let Ok(place) = self.0.binary_search(&control) {
            self.0.remove(place);
        }
    }

    /// The control frame that is sent next.
    pub(crate) fn first(&self) -> Option<Control> {
        self.0.first().copied()
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn controls_wait_once_each_and_leave_in_their_order() {
        let mut queue = ControlQueue::default();
        for control in [Control::ResumeToken(2), Control::LoginAccepted(1), Control::ResumeToken(1)] {
            queue.insert(control);
            queue.insert(control);
        }
        queue.insert(Control::Login(9));
        queue.remove(Control::Login(9));
        queue.remove(Control::Login(9));
        for expected in [Control::LoginAccepted(1), Control::ResumeToken(1), Control::ResumeToken(2)] {
            assert_eq!(queue.first(), Some(expected));
            queue.remove(expected);
        }
        assert!(queue.is_empty());
    }

    #[test]
    fn what_newer_ones_replace_does_not_wait() {
        let mut queue = ControlQueue::default();
        for number in [7, 3, 9, 8] {
            queue.insert(Control::LoginAccepted(number));
            queue.insert(Control::LoginRejected(number));
            queue.insert(Control::Draining(number));
        }
        for generation in [3, 1, 2, 8, 6, 7, 5, 4, 1] {
            queue.insert(Control::ResumeToken(generation));
        }
        let waiting: alloc::vec::Vec<_> =
            core::iter::from_fn(|| queue.first().inspect(|&control| queue.remove(control))).collect();
        let answers = [Control::LoginAccepted(9), Control::LoginRejected(9), Control::Draining(9)];
        assert_eq!(waiting[..3], answers);
        assert_eq!(waiting[3..], [3, 4, 5, 6, 7, 8].map(Control::ResumeToken));
        assert!(queue.memory_bytes() <= ControlQueue::memory_bytes_max());
    }
}
