//! What survives when the network does not.

use rejoin::client::{ClientConfig, ClientEvent, ClientSendError, ClientState};
use rejoin::lifecycle::{Cause, LifecycleEventKind, SessionState};
use rejoin::{Continuity, Event, SendError, SessionId, UNORDERED_LANE};
use rejoin_tests::laws::{Delivery, uphold};
use rejoin_tests::world::{Conditions, World, config};

/// How long a player may have to talk until it is back, with a resume token for the next time, in rounds.
const ROUNDS_UNTIL_BACK_MAX: u32 = 1_000;
/// The keys whose values change in a talk.
const KEYS: u32 = 3;

/// Both ends number what they say and keep on saying it, whatever happens to the network: on a lane with order, on the one without, and as
/// the value of one of a few keys.
struct Talk {
    player: usize,
    id: SessionId,
    said: u32,
    upward: Delivery,
    downward: Delivery,
}

impl Talk {
    fn new(world: &World, player: usize) -> Self {
        let id = world.session_id(player);
        Self { player, id, said: 0, upward: Delivery::default(), downward: Delivery::default() }
    }

    fn go_on(&mut self, world: &mut World, rounds: u32, pause_ms: u64) {
        for _ in 0..rounds {
            let message = self.said.to_le_bytes();
            let key = u16::try_from(self.said % KEYS).expect("a small key");
            let client = &mut world.players[self.player].session;
            for lane in [0, UNORDERED_LANE] {
                client.send(lane, &message).expect("room in the client's queue");
                world.server.send(world.now, self.id, lane, &message).expect("room in the server's queue");
                self.upward.sent(lane, &message);
                self.downward.sent(lane, &message);
            }
            client.send_latest(key, &message).expect("room for the client's value");
            world.server.send_latest(world.now, self.id, key, &message).expect("room for the server's value");
            self.upward.sent_latest(key, &message);
            self.downward.sent_latest(key, &message);
            self.said += 1;
            world.run_for_ms(pause_ms);
        }
    }

    /// Goes on until the player is back and could come back again: who loses the network before new resume tokens came has no way.
    fn go_on_until_back(&mut self, world: &mut World, pause_ms: u64) {
        for _ in 0..ROUNDS_UNTIL_BACK_MAX {
            let session = &world.players[self.player].session;
            if session.state() == ClientState::LoggedIn && session.resume_tokens() > 0 {
                return;
            }
            self.go_on(world, 1, pause_ms);
        }
        panic!("the player does not come back");
    }

    /// Everything arrived as its kind promises, in both directions.
    fn assert_complete(&self, world: &World) {
        let (mut upward, mut downward) = (self.upward.clone(), self.downward.clone());
        for (event, bytes) in &world.server_events {
            match *event {
                Event::Message { session, lane } if session == self.id => {
                    uphold(upward.received(0, lane, bytes));
                }
                Event::Latest { session, key } if session == self.id => {
                    uphold(upward.received_latest(0, key, bytes));
                }
                _ => {}
            }
        }
        for (event, bytes) in &world.players[self.player].events {
            match *event {
                ClientEvent::Message { lane } => uphold(downward.received(0, lane, bytes)),
                ClientEvent::Latest { key } => uphold(downward.received_latest(0, key, bytes)),
                _ => {}
            }
        }
        uphold(upward.check_complete());
        uphold(downward.check_complete());
    }
}

/// The values of a key that the server got from a session, in order.
fn values_from(world: &World, id: SessionId, key: u16) -> Vec<Vec<u8>> {
    let wanted = Event::Latest { session: id, key };
    let events = world.server_events.iter();
    events.filter(|(event, _)| *event == wanted).map(|(_, bytes)| bytes.clone()).collect()
}

/// The values of a key that a player got, in order.
fn values_to(world: &World, player: usize, key: u16) -> Vec<Vec<u8>> {
    let events = world.players[player].events.iter();
    events
        .filter(|(event, _)| *event == ClientEvent::Latest { key })
        .map(|(_, bytes)| bytes.clone())
        .collect()
}

fn reconnects_of(world: &World, id: SessionId) -> Vec<(Cause, Option<Continuity>)> {
    world
        .lifecycle_of(id)
        .filter(|event| event.kind == LifecycleEventKind::Reconnected)
        .map(|event| (event.cause, event.continuity))
        .collect()
}

/// How often a player took its path for dead.
fn paths_lost(world: &World, player: usize) -> usize {
    world.players[player].events.iter().filter(|(event, _)| *event == ClientEvent::PathLost).count()
}

#[test]
fn an_outage_and_a_change_of_address_lose_nothing_and_repeat_nothing() {
    let mut world = World::new(config(), 11);
    let player = world.add_logged_in(1);
    let mut talk = Talk::new(&world, player);
    for tick in 1..=10 {
        world.players[player].session.send_move(tick, b"run").unwrap();
        talk.go_on(&mut world, 2, 20);
    }
    let high_water = world.server.session(talk.id).unwrap().move_high_water();

    world.cut(player);
    talk.go_on(&mut world, 40, 100);
    assert_eq!(world.state(player), Some(SessionState::ReconnectPending));
    world.move_address(player);
    world.heal(player);
    talk.go_on(&mut world, 20, 50);
    world.run_for_ms(2_000);

    assert_eq!(world.session_id(player), talk.id, "the same session");
    assert_eq!(world.state(player), Some(SessionState::LoggedIn));
    let view = world.server.session(talk.id).unwrap();
    assert_eq!(view.address(), world.players[player].address, "at the new address");
    assert_eq!(view.move_high_water(), high_water, "with the same tick progress");
    assert_eq!(reconnects_of(&world, talk.id), [(Cause::Resumed, Some(Continuity::Kept))]);
    talk.assert_complete(&world);
}

#[test]
fn a_player_who_changes_networks_quickly_takes_over_its_own_living_session() {
    let mut world = World::new(config(), 12);
    let player = world.add_logged_in(1);
    let mut talk = Talk::new(&world, player);
    talk.go_on(&mut world, 10, 20);

    world.move_address(player);
    talk.go_on(&mut world, 20, 20);
    world.run_for_ms(1_000);

    assert_eq!(reconnects_of(&world, talk.id), [(Cause::TakenOver, Some(Continuity::Kept))]);
    assert!(!world.kinds_of(talk.id).contains(&LifecycleEventKind::TimedOut));
    talk.assert_complete(&world);
}

#[test]
fn many_outages_on_a_rough_network_lose_nothing() {
    for seed in 0..80 {
        let mut world = World::new(config(), 1_000 + seed);
        world.wire.conditions = Conditions::ROUGH;
        let player = world.add_logged_in(1);
        let mut talk = Talk::new(&world, player);
        for round in 0..5 {
            talk.go_on(&mut world, 30, 30);
            talk.go_on_until_back(&mut world, 30);
            world.cut(player);
            talk.go_on(&mut world, 10, 100 + 100 * (seed % 5) * round);
            if round % 2 == 0 {
                world.move_address(player);
            }
            world.heal(player);
        }
        world.run_for_ms(20_000);

        assert_eq!(world.session_id(player), talk.id, "seed {seed}");
        assert_eq!(world.state(player), Some(SessionState::LoggedIn), "seed {seed}");
        talk.assert_complete(&world);
    }
}

#[test]
fn a_client_that_lost_its_memory_comes_back_to_its_session_with_fresh_lanes() {
    let mut world = World::new(config(), 13);
    let player = world.add_logged_in(1);
    let id = world.session_id(player);
    world.players[player].session.send_move(50, b"run").unwrap();
    world.players[player].session.send(0, b"before the crash").unwrap();
    world.players[player].session.send_latest(7, b"alive").unwrap();
    world.server.send_latest(world.now, id, 7, b"seen").unwrap();
    world.run_for_ms(1_000);
    let mut saved = Vec::new();
    assert!(world.players[player].session.save(&mut saved));

    world.cut(player);
    world.server.send_latest(world.now, id, 7, b"never seen").unwrap();
    world.run_for_ms(500);
    let again = world.add_player_from(1, &saved);
    world.run_for_ms(1_000);
    world.players[again].session.send(0, b"after the crash").unwrap();
    world.server.send(world.now, id, 0, b"welcome back").unwrap();
    world.players[again].session.send_latest(7, b"alive again").unwrap();
    world.server.send_latest(world.now, id, 7, b"seen again").unwrap();
    world.run_for_ms(1_000);

    assert_eq!(world.session_id(again), id);
    assert_eq!(reconnects_of(&world, id), [(Cause::TakenOver, Some(Continuity::Restarted))]);
    assert_eq!(world.players[again].session.move_high_water(), Some(50));
    assert_eq!(world.messages_from(id), [b"before the crash".to_vec(), b"after the crash".to_vec()]);
    assert_eq!(world.messages_to(again), [b"welcome back".to_vec()]);
    assert_eq!(values_from(&world, id, 7), [b"alive".to_vec(), b"alive again".to_vec()]);
    assert_eq!(values_to(&world, player, 7), [b"seen".to_vec()]);
    assert_eq!(values_to(&world, again, 7), [b"seen again".to_vec()]);
}

#[test]
fn a_network_that_heals_by_itself_needs_no_token() {
    let mut world = World::new(config(), 14);
    let token = world.mint(rejoin::ClientId(1));
    let mut patient = ClientConfig::default();
    patient.path_dead_ms = Some(10_000);
    let player = world.add_player_with(1, &token, patient);
    world.players[player].session.login(b"").unwrap();
    world.run_until("the login", |world| world.players[player].session.state().is_logged_in());
    let id = world.session_id(player);

    world.cut(player);
    world.run_for_ms(4_000);
    assert_eq!(world.state(player), Some(SessionState::ReconnectPending));
    world.heal(player);
    world.run_for_ms(2_000);

    assert_eq!(world.state(player), Some(SessionState::LoggedIn));
    assert_eq!(reconnects_of(&world, id), [(Cause::Revived, Some(Continuity::Kept))]);
    assert_eq!(world.server.session(id).unwrap().resume_generation(), 0, "no token was spent");
}

#[test]
fn a_player_can_come_back_again_and_again_for_hours() {
    let mut world = World::new(config(), 15);
    let player = world.add_logged_in(1);
    let id = world.session_id(player);
    world.run_for_ms(500);

    for round in 1..=40 {
        world.cut(player);
        world.run_for_ms(3_000);
        world.move_address(player);
        world.heal(player);
        world.run_until("the way back", |world| world.state(player) == Some(SessionState::LoggedIn));
        world.run_for_ms(240_000);
        assert!(world.server.session(id).unwrap().resume_generation() >= round);
    }

    assert_eq!(world.session_id(player), id);
    assert_eq!(reconnects_of(&world, id).len(), 40);
}

#[test]
fn the_latest_state_reaches_a_player_who_was_away_when_it_was_published() {
    let mut world = World::new(config(), 16);
    let player = world.add_logged_in(1);
    let id = world.session_id(player);

    world.cut(player);
    world.run_for_ms(3_000);
    for tick in 1..=5_u8 {
        world.server.publish_state(world.now, id, tick.into(), &[tick]).unwrap();
    }
    world.heal(player);
    world.run_for_ms(3_000);

    let states: Vec<_> = world.players[player]
        .events
        .iter()
        .filter_map(|(event, bytes)| match event {
            ClientEvent::State { server_tick, .. } => Some((*server_tick, bytes.clone())),
            _ => None,
        })
        .collect();
    assert_eq!(states, [(5, vec![5])]);
}

#[test]
fn a_state_that_was_under_way_when_the_network_changed_is_sent_again() {
    let mut world = World::new(config(), 20);
    let player = world.add_logged_in(1);
    let id = world.session_id(player);
    world.run_for_ms(1_000);

    world.cut(player);
    world.server.publish_state(world.now, id, 7, b"the last one").unwrap();
    world.settle();
    world.heal(player);
    world.move_address(player);
    world.run_for_ms(2_000);

    assert_eq!(reconnects_of(&world, id), [(Cause::TakenOver, Some(Continuity::Kept))]);
    let is_state = |event: &ClientEvent| matches!(event, ClientEvent::State { server_tick: 7, .. });
    assert_eq!(world.players[player].events.iter().filter(|(event, _)| is_state(event)).count(), 1);
}

#[test]
fn what_is_sent_while_a_player_is_away_is_kept_within_the_bound_and_arrives_after_it() {
    const QUEUE_BYTES_MAX: usize = 30_000;
    let message = |number: usize| vec![u8::try_from(number).expect("few messages"); 1_000];
    let mut config = config();
    config.lane_queue_bytes_max = QUEUE_BYTES_MAX;
    let mut client_config = ClientConfig::default();
    client_config.lane_queue_bytes_max = QUEUE_BYTES_MAX;
    let mut world = World::new(config, 21);
    let token = world.mint(rejoin::ClientId(1));
    let player = world.add_player_with(1, &token, client_config);
    world.players[player].session.login(b"").unwrap();
    world.run_until("the tokens", |world| world.players[player].session.resume_tokens() >= 2);
    let id = world.session_id(player);

    world.cut(player);
    world.run_for_ms(3_000);
    assert_eq!(world.state(player), Some(SessionState::ReconnectPending));
    let count = QUEUE_BYTES_MAX / 1_000;
    for number in 0..count {
        world.server.send(world.now, id, 0, &message(number)).unwrap();
        world.players[player].session.send(0, &message(number)).unwrap();
    }
    let server_full = SendError::Full { bytes_to_acknowledge: 1_000 };
    assert_eq!(world.server.send(world.now, id, 0, &message(count)), Err(server_full));
    let client_full = ClientSendError::Full { bytes_to_acknowledge: 1_000 };
    assert_eq!(world.players[player].session.send(0, &message(count)), Err(client_full));
    world.run_for_ms(3_000);
    world.heal(player);
    world.run_for_ms(5_000);

    let sent: Vec<Vec<u8>> = (0..count).map(message).collect();
    assert_eq!(world.messages_from(id), sent);
    assert_eq!(world.messages_to(player), sent);
    assert_eq!(world.server.send(world.now, id, 0, &message(count)), Ok(()), "there is room again");
    assert_eq!(world.players[player].session.send(0, &message(count)), Ok(()));
}

#[test]
fn a_tick_of_the_largest_number_mutes_nobody() {
    let mut world = World::new(config(), 17);
    let liar = world.add_logged_in(1);
    let honest = world.add_logged_in(2);
    let (liar_id, honest_id) = (world.session_id(liar), world.session_id(honest));

    world.players[liar].session.send_move(5, b"").unwrap();
    world.run_for_ms(100);
    world.players[liar].session.send_move(u64::MAX, b"").unwrap();
    world.players[honest].session.send_move(6, b"").unwrap();
    world.run_for_ms(1_000);

    assert_eq!(world.moves_from(liar_id), [5]);
    assert!(world.server.session(liar_id).unwrap().moves().unwrap().too_far_ahead > 0);
    assert_eq!(world.moves_from(honest_id), [6]);
    let heartbeats =
        world.server_events.iter().any(|(event, _)| matches!(event, Event::HeartbeatReceived { .. }));
    assert!(heartbeats, "heartbeats are events where that is asked for");
}

#[test]
fn a_player_whose_network_changes_many_times_during_an_outage_still_comes_back() {
    let mut world = World::new(config(), 18);
    let player = world.add_logged_in(1);
    world.run_for_ms(500);
    let mut talk = Talk::new(&world, player);

    world.cut(player);
    for _ in 0..8 {
        talk.go_on(&mut world, 2, 400);
        world.move_address(player);
    }
    world.heal(player);
    world.run_for_ms(10_000);

    assert_eq!(world.session_id(player), talk.id);
    assert_eq!(world.state(player), Some(SessionState::LoggedIn));
    talk.assert_complete(&world);
}

#[test]
fn the_newest_value_of_each_key_reaches_who_was_away_when_it_was_set_and_no_older_one() {
    let mut world = World::new(config(), 19);
    let player = world.add_logged_in(1);
    let id = world.session_id(player);

    world.cut(player);
    for number in 1..=40_u8 {
        world.server.send_latest(world.now, id, u16::from(number % 2), &[number]).unwrap();
        world.players[player].session.send_latest(u16::from(number % 2), &[number]).unwrap();
        world.run_for_ms(100);
    }
    assert_eq!(world.state(player), Some(SessionState::ReconnectPending));
    world.heal(player);
    world.run_for_ms(3_000);

    for (key, newest) in [(0, 40), (1, 39)] {
        assert_eq!(values_to(&world, player, key), [[newest]]);
        assert_eq!(values_from(&world, id, key), [[newest]]);
    }
    assert!(world.server.session(id).unwrap().statistics().latest_replaced > 0);
}

#[test]
fn a_network_that_loses_every_fifth_packet_is_not_taken_for_a_dead_one_which_is_noticed_as_fast() {
    for heartbeat_ms in [250, 500] {
        let mut config = config();
        config.heartbeat_ms = heartbeat_ms;
        let mut world = World::new(config, 20);
        let player = world.add_logged_in(1);
        world.wire.conditions = Conditions::ROUGH;
        let is_lost = |world: &World| paths_lost(world, player) > 0;

        for second in 0..600 {
            world.run_for_ms(1_000);
            assert!(!is_lost(&world), "with a heartbeat every {heartbeat_ms} ms, after {second} s");
        }
        world.cut(player);
        let cut = world.now;
        world.run_until("the loss of the path", is_lost);

        let longest_ms = 1_000.max(3 * u64::from(heartbeat_ms));
        assert!(world.now <= cut.plus_millis(longest_ms), "cut at {cut}, noticed at {}", world.now);
    }
}
