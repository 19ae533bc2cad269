//! Who is let in, who is denied, and who is met with silence.

use alloc::vec::Vec;

use crate::lifecycle::{Cause, DisconnectReason, LifecycleEventKind as Kind, SessionState as State};
use crate::server::handshake::distant_sequence;
use crate::{ClientId, Config, DenyReason, Drain, DropReason, Event, KeyHistory, Timestamp, Verdict};

use super::harness::{Harness, UNIX_S, client_address, raw_config};

const ANNA: u64 = 11;
const BEN: u64 = 22;

#[test]
fn with_a_key_used_before_only_tokens_minted_since_the_start_open_a_session() {
    for (key_history, is_admitted) in [(KeyHistory::Reused, false), (KeyHistory::Fresh, true)] {
        let mut server = Harness::new(Config { key_history, ..raw_config() });
        server.backend.lifetime_s = 44;
        let mut before = server.newcomer(ANNA, 1);
        server.backend.lifetime_s = 45;

        let request = before.request();
        let verdict = server.talk(&mut before, &request);

        assert_eq!(verdict == Verdict::Dropped(DropReason::TokenBeforeStart), !is_admitted);
        assert_eq!(before.challenge.is_some(), is_admitted);
        server.raw_player(BEN, 2);
        server.close();
    }
}

#[test]
fn a_wall_clock_that_steps_back_revives_no_used_token() {
    let mut server = Harness::raw();
    let mut anna = server.raw_player(ANNA, 1);
    let request = anna.request();
    let goodbye = anna.disconnect();
    server.talk(&mut anna, &goodbye);
    server.advance(60_000);
    let mut later = server.raw_player(BEN, 2);
    server.live_raw(&mut [&mut later], 1_000);

    server.call(|manager, now| manager.set_unix_time(now, UNIX_S));

    let verdict = server.take(anna.address, &request);
    assert_eq!(verdict, Verdict::Dropped(DropReason::TokenBeforeStart));
    server.close();
}

#[test]
fn tokens_that_expired_or_live_too_long_are_refused_in_silence() {
    let mut server = Harness::raw();
    let mut expired = server.newcomer(ANNA, 1);
    server.backend.lifetime_s = 51;
    let mut too_long = server.newcomer(BEN, 2);
    let request = too_long.request();
    assert_eq!(server.talk(&mut too_long, &request), Verdict::Dropped(DropReason::TokenLifetime));

    server.advance(45_000);
    let request = expired.request();

    assert_eq!(server.talk(&mut expired, &request), Verdict::Dropped(DropReason::TokenExpired));
    assert!(server.sent.is_empty());
    server.close();
}

#[test]
fn a_token_for_another_server_is_refused() {
    let mut server = Harness::raw();
    server.backend.addresses = [client_address(9)].into();
    let mut anna = server.newcomer(ANNA, 1);

    let request = anna.request();

    assert_eq!(server.talk(&mut anna, &request), Verdict::Dropped(DropReason::TokenForOtherServer));
    server.close();
}

#[test]
fn who_could_not_be_served_is_denied_and_an_echo_of_ones_own_request_is_met_with_silence() {
    let mut server = Harness::new(Config { sessions_max: 1, ..raw_config() });
    let anna = server.raw_player(ANNA, 1);
    let mut ben = server.newcomer(BEN, 2);

    let request = ben.request();
    assert_eq!(server.talk(&mut ben, &request), Verdict::Answered);
    assert_eq!(ben.denials, 1);
    let echo = anna.request();
    assert_eq!(server.take(anna.address, &echo), Verdict::Dropped(DropReason::TokenConsumed));

    server.call(|manager, now| manager.drain(now, Drain::default())).unwrap();
    assert!(server.inbox(anna.address).is_empty());
    server.close();
}

#[test]
fn who_finds_the_last_slot_taken_between_request_and_response_is_denied() {
    let mut server = Harness::new(Config { sessions_max: 1, ..raw_config() });
    let mut ben = server.newcomer(BEN, 2);
    let request = ben.request();
    server.talk(&mut ben, &request);
    let _anna = server.raw_player(ANNA, 1);

    let response = ben.response();
    server.talk(&mut ben, &response);

    assert_eq!(ben.denials, 1);
    assert_eq!(server.manager.len(), 1);
    server.close();
}

#[test]
fn a_slot_is_used_again_only_after_its_end_was_seen_and_a_stale_handle_names_nobody() {
    let mut server = Harness::new(Config { sessions_max: 1, ..raw_config() });
    let mut anna = server.raw_player(ANNA, 1);
    let stale = server.id_of(ANNA);
    let goodbye = anna.disconnect();
    server.read(anna.address, &goodbye);

    let mut ben = server.newcomer(BEN, 2);
    let request = ben.request();
    server.read(ben.address, &request);
    server.settle();
    server.listen(&mut ben);
    assert_eq!(ben.denials, 1, "the end of the session before has not been seen");

    let _cem = server.raw_player(33, 3);
    assert_eq!(server.id_of(33).index, stale.index);
    assert!(server.manager.session(stale).is_none());
    assert!(server.manager.remove(server.now, stale).is_err());
    let is_about_stale =
        |(event, _): &(Event, Vec<u8>)| matches!(event, Event::Lifecycle(event) if event.session == stale);
    assert_eq!(server.events.iter().filter(|event| is_about_stale(event)).count(), 4);
    server.close();
}

/// The sequence of the first keep-alive that a newcomer gets.
fn first_sequence(server: &mut Harness) -> u64 {
    let _anna = server.raw_player(ANNA, 1);
    let (_, keep_alive) = server.sent.last().unwrap();
    crate::netcode::packet::peek(keep_alive).unwrap().sequence
}

#[test]
fn the_server_starts_its_sequence_far_away_for_a_token_that_other_servers_may_use_too() {
    for (addresses, is_far) in [(&[40_000][..], false), (&[40_000, 40_001], true)] {
        let mut server = Harness::new(Config { key_history: KeyHistory::Fresh, ..raw_config() });
        server.backend.addresses = addresses.iter().map(|&port| ([203, 0, 113, 1], port).into()).collect();

        let sequence = first_sequence(&mut server);

        assert_eq!(sequence >= 1 << 40, is_far);
        assert!(sequence < 1 << 62);
        server.close();
    }
}

#[test]
fn the_server_starts_its_sequence_far_away_for_a_token_that_a_former_start_may_have_used() {
    for (seconds_since_start, is_far) in [(0, true), (4, true), (5, false)] {
        let mut server = Harness::new(Config { key_history: KeyHistory::Reused, ..raw_config() });
        server.advance(seconds_since_start * 1_000);

        let sequence = first_sequence(&mut server);

        assert_eq!(
            sequence >= 1 << 40,
            is_far,
            "{seconds_since_start} s after the start, with a skew of 5 s"
        );
        server.close();
    }
}

#[test]
fn a_peer_that_left_during_the_handshake_frees_its_slot() {
    let mut server = Harness::raw();
    let mut anna = server.newcomer(ANNA, 1);
    server.shake_hands(&mut anna);

    let goodbye = anna.disconnect();
    server.talk(&mut anna, &goodbye);

    assert_eq!(server.state_of(ANNA), None);
    server.close();
}

#[test]
fn an_abandoned_request_is_forgotten_after_its_timeout_and_may_be_made_again() {
    let mut server = Harness::raw();
    let mut anna = server.newcomer(ANNA, 1);
    let request = anna.request();
    server.talk(&mut anna, &request);
    let response = anna.response();
    assert!(server.manager.poll_timeout().is_some());

    server.advance(5_000);
    assert_eq!(server.manager.poll_timeout(), None);
    assert_eq!(server.talk(&mut anna, &response), Verdict::Dropped(DropReason::ResponseUnexpected));
    server.shake_hands(&mut anna);

    assert_eq!(server.state_of(ANNA), Some(State::TransportConnected));
    server.close();
}

#[test]
fn a_banned_player_is_kept_out_with_every_token_until_the_ban_is_lifted() {
    let mut server = Harness::framed();
    let mut anna = server.player(ANNA, 1);
    let id = server.id_of(ANNA);
    server.call(|manager, now| manager.ban(now, ClientId(ANNA), Timestamp::NEVER)).unwrap();
    assert_eq!(server.last_of(ANNA).cause, Cause::Ended(DisconnectReason::Banned));
    anna.begin_resume(client_address(2));
    let newcomer = server.newcomer(ANNA, 3);

    for mut peer in [anna, newcomer] {
        let request = peer.request();
        server.talk(&mut peer, &request);
        assert_eq!((peer.denials, peer.challenge.is_none()), (1, true));
    }
    assert_eq!(server.manager.counters().denied(DenyReason::Banned), 2);
    server.call(|manager, _| manager.lift_ban(ClientId(ANNA)));
    server.player(ANNA, 4);

    assert_ne!(server.id_of(ANNA), id);
    server.close();
}

#[test]
fn a_distant_sequence_lies_from_2_to_the_40_to_2_to_the_62_wherever_the_draw_falls() {
    let (first, end) = (1 << 40, 1 << 62);

    assert_eq!((distant_sequence(0), distant_sequence(5)), (first, first + 5));
    assert_eq!((distant_sequence(end - first - 1), distant_sequence(end - first)), (end - 1, first));
    assert!((first..end).contains(&distant_sequence(u64::MAX)));
}

#[test]
fn a_session_begins_with_the_user_data_of_its_token() {
    let mut server = Harness::raw();

    server.raw_player(ANNA, 1);

    let (event, payload) = &server.events[0];
    assert!(matches!(event, Event::Lifecycle(event) if event.kind == Kind::TransportConnected));
    assert_eq!(payload, &[1; 256], "of the backend's first token");
    server.close();
}

#[test]
fn sessions_and_returns_are_counted() {
    let mut server = Harness::framed();
    let mut anna = server.player(ANNA, 1);
    server.player(BEN, 2);

    server.resume(&mut anna, 3);
    server.resume(&mut anna, 4);
    server.resume(&mut anna, 5);

    let counters = server.manager.counters();
    assert_eq!((counters.sessions_opened, counters.reconnects), (2, 3));
    server.close();
}
