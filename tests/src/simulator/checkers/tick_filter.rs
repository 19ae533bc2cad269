//! The tick filter equals a model of three lines: of the inputs in the packets that the server takes, it lets those through and no others.

use std::collections::HashMap;

use rejoin::{Event, SessionId, Verdict};

use crate::laws::{TickFilter, Violation, ensure};
use crate::netcode::kind::PAYLOAD;
use crate::netcode::seal_of;
use crate::simulator::checker::{Checker, View};
use crate::simulator::payload::move_ticks;
use crate::simulator::step::{Happening, Reading, Step};

/// The model, and which inputs are under way.
#[derive(Debug, Default)]
pub(super) struct Ticks {
    filter: TickFilter,
    /// By seal: the ticks of the inputs in payloads of players that the server has not taken so far.
    under_way: HashMap<u64, Vec<u64>>,
}

impl Checker for Ticks {
    fn check(&mut self, step: &Step, view: &View<'_>) -> Result<(), Violation> {
        self.note_sent(step, view)?;
        for happening in &step.happenings {
            match happening {
                Happening::ServerStarted => self.filter = TickFilter::default(),
                Happening::ServerTicked { tick } => {
                    self.filter.set_tick(*tick, view.server.plan().config.move_ticks_ahead_max);
                }
                Happening::Received {
                    datagram,
                    reading: Reading::Server(Verdict::Accepted(session)),
                    ..
                } => {
                    let ticks = self.under_way.remove(&seal_of(&datagram.bytes)).unwrap_or_default();
                    for tick in ticks {
                        self.filter.arrived(*session, tick);
                    }
                }
                Happening::ServerTold { event: Event::Move { session, tick }, .. }
                    if is_of_player(*session, view) =>
                {
                    self.filter.told(*session, *tick)?;
                }
                _ => {}
            }
        }
        self.filter.check_told()
    }
}

impl Ticks {
    fn note_sent(&mut self, step: &Step, view: &View<'_>) -> Result<(), Violation> {
        let payloads = view.wire.sent().iter();
        for (place, packet) in
            payloads.filter(|(_, packet)| packet.key.is_to_server && packet.kind == PAYLOAD)
        {
            let ticks = move_ticks(&packet.body);
            ensure(ticks.is_some(), || {
                format!("a client sends what is no run of frames: {:?}", packet.body)
            })?;
            if let Some(ticks) = ticks.filter(|ticks| !ticks.is_empty())
                && let Some(Happening::Sent { datagram, .. }) = step.happenings.get(*place)
            {
                self.under_way.insert(seal_of(&datagram.bytes), ticks);
            }
        }
        Ok(())
    }
}

/// Others may do what they like in their sessions: what they send is not known.
fn is_of_player(session: SessionId, view: &View<'_>) -> bool {
    let client_id = view.lifecycles.client_of(session);
    view.players.iter().any(|player| Some(player.client_id) == client_id)
}
