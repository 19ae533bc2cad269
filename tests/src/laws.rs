//! What must hold whatever happens: small checkers that watch a session layer from outside.
//!
//! Each one keeps what it needs to judge the next observation, and answers with a [`Violation`] instead of panicking, so that a caller can
//! add what it knows (a seed, an input). [`Watch`] joins those that judge a whole [`World`](crate::world::World),
//! [`WireWatch`] those about the datagrams between its ends.

mod delivery;
pub mod drive;
pub mod driven;
mod early;
mod holds;
mod key_use;
mod ledger;
mod lifecycle;
mod memory;
mod nonces;
mod once;
mod overdue;
mod path_questions;
mod tick_filter;
mod ticks;
mod token_use;
mod trace;
mod unproved;
mod views;
mod watch;
mod ways_back;
mod wire_watch;

use std::fmt;

pub use delivery::Delivery;
pub use early::check_not_early;
pub use holds::Holds;
pub use key_use::KeyUse;
pub use ledger::{check_client_counters, check_counters, check_history, check_ledger};
pub use lifecycle::Lifecycles;
pub use memory::{check_memory, check_session_memory};
pub use nonces::Nonces;
pub use once::TakenOnce;
pub use overdue::check_nobody_overdue;
pub use path_questions::PathQuestions;
pub use tick_filter::TickFilter;
pub use ticks::AscendingTicks;
pub use token_use::TokenUse;
pub use trace::trace_hash;
pub use unproved::UnprovedAddresses;
pub use views::{check_addresses, check_views};
pub use watch::Watch;
pub use ways_back::check_ways_back;
pub use wire_watch::WireWatch;

/// Something happened that must not happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation(String);

impl Violation {
    /// A violation, in words.
    #[must_use]
    pub fn new(what: impl Into<String>) -> Self {
        Self(what.into())
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Violation {}

/// Fails with `what` unless `holds`.
pub(crate) fn ensure(holds: bool, what: impl FnOnce() -> String) -> Result<(), Violation> {
    if holds { Ok(()) } else { Err(Violation::new(what())) }
}

/// Panics with the violation if there is one.
///
/// # Panics
///
/// If the law does not hold.
#[track_caller]
pub fn uphold(result: Result<(), Violation>) {
    if let Err(violation) = result {
        panic!("{violation}");
    }
}
