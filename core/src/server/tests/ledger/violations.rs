//! How payloads break the protocol.

use crate::{Config, DropReason, Verdict, Violation};

use super::super::harness::{Harness, framed_config};
use super::super::peer::Peer;
use super::{Scene, play};

const ANNA: u64 = 11;

#[test]
fn each_violation_is_reached_and_counted_as_itself_and_once() {
    for violation in Violation::ALL {
        play(scene(violation), Verdict::Dropped(DropReason::Violation), |counters| {
            counters.refuse(DropReason::Violation);
            counters.refuse(violation);
        });
    }
}

#[test]
fn p5_a_session_tells_of_each_violation_and_acknowledges_no_payload_that_holds_one() {
    for violation in Violation::ALL {
        let (mut server, from, datagram) = scene(violation);
        let packets_received = server.session_of(ANNA).statistics().packets_received;
        assert_eq!(server.session_of(ANNA).last_violation(), None);

        server.take(from, &datagram);

        assert_eq!(server.session_of(ANNA).last_violation(), Some(violation));
        assert_eq!(server.session_of(ANNA).statistics().packets_received, packets_received, "{violation:?}");
        server.close();
    }
}

fn scene(violation: Violation) -> Scene {
    match violation {
        Violation::UnknownFrame => payload(&[0x7F]),
        Violation::Truncated => payload(&[0x04]),
        Violation::MalformedVarint => payload(&[0x04, 0x80, 0x00]),
        Violation::OutOfRange => payload(&[0x10, 17, 0, 1, b'x']),
        Violation::WrongRole => payload(&[0x07, 1]),
        Violation::RepeatedFrame => payload(&[0x04, 1, 0x04, 2]),
        Violation::AckNeverSent => payload(&[0x03, 0xFF, 0x7F, 0, 0, 0]),
        Violation::LaneEpochChanged => player(framed_config(), |_, anna| {
            anna.lane_epoch += 1;
            anna.hello()
        }),
        Violation::DataBeforeLogin => {
            let mut server = Harness::framed();
            let mut anna = server.guest(ANNA, 1);
            let message = anna.message(0, b"too early");
            (server, anna.address, message)
        }
        Violation::NoSuchLane => payload(&[0x10, 4, 0, 1, b'x']),
        Violation::BeyondWindow => payload(&[0x10, 0, 0x80, 0x02, 1, b'x']),
        Violation::HoldBackFull => player(framed_config(), |server, anna| {
            for number in 1..=114 {
                let piece = anna.message(number, &[7; 1_149]);
                assert!(matches!(server.talk(anna, &piece), Verdict::Accepted(_)));
            }
            anna.message(115, &[7; 87])
        }),
        Violation::MessageTooLong => {
            player(Config { message_bytes_max: 3, ..framed_config() }, |_, anna| anna.message(0, b"four"))
        }
        Violation::NoSuchKey => payload(&[0x15, 0x80, 0x02, 1, 1, b'x']),
    }
}

/// A player who sends this payload.
fn payload(payload: &[u8]) -> Scene {
    player(framed_config(), |_, anna| anna.payload(payload))
}

fn player(config: Config, make: impl FnOnce(&mut Harness, &mut Peer) -> alloc::vec::Vec<u8>) -> Scene {
    let mut server = Harness::new(config);
    let mut anna = server.player(ANNA, 1);
    let datagram = make(&mut server, &mut anna);
    (server, anna.address, datagram)
}
