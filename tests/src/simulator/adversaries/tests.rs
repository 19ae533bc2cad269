//! Each adversary gets as far as it is meant to, and no further.

use rejoin::{DropReason, Timestamp};

use super::pace::Pace;
use super::sniffer::Sniffer;
use crate::simulator::adversary::{Adversary, Volley};
use crate::simulator::attack::{Attack, AttackCounts};
use crate::simulator::backend::Backend;
use crate::simulator::outcome::Outcome;
use crate::simulator::plan::{AdversaryPlan, AdversaryPlans, FloodPlan, Plan, Settings, Wave};
use crate::simulator::run::Run;
use crate::simulator::step::Datagram;
use crate::world::{Chance, server_address};

const SHORT: Settings = Settings { seconds: 8, peers: 3 };
/// Long enough for one session to be taken over again and again.
const LONG: Settings = Settings { seconds: 40, ..SHORT };
const SEEDS: u64 = 12;

/// One that does so, from the beginning to the end.
fn loud(attacks: &[Attack]) -> AdversaryPlan {
    AdversaryPlan {
        from: Timestamp::ZERO,
        until: None,
        per_second: 100,
        burst_per_mille: 20,
        burst_max: 50,
        attacks: attacks.to_vec(),
    }
}

/// One that does nothing.
fn silent() -> AdversaryPlan {
    AdversaryPlan { from: Timestamp::NEVER, ..loud(&[]) }
}

fn all_silent() -> AdversaryPlans {
    AdversaryPlans {
        calm_at: Timestamp::from_millis(SHORT.seconds * 1_000),
        sniffer: silent(),
        spoofer: silent(),
        insider: silent(),
        twins: silent(),
        relay: silent(),
        insider_token_every_ms: 3_000,
        flooder: FloodPlan { waves: Vec::new(), attacks: Vec::new() },
    }
}

/// What comes of some seeds with these adversaries: no law is broken, and everybody honest is in at the end.
fn play(adversaries: &AdversaryPlans) -> Outcome {
    play_for(SHORT, adversaries)
}

fn play_for(settings: Settings, adversaries: &AdversaryPlans) -> Outcome {
    play_plans(|seed| Plan { adversaries: adversaries.clone(), ..Plan::new(seed, settings) })
}

fn play_plans(plan_of: impl Fn(u64) -> Plan) -> Outcome {
    let mut sum = Outcome::default();
    for seed in 0..SEEDS {
        let outcome = Run::new(plan_of(seed), None).play().unwrap_or_else(|failure| panic!("{failure}"));
        sum.attacks.add(&outcome.attacks);
        sum.tally.add(&outcome.tally);
    }
    sum
}

fn assert_seen(outcome: &Outcome, attacks: &[Attack], reasons: &[DropReason]) {
    for (attack, count) in outcome.attacks.iter() {
        assert_eq!(count > 0, attacks.contains(&attack), "{attack} was made {count} times");
    }
    for reason in reasons {
        assert!(outcome.tally.refused.of(*reason) > 0, "nothing was dropped as {reason:?}");
    }
}

#[test]
fn what_a_sniffer_replays_is_known_as_a_replay_or_comes_from_nobody() {
    let attacks = Attack::of_sniffer();
    let outcome = play(&AdversaryPlans { sniffer: loud(attacks), ..all_silent() });
    let reasons = [
        DropReason::Replayed,
        DropReason::Unopened,
        DropReason::UnknownAddress,
        DropReason::TokenConsumed,
        DropReason::ResponseUnexpected,
        DropReason::WrongDirection,
    ];
    assert_seen(&outcome, attacks, &reasons);
}

#[test]
fn what_a_spoofer_makes_up_does_not_open() {
    let attacks = Attack::of_spoofer();
    let outcome = play(&AdversaryPlans { spoofer: loud(attacks), ..all_silent() });
    let reasons = [
        DropReason::Malformed,
        DropReason::Unopened,
        DropReason::UnknownAddress,
        DropReason::TokenUnreadable,
        DropReason::ResponseUnexpected,
    ];
    assert_seen(&outcome, attacks, &reasons);
}

#[test]
fn two_devices_contest_a_session_and_show_tokens_that_were_used() {
    let attacks = Attack::of_twins();
    let outcome = play_for(LONG, &AdversaryPlans { twins: loud(attacks), ..all_silent() });
    assert_seen(&outcome, attacks, &[DropReason::ResumeSpent]);
    assert!(outcome.tally.contested > 0, "no session was contested");
    assert!(outcome.tally.tokens_reused > 0, "nobody was told of a token that was shown again");
}

#[test]
fn an_insider_gets_in_again_and_again_and_breaks_the_protocol_under_its_own_keys() {
    let attacks = Attack::of_insider();
    let outcome = play(&AdversaryPlans { insider: loud(attacks), ..all_silent() });
    let reasons = [
        DropReason::Violation,
        DropReason::Malformed,
        DropReason::ResumeSpent,
        DropReason::BeforeHello,
        DropReason::BadHello,
    ];
    assert_seen(&outcome, attacks, &reasons);
}

#[test]
fn a_relay_is_asked_whether_it_is_the_player_and_never_is_where_the_player_hears() {
    let attacks = Attack::of_relay();
    let outcome = play(&AdversaryPlans { relay: loud(attacks), ..all_silent() });
    assert_seen(&outcome, attacks, &[DropReason::Replayed, DropReason::UnknownAddress]);
    assert!(outcome.tally.path_trials > 20, "{}", outcome.tally.path_trials);
}

#[test]
fn what_a_flooder_sends_beyond_the_budget_is_refused_and_what_is_below_it_is_looked_at() {
    let attacks = Attack::of_flooder();
    let until = Timestamp::from_millis(SHORT.seconds * 1_000);
    let flood = |per_second| {
        let waves = vec![Wave { from: Timestamp::ZERO, until, per_second }];
        let flooder = FloodPlan { waves, attacks: attacks.to_vec() };
        let plan_of = |seed| {
            let mut plan = Plan::new(seed, SHORT);
            plan.server.config.unproved_opens_per_s = 2_000;
            plan.server.config.unproved_opens_burst = 2_000;
            Plan { adversaries: AdversaryPlans { flooder: flooder.clone(), ..all_silent() }, ..plan }
        };
        play_plans(plan_of)
    };

    let outcome = flood(1_000);
    let reasons = [
        DropReason::UnprovedBudget,
        DropReason::TokenUnreadable,
        DropReason::ResponseUnexpected,
        DropReason::Unopened,
    ];
    assert_seen(&outcome, attacks, &reasons);

    let outcome = flood(150);
    assert_seen(&outcome, attacks, &[DropReason::TokenUnreadable]);
    assert_eq!(outcome.tally.refused.of(DropReason::UnprovedBudget), 0);
}

#[test]
fn nobody_sends_more_than_its_plan_says_however_it_bursts() {
    let plan = AdversaryPlan { burst_per_mille: 50, burst_max: 256, ..loud(&[]) };
    let (mut pace, mut chance) = (Pace::new(&plan), Chance::new(1));
    let (mut sent, mut burst_max) = (0, 0);
    while let Some(now) = pace.next_at().filter(|at| *at < Timestamp::from_millis(1_000_000)) {
        let count = pace.due(now, &mut chance);
        burst_max = burst_max.max(count);
        sent += count;
    }
    assert!(sent > 90_000 && sent < 110_000, "{sent} in 1,000 s");
    assert!(burst_max > 200, "{burst_max}");
}

/// What a sniffer sends in the two seconds from `now` on that has heard a request and a payload of a player's.
fn sniffed(plans: &AdversaryPlans, now: Timestamp) -> Vec<Datagram> {
    let own = "192.0.2.7:7".parse().expect("an address");
    let player = "198.51.100.1:10001".parse().expect("an address");
    let mut sniffer = Sniffer::new(plans, own, Chance::new(1));
    let heard = |prefix: u8| Datagram { from: player, to: server_address(), bytes: [prefix; 30].into() };
    sniffer.overhear(now, &heard(0));
    sniffer.overhear(now, &heard(0x15));
    let (mut backend, mut attacks) = (Backend::new(5, Chance::new(1)), AttackCounts::default());
    let mut volley = Volley { datagrams: Vec::new(), backend: &mut backend, attacks: &mut attacks };
    let mut next = Some(now);
    while let Some(at) = next.filter(|at| *at < now.plus_millis(2_000)) {
        next = sniffer.take_turn(at, &mut volley);
    }
    volley.datagrams
}

fn count(sent: &[Datagram], prefix: u8) -> usize {
    sent.iter().filter(|datagram| datagram.bytes[0] == prefix).count()
}

#[test]
fn when_the_faults_have_stopped_a_sniffer_shows_no_request_from_elsewhere() {
    let attacks = [Attack::ReplayLater, Attack::ReplayFromOwn, Attack::ReplayAcross];
    let plans = AdversaryPlans { sniffer: loud(&attacks), ..all_silent() };

    let (before, after) = (sniffed(&plans, Timestamp::ZERO), sniffed(&plans, plans.calm_at));

    assert!(count(&before, 0) > 20 && count(&before, 0x15) > 20);
    assert!(count(&after, 0) == 0 && count(&after, 0x15) > 20);
}

#[test]
fn when_the_faults_have_stopped_a_sniffer_delivers_no_sign_of_life_late() {
    let plans = AdversaryPlans { sniffer: loud(&[Attack::ReplayLater]), ..all_silent() };

    let (before, after) = (sniffed(&plans, Timestamp::ZERO), sniffed(&plans, plans.calm_at));

    assert!(count(&before, 0x15) > 20);
    assert_eq!(count(&after, 0x15), 0);
}
