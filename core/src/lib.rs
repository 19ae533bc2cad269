//! Rejoin keeps UDP game sessions alive when connections are not.
#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

extern crate alloc;

#[cfg(test)]
extern crate std;

mod ids;
pub mod lifecycle;
#[cfg_attr(not(test), expect(dead_code, reason = "the lanes that ride on it come next"))]
mod link;
#[cfg_attr(not(test), expect(dead_code, reason = "the session that owns it comes next"))]
mod movement;
mod time;
#[cfg_attr(not(test), expect(dead_code, reason = "the session manager that arms it comes next"))]
mod timers;

pub use ids::{ClientId, SessionId};
pub use movement::{ArrivalMargin, MovementCounters, MovementRules};
pub use time::Timestamp;
