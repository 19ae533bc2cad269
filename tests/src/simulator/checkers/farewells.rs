//! Whoever loses its session for a reason that it can be told is told that reason, in the very step, and nobody is told another one.

use std::collections::BTreeMap;

use rejoin::lifecycle::{Cause, DisconnectReason};
use rejoin::{Event, LifecycleEvent};

use crate::laws::{Violation, ensure};
use crate::netcode::kind::{DISCONNECT, PAYLOAD};
use crate::simulator::checker::{Checker, View};
use crate::simulator::payload::kind::GOODBYE;
use crate::simulator::step::{Happening, Step};

/// That somebody else took the session over, with a newer token.
const SUPERSEDED: u8 = 5;
/// What the simulated server says to those whom it kicks, and to those whose login it rejects.
const WORDS_OF_KICK: &[u8] = b"be gone";
const WORDS_OF_REJECTION: &[u8] = b"no";

/// Looks at what the server told its application and at what it sent.
#[derive(Debug)]
pub(super) struct Farewells;

impl Checker for Farewells {
    fn check(&mut self, step: &Step, view: &View<'_>) -> Result<(), Violation> {
        let mut due = Vec::new();
        for happening in &step.happenings {
            if let Happening::ServerTold { event: Event::Lifecycle(event), payload } = happening {
                due.extend(farewell_of(event, payload));
            }
        }
        // By token: what its holder is told, and how many disconnect packets go with it.
        let mut said: BTreeMap<usize, (Option<Vec<u8>>, u32)> = BTreeMap::new();
        for (_, packet) in view.wire.sent().iter().filter(|(_, packet)| !packet.key.is_to_server) {
            match packet.kind {
                DISCONNECT => said.entry(packet.key.token).or_default().1 += 1,
                PAYLOAD if packet.body.first() == Some(&GOODBYE) => {
                    said.entry(packet.key.token).or_default().0 = Some(packet.body.clone());
                }
                _ => {}
            }
        }
        check_said(&due, &said.into_values().collect::<Vec<_>>())
    }
}

fn check_said(due: &[Vec<u8>], said: &[(Option<Vec<u8>>, u32)]) -> Result<(), Violation> {
    for goodbye in due {
        let wanted = due.iter().filter(|other| *other == goodbye).count();
        let told =
            said.iter().filter(|(body, packets)| body.as_ref() == Some(goodbye) && *packets > 0).count();
        ensure(told >= wanted, || format!("{told} of {wanted} were told {goodbye:?}, and disconnected"))?;
    }
    let unfounded = said.iter().filter_map(|(body, _)| body.as_ref()).find(|body| !due.contains(body));
    ensure(unfounded.is_none(), || format!("somebody was told {unfounded:?}, which nobody was to be told"))
}

/// The goodbye that belongs to an event: the frame, with the code of the reason and the words of the host.
fn farewell_of(event: &LifecycleEvent, user_data: &[u8]) -> Option<Vec<u8>> {
    let (code, words): (u8, &[u8]) = match event.cause {
        Cause::Ended(reason) => match reason {
            DisconnectReason::Disconnected(_) => (1, WORDS_OF_KICK),
            DisconnectReason::Banned | DisconnectReason::MemoryHeld => (1, &[]),
            DisconnectReason::Shutdown => (2, &[]),
            DisconnectReason::LoginRefused => (3, WORDS_OF_REJECTION),
            DisconnectReason::LoginTimeout => (4, &[]),
            DisconnectReason::Superseded => (SUPERSEDED, &[]),
            DisconnectReason::ProtocolViolation => (6, &[]),
            DisconnectReason::Contested => (7, &[]),
            DisconnectReason::ReconnectExpired | DisconnectReason::PlaceGivenUp => (8, &[]),
            DisconnectReason::Drained => (9, &[]),
            _ => return None,
        },
        // By a token of the backend, whose user data comes with it.
        Cause::TakenOver | Cause::Resumed if !user_data.is_empty() => (SUPERSEDED, &[]),
        _ => return None,
    };
    let len = u8::try_from(words.len()).unwrap_or(u8::MAX);
    Some([&[GOODBYE, code, len], words].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_is_told_its_own_reason_and_disconnected_is_fine_and_nobody_else() {
        let kicked = || [&[GOODBYE, 1, 7][..], WORDS_OF_KICK].concat();
        let banned = || vec![GOODBYE, 1, 0];
        let check = |said: &[(Option<Vec<u8>>, u32)]| check_said(&[kicked(), kicked()], said);
        let told = (Some(kicked()), 10);

        assert_eq!(check(&[told.clone(), told.clone()]), Ok(()));
        assert_eq!(check(&[told.clone(), told.clone(), told.clone()]), Ok(()), "also where it waits");
        assert!(check(std::slice::from_ref(&told)).is_err(), "one is told, and two were to be");
        assert!(check(&[told.clone(), (Some(kicked()), 0)]).is_err(), "not disconnected");
        assert!(check(&[told.clone(), (Some(banned()), 10)]).is_err(), "without the host's words");
        assert!(check(&[told.clone(), told, (Some(banned()), 10)]).is_err(), "nobody was banned");
    }
}
