//! The law of the gate, on a real login before which somebody set the clock.

use super::Scene;
use super::wire::Login;
use crate::laws::Violation;
use crate::simulator::checker::{Checker, View};
use crate::simulator::checkers::gate::Gate;
use crate::simulator::checkers::wire::Wire;
use crate::simulator::step::{Happening, Party, Step};
use crate::world::UNIX_START_S;

/// For how long the tokens of a world are good.
const LIFETIME_S: u64 = 45;
/// The wall clock shows this when a token has five seconds left.
const GOOD_S: u64 = UNIX_START_S + LIFETIME_S - 5;

/// What the law says of a start at this time, after so many others, and of these happenings.
fn judge(unix_s: u64, starts_before: usize, happenings: &[Vec<Happening>]) -> Result<(), Violation> {
    let scene = Scene::new();
    let (mut gate, mut wire, mut step) = (Gate::default(), Wire::default(), Step::default());
    let started = || [Happening::ServerStarted, Happening::ServerWallClock { unix_s }];
    let beginning = (0..=starts_before).flat_map(|_| started()).collect();
    [&[beginning], happenings].concat().into_iter().try_for_each(|happenings| {
        step.happenings = happenings;
        wire.check(&step, &[])?;
        gate.check(&step, &View { wire: &wire, ..scene.view() })
    })
}

fn is_request(happening: &Happening) -> bool {
    matches!(happening, Happening::Received { datagram, .. } if datagram.bytes.first() == Some(&0))
}

#[test]
fn a_good_token_is_answered_and_one_that_is_answered_though_it_is_bad_is_caught() {
    let login = Login::new().happenings;
    let judge = |unix_s, starts_before| judge(unix_s, starts_before, std::slice::from_ref(&login));

    assert_eq!(judge(GOOD_S, 0), Ok(()));
    assert!(judge(UNIX_START_S + LIFETIME_S, 0).is_err(), "it has expired");
    assert!(judge(UNIX_START_S, 0).is_err(), "it lives longer than this server takes");
    assert!(judge(GOOD_S, 1).is_err(), "it may have been used before the start");
}

#[test]
fn a_token_that_is_answered_again_or_is_refused_though_it_is_good_is_caught() {
    let login = Login::new().happenings;
    let again = login.iter().filter(|happening| is_request(happening)).cloned().collect();
    assert!(judge(GOOD_S, 0, &[login.clone(), again]).is_err());

    let refused = login.into_iter().filter(is_request).map(Login::refuse).collect();
    assert!(judge(GOOD_S, 0, &[refused]).is_err());
}

#[test]
fn an_answer_that_is_never_sent_is_caught() {
    let mut login = Login::new().happenings;
    let is_challenge = |happening: &Happening| match happening {
        Happening::Sent { by: Party::Server, datagram } => datagram.bytes[0] & 0xf == 2,
        _ => false,
    };
    login.retain(|happening| !is_challenge(happening));
    assert!(judge(GOOD_S, 0, &[login]).is_err());
}
