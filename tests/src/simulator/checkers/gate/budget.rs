//! What the unproved may cost, reckoned once more, and who may be refused for that.
//!
//! 1. Nobody is, while there is more than the half that is kept back.
//! 2. Whoever shows a resume token of this start, or answers from where a handshake is under way, and comes less than
//!    [`OFTEN`] times a second, is not, while there is anything at all.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::net::{IpAddr, SocketAddr};

use rejoin::DropReason::{
    Empty, Malformed, PrefixBanned, Replayed, ResponseUnexpected, TokenConsumed, TokenExpired,
    UnprovedBudget, WrongDirection, WrongProtocol,
};
use rejoin::{Config, SessionId, Timestamp, Verdict};

use crate::laws::{Violation, ensure};
use crate::netcode::kind::{KEEP_ALIVE, REQUEST, RESPONSE, kind_of};
use crate::simulator::step::Datagram;

/// Whoever comes as often as that within a second is not promised anything, on purpose or because a network repeats what it carries.
const OFTEN: usize = 16;
const SECOND_MICROS: u64 = 1_000_000;
const REQUEST_OPENS: u64 = 8;
/// At most, with three keys to try and one of them to derive.
const RESPONSE_OPENS: u64 = 9;
/// At most, under the keys of those who are at an address, or wait there.
const FAILED_OPENS_AT_ADDRESS: u64 = 2;
/// How long keys wait for their first packet at most: a timeout, with what stalls and holds add.
const WAIT_MICROS: u64 = 60 * SECOND_MICROS;
/// At most, under those of sessions that may have moved there.
const FAILED_OPENS_OF_NEIGHBOURS: u64 = 8;

/// What is left, at least: where a datagram alone does not tell what it cost, it cost the most that it can.
#[derive(Debug, Default)]
pub(super) struct Budget {
    per_s: u64,
    burst: u64,
    /// In millionths of an open.
    left: u64,
    at: Timestamp,
    /// Where handshakes are or were under way.
    challenged: HashSet<SocketAddr>,
    /// Who was heard last at an address, and who was heard at all at any of an IP address.
    heard_last: HashMap<SocketAddr, SessionId>,
    /// When a response from an address was answered last: keys wait there for their first packet, which is tried under others before.
    answered: HashMap<SocketAddr, Timestamp>,
    heard: HashMap<IpAddr, HashSet<SessionId>>,
    /// When each good token and each address came, of the last second.
    lately: BTreeMap<Familiar, VecDeque<Timestamp>>,
}

/// What speaks for somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Familiar {
    Token([u8; 24]),
    Address(SocketAddr),
}

impl Budget {
    /// A server starts.
    pub(super) fn full(config: &Config, at: Timestamp) -> Self {
        let (per_s, burst) = (config.unproved_opens_per_s.into(), u64::from(config.unproved_opens_burst));
        Self { per_s, burst, left: burst * SECOND_MICROS, at, ..Self::default() }
    }

    /// The server's clock shows this.
    pub(super) fn pass(&mut self, at: Timestamp) {
        self.left = (self.left + at.micros_since(self.at).min(SECOND_MICROS * self.burst) * self.per_s)
            .min(self.burst * SECOND_MICROS);
        self.at = self.at.max(at);
    }

    /// Something is read that may be expected; says how often that came within the last second.
    pub(super) fn note_familiar(&mut self, familiar: Familiar) -> usize {
        let now = self.at;
        let times = self.lately.entry(familiar).or_default();
        times.push_back(now);
        while times.front().is_some_and(|at| now.micros_since(*at) > SECOND_MICROS) {
            times.pop_front();
        }
        times.len()
    }

    /// Whether a handshake is, or was, under way there.
    pub(super) fn is_challenged(&self, address: SocketAddr) -> bool {
        self.challenged.contains(&address)
    }

    /// Somebody was refused; `came` is how often it did within a second, where it is expected.
    pub(super) fn check_refusal(&self, datagram: &Datagram, came: Option<usize>) -> Result<(), Violation> {
        let opens = if kind_of(&datagram.bytes) == Some(REQUEST) { REQUEST_OPENS } else { RESPONSE_OPENS };
        let is_gone = self.left < (self.burst / 2 + opens) * SECOND_MICROS;
        let is_gone_for_all = self.left < opens * SECOND_MICROS;
        ensure(is_gone && (is_gone_for_all || came.is_none_or(|times| times >= OFTEN)), || {
            let left = self.left / SECOND_MICROS;
            format!(
                "{datagram} was refused, with {left} opens left of {}; it came {came:?} times",
                self.burst
            )
        })
    }

    /// The server read something, which may have cost something.
    pub(super) fn note(&mut self, datagram: &Datagram, verdict: Verdict) {
        let is_refused = verdict == Verdict::Dropped(UnprovedBudget);
        let opens = match (kind_of(&datagram.bytes), verdict) {
            (_, Verdict::Dropped(PrefixBanned))
            | (Some(REQUEST), Verdict::Dropped(Malformed | WrongProtocol | TokenExpired | TokenConsumed)) => {
                0
            }
            (Some(REQUEST), _) if !is_refused => {
                self.challenged.insert(datagram.from);
                REQUEST_OPENS
            }
            (Some(RESPONSE), Verdict::Dropped(ResponseUnexpected)) if !self.is_challenged(datagram.from) => 0,
            (Some(RESPONSE), _) if !is_refused => {
                self.answered.insert(datagram.from, self.at);
                RESPONSE_OPENS
            }
            (Some(KEEP_ALIVE..), verdict) => {
                // What could not be refused does not touch what is kept back.
                let kept_back = (self.burst / 2 * SECOND_MICROS).min(self.left);
                let opens = self.failed_opens(datagram.from, verdict);
                self.left = self.left.saturating_sub(opens * SECOND_MICROS).max(kept_back);
                0
            }
            _ => 0,
        };
        self.left = self.left.saturating_sub(opens * SECOND_MICROS);
    }

    /// Under how many keys at most something of a session was tried in vain.
    fn failed_opens(&mut self, from: SocketAddr, verdict: Verdict) -> u64 {
        let others_max = self.heard.get(&from.ip()).map_or(0, HashSet::len) as u64;
        let neighbours = others_max.min(FAILED_OPENS_OF_NEIGHBOURS);
        match verdict {
            Verdict::Dropped(Empty | Malformed | WrongDirection) => 0,
            // The key of the one who is there was not tried.
            Verdict::Dropped(Replayed) => neighbours.min(others_max.saturating_sub(1)),
            Verdict::Accepted(id) => {
                self.heard.entry(from.ip()).or_default().insert(id);
                // It is tried first on whoever is there.
                let is_there = self.heard_last.insert(from, id) == Some(id);
                let answered_at = self.answered.get(&from);
                let may_wait = answered_at.is_some_and(|at| self.at.micros_since(*at) <= WAIT_MICROS);
                match (is_there, may_wait) {
                    (true, false) => 0,
                    (true, true) => 1,
                    (false, _) => FAILED_OPENS_AT_ADDRESS + neighbours,
                }
            }
            Verdict::Answered | Verdict::Dropped(_) => {
                let is_anybody_there = self.heard_last.contains_key(&from) || self.is_challenged(from);
                neighbours + if is_anybody_there { FAILED_OPENS_AT_ADDRESS } else { 0 }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::{config, server_address};

    fn request(verdict_of: &mut Budget, verdict: Verdict) -> Datagram {
        let from = "198.51.100.1:10001".parse().expect("an address");
        let datagram = Datagram { from, to: server_address(), bytes: [0; 1_078].into() };
        verdict_of.note(&datagram, verdict);
        datagram
    }

    fn budget() -> Budget {
        let mut config = config();
        (config.unproved_opens_per_s, config.unproved_opens_burst) = (1_000, 1_600);
        Budget::full(&config, Timestamp::ZERO)
    }

    #[test]
    fn nobody_may_be_refused_before_the_half_is_spent_and_who_is_expected_only_when_all_is() {
        let mut budget = budget();
        for spent in 1..=199 {
            let datagram = request(&mut budget, Verdict::Answered);
            assert_eq!(budget.check_refusal(&datagram, None).is_ok(), spent >= 100, "{spent}");
            assert!(budget.check_refusal(&datagram, Some(1)).is_err());
            assert_eq!(budget.check_refusal(&datagram, Some(OFTEN)).is_ok(), spent >= 100);
        }
        let datagram = request(&mut budget, Verdict::Answered);
        assert!(budget.check_refusal(&datagram, Some(1)).is_ok());

        budget.pass(Timestamp::from_millis(500));
        assert!(budget.check_refusal(&datagram, Some(1)).is_err());
        budget.pass(Timestamp::from_millis(1_000));
        assert!(budget.check_refusal(&datagram, None).is_err());
    }

    #[test]
    fn what_is_refused_or_free_costs_nothing() {
        let mut budget = budget();
        for _ in 0..500 {
            for reason in [UnprovedBudget, TokenConsumed, TokenExpired] {
                request(&mut budget, Verdict::Dropped(reason));
            }
        }
        assert_eq!(budget.left, 1_600 * SECOND_MICROS);
    }

    #[test]
    fn it_counts_who_came_within_a_second() {
        let mut budget = budget();
        let token = Familiar::Token([7; 24]);
        assert_eq!(budget.note_familiar(token), 1);
        budget.pass(Timestamp::from_millis(900));
        assert_eq!(budget.note_familiar(token), 2);
        budget.pass(Timestamp::from_millis(1_500));
        assert_eq!(budget.note_familiar(token), 2);
    }
}
