use std::time::Duration;

use mio::{Events, Interest, Poll, Token};

use super::*;

const LOOPBACK: &str = "127.0.0.1:0";

fn bind(address: &str) -> Socket {
    Socket::bind(address.parse().unwrap()).unwrap()
}

/// Receives until a datagram or a fault comes, waiting for readiness and never by the clock.
fn receive(socket: &mut Socket, buffer: &mut [u8]) -> Received {
    let mut poll = Poll::new().unwrap();
    poll.registry().register(socket, Token(0), Interest::READABLE).unwrap();
    let received = loop {
        match socket.receive(buffer) {
            Received::Drained => {
                let mut events = Events::with_capacity(1);
                poll.poll(&mut events, Some(Duration::from_secs(5))).unwrap();
                assert!(!events.is_empty(), "nothing arrived");
            }
            received => break received,
        }
    };
    poll.registry().deregister(socket).unwrap();
    received
}

#[test]
fn datagrams_arrive_whole_with_their_sender_also_when_empty() {
    let mut one = bind(LOOPBACK);
    let mut other = bind(LOOPBACK);
    let from = one.local_address();
    let mut buffer = [0; 64];

    for datagram in [&b"hello"[..], b"", b"again"] {
        assert_eq!(one.send(other.local_address(), datagram), Sent::Whole);
        assert_eq!(receive(&mut other, &mut buffer), Received::Datagram { bytes: datagram.len(), from });
        assert_eq!(&buffer[..datagram.len()], datagram);
    }
    assert_eq!(other.receive(&mut buffer), Received::Drained);
    assert_eq!(one.counters().datagrams_sent, 3);
    assert_eq!(one.counters().bytes_sent, 10);
    assert_eq!(other.counters().datagrams_received, 3);
    assert_eq!(other.counters().bytes_received, 10);
}

#[test]
fn a_dual_stack_socket_sees_an_ipv4_peer_as_ipv4_and_answers_it() {
    let mut dual = bind("[::]:0");
    let mut peer = bind(LOOPBACK);
    let mut buffer = [0; 64];
    let dual_address = SocketAddr::from(([127, 0, 0, 1], dual.local_address().port()));
    let peer_address = peer.local_address();

    assert_eq!(peer.send(dual_address, b"ping"), Sent::Whole);
    assert_eq!(receive(&mut dual, &mut buffer), Received::Datagram { bytes: 4, from: peer_address });
    assert_eq!(dual.send(peer_address, b"pong"), Sent::Whole);
    assert_eq!(receive(&mut peer, &mut buffer), Received::Datagram { bytes: 4, from: dual_address });
}

#[test]
fn a_socket_reaches_the_families_it_is_bound_for() {
    let v4: SocketAddr = "192.0.2.1:1".parse().unwrap();
    let v6: SocketAddr = "[2001:db8::1]:1".parse().unwrap();
    let reached = |socket: &Socket| (socket.reaches(v4), socket.reaches(v6));
    assert_eq!(reached(&bind(LOOPBACK)), (true, false));
    assert_eq!(reached(&bind("[::1]:0")), (false, true));
    assert_eq!(reached(&bind("[::]:0")), (true, true));
    assert_eq!(reached(&Socket::bind_one_family("[::]:0".parse().unwrap()).unwrap()), (false, true));
}

#[test]
fn both_wildcards_share_a_port_when_each_keeps_to_its_family() {
    let v6 = Socket::bind_one_family("[::]:0".parse().unwrap()).unwrap();
    let v4 = SocketAddr::from(([0, 0, 0, 0], v6.local_address().port()));
    assert_eq!(bind(&v4.to_string()).local_address(), v4);
}

#[test]
fn a_datagram_that_cannot_be_sent_is_counted_and_the_next_one_goes() {
    let mut socket = bind(LOOPBACK);
    let mut other = bind(LOOPBACK);
    let too_long = vec![0; 65_536];

    assert_eq!(socket.send(other.local_address(), &too_long), Sent::Fault(SocketFault::TooLong));
    assert_eq!(socket.counters().send_faults[SocketFault::TooLong as usize], 1);
    assert_eq!(socket.send(other.local_address(), b"short"), Sent::Whole);
    let received = receive(&mut other, &mut [0; 64]);
    assert_eq!(received, Received::Datagram { bytes: 5, from: socket.local_address() });
}

#[test]
fn a_datagram_to_a_port_where_nobody_listens_disturbs_nothing() {
    let mut socket = bind(LOOPBACK);
    let mut other = bind(LOOPBACK);
    let nobody = bind(LOOPBACK).local_address();

    assert_eq!(socket.send(nobody, b"anybody?"), Sent::Whole);
    assert_eq!(socket.receive(&mut [0; 64]), Received::Drained);
    assert_eq!(socket.send(other.local_address(), b"hello"), Sent::Whole);
    assert!(matches!(receive(&mut other, &mut [0; 64]), Received::Datagram { bytes: 5, .. }));
}

#[test]
fn a_port_in_use_is_named_in_the_error() {
    let taken = bind(LOOPBACK);
    let error = Socket::bind(taken.local_address()).unwrap_err();
    let address = taken.local_address();
    assert_eq!(error.address(), address);
    assert_eq!(error.to_string(), format!("cannot bind {address}: the port is in use by another program"));
}

#[test]
fn an_address_of_another_machine_is_named_in_the_error() {
    let error = Socket::bind("192.0.2.1:4000".parse().unwrap()).unwrap_err();
    assert_eq!(error.to_string(), "cannot bind 192.0.2.1:4000: this machine has no such address");
}
