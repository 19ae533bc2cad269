//! How long it takes to play on after a change of the IP, to the millisecond.

use super::pair::{LATENCY_MS, Pair};
use crate::client::{ClientEvent, ClientState};
use crate::lifecycle::{Cause, SessionState};
use crate::{Event, Timestamp};

const RTT_MS: u64 = 2 * LATENCY_MS;
/// One step of the two, in which what arrived is answered.
const STEP_MS: u64 = 1;
const STATE_EVERY_MS: u64 = 16;

/// A pair in the middle of a game: inputs and states, and a message each way once in a while.
struct Play {
    pair: Pair,
    tick: u64,
    start: Timestamp,
    said: u32,
}

impl Play {
    fn new() -> Self {
        let pair = Pair::logged_in();
        let tick = pair.client.server_tick(pair.now).unwrap() + 10;
        let mut play = Self { start: pair.now, pair, tick, said: 0 };
        play.run_for_ms(4_000);
        play
    }

    fn run_for_ms(&mut self, millis: u64) {
        for _ in 0..millis {
            let pair = &mut self.pair;
            if pair.now.micros_since(self.start).is_multiple_of(STATE_EVERY_MS * 1_000) {
                let session = pair.session();
                self.tick += 1;
                pair.client.send_move(self.tick, b"move").unwrap();
                pair.server.publish_state(pair.now, session, self.tick, b"state").unwrap();
            }
            pair.run_for_ms(1);
        }
    }

    /// Both say something that must arrive, exactly once.
    fn say(&mut self) {
        let session = self.pair.session();
        let number = self.said.to_le_bytes();
        self.pair.client.send(0, &number).unwrap();
        self.pair.server.send(self.pair.now, session, 0, &number).unwrap();
        self.said += 1;
    }

    /// From now on the client's host has another address. What is under way to the former one is lost.
    fn change_ip(&mut self) {
        self.pair.client_address = "203.0.113.77:6000".parse().unwrap();
        self.pair.client_events.clear();
        self.pair.server_events.clear();
    }

    /// Goes on until this is so; gives the milliseconds from then to now.
    fn ms_until(&mut self, since: Timestamp, is_so: impl Fn(&Pair) -> bool) -> u64 {
        while !is_so(&self.pair) {
            assert!(self.pair.now.micros_since(since) < 5_000_000, "it never is");
            self.run_for_ms(1);
        }
        self.pair.now.micros_since(since) / 1_000
    }
}

fn client_was_told(pair: &Pair, is_wanted: impl Fn(&ClientEvent) -> bool) -> usize {
    pair.client_events.iter().filter(|(event, _)| is_wanted(event)).count()
}

fn has_state(pair: &Pair) -> bool {
    client_was_told(pair, |event| matches!(event, ClientEvent::State { .. })) > 0
}

fn has_message(pair: &Pair) -> bool {
    client_was_told(pair, |event| matches!(event, ClientEvent::Message { .. })) > 0
}

fn server_was_told(pair: &Pair, is_wanted: impl Fn(&Event) -> bool) -> usize {
    pair.server_events.iter().filter(|(event, _)| is_wanted(event)).count()
}

fn server_has_message(pair: &Pair) -> bool {
    server_was_told(pair, |event| matches!(event, Event::Message { .. })) > 0
}

fn take_overs(pair: &Pair) -> usize {
    let is_take_over = |event: &Event| match event {
        Event::Lifecycle(event) => event.cause == Cause::TakenOver,
        _ => false,
    };
    server_was_told(pair, is_take_over)
}

#[test]
fn after_a_change_that_the_host_knows_states_and_messages_arrive_after_two_round_trips() {
    let mut play = Play::new();
    let start = play.pair.now;
    play.change_ip();
    play.pair.client.network_changed(start);
    play.say();

    // Request and challenge, response with hello and welcome: each is answered in the step in which it arrives.
    let two_round_trips_ms = 2 * RTT_MS + STEP_MS;
    assert_eq!(play.ms_until(start, has_message), two_round_trips_ms);
    assert_eq!(play.ms_until(start, has_state), two_round_trips_ms);
    assert_eq!(play.pair.client.state(), ClientState::LoggedIn);
    assert_eq!(play.ms_until(start, server_has_message), two_round_trips_ms + LATENCY_MS);
    assert_eq!(take_overs(&play.pair), 1);
}

#[test]
fn after_a_change_that_nobody_knows_the_client_finds_out_and_needs_two_round_trips_more() {
    let mut play = Play::new();
    let start = play.pair.now;
    play.change_ip();
    play.say();

    let requested_ms = play.ms_until(start, |pair| pair.client.handshake.is_some());
    // Silence is suspicious after one wait of an eighth of a second, three questions take one each, and one step each until it is noticed.
    assert!((375..=510).contains(&requested_ms), "{requested_ms}");
    let back_ms = play.ms_until(start, has_state);

    // The response waits a little for life on the old path.
    assert!(back_ms <= requested_ms + 2 * RTT_MS + 5, "{back_ms} ms, request at {requested_ms}");
    assert!(has_message(&play.pair));
    let arrival_ms = play.ms_until(start, server_has_message);
    assert!(arrival_ms <= back_ms + LATENCY_MS + 1, "{arrival_ms}");
    assert_eq!(take_overs(&play.pair), 1);
    let told = client_was_told(&play.pair, |event| {
        matches!(event, ClientEvent::PathLost | ClientEvent::Reconnected { .. })
    });
    assert_eq!(told, 0, "nobody noticed");
}

#[test]
fn a_client_whose_path_is_alive_never_looks_for_another() {
    let mut play = Play::new();

    for _ in 0..20 {
        play.say();
        play.run_for_ms(500);
        assert!(play.pair.client.handshake.is_none());
    }

    assert_eq!(take_overs(&play.pair), 0);
    let session = play.pair.session();
    assert_eq!(play.pair.server.session(session).unwrap().state(), SessionState::LoggedIn);
}
