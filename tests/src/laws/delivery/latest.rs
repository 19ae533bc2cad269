//! The law about the values of a key: each at most once, none after a newer one, the newest in the end.

use std::collections::BTreeMap;

use crate::laws::{Violation, ensure};

/// The values that one sender gave a key, and who received which.
#[derive(Clone, Debug, Default)]
pub(super) struct LatestValues {
    sent: Vec<Vec<u8>>,
    is_received: Vec<bool>,
    /// The newest place that each receiver was given.
    newest: BTreeMap<u64, usize>,
    /// How many values may be gone, the first ones.
    excused: usize,
}

impl LatestValues {
    /// The sender gave the key a value, and was told that it has it.
    pub(super) fn sent(&mut self, value: &[u8]) {
        self.sent.push(value.to_vec());
        self.is_received.push(false);
    }

    /// The application of a receiver was given a value.
    pub(super) fn received(&mut self, receiver: u64, value: &[u8]) -> Result<(), Violation> {
        let Some(place) = self.sent.iter().rposition(|sent| sent == value) else {
            return Err(Violation::new("a value arrived that the key never had"));
        };
        let newest = self.newest.insert(receiver, place);
        ensure(newest.is_none_or(|newest| newest < place), || {
            format!("value number {place} of a key arrived after number {newest:?}")
        })?;
        let before = std::mem::replace(&mut self.is_received[place], true);
        ensure(!before, || format!("value number {place} of a key arrived twice"))
    }

    /// The keys began afresh: what was sent may be gone.
    pub(super) fn restarted(&mut self) {
        self.excused = self.sent.len();
    }

    /// The newest value has arrived, unless a restart has come after it.
    pub(super) fn check_complete(&self) -> Result<(), Violation> {
        let newest = self.is_received.iter().skip(self.excused).last();
        ensure(newest != Some(&false), || {
            format!("the newest of {} values of a key never arrived", self.sent.len())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(values: &[&str]) -> LatestValues {
        let mut latest = LatestValues::default();
        for value in values {
            latest.sent(value.as_bytes());
        }
        latest
    }

    #[test]
    fn values_left_out_are_fine_while_the_newest_arrives() {
        let mut latest = values(&["a", "b", "c", "d"]);
        assert_eq!(latest.received(1, b"b"), Ok(()));
        assert!(latest.check_complete().is_err());
        assert_eq!(latest.received(1, b"d"), Ok(()));
        assert_eq!(latest.check_complete(), Ok(()));
    }

    #[test]
    fn a_value_repeated_invented_or_older_is_caught() {
        assert!(values(&["a"]).received(1, b"z").is_err());
        let mut latest = values(&["a", "b"]);
        assert_eq!(latest.received(1, b"b"), Ok(()));
        assert!(latest.clone().received(1, b"b").is_err());
        assert!(latest.clone().received(2, b"b").is_err());
        assert!(latest.received(1, b"a").is_err());
    }

    #[test]
    fn a_restart_may_lose_the_newest_but_not_one_sent_after_it() {
        let mut latest = values(&["a", "b"]);
        latest.restarted();
        assert_eq!(latest.check_complete(), Ok(()));
        latest.sent(b"c");
        assert!(latest.check_complete().is_err());
        assert_eq!(latest.received(2, b"c"), Ok(()));
        assert_eq!(latest.check_complete(), Ok(()));
    }
}
