//! Where the server's simulation stands, as far as a client can tell.

use crate::Timestamp;
use crate::link::frame::HeartbeatResponse;

/// Positions are counted in millionths of a tick: in these a tick and a microsecond at any rate are whole numbers.
const TICK: i128 = 1_000_000;
const MICROS_PER_SECOND: u64 = 1_000_000;
/// No simulation ticks faster; a greater rate counts as this one.
const TICK_RATE_HZ_MAX: u64 = 1_000_000;
/// So many of the newest samples count.
const SAMPLES_MAX: usize = 8;
/// The clocks of both ends differ by less than one part in this many.
const DRIFT_DIVISOR: u64 = 5_000;
/// While it is corrected the clock runs faster or slower by one part in this many.
const SLEW_DIVISOR: i128 = 16;
/// Each end rounds to microseconds.
const ROUNDING_MICROS: u64 = 2;

/// Where the server's simulation stands. See [`ClientSession::server_clock`](super::ClientSession::server_clock).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerClock {
    /// The tick the simulation is at.
    pub tick: u64,
    /// How far into this tick it is, in microseconds.
    pub phase_micros: u64,
    /// By how much `tick` and `phase_micros` may be wrong at most, in microseconds. It holds however unequal the ways there and back
    /// are, as long as the server's ticks come evenly.
    pub error_micros: u64,
}

/// Between which positions the server was at a moment: what one heartbeat response tells (P36), or several together.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    /// The client's own time.
    at: Timestamp,
    low: i128,
    high: i128,
}

impl Bounds {
    /// What a response tells: the way back took between nothing and all of the round trip.
    fn of(at: Timestamp, response: &HeartbeatResponse, round_trip_micros: u64, tick_rate_hz: u64) -> Self {
        let answered =
            i128::from(response.server_tick) * TICK + advance(response.tick_phase_micros, tick_rate_hz);
        let rounding = advance(ROUNDING_MICROS, tick_rate_hz);
        Self {
            at,
            low: answered - rounding,
            high: answered + advance(round_trip_micros, tick_rate_hz) + rounding,
        }
    }

    /// The same for a later moment, if the server goes on evenly.
    fn at(self, now: Timestamp, tick_rate_hz: u64) -> Self {
        let elapsed_micros = now.micros_since(self.at);
        let elapsed = advance(elapsed_micros, tick_rate_hz);
        let drift = advance(elapsed_micros / DRIFT_DIVISOR, tick_rate_hz);
        Self { at: now, low: self.low + elapsed - drift, high: self.high + elapsed + drift }
    }

    /// What holds if both do; `None` if not both can be true.
    fn and(self, other: Self) -> Option<Self> {
        let (low, high) = (self.low.max(other.low), self.high.min(other.high));
        (low <= high).then_some(Self { at: self.at, low, high })
    }

    const fn middle(&self) -> i128 {
        self.low + (self.high - self.low) / 2
    }
}

/// A clock that follows the server's: it never goes back, and leaps only over more than a second.
#[derive(Debug)]
pub(super) struct TickClock {
    tick_rate_hz: u64,
    /// What it showed at `shown_at`.
    shown: i128,
    shown_at: Timestamp,
    /// How far it was behind then; it makes up for it little by little.
    behind: i128,
    /// What the newest responses told, the newest first.
    samples: [Option<Bounds>; SAMPLES_MAX],
    /// What they tell together: the shortest way there bounds the position above, the shortest way back below.
    known: Option<Bounds>,
}

impl TickClock {
    /// A clock that goes from what a welcome said until a heartbeat tells more.
    pub(super) fn new(now: Timestamp, tick: u64, tick_rate_hz: u64) -> Self {
        Self {
            tick_rate_hz: tick_rate_hz.min(TICK_RATE_HZ_MAX),
            shown: i128::from(tick) * TICK,
            shown_at: now,
            behind: 0,
            samples: [None; SAMPLES_MAX],
            known: None,
        }
    }

    /// A later welcome. Heartbeats have told more, unless the server ticks at another rate now.
    pub(super) fn handle_welcome(&mut self, now: Timestamp, tick: u64, tick_rate_hz: u64) {
        if tick_rate_hz.min(TICK_RATE_HZ_MAX) != self.tick_rate_hz {
            *self = Self::new(now, self.tick_at(now).max(tick), tick_rate_hz);
        }
    }

    /// Takes a sample; `round_trip_micros` is without the time for which the server held the heartbeat.
    pub(super) fn handle_response(
        &mut self,
        now: Timestamp,
        response: &HeartbeatResponse,
        round_trip_micros: u64,
    ) {
        let rate = self.tick_rate_hz;
        let sample = Bounds::of(now, response, round_trip_micros, rate);
        let is_first = self.known.is_none();
        // A server whose ticks were set anew or came late makes what was known of it worthless.
        for old in &mut self.samples {
            old.take_if(|old| old.at(now, rate).and(sample).is_none());
        }
        self.samples.rotate_right(1);
        self.samples[0] = Some(sample);
        let all = self.samples.iter().flatten().map(|sample| sample.at(now, rate));
        // Ranges of which any two overlap overlap all together.
        let known = all.fold(sample, |known, other| known.and(other).unwrap_or(known));
        self.known = Some(known);
        self.correct(now, known.middle(), is_first);
    }

    /// Sets out from what it shows now to what is known to be closest.
    fn correct(&mut self, now: Timestamp, position: i128, is_first: bool) {
        let shown = self.position_at(now);
        let behind = position - shown;
        let leaps = behind > self.second() || (is_first && behind > 0);
        self.shown = if leaps { position } else { shown };
        self.behind = if leaps { 0 } else { behind };
        self.shown_at = now;
    }

    /// The tick at `now`, if the server went on at its rate.
    pub(super) fn tick_at(&self, now: Timestamp) -> u64 {
        u64::try_from(self.position_at(now) / TICK).unwrap_or(u64::MAX)
    }

    /// The same with its error, which is the distance to the farther bound; `None` before the first sample, and of a server that does not tick.
    pub(super) fn clock_at(&self, now: Timestamp) -> Option<ServerClock> {
        let known = self.known?.at(now, self.tick_rate_hz);
        let position = self.position_at(now);
        let into_tick = u64::try_from(position % TICK).unwrap_or(0);
        let error = (position - known.low).max(known.high - position).unsigned_abs();
        let error_micros = error.checked_div(self.tick_rate_hz.into())?.saturating_add(1);
        Some(ServerClock {
            tick: self.tick_at(now),
            phase_micros: into_tick.checked_div(self.tick_rate_hz)?,
            error_micros: u64::try_from(error_micros).unwrap_or(u64::MAX),
        })
    }

    fn position_at(&self, now: Timestamp) -> i128 {
        let advance = advance(now.micros_since(self.shown_at), self.tick_rate_hz);
        // More than a second ahead it stands still; otherwise it goes on, faster or slower.
        let correction_max = if self.behind < -self.second() { advance } else { advance / SLEW_DIVISOR };
        self.shown + advance + self.behind.clamp(-correction_max, correction_max)
    }

    fn second(&self) -> i128 {
        advance(MICROS_PER_SECOND, self.tick_rate_hz)
    }
}

/// How far a simulation comes in this time. A rate is at most 2^20 and all figures below 2^64, so that sums of these stay far below
/// 2^127.
fn advance(micros: u64, tick_rate_hz: u64) -> i128 {
    i128::from(micros) * i128::from(tick_rate_hz)
}
