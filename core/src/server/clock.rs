//! The manager's sense of time: monotone, lenient to a host that stalled, and the unix time beside it.

use crate::Timestamp;

/// What the manager knows of time.
#[derive(Debug)]
pub(super) struct Clock {
    now: Timestamp,
    /// All stalls so far, by which running deadlines are shifted.
    credit_micros: u64,
    /// The most that stalls shift one deadline.
    credit_max_micros: u64,
    /// All time for which deadlines were held, up to the present hold.
    held_micros: u64,
    held_since: Option<Timestamp>,
    unix_s: u64,
    unix_set_at: Timestamp,
}

impl Clock {
    pub(super) const fn new(now: Timestamp, unix_s: u64, credit_max_micros: u64) -> Self {
        Self {
            now,
            credit_micros: 0,
            credit_max_micros,
            held_micros: 0,
            held_since: None,
            unix_s,
            unix_set_at: now,
        }
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

    /// Grants every running deadline the time the host was late. While deadlines are held they need none.
    pub(super) const fn credit(&mut self, stalled_micros: u64) {
        if self.held_since.is_none() {
            self.credit_micros = self.credit_micros.saturating_add(stalled_micros);
        }
    }

    /// Stops the deadlines about peers, or lets them go on with the time they had left.
    pub(super) fn set_hold(&mut self, hold: bool) {
        match (self.held_since, hold) {
            (None, true) => self.held_since = Some(self.now),
            (Some(since), false) => {
                self.held_micros = self.held_micros.saturating_add(self.now.micros_since(since));
                self.held_since = None;
            }
            (None, false) | (Some(_), true) => {}
        }
    }

    /// All time for which deadlines were held, until now.
    fn held_until_now(&self) -> u64 {
        let present = self.held_since.map_or(0, |since| self.now.micros_since(since));
        self.held_micros.saturating_add(present)
    }

    /// A deadline `micros` from now that moves with stalls and holds.
    pub(super) fn peer_deadline(&self, micros: u64) -> PeerDeadline {
        PeerDeadline {
            at: self.now.plus_micros(micros),
            credit_before: self.credit_micros,
            held_before: self.held_until_now(),
        }
    }
}

/// A deadline about a peer: it does not count the time in which the host itself was not there, or held it.
#[derive(Clone, Copy, Debug)]
pub(super) struct PeerDeadline {
    at: Timestamp,
    credit_before: u64,
    held_before: u64,
}

impl PeerDeadline {
    /// When it ends, as far as is known now; never while it is held. It never moves closer, but for the end of a hold.
    pub(super) fn ends_at(&self, clock: &Clock) -> Timestamp {
        if clock.held_since.is_some() {
            return Timestamp::NEVER;
        }
        let credit = clock.credit_micros.saturating_sub(self.credit_before);
        let held = clock.held_micros.saturating_sub(self.held_before);
        self.at.plus_micros(credit.min(clock.credit_max_micros)).plus_micros(held)
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
        let mut clock = Clock::new(at(100), 1_000, 0);
        clock.advance(at(50));
        assert_eq!(clock.now(), at(100));
        clock.advance(at(3_100));
        assert_eq!(clock.unix_s(), 1_003);
    }

    #[test]
    fn a_peer_deadline_moves_by_the_stall_but_not_beyond_its_cap() {
        let mut clock = Clock::new(at(0), 0, 2_000_000);
        let deadline = clock.peer_deadline(5_000_000);
        clock.credit(1_500_000);
        assert_eq!(deadline.ends_at(&clock), at(6_500));
        clock.credit(1_500_000);
        assert_eq!(deadline.ends_at(&clock), at(7_000));
    }

    #[test]
    fn stalls_before_a_deadline_began_do_not_move_it() {
        let mut clock = Clock::new(at(0), 0, 2_000_000);
        clock.credit(9_000_000);
        assert_eq!(clock.peer_deadline(5_000_000).ends_at(&clock), at(5_000));
    }

    #[test]
    fn a_held_deadline_goes_on_with_the_time_it_had_left() {
        let mut clock = Clock::new(at(0), 0, 2_000_000);
        let before = clock.peer_deadline(5_000_000);
        clock.advance(at(1_000));
        clock.set_hold(true);
        clock.advance(at(61_000));
        clock.credit(1_000_000);
        let during = clock.peer_deadline(5_000_000);
        assert_eq!((before.ends_at(&clock), during.ends_at(&clock)), (Timestamp::NEVER, Timestamp::NEVER));
        clock.advance(at(71_000));
        clock.set_hold(false);
        assert_eq!(before.ends_at(&clock), at(5_000 + 70_000));
        assert_eq!(during.ends_at(&clock), at(61_000 + 5_000 + 10_000));
    }
}
