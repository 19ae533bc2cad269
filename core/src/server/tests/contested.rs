//! How many take-overs of a living path a session bears before somebody else must hold its tokens too (P66).

use alloc::vec::Vec;

use crate::lifecycle::{Cause, DisconnectReason, SessionState as State};
use crate::{Config, Continuity, DropReason, Verdict};

use super::harness::{Harness, client_address, raw_config, token_login_config};
use super::peer::Peer;

const ANNA: u64 = 11;

#[test]
fn a_process_that_takes_over_its_own_path_a_hundred_times_in_a_minute_stays_in() {
    let mut server = Harness::framed();
    let mut anna = server.player(ANNA, 1);
    let id = server.id_of(ANNA);

    for port in 2..102 {
        server.live(&mut [&mut anna], 500);
        server.resume(&mut anna, port);
        let last = server.last_of(ANNA);
        assert_eq!((last.cause, last.continuity), (Cause::TakenOver, Some(Continuity::Kept)));
    }

    assert_eq!((server.id_of(ANNA), server.state_of(ANNA)), (id, Some(State::LoggedIn)));
    server.close();
}

#[test]
fn a_player_whose_process_restarts_now_and_then_contests_nothing() {
    let mut server = Harness::framed();
    let mut anna = server.player(ANNA, 1);

    for port in 2..12 {
        server.live(&mut [&mut anna], 21_000);
        anna.lane_epoch += 1;
        server.resume(&mut anna, port);
        let last = server.last_of(ANNA);
        assert_eq!((last.cause, last.continuity), (Cause::TakenOver, Some(Continuity::Restarted)));
    }

    assert_eq!(server.state_of(ANNA), Some(State::LoggedIn));
    server.close();
}

#[test]
fn two_processes_that_take_a_session_from_each_other_are_both_told_that_it_ends() {
    let mut server = Harness::framed();
    let mut anna = server.player(ANNA, 1);
    let mut rival = Peer::new(anna.unspent_tickets().remove(0), client_address(2));
    assert_ne!(rival.lane_epoch, anna.lane_epoch, "another process");

    server.enter(&mut rival);
    server.live(&mut [&mut rival], 100);
    let next = anna.unspent_tickets().remove(1);
    anna.change_path(next, client_address(3));
    server.enter(&mut anna);
    server.live(&mut [&mut anna], 100);
    server.resume(&mut rival, 4);
    server.live(&mut [&mut rival], 100);
    assert_eq!(server.state_of(ANNA), Some(State::LoggedIn), "three times are tolerated");
    let newest = anna.unspent_tickets().pop().unwrap();
    anna.change_path(newest, client_address(5));
    server.shake_hands(&mut anna);
    let hello = anna.hello();
    server.talk(&mut anna, &hello);
    server.listen(&mut rival);

    assert_eq!(server.last_of(ANNA).cause, Cause::Ended(DisconnectReason::Contested));
    assert_eq!(anna.goodbyes(), [(7, Vec::new())]);
    assert_eq!(rival.goodbyes(), [(7, Vec::new())]);
    server.close();
}

#[test]
fn each_take_over_with_a_token_of_the_backend_counts_whatever_lane_epoch_it_names() {
    let mut framed = Harness::new(Config { take_overs_max: 1, ..token_login_config() });
    let mut raw = Harness::new(Config { take_overs_max: 1, ..raw_config() });
    for port in 1..=3 {
        let mut anna = framed.newcomer(ANNA, port);
        anna.lane_epoch = 1;
        framed.shake_hands(&mut anna);
        let hello = anna.hello();
        framed.talk(&mut anna, &hello);
        let mut anna = raw.newcomer(ANNA, port);
        raw.shake_hands(&mut anna);
        let keep_alive = anna.keep_alive();
        raw.talk(&mut anna, &keep_alive);

        for server in [&framed, &raw] {
            let is_contested = server.last_of(ANNA).cause == Cause::Ended(DisconnectReason::Contested);
            assert_eq!(is_contested, port == 3, "after port {port}");
        }
    }
    framed.close();
    raw.close();
}

/// Whether a session ends as contested that is taken over again and again, each time after so much silence.
fn is_contested_after(silence_ms: u64) -> bool {
    let mut server = Harness::framed();
    let mut anna = server.player(ANNA, 1);
    for port in 2..8 {
        server.advance(silence_ms);
        anna.begin_resume(client_address(port));
        anna.lane_epoch += 1;
        server.shake_hands(&mut anna);
        let hello = anna.hello();
        if server.talk(&mut anna, &hello) == Verdict::Dropped(DropReason::NoLongerWelcome) {
            assert_eq!(server.last_of(ANNA).cause, Cause::Ended(DisconnectReason::Contested));
            return true;
        }
        server.beat(&mut anna);
    }
    assert_eq!(server.state_of(ANNA), Some(State::LoggedIn));
    false
}

#[test]
fn p66_a_path_that_missed_no_more_than_two_heartbeats_is_alive_and_its_take_over_counts() {
    assert!(is_contested_after(1_000));
    assert!(!is_contested_after(1_001), "two heartbeats of half a second, and then some");
}
