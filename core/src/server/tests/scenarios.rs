//! The scenarios of the multi-session lifecycle specification, by their names, with raw and with framed payloads.

use alloc::vec::Vec;

use crate::lifecycle::{Cause, DisconnectReason, LifecycleEventKind as Kind, SessionState as State};
use crate::{ClientId, MultiSessionManager, Verdict};

use super::harness::{Harness, client_address};

const ANNA: u64 = 11;
const BEN: u64 = 22;

#[test]
fn raw_server_tracks_two_peers_independently() {
    let mut server = Harness::raw();
    let mut anna = server.raw_player(ANNA, 1);
    let mut ben = server.newcomer(BEN, 2);
    server.shake_hands(&mut ben);

    assert_ne!(server.id_of(ANNA), server.id_of(BEN));
    assert_eq!(server.state_of(ANNA), Some(State::LoggedIn));
    assert_eq!(server.state_of(BEN), Some(State::TransportConnected));

    let goodbye = anna.disconnect();
    server.talk(&mut anna, &goodbye);
    let keep_alive = ben.keep_alive();
    server.talk(&mut ben, &keep_alive);

    assert_eq!(server.state_of(ANNA), None);
    assert_eq!(server.state_of(BEN), Some(State::LoggedIn));
    server.close();
}

#[test]
fn framed_server_tracks_two_peers_independently() {
    let mut server = Harness::framed();
    let _anna = server.player(ANNA, 1);
    let mut ben = server.guest(BEN, 2);
    let login = ben.login(1, b"ben");
    server.talk(&mut ben, &login);
    let id = server.id_of(BEN);

    server.call(|manager, now| manager.reject_login(now, id, 7, "no")).unwrap();

    assert_eq!(server.state_of(BEN), Some(State::LoginFailed));
    assert_eq!(server.state_of(ANNA), Some(State::LoggedIn));
    assert_eq!(server.kinds_of(ANNA), [Kind::TransportConnected, Kind::LoginStarted, Kind::LoginSucceeded]);
    assert_eq!(server.kinds_of(BEN), [Kind::TransportConnected, Kind::LoginStarted, Kind::LoginFailed]);
    server.close();
}

#[test]
fn raw_timeout_affects_only_one_managed_session() {
    let mut server = Harness::raw();
    let _anna = server.raw_player(ANNA, 1);
    let mut ben = server.raw_player(BEN, 2);

    server.live_raw(&mut [&mut ben], 5_001);

    assert_eq!(server.state_of(ANNA), Some(State::ReconnectPending));
    assert_eq!(server.kinds_of(ANNA)[3..], [Kind::TimedOut, Kind::ReconnectScheduled]);
    assert_eq!(server.state_of(BEN), Some(State::LoggedIn));
    assert_eq!(server.kinds_of(BEN).len(), 3);
    server.close();
}

#[test]
fn framed_timeout_affects_only_one_managed_session() {
    let mut server = Harness::framed();
    let _anna = server.player(ANNA, 1);
    let mut ben = server.player(BEN, 2);

    server.live(&mut [&mut ben], 5_001);
    assert_eq!(server.state_of(ANNA), Some(State::ReconnectPending));
    server.live(&mut [&mut ben], 60_000);

    assert_eq!(server.state_of(ANNA), None);
    assert_eq!(server.last_of(ANNA).cause, Cause::Ended(DisconnectReason::ReconnectExpired));
    assert_eq!(server.state_of(BEN), Some(State::LoggedIn));
    assert_eq!(server.kinds_of(BEN).len(), 3);
    server.close();
}

#[test]
fn raw_host_can_inspect_current_managed_sessions() {
    let mut server = Harness::raw();
    let _anna = server.raw_player(ANNA, 1);
    let mut ben = server.newcomer(BEN, 2);
    server.shake_hands(&mut ben);

    let seen: Vec<_> =
        server.manager.sessions().map(|session| (session.client_id(), session.state())).collect();
    assert_eq!(seen, [(ClientId(ANNA), State::LoggedIn), (ClientId(BEN), State::TransportConnected)]);
    assert_eq!(server.manager.len(), 2);
    let at = server.manager.session_at(client_address(1)).unwrap();
    assert_eq!((at.client_id(), at.address()), (ClientId(ANNA), client_address(1)));
    server.close();
}

#[test]
fn framed_host_can_inspect_current_managed_sessions() {
    let mut server = Harness::framed();
    let _anna = server.player(ANNA, 1);
    let mut ben = server.guest(BEN, 2);
    let login = ben.login(1, b"ben");
    server.talk(&mut ben, &login);

    assert_eq!(server.session_of(ANNA).state(), State::LoggedIn);
    assert_eq!(server.session_of(BEN).state(), State::LoginPending);
    assert_eq!(server.session_of(ANNA).timeout().as_secs(), 5);
    assert_eq!(server.session_of(ANNA).last_received(), server.now);
    assert!(server.session_of(ANNA).moves().is_some() && server.session_of(BEN).moves().is_none());
    server.close();
}

#[test]
fn framed_movement_tick_filtering_remains_peer_scoped() {
    let mut server = Harness::framed();
    let (mut anna, mut ben) = (server.player(ANNA, 1), server.player(BEN, 2));
    server.call(|manager, now| manager.set_server_tick(now, 1_000));
    let (anna_id, ben_id) = (server.id_of(ANNA), server.id_of(BEN));

    for ticks in [&[1_010, 1_009, 1_008][..], &[1_009], &[1_200]] {
        let moves = anna.moves(ticks);
        server.talk(&mut anna, &moves);
    }
    let moves = ben.moves(&[1_001, 1_000, 999]);
    server.talk(&mut ben, &moves);

    assert_eq!(server.ticks_from(anna_id), [1_008, 1_009, 1_010]);
    assert_eq!(server.ticks_from(ben_id), [999, 1_000, 1_001]);
    let (anna, ben) = (server.session_of(ANNA), server.session_of(BEN));
    assert_eq!((anna.move_high_water(), ben.move_high_water()), (Some(1_010), Some(1_001)));
    let (anna, ben) = (anna.moves().unwrap(), ben.moves().unwrap());
    assert_eq!((anna.accepted, anna.duplicate, anna.too_far_ahead), (3, 1, 1));
    assert_eq!((ben.accepted, ben.duplicate, ben.too_far_ahead), (3, 0, 0));
    server.close();
}

#[test]
fn framed_published_states_acknowledge_the_moves_of_their_own_peer() {
    let mut server = Harness::framed();
    let (mut anna, mut ben) = (server.player(ANNA, 1), server.player(BEN, 2));
    let moves = anna.moves(&[5]);
    server.talk(&mut anna, &moves);
    let (anna_id, ben_id) = (server.id_of(ANNA), server.id_of(BEN));

    server.call(|manager, now| manager.publish_state(now, anna_id, 40, b"a")).unwrap();
    server.call(|manager, now| manager.publish_state(now, ben_id, 41, b"b")).unwrap();
    server.listen(&mut anna);
    server.listen(&mut ben);

    assert_eq!(anna.states(), [(40, Some(5), b"a".to_vec())]);
    assert_eq!(ben.states(), [(41, None, b"b".to_vec())]);
    assert_eq!(server.session_of(ANNA).published_state(), Some((40, &b"a"[..])));
    server.close();
}

#[test]
fn raw_disconnect_removes_one_session_only() {
    let mut server = Harness::raw();
    let mut anna = server.raw_player(ANNA, 1);
    let mut ben = server.raw_player(BEN, 2);
    let (anna_id, ben_id) = (server.id_of(ANNA), server.id_of(BEN));

    server.call(|manager, now| manager.disconnect(now, anna_id, 42, b"")).unwrap();
    server.listen(&mut anna);

    assert!(anna.disconnects > 1);
    assert!(server.manager.session(anna_id).is_none());
    assert!(server.call(|manager, now| manager.disconnect(now, anna_id, 42, b"")).is_err());
    let payload = ben.payload(b"still here");
    assert_eq!(server.talk(&mut ben, &payload), Verdict::Accepted(ben_id));
    assert_eq!(server.received_from(ben_id), [b"still here"]);
    server.close();
}

#[test]
fn framed_disconnect_removes_one_session_only() {
    let mut server = Harness::framed();
    let (mut anna, mut ben, mut cem) = (server.player(ANNA, 1), server.player(BEN, 2), server.player(33, 3));
    let (anna_id, cem_id) = (server.id_of(ANNA), server.id_of(33));

    server.call(|manager, now| manager.disconnect(now, anna_id, 42, b"enough")).unwrap();
    let goodbye = ben.frames(|writer| assert!(writer.write_goodbye(0, b"")));
    server.talk(&mut ben, &goodbye);
    server.listen(&mut anna);

    assert_eq!(anna.goodbyes(), [(1, b"enough".to_vec())]);
    assert_eq!(server.last_of(ANNA).cause, Cause::Ended(DisconnectReason::Disconnected(42)));
    assert_eq!(server.last_of(BEN).cause, Cause::Ended(DisconnectReason::PeerLeft));
    let message = cem.message(0, b"hello");
    assert_eq!(server.talk(&mut cem, &message), Verdict::Accepted(cem_id));
    assert_eq!(server.received_from(cem_id), [b"hello"]);
    server.close();
}

#[test]
fn a_removed_session_is_gone_and_its_peer_is_not_told() {
    let mut server = Harness::framed();
    let (mut anna, ben) = (server.player(ANNA, 1), server.player(BEN, 2));
    let id = server.id_of(ANNA);

    server.call(|manager, now| manager.remove(now, id)).unwrap();

    assert!(server.inbox(anna.address).is_empty());
    assert_eq!(server.last_of(ANNA).cause, Cause::Ended(DisconnectReason::Removed));
    let heartbeat = anna.heartbeat();
    assert!(matches!(server.talk(&mut anna, &heartbeat), Verdict::Dropped(_)));
    assert_eq!(
        server.manager.session_at(ben.address).map(|session| session.client_id()),
        Some(ClientId(BEN))
    );
    server.close();
}

#[test]
fn raw_shutdown_clears_all_managed_peers() {
    let mut server = Harness::raw();
    let mut peers: Vec<_> = (1..=5).map(|port| server.raw_player(port.into(), port)).collect();

    server.call(MultiSessionManager::shutdown);

    assert!(server.manager.is_empty());
    for peer in &mut peers {
        server.listen(peer);
        assert!(peer.disconnects > 0);
    }
    assert_eq!(server.manager.poll_timeout(), None, "nothing is left to do");
    server.close();
}

#[test]
fn framed_shutdown_clears_all_managed_peers_in_any_state() {
    let mut server = Harness::framed();
    let mut here = server.player(1, 1);
    let _away = server.player(2, 2);
    server.live(&mut [&mut here], 5_001);
    let mut guest = server.guest(3, 3);
    let mut unconfirmed = server.newcomer(4, 4);
    server.shake_hands(&mut unconfirmed);

    server.call(MultiSessionManager::shutdown);
    server.call(MultiSessionManager::shutdown);

    assert!(server.manager.is_empty());
    for (client_id, from) in [
        (1, State::LoggedIn),
        (2, State::ReconnectPending),
        (3, State::TransportConnected),
        (4, State::TransportConnected),
    ] {
        let last = server.last_of(client_id);
        assert_eq!((last.previous, last.cause), (Some(from), Cause::Ended(DisconnectReason::Shutdown)));
    }
    for peer in [&mut here, &mut guest] {
        server.listen(peer);
        assert_eq!(peer.goodbyes(), [(2, Vec::new())]);
    }
    let mut late = server.newcomer(5, 5);
    let request = late.request();
    server.talk(&mut late, &request);
    assert_eq!(late.denials, 1);
    server.close();
}

#[test]
fn a_host_can_tell_how_long_a_session_has_been_there_and_how_early_its_moves_come() {
    let mut server = Harness::framed();
    let begin = server.now;
    let mut anna = server.player(ANNA, 1);
    assert_eq!(server.session_of(ANNA).arrival_margin(), None);

    server.live(&mut [&mut anna], 1_000);
    server.call(|manager, now| manager.set_server_tick(now, 1_000));
    let moves = anna.moves(&[1_003]);
    server.talk(&mut anna, &moves);

    let session = server.session_of(ANNA);
    assert_eq!((session.since(), session.last_received()), (begin, server.now));
    assert_eq!(session.arrival_margin().map(|margin| margin.last_ticks), Some(3));
    assert!(session.recommended_margin_ticks().is_some());
    server.close();
}

#[test]
fn a_logged_manager_or_session_names_itself_and_shows_no_secret() {
    let mut server = Harness::framed();
    let _anna = server.player(ANNA, 1);

    let manager = std::format!("{:?}", server.manager);
    let session = std::format!("{:?}", server.session_of(ANNA));

    assert!(manager.contains("sessions: 1"), "{manager}");
    assert!(session.contains("198.51.100.7:1") && session.contains("LoggedIn"), "{session}");
    for shown in [manager, session] {
        assert!(!["Key", "key", "secret", "token"].iter().any(|word| shown.contains(word)), "{shown}");
    }
    server.close();
}
