//! A law that was broken, and how to see it again.

use std::fmt;

use rejoin::Timestamp;

use super::plan::Settings;

/// A run that broke a law.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The seed of the run.
    pub seed: u64,
    /// How long it was and how many played.
    pub settings: Settings,
    /// When it happened, in the run's own time.
    pub at: Timestamp,
    /// What happened.
    pub what: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, settings: Settings { seconds, peers }, at, what } = self;
        writeln!(f, "seed {seed} at {at}: {what}")?;
        write!(
            f,
            "to repeat it: cargo run --release -p rejoin-tests --bin simulate -- --seeds 1 --from {seed} --seconds {seconds} --peers {peers}"
        )
    }
}

impl std::error::Error for Failure {}
