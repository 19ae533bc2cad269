//! Tells a queue that stands on the path from jitter.
//!
//! A bulk transfer that only losses slow down fills the buffer in front of the narrowest part of the path, and what a
//! player does then waits behind it. A queue delays every packet, jitter only some: so it is the *shortest* round trip
//! of many packets in a row that counts.

use crate::Timestamp;

/// So many samples in a row are judged together, at least.
const SAMPLES_MIN: u16 = 16;
/// And from so long a time at least: longer than a radio's schedule or a busy access point holds all packets up.
const ROUND_MICROS_MIN: u64 = 100_000;
/// While the window doubles, fewer have to do.
const SAMPLES_MIN_IN_SLOW_START: u16 = 10;
/// A queue shorter than this is left alone, and one shorter than a quarter of the path.
const QUEUE_MICROS_MIN: u32 = 20_000;
/// The path's own round trip is the shortest of the last one to two of these, so that a change of route is noticed.
const PATH_AGE_MICROS: u64 = 10_000_000;

/// A queue that delays everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StandingQueue {
    /// The shortest round trip of the path.
    pub(crate) path_micros: u64,
    /// The shortest round trip of the last packets.
    pub(crate) round_micros: u64,
}

/// Watches the round trips of one path.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DelayGuard {
    /// Packets sent from then on are judged.
    round_start: Timestamp,
    round_micros: u32,
    samples: u16,
    path: PathMinimum,
    /// Whether the window is cut, so that the path is seen without the queue that it builds.
    is_draining: bool,
}

impl DelayGuard {
    /// A guard that knows nothing of the path.
    pub(crate) const fn new() -> Self {
        Self {
            round_start: Timestamp::ZERO,
            round_micros: u32::MAX,
            samples: 0,
            path: PathMinimum::new(),
            is_draining: false,
        }
    }

    /// A packet sent at `sent_at` took so long. Returns the queue if all packets of a round met it: those sent over one round
    /// trip and 100 ms, or, in slow start, a few in a row. What was under way by then says nothing about the next round.
    pub(crate) fn on_sample(
        &mut self,
        now: Timestamp,
        sent_at: Timestamp,
        round_trip_micros: u64,
        is_in_slow_start: bool,
    ) -> Option<StandingQueue> {
        let sample = micros_u32(round_trip_micros);
        self.is_draining &= sent_at < self.path.since;
        self.note_path(now, sample);
        if sent_at < self.round_start {
            return None;
        }
        self.round_micros = self.round_micros.min(sample);
        self.samples = self.samples.saturating_add(1);
        let is_complete = if is_in_slow_start {
            self.samples >= SAMPLES_MIN_IN_SLOW_START
        } else {
            self.samples >= SAMPLES_MIN
                && sent_at.micros_since(self.round_start) >= ROUND_MICROS_MIN.max(self.path.micros().into())
        };
        if !is_complete {
            return None;
        }
        let (path, round) = (self.path.micros(), self.round_micros);
        let is_queue = round.saturating_sub(path) > QUEUE_MICROS_MIN.max(path / 4);
        self.begin_round(if is_queue { now } else { sent_at });
        is_queue.then(|| StandingQueue { path_micros: path.into(), round_micros: round.into() })
    }

    /// A round trip that says only how long the path is.
    pub(crate) fn on_idle_sample(&mut self, now: Timestamp, round_trip_micros: u64) {
        self.note_path(now, micros_u32(round_trip_micros));
    }

    /// Whether less than the window should be under way for a round trip: the path's shortest of before is soon forgotten, and a
    /// queue that never goes would be taken for a part of the path, and the next one for a part of that.
    pub(crate) const fn is_draining(&self) -> bool {
        self.is_draining
    }

    fn note_path(&mut self, now: Timestamp, sample: u32) {
        self.is_draining |= self.path.on_sample(now, sample);
    }

    const fn begin_round(&mut self, at: Timestamp) {
        self.round_start = at;
        self.round_micros = u32::MAX;
        self.samples = 0;
    }
}

/// The shortest round trip of the last while, which forgets those before.
#[derive(Clone, Copy, Debug)]
struct PathMinimum {
    since: Timestamp,
    current: u32,
    previous: u32,
}

impl PathMinimum {
    const fn new() -> Self {
        Self { since: Timestamp::ZERO, current: u32::MAX, previous: u32::MAX }
    }

    /// Says whether it begins anew while it still knows the former one.
    fn on_sample(&mut self, now: Timestamp, sample: u32) -> bool {
        let age_micros = now.micros_since(self.since);
        let is_old = age_micros >= PATH_AGE_MICROS;
        if is_old {
            self.previous = if age_micros < 2 * PATH_AGE_MICROS { self.current } else { u32::MAX };
            self.current = u32::MAX;
            self.since = now;
        }
        self.current = self.current.min(sample);
        is_old && self.previous < u32::MAX
    }

    fn micros(&self) -> u32 {
        self.current.min(self.previous)
    }
}

/// More than an hour counts as an hour.
fn micros_u32(micros: u64) -> u32 {
    u32::try_from(micros).unwrap_or(u32::MAX)
}
