//! Foreign clients against our server, whose payloads are raw.

use rejoin::client::{ClientConfig, ClientState};
use rejoin::lifecycle::{Cause, DisconnectReason, LifecycleEventKind};
use rejoin::{Continuity, DenyReason, Event, SessionState};
use rejoin_tests::foreign::{
    DisconnectCause, ForeignClient, Mint, NetcodeRsClient, OfficialClient, RenetcodeClient, Status,
};
use rejoin_tests::hosted::{Hosted, LOOPBACK, LOOPBACK_V6, raw_config};

use super::{PAYLOAD_BYTES, payload, with_each};

with_each! {
    [official: OfficialClient, renetcode: RenetcodeClient, netcode_rs: NetcodeRsClient];
    the_handshake_completes_and_the_token_is_the_login
    payloads_cross_both_ways_unchanged
    a_full_server_denies_a_client_and_keeps_the_others
    a_kicked_client_is_told_and_the_others_stay
    a_client_that_leaves_ends_its_session_and_no_other
    a_silent_client_comes_back_to_its_session_with_a_fresh_token
}

/// A foreign client that is in, at both ends. Returns its place.
fn add_connected<C: ForeignClient + 'static>(hosted: &mut Hosted, client_id: u64) -> usize {
    let token = Mint::Official.mint(&hosted.token_contents(client_id)).unwrap();
    let guest = hosted.add_guest::<C>(&token);
    await_connected(hosted, guest, client_id);
    guest
}

fn await_connected(hosted: &mut Hosted, guest: usize, client_id: u64) {
    hosted.run_until("the handshake", |hosted| {
        hosted.guests[guest].status() == Status::Connected
            && hosted.state(client_id) == Some(SessionState::LoggedIn)
    });
}

/// Both ends send payloads of all sizes and receive each other's.
fn exchange_payloads(hosted: &mut Hosted, guest: usize, client_id: u64) {
    let id = hosted.session_id(client_id);
    for bytes in PAYLOAD_BYTES {
        let (up, down) = (payload(bytes, 1), payload(bytes, 2));
        hosted.guests[guest].client.send(&up).unwrap();
        hosted.server.commands().send_datagram(id, &down).unwrap();

        let mut received = None;
        hosted.run_until("the payloads", |hosted| {
            received = received.take().or_else(|| hosted.guests[guest].client.receive());
            received.is_some() && hosted.application.datagrams_from(id).contains(&up)
        });
        assert_eq!(received, Some(down));
    }
    let expected = PAYLOAD_BYTES.map(|bytes| payload(bytes, 1));
    assert!(hosted.application.datagrams_from(id).ends_with(&expected), "each once and in order");
}

fn the_handshake_completes_and_the_token_is_the_login<C: ForeignClient + 'static>() {
    let mut hosted = Hosted::start(raw_config(LOOPBACK));

    let guest = add_connected::<C>(&mut hosted, 7);

    let id = hosted.session_id(7);
    let kinds: Vec<_> = hosted.lifecycle_of(id).map(|event| event.kind).collect();
    assert_eq!(
        kinds,
        [
            LifecycleEventKind::TransportConnected,
            LifecycleEventKind::LoginStarted,
            LifecycleEventKind::LoginSucceeded
        ]
    );
    let (_, user_data) = hosted
        .application
        .events
        .iter()
        .find(|(event, _)| matches!(event, Event::Lifecycle(event) if event.session == id))
        .unwrap();
    assert_eq!(user_data[..], hosted.token_contents(7).user_data);
    let view = hosted.server.sessions().session(id).unwrap();
    assert_eq!(view.address(), hosted.guests[guest].client.local_addr());
}

fn payloads_cross_both_ways_unchanged<C: ForeignClient + 'static>() {
    let mut hosted = Hosted::start(raw_config(LOOPBACK));
    let guest = add_connected::<C>(&mut hosted, 7);

    exchange_payloads(&mut hosted, guest, 7);
}

fn a_full_server_denies_a_client_and_keeps_the_others<C: ForeignClient + 'static>() {
    let mut config = raw_config(LOOPBACK);
    config.sessions.sessions_max = 1;
    let mut hosted = Hosted::start(config);
    let first = add_connected::<C>(&mut hosted, 1);

    let token = Mint::Official.mint(&hosted.token_contents(2)).unwrap();
    let second = hosted.add_guest::<C>(&token);
    hosted.run_until("the denial", |hosted| hosted.guests[second].status() == Status::Denied);

    assert!(hosted.server.sessions().counters().denied(DenyReason::Full) > 0);
    assert_eq!(hosted.state(2), None);
    exchange_payloads(&mut hosted, first, 1);
}

fn a_kicked_client_is_told_and_the_others_stay<C: ForeignClient + 'static>() {
    let mut hosted = Hosted::start(raw_config(LOOPBACK));
    let kicked = add_connected::<C>(&mut hosted, 1);
    let other = add_connected::<C>(&mut hosted, 2);
    let id = hosted.session_id(1);

    hosted.server.commands().disconnect(id, 9, b"").unwrap();
    let told = Status::Disconnected(DisconnectCause::ByServer);
    hosted.run_until("the goodbye", |hosted| hosted.guests[kicked].status() == told);

    assert!(hosted.server.sessions().session(id).is_none());
    let last = hosted.lifecycle_of(id).last().unwrap();
    assert_eq!(last.cause, Cause::Ended(DisconnectReason::Disconnected(9)));
    exchange_payloads(&mut hosted, other, 2);
}

fn a_client_that_leaves_ends_its_session_and_no_other<C: ForeignClient + 'static>() {
    let mut hosted = Hosted::start(raw_config(LOOPBACK));
    let leaving = add_connected::<C>(&mut hosted, 1);
    let other = add_connected::<C>(&mut hosted, 2);
    let id = hosted.session_id(1);

    hosted.guests[leaving].client.disconnect();
    hosted.run_until("the end of the session", |hosted| hosted.state(1).is_none());

    let last = hosted.lifecycle_of(id).last().unwrap();
    assert_eq!(last.cause, Cause::Ended(DisconnectReason::PeerLeft));
    exchange_payloads(&mut hosted, other, 2);
}

/// A raw client has no resume token; where the token is the login, a fresh one of the backend leads back to the same session.
fn a_silent_client_comes_back_to_its_session_with_a_fresh_token<C: ForeignClient + 'static>() {
    let mut hosted = Hosted::start(raw_config(LOOPBACK));
    let silent = add_connected::<C>(&mut hosted, 1);
    let other = add_connected::<C>(&mut hosted, 2);
    let id = hosted.session_id(1);

    hosted.guests[silent].is_running = false;
    hosted.run_until("the timeout", |hosted| hosted.state(1) == Some(SessionState::ReconnectPending));
    let back = add_connected::<C>(&mut hosted, 1);

    assert_eq!(hosted.session_id(1), id, "the same session");
    let events: Vec<_> =
        hosted.lifecycle_of(id).skip(3).map(|event| (event.kind, event.cause, event.continuity)).collect();
    assert_eq!(
        events,
        [
            (LifecycleEventKind::TimedOut, Cause::Silence, None),
            (LifecycleEventKind::ReconnectScheduled, Cause::Silence, None),
            (LifecycleEventKind::Reconnected, Cause::Resumed, Some(Continuity::Restarted)),
        ]
    );
    let view = hosted.server.sessions().session(id).unwrap();
    assert_eq!(view.address(), hosted.guests[back].client.local_addr());
    exchange_payloads(&mut hosted, back, 1);
    exchange_payloads(&mut hosted, other, 2);
}

#[test]
fn the_tokens_of_all_foreign_mints_are_accepted() {
    let mut hosted = Hosted::start(raw_config(LOOPBACK));
    for (client_id, mint) in (1..).zip(Mint::ALL) {
        let token = mint.mint(&hosted.token_contents(client_id)).unwrap();
        let guest = hosted.add_guest::<OfficialClient>(&token);
        await_connected(&mut hosted, guest, client_id);
        exchange_payloads(&mut hosted, guest, client_id);
    }
    assert_eq!(hosted.server.sessions().len(), 3);
}

#[test]
fn the_official_client_plays_over_ipv6() {
    let mut hosted = Hosted::start(raw_config(LOOPBACK_V6));

    let guest = add_connected::<OfficialClient>(&mut hosted, 7);
    exchange_payloads(&mut hosted, guest, 7);

    let id = hosted.session_id(7);
    assert!(hosted.server.sessions().session(id).unwrap().address().is_ipv6());
    hosted.server.commands().disconnect(id, 0, b"").unwrap();
    let told = Status::Disconnected(DisconnectCause::ByServer);
    hosted.run_until("the goodbye", |hosted| hosted.guests[guest].status() == told);
}

#[test]
fn clients_of_all_kinds_share_a_server() {
    let mut hosted = Hosted::start(raw_config(LOOPBACK));
    let guests = [
        add_connected::<OfficialClient>(&mut hosted, 1),
        add_connected::<RenetcodeClient>(&mut hosted, 2),
        add_connected::<NetcodeRsClient>(&mut hosted, 3),
    ];
    for (guest, client_id) in guests.into_iter().zip(1..) {
        exchange_payloads(&mut hosted, guest, client_id);
    }
    let ours = hosted.add_player_with(4, &hosted.mint(4), ClientConfig::raw());
    hosted.run_until("our own client", |hosted| {
        hosted.players[ours].state() == ClientState::Connected
            && hosted.state(4) == Some(SessionState::LoggedIn)
    });

    hosted.server.stop(&mut hosted.application);

    let told = Status::Disconnected(DisconnectCause::ByServer);
    hosted.run_until("the goodbyes", |hosted| {
        hosted.guests.iter().all(|guest| guest.status() == told)
            && hosted.players[ours].state() == ClientState::Disconnected
    });
    assert!(hosted.server.sessions().is_empty());
}
