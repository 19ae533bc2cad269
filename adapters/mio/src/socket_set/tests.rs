use std::time::Duration;

use mio::{Events, Poll};

use super::*;

const LOOPBACK: &str = "127.0.0.1:0";

struct Fixture {
    poll: Poll,
    set: SocketSet,
    buffer: [u8; 64],
}

impl Fixture {
    fn bind(addresses: &[&str]) -> Self {
        let poll = Poll::new().unwrap();
        let addresses: Vec<SocketAddr> = addresses.iter().map(|text| text.parse().unwrap()).collect();
        let set = SocketSet::bind(&addresses, poll.registry().try_clone().unwrap()).unwrap();
        Self { poll, set, buffer: [0; 64] }
    }

    fn address(&self, socket: usize) -> SocketAddr {
        self.set.local_addresses().nth(socket).unwrap()
    }

    /// The next datagram: its bytes, its sender and the socket it came by.
    fn receive(&mut self) -> (Vec<u8>, SocketAddr, usize) {
        loop {
            match self.set.receive(&mut self.buffer) {
                Arrival::Datagram { bytes, from, socket } => {
                    return (self.buffer[..bytes].to_vec(), from, socket);
                }
                Arrival::Fault => {}
                Arrival::Drained => self.wait(),
            }
        }
    }

    fn wait(&mut self) {
        let mut events = Events::with_capacity(8);
        self.poll.poll(&mut events, Some(Duration::from_secs(5))).unwrap();
        assert!(!events.is_empty(), "nothing arrived");
        for event in &events {
            self.set.handle_event(event);
        }
    }
}

#[test]
fn an_answer_leaves_by_the_socket_that_received_from_its_address() {
    let mut host = Fixture::bind(&[LOOPBACK, LOOPBACK]);
    let mut peer = Fixture::bind(&[LOOPBACK]);
    peer.set.send(host.address(1), b"to the second");
    let (_, from, socket) = host.receive();
    assert_eq!(socket, 1);

    host.set.learn_route(from, socket);
    assert_eq!(host.set.send(from, b"answer"), Departure::Gone);

    let (answer, sender, _) = peer.receive();
    assert_eq!((&answer[..], sender), (&b"answer"[..], host.address(1)));
}

#[test]
fn an_address_not_heard_from_is_reached_by_the_first_socket_of_its_family() {
    let mut host = Fixture::bind(&["[::1]:0", LOOPBACK, LOOPBACK]);
    let mut peer = Fixture::bind(&[LOOPBACK]);

    host.set.send(peer.address(0), b"hello");

    assert_eq!(peer.receive().1, host.address(1));
}

#[test]
fn no_route_is_kept_where_one_socket_alone_is_of_the_family() {
    let mut host = Fixture::bind(&["[::1]:0", LOOPBACK]);
    host.set.learn_route("127.0.0.1:9".parse().unwrap(), 1);
    assert!(host.set.routes.is_empty());
}

#[test]
fn a_flood_at_one_socket_does_not_keep_the_others_waiting() {
    let mut host = Fixture::bind(&[LOOPBACK, LOOPBACK]);
    let mut peer = Fixture::bind(&[LOOPBACK]);
    for _ in 0..50 {
        peer.set.send(host.address(0), b"flood");
    }
    peer.set.send(host.address(1), b"one");

    let first_two = [host.receive().2, host.receive().2];

    assert!(first_two.contains(&1), "{first_two:?}");
}

#[test]
fn a_socket_stays_readable_until_it_was_seen_empty() {
    let mut host = Fixture::bind(&[LOOPBACK]);
    let mut peer = Fixture::bind(&[LOOPBACK]);
    peer.set.send(host.address(0), b"one");
    peer.set.send(host.address(0), b"two");

    host.receive();
    assert!(host.set.is_readable());
    host.receive();
    assert!(host.set.is_readable());
    assert_eq!(host.set.receive(&mut [0; 64]), Arrival::Drained);
    assert!(!host.set.is_readable());
}

#[test]
fn a_datagram_for_a_family_without_a_socket_is_counted() {
    let mut host = Fixture::bind(&[LOOPBACK]);
    assert_eq!(host.set.send("[::1]:9".parse().unwrap(), b"lost"), Departure::Gone);
    assert_eq!(host.set.counters().send_faults[SocketFault::Unreachable as usize], 1);
}

#[test]
fn a_failed_bind_closes_what_was_already_open() {
    let taken = Socket::bind(LOOPBACK.parse().unwrap()).unwrap();
    let free = Socket::bind(LOOPBACK.parse().unwrap()).unwrap().local_address();
    let poll = Poll::new().unwrap();

    let addresses = [free, taken.local_address()];
    let error = SocketSet::bind(&addresses, poll.registry().try_clone().unwrap()).unwrap_err();

    assert_eq!(error.address(), taken.local_address());
    assert!(Socket::bind(free).is_ok());
}

#[test]
fn the_ipv6_wildcard_leaves_ipv4_to_a_socket_that_was_asked_for() {
    let port = Socket::bind_one_family("[::]:0".parse().unwrap()).unwrap().local_address().port();
    let host = Fixture::bind(&[&format!("[::]:{port}"), &format!("0.0.0.0:{port}")]);
    assert_eq!(host.set.reaching("192.0.2.1:1".parse().unwrap()).collect::<Vec<_>>(), [1]);
}
