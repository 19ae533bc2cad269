//! Letting time pass, from one deadline or arrival to the next.

use rejoin::Timestamp;

use super::{STEPS_PER_MOMENT_MAX, World};

/// When the players want to be called next.
///
/// While time passes nobody but the world uses their sessions, so what a player wants stays as it was until a datagram reaches it or its
/// deadline comes: only whom a step touches is looked at. What a player does beside that is found when everybody is drained again, at the end.
struct Agenda {
    deadlines: Vec<Option<Timestamp>>,
    is_touched: Vec<bool>,
}

impl Agenda {
    fn new(world: &World) -> Self {
        let deadlines = (0..world.players.len()).map(|player| deadline_of(world, player)).collect();
        Self { deadlines, is_touched: vec![false; world.players.len()] }
    }

    fn first(&self) -> Option<Timestamp> {
        self.deadlines.iter().flatten().min().copied()
    }

    fn touch_due(&mut self, now: Timestamp) {
        for (deadline, is_touched) in self.deadlines.iter().zip(&mut self.is_touched) {
            *is_touched |= deadline.is_some_and(|deadline| deadline <= now);
        }
    }

    fn touched(&self) -> impl Iterator<Item = usize> {
        (0..self.is_touched.len()).filter(|&player| self.is_touched[player])
    }

    /// Asks those who were touched again.
    fn update(&mut self, world: &World) {
        for (player, is_touched) in self.is_touched.iter_mut().enumerate() {
            if std::mem::take(is_touched) {
                self.deadlines[player] = deadline_of(world, player);
            }
        }
    }
}

fn deadline_of(world: &World, player: usize) -> Option<Timestamp> {
    world.players[player].session.poll_timeout().map(|deadline| deadline.at)
}

impl World {
    /// Lets this much time pass, event by event.
    pub fn run_for_ms(&mut self, millis: u64) {
        self.run_to(self.now.plus_millis(millis));
    }

    /// Lets time pass until a moment that is not over yet.
    pub fn run_to(&mut self, end: Timestamp) {
        self.settle();
        let mut agenda = Agenda::new(self);
        while let Some(next) = self.next_event(&agenda).filter(|&next| next <= end) {
            self.step_to(next, &mut agenda);
        }
        self.now = end;
        self.settle();
    }

    /// Runs until something holds; fails if it does not within 30 seconds of virtual time.
    pub fn run_until(&mut self, what: &str, holds: impl Fn(&Self) -> bool) {
        let limit = self.now.plus_millis(30_000);
        self.settle();
        let mut agenda = Agenda::new(self);
        while !holds(self) {
            let next = self.next_event(&agenda).filter(|&next| next <= limit);
            let Some(next) = next else { panic!("waited 30 s for {what}") };
            self.step_to(next, &mut agenda);
        }
        self.settle();
    }

    fn next_event(&self, agenda: &Agenda) -> Option<Timestamp> {
        let server = self.server.poll_timeout().map(|deadline| deadline.at);
        [agenda.first(), server, self.wire.next_arrival()].into_iter().flatten().min()
    }

    fn step_to(&mut self, moment: Timestamp, agenda: &mut Agenda) {
        self.steps_at_now = if moment > self.now { 0 } else { self.steps_at_now + 1 };
        assert!(self.steps_at_now < STEPS_PER_MOMENT_MAX, "somebody spins at {}", self.now);
        self.now = self.now.max(moment);
        while let Some(datagram) = self.wire.arrive(self.now) {
            if let Some(player) = self.hand_over(datagram) {
                agenda.is_touched[player] = true;
            }
        }
        agenda.touch_due(self.now);
        self.fire_server();
        let touched: Vec<_> = agenda.touched().collect();
        let (_, others): (Vec<_>, Vec<_>) = touched.into_iter().partition(|&player| self.fire_player(player));
        self.drain_server();
        for player in others {
            self.drain_player(player);
        }
        agenda.update(self);
    }
}
