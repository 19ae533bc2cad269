//! The events of a session follow the lifecycle's function and end with one `Disconnected`.

use rejoin::Event;
use rejoin::lifecycle::LifecyclePolicy;

use crate::laws::{Lifecycles, Violation};
use crate::simulator::step::{Happening, Step};

/// Follows each session of the present start of the server.
#[derive(Debug)]
pub(in crate::simulator) struct LifecycleOrder {
    policy: LifecyclePolicy,
    lifecycles: Lifecycles,
}

impl LifecycleOrder {
    pub(in crate::simulator) const fn new(policy: LifecyclePolicy) -> Self {
        Self { policy, lifecycles: Lifecycles::new(policy) }
    }

    pub(in crate::simulator) const fn lifecycles(&self) -> &Lifecycles {
        &self.lifecycles
    }

    pub(in crate::simulator) fn check(&mut self, step: &Step) -> Result<(), Violation> {
        for happening in &step.happenings {
            match happening {
                Happening::ServerStarted => self.lifecycles = Lifecycles::new(self.policy),
                Happening::ServerTold { event, .. } => self.observe(event)?,
                _ => {}
            }
        }
        self.lifecycles.check_at_rest()
    }

    fn observe(&mut self, event: &Event) -> Result<(), Violation> {
        match event {
            Event::Lifecycle(event) => self.lifecycles.observe(event),
            Event::Message { session, .. }
            | Event::Datagram { session }
            | Event::Latest { session, .. }
            | Event::Move { session, .. }
            | Event::HeartbeatSent { session, .. }
            | Event::HeartbeatReceived { session, .. }
            | Event::TokenReuse { session, .. } => self.lifecycles.observe_other(*session),
            _ => Ok(()),
        }
    }
}
