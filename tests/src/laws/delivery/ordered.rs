//! The law about a lane with order: exactly once, in order, nothing left out.

use std::collections::BTreeMap;

use crate::laws::{Violation, ensure};

/// What one sender queued, and who received how much of it.
///
/// A receiver is one memory of messages: a client process, or a session. Messages must differ from each other. After
/// [`restarted`](Self::restarted) what was queued may be gone, so a receiver may go on further ahead, but still receives nothing that was
/// received before.
#[derive(Clone, Debug, Default)]
pub(super) struct OrderedLane {
    sent: Vec<Vec<u8>>,
    is_received: Vec<bool>,
    receivers: BTreeMap<u64, Receiver>,
    restarts: u64,
    /// How many messages may be gone.
    excused: usize,
}

#[derive(Clone, Copy, Debug, Default)]
struct Receiver {
    next: usize,
    restarts_seen: u64,
}

impl OrderedLane {
    /// The sender queued a message, and was told that it was.
    pub(super) fn sent(&mut self, message: &[u8]) {
        self.sent.push(message.to_vec());
        self.is_received.push(false);
    }

    /// The application of a receiver was given a message.
    pub(super) fn received(&mut self, receiver: u64, message: &[u8]) -> Result<(), Violation> {
        let Receiver { next, restarts_seen } = self.receivers.get(&receiver).copied().unwrap_or_default();
        let expected = self.sent.get(next).is_some_and(|sent| sent == message);
        let ahead = || self.sent.iter().skip(next).position(|sent| sent == message).map(|skip| next + skip);
        let position = if expected { Some(next) } else { ahead().filter(|_| self.restarts > restarts_seen) };
        let Some(position) = position else {
            let place = self.sent.iter().position(|sent| sent == message);
            let what = format!("message number {place:?} arrived where number {next} was to come");
            return Err(Violation::new(what));
        };
        let before = std::mem::replace(&mut self.is_received[position], true);
        // A message that was next in any case says nothing about whether a restart has reached the receiver.
        let restarts_seen = if expected { restarts_seen } else { self.restarts };
        self.receivers.insert(receiver, Receiver { next: position + 1, restarts_seen });
        ensure(!before, || format!("message number {position} arrived twice"))
    }

    /// The lane began afresh: what was queued may be gone.
    pub(super) fn restarted(&mut self) {
        self.restarts += 1;
        self.excused = self.sent.len();
    }

    /// Everything queued since the last restart has arrived.
    pub(super) fn check_complete(&self) -> Result<(), Violation> {
        let missing = self.is_received.iter().skip(self.excused).filter(|is_received| !**is_received).count();
        ensure(missing == 0, || format!("{missing} of {} messages never arrived", self.sent.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lane_of(messages: &[&str]) -> OrderedLane {
        let mut lane = OrderedLane::default();
        for message in messages {
            lane.sent(message.as_bytes());
        }
        lane
    }

    #[test]
    fn everything_once_and_in_order_is_fine() {
        let mut lane = lane_of(&["a", "b"]);
        assert_eq!(lane.received(1, b"a"), Ok(()));
        assert!(lane.check_complete().is_err());
        assert_eq!(lane.received(1, b"b"), Ok(()));
        assert_eq!(lane.check_complete(), Ok(()));
    }

    #[test]
    fn a_message_left_out_repeated_or_invented_is_caught() {
        assert!(lane_of(&["a", "b"]).received(1, b"b").is_err());
        assert!(lane_of(&["a"]).received(1, b"z").is_err());
        let mut lane = lane_of(&["a", "b"]);
        assert_eq!(lane.received(1, b"a"), Ok(()));
        assert!(lane.received(1, b"a").is_err());
    }

    #[test]
    fn a_restart_may_lose_what_was_queued_but_repeats_nothing() {
        let mut lane = lane_of(&["a", "b"]);
        assert_eq!(lane.received(1, b"a"), Ok(()));
        lane.restarted();
        assert_eq!(lane.check_complete(), Ok(()));
        lane.sent(b"c");
        assert!(lane.check_complete().is_err());
        lane.sent(b"d");
        assert!(lane.clone().received(2, b"a").is_err());
        assert_eq!(lane.received(2, b"c"), Ok(()));
        assert!(lane.received(2, b"c").is_err());
        assert_eq!(lane.received(2, b"d"), Ok(()));
    }

    #[test]
    fn one_restart_excuses_one_gap() {
        let mut lane = lane_of(&["a", "b", "c", "d"]);
        lane.restarted();
        assert_eq!(lane.received(1, b"b"), Ok(()));
        assert!(lane.received(1, b"d").is_err());
    }
}
