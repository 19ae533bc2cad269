mod fragments;

use alloc::vec::Vec;

use super::*;
use crate::memory::Thrift;

const WINDOW: LaneWindow = LaneWindow::new(65_536);
const TERMS: LaneTerms = LaneTerms { window: WINDOW, message_bytes_max: 262_144 };

/// The terms for messages of so many bytes.
fn terms(message_bytes_max: usize) -> LaneTerms {
    LaneTerms { message_bytes_max, ..TERMS }
}

fn sender() -> ReliableSender {
    ReliableSender::new(1 << 20, 4_096)
}

fn push_all(sender: &mut ReliableSender, count: u64, message: &[u8]) {
    for _ in 0..count {
        sender.push(Message::Borrowed(message)).unwrap();
    }
}

/// Takes the next message as a packet would.
fn send_next(sender: &mut ReliableSender) -> Option<(u64, Vec<u8>)> {
    let message = sender.next_to_send(0, WINDOW)?;
    let sent = (message.number, [message.bytes.0, message.bytes.1].concat());
    sender.on_sent(sent.0);
    Some(sent)
}

fn sent_numbers(sender: &mut ReliableSender) -> Vec<u64> {
    core::iter::from_fn(|| send_next(sender)).map(|(number, _)| number).collect()
}

/// Hands a piece of a message that goes on to the receiver.
fn receive_fragment(receiver: &mut ReliableReceiver, number: u64, bytes: &[u8]) -> LaneArrival {
    receiver.receive(number, Piece::continued(bytes), TERMS, |_| panic!("the message goes on"))
}

/// Hands a message to the receiver; returns its fate and what was delivered.
fn receive(receiver: &mut ReliableReceiver, number: u64, message: &[u8]) -> (LaneArrival, Vec<Vec<u8>>) {
    let mut delivered = Vec::new();
    let arrival =
        receiver.receive(number, Piece::last(message), TERMS, |message| delivered.push(message.to_vec()));
    (arrival, delivered)
}

#[test]
fn messages_are_numbered_from_zero_and_sent_once() {
    let mut sender = sender();
    assert_eq!(sender.push(Message::Borrowed(b"a")), Ok(0));
    assert_eq!(sender.push(Message::Borrowed(b"b")), Ok(1));
    assert_eq!(send_next(&mut sender), Some((0, b"a".to_vec())));
    assert_eq!(send_next(&mut sender), Some((1, b"b".to_vec())));
    assert_eq!(send_next(&mut sender), None);
}

#[test]
fn a_message_that_is_empty_or_larger_than_the_whole_queue_is_the_callers_mistake() {
    let mut sender = ReliableSender::new(70_000, 4_096);
    assert_eq!(sender.push(Message::Borrowed(b"")), Err(LaneSendError::Size));
    assert_eq!(sender.push(Message::Borrowed(&alloc::vec![0; 70_001])), Err(LaneSendError::Size));
    assert_eq!(sender.push(Message::Borrowed(&alloc::vec![0; 70_000])), Ok(0));
}

#[test]
fn a_full_queue_pushes_back_until_the_oldest_is_acknowledged() {
    let mut sender = ReliableSender::new(10, 3);
    sender.push(Message::Borrowed(b"12345")).unwrap();
    sender.push(Message::Borrowed(b"12345")).unwrap();
    let full = |bytes_to_acknowledge| Err(LaneSendError::Full { bytes_to_acknowledge });
    assert_eq!(sender.push(Message::Borrowed(b"1")), full(5));
    assert_eq!(sender.push(Message::Borrowed(b"123456")), full(10));
    sent_numbers(&mut sender);
    sender.on_acked(1);
    assert_eq!((sender.push(Message::Borrowed(b"1")), sender.queue_bytes()), (full(5), 10));
    sender.on_acked(0);
    assert_eq!((sender.push(Message::Borrowed(b"1")), sender.queue_bytes()), (Ok(2), 1));

    let mut sender = ReliableSender::new(10, 3);
    (0..3).for_each(|number| assert_eq!(sender.push(Message::Borrowed(b"x")), Ok(number)));
    assert_eq!(sender.push(Message::Borrowed(b"x")), full(1));
}

#[test]
fn p15_what_was_lost_goes_ahead_of_what_is_new() {
    let mut sender = sender();
    push_all(&mut sender, 4, b"m");
    send_next(&mut sender);
    send_next(&mut sender);
    send_next(&mut sender);
    sender.on_lost(2);
    sender.on_lost(1);
    assert_eq!(sent_numbers(&mut sender), [1, 2, 3]);
}

#[test]
fn news_about_a_message_that_is_already_settled_changes_nothing() {
    let mut sender = sender();
    push_all(&mut sender, 3, b"m");
    send_next(&mut sender);
    send_next(&mut sender);
    sender.on_acked(1);
    sender.on_lost(1);
    sender.on_acked(1);
    sender.on_lost(0);
    sender.on_lost(0);
    sender.on_acked(0);
    sender.on_lost(0);
    // Number 2 was never sent, number 9 never queued.
    sender.on_acked(2);
    sender.on_acked(9);
    sender.on_lost(9);
    assert_eq!(sent_numbers(&mut sender), [2]);
}

#[test]
fn p51_at_most_256_messages_are_under_way() {
    let mut sender = sender();
    push_all(&mut sender, 300, b"m");
    assert_eq!(sent_numbers(&mut sender), (0..256).collect::<Vec<_>>());
    sender.on_acked(5);
    assert_eq!(sent_numbers(&mut sender), []);
    sender.on_acked(0);
    assert_eq!(sent_numbers(&mut sender), [256]);
    (1..5).for_each(|number| sender.on_acked(number));
    assert_eq!(sent_numbers(&mut sender), [257, 258, 259, 260, 261]);
}

#[test]
fn p51_at_most_65536_bytes_are_under_way() {
    let mut sender = sender();
    push_all(&mut sender, 100, &[0; 1_024]);
    assert_eq!(sent_numbers(&mut sender).len(), 64);
    sender.on_lost(0);
    assert_eq!(sent_numbers(&mut sender), [0]);
    sender.on_acked(0);
    assert_eq!(sent_numbers(&mut sender), [64]);
}

#[test]
fn p51_a_larger_window_lets_more_be_under_way_and_be_held_back() {
    let window = LaneWindow::new(300_000);
    let mut sender = sender();
    push_all(&mut sender, 400, &[0; 1_000]);
    let mut sent = 0;
    while let Some(piece) = sender.next_to_send(0, window) {
        let number = piece.number;
        sender.on_sent(number);
        sent += 1;
    }
    assert_eq!(sent, 292, "300,000 / 1,024");

    let mut receiver = ReliableReceiver::default();
    let terms = LaneTerms { window, ..TERMS };
    let mut receive = |number, bytes: &[u8]| receiver.receive(number, Piece::last(bytes), terms, |_| {});
    assert!((1..292).all(|number| receive(number, &[0; 1_027]) == LaneArrival::HeldBack), "299,884 bytes");
    assert_eq!(receive(292, b"m"), LaneArrival::BeyondWindow);
}

#[test]
fn p24_everything_unacknowledged_is_requeued_in_order() {
    let mut sender = sender();
    push_all(&mut sender, 5, b"m");
    (0..4).for_each(|number| assert_eq!(send_next(&mut sender).unwrap().0, number));
    sender.on_acked(0);
    sender.on_acked(2);
    sender.on_lost(3);
    sender.requeue_all();
    assert_eq!(sent_numbers(&mut sender), [1, 3, 4]);
}

#[test]
fn p24_a_restart_begins_at_zero_and_says_what_is_lost() {
    let mut sender = sender();
    push_all(&mut sender, 5, b"old");
    sent_numbers(&mut sender);
    sender.on_acked(0);
    sender.on_acked(2);
    assert_eq!(sender.restart(), 3);
    assert_eq!((send_next(&mut sender), sender.queue_bytes()), (None, 0));
    assert_eq!(sender.push(Message::Borrowed(b"new")), Ok(0));
    assert_eq!(send_next(&mut sender), Some((0, b"new".to_vec())));
}

#[test]
fn messages_in_order_are_delivered_at_once() {
    let mut receiver = ReliableReceiver::default();
    for number in 0..3 {
        let (arrival, delivered) = receive(&mut receiver, number, b"m");
        assert_eq!((arrival, delivered.len()), (LaneArrival::Delivered(1), 1));
    }
}

#[test]
fn messages_ahead_of_their_turn_wait_for_it() {
    let mut receiver = ReliableReceiver::default();
    assert_eq!(receive(&mut receiver, 3, b"three").0, LaneArrival::HeldBack);
    assert_eq!(receive(&mut receiver, 1, b"one").0, LaneArrival::HeldBack);
    let (arrival, delivered) = receive(&mut receiver, 0, b"zero");
    assert_eq!(
        (arrival, delivered),
        (LaneArrival::Delivered(2), [&b"zero"[..], b"one"].map(<[u8]>::to_vec).into())
    );
    let (_, delivered) = receive(&mut receiver, 2, b"two");
    assert_eq!(delivered, [&b"two"[..], b"three"]);
}

#[test]
fn p17_a_message_that_was_handled_does_nothing_again() {
    let mut receiver = ReliableReceiver::default();
    receive(&mut receiver, 0, b"m");
    receive(&mut receiver, 2, b"m");
    assert_eq!(receive(&mut receiver, 0, b"other"), (LaneArrival::Duplicate, Vec::new()));
    assert_eq!(receive(&mut receiver, 2, b"other"), (LaneArrival::Duplicate, Vec::new()));
    assert_eq!(receiver.duplicates(), 2);
    assert_eq!(receive(&mut receiver, 1, b"m").1, [b"m", b"m"]);
}

#[test]
fn p51_a_message_beyond_the_window_is_a_violation() {
    let mut receiver = ReliableReceiver::default();
    assert_eq!(receive(&mut receiver, 256, b"m").0, LaneArrival::BeyondWindow);
    assert_eq!(receive(&mut receiver, 255, b"m").0, LaneArrival::HeldBack);
    assert_eq!(receive(&mut receiver, u64::MAX, b"m").0, LaneArrival::BeyondWindow);
}

#[test]
fn p51_no_more_than_65536_bytes_are_held_back() {
    let mut receiver = ReliableReceiver::default();
    for number in 1..=64 {
        assert_eq!(receive(&mut receiver, number, &[0; 1_024]).0, LaneArrival::HeldBack);
    }
    assert_eq!(receive(&mut receiver, 65, b"m").0, LaneArrival::HoldBackFull);
    assert_eq!(receive(&mut receiver, 0, b"m").0, LaneArrival::Delivered(65));
    assert_eq!(receive(&mut receiver, 66, b"m").0, LaneArrival::HeldBack);
}

#[test]
fn a_hold_back_that_never_empties_stays_within_its_bound() {
    let mut receiver = ReliableReceiver::default();
    let message = |number: u64| [number.to_le_bytes().as_slice(), &[7; 992]].concat();
    let mut receive = |number: u64, delivered: &mut u64| {
        let arrival = receiver.receive(number, Piece::last(&message(number)), TERMS, |bytes| {
            assert_eq!(bytes, message(*delivered));
            *delivered += 1;
        });
        assert!(receiver.memory_bytes() <= ReliableReceiver::memory_bytes_max(terms(0)));
        arrival
    };
    let mut delivered = 0;
    for number in [1, 3, 5, 7, 9] {
        assert_eq!(receive(number, &mut delivered), LaneArrival::HeldBack);
    }
    for number in (0..2_000).step_by(2) {
        assert_eq!(receive(number + 11, &mut delivered), LaneArrival::HeldBack);
        assert_eq!(receive(number, &mut delivered), LaneArrival::Delivered(2));
    }
    assert_eq!(delivered, 2_000);
}

#[test]
fn a_window_filled_to_the_brim_moves_few_bytes_for_each_that_arrives() {
    let mut receiver = ReliableReceiver::default();
    let mut arrived = 0;
    let mut hold_back = |receiver: &mut ReliableReceiver, number, bytes: &[u8]| {
        arrived += bytes.len() as u64;
        assert_eq!(receive(receiver, number, bytes).0, LaneArrival::HeldBack);
    };
    // The first of them leaves its hole in front of all others, and from then on the window has room for as much again.
    hold_back(&mut receiver, 1, &[1; 1_150]);
    (200..255).for_each(|number| hold_back(&mut receiver, number, &[2; 1_150]));
    hold_back(&mut receiver, 199, &[2; 1_136]);
    receive(&mut receiver, 0, &[0]);

    for number in (2..198).step_by(2) {
        hold_back(&mut receiver, number + 1, &[3; 1_150]);
        assert_eq!(receive(&mut receiver, number, &[0]).0, LaneArrival::Delivered(2));
    }

    assert_eq!(receiver.held_back_bytes(), WINDOW.bytes() - 1_150);
    assert!(receiver.moved_bytes() > 0, "holes are closed");
    assert!(receiver.moved_bytes() <= 4 * arrived, "{} for {arrived}", receiver.moved_bytes());
    assert!(receiver.memory_bytes() <= ReliableReceiver::memory_bytes_max(terms(0)));
}

#[test]
fn where_there_are_no_holes_nothing_is_moved_to_give_memory_back() {
    let mut receiver = ReliableReceiver::default();
    for number in [0, 3, 1, 5, 6] {
        receive(&mut receiver, number, &[1; 500]);
    }
    receiver.give_back(Thrift::Spare);
    assert_eq!(receiver.moved_bytes(), 0, "nothing had its turn but what did not wait");

    receive(&mut receiver, 2, &[1; 500]);
    for _ in 0..10 {
        receiver.give_back(Thrift::Spare);
    }
    assert_eq!(receiver.moved_bytes(), 1_000, "the hole of piece 3 is closed once");
}

#[test]
fn p24_a_restarted_receiver_expects_number_zero() {
    let mut receiver = ReliableReceiver::default();
    receive(&mut receiver, 0, b"old");
    receive(&mut receiver, 2, b"old");
    receiver.restart();
    assert_eq!(receive(&mut receiver, 1, b"b").0, LaneArrival::HeldBack);
    assert_eq!(receive(&mut receiver, 0, b"a").1, [b"a", b"b"]);
    assert_eq!(receive(&mut receiver, 2, b"c").1, [b"c"]);
}
