//! Tokens, ways back and reconnect windows, by events made up.

use rejoin::client::ClientEvent;
use rejoin::lifecycle::{Cause, DisconnectReason, LifecycleEventKind, SessionState};
use rejoin::{ClientId, Continuity, Event, LifecycleEvent, Timestamp, Verdict};

use super::{OTHER, PROCESS, SESSION, Scene, connected};
use crate::laws::Violation;
use crate::simulator::checker::Checker;
use crate::simulator::checkers::patience::Patience;
use crate::simulator::checkers::resumes::Resumes;
use crate::simulator::checkers::tokens::Tokens;
use crate::simulator::step::{Datagram, Happening, Party, ProcessId, Reading};
use crate::world::server_address;

/// Another process of the player whose first one is `PROCESS`.
const NEXT: ProcessId = ProcessId(3);

fn judge(mut checker: impl Checker, happenings: Vec<Happening>) -> Result<(), Violation> {
    Scene::new().judge(|step, view| checker.check(step, view), happenings)
}

fn told(event: LifecycleEvent, payload: &[u8]) -> Happening {
    Happening::ServerTold { event: Event::Lifecycle(event), payload: payload.into() }
}

fn reconnected(continuity: Continuity) -> LifecycleEvent {
    LifecycleEvent {
        kind: LifecycleEventKind::Reconnected,
        previous: Some(SessionState::LoggedIn),
        current: SessionState::LoggedIn,
        cause: Cause::Resumed,
        ..connected(Some(continuity))
    }
}

#[test]
fn a_token_that_opens_two_sessions_is_caught_also_over_a_restart_of_the_server() {
    let opened = |token: &[u8]| told(connected(None), token);
    let takes_over = |token: &[u8]| told(reconnected(Continuity::Restarted), token);
    let tokens = |happenings| judge(Tokens::default(), happenings);

    assert_eq!(tokens(vec![opened(b"one"), opened(b"other"), takes_over(b"third")]), Ok(()));
    assert_eq!(tokens(vec![takes_over(b""), takes_over(b"")]), Ok(()), "resume tokens have no user data");
    assert!(tokens(vec![opened(b"one"), opened(b"one")]).is_err());
    assert!(tokens(vec![opened(b"one"), Happening::ServerStarted, opened(b"one")]).is_err());
    assert!(tokens(vec![opened(b"one"), takes_over(b"one")]).is_err());
}

/// The process sends a payload, which the server takes.
fn speaks(process: ProcessId, sequence: u8) -> [Happening; 3] {
    let client_id = if process == OTHER { ClientId(2) } else { ClientId(1) };
    let place = usize::from(process == OTHER);
    let bytes = [&[0x15, sequence][..], b"sealed", &[sequence; 8]].concat().into();
    let datagram = Datagram { from: server_address(), to: server_address(), bytes };
    let reading = Reading::Server(Verdict::Accepted(SESSION));
    [
        Happening::ProcessStarted { process, client_id },
        Happening::Sent { by: Party::Player(place), datagram: datagram.clone() },
        Happening::Received { by: Party::Server, datagram, reading },
    ]
}

/// The first process speaks, then the other one, and the application is told this.
fn judge_return(process: ProcessId, told: Vec<Happening>) -> Result<(), Violation> {
    let happenings = speaks(PROCESS, 1).into_iter().chain(speaks(process, 2)).chain(told).collect();
    judge(Resumes::default(), happenings)
}

#[test]
fn a_process_that_goes_on_keeps_its_lanes_and_another_one_begins_afresh() {
    let kept = || vec![told(reconnected(Continuity::Kept), b"")];
    let restarted = || vec![told(reconnected(Continuity::Restarted), b"")];

    assert_eq!(judge_return(PROCESS, vec![]), Ok(()));
    assert_eq!(judge_return(PROCESS, kept()), Ok(()));
    assert!(judge_return(PROCESS, restarted()).is_err());
    assert_eq!(judge_return(NEXT, restarted()), Ok(()));
    assert!(judge_return(NEXT, kept()).is_err());
    assert!(judge_return(NEXT, vec![]).is_err());
}

#[test]
fn a_process_that_is_heard_again_after_the_next_one_is_caught() {
    let restarted = || told(reconnected(Continuity::Restarted), b"");
    let again = speaks(PROCESS, 3).into_iter().chain([restarted()]).collect();
    assert!(judge_return(NEXT, [vec![restarted()], again].concat()).is_err());
}

#[test]
fn what_becomes_of_a_session_of_nobody_who_plays_honestly_is_its_own_matter() {
    let event = LifecycleEvent { client_id: ClientId(99), ..reconnected(Continuity::Restarted) };
    assert_eq!(judge(Resumes::default(), vec![told(event, b"")]), Ok(()));
}

#[test]
fn a_process_that_is_told_that_it_lost_its_memory_is_caught() {
    let told = |continuity| {
        let event = ClientEvent::Reconnected { continuity };
        vec![Happening::PlayerTold { process: PROCESS, event, payload: [].into() }]
    };
    assert_eq!(judge(Resumes::default(), told(Continuity::Kept)), Ok(()));
    assert!(judge(Resumes::default(), told(Continuity::Restarted)).is_err());
}

#[test]
fn a_reconnect_window_that_ends_early_is_caught_and_a_return_begins_another() {
    let window_ms = Scene::new().server.plan().config.reconnect_window_ms.map_or(0, u64::from);
    let away = |at_ms| {
        let current = SessionState::ReconnectPending;
        let kind = LifecycleEventKind::ReconnectScheduled;
        let at = Timestamp::from_millis(at_ms);
        told(LifecycleEvent { kind, current, at, cause: Cause::Silence, ..connected(None) }, b"")
    };
    let end = |at_ms| {
        let at = Timestamp::from_millis(at_ms);
        let cause = Cause::Ended(DisconnectReason::ReconnectExpired);
        let (kind, current) = (LifecycleEventKind::Disconnected, SessionState::Disconnected);
        told(LifecycleEvent { kind, current, at, cause, ..connected(None) }, b"")
    };
    let back = || told(reconnected(Continuity::Kept), b"");
    let patience = |happenings| judge(Patience::default(), happenings);

    assert_eq!(patience(vec![away(1_000), end(1_000 + window_ms)]), Ok(()));
    assert!(patience(vec![away(1_000), end(900 + window_ms)]).is_err());
    assert!(patience(vec![away(1_000), back(), away(3_000), end(2_900 + window_ms)]).is_err());
    assert_eq!(patience(vec![away(1_000), away(2_000), end(1_000 + window_ms)]), Ok(()));
}
