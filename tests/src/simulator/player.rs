//! An honest player: a machine, the programs that run on it one after the other, and the person who starts them.

mod process;

use std::net::SocketAddr;

use rejoin::client::{ClientEvent, ClientSession, ClientState};
use rejoin::{CONNECT_TOKEN_BYTES, ClientId, ConnectToken, LoginPolicy, Timestamp};

use super::backend::{self, FETCH_PAUSE_MS, TokenKind};
use super::clock::LocalClock;
use super::host::Host;
use super::machine::Machine;
use super::plan::{Notice, PlayerPlan};
use super::schedule::Due;
use super::stage::Stage;
use super::step::{Datagram, Happening, Party, Reading};
use crate::laws::Violation;
use crate::laws::driven::{self, Outlet};
use crate::world::Chance;

pub(super) use process::{KEYS, Process};

/// Deadlines of one moment after which something spins.
const FIRINGS_MAX: usize = 1_000;
/// How long after the end of a program the player starts the next one.
const RESTART_MS: u64 = 200;
/// How long a player stays who is away and has no resume token, once the faults have stopped.
const NO_WAY_BACK_PATIENCE_MS: u64 = 500;
/// In how many of a hundred programs somebody mistypes the password who ever does.
const WRONG_LOGIN_PERCENT: u64 = 30;
/// How many of a hundred turns save what the next process needs.
const SAVE_PERCENT: u64 = 5;

/// A player.
#[derive(Debug)]
pub(super) struct Player {
    pub(super) place: usize,
    pub(super) client_id: ClientId,
    pub(super) process: Option<Process>,
    /// Whether it plays no more.
    pub(super) has_left: bool,
    /// Whether it waits for its program to come back by itself, however long that takes.
    pub(super) perseveres: bool,
    plan: PlayerPlan,
    machine: Machine,
    chance: Chance,
    /// What the last process saved.
    saved: Vec<u8>,
    /// What the backend gives next time.
    next_token: TokenKind,
    starts_at: Timestamp,
    fetched_at: Option<Timestamp>,
}

impl Player {
    pub(super) fn new(place: usize, plan: PlayerPlan, chance: Chance) -> Self {
        Self {
            place,
            client_id: ClientId(1 + place as u64),
            process: None,
            has_left: false,
            perseveres: false,
            machine: Machine::new(Party::Player(place), LocalClock::new(plan.drift_ppm)),
            chance,
            saved: Vec::new(),
            next_token: TokenKind::Fresh,
            starts_at: Timestamp::from_millis(plan.joins_at_ms),
            fetched_at: None,
            plan,
        }
    }

    const fn party(&self) -> Party {
        Party::Player(self.place)
    }

    /// What its program stands at, if it runs.
    pub(super) fn state(&self) -> Option<ClientState> {
        self.process.as_ref().map(|process| process.session.state())
    }

    /// Whether its program could come back by itself, whatever happened so far: it has a resume token that was never used.
    pub(super) fn has_way_back(&self) -> bool {
        let can_save = |process: &Process| process.session.save(&mut Vec::new());
        self.state() == Some(ClientState::Away) && self.process.as_ref().is_some_and(can_save)
    }
}

impl Host for Player {
    fn machine(&mut self) -> &mut Machine {
        &mut self.machine
    }

    fn read(&mut self, datagram: Datagram, stage: &mut Stage) {
        let Some(process) = &mut self.process else { return };
        let local = self.machine.local(stage.now);
        let verdict = process.session.handle_datagram(local, datagram.from, &mut datagram.bytes.to_vec());
        let (by, reading) = (Party::Player(self.place), Reading::Player(verdict));
        stage.step.note(Happening::Received { by, datagram, reading });
    }

    fn drive(&mut self, stage: &mut Stage) -> Result<(), Violation> {
        let local = self.machine.local(stage.now);
        let Some(process) = &mut self.process else { return Ok(()) };
        let (id, party) = (process.id, Party::Player(self.place));
        let mut told = Vec::new();
        let address = stage.network.address_of(self.place);
        let mut outlet = PlayerOutlet { party, address, told: &mut told, stage };
        driven::drain(&mut process.session, local, &mut outlet)?;
        let mut firings = 0;
        while driven::fire(&mut process.session, local, &mut outlet)? {
            firings += 1;
            if firings > FIRINGS_MAX {
                return Err(Violation::new(format!("player {} spins", self.place)));
            }
        }
        for (event, payload) in told {
            process.on_event(event);
            stage.step.note(Happening::PlayerTold { process: id, event, payload: payload.into() });
        }
        let deadline = process.session.poll_timeout();
        if deadline.is_none() && process.session.state() == ClientState::Disconnected {
            self.stop(stage);
            self.saved.clear();
            self.starts_at = self.starts_at.max(stage.now.plus_millis(RESTART_MS));
        } else {
            self.machine.arm(stage.now, deadline, &mut stage.schedule);
        }
        Ok(())
    }
}

/// What the network and time bring.
impl Player {
    /// Its machine goes on: what waited is read first.
    pub(super) fn wake(&mut self, at_once: bool, stage: &mut Stage) -> Result<(), Violation> {
        if self.machine.wake(stage.now, at_once) {
            while let Some(datagram) = self.machine.read() {
                self.read(datagram, stage);
            }
            self.drive(stage)?;
        }
        Ok(())
    }

    /// Its turn to do what it does again and again.
    pub(super) fn take_turn(&mut self, stage: &mut Stage) -> Result<(), Violation> {
        let next = stage.now.plus_micros(1_000_000 / self.plan.turn_hz);
        stage.schedule.add(next, Due::Turn(self.party()));
        if self.machine.is_asleep() {
            return Ok(());
        }
        let local = self.machine.local(stage.now);
        match &mut self.process {
            None => self.start(stage),
            Some(process) => {
                process.take_turn(&self.plan, local, &mut self.chance, stage);
                if self.chance.percent(SAVE_PERCENT) {
                    process.session.save(&mut self.saved);
                }
                self.lose_patience(stage);
            }
        }
        self.drive(stage)
    }

    fn stop(&mut self, stage: &mut Stage) {
        if let Some(process) = self.process.take() {
            stage.step.note(Happening::ProcessStopped { process: process.id });
        }
    }
}

/// What the player decides.
impl Player {
    fn start(&mut self, stage: &mut Stage) {
        let may_fetch = self.fetched_at.is_none_or(|at| stage.now >= at.plus_millis(FETCH_PAUSE_MS));
        if self.has_left || stage.now < self.starts_at {
            return;
        }
        let session = match self.resumed(stage.now) {
            Some(session) => Some(session),
            None if may_fetch => self.connected(stage),
            None => None,
        };
        let Some(session) = session else { return };
        let id = stage.next_process();
        let wrong_logins = if self.chance.percent(WRONG_LOGIN_PERCENT) { self.plan.wrong_logins } else { 0 };
        self.process = Some(Process::new(id, session, wrong_logins, stage.now));
        stage.step.note(Happening::ProcessStarted { process: id, client_id: self.client_id });
    }

    /// A session that goes on where the former process left it.
    fn resumed(&mut self, now: Timestamp) -> Option<ClientSession> {
        let saved = std::mem::take(&mut self.saved);
        let (seed, local) = (self.chance.bytes(), self.machine.local(now));
        let unix_s = self.unix_s(now);
        ClientSession::resume(self.plan.client.clone(), seed, local, &saved, unix_s).ok()
    }

    /// A session with a token of the backend.
    fn connected(&mut self, stage: &mut Stage) -> Option<ClientSession> {
        let kind = std::mem::replace(&mut self.next_token, TokenKind::Fresh);
        let token = stage.backend.give(stage.now, self.client_id, kind);
        self.fetched_at = Some(stage.now);
        // As a client gets it: over some other channel, as bytes.
        let mut bytes = [0; CONNECT_TOKEN_BYTES];
        token.write(&mut bytes);
        let token = ConnectToken::read(&bytes).ok()?;
        let (seed, local) = (self.chance.bytes(), self.machine.local(stage.now));
        let unix_s = self.unix_s(stage.now);
        let mut session = ClientSession::new(self.plan.client.clone(), seed, local, &token, unix_s).ok()?;
        if self.plan.login == LoginPolicy::Explicit && self.plan.wrong_logins == 0 && self.chance.percent(50)
        {
            // It may log in before there is a connection.
            session.login(b"right").ok()?;
        }
        Some(session)
    }

    fn unix_s(&self, now: Timestamp) -> u64 {
        backend::unix_s(now).saturating_add_signed(self.plan.wall_error_s)
    }

    fn lose_patience(&mut self, stage: &mut Stage) {
        let Some(process) = &mut self.process else { return };
        // Who has nothing to come back with need not wait for long.
        let has_no_way_back = stage.is_calm
            && process.session.state() == ClientState::Away
            && process.session.resume_tokens() == 0;
        let patience_ms = if has_no_way_back { NO_WAY_BACK_PATIENCE_MS } else { self.plan.patience_ms };
        let is_over = |since: Timestamp| stage.now >= since.plus_millis(patience_ms);
        if !self.perseveres
            && process.waits_since.is_some_and(is_over)
            && process.session.state() != ClientState::Disconnected
        {
            stage.tally.gave_up_late += u64::from(stage.is_calm);
            process.session.disconnect(self.machine.local(stage.now));
        }
    }

    /// Its program says goodbye, and the player comes back later.
    pub(super) fn leave(&mut self, away_ms: u64, stage: &mut Stage) -> Result<(), Violation> {
        self.starts_at = stage.now.plus_millis(away_ms);
        self.saved.clear();
        if let Some(process) = &mut self.process {
            process.session.disconnect(self.machine.local(stage.now));
        }
        if self.machine.is_asleep() { Ok(()) } else { self.drive(stage) }
    }

    /// Its program ends without a word.
    pub(super) fn crash(&mut self, keeps_saved: bool, down_ms: u64, stage: &mut Stage) {
        self.starts_at = stage.now.plus_millis(down_ms);
        if !keeps_saved {
            self.saved.clear();
        }
        self.stop(stage);
    }

    /// Its program is not started again once it has ended.
    pub(super) const fn stay_away_afterwards(&mut self) {
        self.starts_at = Timestamp::NEVER;
    }

    /// Next time the backend gives this.
    pub(super) const fn spoil_next_token(&mut self, kind: TokenKind) {
        self.next_token = kind;
    }

    /// Its host learns that it has another address, or that it may have.
    pub(super) fn notice_move(&mut self, notice: Notice, stage: &mut Stage) -> Result<(), Violation> {
        if self.machine.is_asleep() {
            return Ok(());
        }
        if let Some(process) = &mut self.process {
            let local = self.machine.local(stage.now);
            match notice {
                Notice::None => return Ok(()),
                Notice::Hint => process.session.network_may_have_changed(local),
                Notice::Certain => process.session.network_changed(local),
            }
        }
        self.drive(stage)
    }

    /// The faults stop: it plays from now on, or leaves for good, and waits no longer than `patience_ms` from now.
    pub(super) fn calm_down(
        &mut self,
        leaves: bool,
        patience_ms: u64,
        stage: &mut Stage,
    ) -> Result<(), Violation> {
        self.wake(true, stage)?;
        self.next_token = TokenKind::Fresh;
        self.starts_at = self.starts_at.min(stage.now);
        self.plan.wrong_logins = 0;
        self.plan.patience_ms = patience_ms;
        if leaves {
            self.has_left = true;
            return self.leave(0, stage);
        }
        if let Some(process) = &mut self.process {
            process.calm_down(stage.now);
        }
        Ok(())
    }
}

/// What a player's host does with the output.
struct PlayerOutlet<'a> {
    party: Party,
    address: SocketAddr,
    told: &'a mut Vec<(ClientEvent, Vec<u8>)>,
    stage: &'a mut Stage,
}

impl Outlet<ClientEvent> for PlayerOutlet<'_> {
    fn event(&mut self, event: ClientEvent, payload: &[u8]) {
        self.told.push((event, payload.to_vec()));
    }

    fn datagram(&mut self, to: SocketAddr, bytes: &[u8]) {
        self.stage.send(self.party, self.address, to, bytes);
    }
}
