//! Each checker catches what it is for, shown by happenings made up for it.

mod gate;
mod sessions;
mod wire;

use rejoin::client::ClientEvent;
use rejoin::lifecycle::{Cause, LifecycleEventKind, LifecyclePolicy, SessionState};
use rejoin::{ClientId, Continuity, Event, LifecycleEvent, SessionId, Timestamp};

use super::deliveries::Deliveries;
use super::moves::Moves;
use super::states::States;
use super::wire::Wire;
use crate::laws::{Lifecycles, Violation};
use crate::simulator::checker::{Checker, View};
use crate::simulator::message::{from_player, from_server};
use crate::simulator::plan::{Plan, Settings};
use crate::simulator::player::Player;
use crate::simulator::server::Server;
use crate::simulator::step::{Channel, Happening, ProcessId, Step};
use crate::world::Chance;

const SESSION: SessionId = SessionId { index: 0, generation: 0 };
const PROCESS: ProcessId = ProcessId(1);
const OTHER: ProcessId = ProcessId(2);

/// One player's session, which begins with the first step.
struct Scene {
    server: Server,
    lifecycles: Lifecycles,
    players: Vec<Player>,
    wire: Wire,
}

impl Scene {
    fn new() -> Self {
        let mut plan = Plan::new(0, Settings { seconds: 1, peers: 2 });
        plan.server.first_key_is_fresh = true;
        let mut lifecycles = Lifecycles::new(LifecyclePolicy::default());
        lifecycles.observe(&connected(None)).expect("a beginning");
        let server = Server::new(plan.server, Chance::new(1));
        let player = |(place, plan)| Player::new(place, plan, Chance::new(1));
        let players = plan.players.into_iter().enumerate().map(player).collect();
        Self { server, lifecycles, players, wire: Wire::default() }
    }

    fn view(&self) -> View<'_> {
        let Self { server, lifecycles, players, wire } = self;
        View { now: Timestamp::ZERO, server, players, lifecycles, wire }
    }

    /// What a checker says about a run in which this happened after the usual beginning.
    fn judge(
        &self,
        mut check: impl FnMut(&Step, &View<'_>) -> Result<(), Violation>,
        happenings: Vec<Happening>,
    ) -> Result<(), Violation> {
        let beginning = vec![
            Happening::ServerStarted,
            Happening::ProcessStarted { process: PROCESS, client_id: ClientId(1) },
            Happening::ProcessStarted { process: OTHER, client_id: ClientId(2) },
        ];
        let mut step = Step::default();
        [beginning, happenings].into_iter().try_for_each(|happenings| {
            step.happenings = happenings;
            check(&step, &self.view())
        })
    }

    fn deliveries(&self, happenings: Vec<Happening>) -> Result<(), Violation> {
        let mut checker = Deliveries::default();
        self.judge(|step, view| checker.check(step, view), happenings)
    }

    fn moves(&self, happenings: Vec<Happening>) -> Result<(), Violation> {
        let mut checker = Moves::default();
        self.judge(|step, view| checker.check(step, view), happenings)
    }

    fn states(&self, happenings: Vec<Happening>) -> Result<(), Violation> {
        let mut checker = States::default();
        self.judge(|step, view| checker.check(step, view), happenings)
    }
}

fn connected(continuity: Option<Continuity>) -> LifecycleEvent {
    LifecycleEvent {
        session: SESSION,
        client_id: ClientId(1),
        kind: LifecycleEventKind::TransportConnected,
        previous: None,
        current: SessionState::TransportConnected,
        at: Timestamp::ZERO,
        cause: Cause::Handshake,
        continuity,
        violation: None,
    }
}

fn said(process: ProcessId, channel: Channel, number: u32) -> Happening {
    Happening::PlayerQueued { process, channel, message: from_player(process, number, 20, true).into() }
}

fn heard(process: ProcessId, number: u32) -> Happening {
    let event = Event::Message { session: SESSION, lane: 0 };
    Happening::ServerTold { event, payload: from_player(process, number, 20, true).into() }
}

fn moved(tick: u64, number: u32) -> Happening {
    let event = Event::Move { session: SESSION, tick };
    Happening::ServerTold { event, payload: from_player(PROCESS, number, 20, true).into() }
}

#[test]
fn messages_once_and_in_order_are_fine_and_others_are_caught() {
    let (scene, lane) = (Scene::new(), Channel::Lane(0));
    let sent = || vec![said(PROCESS, lane, 1), said(PROCESS, lane, 2)];
    let then = |more: Vec<Happening>| sent().into_iter().chain(more).collect();

    assert_eq!(scene.deliveries(then(vec![heard(PROCESS, 1), heard(PROCESS, 2)])), Ok(()));
    assert!(scene.deliveries(then(vec![heard(PROCESS, 2)])).is_err(), "one is left out");
    assert!(scene.deliveries(then(vec![heard(PROCESS, 1), heard(PROCESS, 1)])).is_err(), "one comes twice");
    assert!(scene.deliveries(then(vec![heard(PROCESS, 3)])).is_err(), "one was never sent");
}

#[test]
fn a_message_that_is_heard_in_the_session_of_another_player_is_caught() {
    let scene = Scene::new();
    assert!(scene.deliveries(vec![said(OTHER, Channel::Lane(0), 1), heard(OTHER, 1)]).is_err());
}

#[test]
fn a_datagram_may_be_lost_but_comes_only_once() {
    let scene = Scene::new();
    let heard = |number| {
        let event = Event::Datagram { session: SESSION };
        Happening::ServerTold { event, payload: from_player(PROCESS, number, 20, true).into() }
    };
    let sent = || [said(PROCESS, Channel::Datagram, 1), said(PROCESS, Channel::Datagram, 2)];
    assert_eq!(scene.deliveries(sent().into_iter().chain([heard(2)]).collect()), Ok(()));
    assert!(scene.deliveries(sent().into_iter().chain([heard(2), heard(2)]).collect()).is_err());
}

#[test]
fn a_player_whose_lanes_begin_afresh_though_it_goes_on_is_caught() {
    let scene = Scene::new();
    let event = ClientEvent::Reconnected { continuity: Continuity::Restarted };
    let afresh = || Happening::PlayerTold { process: PROCESS, event, payload: [].into() };
    assert_eq!(scene.deliveries(vec![afresh()]), Ok(()));
    assert!(scene.deliveries(vec![said(PROCESS, Channel::Lane(0), 1), afresh()]).is_err());
}

#[test]
fn what_never_arrives_is_missed_in_the_end_unless_the_lanes_began_afresh_after_it() {
    let scene = Scene::new();
    let message = from_server(1, Some(SESSION), 1, 30);
    let queued =
        Happening::ServerQueued { session: SESSION, channel: Channel::Lane(0), message: message.into() };
    let afresh = Event::Lifecycle(connected(Some(Continuity::Restarted)));
    let afresh = Happening::ServerTold { event: afresh, payload: [].into() };
    let complete = |happenings| {
        let mut checker = Deliveries::default();
        scene.judge(|step, view| checker.check(step, view), happenings).expect("no violation on the way");
        checker.check_complete(PROCESS, SESSION)
    };
    assert!(complete(vec![queued.clone()]).is_err());
    assert_eq!(complete(vec![queued, afresh]), Ok(()));
}

#[test]
fn moves_that_were_sent_are_fine_in_ascending_order_and_up_to_the_bound() {
    let scene = Scene::new();
    let bound = 100 + scene.server.plan().config.move_ticks_ahead_max;
    let ticked = || Happening::ServerTicked { tick: 100 };
    let sent = |tick, number| said(PROCESS, Channel::Move(tick), number);

    assert_eq!(scene.moves(vec![ticked(), sent(bound, 1), moved(bound, 1)]), Ok(()));
    assert!(scene.moves(vec![ticked(), sent(bound + 1, 1), moved(bound + 1, 1)]).is_err(), "too far ahead");
    assert!(scene.moves(vec![ticked(), sent(5, 1), moved(5, 1), moved(5, 1)]).is_err(), "accepted twice");
    assert!(scene.moves(vec![ticked(), sent(5, 1), moved(5, 2)]).is_err(), "another input");
    assert!(scene.moves(vec![ticked(), moved(5, 1)]).is_err(), "never sent");
}

#[test]
fn an_older_state_after_a_newer_one_is_caught() {
    let scene = Scene::new();
    let told = |server_tick| {
        let event = ClientEvent::State { server_tick, acknowledged: None };
        Happening::PlayerTold { process: PROCESS, event, payload: [].into() }
    };
    assert_eq!(scene.states(vec![told(3), told(4)]), Ok(()));
    assert!(scene.states(vec![told(4), told(3)]).is_err());
    assert!(scene.states(vec![told(4), told(4)]).is_err());
}

#[test]
fn the_last_state_that_never_arrives_is_missed_in_the_end_unless_its_player_came_later() {
    let scene = Scene::new();
    let message = from_server(1, Some(SESSION), 1, 30);
    let published = Happening::ServerQueued {
        session: SESSION,
        channel: Channel::State(3),
        message: message.clone().into(),
    };
    let told =
        |event, payload: &[u8]| Happening::PlayerTold { process: PROCESS, event, payload: payload.into() };
    let connected = told(ClientEvent::Connected { login_explicit: true }, &[]);
    let got = told(ClientEvent::State { server_tick: 3, acknowledged: None }, &message);
    let complete = |steps: Vec<Happening>| {
        let mut checker = States::default();
        for (second, happening) in steps.into_iter().enumerate() {
            let at = Timestamp::from_millis(1_000 * second as u64);
            let step = Step { happenings: vec![happening], at };
            checker.check(&step, &scene.view()).expect("no violation on the way");
        }
        checker.check_complete(PROCESS, SESSION)
    };

    let started = Happening::ServerStarted;
    assert!(complete(vec![started.clone(), connected.clone(), published.clone()]).is_err());
    assert_eq!(complete(vec![started.clone(), connected.clone(), published.clone(), got]), Ok(()));
    assert_eq!(complete(vec![started, published, connected]), Ok(()));
}
