//! What a writer leaves out, and what it keeps room for.

use alloc::vec;

use super::*;

#[test]
fn an_ack_takes_the_room_that_is_left_and_keeps_the_newest_ranges() {
    let ranges = || (0..32_u64).rev().map(|index| index * 1_000..=index * 1_000 + 3);
    for room in 0..200 {
        let mut bytes = vec![0; room];
        let mut writer = FrameWriter::new(&mut bytes);
        let written = writer.write_ack(9, ranges());
        let len = writer.len();
        if written == 0 {
            assert!(room < 7 && len == 0);
            continue;
        }
        let Frame::Ack(ack) = only_frame(&bytes[..len], Role::Server) else { panic!("no ack") };
        let count = ack.ranges().count();
        assert_eq!(written, count);
        assert!(ack.ranges().eq(ranges().take(count)));
        assert!(count == 32 || room - len < 3, "{room} {len}");
    }
}

#[test]
fn an_ack_names_at_most_32_ranges() {
    let mut bytes = [0; PAYLOAD_BYTES_MAX];
    let mut writer = FrameWriter::new(&mut bytes);
    assert_eq!(writer.write_ack(0, (0..40_u64).rev().map(|index| index * 10..=index * 10)), 32);
    let len = writer.len();
    let Frame::Ack(ack) = only_frame(&bytes[..len], Role::Server) else { panic!("no ack") };
    assert_eq!(ack.ranges().count(), 32);
}

#[test]
fn moves_leave_out_the_oldest_that_do_not_fit() {
    let inputs = || (0..40_u64).map(|age| (1_000 - age, &b"12345678"[..]));
    let mut bytes = [0; 64];
    let mut writer = FrameWriter::new(&mut bytes);
    let count = writer.write_moves(inputs());
    let len = writer.len();
    let Frame::Moves(moves) = only_frame(&bytes[..len], Role::Client) else { panic!("no moves") };
    assert_eq!(count, 6);
    assert!(moves.inputs().eq(inputs().take(count)));

    let mut bytes = [0; PAYLOAD_BYTES_MAX];
    assert_eq!(FrameWriter::new(&mut bytes).write_moves(inputs()), MOVES_MAX);
}

#[test]
fn moves_end_before_the_first_tick_that_does_not_fall() {
    for ticks in [[9, 8, 8, 7], [9, 8, 9, 7]] {
        let mut bytes = [0; PAYLOAD_BYTES_MAX];
        let mut writer = FrameWriter::new(&mut bytes);

        let count = writer.write_moves(ticks.iter().map(|&tick| (tick, &b"input"[..])));

        let len = writer.len();
        let Frame::Moves(moves) = only_frame(&bytes[..len], Role::Client) else { panic!("no moves") };
        assert_eq!(count, 2);
        assert!(moves.inputs().map(|(tick, _)| tick).eq([9, 8]), "the peer would refuse the others");
    }
}

#[test]
fn a_writer_is_untouched_until_something_is_written_or_kept_free() {
    let mut bytes = [0; 64];
    let mut writer = FrameWriter::new(&mut bytes);
    assert!(writer.is_untouched());
    writer.reserve(5);
    assert!(!writer.is_untouched());
    writer.reserve(0);
    assert!(writer.is_untouched());
    assert!(writer.write_heartbeat(1));
    assert!(!writer.is_untouched());
}

#[test]
fn a_frame_that_does_not_fit_is_not_written_at_all() {
    for (_, frame) in all_frames() {
        let mut bytes = vec![0xEE; frame.len() + 1];
        let mut writer = FrameWriter::new(&mut bytes);
        assert!(writer.write_heartbeat(1));
        let start = writer.len();
        let written = match frame[0] {
            0x09 => writer.write_resume_token(&token()),
            0x08 => writer.write_login_rejected(&rejected()),
            0x06 => writer.write_login(1, b"secret"),
            0x12 => writer.write_state(&state()),
            0x10 => writer.write_lane(5, 300, (b"ab", b"c")),
            0x14 => writer.write_fragment(6, 301, (b"ab", b"cd")),
            0x15 => writer.write_latest(300, 7, b"newest"),
            0x02 => writer.write_welcome(&welcome()),
            _ => false,
        };
        assert!(!written);
        assert_eq!(writer.len(), start);
    }
}

#[test]
fn reserved_bytes_are_kept_for_a_later_frame() {
    let mut bytes = [0; 10];
    let mut writer = FrameWriter::new(&mut bytes);
    let lane_len = FrameWriter::lane_frame_len(0, 4);
    writer.reserve(lane_len);
    assert!(writer.write_heartbeat(1));
    assert!(!writer.write_heartbeat(1));
    writer.reserve(0);
    assert!(writer.write_lane(0, 0, (b"1234", b"")));
    assert_eq!(writer.len(), 2 + lane_len);
}

#[test]
fn bounds_of_fields_hold_when_writing_too() {
    let mut bytes = [0; 2_000];
    let mut writer = FrameWriter::new(&mut bytes);
    assert!(!writer.write_goodbye(0, &[0; 256]));
    assert!(!writer.write_login(1, &[0; 1_025]));
    assert!(!writer.write_lane(0, 0, (&[], &[])));
    assert!(!writer.write_lane(UNORDERED_LANE + 1, 0, (b"m", &[])));
    assert!(!writer.write_lane(0, 0, (&[0; 1_150], &[0])));
    assert!(!writer.write_latest(0, 1, &[0; 1_151]));
    let addresses = [1; 7 * 7];
    assert!(!writer.write_resume_token(&ResumeToken { address_count: 7, addresses: &addresses, ..token() }));
    assert_eq!(writer.len(), 0);
}
