//! Every arrow of the lifecycle that can be reached from outside, one row each.

use alloc::collections::BTreeSet;

use crate::lifecycle::{
    Cause, DisconnectReason as Reason, LifecycleEventKind as Kind, SessionState as State,
};
use crate::{Config, MultiSessionManager, SessionId};

use super::harness::{Harness, client_address, framed_config, token_login_config};
use super::peer::Peer;

const ANNA: u64 = 11;
const BEN: u64 = 22;

/// Puts the one session of `ANNA` into a state; her peer is given back.
type Arrange = fn(&mut Harness) -> Peer;
/// Lets something happen to it.
type Act = fn(&mut Harness, &mut Peer);

struct Row {
    config: fn() -> Config,
    arrange: Arrange,
    act: Act,
    /// The last event that follows.
    previous: State,
    kind: Kind,
    current: State,
    cause: Cause,
}

const fn row(
    arrange: Arrange,
    act: Act,
    (previous, kind, current): (State, Kind, State),
    cause: Cause,
) -> Row {
    Row { config: framed_config, arrange, act, previous, kind, current, cause }
}

/// A row whose last event is the end of a session that was in `previous`.
const fn end(arrange: Arrange, act: Act, previous: State, reason: Reason) -> Row {
    row(arrange, act, (previous, Kind::Disconnected, State::Disconnected), Cause::Ended(reason))
}

fn id(server: &Harness) -> SessionId {
    server.id_of(ANNA)
}

fn unconfirmed(server: &mut Harness) -> Peer {
    let mut anna = server.newcomer(ANNA, 1);
    server.shake_hands(&mut anna);
    anna
}

fn guest(server: &mut Harness) -> Peer {
    server.guest(ANNA, 1)
}

fn asking(server: &mut Harness) -> Peer {
    let mut anna = server.guest(ANNA, 1);
    ask(server, &mut anna);
    anna
}

fn rejected(server: &mut Harness) -> Peer {
    let mut anna = asking(server);
    reject(server, &mut anna);
    anna
}

fn player(server: &mut Harness) -> Peer {
    server.player(ANNA, 1)
}

fn away(server: &mut Harness) -> Peer {
    let anna = server.player(ANNA, 1);
    server.advance(5_000);
    anna
}

/// Away, and with a resume handshake that waits for its confirmation.
fn returning(server: &mut Harness) -> Peer {
    let mut anna = away(server);
    resume(server, &mut anna);
    anna
}

/// As `returning`, but the peer still speaks on its old path.
fn returning_twice(server: &mut Harness) -> Peer {
    let anna = away(server);
    let mut mover = Peer::new(anna.unspent_tickets().remove(0), client_address(2));
    server.shake_hands(&mut mover);
    anna
}

fn ask(server: &mut Harness, anna: &mut Peer) {
    let login = anna.login(1 + anna.sequence, b"secret");
    server.talk(anna, &login);
}

fn accept(server: &mut Harness, _: &mut Peer) {
    let id = id(server);
    server.call(|manager, now| manager.accept_login(now, id)).unwrap();
}

fn reject(server: &mut Harness, _: &mut Peer) {
    let id = id(server);
    server.call(|manager, now| manager.reject_login(now, id, 7, "no")).unwrap();
}

fn use_up_attempts(server: &mut Harness, anna: &mut Peer) {
    for _ in 0..2 {
        reject(server, anna);
        ask(server, anna);
    }
    reject(server, anna);
}

fn fall_silent(server: &mut Harness, _: &mut Peer) {
    server.advance(5_000);
}

fn stay_without_login(server: &mut Harness, anna: &mut Peer) {
    server.live(&mut [anna], 10_000);
}

fn wait_out_the_window(server: &mut Harness, _: &mut Peer) {
    server.advance(60_000);
}

fn speak(server: &mut Harness, anna: &mut Peer) {
    server.beat(anna);
}

fn say_hello(server: &mut Harness, anna: &mut Peer) {
    let hello = anna.hello();
    server.talk(anna, &hello);
}

fn resume(server: &mut Harness, anna: &mut Peer) {
    anna.begin_resume(client_address(2));
    server.shake_hands(anna);
}

fn resume_and_confirm(server: &mut Harness, anna: &mut Peer) {
    resume(server, anna);
    say_hello(server, anna);
}

fn lose_the_port(server: &mut Harness, _: &mut Peer) {
    server.guest(BEN, 1);
}

/// The old session is superseded; what is looked at is the first one that ended.
fn come_anew(server: &mut Harness, _: &mut Peer) {
    server.guest(ANNA, 3);
}

fn leave(server: &mut Harness, anna: &mut Peer) {
    let goodbye = anna.disconnect();
    server.talk(anna, &goodbye);
}

fn be_disconnected(server: &mut Harness, _: &mut Peer) {
    let id = id(server);
    server.call(|manager, now| manager.disconnect(now, id, 4, b"")).unwrap();
}

fn be_removed(server: &mut Harness, _: &mut Peer) {
    let id = id(server);
    server.call(|manager, now| manager.remove(now, id)).unwrap();
}

fn shut_down(server: &mut Harness, _: &mut Peer) {
    server.call(MultiSessionManager::shutdown);
}

fn talk_nonsense(server: &mut Harness, anna: &mut Peer) {
    for _ in 0..9 {
        let nonsense = anna.payload(&[0xFF; 9]);
        server.talk(anna, &nonsense);
    }
}

fn no_window() -> Config {
    Config { reconnect_window_ms: None, ..framed_config() }
}

const FIRST: (Arrange, State) = (unconfirmed, State::TransportConnected);
const GREETED: [(Arrange, State); 3] =
    [(guest, State::TransportConnected), (asking, State::LoginPending), (rejected, State::LoginFailed)];
const LOGGED_IN: [(Arrange, State); 3] =
    [(player, State::LoggedIn), (away, State::ReconnectPending), (returning, State::Reconnecting)];

/// The rows between the login and the way back.
const ROWS: [Row; 16] = [
    row(
        guest,
        ask,
        (State::TransportConnected, Kind::LoginStarted, State::LoginPending),
        Cause::LoginRequest,
    ),
    row(rejected, ask, (State::LoginFailed, Kind::LoginStarted, State::LoginPending), Cause::LoginRequest),
    row(asking, accept, (State::LoginPending, Kind::LoginSucceeded, State::LoggedIn), Cause::Accepted),
    row(asking, reject, (State::LoginPending, Kind::LoginFailed, State::LoginFailed), Cause::Rejected(7)),
    end(asking, use_up_attempts, State::LoginFailed, Reason::LoginRefused),
    row(
        player,
        fall_silent,
        (State::TimedOut, Kind::ReconnectScheduled, State::ReconnectPending),
        Cause::Silence,
    ),
    row(
        player,
        lose_the_port,
        (State::LoggedIn, Kind::ReconnectScheduled, State::ReconnectPending),
        Cause::PathTaken,
    ),
    row(player, resume_and_confirm, (State::LoggedIn, Kind::Reconnected, State::LoggedIn), Cause::TakenOver),
    row(away, speak, (State::ReconnectPending, Kind::Reconnected, State::LoggedIn), Cause::Revived),
    row(
        away,
        resume,
        (State::ReconnectPending, Kind::ReconnectStarted, State::Reconnecting),
        Cause::ResumeHandshake,
    ),
    row(returning, say_hello, (State::Reconnecting, Kind::Reconnected, State::LoggedIn), Cause::Resumed),
    row(returning_twice, speak, (State::Reconnecting, Kind::Reconnected, State::LoggedIn), Cause::Revived),
    row(
        returning,
        fall_silent,
        (State::Reconnecting, Kind::ReconnectScheduled, State::ReconnectPending),
        Cause::AttemptUnconfirmed,
    ),
    end(away, wait_out_the_window, State::ReconnectPending, Reason::ReconnectExpired),
    Row { config: no_window, ..end(player, fall_silent, State::TimedOut, Reason::TimedOut) },
    Row {
        config: token_login_config,
        ..row(
            unconfirmed,
            say_hello,
            (State::LoginPending, Kind::LoginSucceeded, State::LoggedIn),
            Cause::TokenIsLogin,
        )
    },
];

/// Runs a row and compares the last event about the session that it began with.
fn check(row: &Row) {
    let mut server = Harness::new((row.config)());
    let mut anna = (row.arrange)(&mut server);
    let session = id(&server);

    (row.act)(&mut server, &mut anna);

    let events = server.lifecycle_of(ANNA);
    let last = events.iter().rfind(|event| event.session == session).unwrap();
    let expected = (Some(row.previous), row.kind, row.current, row.cause);
    assert_eq!((last.previous, last.kind, last.current, last.cause), expected);
    server.close();
}

#[test]
fn the_arrows_between_login_and_way_back_are_taken_as_the_table_says() {
    ROWS.iter().for_each(check);
}

#[test]
fn who_is_not_logged_in_is_not_retained() {
    for (arrange, state) in GREETED.into_iter().chain([FIRST]) {
        check(&end(arrange, fall_silent, State::TimedOut, Reason::TimedOut));
        check(&end(arrange, come_anew, state, Reason::Superseded));
        check(&end(arrange, lose_the_port, state, Reason::PathTaken));
    }
    for (arrange, state) in GREETED {
        check(&end(arrange, stay_without_login, state, Reason::LoginTimeout));
    }
}

#[test]
fn a_logged_in_session_in_any_state_gives_way_to_a_confirmed_backend_token() {
    // Its handshake takes the place of one that was to resume the session.
    for (arrange, state) in [
        (player as Arrange, State::LoggedIn),
        (away, State::ReconnectPending),
        (returning, State::ReconnectPending),
    ] {
        check(&end(arrange, come_anew, state, Reason::Superseded));
    }
}

#[test]
fn a_session_in_any_state_can_be_ended_by_the_host() {
    for (arrange, state) in GREETED.into_iter().chain([FIRST]).chain(LOGGED_IN) {
        check(&end(arrange, be_disconnected, state, Reason::Disconnected(4)));
        check(&end(arrange, be_removed, state, Reason::Removed));
        check(&end(arrange, shut_down, state, Reason::Shutdown));
    }
}

#[test]
fn a_session_with_a_path_can_be_ended_by_its_peer() {
    for (arrange, state) in GREETED.into_iter().chain([(player as Arrange, State::LoggedIn)]) {
        check(&end(arrange, leave, state, Reason::PeerLeft));
        check(&end(arrange, talk_nonsense, state, Reason::ProtocolViolation));
    }
    check(&end(unconfirmed, leave, State::TransportConnected, Reason::PeerLeft));
    check(&end(away, leave, State::ReconnectPending, Reason::PeerLeft));
}

#[test]
fn the_rows_name_no_arrow_twice() {
    let arrows: BTreeSet<_> = ROWS.iter().map(|row| (row.previous, row.kind, row.cause)).collect();
    assert_eq!(arrows.len(), ROWS.len());
}
