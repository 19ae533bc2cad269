//! Each scenario of the specification of multi-session lifecycles, by its name, through a running host.

use rejoin::client::{ClientDisconnectReason, ClientEvent, ClientState};
use rejoin::lifecycle::{Cause, DisconnectReason, LifecycleEventKind};
use rejoin::{ClientId, SessionId, SessionState};
use rejoin_mio::ServerNetworkHost;
use rejoin_tests::hosted::{Hosted, Logins, config};

fn kinds_of(hosted: &Hosted, id: SessionId) -> Vec<LifecycleEventKind> {
    hosted.lifecycle_of(id).map(|event| event.kind).collect()
}

fn last_cause_of(hosted: &Hosted, id: SessionId) -> Cause {
    hosted.lifecycle_of(id).last().expect("an event").cause
}

/// A message of this player and one to it, which both arrive: the session works.
fn talk(hosted: &mut Hosted, player: usize) {
    let id = hosted.session_id(hosted.players[player].client_id);
    let messages_before = hosted.application.messages_from(id).len();
    let answers_before = hosted.players[player].messages().len();
    hosted.players[player].host.commands().send(0, b"question").unwrap();
    hosted.server.commands().send(id, 0, b"answer").unwrap();
    hosted.run_until("a message each way", |hosted| {
        hosted.application.messages_from(id).len() == messages_before + 1
            && hosted.players[player].messages().len() == answers_before + 1
    });
}

/// Requirement: multi-session hosts manage per-peer lifecycle state.
#[test]
fn server_tracks_two_peers_independently() {
    let mut hosted = Hosted::start(config());
    let first = hosted.add_logged_in(1);
    let second = hosted.add_connected(2);

    assert_eq!(hosted.server.sessions().len(), 2);
    let (first_id, second_id) = (hosted.session_id(1), hosted.session_id(2));
    assert_ne!(first_id, second_id);
    assert_eq!(hosted.state(1), Some(SessionState::LoggedIn));
    assert_eq!(hosted.state(2), Some(SessionState::TransportConnected));
    for (player, id) in [(first, first_id), (second, second_id)] {
        let address = hosted.players[player].address(hosted.address());
        assert_eq!(hosted.server.sessions().session_at(address).unwrap().id(), id);
    }

    hosted.players[second].host.commands().login(b"credential").unwrap();
    hosted.run_until("the second login", |hosted| hosted.state(2) == Some(SessionState::LoggedIn));
    assert_eq!(kinds_of(&hosted, first_id), kinds_of(&hosted, second_id));
    assert_eq!(kinds_of(&hosted, first_id).len(), 3, "each its own events and nobody else's");
}

/// Requirement: multi-session hosts can observe and evaluate each managed session.
#[test]
fn timeout_affects_only_one_managed_session() {
    let mut hosted = Hosted::start(config());
    let silent = hosted.add_logged_in(1);
    let active = hosted.add_logged_in(2);
    let (silent_id, active_id) = (hosted.session_id(1), hosted.session_id(2));

    hosted.players[silent].is_running = false;
    hosted.run_until("the timeout", |hosted| hosted.state(1) == Some(SessionState::ReconnectPending));

    assert_eq!(
        kinds_of(&hosted, silent_id)[3..],
        [LifecycleEventKind::TimedOut, LifecycleEventKind::ReconnectScheduled]
    );
    assert_eq!(last_cause_of(&hosted, silent_id), Cause::Silence);
    assert_eq!(hosted.state(2), Some(SessionState::LoggedIn));
    assert_eq!(kinds_of(&hosted, active_id).len(), 3, "nothing happened to the other one");
    talk(&mut hosted, active);
}

/// The same, to the end of the reconnect window.
#[test]
fn a_session_whose_player_never_comes_back_ends_with_the_window() {
    let mut config = config();
    config.sessions.reconnect_window_ms = Some(100);
    let mut hosted = Hosted::start(config);
    let silent = hosted.add_logged_in(1);
    let active = hosted.add_logged_in(2);
    let silent_id = hosted.session_id(1);

    hosted.players[silent].is_running = false;
    hosted.run_until("the end of the window", |hosted| hosted.state(1).is_none());

    assert_eq!(last_cause_of(&hosted, silent_id), Cause::Ended(DisconnectReason::ReconnectExpired));
    assert_eq!(hosted.state(2), Some(SessionState::LoggedIn));
    talk(&mut hosted, active);
}

/// Every state in which a session can rest for long, side by side.
#[test]
fn host_can_inspect_current_managed_sessions() {
    let mut hosted = Hosted::start(config());
    let away = hosted.add_logged_in(1);
    let present = hosted.add_logged_in(2);
    hosted.add_connected(3);
    hosted.application.logins = Logins::Pending;
    for client_id in [4, 5] {
        let player = hosted.add_player(client_id);
        hosted.players[player].host.commands().login(b"credential").unwrap();
        hosted.run_until("the login request", |hosted| {
            hosted.state(client_id) == Some(SessionState::LoginPending)
        });
    }
    let refused = hosted.session_id(5);
    hosted.server.commands().reject_login(refused, 3, "no such name").unwrap();
    hosted.players[away].is_running = false;
    hosted.run_until("the timeout", |hosted| hosted.state(1) == Some(SessionState::ReconnectPending));

    let manager = hosted.server.sessions();
    let mut seen: Vec<_> = manager.sessions().map(|view| (view.client_id().0, view.state())).collect();
    seen.sort_unstable();

    assert_eq!(
        seen,
        [
            (1, SessionState::ReconnectPending),
            (2, SessionState::LoggedIn),
            (3, SessionState::TransportConnected),
            (4, SessionState::LoginPending),
            (5, SessionState::LoginFailed),
        ]
    );
    for (client_id, state) in seen {
        let view = manager.session_of(ClientId(client_id)).unwrap();
        assert_eq!(view.state(), state);
        assert_eq!(manager.session(view.id()).unwrap().client_id(), ClientId(client_id));
        assert_eq!(manager.session_at(view.address()).unwrap().id(), view.id());
    }
    let view = manager.session_of(ClientId(2)).unwrap();
    assert_eq!(view.address(), hosted.players[present].address(hosted.address()));
    assert!(view.rtt().is_some());
}

#[test]
fn movement_tick_filtering_remains_peer_scoped() {
    let mut hosted = Hosted::start(config());
    let ahead = hosted.add_logged_in(1);
    let behind = hosted.add_logged_in(2);
    let (ahead_id, behind_id) = (hosted.session_id(1), hosted.session_id(2));

    for (ahead_tick, behind_tick) in [(90, 3), (95, 4), (100, 9)] {
        hosted.players[ahead].host.commands().send_move(ahead_tick, b"run").unwrap();
        hosted.players[behind].host.commands().send_move(behind_tick, b"walk").unwrap();
        hosted.run_until("the moves", |hosted| {
            hosted.move_high_water(1) == Some(ahead_tick) && hosted.move_high_water(2) == Some(behind_tick)
        });
    }
    hosted.players[ahead].host.commands().send_move(u64::MAX, b"leap").unwrap();
    let moves = |hosted: &Hosted, id| hosted.server.sessions().session(id).unwrap().moves().unwrap();
    hosted.run_until("the refusal", |hosted| moves(hosted, ahead_id).too_far_ahead > 0);
    hosted.players[behind].host.commands().send_move(10, b"walk").unwrap();
    hosted.run_until("another move", |hosted| hosted.move_high_water(2) == Some(10));

    assert_eq!(hosted.application.moves_from(ahead_id), [90, 95, 100]);
    assert_eq!(hosted.application.moves_from(behind_id), [3, 4, 9, 10]);
    assert_eq!(moves(&hosted, behind_id).too_far_ahead, 0);
    for (id, state) in [(ahead_id, b"ahead".as_slice()), (behind_id, b"behind")] {
        hosted.server.commands().publish_state(id, 7, state).unwrap();
    }
    hosted.run_until("the states", |hosted| {
        hosted.players.iter().all(|player| player.newest_state().is_some())
    });
    assert_eq!(hosted.players[ahead].newest_state(), Some((7, Some(100), b"ahead".as_slice())));
    assert_eq!(hosted.players[behind].newest_state(), Some((7, Some(10), b"behind".as_slice())));
}

/// Requirement: session removal is explicit and does not corrupt remaining peers.
#[test]
fn disconnect_removes_one_session_only() {
    let mut hosted = Hosted::start(config());
    let leaving = hosted.add_logged_in(1);
    let evicted = hosted.add_logged_in(2);
    hosted.add_logged_in(3);
    let staying = hosted.add_logged_in(4);
    let ids = [1, 2, 3].map(|client_id| hosted.session_id(client_id));
    let staying_id = hosted.session_id(4);

    hosted.players[leaving].stop();
    hosted.run_until("the end of the first", |hosted| hosted.state(1).is_none());
    assert_eq!(hosted.server.sessions().len(), 3);
    hosted.server.commands().disconnect(ids[1], 7, b"cheating").unwrap();
    assert_eq!(hosted.server.sessions().len(), 2);
    hosted.server.commands().remove(ids[2]).unwrap();
    hosted.run_until("the evicted to know", |hosted| {
        hosted.players[evicted].state() == ClientState::Disconnected
    });

    let causes = ids.map(|id| last_cause_of(&hosted, id));
    assert_eq!(
        causes,
        [DisconnectReason::PeerLeft, DisconnectReason::Disconnected(7), DisconnectReason::Removed]
            .map(Cause::Ended)
    );
    assert!(ids.into_iter().all(|id| hosted.server.sessions().session(id).is_none()));
    let last = hosted.players[evicted].events().last();
    assert_eq!(last, Some(ClientEvent::Disconnected { reason: ClientDisconnectReason::Host }));
    assert_eq!(hosted.session_id(4), staying_id);
    assert_eq!(kinds_of(&hosted, staying_id).len(), 3, "nothing happened to the one that stays");
    talk(&mut hosted, staying);
}

/// Requirement: multi-session server lifecycle can be owned by a runtime entry point.
#[test]
fn entry_point_startup_exposes_multi_session_lifecycle_ownership() {
    let server = ServerNetworkHost::start(config()).unwrap();
    assert!(server.sessions().is_empty());
    drop(server);

    let mut hosted = Hosted::start(config());
    let player = hosted.add_logged_in(1);

    let views: Vec<_> = hosted.server.sessions().sessions().map(|view| view.client_id()).collect();
    assert_eq!(views, [ClientId(1)]);
    assert_eq!(hosted.players[player].host.session().session_id(), Some(hosted.session_id(1)));
}

#[test]
fn entry_point_shutdown_clears_all_managed_peers() {
    let mut hosted = Hosted::start(config());
    hosted.add_logged_in(1);
    let away = hosted.add_logged_in(2);
    hosted.add_connected(3);
    hosted.players[away].is_running = false;
    hosted.run_until("the timeout", |hosted| hosted.state(2) == Some(SessionState::ReconnectPending));
    let ids = [1, 2, 3].map(|client_id| hosted.session_id(client_id));

    hosted.server.stop(&mut hosted.application);
    hosted.server.stop(&mut hosted.application);

    assert!(hosted.server.sessions().is_empty());
    assert!(hosted.server.bound_addresses().is_empty());
    for id in ids {
        assert_eq!(last_cause_of(&hosted, id), Cause::Ended(DisconnectReason::Shutdown));
        let ends = kinds_of(&hosted, id).into_iter().filter(|kind| *kind == LifecycleEventKind::Disconnected);
        assert_eq!(ends.count(), 1, "told once");
    }
    hosted.players[away].is_running = true;
    hosted.run_until("the goodbyes", |hosted| {
        hosted.players.iter().all(|player| player.state() == ClientState::Disconnected)
    });
    let told = ClientEvent::Disconnected { reason: ClientDisconnectReason::Shutdown };
    assert!(hosted.players.iter().all(|player| player.events().last() == Some(told)));
}
