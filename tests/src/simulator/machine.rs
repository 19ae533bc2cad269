//! One machine: its clock, its socket, its sleep.

use std::collections::VecDeque;

use rejoin::{Deadline, Timestamp};

use super::clock::LocalClock;
use super::plan::Sleep;
use super::schedule::{Due, Schedule};
use super::step::{Datagram, Party};

/// What a socket keeps for a host that does not read, as on Linux by default.
const SOCKET_BYTES_MAX: usize = 212_992;
/// What each datagram costs beyond its bytes.
const SOCKET_OVERHEAD_BYTES: usize = 512;

/// The machine that a host runs on.
#[derive(Debug)]
pub(super) struct Machine {
    party: Party,
    clock: LocalClock,
    asleep: Option<Asleep>,
    socket: VecDeque<Datagram>,
    socket_bytes: usize,
    /// The earliest timer that is scheduled.
    armed: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug)]
struct Asleep {
    until: Timestamp,
    hears: bool,
    leap_ms: u64,
}

impl Machine {
    pub(super) const fn new(party: Party, clock: LocalClock) -> Self {
        Self { party, clock, asleep: None, socket: VecDeque::new(), socket_bytes: 0, armed: None }
    }

    /// What its clock shows.
    pub(super) fn local(&self, now: Timestamp) -> Timestamp {
        self.clock.at(now)
    }

    pub(super) const fn is_asleep(&self) -> bool {
        self.asleep.is_some()
    }

    /// Its host does nothing for a while; one sleep may prolong another.
    pub(super) fn fall_asleep(&mut self, now: Timestamp, sleep: Sleep, schedule: &mut Schedule) {
        let former = self.asleep;
        let until = now.plus_millis(sleep.for_ms);
        let asleep = Asleep {
            until: former.map_or(until, |former| former.until.max(until)),
            hears: sleep.hears && former.is_none_or(|former| former.hears),
            leap_ms: sleep.leap_ms + former.map_or(0, |former| former.leap_ms),
        };
        self.asleep = Some(asleep);
        schedule.add(asleep.until, Due::Wake(self.party));
    }

    /// Its host goes on, if it is time or nothing is to disturb it any more. Says whether it was asleep.
    pub(super) fn wake(&mut self, now: Timestamp, at_once: bool) -> bool {
        let Some(asleep) = self.asleep.take_if(|asleep| at_once || asleep.until <= now) else { return false };
        self.clock.leap(now, asleep.leap_ms);
        // Whatever was armed is to be asked for again.
        self.armed = None;
        true
    }

    /// A datagram arrives. Gives it back if the host reads it now.
    pub(super) fn hear(&mut self, datagram: Datagram) -> Option<Datagram> {
        let Some(asleep) = self.asleep else { return Some(datagram) };
        let bytes = datagram.bytes.len() + SOCKET_OVERHEAD_BYTES;
        if asleep.hears && self.socket_bytes + bytes <= SOCKET_BYTES_MAX {
            self.socket_bytes += bytes;
            self.socket.push_back(datagram);
        }
        None
    }

    /// The next datagram that waited while nobody read.
    pub(super) fn read(&mut self) -> Option<Datagram> {
        let datagram = self.socket.pop_front()?;
        self.socket_bytes -= datagram.bytes.len() + SOCKET_OVERHEAD_BYTES;
        Some(datagram)
    }

    /// The host wants to be called at this time of its own clock.
    pub(super) fn arm(&mut self, now: Timestamp, deadline: Option<Deadline>, schedule: &mut Schedule) {
        let Some(deadline) = deadline.filter(|deadline| deadline.at < Timestamp::NEVER) else { return };
        let at = self.clock.when(deadline.at).max(now);
        if self.armed.is_none_or(|armed| at < armed) {
            self.armed = Some(at);
            schedule.add(at, Due::Timer(self.party));
        }
    }

    /// A timer fires; says whether it is one that was not replaced by an earlier one.
    pub(super) fn disarm(&mut self, now: Timestamp) -> bool {
        self.armed.take_if(|armed| *armed == now).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::server_address;

    fn datagram(len: usize) -> Datagram {
        Datagram { from: server_address(), to: server_address(), bytes: vec![0; len].into() }
    }

    #[test]
    fn what_arrives_in_a_stall_waits_and_in_a_suspend_is_lost() {
        for (hears, expected) in [(true, 1), (false, 0)] {
            let mut machine = Machine::new(Party::Server, LocalClock::new(0));
            let sleep = Sleep { for_ms: 100, hears, leap_ms: 5_000 };
            machine.fall_asleep(Timestamp::ZERO, sleep, &mut Schedule::default());
            assert_eq!(machine.hear(datagram(100)), None);

            assert!(!machine.wake(Timestamp::from_millis(99), false));
            assert!(machine.wake(Timestamp::from_millis(100), false));

            assert_eq!(std::iter::from_fn(|| machine.read()).count(), expected);
            assert_eq!(machine.local(Timestamp::from_millis(100)), Timestamp::from_millis(5_100));
            assert_eq!(machine.hear(datagram(1)), Some(datagram(1)));
        }
    }

    #[test]
    fn a_socket_keeps_only_so_much() {
        let mut machine = Machine::new(Party::Server, LocalClock::new(0));
        let sleep = Sleep { for_ms: 100, hears: true, leap_ms: 0 };
        machine.fall_asleep(Timestamp::ZERO, sleep, &mut Schedule::default());
        for _ in 0..1_000 {
            machine.hear(datagram(1_200));
        }
        let kept = std::iter::from_fn(|| machine.read()).count();
        assert!(kept > 100 && kept < 200, "{kept}");
    }
}
