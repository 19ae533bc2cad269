//! The loop: from one moment to the next, until the plan is played and everybody is in.

mod ending;
mod incidents;
mod leaving;

use rejoin::lifecycle::{Cause, DisconnectReason, LifecycleEventKind};
use std::fmt;
use std::net::SocketAddr;

use rejoin::{Event, Timestamp};

use super::adversaries;
use super::adversary::{Adversary, Volley, is_honest};
use super::backend::Backend;
use super::checker::Checkers;
use super::failure::Failure;
use super::fault::Fault;
use super::host::Host;
use super::network::Network;
use super::outcome::Outcome;
use super::plan::{Incident, Plan, Settings};
use super::player::Player;
use super::schedule::Due;
use super::server::Server;
use super::stage::Stage;
use super::step::{Datagram, Happening, Party, ProcessId};
use super::trace::Trace;
use crate::laws::Violation;
use crate::world::Chance;
use ending::{Returner, quiet_ms};

/// Steps at one and the same moment after which something spins.
const STEPS_PER_MOMENT_MAX: u32 = 20_000;
/// How often everything is looked at.
const WHOLE_CHECK_EVERY_MS: u64 = 1_000;

/// Who is given a line for everything that happens.
pub(super) type Narrator = Box<dyn FnMut(fmt::Arguments<'_>)>;

/// One run.
pub(super) struct Run {
    seed: u64,
    settings: Settings,
    faults: Vec<Fault>,
    incidents: Vec<Incident>,
    places: usize,
    end: Timestamp,
    stage: Stage,
    server: Server,
    players: Vec<Player>,
    adversaries: Vec<Box<dyn Adversary>>,
    checkers: Checkers,
    returners: Vec<Returner>,
    /// Who was in when the server began to take its leave.
    told_to_go: Vec<ProcessId>,
    trace: Trace,
    narrator: Option<Narrator>,
    whole_check_at: Timestamp,
    steps_at_now: u32,
}

impl Run {
    /// Everybody takes their places.
    pub(super) fn new(plan: Plan, narrator: Option<Narrator>) -> Self {
        let places = plan.places();
        let Plan { seed, settings, faults, server, players, incidents, adversaries } = plan;
        // Apart from the stream that the plan was drawn from.
        let mut chance = Chance::new(!seed);
        let paths: Vec<_> = players.iter().map(|player| (player.up, player.down)).collect();
        let mut network = Network::new(&paths, &mut chance);
        let addresses = attach(&mut network);
        let backend = Backend::new(server.token_timeout_s, chance.fork());
        let calm_at = Timestamp::from_millis(settings.seconds * 1_000);
        let checkers = Checkers::new(&server);
        let mut player = |(place, plan)| Player::new(place, plan, chance.fork());
        let end = calm_at.plus_millis(quiet_ms(&server));
        let players = players.into_iter().enumerate().map(&mut player).collect();
        let server = Server::new(server, chance.fork());
        Self {
            end,
            stage: Stage::new(network, backend),
            players,
            server,
            adversaries: adversaries::all(&adversaries, addresses, &mut chance),
            returners: Vec::new(),
            told_to_go: Vec::new(),
            trace: Trace::new(),
            narrator,
            whole_check_at: Timestamp::ZERO,
            steps_at_now: 0,
            seed,
            settings,
            faults,
            incidents,
            places,
            checkers,
        }
    }

    /// Somebody else with bad intentions takes part from the beginning; `make` gets an address of its own.
    #[cfg(test)]
    pub(super) fn add_adversary(&mut self, make: impl FnOnce(SocketAddr) -> Box<dyn Adversary>) {
        let address = self.stage.network.attach(Party::Adversary(self.adversaries.len()));
        self.adversaries.push(make(address));
    }

    /// Another law is watched.
    #[cfg(test)]
    pub(super) fn add_checker(&mut self, checker: Box<dyn super::checker::Checker>) {
        self.checkers.add(checker);
    }

    /// Plays the plan to its end.
    pub(super) fn play(mut self) -> Result<Outcome, Failure> {
        self.begin();
        self.go_on()?;
        self.conclude().map_err(|violation| self.failure(&violation))?;
        self.prolong();
        self.go_on()?;
        self.check_left().map_err(|violation| self.failure(&violation))?;
        self.server.count_refusals(&mut self.stage);
        let Stage { tally, faults, attacks, .. } = self.stage;
        Ok(Outcome { seed: self.seed, trace_hash: self.trace.hash(), tally, faults, attacks })
    }

    /// From moment to moment, until time is up.
    fn go_on(&mut self) -> Result<(), Failure> {
        while let Some((at, due)) = self.stage.schedule.pop_before(self.end) {
            let step = self.step(at, due);
            step.map_err(|violation| self.failure(&violation))?;
        }
        self.stage.now = self.end;
        Ok(())
    }

    fn begin(&mut self) {
        let schedule = &mut self.stage.schedule;
        schedule.add(Timestamp::ZERO, Due::ServerStart);
        schedule.add(Timestamp::ZERO, Due::Turn(Party::Server));
        for place in 0..self.players.len() {
            schedule.add(Timestamp::ZERO, Due::Turn(Party::Player(place)));
        }
        for place in 0..self.adversaries.len() {
            schedule.add(Timestamp::ZERO, Due::Turn(Party::Adversary(place)));
        }
        for (number, incident) in self.incidents.iter().enumerate() {
            schedule.add(incident.at, Due::Incident(number));
        }
        schedule.add(Timestamp::from_millis(self.settings.seconds * 1_000), Due::Calm);
        self.count_conditions();
    }

    fn failure(&self, violation: &Violation) -> Failure {
        Failure { seed: self.seed, settings: self.settings, at: self.stage.now, what: violation.to_string() }
    }

    /// One thing happens, and everything that follows from it at once.
    fn step(&mut self, at: Timestamp, due: Due) -> Result<(), Violation> {
        self.steps_at_now = if at > self.stage.now { 0 } else { self.steps_at_now + 1 };
        if self.steps_at_now > STEPS_PER_MOMENT_MAX {
            return Err(Violation::new("somebody spins"));
        }
        if at >= self.whole_check_at {
            self.check_whole()?;
        }
        self.stage.now = at;
        self.stage.step.begin(at);
        self.take(due)?;
        self.trace.note(&self.stage.step);
        self.narrate();
        self.count_events();
        self.tell_adversaries();
        self.checkers.check(&self.stage.step, at, &self.server, &self.players)
    }

    fn take(&mut self, due: Due) -> Result<(), Violation> {
        let stage = &mut self.stage;
        match due {
            Due::Arrival(datagram) => self.deliver(datagram),
            Due::Timer(Party::Server) => self.server.fire(stage),
            Due::Timer(Party::Player(place)) => self.players[place].fire(stage),
            Due::Wake(Party::Server) => self.server.wake(false, stage),
            Due::Wake(Party::Player(place)) => self.players[place].wake(false, stage),
            Due::Turn(Party::Server) => {
                if stage.is_calm {
                    self.clear_places()?;
                }
                self.server.take_turn(&mut self.stage)
            }
            Due::Turn(Party::Player(place)) => self.players[place].take_turn(stage),
            Due::Turn(Party::Adversary(place)) => {
                self.attack(place);
                Ok(())
            }
            // Adversaries have turns, not timers.
            Due::Timer(Party::Adversary(_)) | Due::Wake(Party::Adversary(_)) => Ok(()),
            Due::ServerStart => {
                self.server.start(stage);
                Ok(())
            }
            Due::HoldEnd => self.server.hold(false, stage).map(drop),
            Due::Incident(number) => self.meet(self.incidents[number]),
            Due::Calm => self.calm_down(),
            Due::Leave => self.take_leave(),
        }
    }

    fn deliver(&mut self, datagram: Datagram) -> Result<(), Violation> {
        let stage = &mut self.stage;
        match stage.network.owner_of(datagram.to) {
            Some(Party::Server) => self.server.hear(datagram, stage),
            Some(Party::Player(place)) => self.players[place].hear(datagram, stage),
            Some(Party::Adversary(place)) => {
                self.adversaries[place].receive(stage.now, &datagram);
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn attack(&mut self, place: usize) {
        let stage = &mut self.stage;
        let Stage { backend, attacks, .. } = stage;
        let mut volley = Volley { datagrams: Vec::new(), backend, attacks };
        let next = self.adversaries[place].take_turn(stage.now, &mut volley);
        for datagram in volley.datagrams {
            Network::carry_straight(stage.now, datagram.clone(), &mut stage.schedule);
            stage.step.note(Happening::Sent { by: Party::Adversary(place), datagram });
        }
        if let Some(next) = next {
            stage.schedule.add(next.max(stage.now.plus_micros(1)), Due::Turn(Party::Adversary(place)));
        }
    }

    fn tell_adversaries(&mut self) {
        for happening in &self.stage.step.happenings {
            if let Happening::Sent { by: Party::Server | Party::Player(_), datagram } = happening {
                for adversary in &mut self.adversaries {
                    adversary.overhear(self.stage.now, datagram);
                }
            }
        }
    }

    fn narrate(&mut self) {
        let Some(narrator) = &mut self.narrator else { return };
        for happening in &self.stage.step.happenings {
            narrator(format_args!("{} {happening}", self.stage.now));
        }
    }

    /// A second is over.
    fn check_whole(&mut self) -> Result<(), Violation> {
        self.whole_check_at = self.stage.now.plus_millis(WHOLE_CHECK_EVERY_MS);
        let sessions = self.checkers.lifecycles().live();
        let is_player = |session| self.checkers.lifecycles().client_of(session).is_some_and(is_honest);
        let in_game =
            sessions.filter(|(session, state)| state.is_logged_in() && is_player(*session)).count() as u64;
        let live = self.server.manager().map_or(0, rejoin::MultiSessionManager::len);
        self.stage.tally.session_micros += in_game * WHOLE_CHECK_EVERY_MS * 1_000;
        if self.faults.contains(&Fault::Capacity) && live >= self.places {
            self.stage.faults.count(Fault::Capacity);
        }
        self.checkers.check_whole(self.stage.now, &self.server, &self.players)
    }

    fn count_events(&mut self) {
        let tally = &mut self.stage.tally;
        for happening in &self.stage.step.happenings {
            let Happening::ServerTold { event, .. } = happening else { continue };
            match event {
                Event::TokenReuse { .. } => tally.tokens_reused += 1,
                Event::Lifecycle(event) if event.cause == Cause::Ended(DisconnectReason::Contested) => {
                    tally.contested += 1;
                }
                Event::Lifecycle(event) if is_honest(event.client_id) => match event.kind {
                    LifecycleEventKind::TransportConnected => tally.sessions += 1,
                    LifecycleEventKind::Reconnected => tally.resumes += 1,
                    _ => {}
                },
                _ => {}
            }
        }
    }
}

/// The adversaries get their addresses.
fn attach(network: &mut Network) -> [Vec<SocketAddr>; 5] {
    let mut place = 0;
    adversaries::ADDRESSES.map(|count| {
        place += 1;
        (0..count).map(|_| network.attach(Party::Adversary(place - 1))).collect()
    })
}
