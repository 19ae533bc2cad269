//! What a client makes of a server that takes its leave (PROTOCOL.md, section 12).

use super::bench::{Bench, first_server, second_server, token, welcome};
use crate::ConnectToken;
use crate::client::{ClientConfig, ClientEvent, ClientState};
use crate::link::frame::Draining;

const NOTICE: Draining = Draining { announcement: 1, code: 7, remaining_ms: None, other_address: None };

fn tell(bench: &mut Bench, token: &ConnectToken, draining: Draining) {
    bench.give_frames(token, |writer| writer.write_draining(&draining));
}

fn told(draining: Draining, bench: &Bench) -> ClientEvent {
    let Draining { code, remaining_ms, other_address, .. } = draining;
    let deadline = remaining_ms.map(|millis| bench.now.plus_millis(millis));
    ClientEvent::ServerDraining { deadline, code, other_address }
}

fn logged_in() -> (Bench, ConnectToken) {
    let token = token(1, &[first_server()]);
    let mut bench = Bench::welcomed(ClientConfig::default(), &token, &welcome());
    bench.events();
    (bench, token)
}

#[test]
fn p80_an_announcement_is_told_with_its_deadline_and_the_client_stays_where_it_is() {
    let (mut bench, token) = logged_in();
    let notice = Draining { remaining_ms: Some(30_000), other_address: Some(second_server()), ..NOTICE };

    tell(&mut bench, &token, notice);

    assert_eq!(bench.events(), [told(notice, &bench)]);
    assert_eq!(bench.client.state(), ClientState::LoggedIn);
    assert!(bench.run_for_ms(1_000).iter().all(|sent| sent.to == first_server()));
}

#[test]
fn p81_each_announcement_is_told_once_and_an_older_one_not_at_all() {
    let (mut bench, token) = logged_in();
    let second = Draining { announcement: 2, code: 8, ..NOTICE };

    for notice in [NOTICE, NOTICE, second, NOTICE, second] {
        tell(&mut bench, &token, notice);
    }

    assert_eq!(bench.events(), [told(NOTICE, &bench), told(second, &bench)]);
}

#[test]
fn a_deadline_beyond_all_time_is_the_last_moment_there_is() {
    let (mut bench, token) = logged_in();
    let notice = Draining { remaining_ms: Some(u64::MAX), ..NOTICE };

    tell(&mut bench, &token, notice);

    assert_eq!(bench.events(), [told(notice, &bench)]);
}

#[test]
fn p80_who_has_not_logged_in_is_told_too() {
    let token = token(1, &[first_server()]);
    let guest = crate::link::frame::Welcome { logged_in: false, login_explicit: true, ..welcome() };
    let mut bench = Bench::welcomed(ClientConfig::default(), &token, &guest);
    bench.events();

    tell(&mut bench, &token, NOTICE);

    assert_eq!(bench.events(), [told(NOTICE, &bench)]);
    assert_eq!(bench.client.state(), ClientState::Connected);
}
