//! What the two halves hold to.

use alloc::vec;
use alloc::vec::Vec;

use super::sender::SENDINGS_MAX;
use super::{LatestArrival, LatestReceiver, LatestSendError, LatestSender};

const KEYS: u16 = 5_000;

fn sender(keys: impl IntoIterator<Item = u16>) -> LatestSender {
    let mut sender = LatestSender::new(65_536);
    for key in keys {
        sender.set(key, &key.to_le_bytes(), KEYS).unwrap();
    }
    sender
}

/// Sends the next value; says its key, its version and the number of the sending.
fn send_next(sender: &mut LatestSender) -> Option<(u16, u64, u64)> {
    let value = sender.next_to_send()?;
    let (key, version) = (value.key, value.version);
    Some((key, version, sender.on_sent()))
}

fn send_all(sender: &mut LatestSender) -> Vec<(u16, u64, u64)> {
    core::iter::from_fn(|| send_next(sender)).collect()
}

#[test]
fn p72_values_leave_in_the_order_in_which_their_keys_came_to_have_something_to_send() {
    let mut sender = sender([7, 0, 3]);
    sender.set(0, b"newer", KEYS).unwrap();

    assert_eq!(send_all(&mut sender), [(7, 1, 1), (0, 2, 2), (3, 1, 3)]);
    sender.set(3, b"newer", KEYS).unwrap();
    sender.on_lost(2, 1);
    sender.set(7, b"newer", KEYS).unwrap();

    assert_eq!(send_all(&mut sender), [(3, 2, 4), (0, 2, 5), (7, 2, 6)]);
}

#[test]
fn p72_only_the_newest_value_is_sent_and_what_it_replaced_unsent_is_counted() {
    let mut sender = LatestSender::new(65_536);
    for value in [&b"old"[..], b"older still", b"new"] {
        sender.set(9, value, KEYS).unwrap();
    }

    let value = sender.next_to_send().unwrap();

    assert_eq!((value.key, value.version, value.bytes), (9, 3, &b"new"[..]));
    assert_eq!(sender.replaced(), 2);
    sender.on_sent();
    sender.set(9, b"after it was sent", KEYS).unwrap();
    assert_eq!(sender.replaced(), 2);
}

#[test]
fn p72_a_lost_value_is_sent_again_under_its_version_unless_it_was_replaced() {
    let mut sender = sender([1, 2]);
    send_all(&mut sender);
    sender.set(2, b"newer", KEYS).unwrap();
    send_all(&mut sender);

    sender.on_lost(1, 2);

    assert_eq!(send_all(&mut sender), [(1, 1, 4)]);
}

#[test]
fn a_value_that_left_once_more_is_not_needed_when_its_first_packet_is_lost() {
    let mut sender = sender([1]);
    assert_eq!(send_next(&mut sender), Some((1, 1, 1)));
    sender.requeue_all();
    assert_eq!(send_next(&mut sender), Some((1, 1, 2)));

    sender.on_lost(1, 1);

    assert_eq!(send_next(&mut sender), None);
    sender.on_lost(2, 1);
    assert_eq!(send_next(&mut sender), Some((1, 1, 3)));
}

#[test]
fn an_acknowledged_value_is_freed_and_not_sent_again() {
    let mut sender = sender([1, 2]);
    send_all(&mut sender);

    sender.on_acked(1, 2);
    sender.on_lost(1, 2);

    assert_eq!((sender.queue_bytes(), send_next(&mut sender)), (0, None));
}

#[test]
fn an_ack_of_an_older_value_leaves_the_newer_one_on_its_way() {
    let mut sender = sender([1]);
    send_all(&mut sender);
    sender.set(1, b"newer", KEYS).unwrap();

    sender.on_acked(1, 1);

    assert_eq!(send_next(&mut sender), Some((1, 2, 2)));
    assert!(sender.queue_bytes() > 0);
    sender.on_acked(2, 1);
    assert_eq!(sender.queue_bytes(), 0);
}

#[test]
fn a_value_thought_lost_that_arrived_after_all_is_not_sent_again() {
    let mut sender = sender([1, 2]);
    assert_eq!(send_all(&mut sender), [(1, 1, 1), (2, 1, 2)]);
    sender.on_lost(1, 1);
    assert_eq!(send_next(&mut sender), Some((1, 1, 3)));
    sender.on_lost(3, 1);
    sender.set(3, b"behind it", KEYS).unwrap();

    // The first packet's fate is settled; nothing speaks for the value but its newest sending.
    sender.on_acked(1, 1);
    assert_eq!(send_next(&mut sender), Some((1, 1, 4)));
    sender.requeue_all();
    assert_eq!(send_all(&mut sender), [(3, 1, 5), (2, 1, 6), (1, 1, 7)]);
}

#[test]
fn p73_across_new_keys_whatever_is_not_acknowledged_is_sent_again_under_its_version() {
    let mut sender = sender([4, 5, 6]);
    sender.set(5, b"newer", KEYS).unwrap();
    send_all(&mut sender);
    sender.on_acked(1, 1);

    sender.requeue_all();

    assert_eq!(send_all(&mut sender), [(5, 2, 4), (6, 1, 5)]);
}

#[test]
fn p73_a_restart_forgets_all_values_and_begins_with_version_1() {
    let mut sender = sender([4, 5]);
    assert_eq!(send_next(&mut sender), Some((4, 1, 1)));

    sender.restart();

    assert_eq!((sender.queue_bytes(), send_next(&mut sender)), (0, None));
    sender.set(4, b"afresh", KEYS).unwrap();
    assert_eq!(send_next(&mut sender), Some((4, 1, 2)));
    // News of a sending before the restart.
    sender.on_acked(1, 1);
    assert!(sender.queue_bytes() > 0);
}

#[test]
fn values_wait_while_too_many_sendings_are_unsettled() {
    let many = u16::try_from(SENDINGS_MAX).unwrap();
    let mut sender = sender(0..many + 10);
    assert_eq!(send_all(&mut sender).len(), SENDINGS_MAX);

    // A gap at the front keeps it so, for the record begins with the oldest.
    sender.on_acked(2, 10);
    assert_eq!(send_next(&mut sender), None);
    sender.on_acked(1, 1);

    assert_eq!(send_all(&mut sender).len(), 10);
}

#[test]
fn what_does_not_fit_is_refused_and_the_key_keeps_its_value() {
    let mut sender = LatestSender::new(1_200);
    assert_eq!(sender.set(KEYS, b"", KEYS), Err(LatestSendError::NoSuchKey));
    assert_eq!(sender.set(0, &[0; 1_151], KEYS), Err(LatestSendError::Size));
    sender.set(0, b"kept", KEYS).unwrap();
    sender.set(1, &[1; 1_100], KEYS).unwrap();

    // 8 and 1,104 bytes are taken.
    let full = |bytes_to_acknowledge| Err(LatestSendError::Full { bytes_to_acknowledge });
    assert_eq!(sender.set(2, &[2; 85], KEYS), full(1));
    assert_eq!(sender.set(0, &[2; 93], KEYS), full(1));
    assert_eq!(sender.set(0, &[2; 92], KEYS), Ok(()));
    assert_eq!(sender.set(1, &[1; 1_100], KEYS), Ok(()));
    assert_eq!(sender.set(0, &[2; 93], KEYS), full(1));
    assert_eq!(sender.next_to_send().unwrap().bytes, [2; 92]);
}

#[test]
fn p71_each_version_is_delivered_once_and_none_after_a_newer_one() {
    let mut receiver = LatestReceiver::default();
    let arrivals: Vec<_> = [1, 4, 4, 2, 5].map(|version| receiver.receive(8, version, KEYS)).into();
    let (newer, stale) = (LatestArrival::Newer, LatestArrival::Stale);

    assert_eq!(arrivals, [newer, newer, stale, stale, newer]);
    assert_eq!(receiver.stale(), 2);
    assert_eq!(receiver.receive(0, 1, KEYS), newer, "another key");
    receiver.restart();
    assert_eq!(receiver.receive(8, 1, KEYS), newer, "P73");
}

#[test]
fn p70_a_key_the_session_does_not_have_is_refused() {
    let mut receiver = LatestReceiver::default();
    assert_eq!(receiver.receive(10, 1, 10), LatestArrival::NoSuchKey);
    assert_eq!(receiver.receive(0, 1, 0), LatestArrival::NoSuchKey);
    assert_eq!(receiver.receive(9, 1, 10), LatestArrival::Newer);
    assert_eq!(receiver.receive(u16::MAX - 1, 1, u16::MAX), LatestArrival::Newer);
}

/// A path that loses, delays and repeats, for one sender and one receiver.
#[test]
fn whatever_the_path_does_values_never_go_back_and_the_newest_arrive() {
    let mut random = 1_u64;
    let mut below = |bound: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % bound
    };
    let (mut sender, mut receiver) = (LatestSender::new(2_000), LatestReceiver::default());
    let mut published = vec![0_u64; 20];
    let mut delivered = vec![0_u64; 20];
    let mut on_the_way: Vec<(u16, u64, u64, u64)> = vec![];
    for round in 0..20_000 {
        let is_calm = round > 19_000;
        let key = u16::try_from(below(20)).unwrap();
        if !is_calm && below(2) == 0 {
            let next = published[usize::from(key)] + 1;
            let value: Vec<u8> = next.to_le_bytes().repeat(1 + usize::try_from(below(9)).unwrap());
            if sender.set(key, &value, 20).is_ok() {
                published[usize::from(key)] = next;
            }
        }
        if below(3) > 0
            && let Some(value) = sender.next_to_send()
        {
            let content = u64::from_le_bytes(*value.bytes.first_chunk().unwrap());
            let (key, version) = (value.key, value.version);
            on_the_way.push((key, version, content, sender.on_sent()));
        }
        if on_the_way.is_empty() || (!is_calm && below(3) == 0) {
            continue;
        }
        let place = usize::try_from(below(on_the_way.len() as u64)).unwrap();
        let (key, version, content, number) = on_the_way[place];
        let is_lost = !is_calm && below(3) == 0;
        if !is_lost && receiver.receive(key, version, 20) == LatestArrival::Newer {
            assert!(content > delivered[usize::from(key)]);
            delivered[usize::from(key)] = content;
        }
        if is_lost || (!is_calm && below(9) == 0) {
            sender.on_lost(number, 1);
        } else {
            sender.on_acked(number, 1);
        }
        if is_calm || below(5) > 0 {
            on_the_way.swap_remove(place);
        }
        if below(4_000) == 0 {
            on_the_way.clear();
            sender.requeue_all();
        }
    }
    assert_eq!(delivered, published);
    assert_eq!(sender.queue_bytes(), 0);
}
