//! Movement of one session: which inputs count, how punctual they are, and the state published in return.
//!
//! Every value here belongs to one session and is fed by that session's own inputs alone, so nothing one peer
//! sends can be seen in the movement of another.

mod margin;
mod published;

use margin::MarginStatistics;
use published::PublishedState;

pub use margin::ArrivalMargin;

use crate::Timestamp;
use crate::ledger::MoveRefusal;
use crate::link::frame::MoveArrival;

/// How movement ticks advance and how far ahead of the server a client may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MovementRules {
    /// Ticks per second, the same at both ends. It is used only while the application sets no server tick.
    pub tick_hz: u32,
    /// How many ticks past the reference an input may be.
    pub ticks_ahead_max: u64,
}

/// How many movement inputs of a session met which fate, since it logged in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MovementCounters {
    /// Inputs that were accepted.
    pub accepted: u64,
    /// Accepted inputs whose tick the server had reached before they came, so that it was simulated without them: those
    /// of an [arrival margin](ArrivalMargin) of 0 or less. Counted only while the application sets a server tick.
    pub late: u64,
    /// Inputs whose tick had been accepted before, as redundant sending brings about all the time.
    pub duplicate: u64,
    /// Inputs that came after a later tick had been accepted, and are not known to be duplicates.
    pub stale: u64,
    /// Inputs further past the reference than [`MovementRules::ticks_ahead_max`].
    pub too_far_ahead: u64,
    /// Ticks left out between one accepted input and the next. Ticks only ascend, so an input that arrives for
    /// one of them later is stale and does not reduce this number.
    pub missing: u64,
}

impl MovementCounters {
    /// How many inputs were refused for this reason.
    #[must_use]
    pub const fn refused(&self, refusal: MoveRefusal) -> u64 {
        match refusal {
            MoveRefusal::Duplicate => self.duplicate,
            MoveRefusal::Stale => self.stale,
            MoveRefusal::TooFarAhead => self.too_far_ahead,
        }
    }
}

/// What became of one movement input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MoveVerdict {
    /// It is the newest input of the session; hand it to the application.
    Accepted,
    /// Its tick is among the last 64 and was accepted before.
    Duplicate,
    /// Its tick is lower than the last accepted one.
    Stale,
    /// Its tick is past what the rules allow now.
    TooFarAhead,
}

impl MoveVerdict {
    /// Why the input does not count, if it does not.
    pub(crate) const fn refusal(self) -> Option<MoveRefusal> {
        match self {
            Self::Accepted => None,
            Self::Duplicate => Some(MoveRefusal::Duplicate),
            Self::Stale => Some(MoveRefusal::Stale),
            Self::TooFarAhead => Some(MoveRefusal::TooFarAhead),
        }
    }
}

/// The movement of one session, from its login to its end; it survives a change of connection.
#[derive(Debug)]
pub(crate) struct Movement {
    login_at: Timestamp,
    newest: Option<AcceptedTick>,
    /// Bit n says that the tick n below the newest was accepted.
    recent: u64,
    counters: MovementCounters,
    margins: Option<MarginStatistics>,
    /// The accepted input with the smallest margin since the client was last told of one.
    worst_arrival: Option<MoveArrival>,
    published: PublishedState,
}

#[derive(Clone, Copy, Debug)]
struct AcceptedTick {
    tick: u64,
    at: Timestamp,
}

impl Movement {
    /// The movement of a session that logged in at `now`: no input yet, nothing published.
    pub(crate) fn new(now: Timestamp) -> Self {
        Self {
            login_at: now,
            newest: None,
            recent: 0,
            counters: MovementCounters::default(),
            margins: None,
            worst_arrival: None,
            published: PublishedState::default(),
        }
    }

    /// Decides about an input for `tick` that arrived at `now`, and counts it.
    ///
    /// It is accepted if it is past every accepted tick and at most [`MovementRules::ticks_ahead_max`] past the
    /// [`reference`](Self::reference), in which `server_tick` is the application's tick, if it sets one.
    pub(crate) fn judge(
        &mut self,
        now: Timestamp,
        tick: u64,
        server_tick: Option<u64>,
        rules: MovementRules,
    ) -> MoveVerdict {
        let verdict = self.verdict(now, tick, server_tick, rules);
        match verdict {
            MoveVerdict::Accepted => {
                self.accept(now, tick);
                if let Some(server_tick) = server_tick {
                    self.measure(tick, server_tick);
                }
            }
            MoveVerdict::Duplicate => self.counters.duplicate += 1,
            MoveVerdict::Stale => self.counters.stale += 1,
            MoveVerdict::TooFarAhead => self.counters.too_far_ahead += 1,
        }
        verdict
    }

    /// The tick that inputs arriving at `now` are measured against.
    ///
    /// It is the application's `server_tick`. Without one it is the last accepted tick plus the ticks that have
    /// passed since it was accepted, and before the first input the ticks that have passed since the login. So
    /// after a silence of any length the next input of a client that went on counting is acceptable. A client
    /// that nobody gives a server tick is bound in the size of a step only: each accepted input moves its
    /// reference along.
    pub(crate) fn reference(&self, now: Timestamp, server_tick: Option<u64>, rules: MovementRules) -> u64 {
        let (tick, since) = match self.newest {
            Some(newest) => (newest.tick, newest.at),
            None => (0, self.login_at),
        };
        server_tick.unwrap_or_else(|| tick.saturating_add(ticks_in(now.micros_since(since), rules.tick_hz)))
    }

    /// The highest tick accepted so far; also the tick that published state acknowledges.
    pub(crate) fn high_water(&self) -> Option<u64> {
        self.newest.map(|newest| newest.tick)
    }

    /// What became of the session's inputs.
    pub(crate) fn counters(&self) -> MovementCounters {
        self.counters
    }

    /// How early inputs arrive; `None` before the first input accepted while the application set a server tick.
    pub(crate) fn arrival_margin(&self) -> Option<ArrivalMargin> {
        self.margins.map(|margins| margins.summary())
    }

    /// The [recommended margin](ArrivalMargin::recommended_margin_ticks); `None` as for the margin itself.
    pub(crate) fn recommended_margin_ticks(&self) -> Option<u32> {
        self.arrival_margin().map(|margin| margin.recommended_margin_ticks())
    }

    /// The accepted input that came with the smallest margin since the last [report](Self::on_arrival_reported), the latest such;
    /// `None` if there was none, or none while the application set a server tick.
    pub(crate) fn worst_arrival(&self) -> Option<MoveArrival> {
        self.worst_arrival
    }

    /// The client is told of the [worst arrival](Self::worst_arrival) (P47).
    pub(crate) fn on_arrival_reported(&mut self) {
        self.worst_arrival = None;
    }

    /// Replaces the published player state: the latest call wins, whatever its tick.
    ///
    /// The caller bounds the length of `bytes`. The buffer keeps its capacity, so a state that is no longer than
    /// an earlier one allocates nothing.
    pub(crate) fn publish(&mut self, server_tick: u64, bytes: &[u8]) {
        self.published.replace(server_tick, bytes);
    }

    /// The published player state and the server tick it belongs to; `None` before the first.
    pub(crate) fn published(&self) -> Option<(u64, &[u8])> {
        self.published.get()
    }

    /// The memory it takes beyond its own place.
    pub(crate) const fn memory_bytes(&self) -> usize {
        self.published.memory_bytes()
    }

    /// The most memory it takes beyond its own place.
    pub(crate) const fn memory_bytes_max() -> usize {
        PublishedState::memory_bytes_max()
    }

    fn verdict(
        &self,
        now: Timestamp,
        tick: u64,
        server_tick: Option<u64>,
        rules: MovementRules,
    ) -> MoveVerdict {
        if let Some(newest) = self.newest
            && tick <= newest.tick
        {
            return if self.was_accepted(newest.tick - tick) {
                MoveVerdict::Duplicate
            } else {
                MoveVerdict::Stale
            };
        }
        let limit = self.reference(now, server_tick, rules).saturating_add(rules.ticks_ahead_max);
        if tick <= limit { MoveVerdict::Accepted } else { MoveVerdict::TooFarAhead }
    }

    fn was_accepted(&self, ticks_below_newest: u64) -> bool {
        ticks_below_newest < u64::from(u64::BITS) && self.recent >> ticks_below_newest & 1 == 1
    }

    fn accept(&mut self, now: Timestamp, tick: u64) {
        if let Some(newest) = self.newest {
            let step = tick - newest.tick;
            self.recent =
                u32::try_from(step).ok().and_then(|step| self.recent.checked_shl(step)).unwrap_or(0);
            self.counters.missing = self.counters.missing.saturating_add(step - 1);
        }
        self.recent |= 1;
        self.newest = Some(AcceptedTick { tick, at: now });
        self.counters.accepted += 1;
    }

    fn measure(&mut self, tick: u64, server_tick: u64) {
        self.counters.late += u64::from(tick <= server_tick);
        let arrival = MoveArrival { tick, server_tick };
        if self.worst_arrival.is_none_or(|worst| arrival.ticks_early() <= worst.ticks_early()) {
            self.worst_arrival = Some(arrival);
        }
        let ticks_early = arrival.ticks_early();
        match &mut self.margins {
            Some(margins) => margins.record(ticks_early),
            None => self.margins = Some(MarginStatistics::new(ticks_early)),
        }
    }
}

/// Whole ticks in a span of time.
fn ticks_in(micros: u64, tick_hz: u32) -> u64 {
    let ticks = u128::from(micros) * u128::from(tick_hz) / 1_000_000;
    u64::try_from(ticks).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
