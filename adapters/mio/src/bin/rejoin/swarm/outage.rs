//! When the cable of one client is pulled and plugged in again.

use std::time::Duration;

use rejoin::Timestamp;

/// The outages of one client: equally long, at equal distances, in a limited span.
///
/// An outage that would begin while the client is not back from the last one is left out.
#[derive(Debug)]
pub(crate) struct Outages {
    every_micros: u64,
    lasting_micros: u64,
    /// When the next one begins; `NEVER` after the last.
    begins_at: Timestamp,
    /// None goes on beyond this moment.
    ends_by: Timestamp,
    phase: Phase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Up,
    Down { until: Timestamp },
    ComingBack { since: Timestamp },
}

/// What happens to the cable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    Cut,
    Mend,
}

impl Outages {
    /// No outage ever.
    pub(crate) fn none() -> Self {
        Self {
            every_micros: 1,
            lasting_micros: 0,
            begins_at: Timestamp::NEVER,
            ends_by: Timestamp::ZERO,
            phase: Phase::Up,
        }
    }

    /// The first one begins at `first_at`, and then one each `every_micros`; all are over at `ends_by`.
    pub(crate) fn new(
        first_at: Timestamp,
        every_micros: u64,
        lasting_micros: u64,
        ends_by: Timestamp,
    ) -> Self {
        let every_micros = every_micros.max(1);
        let mut outages =
            Self { every_micros, lasting_micros, begins_at: first_at, ends_by, phase: Phase::Up };
        outages.leave_out_what_does_not_fit();
        outages
    }

    /// How long each one is.
    pub(crate) fn lasting(&self) -> Duration {
        Duration::from_micros(self.lasting_micros)
    }

    /// When the next turn is due.
    pub(crate) fn next_at(&self) -> Timestamp {
        match self.phase {
            Phase::Up | Phase::ComingBack { .. } => self.begins_at,
            Phase::Down { until } => until,
        }
    }

    /// The turn that is due by now.
    pub(crate) fn poll(&mut self, now: Timestamp) -> Option<Turn> {
        if now < self.next_at() {
            return None;
        }
        match self.phase {
            Phase::Up => {
                self.phase = Phase::Down { until: self.begins_at.plus_micros(self.lasting_micros).max(now) };
                self.schedule_next();
                Some(Turn::Cut)
            }
            Phase::Down { .. } => {
                self.phase = Phase::ComingBack { since: now };
                Some(Turn::Mend)
            }
            Phase::ComingBack { .. } => {
                self.schedule_next();
                None
            }
        }
    }

    /// Whether the cable is plugged in again, but nothing has come through yet.
    pub(crate) fn is_coming_back(&self) -> bool {
        matches!(self.phase, Phase::ComingBack { .. })
    }

    /// Whether an outage goes on or is not overcome yet.
    pub(crate) fn is_away(&self) -> bool {
        self.phase != Phase::Up
    }

    /// The client is back; gives the microseconds since the cable was plugged in.
    pub(crate) fn handle_return(&mut self, now: Timestamp) -> Option<u64> {
        let Phase::ComingBack { since } = self.phase else { return None };
        self.phase = Phase::Up;
        Some(now.micros_since(since))
    }

    /// No further outage begins.
    pub(crate) fn end(&mut self) {
        self.begins_at = Timestamp::NEVER;
    }

    fn schedule_next(&mut self) {
        self.begins_at = self.begins_at.plus_micros(self.every_micros);
        self.leave_out_what_does_not_fit();
    }

    fn leave_out_what_does_not_fit(&mut self) {
        if self.begins_at.plus_micros(self.lasting_micros) > self.ends_by {
            self.begins_at = Timestamp::NEVER;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    /// First at 1 s, each 5 s for 4 s, within 20 s.
    fn outages() -> Outages {
        Outages::new(at(1_000), 5_000_000, 4_000_000, at(20_000))
    }

    #[test]
    fn outages_begin_and_end_when_they_should() {
        let mut outages = outages();
        let mut turns = Vec::new();
        for millis in (0..30_000).step_by(10) {
            if let Some(turn) = outages.poll(at(millis)) {
                turns.push((millis, turn));
            }
            outages.handle_return(at(millis));
        }
        let expected = [
            (1_000, Turn::Cut),
            (5_000, Turn::Mend),
            (6_000, Turn::Cut),
            (10_000, Turn::Mend),
            (11_000, Turn::Cut),
            (15_000, Turn::Mend),
            (16_000, Turn::Cut),
            (20_000, Turn::Mend),
        ];
        assert_eq!(turns, expected);
    }

    #[test]
    fn the_way_back_is_measured_from_the_end_of_the_outage() {
        let mut outages = outages();
        assert_eq!(outages.poll(at(1_000)), Some(Turn::Cut));
        assert!(outages.is_away() && !outages.is_coming_back());
        assert_eq!(outages.handle_return(at(2_000)), None);
        assert_eq!(outages.poll(at(5_000)), Some(Turn::Mend));
        assert!(outages.is_away() && outages.is_coming_back());
        assert_eq!(outages.handle_return(at(5_120)), Some(120_000));
        assert!(!outages.is_away());
    }

    #[test]
    fn no_outage_begins_before_the_client_is_back_from_the_last() {
        let mut outages = outages();
        outages.poll(at(1_000));
        outages.poll(at(5_000));
        assert_eq!(outages.poll(at(6_000)), None);
        assert_eq!(outages.handle_return(at(7_000)), Some(2_000_000));
        assert_eq!(outages.next_at(), at(11_000));
        assert_eq!(outages.poll(at(11_000)), Some(Turn::Cut));
    }

    #[test]
    fn an_outage_that_would_outlast_the_span_does_not_begin() {
        let late = Outages::new(at(17_000), 5_000_000, 4_000_000, at(20_000));
        assert_eq!(late.next_at(), Timestamp::NEVER);
        assert_eq!(Outages::none().next_at(), Timestamp::NEVER);
    }

    #[test]
    fn after_the_end_an_outage_under_way_is_still_mended() {
        let mut outages = outages();
        outages.poll(at(1_000));
        outages.end();
        assert_eq!(outages.poll(at(5_000)), Some(Turn::Mend));
        outages.handle_return(at(5_000));
        assert_eq!(outages.next_at(), Timestamp::NEVER);
    }
}
