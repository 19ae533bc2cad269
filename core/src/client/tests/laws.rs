//! The laws of the drive API, under calls drawn at random.

use alloc::vec;
use alloc::vec::Vec;

use super::bench::{Bench, Draw, first_server, second_server, token, welcome};
use crate::client::{ClientConfig, ClientEvent, ClientState};
use crate::netcode::packet::Packet;
use crate::{ConnectToken, Timestamp};

/// One random call; the peer is now and then a true server, mostly a confused one.
fn step(bench: &mut Bench, token: &ConnectToken, draw: &mut Draw) {
    match draw.below(17) {
        0 => bench.let_in_if_it_may(token),
        1 => {
            let len = draw.below(1_300);
            let bytes = draw.bytes(len);
            bench.give(&bytes);
        }
        2 => {
            let len = 1 + draw.below(60);
            let payload = draw.bytes(len);
            let bytes = bench.seal(token, &Packet::Payload(&payload));
            bench.give(&bytes);
        }
        3 => {
            let bytes = bench.keep_alive(token);
            bench.give(&bytes);
        }
        4 => {
            let generation = 1 + draw.below(9);
            if bench.client.state() == ClientState::LoggedIn {
                let number = generation.to_le_bytes()[0];
                bench.offer_resume_token(token, generation, &super::bench::token(number, &[first_server()]));
            }
        }
        5 => {
            let _result = bench.client.send(0, b"message");
        }
        6 => {
            let tick = draw.below(1_000);
            let _result = bench.client.send_move(tick, b"move");
        }
        7 => {
            let _result = bench.client.login(b"secret");
        }
        8 => bench.client.network_changed(Timestamp::from_millis(draw.below(2_000))),
        9 if draw.below(40) == 0 => bench.client.disconnect(bench.now),
        10 => {
            let bytes = bench.keep_alive(token);
            bench.give_from(second_server(), &bytes);
        }
        12 => {
            let key = u16::try_from(draw.below(300)).unwrap();
            let _result = bench.client.send_latest(key, b"value");
        }
        13 => bench.client.network_may_have_changed(bench.now),
        11 => {
            // A clock that goes back.
            bench.client.handle_timeout(Timestamp::ZERO);
        }
        _ => {
            let millis = draw.below(1_500);
            bench.run_for_ms(millis);
        }
    }
}

/// Everything a run puts out.
type Output = (Vec<super::bench::Sent>, Vec<(ClientEvent, Vec<u8>)>);

fn run(seed: u64, config: &ClientConfig) -> Output {
    let token = token(1, &[first_server(), second_server()]);
    let mut bench = Bench::new(config.clone(), &token);
    let mut draw = Draw(seed);
    let mut output: Output = (vec![], vec![]);
    for _ in 0..150 {
        step(&mut bench, &token, &mut draw);
        output.0.extend(bench.drain());
        output.1.extend(bench.events_with_bytes());
        let timeout = bench.client.poll_timeout();
        assert!(timeout.is_none_or(|deadline| deadline.at > bench.now), "all was polled: {timeout:?}");
        assert_eq!(timeout, bench.client.poll_timeout());
    }
    output
}

#[test]
fn whatever_happens_disconnected_comes_once_and_last_and_nothing_spins() {
    for config in [ClientConfig::default(), ClientConfig::raw()] {
        for seed in 0..60 {
            let (_, events) = run(seed, &config);

            let is_last = |event: &ClientEvent| matches!(event, ClientEvent::Disconnected { .. });
            let ends = events.iter().filter(|(event, _)| is_last(event)).count();
            assert!(ends <= 1, "seed {seed}");
            assert!(ends == 0 || is_last(&events.last().unwrap().0), "seed {seed}");
        }
    }
}

#[test]
fn the_output_comes_to_an_end_for_a_host_that_sends_one_datagram_per_wake() {
    let token = token(1, &[first_server(), second_server()]);
    for seed in 0..60 {
        let mut bench = Bench::new(ClientConfig::default(), &token);
        let mut draw = Draw(seed);
        for _ in 0..150 {
            step(&mut bench, &token, &mut draw);
            bench.now = bench.now.plus_millis(draw.below(300));
            let mut sent = 0;
            bench.client.handle_timeout(bench.now);
            while bench.poll_transmit().is_some() {
                sent += 1;
                assert!(sent < 50, "seed {seed}");
                bench.client.handle_timeout(bench.now);
            }
        }
    }
}

#[test]
fn the_same_seed_and_calls_give_the_same_output() {
    for seed in 0..5 {
        assert_eq!(run(seed, &ClientConfig::default()), run(seed, &ClientConfig::default()));
    }
}

#[test]
fn another_seed_gives_another_sequence() {
    let token = token(1, &[first_server()]);
    let first_response = |seed: u8| {
        let now = Timestamp::ZERO;
        let client = crate::client::ClientSession::new(ClientConfig::raw(), [seed; 32], now, &token, 0);
        let mut bench = Bench::with(client.unwrap(), now);
        let challenge = bench.challenge(&token);
        bench.give(&challenge);
        super::bench::opened(&bench.drain(), &token)[0].sequence
    };

    assert_ne!(first_response(1), first_response(2));
}

#[test]
fn a_buffer_that_is_too_small_takes_nothing_and_loses_nothing() {
    let token = token(1, &[first_server()]);
    let mut bench = Bench::new(ClientConfig::default(), &token);

    assert_eq!(bench.client.poll_transmit(bench.now, &mut [0; 1_224]), None);
    assert_eq!(bench.drain().len(), 1);
}

#[test]
fn no_prefix_byte_with_any_length_up_to_64_panics_or_means_anything() {
    let token = token(1, &[first_server()]);
    let mut bench = Bench::welcomed(ClientConfig::default(), &token, &welcome());
    bench.events();

    for prefix in 0..=u8::MAX {
        for len in 0..=64 {
            let mut bytes = vec![prefix; len];
            let verdict = bench.client.handle_datagram(bench.now, first_server(), &mut bytes);
            assert_ne!(verdict, crate::client::Verdict::Accepted);
        }
    }
    assert_eq!(bench.events(), []);
    assert_eq!(bench.client.state(), ClientState::LoggedIn);
}
