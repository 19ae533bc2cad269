//! The checker catches what it is for, shown by runs in which one thing is said to have gone otherwise.

use rejoin::lifecycle::{Cause, DisconnectReason};
use rejoin::{DropReason, Event, LoginPolicy, Timestamp, Verdict};

use super::Unaffected;
use crate::laws::Violation;
use crate::netcode::kind::{REQUEST, RESPONSE, kind_of};
use crate::simulator::adversary::is_honest;
use crate::simulator::checker::{Checker, View};
use crate::simulator::failure::Failure;
use crate::simulator::plan::{AdversaryPlans, Plan, Settings};
use crate::simulator::run::Run;
use crate::simulator::step::{Datagram, Happening, Party, Reading, Step};

const SHORT: Settings = Settings { seconds: 4, peers: 2 };

/// Shows a checker another story than what happened, once.
struct Liar {
    checker: Unaffected,
    lie: fn(&mut Happening, &View<'_>) -> bool,
    has_lied: bool,
}

impl Checker for Liar {
    fn check(&mut self, step: &Step, view: &View<'_>) -> Result<(), Violation> {
        let mut told = Step { happenings: step.happenings.clone(), at: step.at };
        for happening in &mut told.happenings {
            self.has_lied = self.has_lied || (self.lie)(happening, view);
        }
        self.checker.check(&told, view)
    }
}

/// What the checker says to a run in which `lie` changes the first happening that it can.
fn lied_to(plan: Plan, lie: fn(&mut Happening, &View<'_>) -> bool) -> Result<(), Failure> {
    let mut run = Run::new(plan, None);
    run.add_checker(Box::new(Liar { checker: Unaffected::default(), lie, has_lied: false }));
    run.play().map(drop)
}

/// A plan without faults.
fn plain() -> Plan {
    let is_plain = |plan: &Plan| plan.faults.is_empty() && plan.server.config.login == LoginPolicy::Explicit;
    let plan = (0..200).map(|seed| Plan::new(seed, SHORT)).find(is_plain);
    plan.expect("a plan without faults")
}

/// The lie is about somebody honest, for nobody else is there.
#[track_caller]
fn assert_caught(lie: fn(&mut Happening, &View<'_>) -> bool, what: &str) {
    let mut plan = plain();
    let AdversaryPlans { sniffer, spoofer, insider, twins, .. } = &mut plan.adversaries;
    for adversary in [sniffer, spoofer, insider, twins] {
        adversary.from = Timestamp::NEVER;
    }
    let failure = lied_to(plan, lie).expect_err(what);
    assert!(failure.what.contains(what), "{failure}");
}

/// The verdict about a datagram, if it is one of an honest session's that has been in the game for some time.
fn accepted<'a>(
    happening: &'a mut Happening,
    view: &View<'_>,
) -> Option<(&'a mut Datagram, &'a mut Verdict)> {
    match happening {
        Happening::Received {
            datagram, reading: Reading::Server(verdict @ Verdict::Accepted(_)), ..
        } => {
            let Verdict::Accepted(session) = *verdict else { return None };
            let is_old = view.now.as_micros() > 3_000_000;
            (is_old && view.is_of_player(session)).then_some((datagram, verdict))
        }
        _ => None,
    }
}

#[test]
fn what_happens_in_truth_is_fine() {
    assert_eq!(lied_to(plain(), |_, _| false), Ok(()));
}

#[test]
fn a_packet_that_nobody_sent_and_that_counts_for_an_honest_session_is_caught() {
    let lie = |happening: &mut Happening, view: &View<'_>| {
        accepted(happening, view).is_some_and(|(datagram, _)| {
            let mut bytes = datagram.bytes.to_vec();
            bytes[5] ^= 1;
            datagram.bytes = bytes.into();
            true
        })
    };
    assert_caught(lie, "took what None sent");
}

#[test]
fn a_packet_that_the_server_never_sent_and_that_a_player_takes_is_caught() {
    let lie = |happening: &mut Happening, _: &View<'_>| match happening {
        Happening::Received { datagram, by: Party::Player(_), .. } => {
            datagram.bytes = [5; 30].into();
            true
        }
        _ => false,
    };
    assert_caught(lie, "took what the server never sent");
}

#[test]
fn a_good_packet_that_is_not_taken_is_caught_whatever_it_is_dropped_for() {
    assert_caught(|happening, view| dropped(happening, view, DropReason::Unopened), "was not taken");
    assert_caught(|happening, view| dropped(happening, view, DropReason::Replayed), "was not taken");
    assert_caught(|happening, view| dropped(happening, view, DropReason::EventsFull), "was not taken");
    assert_caught(|happening, view| dropped(happening, view, DropReason::Violation), "broke the protocol");
}

/// Says of a good packet that it was dropped.
fn dropped(happening: &mut Happening, view: &View<'_>, reason: DropReason) -> bool {
    accepted(happening, view).is_some_and(|(_, verdict)| {
        *verdict = Verdict::Dropped(reason);
        true
    })
}

#[test]
fn a_handshake_that_is_refused_for_want_of_room_is_caught() {
    let lie = |happening: &mut Happening, _: &View<'_>| match happening {
        Happening::Received { datagram, reading: Reading::Server(verdict), .. }
            if matches!(kind_of(&datagram.bytes), Some(REQUEST | RESPONSE))
                && *verdict == Verdict::Answered =>
        {
            *verdict = Verdict::Dropped(DropReason::HandshakesFull);
            true
        }
        _ => false,
    };
    assert_caught(lie, "for want of room");
}

#[test]
fn an_honest_session_that_ends_though_its_player_said_nothing_is_caught() {
    // What the application did becomes the doing of a player who said nothing at that moment.
    let left = |happening: &mut Happening, _: &View<'_>| ends(happening, DisconnectReason::PeerLeft);
    assert_caught(left, "not the doing of");
    let broke =
        |happening: &mut Happening, _: &View<'_>| ends(happening, DisconnectReason::ProtocolViolation);
    assert_caught(broke, "not the doing of");
}

fn ends(happening: &mut Happening, reason: DisconnectReason) -> bool {
    match happening {
        Happening::ServerTold { event: Event::Lifecycle(event), .. }
            if is_honest(event.client_id) && event.cause == Cause::Accepted =>
        {
            event.cause = Cause::Ended(reason);
            true
        }
        _ => false,
    }
}
