//! A server that does what it must is fine, and one that does not is caught: shown by what was written down of a good one, with something
//! changed, and by following a good one with other rules than its own.

use rejoin::lifecycle::{Cause, DisconnectReason, LifecycleEventKind as Kind, LoginPolicy};
use rejoin::{
    ClientId, Config, Drain, DuplicateIdentity, Event, LifecycleEvent, SessionId, Timestamp, Verdict,
};

use super::{Command, Shadow};
use crate::laws::Violation;
use crate::world::{Logins, Record, World, config};

type Records = Vec<(Timestamp, Record)>;

/// A world whose server is followed from the beginning.
fn world(config: &Config) -> World {
    let mut world = World::new(config.clone(), 1);
    world.keep_server_log();
    world
}

fn records_of(world: &World) -> Records {
    world.server_log.as_ref().expect("a log").records().to_vec()
}

/// What the model says, by these rules, of this story, at the end of which the server is as it is.
fn judge_story(rules: &Config, records: &[(Timestamp, Record)], world: &World) -> Result<(), Violation> {
    let mut shadow = Shadow::new(rules);
    shadow.follow(records)?;
    shadow.end(&world.server)?;
    shadow.check_nobody_overdue(world.now)?;
    shadow.check_all(&world.server)
}

/// The same of what really happened.
fn judge(rules: &Config, world: &World) -> Result<(), Violation> {
    judge_story(rules, &records_of(world), world)
}

/// The same of what happened, but for a change.
fn judge_changed(world: &World, change: impl FnOnce(&mut Records)) -> Result<(), Violation> {
    let mut records = records_of(world);
    change(&mut records);
    judge_story(world.server.config(), &records, world)
}

/// Fails unless the story is fine as it is, and is not by these other rules.
#[track_caller]
fn assert_caught_by(world: &World, change: impl FnOnce(&mut Config)) {
    let mut rules = world.server.config().clone();
    assert_eq!(judge(&rules, world), Ok(()));
    change(&mut rules);
    assert!(judge(&rules, world).is_err(), "a server that goes by other rules");
}

fn lifecycle_of(record: &Record) -> Option<&LifecycleEvent> {
    match record {
        Record::Told(Event::Lifecycle(event)) => Some(event),
        _ => None,
    }
}

fn is_told(record: &Record, kind: Kind) -> bool {
    lifecycle_of(record).is_some_and(|event| event.kind == kind)
}

fn forget(records: &mut Records, kind: Kind) {
    let before = records.len();
    records.retain(|(_, record)| !is_told(record, kind));
    assert!(records.len() < before, "nothing to forget");
}

fn place_of(records: &Records, kind: Kind) -> usize {
    records.iter().rposition(|(_, record)| is_told(record, kind)).expect("such an event")
}

/// What fired last and what was told of it happened a little earlier.
fn hurry(records: &mut Records, kind: Kind) {
    let end = place_of(records, kind);
    let fired = records[..end].iter().rposition(|(_, record)| matches!(record, Record::Fired));
    for (at, record) in &mut records[fired.expect("a call")..=end] {
        *at = Timestamp::from_micros(at.as_micros() - 1_000);
        if let Record::Told(Event::Lifecycle(event)) = record {
            event.at = *at;
        }
    }
}

/// A player is in the game, goes away, and comes back from another address; another one stays.
fn world_with_a_way_back() -> World {
    let mut world = world(&config());
    let (player, other) = (world.add_logged_in(1), world.add_logged_in(2));
    for tick in [1, 2, 5] {
        world.players[player].session.send_move(tick, b"run").expect("in the game");
        world.players[other].session.send_move(tick + 3, b"run").expect("in the game");
        world.run_for_ms(100);
    }
    world.cut(player);
    world.run_for_ms(3_000);
    world.move_address(player);
    world.heal(player);
    world.run_for_ms(2_000);
    world
}

/// A player goes away and does not come back.
fn world_with_a_loss(config: &Config, millis: u64) -> World {
    let mut world = world(config);
    let player = world.add_logged_in(1);
    world.cut(player);
    world.run_for_ms(millis);
    world
}

#[test]
fn a_server_that_does_what_it_must_is_fine() {
    let world = world_with_a_way_back();
    let kinds = world.kinds_of(world.session_id(0));
    assert!(kinds.contains(&Kind::Reconnected), "{kinds:?}");
    assert_eq!(judge(&config(), &world), Ok(()));
}

#[test]
fn silence_that_ends_a_path_too_early_too_late_or_never_is_caught() {
    let world = world_with_a_loss(&config(), 5_000);
    assert_caught_by(&world, |rules| rules.timeout_max_ms += 1);
    assert_caught_by(&world, |rules| (rules.timeout_min_ms, rules.timeout_max_ms) = (1_999, 1_999));
    assert!(judge_changed(&world, |records| hurry(records, Kind::ReconnectScheduled)).is_err());
    assert!(judge_changed(&world, |records| forget(records, Kind::TimedOut)).is_err());
}

#[test]
fn a_deadline_that_the_host_is_not_called_for_is_caught() {
    let world = world_with_a_loss(&config(), 1_500);
    let mut shadow = Shadow::new(&config());
    shadow.follow(&records_of(&world)).expect("no violation until now");
    assert_eq!(shadow.check_nobody_overdue(world.now), Ok(()));
    assert!(shadow.check_nobody_overdue(world.now.plus_millis(1_000)).is_err());
}

#[test]
fn a_reconnect_window_that_is_too_short_or_too_long_or_none_is_caught() {
    let world = world_with_a_loss(&config(), 25_000);
    assert_eq!(world.server.len(), 0);
    assert_caught_by(&world, |rules| rules.reconnect_window_ms = Some(20_001));
    assert_caught_by(&world, |rules| rules.reconnect_window_ms = Some(19_999));
    assert_caught_by(&world, |rules| rules.reconnect_window_ms = None);
    assert!(judge_changed(&world, |records| hurry(records, Kind::Disconnected)).is_err());
}

#[test]
fn the_time_to_log_in_and_the_attempts_are_those_of_the_rules() {
    let mut world = world(&config());
    let (_, rejected) = (world.add_player(1), world.add_player(2));
    world.logins = Logins::Pending;
    world.players[rejected].session.login(b"wrong").expect("a login");
    world.run_for_ms(300);
    let session = world.session_id(rejected);
    world.server.reject_login(world.now, session, 7, "no").expect("a pending login");
    world.note_command(Command::Reject(session, 7), true);
    world.run_for_ms(6_000);
    assert_eq!(world.server.len(), 0);
    assert_caught_by(&world, |rules| rules.login_timeout_ms += 1);
    assert_caught_by(&world, |rules| rules.login_timeout_ms -= 1);
    assert_caught_by(&world, |rules| rules.login_attempts_max = 1);
    assert_caught_by(&world, |rules| rules.login = LoginPolicy::TokenIsLogin);
    assert!(judge_changed(&world, |records| forget(records, Kind::LoginFailed)).is_err());
}

#[test]
fn a_way_back_to_another_session_or_without_its_movement_is_caught() {
    let world = world_with_a_way_back();
    let elsewhere = world.session_id(1);
    let came_back = |event: &Event| matches!(event, Event::Move { .. });
    assert!(
        judge_changed(&world, |records| {
            let back = place_of(records, Kind::Reconnected);
            for (_, record) in &mut records[..back] {
                if let Record::Received(_, Verdict::Accepted(session)) = record {
                    *session = elsewhere;
                }
            }
        })
        .is_err(),
        "packets of one session that go to another"
    );
    assert!(judge_changed(&world, |records| forget(records, Kind::Reconnected)).is_err());
    assert!(
        judge_changed(&world, |records| {
            records.retain(|(_, record)| !matches!(record, Record::Told(event) if came_back(event)));
        })
        .is_err(),
        "a server that knows of more moves than there were"
    );
}

#[test]
fn a_void_resume_token_that_opens_a_handshake_is_caught() {
    let world = world_with_a_way_back();
    let response = |(_, record): &(Timestamp, Record)| matches!(record, Record::Received(datagram, Verdict::Answered) if datagram.bytes[0] & 0xf == 3);
    let again = judge_changed(&world, |records| {
        let last = records.iter().rposition(response).expect("a response");
        let again = (world.now, records[last].1.clone());
        records.push(again);
    });
    assert!(again.is_err_and(|violation| violation.to_string().contains("void token")));
}

#[test]
fn moves_that_go_back_come_too_early_or_belong_to_another_session_are_caught() {
    let world = world_with_a_way_back();
    let (session, other) = (world.session_id(0), world.session_id(1));
    let with = |event| judge_changed(&world, |records| records.push((world.now, Record::Told(event))));
    let message = |result: Result<(), Violation>| result.expect_err("a violation").to_string();
    assert!(message(with(Event::Move { session, tick: 5 })).contains("accepted after Some(5)"));
    assert!(message(with(Event::Move { session, tick: 100_000 })).contains("at most"));
    assert!(message(with(Event::Move { session: other, tick: 9 })).contains("moves"));
}

#[test]
fn a_second_login_of_an_identity_does_what_the_rules_say() {
    let mut world = world(&config());
    world.add_logged_in(1);
    world.add_logged_in(1);
    world.run_for_ms(500);
    assert_caught_by(&world, |rules| rules.duplicate_identity = DuplicateIdentity::Reject);
    assert!(
        judge_changed(&world, |records| {
            records.retain(|(_, record)| {
                let ends = Cause::Ended(DisconnectReason::Superseded);
                lifecycle_of(record).is_none_or(|event| event.cause != ends)
            });
        })
        .is_err()
    );
}

#[test]
fn an_identity_that_is_let_in_though_it_is_banned_or_there_is_no_place_is_caught() {
    let mut world = world(&config());
    world.add_logged_in(1);
    world.add_logged_in(2);
    assert_caught_by(&world, |rules| rules.sessions_max = 1);
    let command = |command| {
        judge_changed(&world, |records| {
            records.insert(1, (Timestamp::ZERO, Record::Commanded(command, true)));
        })
    };
    assert!(command(Command::Ban(ClientId(2), Timestamp::NEVER)).is_err());
    assert!(command(Command::Drain(Drain::default())).is_err());
    assert_eq!(command(Command::Ban(ClientId(2), Timestamp::ZERO)), Ok(()), "a ban that is over");
}

#[test]
fn commands_that_are_refused_or_obeyed_wrongly_are_caught() {
    let mut world = world(&config());
    let player = world.add_logged_in(1);
    let session = world.session_id(player);
    let nobody = SessionId { index: 9, generation: 0 };
    let then = |command, is_done| {
        judge_changed(&world, |records| records.push((world.now, Record::Commanded(command, is_done))))
    };
    assert_eq!(then(Command::Accept(session), false), Ok(()), "it is logged in already");
    assert!(then(Command::Accept(session), true).is_err());
    assert!(then(Command::Remove(session), false).is_err());
    assert!(then(Command::Remove(nobody), true).is_err());
    for command in [Command::Remove(session), Command::Disconnect(session, 3), Command::Shutdown] {
        assert!(then(command, true).is_err(), "{command:?} ends a session, which is to be told");
    }
}

#[test]
fn a_server_that_takes_its_leave_in_another_way_than_it_was_asked_to_is_caught() {
    let mut world = world(&config());
    let player = world.add_logged_in(1);
    let session = world.session_id(player);
    let drain = Command::Drain(Drain::default());
    let then = |world: &World, commands: &[Command], told: &[Event]| {
        let mut shadow = Shadow::new(world.server.config());
        shadow.follow(&records_of(world))?;
        commands.iter().try_for_each(|command| shadow.commanded(world.now, *command, true))?;
        told.iter().try_for_each(|event| shadow.told(event))?;
        shadow.server_stopped()
    };
    let drained = Event::Drained { at: world.now, ended: 0 };

    assert_eq!(then(&world, &[drain, drain], &[]), Ok(()));
    assert!(then(&world, &[drain], &[drained]).is_err(), "somebody is left");
    assert!(then(&world, &[], &[drained]).is_err(), "nobody asked for it");
    let nowhere = Drain { other_address: Some(([0, 0, 0, 0], 1).into()), ..Drain::default() };
    assert!(then(&world, &[Command::Drain(nowhere)], &[]).is_err(), "nobody can go there");
    world.server.remove(world.now, session).expect("it is there");
    world.note_command(Command::Remove(session), true);
    world.settle();
    assert_eq!(then(&world, &[], &[]), Ok(()));
    assert_eq!(then(&world, &[drain], &[drained]), Ok(()));
    assert!(then(&world, &[drain], &[]).is_err(), "nobody is left, and that is not told");
    assert!(then(&world, &[drain], &[drained, drained]).is_err(), "it is told twice");
    assert!(
        then(&world, &[drain], &[Event::Drained { at: world.now, ended: 1 }]).is_err(),
        "it had left before"
    );
}

#[test]
fn a_server_that_stops_before_it_has_told_everything_is_caught() {
    let mut world = world(&config());
    world.add_logged_in(1);
    let story = |ends: bool| {
        let mut shadow = Shadow::new(world.server.config());
        shadow.follow(&records_of(&world)).expect("an ordinary login");
        if ends {
            shadow.commanded(world.now, Command::Shutdown, true).expect("a shutdown is always possible");
        }
        shadow
    };

    assert_eq!(story(false).server_stopped(), Ok(()), "it crashed");
    assert!(story(true).server_stopped().is_err(), "nobody was told of the ends");
    let started_anew = [(world.now, Record::Started)];
    assert_eq!(story(false).follow(&started_anew), Ok(()));
    assert!(story(true).follow(&started_anew).is_err());
}

#[test]
fn what_is_told_of_a_session_before_its_beginning_or_after_its_end_is_caught() {
    let world = world_with_a_loss(&config(), 25_000);
    let ended = world.server_events.iter().find_map(|(event, _)| match event {
        Event::Lifecycle(event) => Some(event.session),
        _ => None,
    });
    let heartbeat = Event::HeartbeatReceived { session: ended.expect("a session"), at: world.now };
    let told = |place: fn(&Records) -> usize| {
        judge_changed(&world, |records| {
            let place = place(records);
            records.insert(place, (records[place - 1].0, Record::Told(heartbeat)));
        })
    };
    assert!(told(|_| 1).is_err(), "before");
    assert!(told(Vec::len).is_err(), "after");
    assert_eq!(told(|records| place_of(records, Kind::LoginSucceeded)), Ok(()), "in between");
}

#[test]
fn a_server_that_is_not_where_its_story_leads_is_caught() {
    let world = world_with_a_way_back();
    let records = records_of(&world);
    let away = place_of(&records, Kind::TimedOut);
    let mut shadow = Shadow::new(&config());
    shadow.follow(&records[..away]).expect("no violation until now");
    assert!(shadow.check_all(&world.server).is_err());
}

#[test]
fn a_host_that_is_late_is_forgiven_that_and_no_more() {
    let mut late = world(&config());
    late.add_logged_in(1);
    late.cut(0);
    late.run_for_ms(500);
    late.now = late.now.plus_millis(1_000);
    late.run_for_ms(0);
    late.run_for_ms(4_000);
    assert!(late.server_events.iter().any(|(event, _)| matches!(event, Event::Stalled { .. })));
    assert_caught_by(&late, |rules| rules.stall_credit_max_ms = 0);
    assert_caught_by(&late, |rules| rules.stall_threshold_ms = 2_000);
}

#[test]
fn a_path_that_another_one_takes_and_a_timeout_are_those_of_the_rules() {
    let mut world = world(&config());
    let (player, newcomer) = (world.add_logged_in(1), world.add_player(2));
    world.cut(player);
    world.players[newcomer].address = world.players[player].address;
    world.players[newcomer].session.login(b"right").expect("a login");
    world.run_for_ms(1_000);
    let causes: Vec<_> = world.lifecycle_of(world.session_id(player)).map(|event| event.cause).collect();
    assert!(causes.contains(&Cause::PathTaken), "{causes:?}");
    assert_caught_by(&world, |rules| rules.reconnect_window_ms = None);
}

/// A player in the game loses the network while deadlines are held for ten seconds, and has a second left when they go on.
fn held_story() -> World {
    let mut world = world(&config());
    let player = world.add_logged_in(1);
    world.run_for_ms(1_000);
    world.cut(player);
    world.run_for_ms(1_000);
    for hold in [true, false] {
        world.server.set_hold(world.now, hold);
        world.note_command(Command::Hold(hold), true);
        world.run_for_ms(10_000);
    }
    world
}

#[test]
fn a_server_that_holds_its_deadlines_is_followed() {
    let world = held_story();

    let session = SessionId { index: 0, generation: 0 };
    let silence: Vec<_> = world.lifecycle_of(session).filter(|event| event.kind == Kind::TimedOut).collect();
    assert!(matches!(silence[..], [event] if event.at > Timestamp::from_millis(12_000)), "{silence:?}");
    assert_eq!(judge(world.server.config(), &world), Ok(()));
}

#[test]
fn deadlines_that_a_hold_does_not_move_or_that_end_in_it_are_caught() {
    let world = held_story();
    let is_hold = |record: &Record| matches!(record, Record::Commanded(Command::Hold(_), _));

    assert!(judge_changed(&world, |records| records.retain(|(_, record)| !is_hold(record))).is_err());
    let never_ends = |records: &mut Records| {
        let end = records.iter().rposition(|(_, record)| is_hold(record)).expect("the end of the hold");
        records.remove(end);
    };
    assert!(judge_changed(&world, never_ends).is_err());
}
