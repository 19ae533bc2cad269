//! Latest-wins values at the server's end (PROTOCOL.md, section 11).

use alloc::vec::Vec;

use crate::link::frame::Frame;
use crate::{Config, DropReason, Event, SendError, SessionId, Verdict};

use super::harness::{Harness, framed_config};
use super::peer::Peer;

const ANNA: u64 = 11;

fn value(anna: &mut Peer, key: u16, version: u64, value: &[u8]) -> Vec<u8> {
    anna.frames(|writer| assert!(writer.write_latest(key, version, value)))
}

/// The values that the application was given, with their keys.
fn received(server: &Harness, id: SessionId) -> Vec<(u16, &[u8])> {
    let events = server.events.iter();
    let latest = events.filter_map(|(event, bytes)| match event {
        Event::Latest { session, key } if *session == id => Some((*key, &bytes[..])),
        _ => None,
    });
    latest.collect()
}

/// The key, version and bytes of each value that reached the player.
fn heard(anna: &Peer) -> Vec<(u16, u64, &[u8])> {
    anna.heard(|frame| match frame {
        Frame::Latest { key, version, value } => Some((key, version, value)),
        _ => None,
    })
}

#[test]
fn p71_only_values_newer_than_any_before_of_their_key_are_delivered() {
    let mut server = Harness::framed();
    let mut anna = server.player(ANNA, 1);
    let id = server.id_of(ANNA);

    for (key, version, bytes) in
        [(5, 2, &b"two"[..]), (5, 1, b"one"), (6, 1, b""), (5, 2, b"two"), (5, 9, b"nine")]
    {
        let packet = value(&mut anna, key, version, bytes);
        assert_eq!(server.talk(&mut anna, &packet), Verdict::Accepted(id));
    }

    assert_eq!(received(&server, id), [(5, &b"two"[..]), (6, b""), (5, b"nine")]);
    assert_eq!(server.session_of(ANNA).statistics().latest_stale, 2);
    server.close();
}

#[test]
fn p70_a_key_the_session_does_not_have_breaks_the_protocol() {
    let mut server = Harness::new(Config { latest_keys: 10, ..framed_config() });
    let mut anna = server.player(ANNA, 1);
    let id = server.id_of(ANNA);
    assert_eq!(anna.welcome().map(|welcome| welcome.latest_keys), Some(10));

    let inside = value(&mut anna, 9, 1, b"in");
    let outside = value(&mut anna, 10, 1, b"out");

    assert_eq!(server.talk(&mut anna, &inside), Verdict::Accepted(id));
    assert_eq!(server.talk(&mut anna, &outside), Verdict::Dropped(DropReason::Violation));
    assert_eq!(received(&server, id), [(9, &b"in"[..])]);
    server.close();
}

#[test]
fn p27_a_value_before_the_login_breaks_the_protocol_and_none_can_be_sent() {
    let mut server = Harness::framed();
    let mut anna = server.guest(ANNA, 1);
    let id = server.id_of(ANNA);

    let early = value(&mut anna, 0, 1, b"early");

    assert_eq!(server.talk(&mut anna, &early), Verdict::Dropped(DropReason::Violation));
    let refused = server.call(|manager, now| manager.send_latest(now, id, 0, b"early"));
    assert_eq!(refused, Err(SendError::NotLoggedIn));
    server.close();
}

#[test]
fn values_that_cannot_be_sent_are_refused_to_their_sender() {
    let mut server = Harness::new(Config { latest_queue_bytes_max: 1_200, ..framed_config() });
    let _anna = server.player(ANNA, 1);
    let id = server.id_of(ANNA);

    server.call(|manager, now| {
        let size = SendError::Size { bytes: 1_151, max: 1_150 };
        assert_eq!(manager.send_latest(now, id, 0, &[0; 1_151]), Err(size));
        assert_eq!(manager.send_latest(now, id, 256, b""), Err(SendError::NoSuchKey));
        assert_eq!(manager.send_latest(now, id, 255, &[0; 1_150]), Ok(()));
        let full = SendError::Full { bytes_to_acknowledge: 4 };
        assert_eq!(manager.send_latest(now, id, 254, &[0; 46]), Err(full));
        assert_eq!(manager.send_latest(now, id, 255, &[1; 1_150]), Ok(()), "in the place of the one before");
    });
    server.close();

    let mut raw = Harness::raw();
    let _anna = raw.raw_player(ANNA, 1);
    let id = raw.id_of(ANNA);
    let refused = raw.call(|manager, now| manager.send_latest(now, id, 0, b""));
    assert_eq!(refused, Err(SendError::RawPayloads));
    raw.close();
}

#[test]
fn p73_a_player_who_was_away_gets_the_newest_value_of_each_key_and_no_other() {
    let mut server = Harness::framed();
    let mut anna = server.player(ANNA, 1);
    let id = server.id_of(ANNA);
    server.call(|manager, now| manager.send_latest(now, id, 3, b"before").unwrap());
    server.listen(&mut anna);
    server.beat(&mut anna);
    server.advance(15_000);

    server.call(|manager, now| {
        for number in 0..5_u8 {
            manager.send_latest(now, id, 3, &[number]).unwrap();
            manager.send_latest(now, id, 4, &[number]).unwrap();
        }
    });
    server.resume(&mut anna, 2);
    server.listen(&mut anna);

    assert_eq!(server.id_of(ANNA), id);
    let news: Vec<_> = heard(&anna).into_iter().filter(|(_, version, _)| *version > 1).collect();
    assert_eq!(news, [(3, 6, &[4][..]), (4, 5, &[4])]);
    server.close();
}
