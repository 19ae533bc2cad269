//! The figures of a welcome: whatever they are, the client neither spins nor overflows, and leaves nobody at once.

use alloc::vec::Vec;

use super::bench::{Bench, first_server, resume_token, token, welcome};
use crate::client::{ClientConfig, ClientDisconnectReason, ClientEvent, ClientState};
use crate::link::frame::Welcome;

#[test]
fn a_welcome_without_sensible_figures_neither_spins_nor_flaps() {
    for (heartbeat_ms, timeout_ms) in [(0, 0), (0, 1), (1, 0), (10, 20)] {
        let terms = Welcome { heartbeat_ms, timeout_ms, ..welcome() };
        let backend = token(100, &[first_server()]);
        let mut bench = Bench::welcomed(ClientConfig::default(), &backend, &terms);
        bench.events();

        let mut sent = Vec::new();
        for _ in 0..20 {
            sent.extend(bench.run_for_ms(50));
            let keep_alive = bench.keep_alive(&backend);
            bench.give(&keep_alive);
        }

        assert_eq!(bench.events(), [], "a server that says something every 50 ms is there");
        assert!(sent.len() <= 110, "{} packets in a second", sent.len());
        bench.run_for_ms(99);
        assert_eq!(bench.client.state(), ClientState::LoggedIn);
        bench.run_for_ms(1);
        assert_eq!(bench.client.state(), ClientState::Away);
    }
}

#[test]
fn a_welcome_with_figures_beyond_all_bounds_overflows_nothing() {
    let terms =
        Welcome { heartbeat_ms: u64::MAX, timeout_ms: u64::MAX, reconnect_window_ms: u64::MAX, ..welcome() };
    let backend = token(100, &[first_server()]);
    let mut bench = Bench::welcomed(ClientConfig::default(), &backend, &terms);
    bench.give_resume_token(&backend, 1, &resume_token(1));

    bench.run_for_ms(60_000);
    assert_eq!(bench.client.state(), ClientState::LoggedIn, "no silence is too long for this server");
    bench.client.network_changed(bench.now);
    bench.run_for_ms(60_000);

    assert_eq!(bench.client.state(), ClientState::Away);
}

#[test]
fn a_server_that_keeps_nothing_and_names_no_login_time_is_not_left_at_once() {
    let terms = Welcome {
        logged_in: false,
        login_explicit: true,
        heartbeat_ms: 0,
        timeout_ms: 0,
        reconnect_window_ms: 0,
        ..welcome()
    };
    let mut bench = Bench::welcomed(ClientConfig::default(), &token(100, &[first_server()]), &terms);

    bench.run_for_ms(99);
    assert_eq!(bench.client.state(), ClientState::Connected);
    bench.run_for_ms(1);

    let reason = ClientDisconnectReason::TimedOut;
    assert_eq!(bench.events().last(), Some(&ClientEvent::Disconnected { reason }));
}
