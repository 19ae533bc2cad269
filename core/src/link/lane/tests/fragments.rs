use alloc::vec;

use super::*;

#[test]
fn p54_a_long_message_is_cut_into_pieces_of_which_all_but_the_last_continue() {
    let mut sender = sender();
    let message: Vec<u8> = (0..3_000_u16).map(|index| index.to_le_bytes()[0]).collect();
    assert_eq!(sender.push(Message::Borrowed(b"short")), Ok(0));
    assert_eq!(sender.push(Message::Borrowed(&message)), Ok(1));
    assert_eq!(sender.push(Message::Borrowed(&[0; 1_150])), Ok(4));

    let mut pieces = vec![];
    while let Some(piece) = sender.next_to_send(0, WINDOW) {
        let (number, continues) = (piece.number, piece.continues);
        pieces.push((number, continues, [piece.bytes.0, piece.bytes.1].concat()));
        sender.on_sent(number);
    }

    let shape: Vec<_> =
        pieces.iter().map(|(number, continues, bytes)| (*number, *continues, bytes.len())).collect();
    assert_eq!(
        shape,
        [(0, false, 5), (1, true, 1_150), (2, true, 1_150), (3, false, 700), (4, false, 1_150)]
    );
    let joined: Vec<u8> = pieces[1..4].iter().flat_map(|(_, _, bytes)| bytes.clone()).collect();
    assert_eq!(joined, message);
}

#[test]
fn a_long_message_is_queued_as_a_whole_or_not_at_all() {
    let mut sender = ReliableSender::new(10_000, 5);
    sender.push(Message::Borrowed(&[0; 3_000])).unwrap();
    assert_eq!(
        sender.push(Message::Borrowed(&[0; 3_000])),
        Err(LaneSendError::Full { bytes_to_acknowledge: 1_150 })
    );
    assert_eq!(
        sender.push(Message::Borrowed(&[0; 5_000])),
        Err(LaneSendError::Full { bytes_to_acknowledge: 3_000 })
    );
    assert_eq!(sender.push(Message::Borrowed(&[0; 2_300])), Ok(3));
    assert_eq!(sender.push(Message::Borrowed(&[0; 5 * 1_150 + 1])), Err(LaneSendError::Size));
    assert_eq!(sent_numbers(&mut sender), [0, 1, 2, 3, 4]);
}

#[test]
fn p24_a_restart_counts_a_message_that_was_half_acknowledged_once() {
    let mut sender = sender();
    sender.push(Message::Borrowed(&[0; 3_000])).unwrap();
    sender.push(Message::Borrowed(&[0; 3_000])).unwrap();
    sender.push(Message::Borrowed(b"acknowledged")).unwrap();
    sent_numbers(&mut sender);
    for number in [0, 1, 4, 6] {
        sender.on_acked(number);
    }
    assert_eq!(sender.restart(), 2);
}

#[test]
fn p54_pieces_are_put_together_in_the_order_of_their_numbers_however_they_arrive() {
    let mut receiver = ReliableReceiver::default();
    assert_eq!(receive(&mut receiver, 3, b"d").0, LaneArrival::HeldBack);
    assert_eq!(receive_fragment(&mut receiver, 1, b"b"), LaneArrival::HeldBack);
    assert_eq!(receive_fragment(&mut receiver, 0, b"a"), LaneArrival::Delivered(0));
    assert_eq!(receiver.held_back_bytes(), 3);

    let mut delivered = Vec::new();
    let arrival =
        receiver.receive(2, Piece::continued(b"c"), TERMS, |message| delivered.extend_from_slice(message));

    assert_eq!((arrival, delivered), (LaneArrival::Delivered(1), b"abcd".to_vec()));
    assert_eq!(receiver.held_back_bytes(), 0);
}

#[test]
fn p55_a_repeated_or_contradicting_piece_does_nothing() {
    let mut receiver = ReliableReceiver::default();
    receive_fragment(&mut receiver, 0, b"a");
    receive_fragment(&mut receiver, 2, b"c");

    assert_eq!(receive(&mut receiver, 0, b"ends early"), (LaneArrival::Duplicate, Vec::new()));
    assert_eq!(receive(&mut receiver, 2, b"ends early"), (LaneArrival::Duplicate, Vec::new()));
    assert_eq!(receive_fragment(&mut receiver, 0, b"longer"), LaneArrival::Duplicate);

    assert_eq!(receive_fragment(&mut receiver, 1, b"b"), LaneArrival::Delivered(0));
    assert_eq!(receive(&mut receiver, 3, b"d").1, [b"abcd"]);
    assert_eq!(receiver.duplicates(), 3);
}

#[test]
fn p54_a_message_longer_than_the_limit_is_a_violation_and_takes_no_memory_beyond_it() {
    let mut receiver = ReliableReceiver::default();
    let mut receive = |number, piece| {
        receiver.receive(number, piece, LaneTerms { message_bytes_max: 10, ..TERMS }, |_| panic!("too long"))
    };
    assert_eq!(receive(0, Piece::continued(b"123456")), LaneArrival::Delivered(0));
    assert_eq!(receive(1, Piece::continued(b"78901")), LaneArrival::TooLong);
    assert_eq!(receive(1, Piece::last(b"78901")), LaneArrival::TooLong);
    assert_eq!(receive(2, Piece::last(b"11")), LaneArrival::HeldBack);
    assert_eq!(receive(1, Piece::continued(b"789")), LaneArrival::TooLong, "of what was held back");
    assert_eq!(receive(2, Piece::last(b"11")), LaneArrival::TooLong);
    assert_eq!(receiver.held_back_bytes(), 9);
}

#[test]
fn a_message_that_never_ends_takes_memory_only_for_what_arrived() {
    let mut receiver = ReliableReceiver::default();
    for number in 0..200 {
        assert_eq!(receive_fragment(&mut receiver, number, b"x"), LaneArrival::Delivered(0));
    }
    assert!(receiver.memory_bytes() <= ReliableReceiver::memory_bytes_max(terms(200)));
}

#[test]
fn the_memory_of_a_long_message_is_given_back_once_it_is_delivered() {
    let mut receiver = ReliableReceiver::default();
    for number in 0..200 {
        receive_fragment(&mut receiver, number, &[7; 1_150]);
    }
    let (arrival, delivered) = receive(&mut receiver, 200, b"end");
    assert_eq!((arrival, delivered[0].len()), (LaneArrival::Delivered(1), 200 * 1_150 + 3));
    assert!(receiver.memory_bytes() <= ReliableReceiver::memory_bytes_max(terms(WINDOW.bytes())));
}

#[test]
fn p24_a_restart_forgets_what_has_come_of_a_message() {
    let mut receiver = ReliableReceiver::default();
    receive_fragment(&mut receiver, 0, b"old");
    receiver.restart();
    assert_eq!(receiver.held_back_bytes(), 0);
    assert_eq!(receive(&mut receiver, 0, b"new").1, [b"new"]);
}

#[test]
fn p54_a_held_piece_may_complete_a_message_of_the_greatest_length() {
    let mut receiver = ReliableReceiver::default();
    let terms = terms(4);
    receiver.receive(1, Piece::last(b"cd"), terms, |_| panic!("it waits"));

    let mut delivered = Vec::new();
    let arrival = receiver.receive(0, Piece::continued(b"ab"), terms, |message| delivered.extend(message));

    assert_eq!((arrival, delivered), (LaneArrival::Delivered(1), b"abcd".to_vec()));
}

#[test]
fn the_last_piece_of_a_message_takes_no_memory_beyond_the_longest_message_and_one_by_itself_takes_none() {
    let mut receiver = ReliableReceiver::default();
    let terms = terms(1_000);

    receiver.receive(0, Piece::last(&[1; 1_000]), terms, |_| {});
    assert_eq!(receiver.memory_bytes(), 0);
    receiver.receive(1, Piece::continued(&[1; 600]), terms, |_| {});
    receiver.receive(2, Piece::last(&[1; 400]), terms, |_| {});

    assert_eq!(receiver.memory_bytes(), 1_000);
}

#[test]
fn a_receiver_reckons_with_a_record_for_each_piece_that_it_may_hold_back() {
    let bytes_max = |window_bytes| {
        let terms = LaneTerms { window: LaneWindow::new(window_bytes), message_bytes_max: 0 };
        ReliableReceiver::memory_bytes_max(terms)
    };
    let (narrow, wide) = (1 << 18, 1 << 20);
    let (pieces, bytes) = (1_024 - 256, (1 << 20) - (1 << 18));

    let more = bytes_max(wide) - bytes_max(narrow);

    // Each with its number, where it lies, how long it is, and whether it goes on.
    assert!(more >= bytes + bytes / 4 + pieces * (3 * 8 + 1), "{more} bytes more");
}
