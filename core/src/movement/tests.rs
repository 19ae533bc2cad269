use std::collections::BTreeSet;

use MoveVerdict::{Accepted, Duplicate, Stale, TooFarAhead};

use super::*;

const RULES: MovementRules = MovementRules { tick_hz: 60, ticks_ahead_max: 30 };

fn seconds(seconds: u64) -> Timestamp {
    Timestamp::from_millis(seconds * 1_000)
}

/// A session whose application keeps its server tick at 1,000.
struct AtTick1000(Movement);

impl AtTick1000 {
    fn new() -> Self {
        Self(Movement::new(seconds(0)))
    }

    fn judge(&mut self, tick: u64) -> MoveVerdict {
        self.0.judge(seconds(1), tick, Some(1_000), RULES)
    }
}

#[test]
fn ticks_are_accepted_in_ascending_order_once_each() {
    let mut session = AtTick1000::new();
    let verdicts = [999, 1_000, 1_000, 999, 998, 1_001].map(|tick| session.judge(tick));
    assert_eq!(verdicts, [Accepted, Accepted, Duplicate, Duplicate, Stale, Accepted]);
    assert_eq!(session.0.high_water(), Some(1_001));
    assert_eq!(
        session.0.counters(),
        MovementCounters { accepted: 3, late: 2, duplicate: 2, stale: 1, too_far_ahead: 0, missing: 0 }
    );
}

#[test]
fn the_last_acceptable_tick_is_the_reference_plus_the_allowance() {
    let mut session = AtTick1000::new();
    assert_eq!(session.judge(1_031), TooFarAhead);
    assert_eq!(session.0.high_water(), None);
    assert_eq!(session.judge(1_030), Accepted);
}

#[test]
fn the_highest_tick_of_all_is_too_far_ahead_and_mutes_nobody() {
    let mut session = AtTick1000::new();
    assert_eq!(session.judge(1_000), Accepted);
    assert_eq!(session.judge(u64::MAX), TooFarAhead);
    assert_eq!(session.judge(1_001), Accepted);

    let mut untimed = Movement::new(seconds(0));
    assert_eq!(untimed.judge(seconds(1), u64::MAX, None, RULES), TooFarAhead);
    assert_eq!(untimed.judge(seconds(1), 60, None, RULES), Accepted);
}

#[test]
fn a_server_tick_at_the_end_of_the_range_does_not_overflow() {
    let mut movement = Movement::new(seconds(0));
    assert_eq!(movement.judge(seconds(1), u64::MAX, Some(u64::MAX), RULES), Accepted);
    assert_eq!(movement.judge(seconds(1), u64::MAX, Some(u64::MAX), RULES), Duplicate);
    let fastest = MovementRules { tick_hz: u32::MAX, ticks_ahead_max: u64::MAX };
    assert_eq!(movement.reference(Timestamp::NEVER, None, fastest), u64::MAX);
}

#[test]
fn without_a_server_tick_the_first_input_is_measured_from_the_login() {
    let mut movement = Movement::new(seconds(10));
    assert_eq!(movement.reference(seconds(12), None, RULES), 120);
    assert_eq!(movement.judge(seconds(12), 151, None, RULES), TooFarAhead);
    assert_eq!(movement.judge(seconds(12), 150, None, RULES), Accepted);
}

#[test]
fn the_first_tick_may_be_zero() {
    let mut movement = Movement::new(seconds(10));
    assert_eq!(movement.judge(seconds(10), 0, None, RULES), Accepted);
    assert_eq!(movement.judge(seconds(10), 0, None, RULES), Duplicate);
}

#[test]
fn an_outage_longer_than_the_allowance_mutes_nobody() {
    let mut movement = Movement::new(seconds(0));
    assert_eq!(movement.judge(seconds(1), 60, None, RULES), Accepted);
    let after_an_hour = seconds(3_601);
    assert_eq!(movement.reference(after_an_hour, None, RULES), 60 + 3_600 * 60);
    assert_eq!(movement.judge(after_an_hour, 60 + 3_600 * 60, None, RULES), Accepted);
    assert_eq!(movement.counters().missing, 3_600 * 60 - 1);
}

#[test]
fn a_server_tick_replaces_the_estimate() {
    let mut movement = Movement::new(seconds(0));
    assert_eq!(movement.judge(seconds(100), 20, Some(5), RULES), Accepted);
    assert_eq!(movement.judge(seconds(200), 36, Some(5), RULES), TooFarAhead);
    assert_eq!(movement.judge(seconds(200), 36, None, RULES), Accepted);
}

#[test]
fn a_clock_that_goes_back_moves_no_reference_back_below_the_last_tick() {
    let mut movement = Movement::new(seconds(10));
    assert_eq!(movement.judge(seconds(20), 600, None, RULES), Accepted);
    assert_eq!(movement.reference(seconds(5), None, RULES), 600);
}

#[test]
fn a_late_input_for_a_missing_tick_is_stale_and_repairs_nothing() {
    let mut session = AtTick1000::new();
    let verdicts = [1_000, 1_005, 1_003, 1_006].map(|tick| session.judge(tick));
    assert_eq!(verdicts, [Accepted, Accepted, Stale, Accepted]);
    assert_eq!(session.0.counters().missing, 4);
}

#[test]
fn an_input_is_late_if_the_server_had_come_to_its_tick() {
    let mut session = AtTick1000::new();
    let verdicts = [997, 1_000, 1_000, 999, 1_001, 1_031].map(|tick| session.judge(tick));
    assert_eq!(verdicts, [Accepted, Accepted, Duplicate, Stale, Accepted, TooFarAhead]);
    assert_eq!(session.0.counters().late, 2, "neither what comes again nor what is refused");

    let mut untimed = Movement::new(seconds(0));
    assert_eq!(untimed.judge(seconds(100), 5, None, RULES), Accepted);
    assert_eq!(untimed.counters().late, 0, "nobody knows where the server was");
}

#[test]
fn a_duplicate_is_known_as_one_for_64_ticks() {
    let mut session = AtTick1000::new();
    session.judge(900);
    session.judge(963);
    assert_eq!(session.judge(900), Duplicate);
    session.judge(964);
    assert_eq!([900, 963].map(|tick| session.judge(tick)), [Stale, Duplicate]);
    session.judge(1_028);
    assert_eq!([963, 964, 1_028].map(|tick| session.judge(tick)), [Stale, Stale, Duplicate]);
}

#[test]
fn two_sessions_do_not_see_each_other() {
    let (mut ahead, mut behind) = (AtTick1000::new(), AtTick1000::new());
    assert_eq!(ahead.judge(1_020), Accepted);
    assert_eq!(behind.judge(990), Accepted);
    assert_eq!(ahead.judge(990), Stale);
    assert_eq!((ahead.0.high_water(), behind.0.high_water()), (Some(1_020), Some(990)));
    assert_eq!((ahead.0.counters().stale, behind.0.counters().stale), (1, 0));
}

#[test]
fn margins_are_measured_for_accepted_inputs_against_the_server_tick() {
    let mut session = AtTick1000::new();
    assert_eq!(session.0.judge(seconds(1), 10, None, RULES), Accepted);
    assert_eq!((session.0.arrival_margin(), session.0.recommended_margin_ticks()), (None, None));
    session.judge(998);
    session.judge(2_000);
    session.judge(1_014);
    session.judge(998);
    let margin = session.0.arrival_margin().unwrap();
    assert_eq!(margin, ArrivalMargin { last_ticks: 14, mean_256ths: -256, min_ticks: -2 });
    assert_eq!(session.0.recommended_margin_ticks(), Some(2));
}

#[test]
fn p47_the_worst_arrival_since_the_last_report_is_the_one_to_report() {
    let mut session = AtTick1000::new();
    assert_eq!(session.0.judge(seconds(1), 10, None, RULES), Accepted);
    session.judge(2_000);
    assert_eq!(session.0.worst_arrival(), None, "neither without a server tick nor for what is refused");

    assert_eq!(session.0.judge(seconds(1), 1_003, Some(1_000), RULES), Accepted);
    assert_eq!(session.0.judge(seconds(1), 1_004, Some(1_002), RULES), Accepted);
    assert_eq!(session.0.judge(seconds(1), 1_005, Some(1_003), RULES), Accepted);
    assert_eq!(session.0.judge(seconds(1), 1_009, Some(1_004), RULES), Accepted);
    assert_eq!(session.0.worst_arrival(), Some(MoveArrival { tick: 1_005, server_tick: 1_003 }));

    session.0.on_arrival_reported();
    assert_eq!(session.0.worst_arrival(), None);
    assert_eq!(session.0.judge(seconds(1), 1_020, Some(1_010), RULES), Accepted);
    assert_eq!(session.0.worst_arrival(), Some(MoveArrival { tick: 1_020, server_tick: 1_010 }));
}

#[test]
fn the_latest_published_state_wins_and_reuses_the_buffer() {
    let mut movement = Movement::new(seconds(0));
    assert_eq!(movement.published(), None);
    movement.publish(7, b"a longer state");
    let capacity = movement.published.memory_bytes();
    movement.publish(8, b"");
    assert_eq!(movement.published(), Some((8, &b""[..])));
    movement.publish(6, b"short");
    assert_eq!(movement.published(), Some((6, &b"short"[..])));
    assert_eq!(movement.published.memory_bytes(), capacity);
}

#[test]
fn the_movement_of_a_session_stays_below_200_bytes() {
    assert!(size_of::<Movement>() < 200, "{} bytes", size_of::<Movement>());
}

#[test]
fn random_inputs_are_judged_as_the_rule_says() {
    let mut random = 1_u64;
    let mut below = |bound: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % bound
    };
    let mut movement = Movement::new(seconds(0));
    let mut accepted = BTreeSet::new();
    let mut late = 0;
    for round in 0..5_000_u64 {
        let server_tick = round / 4;
        let tick = server_tick.saturating_sub(50) + below(100);
        let verdict = movement.judge(seconds(0), tick, Some(server_tick), RULES);

        let newest = accepted.last().copied();
        let recent = accepted.contains(&tick) && newest.is_some_and(|newest| newest - tick < 64);
        let expected = match newest {
            Some(newest) if tick <= newest => [Stale, Duplicate][usize::from(recent)],
            _ => [TooFarAhead, Accepted][usize::from(tick <= server_tick + 30)],
        };
        assert_eq!(verdict, expected, "tick {tick} at server tick {server_tick}");
        if verdict == Accepted {
            accepted.insert(tick);
            late += u64::from(tick <= server_tick);
        }
    }
    let counters = movement.counters();
    assert_eq!(counters.accepted, accepted.len() as u64);
    assert_eq!(counters.late, late);
    let fewest =
        [counters.accepted, counters.duplicate, counters.stale, counters.too_far_ahead].into_iter().min();
    assert!(fewest > Some(100), "every verdict must come up: {counters:?}");
}
