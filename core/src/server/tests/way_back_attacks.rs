//! What goes wrong on the way back, by accident or on purpose: lost replies, withheld and repeated packets, copied requests.

use crate::lifecycle::{Cause, LifecycleEventKind as Kind, SessionState as State};
use crate::netcode::private_token::{PrivateToken, TokenSeal};
use crate::server::way_back::{ResumeClaim, ResumeContent, ResumeMint};
use crate::{ClientId, Continuity, DropReason, Key, Verdict};

use super::harness::{Harness, UNSPENT_TOKENS, client_address, token_login_config};
use super::peer::Peer;
use super::ticket::{PROTOCOL_ID, Ticket};

const ANNA: u64 = 11;
const BEN: u64 = 22;

#[test]
fn a_withheld_resume_response_released_later_cuts_no_living_player() {
    let mut server = Harness::framed();
    let mut anna = server.player(ANNA, 1);
    let id = server.id_of(ANNA);
    let mut elsewhere = Peer::new(anna.unspent_tickets().remove(0), client_address(2));
    let request = elsewhere.request();
    server.talk(&mut elsewhere, &request);
    let withheld = elsewhere.response();
    server.live(&mut [&mut anna], 30_000);

    assert_eq!(server.take(elsewhere.address, &withheld), Verdict::Answered);
    server.live(&mut [&mut anna], 30_000);

    assert_eq!(server.id_of(ANNA), id);
    assert_eq!(server.session_of(ANNA).address(), anna.address);
    assert_eq!(server.kinds_of(ANNA).len(), 3);
    let still_unspent = anna.unspent_tickets().split_off(1);
    assert!(still_unspent.len() >= UNSPENT_TOKENS, "what the attempt used up was replaced");
    anna.change_path(still_unspent[0].clone(), client_address(3));
    server.enter(&mut anna);
    assert_eq!(server.last_of(ANNA).cause, Cause::TakenOver);
    server.close();
}

#[test]
fn a_withheld_resume_response_of_an_earlier_token_opens_nothing() {
    let mut server = Harness::framed();
    let mut anna = server.player(ANNA, 1);
    server.request_resume(&mut anna, 2);
    let (from, withheld) = (anna.address, anna.response());
    server.resume(&mut anna, 3);
    let sent = server.sent.len();

    let verdict = server.take(from, &withheld);

    assert_eq!(verdict, Verdict::Dropped(DropReason::ResponseUnexpected));
    assert_eq!(server.sent.len(), sent);
    assert_eq!(server.session_of(ANNA).address(), client_address(3));
    server.close();
}

#[test]
fn a_recorded_resume_response_repeated_for_ever_keeps_no_dead_attempt_alive() {
    let mut server = Harness::framed();
    let mut anna = server.player(ANNA, 1);
    server.advance(5_000);
    server.request_resume(&mut anna, 2);
    let response = anna.response();

    for _ in 0..51 {
        server.take(anna.address, &response);
        server.advance(100);
    }
    assert_eq!(server.last_of(ANNA).cause, Cause::AttemptUnconfirmed);
    assert_eq!(server.take(anna.address, &response), Verdict::Dropped(DropReason::ResponseUnexpected));
    server.advance(55_000);

    assert_eq!(server.state_of(ANNA), None);
    server.close();
}

#[test]
fn a_lost_keep_alive_during_a_resume_strands_nobody() {
    let mut server = Harness::framed();
    let mut anna = server.player(ANNA, 1);
    let id = server.id_of(ANNA);
    server.advance(5_000);
    server.request_resume(&mut anna, 2);
    let response = anna.response();
    server.take(anna.address, &response);
    server.inbox(anna.address);

    let again = anna.response();
    assert_eq!(server.talk(&mut anna, &again), Verdict::Answered);
    assert!(!anna.keep_alives.is_empty());
    let hello = anna.hello();
    server.talk(&mut anna, &hello);

    assert_eq!((server.id_of(ANNA), server.state_of(ANNA)), (id, Some(State::LoggedIn)));
    server.close();
}

#[test]
fn an_attempt_whose_every_reply_was_lost_leaves_the_next_token_usable() {
    let mut server = Harness::framed();
    let mut anna = server.player(ANNA, 1);
    let id = server.id_of(ANNA);
    server.advance(5_000);
    anna.begin_resume(client_address(2));
    server.shake_hands(&mut anna);
    let hello = anna.hello();
    server.take(anna.address, &hello);
    server.inbox(anna.address);
    assert_eq!(server.state_of(ANNA), Some(State::LoggedIn));

    anna.begin_resume(client_address(3));
    assert_eq!(anna.ticket.generation, 2, "no renewal has reached it");
    server.enter(&mut anna);
    server.live(&mut [&mut anna], 500);

    assert_eq!((server.id_of(ANNA), server.state_of(ANNA)), (id, Some(State::LoggedIn)));
    assert_eq!(anna.unspent_tickets().len(), UNSPENT_TOKENS, "the renewals that were lost came again");
    server.close();
}

#[test]
fn a_client_that_used_its_last_token_while_every_reply_was_lost_gets_new_ones() {
    let mut server = Harness::framed();
    let mut anna = server.player(ANNA, 1);
    for _ in 0..UNSPENT_TOKENS {
        anna.begin_resume(anna.address);
        server.shake_hands(&mut anna);
        let hello = anna.hello();
        server.take(anna.address, &hello);
        server.inbox(anna.address);
    }
    assert!(anna.unspent_tickets().is_empty());

    let hello = anna.hello();
    server.talk(&mut anna, &hello);
    assert!(anna.welcome().is_some_and(|welcome| welcome.lanes_kept));
    server.beat(&mut anna);

    assert_eq!(anna.unspent_tickets().len(), UNSPENT_TOKENS);
    server.close();
}

#[test]
fn a_sniffed_resume_request_sent_first_from_elsewhere_neither_moves_the_session_nor_keeps_its_owner_out() {
    let mut server = Harness::framed();
    let mut anna = server.player(ANNA, 1);
    let id = server.id_of(ANNA);
    server.advance(5_000);
    anna.begin_resume(client_address(2));
    let request = anna.request();
    for port in 100..104 {
        assert_eq!(server.take(client_address(port), &request), Verdict::Answered);
    }

    server.enter(&mut anna);

    assert_eq!((server.id_of(ANNA), server.session_of(ANNA).address()), (id, anna.address));
    assert_eq!(server.manager.directory.len(), (1, 1));
    server.close();
}

#[test]
fn a_challenge_of_one_token_does_not_answer_for_the_next() {
    let mut server = Harness::framed();
    let mut anna = server.player(ANNA, 1);
    let tickets = anna.unspent_tickets();
    let mut first = Peer::new(tickets[0].clone(), client_address(2));
    let mut second = Peer::new(tickets[1].clone(), client_address(3));
    for peer in [&mut first, &mut second] {
        let request = peer.request();
        server.talk(peer, &request);
    }

    let response = second.response_to(first.challenge.clone().unwrap());

    assert_eq!(server.talk(&mut second, &response), Verdict::Dropped(DropReason::ChallengeMismatch));
    server.beat(&mut anna);
    server.close();
}

#[test]
fn completing_a_later_token_makes_the_earlier_one_void() {
    let mut server = Harness::framed();
    let mut anna = server.player(ANNA, 1);
    let tickets = anna.unspent_tickets();
    let mut second = Peer::new(tickets[1].clone(), client_address(2));
    server.shake_hands(&mut second);

    let verdict = server.take(client_address(3), &tickets[0].request());

    assert_eq!(verdict, Verdict::Dropped(DropReason::ResumeSpent));
    server.beat(&mut anna);
    server.close();
}

#[test]
fn a_new_epoch_takes_no_frames_before_its_hello() {
    let mut server = Harness::framed();
    let mut anna = server.player(ANNA, 1);
    let id = server.id_of(ANNA);
    anna.begin_resume(client_address(2));
    server.shake_hands(&mut anna);

    let message = anna.message(0, b"too early");
    assert_eq!(server.talk(&mut anna, &message), Verdict::Dropped(DropReason::BeforeHello));
    let keep_alive = anna.keep_alive();
    assert_eq!(server.talk(&mut anna, &keep_alive), Verdict::Dropped(DropReason::BeforeHello));
    assert_eq!(server.session_of(ANNA).address(), client_address(1));
    let hello = anna.hello();
    server.talk(&mut anna, &hello);
    let message = anna.message(0, b"in time");
    server.talk(&mut anna, &message);

    assert_eq!(server.received_from(id), [b"in time"]);
    server.close();
}

#[test]
fn packets_of_the_former_keys_that_come_late_do_nothing() {
    let mut server = Harness::framed();
    let mut anna = server.player(ANNA, 1);
    let id = server.id_of(ANNA);
    let late = [anna.message(0, b"late"), anna.disconnect()];
    let goodbye = anna.frames(|writer| assert!(writer.write_goodbye(0, b"")));

    server.resume(&mut anna, 1);
    for datagram in late.iter().chain([&goodbye]) {
        assert!(matches!(server.take(anna.address, datagram), Verdict::Dropped(_)));
    }

    assert_eq!((server.id_of(ANNA), server.state_of(ANNA)), (id, Some(State::LoggedIn)));
    assert!(server.received_from(id).is_empty());
    server.close();
}

#[test]
fn two_players_who_come_back_through_one_address_end_in_their_own_sessions() {
    let mut server = Harness::framed();
    let (mut anna, mut ben) = (server.player(ANNA, 1), server.player(BEN, 2));
    let ids = (server.id_of(ANNA), server.id_of(BEN));
    server.advance(5_000);
    for peer in [&mut anna, &mut ben] {
        peer.begin_resume(client_address(3));
        server.shake_hands(peer);
    }

    let hello = anna.hello();
    assert!(
        matches!(server.take(anna.address, &hello), Verdict::Dropped(_)),
        "the later handshake has the address"
    );
    let hello = ben.hello();
    server.talk(&mut ben, &hello);
    anna.begin_resume(client_address(4));
    server.enter(&mut anna);

    assert_eq!((server.id_of(ANNA), server.id_of(BEN)), ids);
    assert_eq!(server.session_of(BEN).address(), client_address(3));
    assert_eq!(server.session_of(ANNA).address(), client_address(4));
    server.close();
}

#[test]
fn a_backend_token_presented_where_a_resume_was_begun_takes_its_place() {
    let mut server = Harness::framed();
    let mut anna = server.player(ANNA, 1);
    server.request_resume(&mut anna, 2);
    let response = anna.response();

    let ben = server.guest(BEN, 2);

    assert_eq!(server.take(ben.address, &response), Verdict::Dropped(DropReason::ResponseUnexpected));
    assert_eq!(server.manager.directory.len(), (2, 2));
    server.close();
}

#[test]
fn a_path_that_comes_and_goes_during_a_resume_tells_of_its_start_once_and_can_still_be_resumed() {
    let mut server = Harness::framed();
    let mut anna = server.player(ANNA, 1);
    server.advance(5_000);
    let mut mover = Peer::new(anna.unspent_tickets().remove(0), client_address(2));
    mover.lane_epoch = anna.lane_epoch;
    server.shake_hands(&mut mover);
    server.beat(&mut anna);
    assert_eq!(server.last_of(ANNA).cause, Cause::Revived);

    for _ in 0..12 {
        let response = mover.response();
        server.talk(&mut mover, &response);
        server.advance(500);
    }
    let started = server.kinds_of(ANNA).into_iter().filter(|kind| *kind == Kind::ReconnectStarted);
    assert_eq!(started.count(), 1);
    let hello = mover.hello();
    server.talk(&mut mover, &hello);

    let last = server.last_of(ANNA);
    assert_eq!((last.cause, last.continuity), (Cause::Resumed, Some(Continuity::Kept)));
    server.close();
}

#[test]
fn a_withheld_response_released_during_the_next_attempt_does_not_disturb_it() {
    let mut server = Harness::framed();
    let anna = server.player(ANNA, 1);
    let id = server.id_of(ANNA);
    server.advance(5_000);
    let mut first = Peer::new(anna.unspent_tickets().remove(0), client_address(2));
    let request = first.request();
    server.talk(&mut first, &request);
    let withheld = first.response();
    let mut second = Peer::new(anna.unspent_tickets().remove(1), client_address(3));
    second.lane_epoch = anna.lane_epoch;
    let request = second.request();
    server.talk(&mut second, &request);

    server.take(first.address, &withheld);
    let response = second.response();
    assert_eq!(server.talk(&mut second, &response), Verdict::Answered);
    let hello = second.hello();
    server.talk(&mut second, &hello);

    assert_eq!((server.id_of(ANNA), server.state_of(ANNA)), (id, Some(State::LoggedIn)));
    assert_eq!(server.session_of(ANNA).address(), second.address);
    assert_eq!(server.session_of(ANNA).resume_generation(), 2);
    server.close();
}

#[test]
fn a_player_on_the_way_back_hears_that_the_host_ends_the_session() {
    let mut server = Harness::framed();
    let mut anna = server.player(ANNA, 1);
    let id = server.id_of(ANNA);
    server.advance(5_000);
    anna.begin_resume(client_address(2));
    server.shake_hands(&mut anna);
    assert_eq!(server.state_of(ANNA), Some(State::Reconnecting));

    server.call(|manager, now| manager.disconnect(now, id, 9, b"cheating")).unwrap();
    server.listen(&mut anna);

    assert_eq!(anna.goodbyes(), [(1, b"cheating".to_vec())]);
    server.close();
}

#[test]
fn a_backend_that_makes_resume_tokens_by_itself_brings_nobody_back() {
    let mut server = Harness::framed();
    let anna = server.player(ANNA, 1);
    let addresses = server.backend.addresses.clone();
    let content = ResumeContent {
        session: server.id_of(ANNA),
        client_id: ClientId(ANNA),
        generation: 1,
        create_unix: server.unix_s(),
        timeout_seconds: 5,
        addresses: &addresses,
    };
    let genuine = server.manager.mint.mint(&content).unwrap();
    let key = server.backend.private_key.clone();
    let (expire_unix, nonce) = (genuine.expire_unix, &genuine.nonce);
    let seal = TokenSeal { protocol_id: PROTOCOL_ID, expire_unix, nonce, private_key: &key };
    let opened = PrivateToken::open(&genuine.private, &seal).ok().unwrap();
    let boot_id = ResumeClaim::read(&opened.user_data).unwrap().boot_id;
    let forger = ResumeMint::new(PROTOCOL_ID, key, boot_id, Key::new([0; 32]));
    let sent = server.sent.len();

    let request = Ticket::from(forger.mint(&content).unwrap()).request();
    let verdict = server.take(client_address(2), &request);

    assert_eq!(verdict, Verdict::Dropped(DropReason::ResumeForged));
    assert_eq!(server.sent.len(), sent);
    assert!(server.session_of(ANNA).address() == anna.address);
    server.close();
}

#[test]
fn a_resume_begun_before_the_session_was_handed_over_opens_nothing_afterwards() {
    let mut server = Harness::new(token_login_config());
    let mut displaced = server.player(ANNA, 1);
    server.request_resume(&mut displaced, 2);
    let response = displaced.response();
    let heir = server.player(ANNA, 3);

    let verdict = server.take(displaced.address, &response);

    assert_eq!(verdict, Verdict::Dropped(DropReason::ResumeSpent));
    assert_eq!(server.session_of(ANNA).address(), heir.address);
    assert_eq!(server.state_of(ANNA), Some(State::LoggedIn));
    server.close();
}
