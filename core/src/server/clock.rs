//! The manager's sense of time: monotone, lenient to a host that stalled, and the unix time beside it.

use crate::Timestamp;

/// What the manager knows of time.
#[derive(Debug)]
pub(super) struct Clock {
    now: Timestamp,
    /// All stalls so far, by which running deadlines are shifted.
    credit_micros: u64,
    unix_s: u64,
    unix_set_at: Timestamp,
}

impl Clock {
    pub(super) const fn new(now: Timestamp, unix_s: u64) -> Self {
        Self { now, credit_micros: 0, unix_s, unix_set_at: now }
    }

    pub(super) const fn now(&self) -> Timestamp {
        self.now
    }

    /// Moves to `now`; a clock that goes back is ignored.
    pub(super) fn advance(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
    }

    /// Unix time in seconds: used for the expiry of tokens and for nothing else.
    pub(super) fn unix_s(&self) -> u64 {
        self.unix_s.saturating_add(self.now.micros_since(self.unix_set_at) / 1_000_000)
    }

    pub(super) const fn set_unix_s(&mut self, unix_s: u64) {
        self.unix_s = unix_s;
        self.unix_set_at = self.now;
    }

    /// Grants every running deadline the time the host was late.
    pub(super) const fn credit(&mut self, stalled_micros: u64) {
        self.credit_micros = self.credit_micros.saturating_add(stalled_micros);
    }

    /// A deadline `micros` from now that moves with stalls, by `credit_max_micros` at most.
    pub(super) fn peer_deadline(&self, micros: u64, credit_max_micros: u64) -> PeerDeadline {
        PeerDeadline {
            at: self.now.plus_micros(micros),
            credit_before: self.credit_micros,
            credit_max_micros,
        }
    }
}

/// A deadline about a peer: it does not count the time in which the host itself was not there.
#[derive(Clone, Copy, Debug)]
pub(super) struct PeerDeadline {
    at: Timestamp,
    credit_before: u64,
    credit_max_micros: u64,
}

impl PeerDeadline {
    /// When it ends, as far as is known now. It never moves closer.
    pub(super) fn ends_at(&self, clock: &Clock) -> Timestamp {
        let credit = clock.credit_micros.saturating_sub(self.credit_before);
        self.at.plus_micros(credit.min(self.credit_max_micros))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn a_clock_that_goes_back_is_ignored() {
        let mut clock = Clock::new(at(100), 1_000);
        clock.advance(at(50));
        assert_eq!(clock.now(), at(100));
        clock.advance(at(3_100));
        assert_eq!(clock.unix_s(), 1_003);
    }

    #[test]
    fn a_peer_deadline_moves_by_the_stall_but_not_beyond_its_cap() {
        let mut clock = Clock::new(at(0), 0);
        let deadline = clock.peer_deadline(5_000_000, 2_000_000);
        clock.credit(1_500_000);
        assert_eq!(deadline.ends_at(&clock), at(6_500));
        clock.credit(1_500_000);
        assert_eq!(deadline.ends_at(&clock), at(7_000));
    }

    #[test]
    fn stalls_before_a_deadline_began_do_not_move_it() {
        let mut clock = Clock::new(at(0), 0);
        clock.credit(9_000_000);
        assert_eq!(clock.peer_deadline(5_000_000, 2_000_000).ends_at(&clock), at(5_000));
    }
}
