//! The tick filter of each session: the rule, and what is counted.

use rejoin::lifecycle::LifecycleEventKind;
use rejoin::{LifecycleEvent, SessionId, Timestamp};

use super::Model;
use crate::laws::{Violation, ensure};

/// The moves of one session, from its login to its end, wherever it is meanwhile.
#[derive(Clone, Debug)]
pub(super) struct TickFilter {
    /// The newest tick, and when it came; before the first, none and the login.
    pub(super) newest: Option<u64>,
    since: Timestamp,
    pub(super) accepted: u64,
    pub(super) late: u64,
    pub(super) missing: u64,
}

impl Model {
    /// A filter lives as long as its player is in the game.
    pub(super) fn ticks_follow(&mut self, told: &LifecycleEvent) {
        match told.kind {
            LifecycleEventKind::LoginSucceeded => {
                let filter = TickFilter { newest: None, since: told.at, accepted: 0, late: 0, missing: 0 };
                self.ticks.insert(told.session, filter);
            }
            LifecycleEventKind::Disconnected => {
                self.ticks.remove(&told.session);
            }
            _ => {}
        }
    }

    /// A move was accepted: it is above all before it, and not too far above where the simulation stands.
    pub(super) fn judge_move(&mut self, id: SessionId, tick: u64) -> Result<(), Violation> {
        self.check_open(id)?;
        let (now, rules, server_tick) = (self.now, &self.rules, self.server_tick);
        let filter = self.ticks.get_mut(&id);
        let Some(filter) = filter else {
            return Err(Violation::new(format!("session {id} moves before it is in the game")));
        };
        let passed_micros = u128::from(now.micros_since(filter.since));
        let passed = u64::try_from(passed_micros * u128::from(rules.tick_hz) / 1_000_000).unwrap_or(u64::MAX);
        let own = filter.newest.unwrap_or(0).saturating_add(passed);
        let tick_max = server_tick.unwrap_or(own).saturating_add(rules.move_ticks_ahead_max);
        ensure(filter.newest.is_none_or(|newest| newest < tick) && tick <= tick_max, || {
            format!("session {id}: tick {tick} accepted after {:?}, at most {tick_max}", filter.newest)
        })?;
        filter.accepted += 1;
        filter.late += u64::from(server_tick.is_some_and(|server_tick| tick <= server_tick));
        filter.missing = filter.missing.saturating_add(filter.newest.map_or(0, |newest| tick - newest - 1));
        (filter.newest, filter.since) = (Some(tick), now);
        self.touched.push(id);
        Ok(())
    }
}
