//! What must hold after every step: the seam at which checkers look.

use rejoin::lifecycle::LifecyclePolicy;
use rejoin::{SessionId, Timestamp};

use super::adversary::is_honest;
use super::checkers::{self, Announcements, Deliveries, LifecycleOrder, States, Wire};
use super::plan::ServerPlan;
use super::player::Player;
use super::server::Server;
use super::step::{ProcessId, Step};
use crate::laws::{Lifecycles, Violation};

/// What a checker may look at beside the step.
#[derive(Clone, Copy, Debug)]
pub(super) struct View<'a> {
    /// True time.
    pub(super) now: Timestamp,
    pub(super) server: &'a Server,
    pub(super) players: &'a [Player],
    /// What the events said about the sessions of this start of the server, this step's included.
    pub(super) lifecycles: &'a Lifecycles,
    /// What ends under test sent in this step, opened.
    pub(super) wire: &'a Wire,
}

impl View<'_> {
    /// Whether a session is one of somebody honest, whose messages are all noted.
    pub(super) fn is_of_player(&self, session: SessionId) -> bool {
        self.lifecycles.client_of(session).is_none_or(is_honest)
    }

    /// The session that a process plays in, as far as it knows.
    pub(super) fn session_of(&self, process: ProcessId) -> Option<SessionId> {
        let mut processes = self.players.iter().filter_map(|player| player.process.as_ref());
        processes.find(|running| running.id == process)?.session.session_id()
    }
}

/// Judges one law, step by step. It looks at what the step touched, and only now and then at everything.
pub(super) trait Checker {
    /// A step is over: everybody whom it touched was polled until there was nothing left.
    fn check(&mut self, step: &Step, view: &View<'_>) -> Result<(), Violation>;

    /// Once in a second, between two steps.
    fn check_whole(&mut self, _view: &View<'_>) -> Result<(), Violation> {
        Ok(())
    }
}

/// All checkers.
pub(super) struct Checkers {
    /// First, for the others look at what it learns.
    lifecycle: LifecycleOrder,
    wire: Wire,
    pub(super) deliveries: Deliveries,
    pub(super) states: States,
    pub(super) announcements: Announcements,
    others: Vec<Box<dyn Checker>>,
}

impl Checkers {
    pub(super) fn new(plan: &ServerPlan) -> Self {
        let policy = LifecyclePolicy {
            login: plan.config.login,
            reconnect: plan.config.reconnect_window_ms.is_some(),
            duplicate: plan.config.duplicate_identity,
        };
        Self {
            lifecycle: LifecycleOrder::new(policy),
            wire: Wire::default(),
            deliveries: Deliveries::default(),
            states: States::default(),
            announcements: Announcements::default(),
            others: checkers::others(&plan.config),
        }
    }

    /// Another law is watched.
    #[cfg(test)]
    pub(super) fn add(&mut self, checker: Box<dyn Checker>) {
        self.others.push(checker);
    }

    pub(super) fn lifecycles(&self) -> &Lifecycles {
        self.lifecycle.lifecycles()
    }

    /// A step is over.
    pub(super) fn check(
        &mut self,
        step: &Step,
        now: Timestamp,
        server: &Server,
        players: &[Player],
    ) -> Result<(), Violation> {
        self.lifecycle.check(step)?;
        self.wire.check(step, players)?;
        let view = View { now, server, players, lifecycles: self.lifecycle.lifecycles(), wire: &self.wire };
        self.deliveries.check(step, &view)?;
        self.states.check(step, &view)?;
        self.announcements.check(step, &view)?;
        self.others.iter_mut().try_for_each(|checker| checker.check(step, &view))
    }

    /// A second is over.
    pub(super) fn check_whole(
        &mut self,
        now: Timestamp,
        server: &Server,
        players: &[Player],
    ) -> Result<(), Violation> {
        let view = View { now, server, players, lifecycles: self.lifecycle.lifecycles(), wire: &self.wire };
        self.others.iter_mut().try_for_each(|checker| checker.check_whole(&view))
    }
}
