//! Another port of a session's IP address from which its packets come: what passed between it and the server, and the question
//! whether the peer is there (PROTOCOL.md, section 7).

use core::net::SocketAddr;

use crate::Timestamp;
use crate::planted::{PlantedBug, is_planted};

use super::clock::PeerDeadline;

/// A challenge that is not answered is sent again after so long.
const REPEAT_MICROS: u64 = 100_000;
/// After a question that the path in use answered the next one waits for so long, then for twice as long, up to the longest.
const FIRST_PAUSE_MICROS: u64 = 1_000_000;
const LONGEST_PAUSE_MICROS: u64 = 64_000_000;

/// A port that may be where a session's peer is now. Until that is clear it gets nothing but challenges.
#[derive(Debug)]
pub(super) struct TrialPath {
    /// `None` where it is somebody else's by now: what is left then is how often to ask.
    address: Option<SocketAddr>,
    /// Whole datagrams of the session, in bytes: no more goes there than came from there (P43).
    bytes_received: u64,
    bytes_sent: u64,
    /// What the peer is asked now.
    question: Option<Question>,
    rests_until: Timestamp,
    next_pause_micros: u64,
}

/// Two challenges that are on their way. The value that comes back says where the peer hears.
#[derive(Debug)]
struct Question {
    in_use: Challenge,
    on_trial: Challenge,
    /// The value sent to the port on trial came back.
    is_heard_on_trial: bool,
    deadline: PeerDeadline,
}

#[derive(Clone, Copy, Debug)]
struct Challenge {
    value: u64,
    due: Timestamp,
}

/// Which of the two paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// The one that the session has.
    InUse,
    /// The one it may move to.
    OnTrial,
}

impl TrialPath {
    /// A port from which the first packet is about to be taken. It inherits the pause of the one it takes the place of: who sends from
    /// many ports is asked no more often.
    pub(super) fn new(address: SocketAddr, former: Option<&Self>) -> Self {
        Self {
            address: Some(address),
            bytes_received: 0,
            bytes_sent: 0,
            question: None,
            rests_until: Timestamp::ZERO,
            next_pause_micros: former.map_or(FIRST_PAUSE_MICROS, |former| former.next_pause_micros),
        }
    }

    /// The port, with the session's IP address; `None` if it is on trial no more.
    pub(super) const fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// The port is somebody else's. The pauses go on: who claims ports for others makes nobody be asked more often.
    pub(super) const fn leave(&mut self) {
        self.address = None;
        self.question = None;
    }

    /// Whether neither a question nor a pause is under way: then another port may take its place.
    pub(super) fn is_idle(&self, now: Timestamp) -> bool {
        self.question.is_none() && self.rests_until <= now
    }

    /// A packet of the session came from there.
    pub(super) const fn on_received(&mut self, bytes: usize) {
        self.bytes_received = self.bytes_received.saturating_add(bytes as u64);
    }

    /// Whether so many bytes more may go there.
    fn may_get(&self, bytes: usize) -> bool {
        let sent = self.bytes_sent.saturating_add(bytes as u64);
        sent <= self.bytes_received || is_planted(PlantedBug::TrialUnpaid)
    }

    /// Whether to ask now, by a challenge of so many bytes. While it does not fit, the time to answer does not begin.
    pub(super) fn may_ask(&self, now: Timestamp, challenge_bytes: usize) -> bool {
        self.is_idle(now) && self.may_get(challenge_bytes)
    }

    /// Asks whether the peer hears on the path in use, and whether here, by two different values.
    pub(super) const fn ask(&mut self, now: Timestamp, values: [u64; 2], deadline: PeerDeadline) {
        let [value_in_use, value_on_trial] = values;
        self.question = Some(Question {
            in_use: Challenge { value: value_in_use, due: now },
            on_trial: Challenge { value: value_on_trial, due: now },
            is_heard_on_trial: false,
            deadline,
        });
    }

    /// A value came back. The path in use stays if the peer hears there, whatever it hears elsewhere (P42).
    pub(super) fn on_response(&mut self, now: Timestamp, value: u64) {
        let Some(question) = &mut self.question else { return };
        if value == question.on_trial.value {
            question.is_heard_on_trial = true;
            question.on_trial.due = Timestamp::NEVER;
        } else if value == question.in_use.value && !is_planted(PlantedBug::RelayBelieved) {
            self.question = None;
            self.rests_until = now.plus_micros(self.next_pause_micros);
            self.next_pause_micros = (2 * self.next_pause_micros).min(LONGEST_PAUSE_MICROS);
        }
    }

    /// When the answers are due, if anything is asked.
    pub(super) fn deadline(&self) -> Option<PeerDeadline> {
        self.question.as_ref().map(|question| question.deadline)
    }

    /// The time to answer is over; says whether the peer is here.
    pub(super) fn conclude(&mut self) -> bool {
        self.question.take().is_some_and(|question| question.is_heard_on_trial)
    }

    /// When the next challenge of so many bytes leaves.
    pub(super) fn next_challenge(&self, challenge_bytes: usize) -> Timestamp {
        let Some(question) = &self.question else { return Timestamp::NEVER };
        let on_trial = if self.may_get(challenge_bytes) { question.on_trial.due } else { Timestamp::NEVER };
        question.in_use.due.min(on_trial)
    }

    /// The challenge of so many bytes that leaves now, and to which side; the same side gets it again after a while.
    pub(super) fn poll_challenge(&mut self, now: Timestamp, challenge_bytes: usize) -> Option<(Side, u64)> {
        let may_get = self.may_get(challenge_bytes);
        let Question { in_use, on_trial, .. } = self.question.as_mut()?;
        let (side, challenge) = if in_use.due <= now {
            (Side::InUse, in_use)
        } else if on_trial.due <= now && may_get {
            self.bytes_sent = self.bytes_sent.saturating_add(challenge_bytes as u64);
            (Side::OnTrial, on_trial)
        } else {
            return None;
        };
        challenge.due = now.plus_micros(REPEAT_MICROS);
        Some((side, challenge.value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::clock::Clock;
    use alloc::vec::Vec;

    const BYTES: usize = 30;

    const fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn trial() -> TrialPath {
        TrialPath::new(SocketAddr::from(([198, 51, 100, 7], 9)), None)
    }

    fn ask(trial: &mut TrialPath, now: Timestamp) {
        assert!(trial.may_ask(now, BYTES));
        trial.ask(now, [1, 2], Clock::new(now, 0, 0).peer_deadline(500_000));
    }

    fn sent(trial: &mut TrialPath, now: Timestamp) -> Vec<(Side, u64)> {
        core::iter::from_fn(|| trial.poll_challenge(now, BYTES)).collect()
    }

    #[test]
    fn it_is_asked_only_when_it_paid_for_the_challenge_and_gets_no_byte_more_than_came() {
        let mut trial = trial();
        trial.on_received(BYTES - 1);
        assert!(!trial.may_ask(at(0), BYTES));
        trial.on_received(BYTES);
        ask(&mut trial, at(0));
        assert_eq!(sent(&mut trial, at(0)), [(Side::InUse, 1), (Side::OnTrial, 2)]);
        assert_eq!(trial.next_challenge(BYTES), at(100));
        assert_eq!(sent(&mut trial, at(100)), [(Side::InUse, 1)], "a byte is missing");
        trial.on_received(1);
        assert_eq!(sent(&mut trial, at(100)), [(Side::OnTrial, 2)]);
        assert_eq!(trial.next_challenge(BYTES), at(200));
    }

    #[test]
    fn the_path_in_use_stays_if_it_answers_first_or_last_and_the_pauses_double_over_all_ports() {
        let mut trial = trial();
        let (mut now, mut pauses) = (at(0), Vec::new());
        for _ in 0..8 {
            trial.on_received(BYTES);
            ask(&mut trial, now);
            sent(&mut trial, now);
            trial.on_response(now, 2);
            trial.on_response(now, 1);
            trial.on_response(now, 2);
            assert!(!trial.conclude() && !trial.is_idle(now));
            let end = trial.rests_until;
            pauses.push(end.micros_since(now) / 1_000_000);
            now = end;
            trial = TrialPath::new(trial.address().unwrap(), Some(&trial));
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 64, 64]);
    }

    #[test]
    fn it_wins_if_it_alone_answers_and_may_ask_again_at_once_if_nobody_does() {
        let mut trial = trial();
        trial.on_received(2 * BYTES);
        ask(&mut trial, at(0));
        sent(&mut trial, at(0));
        trial.on_response(at(1), 7);
        assert!(!trial.conclude() && trial.is_idle(at(1)));
        ask(&mut trial, at(1));
        sent(&mut trial, at(1));
        trial.on_response(at(2), 2);
        assert_eq!(sent(&mut trial, at(400)), [(Side::InUse, 1)], "the other was heard");
        assert!(trial.conclude());
    }
}
