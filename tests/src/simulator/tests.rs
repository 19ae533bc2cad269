//! The simulator itself: it repeats itself, it notices, and everything it promises to do happens.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;

use rejoin::lifecycle::LifecycleEventKind;
use rejoin::{Event, Timestamp};

use super::adversary::{Adversary, Volley};
use super::attack::Attack;
use super::checker::{Checker, View};
use super::fault::{Fault, FaultCounts};
use super::plan::{Incident, IncidentKind, Notice, Plan, Settings};
use super::run::Run;
use super::simulate;
use super::step::{Datagram, Happening, Step};
use crate::laws::Violation;
use crate::world::{Chance, server_address};

const SHORT: Settings = Settings { seconds: 6, peers: 3 };

#[test]
fn the_same_seed_leaves_the_same_trace_and_another_seed_another() {
    let hash = |seed| simulate(seed, SHORT).expect("no violation").trace_hash;
    assert_eq!(hash(11), hash(11));
    assert_ne!(hash(11), hash(12));
}

#[test]
fn hundreds_of_seeds_break_no_law_and_every_fault_happens() {
    let mut faults = FaultCounts::default();
    let mut resumes = 0;
    for seed in 0..200 {
        match simulate(seed, SHORT) {
            Ok(outcome) => {
                faults.add(&outcome.faults);
                resumes += outcome.tally.resumes;
            }
            Err(failure) => panic!("{failure}"),
        }
    }
    for (fault, count) in faults.iter() {
        assert!(count > 0, "{fault} never happened");
    }
    assert!(resumes > 50, "{resumes} ways back");
}

/// Finds fault with everything that comes after its moment.
struct Grumbler(Timestamp);

impl Checker for Grumbler {
    fn check(&mut self, step: &Step, _view: &View<'_>) -> Result<(), Violation> {
        if step.at < self.0 { Ok(()) } else { Err(Violation::new("too late")) }
    }
}

#[test]
fn a_violation_ends_the_run_at_once_and_says_how_to_repeat_it() {
    let mut run = Run::new(Plan::new(5, SHORT), None);
    run.add_checker(Box::new(Grumbler(Timestamp::from_millis(1_000))));

    let failure = run.play().expect_err("a violation");

    assert!(failure.at >= Timestamp::from_millis(1_000) && failure.at < Timestamp::from_millis(1_200));
    let text = failure.to_string();
    assert!(text.contains("too late"), "{text}");
    assert!(text.contains("--bin simulate -- --seeds 1 --from 5 --seconds 6 --peers 3"), "{text}");
}

/// Finds fault with whoever is timed out.
struct Patience;

impl Checker for Patience {
    fn check(&mut self, step: &Step, _view: &View<'_>) -> Result<(), Violation> {
        let is_timeout = |happening: &Happening| match happening {
            Happening::ServerTold { event: Event::Lifecycle(event), .. } => {
                event.kind == LifecycleEventKind::TimedOut
            }
            _ => false,
        };
        let timed_out = step.happenings.iter().find(|happening| is_timeout(happening));
        timed_out.map_or(Ok(()), |happening| Err(Violation::new(happening.to_string())))
    }
}

#[test]
fn where_nothing_happens_but_that_ports_move_every_session_follows_and_nobody_is_timed_out() {
    let calm = (0..400).map(|seed| Plan::new(seed, SHORT)).filter(|plan| plan.faults.is_empty());
    let mut moved = 0;
    for (round, mut plan) in calm.take(40).enumerate() {
        for quiet in plan.adversaries.all_mut() {
            quiet.from = Timestamp::NEVER;
        }
        plan.incidents = (0..3)
            .flat_map(|turn| (0..SHORT.peers).map(move |player| (turn, player)))
            .map(|(turn, player)| Incident {
                at: Timestamp::from_millis(2_000 + 1_300 * turn + 37 * (round + 5 * player) as u64),
                fault: Fault::SilentMoves,
                what: IncidentKind::Move { player, notice: Notice::None },
            })
            .collect();
        plan.incidents.sort_by_key(|incident| incident.at);
        let mut run = Run::new(plan, None);
        run.add_checker(Box::new(Patience));
        moved += run.play().unwrap_or_else(|failure| panic!("{failure}")).tally.paths_moved;
    }
    assert!(moved > 200, "{moved} of 360");
}

/// Sends what it overheard again: as it was, or from its own address. It stops with the faults, for these are the two tricks that do (see
/// `adversaries`).
#[derive(Debug)]
struct Echo {
    address: SocketAddr,
    heard: Vec<Datagram>,
    answers: Rc<Cell<u64>>,
    chance: Chance,
}

impl Adversary for Echo {
    fn overhear(&mut self, _now: Timestamp, datagram: &Datagram) {
        self.heard.push(datagram.clone());
    }

    fn receive(&mut self, _now: Timestamp, _datagram: &Datagram) {
        self.answers.set(self.answers.get() + 1);
    }

    fn take_turn(&mut self, now: Timestamp, volley: &mut Volley<'_>) -> Option<Timestamp> {
        if let Some(end) = self.heard.len().checked_sub(1) {
            let place = usize::try_from(self.chance.below(end as u64 + 1)).unwrap_or(0);
            let datagram = self.heard[place].clone();
            let is_to_server = datagram.to == server_address();
            let from = if is_to_server && self.chance.percent(50) { self.address } else { datagram.from };
            volley.attack(Attack::ReplayLater, Datagram { from, ..datagram });
        }
        let next = now.plus_millis(20);
        (next < Timestamp::from_millis(SHORT.seconds * 1_000)).then_some(next)
    }
}

#[test]
fn an_adversary_hears_everything_and_is_answered_at_its_own_address_and_no_law_is_broken() {
    let answers = Rc::new(Cell::new(0));
    for seed in 0..20 {
        let mut run = Run::new(Plan::new(seed, SHORT), None);
        let (answers, chance) = (Rc::clone(&answers), Chance::new(seed));
        run.add_adversary(|address| Box::new(Echo { address, heard: Vec::new(), answers, chance }));
        if let Err(failure) = run.play() {
            panic!("{failure}");
        }
    }
    assert!(answers.get() > 0, "the server challenges whoever shows a token");
}

#[test]
fn a_plan_without_faults_is_a_game_without_losses() {
    let calm = (0..200).map(|seed| Plan::new(seed, SHORT)).find(|plan| plan.faults.is_empty());
    let outcome = Run::new(calm.expect("a plan without faults"), None).play().expect("no violation");

    assert_eq!(outcome.faults, FaultCounts::default());
    assert_eq!((outcome.tally.sessions, outcome.tally.processes, outcome.tally.resumes), (3, 3, 0));
    assert_eq!(outcome.faults.of(Fault::Loss), 0);
}
