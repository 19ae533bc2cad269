//! Two devices with one identity, whose owner plays on both: each logs in, goes on where the other is, and moves, and neither waits for the
//! other. They keep to the protocol, for their ends are clients like any player's.

use std::net::SocketAddr;

use rejoin::client::{ClientConfig, ClientEvent, ClientSession, ClientState};
use rejoin::{ConnectToken, DATAGRAM_BYTES_MAX, Timestamp};

use super::{index_below, pick};
use crate::simulator::adversary::{Adversary, TWIN, Volley};
use crate::simulator::attack::Attack;
use crate::simulator::backend::{self, FETCH_PAUSE_MS};
use crate::simulator::checkers::Told;
use crate::simulator::plan::AdversaryPlans;
use crate::simulator::step::Datagram;
use crate::world::Chance;

/// From one turn to the next.
const TURN_MS: u64 = 25;
/// The least time between two whims: enough to get in.
const WHIM_EVERY_MS_MIN: u64 = 300;
/// How much more there is at most between those of somebody who does one thing in a second.
const WHIM_EVERY_MS_MORE: u64 = 8_000;
/// How many of a hundred copies are older ones.
const STALE_PERCENT: u64 = 30;

/// The two of them.
#[derive(Debug)]
pub(super) struct Twins {
    chance: Chance,
    attacks: Vec<Attack>,
    until: Option<Timestamp>,
    whim_every_ms_max: u64,
    next_whim_at: Timestamp,
    next_token_at: Timestamp,
    devices: [Device; 2],
    /// What one of them saved earlier.
    stale: Vec<u8>,
}

/// One device: at most one program runs on it.
#[derive(Debug)]
struct Device {
    addresses: Vec<SocketAddr>,
    /// Which of them it has.
    place: usize,
    program: Option<Program>,
}

#[derive(Debug)]
struct Program {
    session: ClientSession,
    told: Told,
}

impl Twins {
    pub(super) fn new(plans: &AdversaryPlans, addresses: &[SocketAddr], chance: Chance) -> Self {
        let (first, second) = addresses.split_at(addresses.len() / 2);
        let device =
            |addresses: &[SocketAddr]| Device { addresses: addresses.to_vec(), place: 0, program: None };
        Self {
            chance,
            attacks: plans.twins.attacks.clone(),
            until: plans.twins.until,
            whim_every_ms_max: WHIM_EVERY_MS_MIN + WHIM_EVERY_MS_MORE / plans.twins.per_second,
            next_whim_at: plans.twins.from,
            next_token_at: plans.twins.from,
            devices: [device(first), device(second)],
            stale: Vec::new(),
        }
    }

    /// Something new on one of the devices.
    fn follow_whim(&mut self, now: Timestamp, volley: &mut Volley<'_>) -> Option<()> {
        let attack = *pick(&self.attacks, &mut self.chance)?;
        let device = index_below(2, &mut self.chance);
        match attack {
            Attack::TwinLogin => self.log_in(now, device, volley)?,
            Attack::TwinCopy => self.copy(now, device)?,
            Attack::TwinMove => self.devices[device].change_network(now)?,
            _ => return None,
        }
        volley.attacks.count(attack);
        Some(())
    }

    /// A program begins with a token of the backend, whatever ran there before.
    fn log_in(&mut self, now: Timestamp, device: usize, volley: &mut Volley<'_>) -> Option<()> {
        if now < self.next_token_at {
            return None;
        }
        self.next_token_at = now.plus_millis(FETCH_PAUSE_MS);
        let token = ConnectToken::read(&volley.fetch_token(now, TWIN)).ok()?;
        let (seed, unix_s) = (self.chance.bytes(), backend::unix_s(now));
        let mut session = ClientSession::new(ClientConfig::default(), seed, now, &token, unix_s).ok()?;
        session.login(b"right").ok()?;
        self.devices[device].program = Some(Program::new(session));
        Some(())
    }

    /// A program begins with a copy of what the other device has saved, now or earlier.
    fn copy(&mut self, now: Timestamp, device: usize) -> Option<()> {
        let mut saved = Vec::new();
        if let Some(other) = &self.devices[1 - device].program {
            other.session.save(&mut saved);
        }
        if !self.stale.is_empty() && self.chance.percent(STALE_PERCENT) {
            saved.clone_from(&self.stale);
        } else if self.chance.percent(STALE_PERCENT) {
            self.stale.clone_from(&saved);
        }
        let (seed, unix_s) = (self.chance.bytes(), backend::unix_s(now));
        let session = ClientSession::resume(ClientConfig::default(), seed, now, &saved, unix_s).ok()?;
        self.devices[device].program = Some(Program::new(session));
        Some(())
    }
}

impl Program {
    fn new(session: ClientSession) -> Self {
        Self { session, told: Told::default() }
    }
}

impl Device {
    fn address(&self) -> SocketAddr {
        self.addresses[self.place]
    }

    /// It has another address from now on, and its program knows.
    fn change_network(&mut self, now: Timestamp) -> Option<()> {
        self.place = (self.place + 1) % self.addresses.len();
        self.program.as_mut()?.session.network_changed(now);
        Some(())
    }

    /// What its program does by itself.
    ///
    /// # Panics
    ///
    /// If the program is told what makes no sense after what it was told before.
    fn drive(&mut self, now: Timestamp, volley: &mut Volley<'_>) {
        let from = self.address();
        let Some(Program { session, told }) = &mut self.program else { return };
        session.handle_timeout(now);
        let mut payload = Vec::new();
        while let Some(event) = session.poll_event(&mut payload) {
            let before = *told;
            assert!(told.take(&event), "{TWIN} was told {event:?} after {before:?}");
            let is_end = matches!(event, ClientEvent::Disconnected { .. });
            assert_eq!(is_end, *told == Told::Ended, "{TWIN} was told {event:?}");
        }
        let mut buffer = [0; DATAGRAM_BYTES_MAX];
        while let Some(transmit) = session.poll_transmit(now, &mut buffer) {
            let bytes = buffer[..transmit.len].into();
            volley.datagrams.push(Datagram { from, to: transmit.to, bytes });
        }
        if session.state() == ClientState::Disconnected {
            self.program = None;
        }
    }
}

impl Adversary for Twins {
    fn receive(&mut self, now: Timestamp, datagram: &Datagram) {
        let here = self.devices.iter_mut().filter(|device| device.address() == datagram.to);
        for program in here.filter_map(|device| device.program.as_mut()) {
            program.session.handle_datagram(now, datagram.from, &mut datagram.bytes.to_vec());
        }
    }

    fn take_turn(&mut self, now: Timestamp, volley: &mut Volley<'_>) -> Option<Timestamp> {
        let goes_on = self.until.is_none_or(|until| now < until);
        if goes_on && now >= self.next_whim_at {
            // For some there is no occasion.
            let _ = self.follow_whim(now, volley);
            let pause_ms = self.chance.between(WHIM_EVERY_MS_MIN..=self.whim_every_ms_max);
            self.next_whim_at = now.plus_millis(pause_ms);
        }
        for device in &mut self.devices {
            device.drive(now, volley);
        }
        let is_anybody_there = self.devices.iter().any(|device| device.program.is_some());
        let next = now.plus_millis(TURN_MS);
        if is_anybody_there { Some(next) } else { goes_on.then_some(next.max(self.next_whim_at)) }
    }
}
