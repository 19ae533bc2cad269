//! The frames that go ahead of all others and must arrive: login, its answers, resume tokens.

use smallvec::SmallVec;

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
    /// The resume token of this generation.
    ResumeToken(u64),
}

/// The control frames that wait for a packet, each once, in the order of [`Control`].
///
/// Its owner bounds it by how many different ones it makes: one login or answer and the unspent tokens.
#[derive(Debug, Default)]
pub(crate) struct ControlQueue(SmallVec<[Control; 2]>);

impl ControlQueue {
    /// Queues `control` unless it waits already.
    pub(crate) fn insert(&mut self, control: Control) {
        if let Err(place) = self.0.binary_search(&control) {
            self.0.insert(place, control);
        }
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
}
