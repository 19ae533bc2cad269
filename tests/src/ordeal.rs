//! A server and its players go through everything at once, among people with bad intentions, while all laws watch.
//!
//! Two players wander: their networks, processes and logins come and go. A third one stays, and must not notice. Guests come and leave.
//! Somebody hears everything and says it again from anywhere; somebody presents tokens that were used; and one player breaks the protocol.

mod guests;
mod sniffer;
mod traitor;
mod wanderers;

use rejoin::client::ClientEvent;
use rejoin::lifecycle::{Cause, DisconnectReason, LifecycleEventKind};
use rejoin::{ClientId, Config, Continuity, DropReason, Event, LifecycleEvent};

use crate::laws::{Violation, Watch, WireWatch, ensure};
use crate::world::{self, Chance, Observation, PRIVATE_KEY, PROTOCOL_ID, World, server_address};
use guests::Guests;
pub use sniffer::Sniffer;
use traitor::Traitor;
use wanderers::Wanderers;

/// What happens in one ordeal, before everybody gets a good network.
const STEPS: usize = 250;
/// How long it takes until everybody honest is well, in milliseconds.
const CALM_MS: u64 = 12_000;

const WANDERERS: u64 = 2;
const BYSTANDER: ClientId = ClientId(3);
const TRAITOR: ClientId = ClientId(4);
const FIRST_GUEST: u64 = 5;

/// The settings of an ordeal: small bounds, so that all of them are met.
#[must_use]
pub fn config() -> Config {
    let mut config = world::config();
    config.reconnect_window_ms = Some(8_000);
    config.message_bytes_max = 4_096;
    config.lane_window_bytes = 16_384;
    config.lane_queue_bytes_max = 32_768;
    config.handshakes_max = 8;
    config.token_history_max = 8;
    config.violations_max = 2;
    // More than anybody needs here, and less than they need in all.
    config.unproved_opens_per_s = 1_000;
    config.unproved_opens_burst = 20_000;
    config.session_datagrams_per_s = 400;
    config.session_datagrams_burst = 400;
    // Hosts never stall here, so every deadline is to be kept to the millisecond.
    config.stall_credit_max_ms = 0;
    config
}

/// A world under watch, and everybody in it.
#[derive(Debug)]
pub struct Ordeal {
    world: World,
    watch: Watch,
    wire: WireWatch,
    chance: Chance,
    /// For what routers do, whatever else happens.
    router_chance: Chance,
    wanderers: Wanderers,
    traitor: Traitor,
    guests: Guests,
    sniffer: Sniffer,
    server_events_read: usize,
    judges: Judges,
}

/// Who watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Judges {
    /// All laws.
    Everybody,
    /// The reference model.
    ModelAlone,
}

impl Ordeal {
    /// Goes through the ordeal of this seed; says how many sessions of wanderers came out whole, with everything that was sent to them
    /// and by them.
    ///
    /// # Panics
    ///
    /// If a law of the drive API is broken, or an honest player does not get in.
    pub fn run(seed: u64) -> Result<usize, Violation> {
        let mut ordeal = Self::new(seed, Judges::Everybody);
        ordeal.go_through()?;
        let whole = ordeal.wanderers.check_complete(&ordeal.world, &ordeal.watch)?;
        ordeal.start_anew()?;
        Ok(whole)
    }

    /// The same ordeal, of which only the reference model is asked what it thinks.
    ///
    /// # Panics
    ///
    /// If a law of the drive API is broken.
    pub fn run_before_the_model(seed: u64) -> Result<(), Violation> {
        let mut ordeal = Self::new(seed, Judges::ModelAlone);
        ordeal.go_through()?;
        ordeal.start_anew()
    }

    fn new(seed: u64, judges: Judges) -> Self {
        let mut world = World::new(config(), seed);
        world.observations = Some(Vec::new());
        world.keep_server_log();
        let mut chance = Chance::new(seed);
        let sniffer = Sniffer::new(&mut world, chance.fork());
        let wanderers = Wanderers::new((1..=WANDERERS).map(|id| world.add_logged_in(id)).collect());
        world.add_logged_in(BYSTANDER.0);
        let traitor = Traitor::new(world.add_logged_in(TRAITOR.0));
        world.run_for_ms(1_000);
        Self {
            world,
            watch: Watch::new(&config()),
            wire: WireWatch::new(server_address(), PROTOCOL_ID, PRIVATE_KEY),
            chance,
            router_chance: Chance::new(!seed),
            wanderers,
            traitor,
            guests: Guests::default(),
            sniffer,
            server_events_read: 0,
            judges,
        }
    }

    /// Everything goes wrong, and then everybody gets a good network.
    fn go_through(&mut self) -> Result<(), Violation> {
        for _ in 0..STEPS {
            self.step();
            self.check()?;
        }
        self.calm_down()
    }

    fn step(&mut self) {
        let Self { world, watch, chance, .. } = self;
        match chance.below(48) {
            0..36 => self.wanderers.step(world, watch, chance),
            36..40 => self.sniffer.repeat(world, 10),
            40 | 41 => self.sniffer.forge(world),
            42 => self.guests.come_or_go(world, chance),
            43 => self.guests.present_used_token(world, chance),
            44 if chance.percent(20) => self.traitor.break_the_protocol(world, self.wire.ring()),
            _ => {
                let pause_ms = chance.below(60);
                world.run_for_ms(pause_ms);
            }
        }
        if self.router_chance.percent(2) {
            self.wanderers.move_port(&mut self.world, &mut self.router_chance);
        }
        self.world.settle();
        self.sniffer.relay(&mut self.world);
        self.world.settle();
    }

    fn check(&mut self) -> Result<(), Violation> {
        if self.judges == Judges::ModelAlone {
            return self.check_by_model();
        }
        self.check_wire()?;
        self.check_fairness()?;
        self.watch.check(&self.world)?;
        self.traitor.check(&self.world)
    }

    fn check_by_model(&mut self) -> Result<(), Violation> {
        // Whatever the wire says, the traitor reads along.
        let _ = self.check_wire();
        self.watch.compare_with_model(&self.world)
    }

    /// After the server started anew, when the others do not know what to expect.
    fn check_started(&mut self) -> Result<(), Violation> {
        if self.judges == Judges::ModelAlone {
            return self.check_by_model();
        }
        self.check_wire()?;
        self.watch.check(&self.world)
    }

    fn check_wire(&mut self) -> Result<(), Violation> {
        let observations = self.world.observations.as_mut().map(std::mem::take).unwrap_or_default();
        observations.iter().try_for_each(|observation| match observation {
            Observation::Sent(datagram) => {
                self.wire.sent(datagram.from, datagram.to, &datagram.bytes).map(drop)
            }
            Observation::Received(receiver, datagram, fate) => {
                self.wire.received(*receiver, datagram.from, datagram.to, &datagram.bytes, *fate)
            }
        })
    }

    /// Whoever is left alone notices nothing, and only the traitor breaks the protocol.
    fn check_fairness(&mut self) -> Result<(), Violation> {
        while let Some((event, _)) = self.world.server_events.get(self.server_events_read) {
            self.server_events_read += 1;
            if let Event::Lifecycle(event) = event {
                check_fair(event)?;
            }
        }
        let counters = self.world.server.counters();
        for reason in [DropReason::UnprovedBudget, DropReason::SessionBudget] {
            let count = counters.dropped(reason);
            ensure(count == 0, || format!("nobody sends that much, but {reason:?} came up {count} times"))?;
        }
        self.world.players.iter().try_for_each(|player| {
            let is_told = |event: &ClientEvent| {
                matches!(event, ClientEvent::PathLost | ClientEvent::Disconnected { .. })
            };
            let notices =
                player.client_id == BYSTANDER && player.events.iter().any(|(event, _)| is_told(event));
            ensure(!notices, || format!("client {BYSTANDER} was left alone, but was told otherwise"))?;
            let violation = player.session.counters().last_violation();
            ensure(violation.is_none(), || format!("the server broke the protocol: {violation:?}"))
        })
    }

    /// Everybody gets a good network, and nobody has bad intentions any more.
    fn calm_down(&mut self) -> Result<(), Violation> {
        self.wanderers.heal(&mut self.world);
        self.world.run_for_ms(CALM_MS);
        self.check()
    }

    /// The server starts anew, without memory, and every token that was used is presented to it.
    fn start_anew(&mut self) -> Result<(), Violation> {
        self.guests.come_or_go(&mut self.world, &mut self.chance);
        self.world.run_for_ms(1_000);
        self.check()?;
        self.world.restart_server(config());
        self.watch.server_restarted();
        self.wire.server_started();
        self.guests.present_newest_token(&mut self.world);
        for _ in 0..30 {
            self.world.run_for_ms(100);
            self.check_started()?;
        }
        Ok(())
    }
}

fn check_fair(event: &LifecycleEvent) -> Result<(), Violation> {
    let is_login = matches!(
        event.kind,
        LifecycleEventKind::TransportConnected
            | LifecycleEventKind::LoginStarted
            | LifecycleEventKind::LoginSucceeded
    );
    // The network is as rough for it as for the others. When that loses one answer after the other, it may go over to another path, which nobody
    // else can make it do, and which costs neither end anything.
    let is_own_choice = event.cause == Cause::TakenOver && event.continuity == Some(Continuity::Kept);
    ensure(event.client_id != BYSTANDER || is_login || is_own_choice, || {
        format!("client {} was left alone, but: {:?} at {}", event.client_id, event.kind, event.at)
    })?;
    let breaks = event.cause == Cause::Ended(DisconnectReason::ProtocolViolation);
    ensure(!breaks || event.client_id == TRAITOR, || {
        format!("honest client {} broke the protocol: {:?}", event.client_id, event.violation)
    })
}
