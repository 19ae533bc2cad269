//! Chat that checks itself: each text names its speaker and counts, so every listener can tell what is missing, twice or out of order.

use std::collections::BTreeSet;

use rejoin::Timestamp;

/// Clients that speak at most; all of them listen.
const SPEAKERS_MAX: u32 = 256;

/// Texts that arrive at all clients together, per second.
const DELIVERIES_PER_S: f64 = 20_000.0;

/// Texts per second and speaker, at most.
const TEXTS_PER_S_MAX: f64 = 2.0;

/// How many of a swarm of this size speak.
pub(crate) fn speakers(peers: u32) -> u32 {
    peers.min(SPEAKERS_MAX)
}

/// Microseconds from one text of a speaker to its next, so that a large swarm does not drown in its own chat.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a pause of half a second to some minutes"
)]
pub(crate) fn pause_micros(peers: u32) -> u64 {
    let texts_per_s = DELIVERIES_PER_S / f64::from(peers.max(1));
    let per_speaker = (texts_per_s / f64::from(speakers(peers).max(1))).min(TEXTS_PER_S_MAX);
    (1_000_000.0 / per_speaker) as u64
}

/// The name that a client of a swarm plays under.
pub(crate) fn player_name(tag: &str, index: u32) -> String {
    format!("{tag}-{index:03}")
}

/// One text: who says it, and which of that speaker's it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Text {
    pub(crate) speaker: u32,
    pub(crate) number: u32,
}

impl Text {
    /// The text in this swarm, whose tag keeps it apart from other swarms at the same server.
    pub(crate) fn write(self, tag: &str) -> String {
        format!("{tag} {} {}", self.speaker, self.number)
    }

    /// The text, if the player of this name is the one of this swarm who says such a thing.
    pub(crate) fn read(tag: &str, name: &str, text: &str) -> Option<Self> {
        let mut parts = text.strip_prefix(tag)?.strip_prefix(' ')?.split(' ');
        let parsed = Self { speaker: parts.next()?.parse().ok()?, number: parts.next()?.parse().ok()? };
        let is_own = parts.next().is_none() && name == player_name(tag, parsed.speaker);
        is_own.then_some(parsed)
    }
}

/// When one client speaks.
#[derive(Debug)]
pub(crate) struct Speaker {
    index: u32,
    pause_micros: u64,
    next_at: Timestamp,
    spoken: u32,
}

impl Speaker {
    pub(crate) fn new(index: u32, first_at: Timestamp, pause_micros: u64) -> Self {
        Self { index, pause_micros, next_at: first_at, spoken: 0 }
    }

    pub(crate) fn next_at(&self) -> Timestamp {
        self.next_at
    }

    /// How many texts were said.
    pub(crate) fn spoken(&self) -> u32 {
        self.spoken
    }

    /// The text that is due by now. It counts as said after [`handle_said`](Self::handle_said).
    pub(crate) fn due(&self, now: Timestamp) -> Option<Text> {
        (now >= self.next_at).then_some(Text { speaker: self.index, number: self.spoken })
    }

    /// The lane took the text.
    pub(crate) fn handle_said(&mut self, now: Timestamp) {
        self.spoken += 1;
        self.handle_refused(now);
    }

    /// The lane was full: the same text is tried again later.
    pub(crate) fn handle_refused(&mut self, now: Timestamp) {
        self.next_at = now.plus_micros(self.pause_micros);
    }

    pub(crate) fn end(&mut self) {
        self.next_at = Timestamp::NEVER;
    }
}

/// What one client heard, speaker by speaker.
#[derive(Debug)]
pub(crate) struct Listener {
    /// Per speaker: the number after the highest that was heard.
    next: Vec<u32>,
    /// Texts that were jumped over and have not come since.
    missing: BTreeSet<(u32, u32)>,
    pub(crate) delivered: u64,
    pub(crate) duplicated: u64,
    pub(crate) out_of_order: u64,
}

impl Listener {
    pub(crate) fn new(speakers: u32) -> Self {
        let next = vec![0; speakers as usize];
        Self { next, missing: BTreeSet::new(), delivered: 0, duplicated: 0, out_of_order: 0 }
    }

    pub(crate) fn handle(&mut self, text: Text) {
        let Some(next) = self.next.get_mut(text.speaker as usize) else { return };
        if text.number >= *next {
            self.missing.extend((*next..text.number).map(|number| (text.speaker, number)));
            *next = text.number.saturating_add(1);
            self.delivered += 1;
        } else if self.missing.remove(&(text.speaker, text.number)) {
            self.out_of_order += 1;
            self.delivered += 1;
        } else {
            self.duplicated += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listener_that_heard(numbers: &[u32]) -> Listener {
        let mut listener = Listener::new(3);
        for &number in numbers {
            listener.handle(Text { speaker: 1, number });
        }
        listener
    }

    fn counts(listener: &Listener) -> (u64, u64, u64) {
        (listener.delivered, listener.duplicated, listener.out_of_order)
    }

    #[test]
    fn a_text_survives_the_way_and_foreign_ones_are_told_apart() {
        let text = Text { speaker: 17, number: 4_000_000_000 };
        assert_eq!(Text::read("a3f9", "a3f9-017", &text.write("a3f9")), Some(text));
        for foreign in
            ["", "a3f9", "a3f9 1", "a3f8 1 2", "a3f9 1 2 3", "a3f91 2", "a3f9 -1 2", "a3f9 1 99999999999"]
        {
            assert_eq!(Text::read("a3f9", "a3f9-001", foreign), None, "{foreign}");
        }
    }

    #[test]
    fn nobody_speaks_for_another() {
        let text = Text { speaker: 17, number: 2 }.write("a3f9");
        for other in ["a3f9-018", "a3f9-17", "Mallory", ""] {
            assert_eq!(Text::read("a3f9", other, &text), None, "{other}");
        }
    }

    #[test]
    fn what_comes_in_order_is_delivered_and_nothing_else() {
        let mut listener = listener_that_heard(&[0, 1, 2]);
        listener.handle(Text { speaker: 2, number: 0 });
        assert_eq!(counts(&listener), (4, 0, 0));
    }

    #[test]
    fn a_repeat_is_a_duplicate() {
        assert_eq!(counts(&listener_that_heard(&[0, 1, 1, 0])), (2, 2, 0));
    }

    #[test]
    fn a_gap_that_is_filled_later_is_out_of_order_and_not_lost() {
        assert_eq!(counts(&listener_that_heard(&[0, 3, 1, 2])), (4, 0, 2));
        assert_eq!(counts(&listener_that_heard(&[0, 3, 1, 1])), (3, 1, 1));
    }

    #[test]
    fn a_gap_that_stays_is_not_delivered() {
        assert_eq!(counts(&listener_that_heard(&[0, 3])), (2, 0, 0));
    }

    #[test]
    fn a_speaker_says_each_number_once_also_when_refused() {
        let mut speaker = Speaker::new(5, Timestamp::ZERO, 1_000);
        assert_eq!(speaker.due(Timestamp::ZERO), Some(Text { speaker: 5, number: 0 }));
        speaker.handle_refused(Timestamp::ZERO);
        assert_eq!(speaker.due(Timestamp::ZERO), None);
        let later = Timestamp::from_micros(1_000);
        assert_eq!(speaker.due(later), Some(Text { speaker: 5, number: 0 }));
        speaker.handle_said(later);
        assert_eq!(speaker.due(speaker.next_at()), Some(Text { speaker: 5, number: 1 }));
        speaker.end();
        assert_eq!(speaker.due(Timestamp::from_millis(u64::MAX / 2_000)), None);
        assert_eq!(speaker.spoken(), 1);
    }

    #[test]
    fn a_large_swarm_speaks_less_and_a_small_one_not_without_end() {
        assert_eq!(pause_micros(1), 500_000);
        assert_eq!(pause_micros(24), 500_000);
        assert_eq!(pause_micros(200), 2_000_000);
        assert_eq!(pause_micros(10_000), 128_000_000);
        assert_eq!((speakers(24), speakers(10_000)), (24, 256));
    }
}
