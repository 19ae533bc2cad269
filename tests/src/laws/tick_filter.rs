//! The law of the tick filter: it is three lines long, whatever way an input comes and however often its session comes back.

use std::collections::HashMap;

use rejoin::SessionId;

use super::{Violation, ensure};

/// The filter, once more, beside what the application was told.
#[derive(Clone, Debug, Default)]
pub struct TickFilter {
    newest: HashMap<SessionId, u64>,
    /// The tick that the application set, and how far ahead of it an input may be.
    bound: Option<u64>,
    /// What the application has still to be told: the inputs that count, in order.
    untold: Vec<(SessionId, u64)>,
}

impl TickFilter {
    /// The application set the tick; inputs may be so many ticks ahead.
    pub fn set_tick(&mut self, tick: u64, ticks_ahead_max: u64) {
        self.bound = Some(tick.saturating_add(ticks_ahead_max));
    }

    /// An input arrived in a packet that the server took.
    pub fn arrived(&mut self, session: SessionId, tick: u64) {
        let is_new = self.newest.get(&session).is_none_or(|newest| *newest < tick);
        // Before the game set its first tick the filter measures by the time since the login, which this one does not know.
        if is_new && self.bound.is_some_and(|bound| tick <= bound) {
            self.newest.insert(session, tick);
            self.untold.push((session, tick));
        }
    }

    /// The application was told of an input.
    pub fn told(&mut self, session: SessionId, tick: u64) -> Result<(), Violation> {
        if self.bound.is_none() {
            self.newest.insert(session, tick);
            return Ok(());
        }
        let expected = self.untold.iter().position(|(of, _)| *of == session);
        let expected = expected.map(|place| self.untold.remove(place).1);
        ensure(expected == Some(tick), || {
            format!("session {session}: tick {tick} was accepted where {expected:?} was to be")
        })
    }

    /// All events were polled: the application was told of every input that counts.
    pub fn check_told(&self) -> Result<(), Violation> {
        let untold = self.untold.first();
        ensure(untold.is_none(), || format!("an input that counts was refused: {untold:?}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SESSION: SessionId = SessionId { index: 0, generation: 0 };
    const OTHER: SessionId = SessionId { index: 1, generation: 0 };

    fn filter_at(tick: u64, arrived: &[(SessionId, u64)]) -> TickFilter {
        let mut filter = TickFilter::default();
        filter.set_tick(tick, 10);
        for (session, tick) in arrived {
            filter.arrived(*session, *tick);
        }
        filter
    }

    #[test]
    fn what_counts_and_is_told_is_fine() {
        let mut filter = filter_at(100, &[(SESSION, 109), (OTHER, 5), (SESSION, 109), (SESSION, 110)]);
        for (session, tick) in [(SESSION, 109), (SESSION, 110), (OTHER, 5)] {
            assert_eq!(filter.told(session, tick), Ok(()));
        }
        assert_eq!(filter.check_told(), Ok(()));
    }

    #[test]
    fn an_input_that_does_not_count_but_is_told_is_caught() {
        assert!(filter_at(100, &[(SESSION, 111)]).told(SESSION, 111).is_err(), "too far ahead");
        assert!(filter_at(100, &[]).told(SESSION, 50).is_err(), "never arrived");
        let mut again = filter_at(100, &[(SESSION, 50), (SESSION, 50)]);
        assert_eq!(again.told(SESSION, 50), Ok(()));
        assert!(again.told(SESSION, 50).is_err(), "a second time");
    }

    #[test]
    fn an_input_that_counts_but_is_refused_is_caught() {
        assert!(filter_at(100, &[(SESSION, 50)]).check_told().is_err());
        let mut filter = filter_at(100, &[(SESSION, 50), (OTHER, 40)]);
        assert_eq!(filter.told(SESSION, 50), Ok(()));
        assert!(filter.check_told().is_err(), "what one session sent does not count for another");
    }
}
