//! Which resume token is taken when.

use super::bench::{first_server, token};
use crate::Timestamp;
use crate::client::resume::{HeldToken, Purse};
use crate::netcode::packet::Packet;

fn held(generation: u8) -> HeldToken {
    held_until(generation, Timestamp::NEVER)
}

fn held_until(generation: u8, expires_at: Timestamp) -> HeldToken {
    let token = token(generation, &[first_server()]);
    HeldToken::new(generation.into(), token, 0, expires_at)
}

fn purse(generations: &[u8]) -> Purse {
    let mut purse = Purse::default();
    for &generation in generations {
        purse.insert(held(generation));
    }
    purse
}

fn take(purse: &mut Purse) -> Option<u64> {
    let held = purse.take_next()?;
    let generation = held.generation;
    purse.put_back(held);
    Some(generation)
}

fn touch(held: &mut HeldToken) {
    let mut out = [0; 100];
    assert!(held.connection.seal(&Packet::Disconnect, &mut out) > 0);
}

#[test]
fn a_round_goes_through_the_tokens_from_the_lowest_whatever_the_order_of_their_arrival() {
    let mut purse = purse(&[3, 1, 2]);

    assert_eq!([take(&mut purse), take(&mut purse), take(&mut purse)], [Some(1), Some(2), Some(3)]);
    assert_eq!(take(&mut purse), None);
    purse.begin_round();
    assert_eq!(take(&mut purse), Some(1));
}

#[test]
fn a_touched_token_is_taken_only_when_no_other_is_left() {
    let mut purse = purse(&[1, 2]);
    let mut first = purse.take_next().unwrap();
    touch(&mut first);
    purse.put_back(first);

    purse.begin_round();
    assert_eq!([take(&mut purse), take(&mut purse)], [Some(2), None]);
    purse.begin_round();
    let mut second = purse.take_next().unwrap();
    touch(&mut second);
    purse.put_back(second);
    purse.begin_round();
    assert_eq!([take(&mut purse), take(&mut purse)], [Some(2), None], "the newest, once a round");
}

#[test]
fn a_token_below_a_touched_one_is_not_taken_for_it_may_be_void() {
    let mut purse = purse(&[1, 2, 3]);
    assert_eq!(take(&mut purse), Some(1));
    for generation in [2, 3] {
        let mut held = purse.take_next().unwrap();
        assert_eq!(held.generation, generation);
        touch(&mut held);
        purse.put_back(held);
        purse.begin_round();
        assert_eq!([take(&mut purse), take(&mut purse)], [Some(3), None], "after {generation}");
        purse.begin_round();
    }
}

#[test]
fn a_generation_comes_in_once_even_while_it_is_lent_or_void() {
    let mut purse = purse(&[1, 2]);
    let first = purse.take_next().unwrap();

    assert!(!purse.wants(1) && !purse.wants(2) && purse.wants(3));
    purse.insert(held(1));
    purse.insert(held(2));
    assert_eq!(purse.len(), 1, "a copy would begin its sequence anew");
    purse.void(2);
    purse.put_back(first);
    purse.insert(held(1));

    assert_eq!(purse.len(), 0);
    assert!(!purse.wants(1) && !purse.wants(2));
}

#[test]
fn the_lowest_give_way_when_there_are_too_many_and_do_not_come_in_again() {
    let mut purse = purse(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);

    assert_eq!(purse.len(), 8);
    assert!(!purse.wants(2));
    assert_eq!(take(&mut purse), Some(3));
}

#[test]
fn expired_tokens_are_discarded_and_do_not_come_in_again() {
    let mut purse = Purse::default();
    purse.insert(held_until(1, Timestamp::from_millis(10)));
    purse.insert(held_until(2, Timestamp::from_millis(20)));

    purse.expire(Timestamp::from_millis(10));

    assert!(!purse.wants(1));
    assert_eq!(take(&mut purse), Some(2));
}

#[test]
fn a_token_that_expires_above_a_living_one_is_void_for_ever_and_the_lower_one_is_not() {
    let mut purse = purse(&[1]);
    let mut second = held_until(2, Timestamp::from_millis(10));
    touch(&mut second);
    purse.insert(second);

    purse.expire(Timestamp::from_millis(10));

    assert!(!purse.wants(2), "a copy of it would begin its sequence anew");
    assert_eq!((purse.len(), take(&mut purse)), (1, Some(1)));
}

#[test]
fn what_expires_while_a_lower_token_is_lent_does_not_void_it() {
    let mut purse = purse(&[1]);
    purse.insert(held_until(2, Timestamp::from_millis(10)));
    let first = purse.take_next().unwrap();

    purse.expire(Timestamp::from_millis(10));
    purse.put_back(first);

    assert!(!purse.wants(2));
    assert_eq!(purse.len(), 1);
}

#[test]
fn tokens_that_expire_without_end_are_remembered_within_a_bound() {
    let mut purse = purse(&[1]);

    for generation in 2..=200 {
        purse.insert(held_until(generation, Timestamp::ZERO));
        purse.expire(Timestamp::ZERO);
    }

    assert!((1..=200).all(|generation| !purse.wants(generation)));
    assert_eq!(purse.len(), 0, "the lowest is given up");
    assert!(purse.wants(201));
}

#[test]
fn sixteen_expired_generations_leave_those_below_them_alone_and_each_further_one_gives_up_the_lowest() {
    let mut purse = purse(&[1]);

    (1..=16).for_each(|nth| purse.void_one(2 * nth));
    assert!(purse.wants(3) && purse.len() == 1, "sixteen");
    purse.void_one(34);
    assert!(!purse.wants(1) && purse.wants(3) && purse.len() == 0, "seventeen");
    purse.void_one(36);
    assert!(!purse.wants(3) && purse.wants(5), "eighteen");
}

#[test]
fn what_a_completed_generation_voids_leaves_a_higher_one_that_is_lent_alone() {
    let mut purse = purse(&[1, 2]);
    assert_eq!(take(&mut purse), Some(1));
    let second = purse.take_next().unwrap();

    purse.void(1);

    assert!(!purse.wants(2), "a second copy would begin its sequence anew");
    purse.put_back(second);
    assert_eq!(purse.len(), 1);
}

#[test]
fn what_another_process_saved_voids_all_below_it() {
    let purse = Purse::restored([held(5), held(7)].into());

    assert!(!purse.wants(4) && !purse.wants(5) && purse.wants(6));
}

#[test]
fn a_generation_that_is_found_void_again_and_again_takes_the_place_of_no_other() {
    let mut purse = purse(&[1]);

    for _ in 0..200 {
        purse.void_one(5);
    }

    assert_eq!(take(&mut purse), Some(1), "nothing had to be given up to remember it");
    assert!(!purse.wants(5) && purse.wants(4));
}
