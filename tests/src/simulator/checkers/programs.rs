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

/// Where a process stands, by what it was told so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::simulator) enum Told {
    #[default]
    Nothing,
    Connected,
    LoggedIn,
    Away,
    Ended,
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
    /// Notes an event; says whether it may come now.
    pub(in crate::simulator) fn take(&mut self, event: &ClientEvent) -> bool {
        let before = *self;
        match event {
            ClientEvent::Connected { .. } => {
                *self = Self::Connected;
                before == Self::Nothing
            }
            ClientEvent::LoggedIn => {
                *self = Self::LoggedIn;
                before == Self::Connected
            }
            ClientEvent::LoginRejected { .. } => before == Self::Connected,
            ClientEvent::PathLost => {
                *self = Self::Away;
                before == Self::LoggedIn
            }
            ClientEvent::Reconnected { .. } => {
                *self = Self::LoggedIn;
                before == Self::Away
            }
            ClientEvent::ServerDraining { .. } => {
                matches!(before, Self::Connected | Self::LoggedIn | Self::Away)
            }
            ClientEvent::Disconnected { .. } => {
                *self = Self::Ended;
                before != Self::Ended
            }
            _ => matches!(before, Self::LoggedIn | Self::Away),
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
