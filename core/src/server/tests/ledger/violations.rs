//! How payloads break the protocol.

use crate::{Config, DropReason, Verdict, Violation};

use super::super::harness::{Harness, framed_config};
use super::super::peer::Peer;
use super::{Scene, play};

const ANNA: u64 = 11;

#[test]
fn each_violation_is_reached_and_counted_as_itself_and_once() {
    for violation in Violation::ALL {
        let scene = scene(violation);
        let id = scene.0.id_of(ANNA);
        assert_eq!(scene.0.session_of(ANNA).last_violation(), None);

        play(scene, Verdict::Dropped(DropReason::Violation), |counters| {
            counters.count_drop(DropReason::Violation);
            counters.count_violation(violation);
        });

        assert_eq!(last_violation(violation, id), Some(violation));
    }
}

/// What a session tells of itself after the scene.
fn last_violation(violation: Violation, id: crate::SessionId) -> Option<Violation> {
    let (mut server, from, datagram) = scene(violation);
    server.take(from, &datagram);
    server.manager.session(id)?.last_violation()
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
