//! Two holders of one identity: what the application, the former holder and the newcomer learn, row by row of the table in the documentation of
//! `rejoin::lifecycle`.

use rejoin::client::{ClientDisconnectReason as Reason, ClientEvent, ClientState};
use rejoin::lifecycle::{Cause, DisconnectReason, LifecycleEventKind as Kind, LoginPolicy};
use rejoin::{ClientId, Config, Continuity, DenyReason, Drain, DropReason, DuplicateIdentity, Event};
use rejoin_tests::world::{Logins, World, config};

const IDENTITY: u64 = 1;

fn token_login() -> Config {
    let mut config = config();
    config.login = LoginPolicy::TokenIsLogin;
    config
}

fn reject() -> Config {
    let mut config = config();
    config.duplicate_identity = DuplicateIdentity::Reject;
    config
}

/// A world in which somebody plays, and what its application has heard so far is forgotten.
fn with_holder(config: Config) -> (World, usize) {
    let mut world = World::new(config, 7);
    let holder = if world.server.config().login == LoginPolicy::Explicit {
        world.add_logged_in(IDENTITY)
    } else {
        let holder = world.add_player(IDENTITY);
        world.run_until("the login", |world| world.players[holder].session.state().is_logged_in());
        holder
    };
    world.run_for_ms(1_000);
    world.server_events.clear();
    (world, holder)
}

/// Somebody else who has a token of the backend for the same identity.
fn newcomer(world: &mut World) -> usize {
    let newcomer = world.add_player(IDENTITY);
    if world.server.config().login == LoginPolicy::Explicit {
        world.players[newcomer].session.login(b"a credential").expect("a login");
    }
    newcomer
}

/// Another process with a copy of what a player has saved.
fn copy_of(world: &mut World, player: usize) -> usize {
    let mut saved = Vec::new();
    assert!(world.players[player].session.save(&mut saved));
    world.add_player_from(IDENTITY, &saved)
}

/// What the application was told of sessions, beside what is told of everybody who logs in.
fn told(world: &World) -> Vec<(Kind, Cause)> {
    let lifecycle = world.server_events.iter().filter_map(|(event, _)| match event {
        Event::Lifecycle(event) => Some((event.kind, event.cause)),
        _ => None,
    });
    lifecycle.filter(|(kind, _)| !matches!(kind, Kind::LoginStarted | Kind::LoginSucceeded)).collect()
}

/// Which resume tokens it was told that they were shown again.
fn reused(world: &World) -> Vec<u64> {
    let generation = |(event, _): &(Event, Vec<u8>)| match event {
        Event::TokenReuse { generation, .. } => Some(*generation),
        _ => None,
    };
    world.server_events.iter().filter_map(generation).collect()
}

fn denied(world: &World, reason: DenyReason) -> u64 {
    world.server.counters().denied(reason)
}

fn dropped(world: &World, reason: DropReason) -> u64 {
    world.server.counters().dropped(reason)
}

/// Why a player's session ended, if it did.
fn end_of(world: &World, player: usize) -> Option<Reason> {
    match world.players[player].events.last() {
        Some((ClientEvent::Disconnected { reason }, _)) => Some(*reason),
        _ => None,
    }
}

fn is_in(world: &World, player: usize) -> bool {
    world.players[player].session.state() == ClientState::LoggedIn
}

const SUPERSEDED: (Kind, Cause) = (Kind::Disconnected, Cause::Ended(DisconnectReason::Superseded));
const CONNECTED: (Kind, Cause) = (Kind::TransportConnected, Cause::Handshake);

#[test]
fn a_second_login_takes_the_place_of_the_first() {
    let (mut world, holder) = with_holder(config());
    let newcomer = newcomer(&mut world);

    world.run_for_ms(500);

    assert_eq!(told(&world), [SUPERSEDED, CONNECTED]);
    assert_eq!(end_of(&world, holder), Some(Reason::Superseded));
    assert!(is_in(&world, newcomer));
    assert_eq!(world.server.len(), 1);
}

#[test]
fn whoever_comes_before_the_first_has_logged_in_takes_its_place_under_either_policy() {
    for config in [config(), reject()] {
        let mut world = World::new(config, 8);
        world.logins = Logins::Pending;
        let holder = newcomer(&mut world);
        world.run_for_ms(500);
        world.server_events.clear();
        let newcomer = newcomer(&mut world);

        world.run_for_ms(500);

        assert_eq!(told(&world), [SUPERSEDED, CONNECTED]);
        assert_eq!(end_of(&world, holder), Some(Reason::Superseded));
        assert_eq!(world.players[newcomer].session.state(), ClientState::Connected);
    }
}

#[test]
fn where_the_token_is_the_login_the_session_goes_on_in_new_hands() {
    let (mut world, holder) = with_holder(token_login());
    let id = world.session_id(holder);
    let newcomer = newcomer(&mut world);

    world.run_for_ms(500);

    assert_eq!(told(&world), [(Kind::Reconnected, Cause::TakenOver)]);
    let Some((Event::Lifecycle(event), user_data)) = world
        .server_events
        .iter()
        .find(|(event, _)| matches!(event, Event::Lifecycle(event) if event.kind == Kind::Reconnected))
    else {
        panic!("it was told a moment ago")
    };
    assert_eq!((event.continuity, user_data.len()), (Some(Continuity::Restarted), 256));
    assert_eq!(end_of(&world, holder), Some(Reason::Superseded));
    assert!(is_in(&world, newcomer));
    assert_eq!(world.session_id(newcomer), id);
}

#[test]
fn a_former_holder_who_was_away_learns_on_its_way_back_that_there_is_none() {
    for (config, told_by_app, end) in [
        (config(), vec![SUPERSEDED, CONNECTED], Reason::SessionGone),
        (token_login(), vec![(Kind::Reconnected, Cause::Resumed)], Reason::ReconnectExpired),
    ] {
        let (mut world, holder) = with_holder(config);
        world.cut(holder);
        world.run_for_ms(4_000);
        world.server_events.clear();
        let newcomer = newcomer(&mut world);
        world.run_for_ms(500);
        world.heal(holder);
        world.move_address(holder);

        world.run_for_ms(40_000);

        assert_eq!(told(&world), told_by_app);
        assert_eq!(end_of(&world, holder), Some(end));
        assert!(is_in(&world, newcomer));
    }
}

#[test]
fn a_second_login_is_denied_where_that_is_the_policy_and_nobody_else_notices() {
    let (mut world, holder) = with_holder(reject());
    let newcomer = newcomer(&mut world);

    world.run_for_ms(500);

    assert_eq!(told(&world), []);
    assert_eq!(denied(&world, DenyReason::AlreadyLoggedIn), 1);
    assert!(is_in(&world, holder));
    assert_eq!(end_of(&world, newcomer), Some(Reason::Denied));
}

#[test]
fn who_was_let_in_before_the_other_logged_in_is_disconnected_where_second_logins_are_rejected() {
    let mut world = World::new(reject(), 9);
    world.logins = Logins::Pending;
    let holder = newcomer(&mut world);
    world.run_for_ms(500);
    let late = newcomer(&mut world);
    world.run_until("the end of its handshake", |world| {
        world.players[late].session.server_address().is_some() && world.server.counters().answered == 4
    });
    let id = world.session_id(holder);
    world.server.accept_login(world.now, id).unwrap();
    world.server_events.clear();

    world.run_for_ms(500);

    assert_eq!(told(&world), []);
    assert!(dropped(&world, DropReason::NoLongerWelcome) > 0);
    assert!(is_in(&world, holder));
    assert_eq!(end_of(&world, late), Some(Reason::Closed));
}

#[test]
fn a_copy_of_the_tokens_takes_the_session_over_and_the_former_holder_falls_silent() {
    let (mut world, holder) = with_holder(config());
    let id = world.session_id(holder);
    let copy = copy_of(&mut world, holder);

    world.run_for_ms(40_000);

    assert_eq!(told(&world), [(Kind::Reconnected, Cause::TakenOver)]);
    assert!(is_in(&world, copy));
    assert_eq!(world.session_id(copy), id);
    assert!(world.players[holder].events.iter().any(|(event, _)| *event == ClientEvent::PathLost));
    assert_eq!(end_of(&world, holder), Some(Reason::ReconnectExpired));
    assert!(dropped(&world, DropReason::ResumeSpent) > 0);
}

#[test]
fn two_devices_that_take_a_session_from_each_other_are_both_told_that_it_is_contested() {
    let (mut world, mut holder) = with_holder(config());
    let bystander = world.add_logged_in(2);
    world.run_for_ms(500);
    world.server_events.clear();
    let take_overs_max = world.server.config().take_overs_max;
    for _ in 0..take_overs_max {
        holder = copy_of(&mut world, holder);
        world.run_for_ms(900);
        assert!(is_in(&world, holder));
    }
    let newcomer = copy_of(&mut world, holder);

    world.run_for_ms(500);

    let contested = (Kind::Disconnected, Cause::Ended(DisconnectReason::Contested));
    let taken_over = (Kind::Reconnected, Cause::TakenOver);
    assert_eq!(told(&world), [taken_over, taken_over, taken_over, contested]);
    assert_eq!(end_of(&world, holder), Some(Reason::Contested));
    assert_eq!(end_of(&world, newcomer), Some(Reason::Contested));
    assert!(is_in(&world, bystander));
}

#[test]
fn a_spent_token_whose_successor_is_in_use_is_told_of_once_and_gets_no_answer() {
    let (mut world, holder) = with_holder(config());
    let copy = copy_of(&mut world, holder);
    // It shows its lowest token after the other one has used that and the next.
    world.cut(copy);
    for _ in 0..2 {
        world.move_address(holder);
        world.run_for_ms(500);
    }
    world.server_events.clear();
    world.heal(copy);

    world.run_for_ms(40_000);

    assert_eq!((told(&world), reused(&world)), (vec![], vec![1]));
    assert!(dropped(&world, DropReason::ResumeSpent) > 1, "it was shown more than once");
    assert!(is_in(&world, holder));
    assert_eq!(end_of(&world, copy), Some(Reason::ReconnectExpired));
}

#[test]
fn a_resume_token_of_a_session_that_is_over_is_denied() {
    let (mut world, holder) = with_holder(config());
    let copy = copy_of(&mut world, holder);
    let id = world.session_id(holder);
    world.server.remove(world.now, id).unwrap();
    // The holder would ask too.
    world.cut(holder);

    world.run_for_ms(500);

    assert_eq!(told(&world), [(Kind::Disconnected, Cause::Ended(DisconnectReason::Removed))]);
    assert_eq!(denied(&world, DenyReason::SessionEnded), 1);
    assert_eq!(end_of(&world, copy), Some(Reason::SessionGone));
}

#[test]
fn a_resume_token_of_a_former_start_is_denied() {
    let (mut world, holder) = with_holder(config());
    let mut saved = Vec::new();
    assert!(world.players[holder].session.save(&mut saved));
    world.restart_server(config());
    // The holder would ask too.
    world.cut(holder);
    let copy = world.add_player_from(IDENTITY, &saved);

    world.run_for_ms(500);

    assert_eq!((told(&world), denied(&world, DenyReason::OtherStart)), (vec![], 1));
    assert_eq!(end_of(&world, copy), Some(Reason::SessionGone));
}

#[test]
fn who_is_banned_is_told_so_by_the_host_and_later_denied_with_any_token() {
    let (mut world, holder) = with_holder(config());
    let copy = copy_of(&mut world, holder);
    let now = world.now;
    world.server.ban(now, ClientId(IDENTITY), now.plus_millis(60_000)).unwrap();
    let newcomer = newcomer(&mut world);

    world.run_for_ms(500);

    assert_eq!(told(&world), [(Kind::Disconnected, Cause::Ended(DisconnectReason::Banned))]);
    assert_eq!(denied(&world, DenyReason::Banned), 2);
    assert_eq!(end_of(&world, holder), Some(Reason::Host));
    assert_eq!(end_of(&world, newcomer), Some(Reason::Denied));
    assert_eq!(end_of(&world, copy), Some(Reason::SessionGone));
}

#[test]
fn who_finds_no_place_or_a_server_that_drains_is_denied() {
    for (sessions_max, drains, reason) in [(1, false, DenyReason::Full), (9, true, DenyReason::Draining)] {
        let mut config = config();
        config.sessions_max = sessions_max;
        let (mut world, holder) = with_holder(config);
        if drains {
            world.server.drain(world.now, Drain::default()).unwrap();
        }
        let other = world.add_player(2);

        world.run_for_ms(500);

        assert_eq!((told(&world), denied(&world, reason)), (vec![], 1));
        assert!(is_in(&world, holder));
        assert_eq!(end_of(&world, other), Some(Reason::Denied));
    }
}
