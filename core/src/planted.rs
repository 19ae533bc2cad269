//! Known mistakes, to be planted one at a time by tests that have to find each of them.
//!
//! They exist with the feature `planted-bugs` only. Without it `is_planted` is `false` wherever it is asked, and nothing of this is left in
//! the program.
#![cfg_attr(
    not(feature = "planted-bugs"),
    expect(unreachable_pub, reason = "the module is public with the feature alone")
)]

#[cfg(feature = "planted-bugs")]
use core::sync::atomic::{AtomicU8, Ordering};

/// A mistake that a session layer can contain, and what notices it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlantedBug {
    /// Challenges and denials are sealed under sequence 0, where the session's own sequences begin: two plaintexts under one nonce.
    NonceRestart,
    /// All challenge tokens are sealed under the same sequence: two plaintexts under one nonce.
    ChallengeNonceRepeated,
    /// The replay window is not asked: a repeated packet is taken again.
    ReplaysAccepted,
    /// The replay window moves before the packet is opened: forged packets shut out the honest ones.
    WindowAdvancedBeforeOpen,
    /// The replay test adds to the sequence: a forged packet with the highest one overflows, where overflow is checked.
    AdditionInReplayTest,
    /// A full token history forgets a token to admit another one: the forgotten one opens a second session.
    HistoryEvicts,
    /// Tokens from before the start are taken: one that was used then opens a second session.
    NoFloorAfterStart,
    /// Any challenge of this server answers for any token and address: an address that was never challenged proves itself.
    ChallengeNotBound,
    /// A challenge is answered fourfold: an unproved address gets more bytes than came from it.
    ChallengeAmplified,
    /// A spent resume token opens a handshake again: its keys seal twice under the same nonces.
    GenerationNotChecked,
    /// A newer session of an identity does not end the older one: two live sessions of one identity.
    SupersededNotEnded,
    /// The path of an ended session stays in the directory: it leads to the next session of that slot.
    IndexNotCleaned,
    /// An event follows `Disconnected`.
    EventAfterDisconnected,
    /// A timer that is armed is never brought forward: a revived session keeps that of its reconnect window.
    TimerLostOnRevival,
    /// A session that goes away is not armed again: its reconnect window never ends.
    TimerLostWhileAway,
    /// The reconnect window goes on after a return: the next absence ends early.
    ReconnectWindowKept,
    /// All sessions are judged by the tick filter of the first one.
    TickFilterShared,
    /// A return gives the session a new tick filter: old inputs count again.
    MovementForgotten,
    /// The receiver of kept lanes begins again at a key switch: what came before comes up again, or nothing any more.
    DuplicateAfterResume,
    /// What was in flight at a key switch is not queued again: messages are missing.
    RequeueForgotten,
    /// Control frames in flight at a key switch are not queued again: a player runs out of resume tokens.
    ControlsForgotten,
    /// Of the packets in flight at a key switch the oldest alone is queued again: a player runs out of resume tokens.
    OldestAloneRequeued,
    /// Lanes that begin afresh go on with their numbers: the peer waits for the first ones.
    RestartKeepsNumbers,
    /// A sender does not keep to its lane's window: an honest peer is taken for one that breaks the protocol.
    LaneWindowIgnored,
    /// Acknowledgements owed under the former keys are sent under the new ones: an honest peer seems to acknowledge what was never sent.
    AcksOfOldEpoch,
    /// Any other version of a latest-wins value counts as newer: values go backwards.
    LatestGoesBackwards,
    /// What a lane queues is not bounded: a session takes more memory than it may.
    MemoryBoundIgnored,
    /// Violations of the protocol are not counted against a session: a peer may go on with them.
    ViolationNotCounted,
    /// A move input that is refused is not counted: it has no fate.
    RefusalNotCounted,
    /// A refusal counts twice for its session: there were more than the server has seen.
    RefusalCountedTwice,
    /// That the path in use answers does not end a trial: a relay at another port takes the session.
    RelayBelieved,
    /// A port on trial is sent challenges whatever came from it: an unproved address gets more bytes than came from it.
    TrialUnpaid,
    /// The shares of prefixes refuse while there is budget for everybody: a flood from a player's prefix keeps that player out.
    PrefixesRefuseEarly,
    /// The budget of a session is never filled again: some time or other nothing counts that its player sends.
    SessionBudgetNeverFilled,
}

#[cfg(feature = "planted-bugs")]
impl PlantedBug {
    /// All of them, in the order of their declaration.
    pub const ALL: [Self; 34] = [
        Self::NonceRestart,
        Self::ChallengeNonceRepeated,
        Self::ReplaysAccepted,
        Self::WindowAdvancedBeforeOpen,
        Self::AdditionInReplayTest,
        Self::HistoryEvicts,
        Self::NoFloorAfterStart,
        Self::ChallengeNotBound,
        Self::ChallengeAmplified,
        Self::GenerationNotChecked,
        Self::SupersededNotEnded,
        Self::IndexNotCleaned,
        Self::EventAfterDisconnected,
        Self::TimerLostOnRevival,
        Self::TimerLostWhileAway,
        Self::ReconnectWindowKept,
        Self::TickFilterShared,
        Self::MovementForgotten,
        Self::DuplicateAfterResume,
        Self::RequeueForgotten,
        Self::ControlsForgotten,
        Self::OldestAloneRequeued,
        Self::RestartKeepsNumbers,
        Self::LaneWindowIgnored,
        Self::AcksOfOldEpoch,
        Self::LatestGoesBackwards,
        Self::MemoryBoundIgnored,
        Self::ViolationNotCounted,
        Self::RefusalNotCounted,
        Self::RefusalCountedTwice,
        Self::RelayBelieved,
        Self::TrialUnpaid,
        Self::PrefixesRefuseEarly,
        Self::SessionBudgetNeverFilled,
    ];
}

/// The number of the planted bug, counted from 1; 0 for none.
#[cfg(feature = "planted-bugs")]
static PLANTED: AtomicU8 = AtomicU8::new(0);

/// Plants a bug in place of the former one, for every server and client of this process; `None` makes all well again.
#[cfg(feature = "planted-bugs")]
pub fn plant(bug: Option<PlantedBug>) {
    PLANTED.store(bug.map_or(0, |bug| bug as u8 + 1), Ordering::Relaxed);
}

/// Whether this mistake is to be made.
#[cfg(feature = "planted-bugs")]
pub(crate) fn is_planted(bug: PlantedBug) -> bool {
    PLANTED.load(Ordering::Relaxed) == bug as u8 + 1
}

/// Whether this mistake is to be made: never.
#[cfg(not(feature = "planted-bugs"))]
#[inline]
pub(crate) const fn is_planted(_: PlantedBug) -> bool {
    false
}
