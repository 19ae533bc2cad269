//! What those with bad intentions do, and how often they did it.

use std::fmt;

/// One way to do harm. Which of them an adversary knows in a run is drawn from its seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Attack {
    /// A datagram is sent again while it is still on its way.
    ReplayAtOnce,
    /// A datagram is sent again, much later perhaps, just as it was.
    ReplayLater,
    /// A datagram is sent again from the sniffer's own address.
    ReplayFromOwn,
    /// What one player sent, or got, is sent again from, or to, the address of another.
    ReplayAcross,
    /// What somebody sent comes back to where it came from, or from where it went.
    Reflection,
    /// Bytes of no meaning.
    RandomBytes,
    /// The head of a sealed packet of any kind, and bytes of no meaning.
    Junk,
    /// A packet that was overheard, with changes.
    ChangedCopy,
    /// A request that was overheard, with another token.
    ChangedToken,
    /// A response of the right size that nobody sealed.
    ForgedResponse,
    /// A disconnect packet that nobody sealed.
    ForgedDisconnect,
    /// A packet that nobody sealed, with a sequence far ahead of all others.
    SequenceAhead,
    /// Packets are acknowledged that were never sent.
    AckNeverSent,
    /// An acknowledgement names ranges without end.
    AckRanges,
    /// A piece of a message is shorter than it says.
    LyingFragment,
    /// A message goes on and on.
    EndlessMessage,
    /// The first message of a lane never comes, and all others do.
    GapHeldOpen,
    /// Values of one key after the other.
    KeysWithoutEnd,
    /// Whatever makes a session keep memory, on every lane and under every key at once.
    FillEveryBound,
    /// Inputs with ticks from anywhere, and distances that lead below zero.
    WildMoves,
    /// Packets with nothing in them.
    EmptyFlood,
    /// A good payload is cut off, after each byte in turn.
    CutFrames,
    /// A payload of an earlier session, under the keys of this one.
    OldPayload,
    /// Frames of the server's, of no type, or at the wrong time.
    WrongFrames,
    /// The first payload of a connection does not begin with a hello.
    NoHello,
    /// The first payload of a connection begins with a hello of another version.
    WrongHello,
    /// Packets under its own keys, from the address of a player.
    KeyElsewhere,
    /// Its own token, shown from the address of a player.
    TokenElsewhere,
    /// A further session of the same identity, beside the first.
    ParallelSession,
    /// One resume token, from two addresses.
    ResumeTwice,
    /// A resume token is shown, and nothing is said under its keys for a while.
    ResumeLate,
    /// A resume token that was used before, or was left over from a connection that is over.
    ResumeAgain,
    /// A device logs in, whoever is in on the other one.
    TwinLogin,
    /// A device goes on with a copy of what the other one saved, now or earlier.
    TwinCopy,
    /// A device changes its network.
    TwinMove,
    /// What a player sent is sent again from another port of the player's own address.
    RelayedCopy,
    /// What the server sent to that port comes to the player.
    RelayedBack,
    /// Requests without a good token, from the prefix of a player.
    FloodOfRequests,
    /// Requests that were overheard, from the prefix of a player.
    FloodOfCopies,
    /// Responses that nobody sealed, from a player's address and from its prefix.
    FloodOfResponses,
    /// Requests and session packets that nobody made, from a player's own address.
    FloodAsPlayer,
}

impl Attack {
    /// All of them.
    pub const ALL: [Self; 41] = [
        Self::ReplayAtOnce,
        Self::ReplayLater,
        Self::ReplayFromOwn,
        Self::ReplayAcross,
        Self::Reflection,
        Self::RandomBytes,
        Self::Junk,
        Self::ChangedCopy,
        Self::ChangedToken,
        Self::ForgedResponse,
        Self::ForgedDisconnect,
        Self::SequenceAhead,
        Self::AckNeverSent,
        Self::AckRanges,
        Self::LyingFragment,
        Self::EndlessMessage,
        Self::GapHeldOpen,
        Self::KeysWithoutEnd,
        Self::FillEveryBound,
        Self::WildMoves,
        Self::EmptyFlood,
        Self::CutFrames,
        Self::OldPayload,
        Self::WrongFrames,
        Self::NoHello,
        Self::WrongHello,
        Self::KeyElsewhere,
        Self::TokenElsewhere,
        Self::ParallelSession,
        Self::ResumeTwice,
        Self::ResumeLate,
        Self::ResumeAgain,
        Self::TwinLogin,
        Self::TwinCopy,
        Self::TwinMove,
        Self::RelayedCopy,
        Self::RelayedBack,
        Self::FloodOfRequests,
        Self::FloodOfCopies,
        Self::FloodOfResponses,
        Self::FloodAsPlayer,
    ];

    /// Those that stand between these two, both included, in the order of their declaration.
    fn all_from(first: Self, last: Self) -> &'static [Self] {
        &Self::ALL[first as usize..=last as usize]
    }

    /// What somebody can do who hears everything.
    pub(super) fn of_sniffer() -> &'static [Self] {
        Self::all_from(Self::ReplayAtOnce, Self::Reflection)
    }

    /// What somebody can do who sends from any address.
    pub(super) fn of_spoofer() -> &'static [Self] {
        Self::all_from(Self::RandomBytes, Self::SequenceAhead)
    }

    /// What somebody can do who has good tokens.
    pub(super) fn of_insider() -> &'static [Self] {
        Self::all_from(Self::AckNeverSent, Self::ResumeAgain)
    }

    /// What somebody can do who plays on two devices.
    pub(super) fn of_twins() -> &'static [Self] {
        Self::all_from(Self::TwinLogin, Self::TwinMove)
    }

    /// What somebody can do behind a player's own router.
    pub(super) fn of_relay() -> &'static [Self] {
        Self::all_from(Self::RelayedCopy, Self::RelayedBack)
    }

    /// What somebody can do who sends without end.
    pub(super) fn of_flooder() -> &'static [Self] {
        Self::all_from(Self::FloodOfRequests, Self::FloodAsPlayer)
    }
}

/// How often each attack happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttackCounts([u64; Attack::ALL.len()]);

impl Default for AttackCounts {
    fn default() -> Self {
        Self([0; Attack::ALL.len()])
    }
}

impl AttackCounts {
    /// It happened.
    pub fn count(&mut self, attack: Attack) {
        self.0[attack as usize] += 1;
    }

    /// How often it happened.
    #[must_use]
    pub fn of(&self, attack: Attack) -> u64 {
        self.0[attack as usize]
    }

    /// All attacks, also those that never happened.
    pub fn iter(&self) -> impl Iterator<Item = (Attack, u64)> + '_ {
        Attack::ALL.into_iter().map(|attack| (attack, self.of(attack)))
    }

    /// What happened elsewhere as well.
    pub fn add(&mut self, other: &Self) {
        for (count, more) in self.0.iter_mut().zip(other.0) {
            *count += more;
        }
    }
}

impl fmt::Display for Attack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_attack_is_counted_for_itself_and_is_somebodys() {
        let mut counts = AttackCounts::default();
        for (times, attack) in Attack::ALL.into_iter().enumerate() {
            for _ in 0..times {
                counts.count(attack);
            }
        }
        for (times, attack) in Attack::ALL.into_iter().enumerate() {
            assert_eq!(counts.of(attack), times as u64, "{attack}");
        }
        let of_somebody = [
            Attack::of_sniffer(),
            Attack::of_spoofer(),
            Attack::of_insider(),
            Attack::of_twins(),
            Attack::of_relay(),
            Attack::of_flooder(),
        ];
        assert_eq!(of_somebody.concat(), Attack::ALL);
    }
}
