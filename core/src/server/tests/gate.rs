//! The gate by itself: which request opens and is admitted, and which answer fits which challenge.

use core::net::SocketAddr;

use crate::netcode::history::HistoryLimits;
use crate::netcode::packet::{self, Header, Packet};
use crate::netcode::{CHALLENGE_TOKEN_BYTES, Mac, PACKET_BYTES_MAX};
use crate::server::admission::{Admission, AdmissionSeeds, OpenedRequest};
use crate::{ClientId, Config, DropReason, Key, KeyHistory, Timestamp};

use super::harness::{UNIX_S, client_address, raw_config, server_address};
use super::ticket::Backend;

const NOW: Timestamp = Timestamp::from_millis(1_000);
const CLIENT: ClientId = ClientId(7);

fn config() -> Config {
    Config { key_history: KeyHistory::Fresh, ..raw_config() }
}

fn admission() -> Admission {
    let seeds =
        AdmissionSeeds { challenge_key: Key::new([3; 32]), first_sequence: u64::MAX, hash_key: [4; 16] };
    Admission::new(&config(), UNIX_S, seeds)
}

fn backend() -> Backend {
    Backend::new(config().private_key, server_address())
}

fn open(admission: &Admission, datagram: &[u8]) -> Result<OpenedRequest, DropReason> {
    admission.open_token(&admission.read_request(datagram, UNIX_S)?, UNIX_S)
}

/// A request with the next token of the backend, opened.
fn request(admission: &Admission, backend: &mut Backend) -> OpenedRequest {
    let datagram = backend.ticket(CLIENT.0, UNIX_S).request();
    let Ok(opened) = open(admission, &datagram) else { panic!("a good token") };
    opened
}

/// A challenge to `address`, as its client reads it.
fn challenge(
    admission: &mut Admission,
    address: SocketAddr,
    request: &OpenedRequest,
) -> (Header, u64, [u8; CHALLENGE_TOKEN_BYTES]) {
    let mut out = [0; PACKET_BYTES_MAX];
    let len = admission.seal_challenge(address, request, &mut out);
    let header = packet::peek(&out[..len]).unwrap();
    let key = &request.private.server_to_client_key;
    match packet::open(&mut out[..len], &header, config().protocol_id, key) {
        Some(Packet::Challenge { token_sequence, token }) => (header, token_sequence, *token),
        other => panic!("no challenge: {other:?}"),
    }
}

#[test]
fn a_challenge_answers_for_its_own_token_at_its_own_address_and_for_no_other() {
    let (mut admission, mut backend) = (admission(), backend());
    let (here, there) = (client_address(1), client_address(2));
    let own = request(&admission, &mut backend);
    let next = request(&admission, &mut backend);
    let (_, sequence, token) = challenge(&mut admission, here, &own);
    let answers_for = |sequence, address, client_id, token_mac: &Mac| {
        admission.is_challenge_of(sequence, &mut token.clone(), address, client_id, token_mac)
    };

    assert!(answers_for(sequence, here, CLIENT, &own.token_mac));
    assert!(!answers_for(sequence, there, CLIENT, &own.token_mac), "another address");
    assert!(!answers_for(sequence, here, CLIENT, &next.token_mac), "another token of the same client");
    assert!(!answers_for(sequence, here, ClientId(8), &own.token_mac), "another client");
    assert!(!answers_for(sequence + 1, here, CLIENT, &own.token_mac), "another challenge");
}

#[test]
fn no_two_challenges_have_one_number_and_no_two_packets_one_sequence() {
    let (mut admission, mut backend) = (admission(), backend());
    let request = request(&admission, &mut backend);

    let numbers: [_; 3] = core::array::from_fn(|_| {
        let (header, number, _) = challenge(&mut admission, client_address(1), &request);
        let mut out = [0; PACKET_BYTES_MAX];
        let len = admission.seal_denied(&request.private.server_to_client_key, &mut out);
        [header.sequence, packet::peek(&out[..len]).unwrap().sequence, number]
    });

    // Above those of every session, though the first of them was drawn as high as can be.
    let first = (1 << 63) + (1 << 62) - 1;
    assert_eq!(numbers, [[first, first + 1, 0], [first + 2, first + 3, 1], [first + 4, first + 5, 2]]);
}

#[test]
fn a_token_may_end_as_late_as_one_that_is_made_now_by_a_clock_that_is_ahead() {
    let (admission, mut backend) = (admission(), backend());
    let mut open = |lifetime_s| {
        backend.lifetime_s = lifetime_s;
        let datagram = backend.ticket(CLIENT.0, UNIX_S).request();
        open(&admission, &datagram).err()
    };

    assert_eq!((open(45 + 5), open(45 + 5 + 1)), (None, Some(DropReason::TokenLifetime)));
}

#[test]
fn a_token_that_is_used_between_its_request_and_its_admission_is_not_admitted() {
    let (mut admission, mut backend) = (admission(), backend());
    let (here, there) = (client_address(1), client_address(2));
    let request = request(&admission, &mut backend);
    admission.admit(here, &request, false, Timestamp::NEVER, UNIX_S).unwrap();
    assert!(admission.consume(&request.token_mac, here).is_some());

    let refusal = admission.admit(there, &request, false, Timestamp::NEVER, UNIX_S);

    assert_eq!(refusal, Err(DropReason::TokenConsumed));
    assert!(admission.pending_at(there).is_none());
}

#[test]
fn a_token_that_expires_between_its_request_and_its_admission_is_not_admitted() {
    let (mut admission, mut backend) = (admission(), backend());
    let (here, there) = (client_address(1), client_address(2));
    let [first, second] = [(); 2].map(|()| request(&admission, &mut backend));
    admission.admit(here, &first, false, Timestamp::NEVER, UNIX_S).unwrap();

    let refusal = admission.admit(there, &second, false, Timestamp::NEVER, second.expire_unix);

    assert_eq!(refusal, Err(DropReason::TokenBeforeStart), "what expired with the first is forgotten");
    assert!(admission.pending_at(there).is_none());
}

#[test]
fn a_forgotten_address_has_no_handshake_under_way() {
    let (mut admission, mut backend) = (admission(), backend());
    let request = request(&admission, &mut backend);
    let address = client_address(1);
    admission.admit(address, &request, false, NOW, UNIX_S).unwrap();
    assert!(admission.pending_at(address).is_some());

    admission.forget_address(address);

    assert!(admission.pending_at(address).is_none());
}

#[test]
fn its_memory_is_that_of_the_token_history() {
    let limits = HistoryLimits { entries_max: 60, pending_max: 40 };
    let config = Config { token_history_max: 60, handshakes_max: 40, ..config() };

    assert_eq!(Admission::memory_bytes_max(&config), limits.memory_bytes_max());
}
