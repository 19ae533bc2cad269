//! The law about the lane without order: exactly once, nothing left out.

use std::collections::BTreeMap;

use crate::laws::{Violation, ensure};

/// What one sender queued, and what of it arrived.
#[derive(Clone, Debug, Default)]
pub(super) struct UnorderedLane {
    /// Each message with its place and whether it arrived.
    sent: BTreeMap<Vec<u8>, (usize, bool)>,
    /// How many messages may be gone, the first ones.
    excused: usize,
}

impl UnorderedLane {
    /// The sender queued a message, and was told that it was.
    pub(super) fn sent(&mut self, message: &[u8]) {
        self.sent.insert(message.to_vec(), (self.sent.len(), false));
    }

    /// The application at the other end was given a message.
    pub(super) fn received(&mut self, message: &[u8]) -> Result<(), Violation> {
        let Some((place, is_received)) = self.sent.get_mut(message) else {
            return Err(Violation::new("a message arrived that was never sent"));
        };
        let before = std::mem::replace(is_received, true);
        ensure(!before, || format!("message number {place} without order arrived twice"))
    }

    /// The lane began afresh: what was queued may be gone.
    pub(super) fn restarted(&mut self) {
        self.excused = self.sent.len();
    }

    /// Everything queued since the last restart has arrived.
    pub(super) fn check_complete(&self) -> Result<(), Violation> {
        let is_missing = |(place, is_received): &&(usize, bool)| !is_received && *place >= self.excused;
        let missing = self.sent.values().filter(is_missing).count();
        ensure(missing == 0, || {
            format!("{missing} of {} messages without order never arrived", self.sent.len())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lane_of(messages: &[&str]) -> UnorderedLane {
        let mut lane = UnorderedLane::default();
        for message in messages {
            lane.sent(message.as_bytes());
        }
        lane
    }

    #[test]
    fn everything_once_in_any_order_is_fine() {
        let mut lane = lane_of(&["a", "b"]);
        assert_eq!(lane.received(b"b"), Ok(()));
        assert!(lane.check_complete().is_err());
        assert_eq!(lane.received(b"a"), Ok(()));
        assert_eq!(lane.check_complete(), Ok(()));
    }

    #[test]
    fn a_message_repeated_or_invented_is_caught() {
        let mut lane = lane_of(&["a"]);
        assert!(lane.received(b"z").is_err());
        assert_eq!(lane.received(b"a"), Ok(()));
        assert!(lane.received(b"a").is_err());
    }

    #[test]
    fn a_restart_may_lose_what_was_queued_but_repeats_nothing() {
        let mut lane = lane_of(&["a", "b"]);
        assert_eq!(lane.received(b"b"), Ok(()));
        lane.restarted();
        assert_eq!(lane.check_complete(), Ok(()));
        assert!(lane.received(b"b").is_err());
        lane.sent(b"c");
        assert!(lane.check_complete().is_err());
    }
}
