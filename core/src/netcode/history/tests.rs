use core::net::Ipv4Addr;

use allocation_counter::measure;
use zeroize::Zeroizing;

use super::*;
use crate::netcode::fixtures::{self, Lcg};

const FLOOR: u64 = 1_000;
const EXPIRE: u64 = 1_045;
const DEADLINE: Timestamp = Timestamp::from_millis(5_000);
const ROOMY: HistoryLimits = HistoryLimits { entries_max: 1_000, pending_max: 1_000 };

fn history(limits: HistoryLimits) -> TokenHistory {
    TokenHistory::new(limits, FLOOR, [7; 16])
}

fn at(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

fn mac(token: u8) -> Mac {
    [token; 16]
}

/// A token of its own client, so that the limit per client is out of the way.
fn token(token: u8) -> PendingMapping {
    PendingMapping {
        token_mac: mac(token),
        client_id: ClientId(token.into()),
        expire_unix: EXPIRE,
        timeout_seconds: 5,
        client_to_server_key: fixtures::client_to_server_key(),
        server_to_client_key: fixtures::server_to_client_key(),
        user_data: Zeroizing::new([token; 256]),
        lists_foreign_address: false,
    }
}

fn pending_mac(history: &TokenHistory, port: u16) -> Option<Mac> {
    history.pending_at(at(port)).map(|mapping| mapping.token_mac)
}

/// Each address is listed by the token that is mapped there, and every bound holds.
fn assert_consistent(history: &TokenHistory) {
    let mut listed = 0;
    for Reverse((_, token_mac)) in &history.by_expiry {
        if let EntryState::Pending(mapped) = &history.entries[token_mac].state {
            assert!(mapped.len() <= MAPPINGS_PER_TOKEN_MAX);
            for &address in mapped {
                assert_eq!(history.pending_at(address).map(|mapping| mapping.token_mac), Some(*token_mac));
            }
            listed += mapped.len();
        }
    }
    assert_eq!(listed, history.pending.addresses().count());
    assert_eq!(history.by_expiry.len(), history.entries.len());
    assert!(history.entries.len() <= history.limits.entries_max);
    assert!(history.pending_len() <= history.limits.pending_max);
}

#[test]
fn an_admitted_token_is_pending_where_it_came_from() {
    let mut history = history(ROOMY);

    assert_eq!(history.admit(at(1), token(1), DEADLINE), Ok(()));

    assert_eq!(pending_mac(&history, 1), Some(mac(1)));
    assert_eq!(pending_mac(&history, 2), None);
    assert!(!history.is_consumed(&mac(1)));
}

#[test]
fn a_consumed_token_is_refused_from_everywhere() {
    let mut history = history(ROOMY);
    history.admit(at(1), token(1), DEADLINE).unwrap();

    let completed = history.consume(&mac(1), at(1)).unwrap();

    assert!(*completed == token(1));
    assert!(history.is_consumed(&mac(1)));
    assert_eq!(pending_mac(&history, 1), None);
    for port in [1, 2] {
        assert_eq!(history.admit(at(port), token(1), DEADLINE), Err(AdmitRefusal::Consumed));
    }
    assert!(history.consume(&mac(1), at(1)).is_none());
    assert_consistent(&history);
}

#[test]
fn the_first_completed_response_ends_the_tokens_other_mappings() {
    let mut history = history(ROOMY);
    for port in 1..=4 {
        history.admit(at(port), token(1), DEADLINE).unwrap();
    }
    history.admit(at(5), token(2), DEADLINE).unwrap();

    history.consume(&mac(1), at(3)).unwrap();

    assert!((1..=4).all(|port| history.pending_at(at(port)).is_none()));
    assert_eq!(pending_mac(&history, 5), Some(mac(2)));
    assert_eq!(history.pending_len(), 1);
    assert_consistent(&history);
}

#[test]
fn a_response_from_an_address_without_that_token_consumes_nothing() {
    let mut history = history(ROOMY);
    history.admit(at(1), token(1), DEADLINE).unwrap();
    history.admit(at(2), token(2), DEADLINE).unwrap();

    assert!(history.consume(&mac(1), at(2)).is_none());
    assert!(history.consume(&mac(1), at(3)).is_none());
    assert!(history.consume(&mac(9), at(1)).is_none());

    assert!(!history.is_consumed(&mac(1)));
    assert!(history.consume(&mac(1), at(1)).is_some());
}

#[test]
fn a_request_repeated_from_one_of_four_addresses_replaces_none() {
    let mut history = history(ROOMY);
    for port in [1, 2, 3, 4, 3] {
        history.admit(at(port), token(1), DEADLINE).unwrap();
    }

    assert!((1..=4).all(|port| pending_mac(&history, port) == Some(mac(1))));
    assert_consistent(&history);
}

#[test]
fn a_fifth_address_replaces_the_least_recently_requested_one() {
    let mut history = history(ROOMY);
    for port in [1, 2, 3, 4, 1] {
        history.admit(at(port), token(1), DEADLINE).unwrap();
    }

    history.admit(at(5), token(1), DEADLINE).unwrap();

    assert_eq!(pending_mac(&history, 2), None);
    assert!([1, 3, 4, 5].into_iter().all(|port| pending_mac(&history, port) == Some(mac(1))));
    assert_consistent(&history);
}

#[test]
fn a_newer_token_takes_over_an_address_and_the_older_may_come_again() {
    let mut history = history(ROOMY);
    history.admit(at(1), token(1), DEADLINE).unwrap();

    history.admit(at(1), token(2), DEADLINE).unwrap();

    assert_eq!(pending_mac(&history, 1), Some(mac(2)));
    assert!(history.consume(&mac(1), at(1)).is_none());
    assert_eq!(history.admit(at(2), token(1), DEADLINE), Ok(()));
    assert!(history.consume(&mac(1), at(2)).is_some());
    assert_consistent(&history);
}

#[test]
fn a_full_history_refuses_new_tokens_and_serves_known_ones() {
    let mut history = history(HistoryLimits { entries_max: 2, ..ROOMY });
    history.admit(at(1), token(1), DEADLINE).unwrap();
    history.admit(at(2), token(2), DEADLINE).unwrap();
    history.consume(&mac(2), at(2)).unwrap();

    assert_eq!(history.admit(at(3), token(3), DEADLINE), Err(AdmitRefusal::Full));
    assert_eq!(history.admit(at(4), token(1), DEADLINE), Ok(()));
    assert!(history.is_consumed(&mac(2)));
    assert!(history.consume(&mac(1), at(1)).is_some());
}

#[test]
fn a_client_id_has_at_most_four_unexpired_tokens() {
    let mut history = history(ROOMY);
    let of_one_client = |number| PendingMapping { client_id: ClientId(77), ..token(number) };
    for number in 1..=4 {
        history.admit(at(number.into()), of_one_client(number), DEADLINE).unwrap();
        history.consume(&mac(number), at(number.into())).unwrap();
    }

    assert_eq!(history.admit(at(5), of_one_client(5), DEADLINE), Err(AdmitRefusal::ClientFull));
    assert_eq!(history.admit(at(5), token(6), DEADLINE), Ok(()));

    history.purge(EXPIRE);
    let fresh = PendingMapping { expire_unix: EXPIRE + 1, ..of_one_client(5) };
    assert_eq!(history.admit(at(5), fresh, DEADLINE), Ok(()));
}

#[test]
fn without_room_for_handshakes_new_tokens_are_refused_and_known_ones_move() {
    let mut history = history(HistoryLimits { pending_max: 2, ..ROOMY });
    history.admit(at(1), token(1), DEADLINE).unwrap();
    history.admit(at(2), token(2), DEADLINE).unwrap();

    assert_eq!(history.admit(at(3), token(3), DEADLINE), Err(AdmitRefusal::PendingFull));
    assert_eq!(history.admit(at(1), token(1), DEADLINE), Ok(()), "the same again");
    assert_eq!(history.admit(at(3), token(1), DEADLINE), Ok(()), "from another address");

    assert_eq!([1, 2, 3].map(|port| pending_mac(&history, port)), [None, Some(mac(2)), Some(mac(1))]);
    assert_consistent(&history);
}

#[test]
fn a_known_token_without_a_mapping_needs_room_for_one() {
    let mut history = history(HistoryLimits { pending_max: 1, ..ROOMY });
    history.admit(at(1), token(1), DEADLINE).unwrap();
    history.admit(at(1), token(2), DEADLINE).unwrap();

    assert_eq!(history.admit(at(2), token(1), DEADLINE), Err(AdmitRefusal::PendingFull));
    history.consume(&mac(2), at(1)).unwrap();
    assert_eq!(history.admit(at(2), token(1), DEADLINE), Ok(()));
}

#[test]
fn a_refusal_changes_nothing() {
    let mut history = history(HistoryLimits { entries_max: 1, pending_max: 1 });
    history.admit(at(1), token(1), DEADLINE).unwrap();

    assert_eq!(history.admit(at(1), token(2), DEADLINE), Err(AdmitRefusal::Full));

    assert_eq!(pending_mac(&history, 1), Some(mac(1)));
    assert_eq!(history.entries.len(), 1);
    assert_consistent(&history);
}

#[test]
fn a_token_that_expires_at_or_below_the_floor_is_refused() {
    let mut history = history(ROOMY);

    for (expire_unix, outcome) in
        [(0, Err(AdmitRefusal::BelowFloor)), (FLOOR, Err(AdmitRefusal::BelowFloor)), (FLOOR + 1, Ok(()))]
    {
        assert_eq!(history.admit(at(1), PendingMapping { expire_unix, ..token(1) }, DEADLINE), outcome);
    }
}

#[test]
fn a_purged_token_stays_dead_though_the_wall_clock_steps_back() {
    let mut history = history(ROOMY);
    history.admit(at(1), token(1), DEADLINE).unwrap();
    history.consume(&mac(1), at(1)).unwrap();

    assert_eq!(history.purge(EXPIRE - 1), 0);
    assert!(history.is_consumed(&mac(1)));
    assert_eq!(history.purge(EXPIRE), 1);
    assert_eq!(history.purge(0), 0);

    assert_eq!(history.floor_unix(), EXPIRE);
    assert_eq!(history.admit(at(1), token(1), DEADLINE), Err(AdmitRefusal::BelowFloor));
}

#[test]
fn purging_frees_the_mappings_of_what_has_expired_only() {
    let mut history = history(ROOMY);
    history.admit(at(1), token(1), DEADLINE).unwrap();
    history.admit(at(2), token(1), DEADLINE).unwrap();
    history.admit(at(3), PendingMapping { expire_unix: EXPIRE + 1, ..token(2) }, DEADLINE).unwrap();

    assert_eq!(history.purge(EXPIRE), 1);

    assert_eq!([1, 2, 3].map(|port| pending_mac(&history, port)), [None, None, Some(mac(2))]);
    assert_consistent(&history);
}

#[test]
fn one_call_frees_no_more_than_its_budget_and_the_floor_rises_in_order() {
    let mut history = history(ROOMY);
    for number in 0..100 {
        let expire_unix = EXPIRE + u64::from(number);
        let mapping = PendingMapping { expire_unix, ..token(number) };
        history.admit(at(number.into()), mapping, DEADLINE).unwrap();
    }

    assert_eq!(history.purge(u64::MAX), FREED_PER_CALL_MAX);
    assert_eq!(history.floor_unix(), EXPIRE + 63);
    assert_eq!(history.expire_pending(Timestamp::NEVER), 36);
    assert_eq!(history.purge(u64::MAX), 36);
    assert_eq!(history.purge(u64::MAX), 0);
    assert_eq!(history.entries.len(), 0);
    assert_eq!(history.tokens_of_client.len(), 0);
}

#[test]
fn one_call_ends_no_more_handshakes_than_its_budget_and_the_next_call_the_rest() {
    let mut history = history(ROOMY);
    for number in 0..100 {
        history.admit(at(number.into()), token(number), DEADLINE).unwrap();
    }

    assert_eq!(history.expire_pending(DEADLINE), FREED_PER_CALL_MAX);
    assert_eq!(history.next_pending_deadline(), Some(DEADLINE), "the rest is due at once");
    assert_eq!(history.expire_pending(DEADLINE), 36);

    assert_eq!((history.pending_len(), history.entries.len()), (0, 100));
    assert_consistent(&history);
}

#[test]
fn an_unfinished_handshake_runs_out_and_its_token_may_start_another() {
    let mut history = history(ROOMY);
    history.admit(at(1), token(1), DEADLINE).unwrap();
    history.admit(at(2), token(2), DEADLINE.plus_millis(1)).unwrap();

    assert_eq!(history.next_pending_deadline(), Some(DEADLINE));
    assert_eq!(history.expire_pending(Timestamp::from_millis(4_999)), 0);
    assert_eq!(history.expire_pending(DEADLINE), 1);

    assert_eq!([1, 2].map(|port| pending_mac(&history, port)), [None, Some(mac(2))]);
    assert_eq!(history.entries.len(), 2);
    assert_eq!(history.admit(at(1), token(1), DEADLINE.plus_millis(5_000)), Ok(()));
    assert_consistent(&history);
}

#[test]
fn a_request_repeated_extends_the_deadline_and_never_shortens_it() {
    let mut history = history(ROOMY);
    history.admit(at(1), token(1), DEADLINE).unwrap();

    history.admit(at(1), token(1), DEADLINE.plus_millis(100)).unwrap();
    assert_eq!(history.next_pending_deadline(), Some(DEADLINE.plus_millis(100)));
    history.admit(at(1), token(1), Timestamp::ZERO).unwrap();
    assert_eq!(history.next_pending_deadline(), Some(DEADLINE.plus_millis(100)));
    history.admit(at(1), token(2), DEADLINE).unwrap();
    assert_eq!(history.next_pending_deadline(), Some(DEADLINE), "another token's deadline is its own");
}

#[test]
fn a_forgotten_address_has_no_handshake_and_its_token_may_come_again() {
    let mut history = history(ROOMY);
    history.admit(at(1), token(1), DEADLINE).unwrap();

    history.forget_address(at(1));
    history.forget_address(at(2));

    assert_eq!(history.pending_len(), 0);
    assert_eq!(history.next_pending_deadline(), None);
    assert_eq!(history.admit(at(1), token(1), DEADLINE), Ok(()));
    assert_consistent(&history);
}

#[test]
fn no_sequence_of_calls_lets_a_token_complete_twice_or_breaks_a_bound() {
    for seed in 0..20 {
        let mut history = history(HistoryLimits { entries_max: 12, pending_max: 9 });
        let mut random = Lcg(seed);
        let mut completed = std::collections::BTreeSet::new();
        for step in 0..600 {
            let number = u8::try_from(random.below(40)).unwrap();
            let address = at(u16::try_from(random.below(10)).unwrap());
            let now_unix = FLOOR + step / 10;
            match random.below(20) {
                0..=9 => {
                    let (client_id, expire_unix) =
                        (ClientId(u64::from(number % 5)), FLOOR + 2 * u64::from(number));
                    let mapping = PendingMapping { client_id, expire_unix, ..token(number) };
                    let deadline = Timestamp::from_millis(step + random.below(50));
                    let outcome = history.admit(address, mapping, deadline);
                    assert!(outcome.is_err() || !completed.contains(&number), "seed {seed} step {step}");
                }
                10..=14 => {
                    if let Some(token_mac) = history.pending_at(address).map(|mapping| mapping.token_mac) {
                        assert!(history.consume(&token_mac, address).is_some());
                        assert!(completed.insert(token_mac[0]), "seed {seed} step {step}");
                    }
                }
                15 => history.forget_address(address),
                16 => {
                    history.purge(now_unix - random.below(30).min(now_unix));
                }
                _ => {
                    history.expire_pending(Timestamp::from_millis(step));
                }
            }
            assert_consistent(&history);
        }
        assert!(completed.len() > 5, "seed {seed} exercises completions");
    }
}

/// A history with so many tokens, each of a client and an address of its own, and what it has allocated.
fn measured(tokens: u8) -> (TokenHistory, usize) {
    let mut measured = None;
    let allocated = measure(|| {
        let mut history = history(ROOMY);
        for number in 0..tokens {
            history.admit(at(number.into()), token(number), DEADLINE).unwrap();
        }
        measured = Some(history);
    });
    (measured.expect("the measured closure ran"), allocated.bytes_current.try_into().unwrap())
}

#[test]
fn what_a_history_says_it_takes_is_what_it_has_allocated_give_or_take_the_nodes_of_a_tree() {
    for tokens in [0, 1, 50, 200] {
        let (history, allocated) = measured(tokens);

        let reckoned = history.memory_bytes();
        assert!(
            reckoned.abs_diff(allocated) <= 2_000,
            "{tokens} tokens: {allocated} bytes, reckoned {reckoned}"
        );
    }
}

#[test]
fn handshakes_under_way_take_at_most_what_is_reckoned_and_most_of_it() {
    let (history, _) = measured(100);

    let (taken, most) = (history.pending.memory_bytes(), PendingMappings::memory_bytes_max(100));

    assert!((taken..=taken + taken / 4).contains(&most), "{taken} of {most}");
}

#[test]
fn a_history_takes_at_most_what_its_parts_take_at_most() {
    let limits = HistoryLimits { entries_max: 100, pending_max: 10 };

    let parts = [
        map_bytes_max::<Mac, Entry>(100),
        doubling_bytes_max::<(u64, Mac)>(100),
        map_bytes_max::<ClientId, usize>(100),
        PendingMappings::memory_bytes_max(10),
        10 * LIST_BYTES,
    ];

    assert_eq!(limits.memory_bytes_max(), parts.iter().sum());
}
