//! What the plan says is to go wrong goes wrong.

use crate::laws::Violation;
use crate::simulator::fault::Fault;
use crate::simulator::host::Host;
use crate::simulator::network::Direction;
use crate::simulator::plan::{Incident, IncidentKind};
use crate::simulator::schedule::Due;

use super::Run;

impl Run {
    /// An incident of the plan happens, if there is somebody to whom it can.
    pub(super) fn meet(&mut self, incident: Incident) -> Result<(), Violation> {
        let now = self.stage.now;
        let stage = &mut self.stage;
        let happens = match incident.what {
            IncidentKind::DelaySpike { player, direction, for_ms } => {
                stage.network.hold_until(player, direction, now.plus_millis(for_ms));
                true
            }
            IncidentKind::Partition { player, direction, for_ms } => {
                for way in Direction::BOTH.into_iter().filter(|way| direction.is_none_or(|one| one == *way)) {
                    stage.network.close_until(player, way, now.plus_millis(for_ms));
                }
                true
            }
            IncidentKind::Outage { for_ms } => {
                for player in 0..self.players.len() {
                    for way in Direction::BOTH {
                        stage.network.close_until(player, way, now.plus_millis(for_ms));
                    }
                }
                true
            }
            IncidentKind::Move { player, notice } => {
                stage.network.move_player(player);
                self.players[player].notice_move(notice, stage)?;
                true
            }
            IncidentKind::PortReuse { former, newcomer } => {
                stage.network.hand_over_address(former, newcomer);
                self.players[newcomer].crash(false, 0, stage);
                true
            }
            IncidentKind::Crash { player, keeps_saved, down_ms } => {
                let runs = self.players[player].process.is_some();
                self.players[player].crash(keeps_saved, down_ms, stage);
                runs
            }
            IncidentKind::Leave { player, away_ms } => {
                let runs = self.players[player].process.is_some();
                self.players[player].leave(away_ms, stage)?;
                runs
            }
            IncidentKind::BadToken { player, kind, away_ms } => {
                self.players[player].spoil_next_token(kind);
                self.players[player].leave(away_ms, stage)?;
                true
            }
            IncidentKind::PlayerSleep { player, sleep } => {
                self.players[player].fall_asleep(sleep, stage);
                true
            }
            IncidentKind::ServerSleep { .. }
            | IncidentKind::ServerRestart { .. }
            | IncidentKind::ServerDrain { .. }
            | IncidentKind::ServerClockStep { .. }
            | IncidentKind::ServerHold { .. }
            | IncidentKind::Kick { .. }
            | IncidentKind::Ban { .. }
            | IncidentKind::BanAddress { .. } => self.meet_at_server(incident.what)?,
        };
        if happens {
            self.stage.faults.count(incident.fault);
        }
        Ok(())
    }

    fn meet_at_server(&mut self, what: IncidentKind) -> Result<bool, Violation> {
        let stage = &mut self.stage;
        match what {
            IncidentKind::ServerSleep { sleep } => {
                self.server.fall_asleep(sleep, stage);
                Ok(true)
            }
            IncidentKind::ServerRestart { down_ms, is_graceful } => {
                let runs = self.server.manager().is_some();
                self.server.stop(is_graceful, stage)?;
                let start_at = stage.now.plus_millis(down_ms);
                stage.schedule.add(start_at, Due::ServerStart);
                Ok(runs)
            }
            IncidentKind::ServerDrain { within_ms, names_other } => {
                self.server.drain(within_ms, names_other, stage)?;
                // It is the restart that counts.
                Ok(false)
            }
            IncidentKind::ServerClockStep { by_s } => {
                self.server.step_wall_clock(by_s, stage)?;
                Ok(true)
            }
            IncidentKind::ServerHold { for_ms } => {
                stage.schedule.add(stage.now.plus_millis(for_ms), Due::HoldEnd);
                self.server.hold(true, stage)
            }
            IncidentKind::Kick { player, is_told } => {
                self.server.kick(self.players[player].client_id, is_told, stage)
            }
            IncidentKind::BanAddress { player, for_ms } => {
                let address = stage.network.address_of(player);
                self.server.ban_address(address, for_ms, stage)
            }
            IncidentKind::Ban { player, for_ms } => {
                self.server.ban(self.players[player].client_id, for_ms, stage)
            }
            _ => Ok(false),
        }
    }

    /// Trouble that is there from the beginning, or is seen rather than made.
    pub(super) fn count_conditions(&mut self) {
        if self.faults.contains(&Fault::ClockDrift) {
            self.stage.faults.count(Fault::ClockDrift);
        }
    }
}
