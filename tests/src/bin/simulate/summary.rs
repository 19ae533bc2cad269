//! What came of many seeds.

use std::fmt;

use rejoin::ledger::Refusal;
use rejoin_tests::simulator::{AttackCounts, FaultCounts, Outcome, Tally};

/// The sum of all runs; it does not depend on the order in which they ended.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    seeds: u64,
    failures: u64,
    tally: Tally,
    faults: FaultCounts,
    attacks: AttackCounts,
    trace_hash: u64,
}

impl Summary {
    /// A run broke no law.
    pub(crate) fn add(&mut self, outcome: &Outcome) {
        self.seeds += 1;
        self.tally.add(&outcome.tally);
        self.faults.add(&outcome.faults);
        self.attacks.add(&outcome.attacks);
        // A sum that does not depend on the order, of numbers that depend on the seed.
        let marked = (outcome.trace_hash ^ outcome.seed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.trace_hash = self.trace_hash.wrapping_add(marked);
    }

    /// A run broke a law.
    pub(crate) const fn add_failure(&mut self) {
        self.failures += 1;
    }

    pub(crate) const fn seeds(&self) -> u64 {
        self.seeds + self.failures
    }

    pub(crate) const fn failures(&self) -> u64 {
        self.failures
    }

    pub(crate) const fn has_failed(&self) -> bool {
        self.failures > 0
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tally {
            datagrams_sent,
            sessions,
            resumes,
            path_trials,
            paths_moved,
            processes,
            messages,
            session_micros,
            gave_up_late,
            contested,
            tokens_reused,
            refused,
        } = self.tally;
        let session_s = session_micros / 1_000_000;
        writeln!(f, "{} seeds without a violation, {} with one", self.seeds, self.failures)?;
        writeln!(f, "{}.{:02} session-hours in the game", session_s / 3_600, session_s % 3_600 / 36)?;
        writeln!(f, "{sessions} sessions, {resumes} ways back, {processes} processes")?;
        writeln!(f, "{path_trials} ports on trial, {paths_moved} sessions moved to one")?;
        writeln!(f, "{datagrams_sent} datagrams, {messages} reliable messages and values")?;
        writeln!(f, "{gave_up_late} players asked for another token after the faults had stopped")?;
        writeln!(f, "{contested} sessions were contested, {tokens_reused} reused tokens told of")?;
        for (fault, count) in self.faults.iter() {
            writeln!(f, "{count:>12} {fault}")?;
        }
        writeln!(f, "attacks:")?;
        for (attack, count) in self.attacks.iter() {
            writeln!(f, "{count:>12} {attack}")?;
        }
        writeln!(f, "refused by the server:")?;
        for (refusal, count) in Refusal::all().zip(refused.0) {
            writeln!(f, "{count:>12} {refusal}")?;
        }
        write!(f, "trace hash {:016x}", self.trace_hash)
    }
}
