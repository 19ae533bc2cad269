//! The server: a machine, its host, the manager, and the game on top.

mod application;

use std::net::SocketAddr;

use rejoin::ledger::Refusal;
use rejoin::{ClientId, Drain, Event, KeyHistory, MultiSessionManager, Prefix, Timestamp};

use super::backend;
use super::clock::LocalClock;
use super::host::Host;
use super::machine::Machine;
use super::plan::ServerPlan;
use super::schedule::Due;
use super::stage::Stage;
use super::step::{Datagram, Happening, Party, Reading};
use crate::laws::Violation;
use crate::laws::driven::{self, Outlet};
use crate::model::Command;
use crate::world::{Chance, server_address};

use application::Application;

/// Deadlines of one moment after which something spins.
const FIRINGS_MAX: usize = 10_000;
/// Datagrams that the host reads before it drains.
const READ_BUDGET: usize = 64;
/// How often the host tells the manager what its wall clock shows.
const WALL_CLOCK_EVERY_MS: u64 = 5_000;
/// A host that comes by so much later than it was asked to is late; what is less comes of clocks that show no full microseconds.
const LATE_MICROS_MIN: u64 = 5;

/// The server.
#[derive(Debug)]
pub(super) struct Server {
    plan: ServerPlan,
    machine: Machine,
    chance: Chance,
    /// What runs at present; nothing between two starts.
    running: Option<Running>,
    starts: u32,
    drains: u32,
    wall_error_s: i64,
    banned_prefixes: Vec<Prefix>,
}

/// One start of the server.
#[derive(Debug)]
struct Running {
    manager: MultiSessionManager,
    application: Application,
    wall_set_at: Timestamp,
    /// When its host last called it, by its own clock.
    called_at: Timestamp,
}

impl Running {
    /// Its host is about to call it, which may be later than it was asked to.
    fn note_call(&mut self, local: Timestamp, stage: &mut Stage) {
        if local <= self.called_at {
            return;
        }
        let asked = self.manager.poll_timeout();
        let micros = asked.map_or(0, |asked| local.micros_since(asked.at.max(self.called_at)));
        self.called_at = local;
        if micros >= LATE_MICROS_MIN {
            stage.step.note(Happening::ServerLate { micros });
        }
    }
}

impl Server {
    pub(super) fn new(plan: ServerPlan, chance: Chance) -> Self {
        let machine = Machine::new(Party::Server, LocalClock::new(plan.drift_ppm));
        Self {
            plan,
            machine,
            chance,
            running: None,
            starts: 0,
            drains: 0,
            wall_error_s: 0,
            banned_prefixes: Vec::new(),
        }
    }

    /// The manager, while the server runs.
    pub(super) fn manager(&self) -> Option<&MultiSessionManager> {
        self.running.as_ref().map(|running| &running.manager)
    }

    /// What its own clock shows.
    pub(super) fn local(&self, now: Timestamp) -> Timestamp {
        self.machine.local(now)
    }

    pub(super) const fn is_asleep(&self) -> bool {
        self.machine.is_asleep()
    }

    pub(super) const fn plan(&self) -> &ServerPlan {
        &self.plan
    }
}

impl Host for Server {
    fn machine(&mut self) -> &mut Machine {
        &mut self.machine
    }

    fn read(&mut self, datagram: Datagram, stage: &mut Stage) {
        let Some(running) = &mut self.running else { return };
        let local = self.machine.local(stage.now);
        running.note_call(local, stage);
        let mut bytes = datagram.bytes.to_vec();
        let verdict = running.manager.handle_datagram(local, datagram.from, &mut bytes);
        let (by, reading) = (Party::Server, Reading::Server(verdict));
        stage.step.note(Happening::Received { by, datagram, reading });
    }

    fn drive(&mut self, stage: &mut Stage) -> Result<(), Violation> {
        let local = self.machine.local(stage.now);
        let Some(running) = &mut self.running else { return Ok(()) };
        running.note_call(local, stage);
        let Running { manager, application, .. } = running;
        let mut outlet = ServerOutlet { application, plan: &self.plan, chance: &mut self.chance, stage };
        driven::drain(manager, local, &mut outlet)?;
        let mut firings = 0;
        while driven::fire(manager, local, &mut outlet)? {
            firings += 1;
            if firings > FIRINGS_MAX {
                return Err(Violation::new("the server spins"));
            }
        }
        self.machine.arm(stage.now, manager.poll_timeout(), &mut stage.schedule);
        Ok(())
    }
}

/// What the network and time bring.
impl Server {
    /// It starts, if it does not run.
    pub(super) fn start(&mut self, stage: &mut Stage) {
        if self.running.is_some() {
            return;
        }
        // A machine that starts asks what time it is.
        self.wall_error_s = 0;
        self.starts += 1;
        let local = self.machine.local(stage.now);
        let unix_s = backend::unix_s(stage.now);
        let mut config = self.plan.config.clone();
        if self.starts == 1 && self.plan.first_key_is_fresh {
            config.key_history = KeyHistory::Fresh;
        }
        let manager = MultiSessionManager::new(config, self.chance.bytes(), local, unix_s);
        // Proof: a test of the plan shows that every plan's settings are valid.
        let manager = manager.expect("valid settings");
        let application = Application::new(self.starts);
        self.running = Some(Running { manager, application, wall_set_at: local, called_at: local });
        stage.step.note(Happening::ServerStarted);
        stage.step.note(Happening::ServerWallClock { unix_s });
    }

    /// It ends: with a goodbye to everybody, or without.
    pub(super) fn stop(&mut self, is_graceful: bool, stage: &mut Stage) -> Result<(), Violation> {
        let local = self.machine.local(stage.now);
        if is_graceful
            && !self.machine.is_asleep()
            && let Some(running) = &mut self.running
        {
            running.note_call(local, stage);
            running.manager.shutdown(local);
            stage.step.note(Happening::ServerCommanded { command: Command::Shutdown, is_done: true });
            self.drive(stage)?;
        }
        self.count_refusals(stage);
        if self.running.take().is_some() {
            stage.step.note(Happening::ServerStopped);
        }
        Ok(())
    }

    /// Adds up what the present start has counted, before it ends.
    pub(super) fn count_refusals(&self, stage: &mut Stage) {
        let Some(running) = &self.running else { return };
        let counters = running.manager.counters();
        for (count, refusal) in stage.tally.refused.0.iter_mut().zip(Refusal::all()) {
            *count += counters.refused(refusal);
        }
        stage.tally.path_trials += counters.path_trials;
        stage.tally.paths_moved += counters.paths_moved;
    }

    /// Its machine goes on: what waited is read first, a budget at a time.
    pub(super) fn wake(&mut self, at_once: bool, stage: &mut Stage) -> Result<(), Violation> {
        if !self.machine.wake(stage.now, at_once) {
            return Ok(());
        }
        loop {
            let waited: Vec<_> = std::iter::from_fn(|| self.machine.read()).take(READ_BUDGET).collect();
            let is_last = waited.is_empty();
            for datagram in waited {
                self.read(datagram, stage);
            }
            self.drive(stage)?;
            if is_last {
                return Ok(());
            }
        }
    }

    /// The game's turn.
    pub(super) fn take_turn(&mut self, stage: &mut Stage) -> Result<(), Violation> {
        let next = stage.now.plus_micros(1_000_000 / u64::from(self.plan.config.tick_hz));
        stage.schedule.add(next, Due::Turn(Party::Server));
        if self.machine.is_asleep() {
            return Ok(());
        }
        let local = self.machine.local(stage.now);
        let Some(running) = &mut self.running else { return Ok(()) };
        running.note_call(local, stage);
        let Running { manager, application, wall_set_at, .. } = running;
        if local.micros_since(*wall_set_at) >= WALL_CLOCK_EVERY_MS * 1_000 {
            *wall_set_at = local;
            let unix_s = wall_clock_s(stage.now, self.wall_error_s);
            manager.set_unix_time(local, unix_s);
            stage.step.note(Happening::ServerWallClock { unix_s });
        }
        application.take_turn(manager, local, &self.plan, &mut self.chance, stage)?;
        self.drive(stage)
    }
}

/// What its operator and its application do now and then.
impl Server {
    /// Its wall clock is set, wrongly. A host that is not there tells that when it is again.
    pub(super) fn step_wall_clock(&mut self, by_s: i64, stage: &mut Stage) -> Result<(), Violation> {
        self.wall_error_s = by_s;
        if self.machine.is_asleep() {
            return Ok(());
        }
        self.tell_wall_clock(stage);
        self.drive(stage)
    }

    fn tell_wall_clock(&mut self, stage: &mut Stage) {
        let local = self.machine.local(stage.now);
        if let Some(running) = &mut self.running {
            running.note_call(local, stage);
            let unix_s = wall_clock_s(stage.now, self.wall_error_s);
            running.manager.set_unix_time(local, unix_s);
            stage.step.note(Happening::ServerWallClock { unix_s });
        }
    }

    /// Takes no newcomers from now on, as long as this start lasts. Each drain has a code of its own.
    pub(super) fn drain(
        &mut self,
        within_ms: Option<u64>,
        names_other: bool,
        stage: &mut Stage,
    ) -> Result<(), Violation> {
        let local = self.machine.local(stage.now);
        let running = self.running.as_mut().filter(|_| !self.machine.is_asleep());
        let Some(running) = running else { return Ok(()) };
        running.note_call(local, stage);
        self.drains += 1;
        let drain =
            Drain { within_ms, code: self.drains, other_address: names_other.then(other_server_address) };
        let is_done = running.manager.drain(local, drain).is_ok();
        stage.step.note(Happening::ServerCommanded { command: Command::Drain(drain), is_done });
        self.drive(stage)
    }

    /// Ends the session of an identity; says whether there was one.
    pub(super) fn kick(
        &mut self,
        client_id: ClientId,
        is_told: bool,
        stage: &mut Stage,
    ) -> Result<bool, Violation> {
        let local = self.machine.local(stage.now);
        let running = self.running.as_mut().filter(|_| !self.machine.is_asleep());
        let Some(running) = running else { return Ok(false) };
        let Some(session) = running.manager.session_of(client_id).map(|view| view.id()) else {
            return Ok(false);
        };
        running.note_call(local, stage);
        let (ended, command) = if is_told {
            (running.manager.disconnect(local, session, 3, b"be gone"), Command::Disconnect(session, 3))
        } else {
            (running.manager.remove(local, session), Command::Remove(session))
        };
        if ended.is_err() {
            return Err(Violation::new(format!("session {session} is found but cannot be ended")));
        }
        stage.step.note(Happening::ServerCommanded { command, is_done: true });
        self.drive(stage)?;
        Ok(true)
    }

    /// Bans an identity for a while; says whether the server runs.
    pub(super) fn ban(
        &mut self,
        client_id: ClientId,
        for_ms: u64,
        stage: &mut Stage,
    ) -> Result<bool, Violation> {
        let local = self.machine.local(stage.now);
        let running = self.running.as_mut().filter(|_| !self.machine.is_asleep());
        let Some(running) = running else { return Ok(false) };
        running.note_call(local, stage);
        let until = local.plus_millis(for_ms);
        if running.manager.ban(local, client_id, until).is_err() {
            return Err(Violation::new("there is no room for a ban"));
        }
        let command = Command::Ban(client_id, until);
        stage.step.note(Happening::ServerCommanded { command, is_done: true });
        self.drive(stage)?;
        Ok(true)
    }

    /// Holds the deadlines about peers, or lets them go on; says whether its host is there to do so.
    pub(super) fn hold(&mut self, hold: bool, stage: &mut Stage) -> Result<bool, Violation> {
        let local = self.machine.local(stage.now);
        let running = self.running.as_mut().filter(|_| !self.machine.is_asleep());
        let Some(running) = running else { return Ok(false) };
        running.note_call(local, stage);
        running.manager.set_hold(local, hold);
        stage.step.note(Happening::ServerCommanded { command: Command::Hold(hold), is_done: true });
        self.drive(stage)?;
        Ok(true)
    }

    /// Bans an address for a while, with everybody behind it; says whether the server runs.
    pub(super) fn ban_address(
        &mut self,
        address: SocketAddr,
        for_ms: u64,
        stage: &mut Stage,
    ) -> Result<bool, Violation> {
        let local = self.machine.local(stage.now);
        let running = self.running.as_mut().filter(|_| !self.machine.is_asleep());
        let (Some(running), Some(prefix)) = (running, Prefix::new(address.ip(), 32)) else {
            return Ok(false);
        };
        running.note_call(local, stage);
        let until = local.plus_millis(for_ms);
        if running.manager.ban_prefix(local, prefix, until).is_err() {
            return Err(Violation::new("there is no room for a ban"));
        }
        self.banned_prefixes.push(prefix);
        let command = Command::BanPrefix(prefix, until);
        stage.step.note(Happening::ServerCommanded { command, is_done: true });
        self.drive(stage)?;
        Ok(true)
    }

    /// The faults stop: it runs, its clock is right, nobody is banned, nothing is held.
    pub(super) fn calm_down(&mut self, identities: &[ClientId], stage: &mut Stage) -> Result<(), Violation> {
        self.wake(true, stage)?;
        self.start(stage);
        self.wall_error_s = 0;
        self.tell_wall_clock(stage);
        self.hold(false, stage)?;
        if let Some(running) = &mut self.running {
            for identity in identities {
                running.manager.lift_ban(*identity);
                let command = Command::LiftBan(*identity);
                stage.step.note(Happening::ServerCommanded { command, is_done: true });
            }
            for prefix in self.banned_prefixes.drain(..) {
                running.manager.lift_prefix_ban(prefix);
                let command = Command::LiftPrefixBan(prefix);
                stage.step.note(Happening::ServerCommanded { command, is_done: true });
            }
        }
        self.drive(stage)
    }
}

/// Where players are told to go, who stay.
fn other_server_address() -> SocketAddr {
    SocketAddr::from(([203, 0, 113, 2], 40_001))
}

fn wall_clock_s(now: Timestamp, error_s: i64) -> u64 {
    backend::unix_s(now).saturating_add_signed(error_s)
}

/// What the server's host does with the output.
struct ServerOutlet<'a> {
    application: &'a mut Application,
    plan: &'a ServerPlan,
    chance: &'a mut Chance,
    stage: &'a mut Stage,
}

impl Outlet<Event> for ServerOutlet<'_> {
    fn event(&mut self, event: Event, payload: &[u8]) {
        self.application.on_event(event, payload, self.plan, self.chance);
        self.stage.step.note(Happening::ServerTold { event, payload: payload.into() });
    }

    fn datagram(&mut self, to: SocketAddr, bytes: &[u8]) {
        self.stage.send(Party::Server, server_address(), to, bytes);
    }

    fn fires(&mut self) {
        self.stage.step.note(Happening::ServerFired);
    }
}
