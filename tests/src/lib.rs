//! What the tests of rejoin share across packages.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

#[cfg(feature = "foreign")]
pub mod foreign;
pub mod fuzzing;
#[cfg(feature = "quinn")]
pub mod goodput;
#[cfg(feature = "hosted")]
pub mod hosted;
pub mod laws;
pub mod model;
pub mod netcode;
pub mod ordeal;
pub mod path_frames;
pub mod pipe;
pub mod simulator;
pub mod world;

/// The README's programs, which compile as they stand.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
