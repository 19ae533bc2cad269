//! After the end: the server takes its leave of everybody who is in.

use crate::laws::Violation;
use crate::simulator::schedule::Due;
use crate::simulator::step::ProcessId;

use super::Run;

/// For how long players may stay.
const WITHIN_MS: u64 = 2_000;
/// How long after that everybody has heard of the end, on a good network, by clocks that drift.
const GRACE_MS: u64 = 1_000;

impl Run {
    /// Time goes on for a while, in which the server drains.
    pub(super) fn prolong(&mut self) {
        self.stage.schedule.add(self.end, Due::Leave);
        self.end = self.end.plus_millis(WITHIN_MS + GRACE_MS);
    }

    /// The server says that it will go soon. Whoever is ended then does not try again.
    pub(super) fn take_leave(&mut self) -> Result<(), Violation> {
        let staying = self.players.iter_mut().filter(|player| !player.has_left);
        self.told_to_go = staying
            .filter_map(|player| {
                player.stay_away_afterwards();
                Some(player.process.as_ref()?.id)
            })
            .collect();
        self.server.drain(Some(WITHIN_MS), true, &mut self.stage)
    }

    /// Everybody was told that, and of the end, and nobody is left.
    pub(super) fn check_left(&self) -> Result<(), Violation> {
        let told: &[ProcessId] = &self.told_to_go;
        told.iter().try_for_each(|process| self.checkers.announcements.check_complete(*process))
    }
}
