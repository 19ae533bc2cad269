//! Bodies of fuzz targets that need what this crate keeps to itself, and what forges packets for those that do not.
//!
//! A body takes the bytes of an input, does what they say, and panics if something does not hold. Nothing here is part of the API.

mod acks;
mod forge;
mod frames;
mod input;
mod lanes;
mod ticks;
mod tokens;

#[cfg(test)]
mod tests;

pub use forge::{ConnectionKeys, Opened, Sender, reseal_private};
pub use frames::frames;
pub use lanes::lanes;
pub use ticks::ticks;
pub use tokens::tokens;
