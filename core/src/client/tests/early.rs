//! The way back that begins while the path merely looks dead (PROTOCOL.md, P37 and P62).

use alloc::vec::Vec;

use super::bench::{
    Bench, HEARTBEAT_MS, Sent, TIMEOUT_MS, first_server, frames, opened, requests_of, resume_token, token,
    welcome,
};
use crate::client::{ClientConfig, ClientEvent, ClientState};
use crate::link::frame::{Frame, HeartbeatResponse, Welcome};
use crate::netcode::packet::PacketKind;
use crate::{ConnectToken, Continuity};

const RTT_MS: u64 = 40;
/// How long a question waits: a quarter of the heartbeat interval, as the round trip is so short.
const WAIT_MS: u64 = HEARTBEAT_MS / 4;
/// From an answered heartbeat to the moment at which the path looks dead: until the next one, and three unanswered questions.
const LOOKS_DEAD_MS: u64 = HEARTBEAT_MS + 3 * WAIT_MS;
/// From the last sign of life to the loss of the path.
const LOST_MS: u64 = TIMEOUT_MS / 2;

/// A client that is logged in and has resume tokens of these generations. Its last heartbeat, `RTT_MS` ago, was answered just now.
fn logged_in(generations: &[u8]) -> (Bench, ConnectToken) {
    let (mut bench, backend) = Bench::with_resume_tokens(generations);
    for _ in 0..20 {
        let stamp = next_heartbeat(&mut bench, &backend);
        bench.run_for_ms(RTT_MS);
        answer(&mut bench, &backend, stamp);
    }
    (bench, backend)
}

/// Waits for the next heartbeat; gives its stamp.
fn next_heartbeat(bench: &mut Bench, token: &ConnectToken) -> u64 {
    for _ in 0..=HEARTBEAT_MS {
        let sent = opened(&bench.drain(), token);
        let stamp = sent.iter().flat_map(|packet| frames(&packet.payload)).find_map(|frame| match frame {
            Frame::Heartbeat { stamp } => Some(stamp),
            _ => None,
        });
        if let Some(stamp) = stamp {
            return stamp;
        }
        bench.now = bench.now.plus_millis(1);
        bench.client.handle_timeout(bench.now);
    }
    panic!("no heartbeat");
}

fn answer(bench: &mut Bench, token: &ConnectToken, stamp: u64) {
    let response = HeartbeatResponse {
        stamp,
        delay_micros: 0,
        server_tick: 700,
        tick_phase_micros: 0,
        move_arrival: None,
    };
    bench.give_frames(token, |writer| writer.write_heartbeat_response(&response));
}

/// The same, and the path looks dead since this moment. Gives what left in it.
fn looks_dead(generations: &[u8]) -> (Bench, ConnectToken, Vec<Sent>) {
    let (mut bench, backend) = logged_in(generations);
    let before = bench.run_for_ms(LOOKS_DEAD_MS - RTT_MS - 1);
    assert!(before.iter().all(|sent| sent.open(&backend).is_some()), "no request so far");
    let sent = bench.run_for_ms(1);
    (bench, backend, sent)
}

fn kinds(sent: &[Sent], token: &ConnectToken) -> Vec<PacketKind> {
    opened(sent, token).iter().map(|packet| packet.kind).collect()
}

fn kept(bench: &Bench) -> Welcome {
    Welcome { lane_epoch: bench.lane_epoch, lanes_kept: true, ..welcome() }
}

#[test]
fn p37_after_three_unanswered_questions_another_path_is_looked_for_and_nobody_is_told() {
    let (mut bench, backend, sent) = looks_dead(&[1, 2]);

    assert_eq!(requests_of(&sent, &resume_token(1)), 1);
    let question = sent.first().and_then(|sent| sent.open(&backend)).expect("it goes ahead of the request");
    assert!(frames(&question.payload).iter().any(|frame| matches!(frame, Frame::Heartbeat { .. })));
    assert_eq!((bench.events(), bench.client.state()), (Vec::new(), ClientState::LoggedIn));
}

#[test]
fn a_question_goes_ahead_of_each_request_once_however_often_the_host_comes_back_between_the_two() {
    let (mut bench, backend, _) = looks_dead(&[1, 2]);
    bench.run_for_ms(99);

    bench.now = bench.now.plus_millis(1);
    let mut sent = Vec::new();
    for _ in 0..10 {
        bench.client.handle_timeout(bench.now);
        sent.extend(bench.poll_transmit());
    }

    let is_request: Vec<bool> = sent.iter().map(|sent| sent.is_request_of(&resume_token(1))).collect();
    assert_eq!(is_request, [false, true]);
    assert!(sent[0].open(&backend).is_some());
}

#[test]
fn the_old_path_is_used_as_before_while_another_one_is_looked_for() {
    let (mut bench, backend, _) = looks_dead(&[1]);

    bench.client.send(0, b"now").unwrap();
    let sent = opened(&bench.drain(), &backend);

    let has_message = |payload: &[u8]| {
        frames(payload).iter().any(|frame| matches!(frame, Frame::Lane { message: b"now", .. }))
    };
    assert!(sent.iter().any(|packet| has_message(&packet.payload)));
}

#[test]
fn a_false_alarm_costs_no_token_and_no_event() {
    let (mut bench, backend, _) = looks_dead(&[1, 2]);
    let mut saved_before = Vec::new();
    bench.client.save(&mut saved_before);

    bench.give_frames(&backend, |writer| writer.write_heartbeat(1));
    let sent = bench.run_for_ms(300);

    assert_eq!((bench.events(), bench.client.state()), (Vec::new(), ClientState::LoggedIn));
    assert_eq!(requests_of(&sent, &resume_token(1)), 0);
    assert_eq!(bench.client.resume_tokens(), 2);
    let mut saved = Vec::new();
    bench.client.save(&mut saved);
    assert_eq!(saved, saved_before, "both can be used still");
}

#[test]
fn life_that_comes_with_the_challenge_makes_the_response_needless() {
    let (mut bench, backend, _) = looks_dead(&[1, 2]);
    let first = resume_token(1);
    let challenge = bench.challenge(&first);

    bench.give(&challenge);
    assert_eq!(kinds(&bench.drain(), &first), []);
    bench.give_frames(&backend, |writer| writer.write_heartbeat(1));
    let sent = bench.run_for_ms(300);

    assert_eq!(kinds(&sent, &first), []);
    assert_eq!((bench.events(), bench.client.resume_tokens()), (Vec::new(), 2));
}

#[test]
fn p62_life_that_comes_after_the_response_ends_no_attempt_and_the_change_of_keys_is_not_told() {
    let (mut bench, backend, _) = looks_dead(&[1, 2]);
    let first = resume_token(1);
    let challenge = bench.challenge(&first);
    bench.give(&challenge);
    let pause = bench.run_for_ms(5);
    assert_eq!(kinds(&pause, &first), [PacketKind::Response, PacketKind::Payload]);

    bench.give_frames(&backend, |writer| writer.write_heartbeat(1));
    let sent = bench.run_for_ms(300);
    assert_eq!(kinds(&sent, &first).len(), 6, "it goes on");
    bench.lane_epoch = hello_of(&sent, &first);
    let keep_alive = bench.keep_alive(&first);
    bench.give(&keep_alive);
    let terms = kept(&bench);
    bench.give_frames(&first, |writer| writer.write_welcome(&terms));

    assert_eq!((bench.events(), bench.client.state()), (Vec::new(), ClientState::LoggedIn));
    assert_eq!(bench.client.resume_tokens(), 1);
    assert_eq!(kinds(&bench.run_for_ms(HEARTBEAT_MS), &backend), []);
}

#[test]
fn the_response_waits_for_life_on_the_path_no_longer_than_the_path_counts_as_alive() {
    let (mut bench, backend) = logged_in(&[1]);
    let long_ago = bench.now.as_micros() - 7_000_000;
    answer(&mut bench, &backend, long_ago);
    bench.run_for_ms(LOST_MS - 100);
    bench.client.network_may_have_changed(bench.now);
    bench.drain();
    let first = resume_token(1);
    let challenge = bench.challenge(&first);

    bench.give(&challenge);

    assert_eq!(kinds(&bench.run_for_ms(99), &first), [], "round trips differ by seconds");
    assert_eq!(kinds(&bench.run_for_ms(1), &first), [PacketKind::Response, PacketKind::Payload]);
}

fn hello_of(sent: &[Sent], token: &ConnectToken) -> u64 {
    let epochs = opened(sent, token).into_iter().filter(|packet| packet.kind == PacketKind::Payload);
    let mut epochs = epochs.map(|packet| match frames(&packet.payload)[..] {
        [Frame::Hello(hello)] => hello.lane_epoch,
        ref other => panic!("{other:?}"),
    });
    epochs.next_back().expect("a hello")
}

#[test]
fn p20_a_hello_follows_each_response_to_a_resume_token_and_a_welcome_may_acknowledge_any_of_them() {
    let (mut bench, _, _) = looks_dead(&[1]);
    let first = resume_token(1);
    let challenge = bench.challenge(&first);
    bench.give(&challenge);
    let sent = bench.run_for_ms(250);
    let hellos: Vec<_> =
        opened(&sent, &first).into_iter().filter(|packet| packet.kind == PacketKind::Payload).collect();
    assert_eq!(hellos.iter().map(|hello| hello.sequence).collect::<Vec<_>>(), [1, 3, 5]);
    bench.lane_epoch = hello_of(&sent, &first);
    let terms = kept(&bench);

    bench.give_frames(&first, |writer| {
        writer.write_welcome(&terms) && writer.write_ack(0, [5..=5, 1..=1].into_iter()) == 2
    });

    assert_eq!(bench.client.counters().last_violation(), None);
    assert_eq!(bench.client.state(), ClientState::LoggedIn);
}

#[test]
fn a_response_to_a_token_of_the_backend_is_followed_by_nothing() {
    let backend = token(100, &[first_server()]);
    let mut bench = Bench::new(ClientConfig::default(), &backend);
    let challenge = bench.challenge(&backend);
    bench.give(&challenge);

    assert_eq!(kinds(&bench.run_for_ms(250), &backend), [PacketKind::Response; 3]);
}

#[test]
fn the_loss_of_the_path_is_told_when_it_always_was_and_the_attempt_goes_on() {
    let (mut bench, _, _) = looks_dead(&[1, 2]);
    let until_lost_ms = LOST_MS - (LOOKS_DEAD_MS - RTT_MS);

    bench.run_for_ms(until_lost_ms - 1);
    assert_eq!((bench.events(), bench.client.state()), (Vec::new(), ClientState::LoggedIn));
    let sent = bench.run_for_ms(101);

    assert_eq!(
        (bench.events(), bench.client.state()),
        (Vec::from([ClientEvent::PathLost]), ClientState::Away)
    );
    assert_eq!(requests_of(&sent, &resume_token(1)), 1);
    assert_eq!(requests_of(&sent, &resume_token(2)), 0);
}

#[test]
fn lanes_that_begin_afresh_are_told_to_a_client_that_never_was_away() {
    let (mut bench, _, _) = looks_dead(&[1]);
    let first = resume_token(1);
    let challenge = bench.challenge(&first);
    bench.give(&challenge);
    let sent = bench.run_for_ms(5);
    let restarted = Welcome { lane_epoch: hello_of(&sent, &first), lanes_kept: false, ..welcome() };

    bench.give_frames(&first, |writer| writer.write_welcome(&restarted));

    let back = ClientEvent::Reconnected { continuity: Continuity::Restarted };
    assert_eq!(bench.events(), [ClientEvent::PathLost, back]);
}

#[test]
fn a_change_of_network_while_another_path_is_looked_for_leaves_the_old_one() {
    let (mut bench, backend, _) = looks_dead(&[1, 2]);

    bench.client.network_changed(bench.now);
    let sent = bench.drain();
    bench.give_frames(&backend, |writer| writer.write_heartbeat(1));

    assert_eq!(
        (bench.events(), bench.client.state()),
        (Vec::from([ClientEvent::PathLost]), ClientState::Away)
    );
    assert_eq!((requests_of(&sent, &resume_token(1)), requests_of(&sent, &resume_token(2))), (1, 0));
}

#[test]
fn a_hint_of_the_host_begins_the_search_at_once_and_may_be_wrong() {
    let (mut bench, backend) = logged_in(&[1]);

    for _ in 0..3 {
        bench.client.network_may_have_changed(bench.now);
    }
    let sent = bench.drain();
    bench.give_frames(&backend, |writer| writer.write_heartbeat(1));
    let later = bench.run_for_ms(300);

    let first = resume_token(1);
    assert_eq!((requests_of(&sent, &first), requests_of(&later, &first)), (1, 0));
    assert_eq!((bench.events(), bench.client.resume_tokens()), (Vec::new(), 1));
}

#[test]
fn a_hint_asks_first_even_if_the_host_sends_before_it_comes_back_with_the_time() {
    let (mut bench, backend) = logged_in(&[1]);

    bench.client.network_may_have_changed(bench.now);
    let sent = bench.drain();

    let question = sent.first().and_then(|sent| sent.open(&backend)).expect("it goes ahead of the request");
    assert!(frames(&question.payload).iter().any(|frame| matches!(frame, Frame::Heartbeat { .. })));
    assert_eq!(requests_of(&sent, &resume_token(1)), 1);
}

#[test]
fn hints_without_end_cause_ten_requests_a_second_and_a_certain_change_waits_for_none_of_them() {
    let (mut bench, backend) = logged_in(&[1]);
    let mut sent = Vec::new();
    for _ in 0..99 {
        bench.client.network_may_have_changed(bench.now);
        sent.extend(bench.run_for_ms(2));
        bench.give_frames(&backend, |writer| writer.write_heartbeat(1));
    }
    assert_eq!(requests_of(&sent, &resume_token(1)), 2);
    assert_eq!((bench.events(), bench.client.resume_tokens()), (Vec::new(), 1));

    bench.client.network_changed(bench.now);

    assert_eq!(requests_of(&bench.drain(), &resume_token(1)), 1);
}

#[test]
fn a_hint_means_nothing_to_a_client_that_cannot_come_back_or_is_on_its_way() {
    let (mut bench, backend) = logged_in(&[]);
    bench.client.network_may_have_changed(bench.now);
    assert!(bench.run_for_ms(300).iter().all(|sent| sent.open(&backend).is_some()));

    let token = token(2, &[first_server()]);
    let mut bench = Bench::new(ClientConfig::default(), &token);
    bench.drain();
    bench.client.network_may_have_changed(bench.now);
    assert_eq!(bench.drain(), []);
}

#[test]
fn without_tokens_a_path_never_looks_dead_before_it_is() {
    let (mut bench, backend, sent) = looks_dead(&[]);
    let more = bench.run_for_ms(LOST_MS - (LOOKS_DEAD_MS - RTT_MS) - 1);

    assert!(sent.iter().chain(&more).all(|sent| sent.open(&backend).is_some()));
    assert_eq!((bench.events(), bench.client.state()), (Vec::new(), ClientState::LoggedIn));
}

#[test]
fn a_player_who_leaves_while_another_path_is_looked_for_says_so_on_both() {
    let (mut bench, backend, _) = looks_dead(&[1]);
    let first = resume_token(1);
    let challenge = bench.challenge(&first);
    bench.give(&challenge);
    bench.run_for_ms(5);

    bench.client.disconnect(bench.now);
    let sent = bench.drain();

    let says_goodbye = |token: &ConnectToken| {
        let says = |payload: &[u8]| frames(payload).iter().any(|it| matches!(it, Frame::Goodbye { .. }));
        opened(&sent, token).iter().any(|it| it.kind == PacketKind::Payload && says(&it.payload))
    };
    assert!(says_goodbye(&backend) && says_goodbye(&first));
}

#[test]
fn a_host_that_was_away_while_a_question_waited_reads_the_answer_first() {
    let (mut bench, backend) = logged_in(&[1]);
    let stamp = next_heartbeat(&mut bench, &backend);

    bench.now = bench.now.plus_millis(1_500);
    answer(&mut bench, &backend, stamp);
    bench.client.handle_timeout(bench.now);
    let sent = bench.run_for_ms(200);

    assert_eq!(requests_of(&sent, &resume_token(1)), 0);
    assert_eq!(bench.events(), []);
}
