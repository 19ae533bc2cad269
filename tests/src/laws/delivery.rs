//! The law about what is to arrive: what one end sent, and what the other was given of it.

mod latest;
mod ordered;
mod unordered;

use std::collections::BTreeMap;

use rejoin::UNORDERED_LANE;

use super::Violation;
use latest::LatestValues;
use ordered::OrderedLane;
use unordered::UnorderedLane;

/// Everything that one sender sent in one direction, and who received how much of it.
///
/// A receiver is one memory of messages: a client process, or a session. Messages of a lane must differ from each other, as must the values
/// of a key. After [`restarted`](Self::restarted) what was sent before may be gone, but what was received does not come again.
#[derive(Clone, Debug, Default)]
pub struct Delivery {
    ordered: BTreeMap<u8, OrderedLane>,
    unordered: UnorderedLane,
    latest: BTreeMap<u16, LatestValues>,
}

impl Delivery {
    /// The sender queued a message on a lane, and was told that it was.
    pub fn sent(&mut self, lane: u8, message: &[u8]) {
        if lane == UNORDERED_LANE {
            self.unordered.sent(message);
        } else {
            self.ordered.entry(lane).or_default().sent(message);
        }
    }

    /// The sender gave a key a value, and was told that it has it.
    pub fn sent_latest(&mut self, key: u16, value: &[u8]) {
        self.latest.entry(key).or_default().sent(value);
    }

    /// The application of a receiver was given a message.
    pub fn received(&mut self, receiver: u64, lane: u8, message: &[u8]) -> Result<(), Violation> {
        if lane == UNORDERED_LANE {
            return self.unordered.received(message);
        }
        self.ordered.entry(lane).or_default().received(receiver, message)
    }

    /// The application of a receiver was given a value.
    pub fn received_latest(&mut self, receiver: u64, key: u16, value: &[u8]) -> Result<(), Violation> {
        self.latest.entry(key).or_default().received(receiver, value)
    }

    /// The lanes began afresh: what was sent so far may be gone.
    pub fn restarted(&mut self) {
        self.ordered.values_mut().for_each(OrderedLane::restarted);
        self.unordered.restarted();
        self.latest.values_mut().for_each(LatestValues::restarted);
    }

    /// Everything sent since the last restart has arrived, and of each key the newest value.
    pub fn check_complete(&self) -> Result<(), Violation> {
        self.ordered.values().try_for_each(OrderedLane::check_complete)?;
        self.unordered.check_complete()?;
        self.latest.values().try_for_each(LatestValues::check_complete)
    }
}
