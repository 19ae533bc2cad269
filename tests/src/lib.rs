//! What the tests of rejoin share across packages.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod foreign;
pub mod hosted;
pub mod world;
