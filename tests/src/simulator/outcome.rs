//! What came of a run.

use rejoin::ledger::Refusal;

use super::attack::AttackCounts;
use super::fault::FaultCounts;
use super::step::Channel;

/// A number for each refusal, in the order of [`Refusal::all`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused(pub [u64; Refusal::COUNT]);

impl Refused {
    /// How often this was refused.
    #[must_use]
    pub fn of(&self, refusal: impl Into<Refusal>) -> u64 {
        let refusal = refusal.into();
        let found = Refusal::all().zip(self.0).find(|(other, _)| *other == refusal);
        found.map_or(0, |(_, times)| times)
    }
}

impl Default for Refused {
    fn default() -> Self {
        Self([0; Refusal::COUNT])
    }
}

/// What was counted on the way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Datagrams that machines sent.
    pub datagrams_sent: u64,
    /// Sessions that began.
    pub sessions: u64,
    /// How often a session whose player was away or elsewhere went on.
    pub resumes: u64,
    /// How often a session was asked whether its port is another one.
    pub path_trials: u64,
    /// How often it was, and the session followed.
    pub paths_moved: u64,
    /// Programs of players that began.
    pub processes: u32,
    /// Reliable messages and latest-wins values that were sent.
    pub messages: u64,
    /// Microseconds for which sessions were logged in, added up.
    pub session_micros: u64,
    /// Players who were not let back in, and asked the backend for another token, after the faults had stopped.
    pub gave_up_late: u64,
    /// Sessions that ended because two processes took them from each other.
    pub contested: u64,
    /// Resume tokens of which the server's application was told that they were shown again.
    pub tokens_reused: u64,
    /// What the server refused, in the order of [`Refusal::all`].
    pub refused: Refused,
}

/// A run that broke no law.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Its seed.
    pub seed: u64,
    /// A number that stands for everything that happened.
    pub trace_hash: u64,
    /// What was counted.
    pub tally: Tally,
    /// What went wrong, and how often.
    pub faults: FaultCounts,
    /// What those with bad intentions did, and how often.
    pub attacks: AttackCounts,
}

impl Tally {
    /// An application sent something.
    pub(super) fn note_queued(&mut self, channel: Channel) {
        self.messages += u64::from(matches!(channel, Channel::Lane(_) | Channel::Key(_)));
    }

    /// What was counted elsewhere as well.
    pub fn add(&mut self, other: &Self) {
        self.datagrams_sent += other.datagrams_sent;
        self.sessions += other.sessions;
        self.resumes += other.resumes;
        self.path_trials += other.path_trials;
        self.paths_moved += other.paths_moved;
        self.processes += other.processes;
        self.messages += other.messages;
        self.session_micros += other.session_micros;
        self.gave_up_late += other.gave_up_late;
        self.contested += other.contested;
        self.tokens_reused += other.tokens_reused;
        for (count, more) in self.refused.0.iter_mut().zip(other.refused.0) {
            *count += more;
        }
    }
}
