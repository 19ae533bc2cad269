//! A player that is away has its whole reconnect window.

use std::collections::BTreeMap;

use rejoin::{Event, SessionId, Timestamp};

use crate::laws::{Violation, check_not_early};
use crate::simulator::checker::{Checker, View};
use crate::simulator::step::{Happening, Step};

/// Since when the players of sessions of this start of the server are away, by the server's clock.
#[derive(Debug, Default)]
pub(super) struct Patience {
    away_since: BTreeMap<SessionId, Timestamp>,
}

impl Checker for Patience {
    fn check(&mut self, step: &Step, view: &View<'_>) -> Result<(), Violation> {
        for happening in &step.happenings {
            match happening {
                Happening::ServerStarted => self.away_since.clear(),
                Happening::ServerTold { event: Event::Lifecycle(event), .. } => {
                    let window_ms = view.server.plan().config.reconnect_window_ms.unwrap_or(0);
                    let away_since = self.away_since.get(&event.session).copied();
                    check_not_early(event, away_since, window_ms)?;
                    if event.current.is_away() {
                        self.away_since.entry(event.session).or_insert(event.at);
                    } else {
                        self.away_since.remove(&event.session);
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }
}
