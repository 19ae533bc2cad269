//! A session whose packets come from another port of its IP address: what it is asked, and when it follows.
//!
//! That a packet from an unknown port was looked for in the right session, and that there was a budget for it, is the server's to say. The
//! rest is not: whether there is a session it can belong to, what the server may ask and when, what the answers mean. How long a round trip
//! takes the server says; where that is short, or not known yet, the time to answer is predicted to the microsecond.

use std::net::SocketAddr;
use std::time::Duration;

use rejoin::lifecycle::Cause;
use rejoin::{Continuity, Event, MultiSessionManager, Payloads, SessionId, Timestamp};

use super::Model;
use super::clock::Deadline;
use super::session::{Session, TokenId};
use crate::laws::{Violation, ensure};

/// The longest packet with a challenge: what came pays for it.
pub(super) const CHALLENGE_PACKET_BYTES_MAX: u64 = 1 + 8 + 9 + 16;
/// How far a sequence may be above the newest of its session.
const SEQUENCES_AHEAD_MAX: u64 = 1_024;
/// The least time to answer, that of three round trips that nobody has measured, and of the longest.
const ANSWER_MICROS: u64 = 500_000;
const ANSWER_MICROS_UNMEASURED: u64 = 3 * 333_000;
const ANSWER_MICROS_MAX: u64 = 3 * 10_000_000;
/// A round trip that was no longer before and after a step was nowhere longer than a third of the least time to answer in it.
const SHORT_ROUND_TRIP: Duration = Duration::from_millis(80);
const FIRST_PAUSE_MICROS: u64 = 1_000_000;
const LONGEST_PAUSE_MICROS: u64 = 64_000_000;

/// A port that a session may be moving to.
#[derive(Clone, Debug)]
pub(super) struct Trial {
    /// `None` if it is somebody else's by now; the pauses go on.
    address: Option<SocketAddr>,
    bytes_from: u64,
    bytes_to: u64,
    /// Signs of life from there for which nothing was asked yet.
    unanswered: Vec<Sign>,
    question: Option<Question>,
    rests_until: Timestamp,
    pause_micros: u64,
    /// An answer came when nobody knows whether it was in time: the pauses may be longer than they are known to be.
    may_rest_longer: bool,
}

/// A sign of life from a port on trial.
#[derive(Clone, Copy, Debug)]
struct Sign {
    at: Timestamp,
    /// What was left of what came.
    bytes_left: u64,
    /// Whether nothing was asked before, for sure.
    is_free: bool,
}

/// What the peer is asked: which of two values it hears.
#[derive(Clone, Copy, Debug)]
struct Question {
    value_in_use: Option<u64>,
    value_on_trial: Option<u64>,
    heard: Heard,
    /// The answers are due within these two, which are the same where the round trip is known.
    earliest: Deadline,
    /// Whether deadlines fired after that: what is held or forgiven later changes nothing for it.
    may_be_over: bool,
    latest: Deadline,
    is_exact: bool,
    /// It was asked in this step.
    is_new: bool,
}

/// Whether the value from the port on trial came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Heard {
    No,
    /// Perhaps too late.
    Late,
    InTime,
}

impl Trial {
    fn new(address: SocketAddr, former: Option<&Self>) -> Self {
        Self {
            address: Some(address),
            bytes_from: 0,
            bytes_to: 0,
            unanswered: Vec::new(),
            question: None,
            rests_until: Timestamp::ZERO,
            pause_micros: former.map_or(FIRST_PAUSE_MICROS, |former| former.pause_micros),
            may_rest_longer: former.is_some_and(|former| former.may_rest_longer),
        }
    }

    /// Whether this is the port.
    pub(super) fn is_at(&self, address: SocketAddr) -> bool {
        self.address == Some(address)
    }

    /// Whether the peer is asked now, as far as is known.
    pub(super) const fn is_asked(&self) -> bool {
        self.question.is_some()
    }

    /// When its answers are due at last, if that matters.
    pub(super) fn deadline(&self) -> Option<Deadline> {
        let matters = |question: &Question| question.is_exact || question.heard == Heard::InTime;
        self.question.filter(matters).map(|question| question.latest)
    }
}

/// Packets from another port.
impl Model {
    /// The sessions to which a packet from here can belong although nobody is here, each with the token it would be sealed under.
    pub(super) fn may_have_moved(&self, from: SocketAddr, sequence: u64) -> Vec<(SessionId, TokenId)> {
        let is_plausible = |session: &Session| {
            let newest = session.path.newest.unwrap_or(u64::MAX);
            let is_free = session.trial.as_ref().is_none_or(|trial| {
                trial.rests_until <= self.now
                    && trial.question.is_none_or(|question| self.may_be_over(&question))
            });
            self.rules.payloads == Payloads::Framed
                && session.is_confirmed
                && session.path.address.ip() == from.ip()
                && session.path.address != from
                && sequence
                    .checked_sub(newest)
                    .is_some_and(|ahead| (1..=SEQUENCES_AHEAD_MAX).contains(&ahead))
                && is_free
        };
        let plausible = self.sessions.iter().filter(|(_, session)| is_plausible(session));
        plausible.map(|(id, session)| (*id, session.path.token)).collect()
    }

    /// Whether the time to answer may be over, as far as is known.
    fn may_be_over(&self, question: &Question) -> bool {
        question.may_be_over || self.has_passed(question.earliest)
    }

    /// Deadlines have fired: those of questions too, if their time was over.
    pub(super) fn note_questions_over(&mut self) {
        let asked = self.sessions.iter().filter_map(|(id, session)| {
            let question = session.trial.as_ref()?.question.as_ref()?;
            self.may_be_over(question).then_some(*id)
        });
        for id in asked.collect::<Vec<_>>() {
            let trial = self.sessions.get_mut(&id).and_then(|session| session.trial.as_mut());
            if let Some(question) = trial.and_then(|trial| trial.question.as_mut()) {
                question.may_be_over = true;
            }
        }
    }

    /// The session whose packets come from here, though its path is elsewhere.
    pub(super) fn on_trial_at(&self, address: SocketAddr) -> Option<(SessionId, &Session)> {
        let is_here = |session: &Session| session.trial.as_ref().is_some_and(|trial| trial.is_at(address));
        self.sessions.iter().find(|(_, session)| is_here(session)).map(|(id, session)| (*id, session))
    }

    pub(super) fn put_on_trial(&mut self, id: SessionId, address: SocketAddr) {
        self.end_trial_at(address);
        if let Some(session) = self.sessions.get_mut(&id) {
            session.trial = Some(Trial::new(address, session.trial.as_ref()));
        }
    }

    /// The address belongs to somebody else now.
    pub(super) fn end_trial_at(&mut self, address: SocketAddr) {
        let trials = self.sessions.values_mut().filter_map(|session| session.trial.as_mut());
        for trial in trials.filter(|trial| trial.is_at(address)) {
            (trial.address, trial.question) = (None, None);
            trial.unanswered.clear();
        }
    }

    /// A packet of the session came from its port on trial. It is a sign of life, but brings nobody back.
    pub(super) fn packet_on_trial(&mut self, id: SessionId, bytes: usize, is_newest: bool) {
        let now = self.now;
        let Some(timeout_micros) = self.sessions.get(&id).map(|session| session.timeout_micros) else {
            return;
        };
        let silence = self.deadline(timeout_micros);
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let Some(trial) = &mut session.trial else { return };
        trial.bytes_from += bytes as u64;
        if !is_newest {
            return;
        }
        (session.last_live, session.silence) = (now, silence);
        if trial.rests_until <= now {
            let is_free = trial.question.is_none() && !trial.may_rest_longer;
            trial.unanswered.push(Sign { at: now, bytes_left: trial.bytes_from - trial.bytes_to, is_free });
        }
        self.touched.push(id);
    }
}

/// Questions and answers.
impl Model {
    /// The sessions that are asked something, or may be, with the token under which they are.
    pub(super) fn asked_at(&self, to: SocketAddr) -> Vec<(SessionId, TokenId)> {
        let concerns = |session: &Session| {
            session
                .trial
                .as_ref()
                .is_some_and(|trial| trial.address == Some(to) || session.path.address == to)
        };
        let asked = self.sessions.iter().filter(|(_, session)| concerns(session));
        asked.map(|(id, session)| (*id, session.path.token)).collect()
    }

    /// Whether the holder of this token is asked something.
    pub(super) fn is_anybody_asked(&self, token: TokenId) -> bool {
        let is_asked = |session: &Session| {
            session.path.token == token && session.trial.as_ref().is_some_and(Trial::is_asked)
        };
        self.sessions.values().any(is_asked)
    }

    /// The server sent a challenge.
    pub(super) fn challenge(
        &mut self,
        id: SessionId,
        to: SocketAddr,
        value: u64,
        bytes: u64,
    ) -> Result<(), Violation> {
        let Some(trial) = self.sessions.get(&id).and_then(|session| session.trial.as_ref()) else {
            return Ok(());
        };
        let is_on_trial = trial.is_at(to);
        let known = trial
            .question
            .map(|question| if is_on_trial { question.value_on_trial } else { question.value_in_use });
        match known {
            Some(Some(known)) if known == value => {}
            Some(None) => self.complete_question(id, is_on_trial, value)?,
            Some(Some(_)) | None => self.begin_question(id, is_on_trial, value, bytes)?,
        }
        let Some(trial) = self.sessions.get_mut(&id).and_then(|session| session.trial.as_mut()) else {
            return Ok(());
        };
        if is_on_trial {
            trial.bytes_to += bytes;
        }
        ensure(trial.bytes_to <= trial.bytes_from, || {
            format!(
                "session {id}: {to} is on trial, sent {} bytes and got {}",
                trial.bytes_from, trial.bytes_to
            )
        })
    }

    fn begin_question(
        &mut self,
        id: SessionId,
        is_on_trial: bool,
        value: u64,
        bytes: u64,
    ) -> Result<(), Violation> {
        let Some(trial) = self.sessions.get(&id).and_then(|session| session.trial.as_ref()) else {
            return Ok(());
        };
        let is_over = trial
            .question
            .is_none_or(|question| self.may_be_over(&question) && question.heard != Heard::InTime);
        let asked_at = trial.unanswered.iter().find(|sign| sign.bytes_left >= bytes).map(|sign| sign.at);
        ensure(is_over && asked_at.is_some_and(|at| trial.rests_until <= at), || {
            format!(
                "session {id} is asked whether it is at {:?}, for which there is no reason",
                trial.address
            )
        })?;
        let asked_at = asked_at.unwrap_or(self.now);
        let earliest = self.deadline_since(asked_at, ANSWER_MICROS);
        let latest = self.deadline_since(asked_at, ANSWER_MICROS_MAX);
        let (value_in_use, value_on_trial) =
            if is_on_trial { (None, Some(value)) } else { (Some(value), None) };
        let heard = Heard::No;
        let question = Question {
            value_in_use,
            value_on_trial,
            heard,
            earliest,
            may_be_over: false,
            latest,
            is_exact: false,
            is_new: true,
        };
        if let Some(trial) = self.sessions.get_mut(&id).and_then(|session| session.trial.as_mut()) {
            trial.question = Some(question);
            trial.unanswered.clear();
        }
        self.touched.push(id);
        Ok(())
    }

    fn complete_question(&mut self, id: SessionId, is_on_trial: bool, value: u64) -> Result<(), Violation> {
        let question =
            self.sessions.get_mut(&id).and_then(|session| session.trial.as_mut()?.question.as_mut());
        let Some(question) = question else { return Ok(()) };
        let place = if is_on_trial { &mut question.value_on_trial } else { &mut question.value_in_use };
        *place = Some(value);
        ensure(question.value_in_use != question.value_on_trial, || {
            format!("session {id} is asked for the same value on both paths")
        })
    }

    /// The peer returned these values in a packet, whose frames counted for sure or perhaps.
    pub(super) fn responses(&mut self, id: SessionId, values: &[u64], is_sure: bool) {
        let now = self.now;
        for value in values {
            let question = self.sessions.get(&id).and_then(|session| session.trial.as_ref()?.question);
            let Some(question) = question else { return };
            let in_time = is_sure && !self.may_be_over(&question);
            let trial = self.sessions.get_mut(&id).and_then(|session| session.trial.as_mut());
            let Some(trial) = trial else { return };
            if question.value_in_use == Some(*value) {
                trial.question = None;
                if in_time {
                    trial.rests_until = now.plus_micros(trial.pause_micros);
                    trial.pause_micros = (2 * trial.pause_micros).min(LONGEST_PAUSE_MICROS);
                } else {
                    trial.may_rest_longer = true;
                }
            } else if question.value_on_trial == Some(*value)
                && let Some(question) = &mut trial.question
                && question.heard != Heard::InTime
            {
                question.heard = if in_time { Heard::InTime } else { Heard::Late };
            }
        }
    }

    /// Whoever paid for a question was asked it in the same moment.
    pub(super) fn check_asked(&mut self) -> Result<(), Violation> {
        for (id, session) in &mut self.sessions {
            let Some(trial) = &mut session.trial else { continue };
            let pays = |sign: &Sign| sign.is_free && sign.bytes_left >= CHALLENGE_PACKET_BYTES_MAX;
            let is_owed = trial.question.is_none() && trial.unanswered.iter().any(pays);
            trial.unanswered.clear();
            ensure(!is_owed, || format!("session {id} is not asked whether it is at {:?}", trial.address))?;
        }
        Ok(())
    }

    /// The server says how long round trips are. Questions of this step have exactly so much time if that is clear.
    pub(super) fn note_round_trips(&mut self, server: &MultiSessionManager, touched: &[SessionId]) {
        for id in touched {
            let (Some(session), Some(view)) = (self.sessions.get_mut(id), server.session(*id)) else {
                continue;
            };
            let before = std::mem::replace(&mut session.round_trip, view.rtt());
            let question = session.trial.as_mut().and_then(|trial| trial.question.as_mut());
            let Some(question) = question.filter(|question| question.is_new) else { continue };
            question.is_new = false;
            let answer_micros = match (before, view.rtt()) {
                (_, None) => ANSWER_MICROS_UNMEASURED,
                (Some(before), Some(after)) if before.max(after) <= SHORT_ROUND_TRIP => ANSWER_MICROS,
                _ => continue,
            };
            question.is_exact = true;
            question.earliest = question.earliest.longer_by(answer_micros - ANSWER_MICROS);
            question.latest = question.earliest;
        }
    }
}

/// The move.
impl Model {
    /// The session of which it is told next that it moves, if it may.
    pub(super) fn next_move(&self) -> Option<SessionId> {
        let Some(Event::PathMoved { session, at, .. }) = self.told.get(self.expected.len()) else {
            return None;
        };
        let question = self.sessions.get(session)?.trial.as_ref()?.question?;
        let may_move = question.heard != Heard::No && self.may_be_over(&question);
        (*at == self.now && may_move).then_some(*session)
    }

    /// The time to answer may be over.
    pub(super) fn conclude_trial(&mut self, id: SessionId) {
        let question = self.sessions.get(&id).and_then(|session| session.trial.as_ref()?.question);
        let Some(question) = question else { return };
        if self.next_move() == Some(id)
            || (question.heard == Heard::InTime && self.has_passed(question.latest))
        {
            self.follow(id);
        } else if question.is_exact && self.has_passed(question.latest) {
            let trial = self.sessions.get_mut(&id).and_then(|session| session.trial.as_mut());
            if let Some(trial) = trial {
                trial.question = None;
            }
        }
    }

    fn follow(&mut self, id: SessionId) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let Some(address) = session.trial.take().and_then(|trial| trial.address) else { return };
        let former = std::mem::replace(&mut session.path.address, address);
        let is_away = session.state.is_away();
        if self.paths.get(&former) == Some(&id) {
            self.paths.remove(&former);
        }
        self.paths.insert(address, id);
        let (from_port, to_port) = (former.port(), address.port());
        self.expected.push(Event::PathMoved { session: id, at: self.now, from_port, to_port });
        self.moves_followed += 1;
        self.touched.push(id);
        if is_away {
            self.comes_back(id, Cause::Revived, Continuity::Kept);
        }
    }
}
