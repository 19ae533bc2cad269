//! Rejoin keeps UDP game sessions alive when connections are not.
#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

extern crate alloc;

#[cfg(test)]
extern crate std;

mod ids;
pub mod lifecycle;
mod time;

pub use ids::{ClientId, SessionId};
pub use time::Timestamp;
