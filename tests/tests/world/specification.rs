//! Each scenario of the specification of multi-session lifecycles, by its name.

use rejoin::client::ClientState;
use rejoin::lifecycle::{DisconnectReason, LifecycleEventKind, SessionState};
use rejoin_tests::world::{World, config};

/// Requirement: multi-session hosts manage per-peer lifecycle state.
#[test]
fn server_tracks_two_peers_independently() {
    let mut world = World::new(config(), 1);
    let first = world.add_logged_in(1);
    let second = world.add_player(2);

    world.run_for_ms(1_000);

    assert_ne!(world.session_id(first), world.session_id(second));
    assert_eq!(world.state(first), Some(SessionState::LoggedIn));
    assert_eq!(world.state(second), Some(SessionState::TransportConnected));
    let first_address = world.players[first].address;
    let second_address = world.players[second].address;
    assert_eq!(world.server.session_at(first_address).unwrap().id(), world.session_id(first));
    assert_eq!(world.server.session_at(second_address).unwrap().id(), world.session_id(second));
}

/// Requirement: multi-session hosts can observe and evaluate each managed session.
#[test]
fn timeout_affects_only_one_managed_session() {
    let mut world = World::new(config(), 2);
    let silent = world.add_logged_in(1);
    let active = world.add_logged_in(2);
    let (silent_id, active_id) = (world.session_id(silent), world.session_id(active));

    world.cut(silent);
    world.run_for_ms(3_000);

    assert_eq!(world.state(silent), Some(SessionState::ReconnectPending));
    assert_eq!(
        world.kinds_of(silent_id)[3..],
        [LifecycleEventKind::TimedOut, LifecycleEventKind::ReconnectScheduled]
    );
    assert_eq!(world.state(active), Some(SessionState::LoggedIn));
    assert_eq!(world.kinds_of(active_id).len(), 3, "nothing happened to the other one");
}

/// The same, to the end of the reconnect window.
#[test]
fn a_session_whose_player_never_comes_back_ends_with_the_window() {
    let mut world = World::new(config(), 3);
    let silent = world.add_logged_in(1);
    let active = world.add_logged_in(2);
    let silent_id = world.session_id(silent);

    world.cut(silent);
    world.run_for_ms(2_000 + 20_000 + 1_000);

    assert_eq!(world.state(silent), None);
    let last = world.lifecycle_of(silent_id).last().unwrap();
    assert_eq!(last.kind, LifecycleEventKind::Disconnected);
    assert_eq!(last.cause, rejoin::lifecycle::Cause::Ended(DisconnectReason::ReconnectExpired));
    assert_eq!(world.state(active), Some(SessionState::LoggedIn));
}

#[test]
fn host_can_inspect_current_managed_sessions() {
    let mut world = World::new(config(), 4);
    let player = world.add_logged_in(1);
    let newcomer = world.add_player(2);
    world.run_for_ms(500);

    let seen: Vec<_> = world.server.sessions().map(|view| (view.client_id(), view.state())).collect();

    assert_eq!(
        seen,
        [
            (world.players[player].client_id, SessionState::LoggedIn),
            (world.players[newcomer].client_id, SessionState::TransportConnected),
        ]
    );
    let view = world.server.session(world.session_id(player)).unwrap();
    assert_eq!(view.address(), world.players[player].address);
    assert!(view.rtt().is_some_and(|rtt| (40..60).contains(&rtt.as_millis())), "{:?}", view.rtt());
}

#[test]
fn movement_tick_filtering_remains_peer_scoped() {
    let mut world = World::new(config(), 5);
    let ahead = world.add_logged_in(1);
    let behind = world.add_logged_in(2);
    let (ahead_id, behind_id) = (world.session_id(ahead), world.session_id(behind));

    for tick in [90, 95, 100] {
        world.players[ahead].session.send_move(tick, b"run").unwrap();
        world.run_for_ms(50);
    }
    for tick in [3, 4, 9] {
        world.players[behind].session.send_move(tick, b"walk").unwrap();
        world.run_for_ms(50);
    }

    assert_eq!(world.moves_from(ahead_id), [90, 95, 100]);
    assert_eq!(world.moves_from(behind_id), [3, 4, 9]);
    assert_eq!(world.server.session(ahead_id).unwrap().move_high_water(), Some(100));
    assert_eq!(world.server.session(behind_id).unwrap().move_high_water(), Some(9));
}

/// Requirement: session removal is explicit and does not corrupt remaining peers.
#[test]
fn disconnect_removes_one_session_only() {
    let mut world = World::new(config(), 6);
    let leaving = world.add_logged_in(1);
    let evicted = world.add_logged_in(2);
    let staying = world.add_logged_in(3);
    let (leaving_id, evicted_id) = (world.session_id(leaving), world.session_id(evicted));

    let now = world.now;
    world.players[leaving].session.disconnect(now);
    world.server.disconnect(now, evicted_id, 7, b"cheating").unwrap();
    world.run_for_ms(1_000);

    assert_eq!((world.state(leaving), world.state(evicted)), (None, None));
    assert_eq!(world.state(staying), Some(SessionState::LoggedIn));
    for id in [leaving_id, evicted_id] {
        assert_eq!(world.kinds_of(id).last(), Some(&LifecycleEventKind::Disconnected));
        assert!(world.server.session(id).is_none());
    }
    assert_eq!(world.server.len(), 1);
}

/// Requirement: multi-session server lifecycle can be owned by a runtime entry point; here, what that entry point calls.
#[test]
fn shutdown_clears_all_managed_peers() {
    let mut world = World::new(config(), 7);
    let players = [world.add_logged_in(1), world.add_logged_in(2), world.add_player(3)];
    world.run_for_ms(500);
    let ids = players.map(|player| world.session_id(player));

    let now = world.now;
    world.server.shutdown(now);
    world.run_for_ms(1_000);

    assert!(world.server.is_empty());
    for (player, id) in players.into_iter().zip(ids) {
        assert_eq!(world.kinds_of(id).last(), Some(&LifecycleEventKind::Disconnected));
        let told = world.players[player]
            .events
            .iter()
            .any(|(event, _)| matches!(event, rejoin::client::ClientEvent::Disconnected { .. }));
        assert!(told, "player {player} was told");
    }
}

#[test]
fn a_banned_player_is_told_and_denied_until_the_ban_ends() {
    let mut world = World::new(config(), 8);
    let player = world.add_logged_in(1);
    let id = world.session_id(player);
    let client_id = world.players[player].client_id;

    let now = world.now;
    world.server.ban(now, client_id, now.plus_millis(5_000)).unwrap();
    world.run_for_ms(500);
    let early = world.add_player(1);
    world.run_for_ms(1_000);
    let denied = world.server.counters().denied(rejoin::DenyReason::Banned);
    world.run_for_ms(4_000);
    let later = world.add_logged_in(1);

    let last = world.lifecycle_of(id).last().unwrap();
    assert_eq!(last.cause, rejoin::lifecycle::Cause::Ended(DisconnectReason::Banned));
    assert_eq!(denied, 1);
    let ClientState::Disconnected = world.players[early].session.state() else { panic!("let in early") };
    assert_eq!(world.state(later), Some(SessionState::LoggedIn));
}
