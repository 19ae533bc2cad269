//! What can go wrong, and how often it did.

use std::fmt;

/// One kind of trouble. Which of them a run knows is drawn from its seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// Datagrams are lost in bursts.
    Loss,
    /// Datagrams arrive twice.
    Duplication,
    /// Datagrams overtake each other.
    Reordering,
    /// Bits of datagrams flip.
    Corruption,
    /// Datagrams are cut short.
    Truncation,
    /// Datagrams without a byte arrive.
    EmptyDatagrams,
    /// One direction holds everything back for up to ten seconds.
    DelaySpikes,
    /// Nothing passes in one direction.
    OneWayPartitions,
    /// Nothing passes in either direction.
    Partitions,
    /// A player's address changes, and its host knows.
    NoticedMoves,
    /// A player's port changes on the way, and its host has a hint of it at most.
    SilentMoves,
    /// A newcomer gets a port that somebody else just had.
    PortReuse,
    /// The server ends and starts anew.
    Restarts,
    /// A player's process ends without a word, and the next one has what it saved.
    CrashesWithSaved,
    /// A player's process ends without a word, and the next one knows nothing.
    CrashesWithoutSaved,
    /// A player leaves and comes back.
    Leaves,
    /// A player's host does nothing for a while.
    PlayerStalls,
    /// The server's host does nothing for a while.
    ServerStalls,
    /// A player's machine sleeps, for hours by its own clock.
    PlayerSuspends,
    /// The server's machine sleeps, for hours by its own clock.
    ServerSuspends,
    /// The machines' clocks run fast and slow.
    ClockDrift,
    /// The server's wall clock is set wrong, and right again.
    WallClockSteps,
    /// There are more players than places.
    Capacity,
    /// The backend gives a token that has expired.
    ExpiredTokens,
    /// The backend gives a token that is not good yet.
    EarlyTokens,
    /// The backend gives a token that it gave before.
    DuplicateTokens,
    /// The backend gives a token for another server, or sealed with another key.
    ForeignTokens,
    /// The application rejects logins.
    Rejections,
    /// The application ends sessions, with a word and without.
    Kicks,
    /// The application bans identities for a while.
    Bans,
    /// The server's host holds the deadlines about peers for a while.
    Holds,
    /// The network of everybody is gone for a while, and everybody comes back at once.
    Outages,
    /// The application bans the IP address of a player for a while.
    PrefixBans,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 33] = [
        Self::Loss,
        Self::Duplication,
        Self::Reordering,
        Self::Corruption,
        Self::Truncation,
        Self::EmptyDatagrams,
        Self::DelaySpikes,
        Self::OneWayPartitions,
        Self::Partitions,
        Self::NoticedMoves,
        Self::SilentMoves,
        Self::PortReuse,
        Self::Restarts,
        Self::CrashesWithSaved,
        Self::CrashesWithoutSaved,
        Self::Leaves,
        Self::PlayerStalls,
        Self::ServerStalls,
        Self::PlayerSuspends,
        Self::ServerSuspends,
        Self::ClockDrift,
        Self::WallClockSteps,
        Self::Capacity,
        Self::ExpiredTokens,
        Self::EarlyTokens,
        Self::DuplicateTokens,
        Self::ForeignTokens,
        Self::Rejections,
        Self::Kicks,
        Self::Bans,
        Self::Holds,
        Self::Outages,
        Self::PrefixBans,
    ];
}

/// How often each kind of trouble happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FaultCounts([u64; Fault::ALL.len()]);

impl Default for FaultCounts {
    fn default() -> Self {
        Self([0; Fault::ALL.len()])
    }
}

impl FaultCounts {
    /// It happened.
    pub fn count(&mut self, fault: Fault) {
        self.0[fault as usize] += 1;
    }

    /// How often it happened.
    #[must_use]
    pub fn of(&self, fault: Fault) -> u64 {
        self.0[fault as usize]
    }

    /// All kinds, also those that never happened.
    pub fn iter(&self) -> impl Iterator<Item = (Fault, u64)> + '_ {
        Fault::ALL.into_iter().map(|fault| (fault, self.of(fault)))
    }

    /// What happened elsewhere as well.
    pub fn add(&mut self, other: &Self) {
        for (count, more) in self.0.iter_mut().zip(other.0) {
            *count += more;
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fault_is_counted_for_itself() {
        let mut counts = FaultCounts::default();
        for (times, fault) in Fault::ALL.into_iter().enumerate() {
            for _ in 0..times {
                counts.count(fault);
            }
        }
        for (times, fault) in Fault::ALL.into_iter().enumerate() {
            assert_eq!(counts.of(fault), times as u64, "{fault}");
        }
    }
}
