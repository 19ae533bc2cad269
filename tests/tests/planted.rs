//! Every known mistake that can be planted in the core is found by the laws, within a few seeds.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};

use rejoin::planted::{PlantedBug, plant};
use rejoin_tests::ordeal::Ordeal;

/// Within so many seeds each one is found.
const SEEDS_MAX: u64 = 60;
/// Within so many the reference model finds those that are about what it knows, without any help.
const SEEDS_OF_MODEL_MAX: u64 = 12;
const MODELLED: [PlantedBug; 11] = [
    PlantedBug::GenerationNotChecked,
    PlantedBug::SupersededNotEnded,
    PlantedBug::IndexNotCleaned,
    PlantedBug::EventAfterDisconnected,
    PlantedBug::TimerLostOnRevival,
    PlantedBug::TimerLostWhileAway,
    PlantedBug::ReconnectWindowKept,
    PlantedBug::TickFilterShared,
    PlantedBug::MovementForgotten,
    PlantedBug::ViolationNotCounted,
    PlantedBug::RelayBelieved,
];

/// What is not well in the ordeal of a seed.
fn finding(seed: u64) -> Option<String> {
    match catch_unwind(AssertUnwindSafe(|| Ordeal::run(seed))) {
        Ok(Ok(_)) => None,
        Ok(Err(violation)) => Some(violation.to_string()),
        Err(panic) => Some(words_of(&*panic)),
    }
}

fn words_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    format!("a panic: {}", text.or_else(|| panic.downcast_ref().copied()).unwrap_or_default())
}

/// What the reference model alone finds there.
fn finding_of_model(seed: u64) -> Option<String> {
    let run = catch_unwind(AssertUnwindSafe(|| Ordeal::run_before_the_model(seed)));
    run.ok()?.err().map(|violation| violation.to_string())
}

/// The first seed that finds the bug, and how.
fn search(bug: PlantedBug, seeds: u64, finding: impl Fn(u64) -> Option<String>) -> Option<(u64, String)> {
    plant(Some(bug));
    let found = (0..seeds).find_map(|seed| Some((seed, finding(seed)?)));
    plant(None);
    found
}

/// One test alone: what is planted is planted for the whole process.
#[test]
fn every_planted_bug_is_found_and_nothing_where_there_is_none() {
    let hook = take_hook();
    // A panic is a finding here, and no news.
    set_hook(Box::new(|_| {}));
    let findings = PlantedBug::ALL.map(|bug| (bug, search(bug, SEEDS_MAX, finding)));
    let of_model = MODELLED.map(|bug| (bug, search(bug, SEEDS_OF_MODEL_MAX, finding_of_model)));
    let seeds_used = findings.iter().flat_map(|(_, found)| found).map(|(seed, _)| seed + 1).max();
    let false_alarm = (0..seeds_used.unwrap_or(0)).find_map(finding);
    let false_alarm_of_model = (0..SEEDS_OF_MODEL_MAX).find_map(finding_of_model);
    set_hook(hook);

    print_table(&findings);
    print_table(&of_model);
    let missed: Vec<_> = findings.iter().filter(|(_, found)| found.is_none()).map(|(bug, _)| bug).collect();
    assert!(missed.is_empty(), "not found within {SEEDS_MAX} seeds: {missed:?}");
    assert_eq!(false_alarm, None, "found where nothing is planted");
    let missed: Vec<_> = of_model.iter().filter(|(_, found)| found.is_none()).map(|(bug, _)| bug).collect();
    assert!(missed.is_empty(), "not found by the model within {SEEDS_OF_MODEL_MAX} seeds: {missed:?}");
    assert_eq!(false_alarm_of_model, None, "found by the model where nothing is planted");
}

fn print_table(findings: &[(PlantedBug, Option<(u64, String)>)]) {
    println!("| planted bug | seeds | what is seen |\n|---|---:|---|");
    for (bug, found) in findings {
        let (seeds, seen) = found.as_ref().map_or((0, ""), |(seed, seen)| (seed + 1, seen));
        println!("| `{bug:?}` | {seeds} | {seen} |");
    }
}
