//! What one client asks the server about itself: how its inputs came, and where the simulation really is.

#[cfg(test)]
mod tests;

use std::time::Duration;

use rejoin::Timestamp;
use rejoin::client::ServerClock;

use crate::arena_wire::Figures;

/// From one question to the next. A wall clock that is slowly put right has not gone far meanwhile.
const ASK_EVERY: Duration = Duration::from_secs(2);

const MICROS_PER_S: u128 = 1_000_000;

/// The questions of one client, and the newest answer.
#[derive(Debug)]
pub(crate) struct Inquiry {
    next_at: Timestamp,
    asked: u32,
    answered: u32,
    has_ended: bool,
    newest: Option<Figures>,
}

impl Inquiry {
    /// Asks at `first_at`, and then again and again.
    pub(crate) fn new(first_at: Timestamp) -> Self {
        Self { next_at: first_at, asked: 0, answered: 0, has_ended: false, newest: None }
    }

    /// When the next question is due.
    pub(crate) fn next_at(&self) -> Timestamp {
        self.next_at
    }

    /// The lane took a question, or has no room for one now.
    pub(crate) fn handle_asked(&mut self, now: Timestamp, is_taken: bool) {
        self.asked += u32::from(is_taken);
        self.next_at = if self.has_ended && is_taken { Timestamp::NEVER } else { now + ASK_EVERY };
    }

    /// The server answers.
    pub(crate) fn handle_answer(&mut self, figures: Figures) {
        self.answered += 1;
        self.newest = Some(figures);
    }

    /// There is one last question, which is due at once.
    pub(crate) fn end(&mut self) {
        self.has_ended = true;
        self.next_at = Timestamp::ZERO;
    }

    /// Whether the last question was answered.
    pub(crate) fn is_over(&self) -> bool {
        self.has_ended && self.next_at == Timestamp::NEVER && self.answered == self.asked
    }

    /// What the server told last.
    pub(crate) fn newest(&self) -> Option<Figures> {
        self.newest
    }
}

/// By how much a client's estimate of the server's clock is wrong, in microseconds, when the wall clock that both share stands at
/// `unix_micros`.
pub(crate) fn clock_error_micros(
    estimate: ServerClock,
    tick_rate_hz: u64,
    figures: Figures,
    unix_micros: u64,
) -> Option<u64> {
    let ticks_micros = (u128::from(estimate.tick) * MICROS_PER_S).checked_div(tick_rate_hz.into())?;
    let estimated = ticks_micros + u128::from(estimate.phase_micros);
    let real = unix_micros.saturating_sub(figures.tick_zero_unix_micros?);
    u64::try_from(estimated.abs_diff(real.into())).ok()
}
