//! Whether a path looks dead: questions that should have been answered, and were not (PROTOCOL.md, P37).
//!
//! A question is a heartbeat, which the server answers at once. Whatever opens after it counts as the answer, for it shows the same. A question
//! is unanswered after a *wait*, which its owner gives: a probe timeout (RFC 9002, section 6.2.1), but at least a quarter of the heartbeat
//! interval, the pace at which P35 allows to ask. A path looks dead after so many questions in a row that on this path, as it was so far, less
//! than one in a thousand such rows goes unanswered by chance; three at least, as by persistent congestion (RFC 9002, section 7.6).
//!
//! The first question is the regular heartbeat, or an earlier one: silence is suspicious before it is due where the server usually has
//! more to say. All of it is a guess: its owner must lose nothing by a wrong one.

use super::redundancy::{WHOLE, repeats_until_rare};
use crate::Timestamp;

/// The fewest unanswered questions that say something.
const UNANSWERED_MIN: u8 = 3;
/// As many say it on any path.
const UNANSWERED_MAX: u8 = 8;
/// Nobody asks on after so many: with the shortest wait that is four heartbeat intervals, when P35 ends too.
const QUESTIONS_MAX: u8 = 16;
/// An outcome is believed to this part.
const SHARE_DIVISOR: u64 = 16;
/// A shorter pause is believed to this part.
const PAUSE_DIVISOR: u64 = 16;
/// A pause is suspicious when it is so many times as long as the longest of late.
const SUSPICIOUS_PAUSES: u64 = 2;
/// What counts as the usual pause before anything is known: nothing is suspicious then but an unanswered heartbeat.
const PAUSE_AT_FIRST_MICROS: u64 = 1_000_000;

/// What is known of the answers on one path.
#[derive(Debug)]
pub(super) struct PathWatch {
    question: Question,
    /// How many questions in a row were not answered in time.
    unanswered: u8,
    /// The share of questions that went unanswered in silences that ended.
    unanswered_share: u64,
    /// The longest pause between arrivals of late: a longer one counts at once, shorter ones bit by bit.
    pause_micros: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Question {
    /// None since the last sign of life.
    None,
    /// It is to leave as soon as it may.
    Wanted,
    /// It left then.
    Asked(Timestamp),
}

/// What time has brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finding {
    /// Nothing.
    Nothing,
    /// A question is wanted, now.
    Ask,
    /// So is this, and the path looks dead.
    LooksDead,
}

impl PathWatch {
    /// Knows nothing.
    pub(super) const fn new() -> Self {
        Self {
            question: Question::None,
            unanswered: 0,
            unanswered_share: 0,
            pause_micros: PAUSE_AT_FIRST_MICROS,
        }
    }

    /// The watch over the path that follows: as patient as this one has become.
    pub(super) const fn successor(&self) -> Self {
        Self { unanswered_share: self.unanswered_share, ..Self::new() }
    }

    /// A sign of life came, `pause_micros` after the one before.
    pub(super) fn on_alive(&mut self, pause_micros: u64) {
        for _ in 0..self.unanswered {
            self.unanswered_share += (WHOLE - self.unanswered_share) / SHARE_DIVISOR;
        }
        if self.question != Question::None {
            self.unanswered_share -= self.unanswered_share / SHARE_DIVISOR;
        }
        let shorter_micros = self.pause_micros.saturating_sub(pause_micros);
        self.pause_micros = pause_micros.max(self.pause_micros - shorter_micros / PAUSE_DIVISOR);
        self.question = Question::None;
        self.unanswered = 0;
    }

    /// A heartbeat left.
    pub(super) const fn on_asked(&mut self, now: Timestamp) {
        if !matches!(self.question, Question::Asked(_)) {
            self.question = Question::Asked(now);
        }
    }

    /// When time brings something, if the last sign of life came at `last_live`.
    pub(super) fn poll_timeout(&self, last_live: Timestamp, wait_micros: u64) -> Timestamp {
        match self.question {
            Question::None => {
                let suspicious_micros = self.pause_micros.saturating_mul(SUSPICIOUS_PAUSES);
                last_live.plus_micros(suspicious_micros.max(wait_micros))
            }
            Question::Asked(at) if self.unanswered < QUESTIONS_MAX => at.plus_micros(wait_micros),
            Question::Wanted | Question::Asked(_) => Timestamp::NEVER,
        }
    }

    /// What is due at `now`.
    pub(super) fn handle_timeout(
        &mut self,
        now: Timestamp,
        last_live: Timestamp,
        wait_micros: u64,
    ) -> Finding {
        if now < self.poll_timeout(last_live, wait_micros) {
            return Finding::Nothing;
        }
        self.unanswered += u8::from(self.question != Question::None);
        self.question = Question::Wanted;
        if self.unanswered >= self.unanswered_dead() { Finding::LooksDead } else { Finding::Ask }
    }

    /// With how many unanswered questions the path looks dead.
    fn unanswered_dead(&self) -> u8 {
        repeats_until_rare(self.unanswered_share, UNANSWERED_MIN, UNANSWERED_MAX)
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    const WAIT_MICROS: u64 = 125_000;

    fn ms(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    /// A server that says something every 50 ms, up to 10,000 ms.
    fn talkative() -> PathWatch {
        let mut watch = PathWatch::new();
        for _ in 0..200 {
            watch.on_alive(50_000);
        }
        watch
    }

    /// When questions leave after a last sign of life at 10,000 ms, and when the path looks dead.
    fn silence(watch: &mut PathWatch) -> (Vec<u64>, u64) {
        let mut asked_ms = Vec::new();
        loop {
            let at = watch.poll_timeout(ms(10_000), WAIT_MICROS);
            let finding = watch.handle_timeout(at, ms(10_000), WAIT_MICROS);
            let at_ms = at.as_micros() / 1_000;
            if finding == Finding::LooksDead {
                return (asked_ms, at_ms);
            }
            assert_eq!(finding, Finding::Ask);
            asked_ms.push(at_ms);
            watch.on_asked(at);
        }
    }

    #[test]
    fn p37_three_unanswered_questions_say_that_a_path_looks_dead() {
        let (asked_ms, dead_ms) = silence(&mut talkative());

        assert_eq!((asked_ms, dead_ms), (Vec::from([10_125, 10_250, 10_375]), 10_500));
    }

    #[test]
    fn a_pause_is_suspicious_when_it_is_twice_as_long_as_the_longest_of_late() {
        let mut watch = talkative();
        watch.on_alive(100_000);
        assert_eq!(watch.poll_timeout(ms(10_000), WAIT_MICROS), ms(10_200));
        for _ in 0..100 {
            watch.on_alive(50_000);
        }
        assert_eq!(watch.poll_timeout(ms(10_000), WAIT_MICROS), ms(10_125));
    }

    #[test]
    fn before_anything_is_known_only_a_heartbeat_asks() {
        let mut watch = PathWatch::new();
        assert_eq!(watch.poll_timeout(ms(0), WAIT_MICROS), ms(2_000));
        watch.on_asked(ms(300));
        watch.on_asked(ms(350));
        assert_eq!(watch.poll_timeout(ms(0), WAIT_MICROS), ms(425), "the first question counts");
    }

    #[test]
    fn a_question_that_is_wanted_waits_for_nothing_but_its_leaving() {
        let mut watch = talkative();
        assert_eq!(watch.handle_timeout(ms(10_125), ms(10_000), WAIT_MICROS), Finding::Ask);
        assert_eq!(watch.poll_timeout(ms(10_000), WAIT_MICROS), Timestamp::NEVER);
        assert_eq!(watch.handle_timeout(ms(20_000), ms(10_000), WAIT_MICROS), Finding::Nothing);
    }

    #[test]
    fn an_answer_in_time_is_the_end_of_all_suspicion() {
        let mut watch = talkative();
        for _ in 0..10 {
            silence(&mut PathWatch::new());
            assert_eq!(watch.handle_timeout(ms(10_125), ms(10_000), WAIT_MICROS), Finding::Ask);
            watch.on_asked(ms(10_125));
            assert_eq!(watch.handle_timeout(ms(10_250), ms(10_000), WAIT_MICROS), Finding::Ask);
            watch.on_alive(50_000);
        }
        assert_eq!(watch.unanswered, 0);
    }

    #[test]
    fn silences_that_end_make_it_patient_and_answers_less_so() {
        let mut watch = talkative();
        for _ in 0..10 {
            silence(&mut watch);
            watch.on_alive(50_000);
        }
        let (asked_ms, _) = silence(&mut watch);
        assert_eq!(asked_ms.len(), usize::from(UNANSWERED_MAX));

        for _ in 0..100 {
            watch.on_alive(50_000);
            watch.on_asked(ms(10_000));
        }
        watch.on_alive(50_000);
        assert_eq!(silence(&mut watch).0.len(), usize::from(UNANSWERED_MIN));
    }

    #[test]
    fn the_watch_over_the_next_path_has_the_patience_and_nothing_else() {
        let mut watch = talkative();
        for _ in 0..10 {
            silence(&mut watch);
            watch.on_alive(50_000);
        }
        watch.on_asked(ms(10_000));

        let next = watch.successor();

        assert_eq!(next.unanswered_dead(), UNANSWERED_MAX);
        assert_eq!((next.question, next.pause_micros), (Question::None, PAUSE_AT_FIRST_MICROS));
    }

    #[test]
    fn nobody_asks_on_for_ever() {
        let mut watch = talkative();
        let mut now = ms(10_000);
        let mut questions = 0;
        while watch.poll_timeout(ms(10_000), WAIT_MICROS) < Timestamp::NEVER {
            now = watch.poll_timeout(ms(10_000), WAIT_MICROS);
            watch.handle_timeout(now, ms(10_000), WAIT_MICROS);
            watch.on_asked(now);
            questions += 1;
        }
        assert_eq!((questions, now), (17, ms(12_125)));
    }
}
