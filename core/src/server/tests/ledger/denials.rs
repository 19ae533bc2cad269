//! Why requests are denied.

use crate::{
    ClientId, Config, DenyReason, Drain, DuplicateIdentity, MultiSessionManager, Timestamp, Verdict,
};

use super::super::harness::{Harness, client_address, framed_config, raw_config};
use super::{Scene, play};

const ANNA: u64 = 11;
const BEN: u64 = 22;

#[test]
fn each_cause_of_a_denial_is_reached_and_counted_as_itself_and_once() {
    for reason in DenyReason::ALL {
        play(scene(reason), Verdict::Answered, |counters| {
            counters.answered += 1;
            counters.refuse(reason);
        });
    }
}

fn scene(reason: DenyReason) -> Scene {
    match reason {
        DenyReason::Full => {
            let mut server = Harness::new(Config { sessions_max: 1, ..raw_config() });
            server.raw_player(BEN, 2);
            request_of(server)
        }
        DenyReason::Draining => {
            let mut server = Harness::raw();
            server.call(|manager, now| manager.drain(now, Drain::default())).unwrap();
            request_of(server)
        }
        DenyReason::Banned => {
            let mut server = Harness::raw();
            let ban =
                |manager: &mut MultiSessionManager, now| manager.ban(now, ClientId(ANNA), Timestamp::NEVER);
            server.call(ban).unwrap();
            request_of(server)
        }
        DenyReason::AlreadyLoggedIn => {
            let rejects = Config { duplicate_identity: DuplicateIdentity::Reject, ..raw_config() };
            let mut server = Harness::new(rejects);
            server.raw_player(ANNA, 2);
            request_of(server)
        }
        DenyReason::SessionEnded => {
            let (mut server, from, request) = resume_request();
            let id = server.id_of(ANNA);
            server.call(|manager, now| manager.remove(now, id)).unwrap();
            (server, from, request)
        }
        DenyReason::OtherStart => {
            let (_, from, request) = resume_request();
            (Harness::with_seed(framed_config(), [6; 32]), from, request)
        }
    }
}

fn request_of(mut server: Harness) -> Scene {
    let anna = server.newcomer(ANNA, 1);
    (server, anna.address, anna.request())
}

/// A player's request to come back.
fn resume_request() -> Scene {
    let mut server = Harness::framed();
    let mut anna = server.player(ANNA, 1);
    anna.begin_resume(client_address(2));
    (server, anna.address, anna.request())
}
