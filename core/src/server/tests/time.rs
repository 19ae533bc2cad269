//! Time that can be trusted: stalls of the host are forgiven within bounds, reads come first, and no clock breaks anything.

use alloc::vec::Vec;

use crate::lifecycle::{Cause, DisconnectReason, SessionState as State};
use crate::{Config, Event, Payloads, Timestamp};

use super::harness::{Harness, framed_config, raw_config};

const ANNA: u64 = 11;
const BEN: u64 = 22;

fn stalls(server: &Harness) -> Vec<u64> {
    let late = |(event, _): &(Event, Vec<u8>)| {
        if let Event::Stalled { late_ms } = event { Some(*late_ms) } else { None }
    };
    server.events.iter().filter_map(late).collect()
}

#[test]
fn a_host_that_slept_past_every_deadline_loses_nobody_who_kept_sending() {
    let mut server = Harness::raw();
    let mut anna = server.raw_player(ANNA, 1);
    let mut ben = server.raw_player(BEN, 2);

    server.oversleep(20_000);
    let waiting = [(anna.address, anna.keep_alive()), (ben.address, ben.keep_alive())];
    server.settle();
    for (from, datagram) in waiting {
        server.take(from, &datagram);
    }

    assert_eq!(server.state_of(ANNA), Some(State::LoggedIn));
    assert_eq!(server.state_of(BEN), Some(State::LoggedIn));
    assert_eq!(stalls(&server).len(), 1);
    server.close();
}

#[test]
fn after_a_stall_deadlines_fire_only_when_the_waiting_datagrams_were_read_once() {
    let config = Config { stall_credit_max_ms: 0, ..raw_config() };
    let mut server = Harness::new(config);
    let mut anna = server.raw_player(ANNA, 1);
    let _ben = server.raw_player(BEN, 2);

    server.oversleep(5_000);
    server.manager.handle_timeout(server.now);
    assert_eq!(server.state_of(ANNA), Some(State::LoggedIn));
    assert_eq!(server.state_of(BEN), Some(State::LoggedIn));
    let waiting = anna.keep_alive();
    server.read(anna.address, &waiting);
    server.settle();

    assert_eq!(server.state_of(ANNA), Some(State::LoggedIn));
    assert_eq!(server.state_of(BEN), Some(State::ReconnectPending));
    server.close();
}

#[test]
fn a_silent_peer_is_forgiven_the_stall_and_no_more() {
    let mut server = Harness::raw();
    let _anna = server.raw_player(ANNA, 1);
    server.advance(1_000);

    server.oversleep(3_500);
    server.settle();
    let forgiven = stalls(&server)[0];
    let left = 5_000 - 1_000 - 3_500 + forgiven;
    server.advance(left - 1);
    assert_eq!(server.state_of(ANNA), Some(State::LoggedIn));
    server.advance(1);

    assert_eq!(server.state_of(ANNA), Some(State::ReconnectPending));
    server.close();
}

#[test]
fn a_host_that_is_late_again_and_again_keeps_no_ghost_alive() {
    let config = Config { stall_credit_max_ms: 2_000, ..raw_config() };
    let mut server = Harness::new(config);
    let _anna = server.raw_player(ANNA, 1);

    for _ in 0..8 {
        server.oversleep(1_000);
        server.settle();
    }

    assert!(stalls(&server).len() > 1);
    assert_eq!(server.state_of(ANNA), Some(State::ReconnectPending));
    server.close();
}

#[test]
fn a_stall_is_counted_once_though_what_is_overdue_fires_later() {
    let mut server = Harness::raw();
    let _anna = server.raw_player(ANNA, 1);

    server.oversleep(4_000);
    for _ in 0..6 {
        // A loop whose every wake-up is a moment later than the one before.
        server.manager.handle_timeout(server.now);
        server.drain();
        server.oversleep(1);
    }

    assert_eq!(stalls(&server).len(), 1);
    let sent_to_anna = server.inbox(super::harness::client_address(1)).len();
    assert!(sent_to_anna > 0, "the overdue keep-alive has left");
    server.close();
}

#[test]
fn lateness_below_the_threshold_is_no_stall() {
    let mut server = Harness::raw();
    let _anna = server.raw_player(ANNA, 1);
    server.advance(4_999);

    server.oversleep(200);
    server.settle();

    assert!(stalls(&server).is_empty());
    assert_eq!(server.state_of(ANNA), Some(State::ReconnectPending));
    server.close();
}

#[test]
fn a_wait_that_the_core_asked_for_is_no_stall() {
    let mut server = Harness::raw();
    server.oversleep(3_600_000);
    server.settle();
    let mut anna = server.raw_player(ANNA, 1);
    let goodbye = anna.disconnect();
    server.talk(&mut anna, &goodbye);

    server.oversleep(3_600_000);
    server.settle();

    assert!(stalls(&server).is_empty());
    server.close();
}

#[test]
fn the_login_deadline_moves_with_a_stall() {
    let mut server = Harness::framed();
    let mut guest = server.guest(ANNA, 1);
    server.live(&mut [&mut guest], 9_000);

    server.oversleep(4_000);
    server.settle();

    assert_eq!(server.state_of(ANNA), Some(State::TransportConnected));
    server.live(&mut [&mut guest], 1_500);
    assert_eq!(server.last_of(ANNA).cause, Cause::Ended(DisconnectReason::LoginTimeout));
    server.close();
}

#[test]
fn attempt_and_reconnect_deadlines_move_with_a_stall() {
    let mut server = Harness::framed();
    let mut ben = server.player(BEN, 2);
    server.advance(5_000);
    assert_eq!(server.state_of(BEN), Some(State::ReconnectPending));
    ben.begin_resume(ben.address);
    server.shake_hands(&mut ben);
    assert_eq!(server.state_of(BEN), Some(State::Reconnecting));

    server.oversleep(10_000);
    server.settle();

    assert_eq!(server.state_of(BEN), Some(State::Reconnecting), "the attempt lasts as long as before");
    server.advance(5_000);
    assert_eq!(server.state_of(BEN), Some(State::ReconnectPending));
    server.advance(54_000);
    assert_eq!(server.state_of(BEN), Some(State::ReconnectPending), "the window is longer by the stall");
    server.advance(6_000);
    assert_eq!(server.last_of(BEN).cause, Cause::Ended(DisconnectReason::ReconnectExpired));
    server.close();
}

#[test]
fn a_clock_that_goes_back_is_ignored() {
    let mut server = Harness::raw();
    let mut anna = server.raw_player(ANNA, 1);
    server.advance(4_000);
    let asked_for = server.manager.poll_timeout();
    let former = core::mem::replace(&mut server.now, Timestamp::from_millis(5));

    server.manager.handle_timeout(server.now);
    let keep_alive = anna.keep_alive();
    server.read(anna.address, &keep_alive);
    assert_eq!(server.session_of(ANNA).last_received(), former);
    assert_eq!(server.manager.poll_timeout(), asked_for);

    server.now = former;
    server.advance(4_999);
    assert_eq!(server.state_of(ANNA), Some(State::LoggedIn));
    server.close();
}

#[test]
fn the_far_future_is_a_moment_like_any_other() {
    for far in [Timestamp::from_micros(u64::MAX / 2), Timestamp::from_micros(u64::MAX - 1), Timestamp::NEVER]
    {
        let mut server = Harness::framed();
        let mut anna = server.player(ANNA, 1);
        server.now = far;

        server.settle();
        server.settle();
        let heartbeat = anna.heartbeat();
        server.talk(&mut anna, &heartbeat);

        assert!(server.manager.len() <= 1);
        server.close();
    }
}

#[test]
fn a_session_begun_at_the_end_of_time_can_be_ended() {
    for far in [Timestamp::from_micros(u64::MAX - 1), Timestamp::NEVER] {
        let mut server = Harness::new(framed_config());
        let mut anna = server.newcomer(ANNA, 1);
        server.now = far;
        let request = anna.request();
        server.talk(&mut anna, &request);

        server.settle();
        server.close();
    }
}

#[test]
fn patience_ends_also_while_the_host_cannot_send() {
    for config in [raw_config(), framed_config()] {
        let is_raw = config.payloads == Payloads::Raw;
        let mut server = Harness::new(config);
        let _anna = if is_raw { server.raw_player(ANNA, 1) } else { server.player(ANNA, 1) };
        let id = server.id_of(ANNA);
        server.manager.send_datagram(server.now, id, b"stuck").unwrap();

        for _ in 0..70_000 / 200 {
            server.oversleep(200);
            server.manager.handle_timeout(server.now);
            let mut payload = Vec::new();
            while server.manager.poll_event(&mut payload).is_some() {}
        }

        assert!(server.manager.is_empty(), "lost, waited for, and given up");
    }
}

#[test]
fn nobody_is_timed_out_while_deadlines_are_held() {
    let mut server = Harness::framed();
    let mut anna = server.player(ANNA, 1);
    let _ben = server.guest(22, 2);

    server.call(|manager, now| manager.set_hold(now, true));
    server.advance(3_600_000);
    assert_eq!(server.state_of(ANNA), Some(State::LoggedIn));
    assert_eq!(server.state_of(22), Some(State::TransportConnected));
    server.call(|manager, now| manager.set_hold(now, false));
    server.live(&mut [&mut anna], 20_000);

    assert_eq!(server.state_of(ANNA), Some(State::LoggedIn));
    assert_eq!(server.state_of(22), None, "its time goes on where it was");
    server.close();
}

#[test]
fn to_hold_deadlines_twice_or_to_let_them_go_on_twice_is_to_do_it_once() {
    let mut server = Harness::framed();
    let _ben = server.guest(22, 2);

    for hold in [true, true, false, false] {
        server.call(|manager, now| manager.set_hold(now, hold));
        server.advance(1_000);
    }

    server.advance(2_999);
    assert_eq!(server.state_of(22), Some(State::TransportConnected), "two of its five seconds were held");
    server.advance(1);
    assert_eq!(server.state_of(22), None);
    server.close();
}
