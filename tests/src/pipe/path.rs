//! Two ends and the pipes between them.

use rejoin::Timestamp;

use super::{Packet, Pipe};

/// Steps at one and the same moment after which somebody spins.
const STEPS_PER_MOMENT_MAX: usize = 10_000;

/// Whoever sends packets into a path and receives those of the other end, with the application that uses it.
pub trait Endpoint {
    /// When the application has something to do; `None`: never.
    fn next_task(&self) -> Option<Timestamp>;

    /// Lets the application do what is due by `now`: read what came, give what is to be sent.
    fn run_application(&mut self, now: Timestamp);

    /// Takes a packet of the other end.
    fn handle_packet(&mut self, now: Timestamp, packet: Packet);

    /// When it wants [`handle_timeout`](Self::handle_timeout) to be called.
    fn poll_timeout(&mut self) -> Option<Timestamp>;

    /// Fires what is due.
    fn handle_timeout(&mut self, now: Timestamp);

    /// The next packet, if one may leave now.
    fn poll_transmit(&mut self, now: Timestamp) -> Option<Vec<u8>>;
}

/// Two ends and a pipe in each direction.
#[derive(Debug)]
pub struct Path<A, B> {
    /// The present.
    pub now: Timestamp,
    /// One end.
    pub near: A,
    /// The other.
    pub far: B,
    /// From the near end to the far one.
    pub forth: Pipe,
    /// From the far end to the near one.
    pub back: Pipe,
    steps_at_now: usize,
}

impl<A: Endpoint, B: Endpoint> Path<A, B> {
    /// Puts two ends together.
    pub fn new(near: A, far: B, forth: Pipe, back: Pipe) -> Self {
        Self { now: Timestamp::ZERO, near, far, forth, back, steps_at_now: 0 }
    }

    /// Lets so much time pass.
    pub fn run_for_ms(&mut self, millis: u64) {
        let end = self.now.plus_millis(millis);
        self.run_to(end, |_| false);
    }

    /// Runs until something holds.
    ///
    /// # Panics
    ///
    /// If it does not within `limit_ms` of virtual time.
    pub fn run_until(&mut self, what: &str, limit_ms: u64, holds: impl Fn(&Self) -> bool) {
        let end = self.now.plus_millis(limit_ms);
        assert!(self.run_to(end, holds), "waited {limit_ms} ms for {what}");
    }

    /// Says whether it held before `end`.
    fn run_to(&mut self, end: Timestamp, holds: impl Fn(&Self) -> bool) -> bool {
        self.settle();
        while !holds(self) {
            let Some(next) = self.next_event().filter(|&next| next <= end) else {
                self.now = end;
                self.settle();
                return false;
            };
            self.step_to(next);
        }
        true
    }

    fn next_event(&mut self) -> Option<Timestamp> {
        let Self { now, near, far, forth, back, .. } = self;
        let pipes = [forth.next_arrival(), back.next_arrival()];
        let ends = [next_of(*now, near, forth), next_of(*now, far, back)];
        pipes.into_iter().chain(ends).flatten().min()
    }

    fn step_to(&mut self, moment: Timestamp) {
        self.steps_at_now = if moment > self.now { 0 } else { self.steps_at_now + 1 };
        assert!(self.steps_at_now < STEPS_PER_MOMENT_MAX, "somebody spins at {}", self.now);
        let now = self.now.max(moment);
        self.now = now;
        while let Some(packet) = self.forth.arrive(now) {
            self.far.handle_packet(now, packet);
        }
        while let Some(packet) = self.back.arrive(now) {
            self.near.handle_packet(now, packet);
        }
        fire(&mut self.near, now);
        fire(&mut self.far, now);
        self.settle();
    }

    /// Lets both ends send what the pipes take now.
    fn settle(&mut self) {
        drain(&mut self.near, &mut self.forth, self.now);
        drain(&mut self.far, &mut self.back, self.now);
    }
}

/// When an end has to be called. What it wants at once waits until its pipe takes a packet.
fn next_of(now: Timestamp, end: &mut impl Endpoint, pipe: &Pipe) -> Option<Timestamp> {
    let takes_at = pipe.takes_at();
    let wants = end.poll_timeout().map(|at| if at <= now { at.max(takes_at) } else { at });
    // An end that wants to send may have to wait although its deadline is later.
    let takes = Some(takes_at).filter(|&at| at > now);
    [wants, takes, end.next_task()].into_iter().flatten().min()
}

fn fire(end: &mut impl Endpoint, now: Timestamp) {
    if end.poll_timeout().is_some_and(|at| at <= now) {
        end.handle_timeout(now);
    }
}

fn drain(end: &mut impl Endpoint, pipe: &mut Pipe, now: Timestamp) {
    end.run_application(now);
    while pipe.takes_at() <= now
        && let Some(bytes) = end.poll_transmit(now)
    {
        pipe.send(now, bytes);
    }
}
