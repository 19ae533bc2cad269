//! Years of bad network in minutes: the real server and real clients, in virtual time, on a simulated network, under watch.
//!
//! One seed decides everything. The [`Plan`] is drawn from it first: which kinds of trouble there are, who plays how, what goes wrong
//! when. Then the run is played from moment to moment, the earliest first:
//!
//! ```text
//!  plan ─▶ schedule ─▶ one moment ─▶ the machine it touches ─▶ the network ─▶ schedule
//!                                            │
//!                                            └─▶ the step: what happened ─▶ checkers, adversaries, trace
//! ```
//!
//! A [`Failure`] says how to repeat it; the same seed leaves the same trace in every build.

mod adversaries;
mod adversary;
mod attack;
mod backend;
mod checker;
mod checkers;
mod clock;
mod failure;
mod fault;
mod host;
mod machine;
mod message;
mod network;
mod outcome;
mod payload;
mod plan;
mod player;
mod run;
mod schedule;
mod server;
mod stage;
mod step;
#[cfg(test)]
mod tests;
mod trace;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use rejoin::Timestamp;

pub use attack::{Attack, AttackCounts};
pub use failure::Failure;
pub use fault::{Fault, FaultCounts};
pub use outcome::{Outcome, Refused, Tally};
pub use plan::{Plan, Settings};

use run::{Narrator, Run};

/// Plays what a seed decides, under watch. A panic of what is tested is a failure like any other.
pub fn simulate(seed: u64, settings: Settings) -> Result<Outcome, Box<Failure>> {
    play(seed, settings, None)
}

/// As [`simulate`], and gives a line for everything that happens.
pub fn trace(
    seed: u64,
    settings: Settings,
    narrate: Box<dyn FnMut(fmt::Arguments<'_>)>,
) -> Result<Outcome, Box<Failure>> {
    play(seed, settings, Some(narrate))
}

fn play(seed: u64, settings: Settings, narrator: Option<Narrator>) -> Result<Outcome, Box<Failure>> {
    let play = || Run::new(Plan::new(seed, settings), narrator).play();
    let played = catch_unwind(AssertUnwindSafe(play)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
        let what = format!("a panic: {}", text.unwrap_or_default());
        Err(Failure { seed, settings, at: Timestamp::ZERO, what })
    });
    played.map_err(Box::new)
}
