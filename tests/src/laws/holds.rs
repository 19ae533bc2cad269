//! When the host held the deadlines about peers.

use rejoin::Timestamp;

/// The holds of one start of the server, by its clock.
#[derive(Clone, Debug, Default)]
pub struct Holds {
    /// Those that are over: from when to when.
    over: Vec<(Timestamp, Timestamp)>,
    since: Option<Timestamp>,
}

impl Holds {
    /// `set_hold` was called.
    pub fn set(&mut self, now: Timestamp, hold: bool) {
        match (self.since, hold) {
            (None, true) => self.since = Some(now),
            (Some(since), false) => {
                self.over.push((since, now));
                self.since = None;
            }
            _ => {}
        }
    }

    /// Whether no deadline ends at present.
    #[must_use]
    pub const fn is_on(&self) -> bool {
        self.since.is_some()
    }

    /// For how many microseconds after `start` deadlines were held, in holds that are over.
    #[must_use]
    pub fn micros_after(&self, start: Timestamp) -> u64 {
        self.over.iter().map(|(from, to)| to.micros_since(start.max(*from))).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_held_after_the_start_counts() {
        let at = Timestamp::from_millis;
        let mut holds = Holds::default();
        for (millis, hold) in
            [(10, true), (15, true), (20, false), (25, false), (40, true), (45, false), (50, true)]
        {
            holds.set(at(millis), hold);
        }

        assert!(holds.is_on());
        let after_ms = [0, 12, 20, 30, 43, 60].map(|start| holds.micros_after(at(start)) / 1_000);
        assert_eq!(after_ms, [15, 13, 5, 5, 2, 0]);
    }
}
