use alloc::vec;
use alloc::vec::Vec;

use super::super::PACKET_BYTES_MAX;
use super::super::fixtures::{self, PROTOCOL_ID};
use super::*;

/// Sequences on both sides of every change in encoded length.
fn sequences() -> impl Iterator<Item = u64> {
    (0..64).flat_map(|shift| [(1_u64 << shift) - 1, 1 << shift]).chain([u64::MAX])
}

fn key() -> Key {
    fixtures::client_to_server_key()
}

fn sealed(packet: &Packet<'_>, sequence: u64) -> Vec<u8> {
    let mut out = [0; PACKET_BYTES_MAX];
    let len = seal(packet, sequence, PROTOCOL_ID, &key(), &mut out).unwrap();
    out[..len].to_vec()
}

fn opened<'a>(datagram: &'a mut [u8], key: &Key) -> Option<Packet<'a>> {
    let header = peek(datagram).unwrap();
    open(datagram, &header, PROTOCOL_ID, key)
}

/// Hands every kind of packet, the payload in several lengths, to `check`.
fn for_each_packet(mut check: impl FnMut(&Packet<'_>)) {
    let mut token = fixtures::pattern(23, 11);
    check(&Packet::Denied);
    check(&Packet::Challenge { token_sequence: u64::MAX, token: &mut token });
    check(&Packet::Response { token_sequence: 1 << 40, token: &mut token });
    check(&Packet::KeepAlive { client_index: 3, max_clients: u32::MAX });
    for len in [1, 2, 1199, PAYLOAD_BYTES_MAX] {
        check(&Packet::Payload(&vec![0xee; len]));
    }
    check(&Packet::Disconnect);
}

#[test]
fn every_kind_of_packet_opens_as_it_was_sealed() {
    for_each_packet(|packet| {
        for sequence in sequences() {
            let mut datagram = sealed(packet, sequence);

            assert_eq!(peek(&datagram).unwrap().sequence, sequence);
            assert_eq!(opened(&mut datagram, &key()).as_ref(), Some(packet), "sequence {sequence:x}");
        }
    });
}

#[test]
fn the_sequence_takes_as_few_bytes_as_it_needs() {
    for (sequence, len) in [(0, 2), (0xff, 2), (0x100, 3), (0x03e8, 3), (u64::MAX >> 8, 8), (u64::MAX, 9)] {
        assert_eq!(body_offset(sequence), len, "sequence {sequence:x}");
    }
    assert_eq!(sealed(&Packet::Disconnect, 0x03e8)[..3], [0x26, 0xe8, 0x03]);
}

#[test]
fn the_largest_packet_is_exactly_the_maximum() {
    assert_eq!(sealed(&Packet::Payload(&[0; PAYLOAD_BYTES_MAX]), u64::MAX).len(), PACKET_BYTES_MAX);
    assert_eq!(PACKET_BYTES_MAX, 1225);
}

#[test]
fn a_sequence_with_high_zero_bytes_is_read_as_the_same_number() {
    let mut datagram = vec![0x36, 7, 0, 0];
    datagram.extend_from_slice(&[0; MAC_BYTES]);

    let header = Header { kind: PacketKind::Disconnect, sequence: 7, body_offset: 4 };

    assert_eq!(peek(&datagram), Ok(header));
}

#[test]
fn a_packet_opens_under_its_own_key_and_protocol_only() {
    for_each_packet(|packet| {
        let datagram = sealed(packet, 7);
        let header = peek(&datagram).unwrap();

        let other_key = open(&mut datagram.clone(), &header, PROTOCOL_ID, &fixtures::private_key()).is_some();
        let other_protocol = open(&mut datagram.clone(), &header, PROTOCOL_ID ^ 1, &key()).is_some();

        assert!(!other_key && !other_protocol);
    });
}

#[test]
fn a_packet_with_any_byte_changed_opens_nothing() {
    for_each_packet(|packet| {
        let datagram = sealed(packet, 0x0102);
        for index in 0..datagram.len() {
            let mut changed = datagram.clone();
            changed[index] ^= 1;
            if let Ok(header) = peek(&changed) {
                assert!(open(&mut changed, &header, PROTOCOL_ID, &key()).is_none(), "byte {index}");
            }
        }
    });
}

#[test]
fn a_packet_of_one_kind_does_not_pass_for_another_of_the_same_size() {
    let mut token = fixtures::pattern(23, 11);
    let mut challenge = sealed(&Packet::Challenge { token_sequence: 1, token: &mut token }, 7);
    challenge[0] = 0x13;
    let mut disconnect = sealed(&Packet::Disconnect, 7);
    disconnect[0] = 0x11;

    assert_eq!(peek(&challenge).unwrap().kind, PacketKind::Response);
    assert_eq!(opened(&mut challenge, &key()), None);
    assert_eq!(peek(&disconnect).unwrap().kind, PacketKind::Denied);
    assert_eq!(opened(&mut disconnect, &key()), None);
}

#[test]
fn a_packet_cut_short_at_any_byte_is_refused() {
    for_each_packet(|packet| {
        let datagram = sealed(packet, 0x0102_0304);
        for cut in 0..datagram.len() {
            let mut short = datagram[..cut].to_vec();
            if let Ok(header) = peek(&short) {
                assert_eq!(header.kind, PacketKind::Payload, "cut at {cut}: only payloads vary in size");
                assert!(open(&mut short, &header, PROTOCOL_ID, &key()).is_none(), "cut at {cut}");
            }
        }
    });
}

#[test]
fn every_prefix_with_every_small_length_is_harmless_and_judged_by_the_standard() {
    for prefix in 0..=u8::MAX {
        for len in 0..=64 {
            let mut datagram = vec![prefix; len];
            let (kind, sequence_len) = (prefix & 0x0f, usize::from(prefix >> 4));
            let body_len = len.checked_sub(1 + sequence_len + 16);
            let fits = match kind {
                1 | 6 => body_len == Some(0),
                4 => body_len == Some(8),
                5 => body_len.is_some_and(|len| len > 0),
                _ => false,
            };

            let header = peek(&datagram);

            let expected = fits && (1..=8).contains(&sequence_len);
            assert_eq!(header.is_ok(), expected, "prefix {prefix:x}, {len} bytes");
            if let Ok(header) = header {
                assert_eq!(open(&mut datagram, &header, PROTOCOL_ID, &key()), None);
            }
        }
    }
}

#[test]
fn each_malformation_has_its_own_error() {
    let judge = |prefix, len| {
        let mut datagram = vec![0; len];
        datagram[0] = prefix;
        peek(&datagram).err()
    };

    assert_eq!(peek(&[]), Err(PacketError::TooShort));
    assert_eq!(judge(0x15, PACKET_BYTES_MIN - 1), Some(PacketError::TooShort));
    assert_eq!(judge(0x85, 1 + 8 + 15), Some(PacketError::TooShort));
    assert_eq!(judge(0x10, 100), Some(PacketError::Kind));
    assert_eq!(judge(0x17, 100), Some(PacketError::Kind));
    assert_eq!(judge(0x05, 100), Some(PacketError::SequenceLength));
    assert_eq!(judge(0x95, 100), Some(PacketError::SequenceLength));
    assert_eq!(judge(0x15, 2 + 16), Some(PacketError::BodyLength));
    assert_eq!(judge(0x15, 2 + 1201 + 16), Some(PacketError::BodyLength));
    assert_eq!(judge(0x11, 2 + 1 + 16), Some(PacketError::BodyLength));
    assert_eq!(judge(0x12, 2 + 307 + 16), Some(PacketError::BodyLength));
    assert_eq!(judge(0x13, 2 + 309 + 16), Some(PacketError::BodyLength));
    assert_eq!(judge(0x14, 2 + 7 + 16), Some(PacketError::BodyLength));
}

#[test]
fn a_header_of_another_datagram_opens_nothing() {
    let header = peek(&sealed(&Packet::Disconnect, 1 << 60)).unwrap();

    for len in 0..header.body_offset + MAC_BYTES {
        assert_eq!(open(&mut vec![0x86; len], &header, PROTOCOL_ID, &key()), None, "{len} bytes");
    }
}

#[test]
fn a_payload_sealed_where_it_lies_is_the_same_packet() {
    for sequence in sequences() {
        let (mut out, start) = ([0; PACKET_BYTES_MAX], body_offset(sequence));
        out[start..start + 5].copy_from_slice(b"hello");

        let len = seal_payload_in_place(&mut out, 5, sequence, PROTOCOL_ID, &key()).unwrap();

        assert_eq!(out[..len], sealed(&Packet::Payload(b"hello"), sequence));
    }
}

#[test]
fn a_payload_of_an_illegal_length_is_not_sealed() {
    let mut out = [0; 2 * PACKET_BYTES_MAX];
    for len in [0, PAYLOAD_BYTES_MAX + 1] {
        assert_eq!(seal(&Packet::Payload(&vec![0; len]), 1, PROTOCOL_ID, &key(), &mut out), None);
        assert_eq!(seal_payload_in_place(&mut out, len, 1, PROTOCOL_ID, &key()), None);
    }
    assert_eq!(seal_payload_in_place(&mut out, usize::MAX, 1, PROTOCOL_ID, &key()), None);
}

#[test]
fn a_buffer_without_room_for_the_whole_packet_gets_none() {
    for_each_packet(|packet| {
        let needed = sealed(packet, 0x0102).len();
        for room in (0..needed).rev().take(20).chain([0, 1, 2]) {
            let mut out = vec![0; room];
            assert_eq!(seal(packet, 0x0102, PROTOCOL_ID, &key(), &mut out), None, "room for {room}");
        }
        assert_eq!(seal(packet, 0x0102, PROTOCOL_ID, &key(), &mut vec![0; needed]), Some(needed));
    });
}

#[test]
fn only_keep_alives_payloads_and_disconnects_are_protected_from_replay() {
    let protected: Vec<u8> = (0..=u8::MAX)
        .filter(|&number| PacketKind::from_wire(number).is_some_and(PacketKind::is_replay_protected))
        .collect();

    assert_eq!(protected, [4, 5, 6]);
}
