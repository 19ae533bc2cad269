//! What a client tells its application: connected once, logged in once, away and back in turn, and nothing after the end.

use std::collections::BTreeMap;

use rejoin::client::ClientEvent;

use crate::laws::{Violation, ensure};
use crate::simulator::checker::{Checker, View};
use crate::simulator::step::{Happening, ProcessId, Step};

/// Follows each process while it runs.
#[derive(Debug, Default)]
pub(super) struct Programs {
    told: BTreeMap<ProcessId, Told>,
}

/// What a process was told so far.
#[derive(Clone, Copy, Debug, Default)]
struct Told {
    is_connected: bool,
    is_logged_in: bool,
    is_away: bool,
    has_ended: bool,
}

impl Checker for Programs {
    fn check(&mut self, step: &Step, _view: &View<'_>) -> Result<(), Violation> {
        for happening in &step.happenings {
            match happening {
                Happening::ProcessStopped { process } => {
                    self.told.remove(process);
                }
                Happening::PlayerTold { process, event, .. } => {
                    let told = self.told.entry(*process).or_default();
                    ensure(told.take(event), || format!("{process} was told {event:?} after {told:?}"))?;
                }
                _ => {}
            }
        }
        Ok(())
    }
}

impl Told {
    /// Notes an event; says whether it may come now. A process that goes on where another one left it is connected and logged in with
    /// its first `Reconnected`.
    fn take(&mut self, event: &ClientEvent) -> bool {
        if self.has_ended {
            return false;
        }
        match event {
            ClientEvent::Connected { .. } => !std::mem::replace(&mut self.is_connected, true),
            ClientEvent::LoggedIn => self.is_connected && !std::mem::replace(&mut self.is_logged_in, true),
            ClientEvent::LoginRejected { .. } => self.is_connected && !self.is_logged_in,
            ClientEvent::PathLost => self.is_logged_in && !std::mem::replace(&mut self.is_away, true),
            ClientEvent::Reconnected { .. } => {
                let comes_back = self.is_away || !self.is_logged_in;
                *self = Self { is_connected: true, is_logged_in: true, ..Self::default() };
                comes_back
            }
            ClientEvent::Disconnected { .. } => {
                self.has_ended = true;
                true
            }
            _ => self.is_logged_in,
        }
    }
}

#[cfg(test)]
mod tests {
    use rejoin::Continuity;
    use rejoin::client::ClientDisconnectReason;

    use super::*;

    const END: ClientEvent = ClientEvent::Disconnected { reason: ClientDisconnectReason::Left };
    const BACK: ClientEvent = ClientEvent::Reconnected { continuity: Continuity::Kept };

    fn is_fine(events: &[ClientEvent]) -> bool {
        let mut told = Told::default();
        events.iter().all(|event| told.take(event))
    }

    #[test]
    fn an_ordinary_life_is_fine_and_whatever_follows_its_end_is_not() {
        let connected = ClientEvent::Connected { login_explicit: true };
        let life =
            [connected, ClientEvent::LoggedIn, ClientEvent::PathLost, BACK, ClientEvent::Datagram, END];
        assert!(is_fine(&life));
        assert!(!is_fine(&[connected, END, ClientEvent::Datagram]));
        assert!(!is_fine(&[END, END]));
    }

    #[test]
    fn events_out_of_turn_are_caught() {
        let connected = ClientEvent::Connected { login_explicit: true };
        assert!(!is_fine(&[ClientEvent::LoggedIn]));
        assert!(!is_fine(&[connected, connected]));
        assert!(!is_fine(&[connected, ClientEvent::LoggedIn, BACK]));
        assert!(!is_fine(&[connected, ClientEvent::PathLost]));
        assert!(!is_fine(&[connected, ClientEvent::Message { lane: 0 }]));
    }
}
