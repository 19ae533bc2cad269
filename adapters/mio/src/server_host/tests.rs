use rejoin::{DropReason, Key, KeyHistory};

use super::*;
use crate::development_key::development_key;
use crate::socket::{Sent, Socket};

const LOOPBACK: &str = "127.0.0.1:0";
const PATIENCE: Duration = Duration::from_secs(10);

fn config(bind: &str) -> HostConfig {
    HostConfig::new(bind.parse().unwrap(), 7, Key::new([9; 32]))
}

fn start(config: HostConfig) -> ServerNetworkHost {
    ServerNetworkHost::start(config).unwrap()
}

fn free_address() -> SocketAddr {
    Socket::bind(LOOPBACK.parse().unwrap()).unwrap().local_address()
}

/// An application that wants to know nothing.
fn nobody() -> impl Application {
    |_: &mut Sessions<'_>, _: Event, _: &[u8]| {}
}

/// Counts its ticks.
#[derive(Default)]
struct Metronome {
    ticks: Vec<u64>,
}

impl Application for Metronome {
    fn handle_event(&mut self, _: &mut Sessions<'_>, _: Event, _: &[u8]) {}

    fn handle_tick(&mut self, sessions: &mut Sessions<'_>, tick: u64) {
        self.ticks.push(tick);
        if self.ticks.len() == 5 {
            sessions.request_stop();
        }
    }
}

#[test]
fn a_started_host_has_a_manager_without_sessions_and_a_real_port() {
    let host = start(config(LOOPBACK));
    let bound = host.bound_addresses();
    assert_ne!(bound[0].port(), 0);
    assert_eq!(host.sessions().config().public_addresses, bound);
    assert!(host.sessions().is_empty());
}

#[test]
fn an_address_that_is_listed_twice_is_named_but_a_free_port_may_be_asked_for_twice() {
    let mut twice = config("127.0.0.1:9");
    twice.bind_addresses.push("[::ffff:127.0.0.1]:9".parse().unwrap());
    let error = ServerNetworkHost::start(twice).unwrap_err();
    assert!(error.to_string().contains("127.0.0.1:9 is listed twice"), "{error}");

    let mut free = config(LOOPBACK);
    free.bind_addresses.push(LOOPBACK.parse().unwrap());
    assert_eq!(start(free).bound_addresses().len(), 2);
}

#[test]
fn a_host_listens_on_every_address_it_was_given() {
    let mut both = config(LOOPBACK);
    both.bind_addresses.push("[::1]:0".parse().unwrap());
    let mut host = start(both);
    for address in host.bound_addresses() {
        let unspecified = if address.is_ipv4() { LOOPBACK } else { "[::1]:0" };
        let mut sender = Socket::bind(unspecified.parse().unwrap()).unwrap();
        assert_eq!(sender.send(address, b"?"), Sent::Whole);
    }
    while host.sessions().counters().datagrams_received < 2 {
        host.poll(Some(PATIENCE), &mut nobody()).unwrap();
    }
}

#[test]
fn mapped_addresses_are_the_ipv4_addresses_they_are() {
    let mut mapped = config("[::ffff:127.0.0.1]:0");
    mapped.public_addresses = vec!["[::ffff:192.0.2.1]:40000".parse().unwrap()];
    let public = vec!["192.0.2.1:40000".parse().unwrap()];

    let mut host = start(mapped);

    assert!(host.bound_addresses()[0].is_ipv4());
    assert_eq!(host.sessions().config().public_addresses, public);
    host.set_public_addresses(&["[::ffff:192.0.2.2]:1".parse().unwrap()]).unwrap();
    assert_eq!(host.sessions().config().public_addresses, ["192.0.2.2:1".parse().unwrap()]);
}

#[test]
fn a_port_in_use_is_named_and_what_was_open_is_closed_again() {
    let first = start(config(LOOPBACK));
    let (free, taken) = (free_address(), first.bound_addresses()[0]);
    let mut config = config(&free.to_string());
    config.bind_addresses.push(taken);

    let error = ServerNetworkHost::start(config).unwrap_err();

    assert_eq!(error.to_string(), format!("cannot bind {taken}: the port is in use by another program"));
    assert!(Socket::bind(free).is_ok());
}

#[test]
fn wrong_settings_are_a_start_error_that_leaves_nothing_open() {
    let free = free_address();
    let mut wrong = config(&free.to_string());
    wrong.sessions.tick_hz = 0;
    assert!(matches!(ServerNetworkHost::start(wrong), Err(StartError::Config(_))));
    assert!(Socket::bind(free).is_ok());

    let mut nowhere = config(LOOPBACK);
    nowhere.bind_addresses.clear();
    assert!(matches!(ServerNetworkHost::start(nowhere), Err(StartError::NoBindAddress)));
}

#[test]
fn a_wildcard_needs_a_public_address() {
    for wildcard in ["0.0.0.0:0", "[::]:0"] {
        let error = ServerNetworkHost::start(config(wildcard)).unwrap_err();
        assert!(matches!(error, StartError::WildcardWithoutPublicAddress(_)), "{error}");
        let mut config = config(wildcard);
        config.public_addresses = vec!["192.0.2.1:40000".parse().unwrap()];
        let host = start(config.clone());
        assert_eq!(host.sessions().config().public_addresses, config.public_addresses);
    }
}

#[test]
fn a_public_address_can_be_set_while_the_host_runs() {
    let mut host = start(config(LOOPBACK));
    let public = ["192.0.2.1:40000".parse().unwrap()];
    host.set_public_addresses(&public).unwrap();
    assert_eq!(host.sessions().config().public_addresses, public);
    assert!(host.set_public_addresses(&["0.0.0.0:1".parse().unwrap()]).is_err());
    assert_eq!(host.sessions().config().public_addresses, public);
}

#[test]
fn the_development_key_serves_loopback_only_wherever_it_came_from() {
    let with_key =
        |bind: &str| HostConfig::new(bind.parse().unwrap(), 7, Key::new(*development_key().as_bytes()));
    for beyond in ["0.0.0.0:0", "192.0.2.1:0"] {
        let mut config = with_key(LOOPBACK);
        config.bind_addresses.push(beyond.parse().unwrap());
        config.public_addresses = vec!["127.0.0.1:40000".parse().unwrap()];
        let error = ServerNetworkHost::start(config).unwrap_err();
        assert!(matches!(error, StartError::DevelopmentKeyBeyondLoopback(_)), "{error}");
    }
    let host = start(with_key(LOOPBACK));
    assert_eq!(host.sessions().config().key_history, KeyHistory::Fresh);
}

#[test]
fn stopping_twice_is_stopping_once_and_frees_the_port() {
    let mut host = start(config(LOOPBACK));
    let address = host.bound_addresses()[0];

    host.stop(&mut nobody());
    host.stop(&mut nobody());

    assert!(host.bound_addresses().is_empty());
    assert!(Socket::bind(address).is_ok());
    host.poll(None, &mut nobody()).unwrap();
}

#[test]
fn a_dropped_host_frees_its_port() {
    let host = start(config(LOOPBACK));
    let address = host.bound_addresses()[0];
    drop(host);
    assert!(Socket::bind(address).is_ok());
}

#[test]
fn run_returns_when_the_application_asks_for_the_end() {
    let mut config = config(LOOPBACK);
    config.drive_ticks = true;
    config.sessions.tick_hz = 1_000;
    let mut host = start(config);
    let mut metronome = Metronome::default();
    host.run(&mut metronome).unwrap();
    assert!(metronome.ticks.len() >= 5 && metronome.ticks.is_sorted(), "{:?}", metronome.ticks);
    assert!(host.bound_addresses().is_empty());
}

#[test]
fn a_flood_of_garbage_does_not_starve_the_ticks() {
    let mut config = config(LOOPBACK);
    config.drive_ticks = true;
    config.receive_budget = 1;
    config.sessions.tick_hz = 1_000;
    let mut host = start(config);
    let mut metronome = Metronome::default();
    let mut flood = Socket::bind(LOOPBACK.parse().unwrap()).unwrap();
    let target = host.bound_addresses()[0];

    // Two datagrams come for each that is read, so the socket never runs dry.
    while !host.is_stop_requested() {
        flood.send(target, &[0xff; 100]);
        flood.send(target, &[0xff; 100]);
        host.poll(Some(PATIENCE), &mut metronome).unwrap();
        assert!(host.now().since(Timestamp::ZERO) < PATIENCE, "ticks starve");
    }

    assert!(flood.counters().datagrams_sent > host.sessions().counters().datagrams_received);
}

#[test]
fn what_is_left_after_the_budget_is_read_without_another_wake_up() {
    let mut config = config(LOOPBACK);
    config.receive_budget = 3;
    let mut host = start(config);
    let mut sender = Socket::bind(LOOPBACK.parse().unwrap()).unwrap();
    for _ in 0..7 {
        sender.send(host.bound_addresses()[0], b"garbage");
    }
    let received = [(); 3].map(|()| {
        host.poll(Some(PATIENCE), &mut nobody()).unwrap();
        host.sessions().counters().datagrams_received
    });
    assert_eq!(received, [3, 6, 7]);
}

#[test]
fn an_empty_datagram_costs_its_turn_and_nothing_else() {
    let mut host = start(config(LOOPBACK));
    let mut sender = Socket::bind(LOOPBACK.parse().unwrap()).unwrap();
    for datagram in [&b""[..], b"x", b"", b"y", b""] {
        sender.send(host.bound_addresses()[0], datagram);
    }
    host.poll(Some(PATIENCE), &mut nobody()).unwrap();
    let counters = host.sessions().counters();
    assert_eq!(counters.datagrams_received, 5);
    assert_eq!(counters.dropped(DropReason::Empty), 3);
    assert_eq!(counters.dropped_total(), 5);
}

#[test]
fn a_datagram_of_any_length_is_harmless() {
    let mut host = start(config(LOOPBACK));
    let mut sender = Socket::bind(LOOPBACK.parse().unwrap()).unwrap();
    let lengths = [1, 17, 18, 25, 333, 1_078, 1_225, 1_226, 2_047, 2_048, 2_049, 9_000, 65_000];
    for prefix in [0x00, 0x15, 0x86, 0xff] {
        for length in lengths {
            assert_eq!(sender.send(host.bound_addresses()[0], &vec![prefix; length]), Sent::Whole);
        }
    }
    let sent = 4 * lengths.len() as u64;
    while host.sessions().counters().datagrams_received < sent {
        host.poll(Some(PATIENCE), &mut nobody()).unwrap();
    }
    assert_eq!(host.sessions().counters().dropped_total(), sent);
}
