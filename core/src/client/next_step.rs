//! After the end: what a client may do by itself about each reason, how long it waits before, and what is its player's to decide.

use super::event::ClientDisconnectReason;

/// What to do when a session has ended, by [`ClientDisconnectReason::next_step`].
///
/// While a session is only away nothing has to be done: the client comes back by itself. What is said here is for after
/// [`ClientEvent::Disconnected`](super::ClientEvent::Disconnected). A connect token opens one session, so that each way to another one leads by
/// the backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum NextStep {
    /// Nothing: the application itself ended the session.
    Nothing,
    /// Ask the backend for another token, and begin anew with it. Nothing speaks against it but that others may do the same at the same moment.
    AskBackend,
    /// The same, but not at once: this server has no place for anybody just now, or does not answer. The backend may know of another one.
    ComeBackLater,
    /// Tell the player, and go on only when it says so. To come back without being asked would fight over the session with whoever has it, or
    /// lead to the same end again.
    TellPlayer,
}

/// The longest wait before a first attempt that nothing speaks against: enough to tell many players of one server apart.
const SPREAD_MS: u64 = 1_000;
/// The pause before the next attempt; it doubles with each.
const PAUSE_MIN_MS: u64 = 1_000;
/// The longest pause.
const PAUSE_MAX_MS: u64 = 60_000;
/// How many pauses are skipped where it is known that the first attempt will hardly succeed.
const ATTEMPTS_SKIPPED: u32 = 3;

impl NextStep {
    /// How long to wait before the next attempt, in milliseconds, where `attempts` in a row have failed since the session ended; `None` where
    /// nothing is to be attempted without the player.
    ///
    /// `random` is any random number, another each time: clients that lost one server at one moment must not come at one moment. After
    /// [`AskBackend`](Self::AskBackend) that is up to 1 second before the first attempt, and then between the half and the whole of 1, 2, 4, 8, 16,
    /// 32 and 60 seconds; after [`ComeBackLater`](Self::ComeBackLater) it begins with 4 (P84). An attempt that gets as far as the login ends the row.
    #[must_use]
    pub fn pause_ms(self, attempts: u32, random: u64) -> Option<u64> {
        let attempts = match self {
            Self::Nothing | Self::TellPlayer => return None,
            Self::AskBackend => attempts,
            Self::ComeBackLater => attempts.saturating_add(ATTEMPTS_SKIPPED),
        };
        let Some(doublings) = attempts.checked_sub(1) else { return Some(random % SPREAD_MS) };
        let factor = 1_u64.checked_shl(doublings).unwrap_or(u64::MAX);
        let pause_ms = PAUSE_MIN_MS.saturating_mul(factor).min(PAUSE_MAX_MS);
        Some(pause_ms - random % (pause_ms / 2))
    }
}

impl ClientDisconnectReason {
    /// What to do about it.
    ///
    /// | reason | next step | because |
    /// |---|---|---|
    /// | `Left` | `Nothing` | the application wanted it |
    /// | `TokenExpired`, `SessionGone`, `ReconnectExpired` | `AskBackend` | the server is there, or may be, and what it kept is gone |
    /// | `Drained` | `AskBackend` | the server goes, and the backend knows where the others are |
    /// | `Denied` | `ComeBackLater` | netcode does not say why: the server is full, drains, has banned the player, or has it in the game already |
    /// | `TimedOut` | `ComeBackLater` | no server answered, or none any more |
    /// | `Shutdown` | `ComeBackLater` | a server that starts again takes a while |
    /// | `Host` | `TellPlayer` | a game has its reasons; the bytes that came with the event are the game's own, and may say something else |
    /// | `LoginRefused`, `LoginTimeout` | `TellPlayer` | it takes other credentials, or somebody who types them |
    /// | `Superseded`, `Contested` | `TellPlayer` | somebody plays with this identity on another device, or holds copies of its tokens (P64) |
    /// | `ProtocolViolation` | `TellPlayer` | this program and the server do not understand each other: it needs an update |
    /// | `Closed` | `TellPlayer` | the goodbye was lost that would have told which of all these it was |
    ///
    /// Who is denied for minutes should be told as well; its backend knows whether it is banned.
    #[must_use]
    pub const fn next_step(self) -> NextStep {
        match self {
            Self::Left => NextStep::Nothing,
            Self::TokenExpired | Self::SessionGone | Self::ReconnectExpired | Self::Drained => {
                NextStep::AskBackend
            }
            Self::Denied | Self::TimedOut | Self::Shutdown => NextStep::ComeBackLater,
            Self::Host
            | Self::LoginRefused
            | Self::LoginTimeout
            | Self::Superseded
            | Self::Contested
            | Self::ProtocolViolation
            | Self::Closed => NextStep::TellPlayer,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ClientDisconnectReason as Reason;

    #[test]
    fn each_reason_has_the_next_step_that_the_table_names() {
        let table = [
            (Reason::Left, NextStep::Nothing),
            (Reason::Denied, NextStep::ComeBackLater),
            (Reason::TokenExpired, NextStep::AskBackend),
            (Reason::TimedOut, NextStep::ComeBackLater),
            (Reason::SessionGone, NextStep::AskBackend),
            (Reason::ReconnectExpired, NextStep::AskBackend),
            (Reason::Closed, NextStep::TellPlayer),
            (Reason::Host, NextStep::TellPlayer),
            (Reason::Shutdown, NextStep::ComeBackLater),
            (Reason::LoginRefused, NextStep::TellPlayer),
            (Reason::LoginTimeout, NextStep::TellPlayer),
            (Reason::Superseded, NextStep::TellPlayer),
            (Reason::ProtocolViolation, NextStep::TellPlayer),
            (Reason::Contested, NextStep::TellPlayer),
            (Reason::Drained, NextStep::AskBackend),
        ];
        for (reason, next_step) in table {
            assert_eq!(reason.next_step(), next_step, "{reason:?}");
        }
    }

    /// The shortest and the longest pause there can be.
    fn range(step: NextStep, attempts: u32) -> (u64, u64) {
        let pauses = || (0..60_000).filter_map(|random| step.pause_ms(attempts, random));
        (pauses().min().unwrap(), pauses().max().unwrap())
    }

    #[test]
    fn p84_pauses_double_up_to_a_minute_and_are_spread_over_their_second_half() {
        let ranges = [0, 1, 2, 3, 6, 7, 8].map(|attempts| range(NextStep::AskBackend, attempts));
        let expected = [
            (0, 999),
            (501, 1_000),
            (1_001, 2_000),
            (2_001, 4_000),
            (16_001, 32_000),
            (30_001, 60_000),
            (30_001, 60_000),
        ];
        assert_eq!(ranges, expected);
        assert_eq!(range(NextStep::ComeBackLater, 0), (2_001, 4_000));
        assert_eq!(range(NextStep::ComeBackLater, u32::MAX), (30_001, 60_000));
    }

    #[test]
    fn p64_without_the_player_nothing_is_attempted() {
        for step in [NextStep::Nothing, NextStep::TellPlayer] {
            assert_eq!(step.pause_ms(0, 7), None);
        }
    }
}
