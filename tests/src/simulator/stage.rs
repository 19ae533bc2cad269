//! What everybody who takes part shares: time, the network, the backend, and the record of what happens.

use std::net::SocketAddr;

use rejoin::Timestamp;

use super::attack::AttackCounts;
use super::backend::Backend;
use super::fault::FaultCounts;
use super::network::Network;
use super::outcome::Tally;
use super::schedule::Schedule;
use super::step::{Datagram, Happening, Party, ProcessId, Step};

/// The surroundings of all machines.
#[derive(Debug)]
pub(super) struct Stage {
    /// True time; each machine has its own beside it.
    pub(super) now: Timestamp,
    /// Whether the faults have stopped.
    pub(super) is_calm: bool,
    pub(super) schedule: Schedule,
    pub(super) network: Network,
    pub(super) backend: Backend,
    pub(super) step: Step,
    pub(super) faults: FaultCounts,
    pub(super) attacks: AttackCounts,
    pub(super) tally: Tally,
}

impl Stage {
    pub(super) fn new(network: Network, backend: Backend) -> Self {
        Self {
            now: Timestamp::ZERO,
            is_calm: false,
            schedule: Schedule::default(),
            network,
            backend,
            step: Step::default(),
            faults: FaultCounts::default(),
            attacks: AttackCounts::default(),
            tally: Tally::default(),
        }
    }

    /// A machine sends a datagram.
    pub(super) fn send(&mut self, by: Party, from: SocketAddr, to: SocketAddr, bytes: &[u8]) {
        let datagram = Datagram { from, to, bytes: bytes.into() };
        self.network.carry(self.now, by, &datagram, &mut self.schedule, &mut self.faults);
        self.tally.datagrams_sent += 1;
        self.step.note(Happening::Sent { by, datagram });
    }

    /// The number of the next process.
    pub(super) fn next_process(&mut self) -> ProcessId {
        self.tally.processes += 1;
        ProcessId(self.tally.processes)
    }
}
