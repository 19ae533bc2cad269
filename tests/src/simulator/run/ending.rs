//! How a run ends: the faults stop, and everybody honest must be in, with everything delivered.

use rejoin::client::ClientState;
use rejoin::lifecycle::SessionState;
use rejoin::{DuplicateIdentity, SessionId, Timestamp};

use crate::laws::{Violation, check_ways_back, ensure};
use crate::simulator::plan::ServerPlan;
use crate::simulator::player::Player;
use crate::simulator::step::ProcessId;

use super::Run;

/// What everybody gets beyond the timeout.
const GRACE_MS: u64 = 2_000;

/// How long after its session became what it is a player has resume tokens, on a good network.
const WAYS_BACK_AFTER_MS: u64 = 2_000;

/// A player that was on its way back when the faults stopped, and could make it by itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Returner {
    place: usize,
    process: ProcessId,
    session: SessionId,
}

/// How long after the faults everybody must be in: the longest timeout and two seconds.
///
/// Where a second login of an identity is rejected, a player who comes with a new process and nothing saved waits for the end of its own
/// former session, which is what that setting asks for.
pub(super) fn quiet_ms(plan: &ServerPlan) -> u64 {
    let timeout_ms = u64::from(plan.config.timeout_max_ms);
    let former_ms = match plan.config.duplicate_identity {
        DuplicateIdentity::TakeOver => 0,
        DuplicateIdentity::Reject => {
            timeout_ms
                + u64::from(plan.config.reconnect_window_ms.unwrap_or(0) + plan.config.stall_credit_max_ms)
        }
    };
    timeout_ms + former_ms + GRACE_MS
}

impl Run {
    /// The faults stop. Players for whom there is no place leave for good.
    ///
    /// Who waits to be let in asks for another token after a timeout from now. A client whose resume tokens are all used up, or that
    /// saved some which its former process used later, would otherwise knock until its reconnect window ends.
    pub(super) fn calm_down(&mut self) -> Result<(), Violation> {
        let stage = &mut self.stage;
        stage.is_calm = true;
        stage.network.calm();
        let identities: Vec<_> = self.players.iter().map(|player| player.client_id).collect();
        self.server.calm_down(&identities, stage)?;
        let patience_ms = u64::from(self.server.plan().config.timeout_max_ms);
        for player in &mut self.players {
            player.calm_down(player.place >= self.places, patience_ms, stage)?;
        }
        self.returners = self.players.iter().filter_map(|player| self.returner(player)).collect();
        for returner in &self.returners {
            self.players[returner.place].perseveres = true;
        }
        Ok(())
    }

    /// Sessions of players who have left for good make room.
    pub(super) fn clear_places(&mut self) -> Result<(), Violation> {
        for player in self.players.iter().filter(|player| player.has_left) {
            self.server.kick(player.client_id, false, &mut self.stage)?;
        }
        Ok(())
    }

    /// Time is up: everybody is in, and everything has arrived.
    pub(super) fn conclude(&self) -> Result<(), Violation> {
        for player in self.players.iter().filter(|player| !player.has_left) {
            let (process, session) = self.place_in_game(player)?;
            self.checkers.deliveries.check_complete(process, session)?;
            self.checkers.states.check_complete(process, session)?;
            self.check_ways_back(player, session)?;
            let returner = self.returners.iter().find(|returner| returner.place == player.place);
            let is_same =
                returner.is_none_or(|former| (former.process, former.session) == (process, session));
            ensure(is_same, || format!("{returner:?} did not make it, but {process} in session {session}"))?;
        }
        Ok(())
    }

    /// Who is in for a while can come back.
    fn check_ways_back(&self, player: &Player, session: SessionId) -> Result<(), Violation> {
        let view = self.server.manager().and_then(|manager| manager.session(session));
        let local = self.server.local(self.stage.now);
        let is_in_for_long =
            view.is_some_and(|view| local.micros_since(view.since()) >= WAYS_BACK_AFTER_MS * 1_000);
        let keeps_sessions = self.server.plan().config.reconnect_window_ms.is_some();
        match &player.process {
            Some(process) if is_in_for_long && keeps_sessions => {
                let result = check_ways_back(&process.session);
                result.map_err(|violation| Violation::new(format!("{}: {violation}", process.id)))
            }
            _ => Ok(()),
        }
    }

    /// A player is in the game on a live path, and both ends agree where that is.
    fn place_in_game(&self, player: &Player) -> Result<(ProcessId, SessionId), Violation> {
        let place = player.place;
        let manager = self.server.manager().ok_or_else(|| Violation::new("the server does not run"))?;
        let address = self.stage.network.address_of(place);
        let seen = manager.session_of(player.client_id);
        let at_address = manager.session_at(address).map(|view| view.id());
        let in_game = player.state() == Some(ClientState::LoggedIn)
            && seen.is_some_and(|view| view.state() == SessionState::LoggedIn)
            && seen.map(|view| view.id()) == at_address;
        let process = player.process.as_ref().filter(|_| in_game);
        let Some((process, session)) = process.zip(at_address) else {
            let state = player.state();
            return Err(Violation::new(format!(
                "player {place} at {address} is not in: {state:?}, and the server says {seen:?}"
            )));
        };
        let known = process.session.session_id();
        ensure(known == Some(session), || {
            format!("player {place} is in {known:?}, and its session is {session}")
        })?;
        Ok((process.id, session))
    }

    fn returner(&self, player: &Player) -> Option<Returner> {
        let process = player.process.as_ref().filter(|_| !player.has_left && player.has_way_back())?;
        let session = process.session.session_id()?;
        let view = self.server.manager()?.session(session)?;
        let is_kept = view.client_id() == player.client_id && view.state().is_logged_in();
        let lasts = self.lasts_ms(session) > u64::from(self.server.plan().config.timeout_max_ms) + GRACE_MS;
        (is_kept && lasts).then_some(Returner { place: player.place, process: process.id, session })
    }

    /// For how long the server keeps a session at least.
    fn lasts_ms(&self, session: SessionId) -> u64 {
        let window_ms = u64::from(self.server.plan().config.reconnect_window_ms.unwrap_or(0));
        let local = self.server.local(self.stage.now);
        let gone_ms = |since: Timestamp| local.micros_since(since) / 1_000;
        let away_since = self.checkers.lifecycles().away_since(session);
        window_ms.saturating_sub(away_since.map_or(0, gone_ms))
    }
}
