//! What survives a lost network.

use std::time::Duration;

use rejoin::client::{ClientEvent, ClientState};
use rejoin::lifecycle::{Cause, LifecycleEventKind};
use rejoin::{Continuity, SessionId, SessionState};
use rejoin_tests::hosted::{Hosted, PATIENCE, config};

/// Both ends number their messages.
struct Talk {
    player: usize,
    id: SessionId,
    sent: u32,
}

impl Talk {
    fn new(hosted: &Hosted, player: usize) -> Self {
        Self { player, id: hosted.session_id(hosted.players[player].client_id), sent: 0 }
    }

    /// Sends in both directions, with a turn for everybody after each message.
    fn go_on(&mut self, hosted: &mut Hosted, messages: u32) {
        for _ in 0..messages {
            let message = self.sent.to_le_bytes();
            hosted.players[self.player].host.commands().send(0, &message).expect("room at the client");
            hosted.server.commands().send(self.id, 0, &message).expect("room at the server");
            self.sent += 1;
            hosted.run_round();
        }
    }

    /// Waits for the last message each way; then everything has arrived, exactly once and in order.
    fn finish(&mut self, hosted: &mut Hosted) {
        let sent = self.sent as usize;
        hosted.run_until("the last messages", |hosted| {
            hosted.application.messages_from(self.id).len() >= sent
                && hosted.players[self.player].messages().len() >= sent
        });
        let expected: Vec<Vec<u8>> = (0..self.sent).map(|number| number.to_le_bytes().to_vec()).collect();
        assert_eq!(hosted.application.messages_from(self.id), expected, "from the client");
        assert_eq!(hosted.players[self.player].messages(), expected, "from the server");
    }
}

fn reconnects_of(hosted: &Hosted, id: SessionId) -> Vec<(Cause, Option<Continuity>)> {
    hosted
        .lifecycle_of(id)
        .filter(|event| event.kind == LifecycleEventKind::Reconnected)
        .map(|event| (event.cause, event.continuity))
        .collect()
}

#[test]
fn an_outage_and_another_port_lose_nothing_and_repeat_nothing() {
    let mut hosted = Hosted::start(config());
    let player = hosted.add_logged_in(1);
    let mut talk = Talk::new(&hosted, player);
    hosted.players[player].host.commands().send_move(20, b"run").unwrap();
    talk.go_on(&mut hosted, 20);
    hosted.run_until("the move", |hosted| hosted.move_high_water(1) == Some(20));
    let former_address = hosted.players[player].address(hosted.address());

    hosted.players[player].is_running = false;
    talk.go_on(&mut hosted, 20);
    hosted.run_until("the timeout", |hosted| hosted.state(1) == Some(SessionState::ReconnectPending));
    talk.go_on(&mut hosted, 20);
    hosted.players[player].host.rebind().unwrap();
    hosted.players[player].is_running = true;
    hosted.run_until("the way back", |hosted| hosted.state(1) == Some(SessionState::LoggedIn));

    assert_eq!(hosted.session_id(1), talk.id, "the same session");
    assert_eq!(hosted.move_high_water(1), Some(20), "with the same tick progress");
    assert_eq!(hosted.players[player].host.session().session_id(), Some(talk.id));
    let address = hosted.players[player].address(hosted.address());
    assert_ne!(address, former_address);
    assert_eq!(hosted.server.sessions().session_at(address).unwrap().id(), talk.id);
    assert!(hosted.server.sessions().session_at(former_address).is_none());
    assert_eq!(reconnects_of(&hosted, talk.id), [(Cause::Resumed, Some(Continuity::Kept))]);
    talk.go_on(&mut hosted, 20);
    talk.finish(&mut hosted);
    hosted.players[player].host.commands().send_move(21, b"run").unwrap();
    hosted.run_until("another move", |hosted| hosted.move_high_water(1) == Some(21));
    assert_eq!(hosted.application.moves_from(talk.id), [20, 21]);
}

#[test]
fn a_player_that_moves_to_another_port_takes_over_its_living_session() {
    let mut hosted = Hosted::start(config());
    let player = hosted.add_logged_in(1);
    let other = hosted.add_logged_in(2);
    let mut talk = Talk::new(&hosted, player);
    let mut other_talk = Talk::new(&hosted, other);
    talk.go_on(&mut hosted, 20);

    hosted.players[player].host.rebind().unwrap();
    talk.go_on(&mut hosted, 20);
    other_talk.go_on(&mut hosted, 20);
    talk.finish(&mut hosted);
    other_talk.finish(&mut hosted);

    assert_eq!(hosted.session_id(1), talk.id);
    assert_eq!(reconnects_of(&hosted, talk.id), [(Cause::TakenOver, Some(Continuity::Kept))]);
    assert_eq!(reconnects_of(&hosted, other_talk.id), []);
}

#[test]
fn many_outages_lose_nothing() {
    let mut hosted = Hosted::start(config());
    let player = hosted.add_logged_in(1);
    let mut talk = Talk::new(&hosted, player);

    for round in 1..=4 {
        talk.go_on(&mut hosted, 10);
        hosted.players[player].is_running = false;
        talk.go_on(&mut hosted, 10);
        hosted.run_until("the timeout", |hosted| hosted.state(1) == Some(SessionState::ReconnectPending));
        hosted.players[player].host.rebind().unwrap();
        hosted.players[player].is_running = true;
        hosted.run_until("the way back", |hosted| hosted.state(1) == Some(SessionState::LoggedIn));
        assert_eq!(reconnects_of(&hosted, talk.id).len(), round);
    }
    talk.finish(&mut hosted);

    assert_eq!(hosted.session_id(1), talk.id);
}

/// Both ends notice that nothing comes through, and talk into the void; the client finds a way back by itself, from another port.
#[test]
fn an_outage_that_both_ends_live_through_loses_nothing() {
    let mut hosted = Hosted::start_behind_relay(config());
    let player = hosted.add_logged_in(1);
    let mut talk = Talk::new(&hosted, player);
    talk.go_on(&mut hosted, 20);

    hosted.relay.as_mut().unwrap().is_open = false;
    talk.go_on(&mut hosted, 20);
    hosted.run_until("both ends to notice", |hosted| {
        hosted.state(1) == Some(SessionState::ReconnectPending)
            && hosted.players[player].state() == ClientState::Away
    });
    talk.go_on(&mut hosted, 20);
    hosted.relay.as_mut().unwrap().forget_ports();
    hosted.relay.as_mut().unwrap().is_open = true;
    talk.finish(&mut hosted);

    assert_eq!(hosted.session_id(1), talk.id);
    assert_eq!(hosted.state(1), Some(SessionState::LoggedIn));
    assert_eq!(reconnects_of(&hosted, talk.id), [(Cause::Resumed, Some(Continuity::Kept))]);
}

#[test]
fn a_router_that_forgets_its_ports_costs_nobody_a_session_or_a_message() {
    let mut hosted = Hosted::start_behind_relay(config());
    let players = [hosted.add_logged_in(1), hosted.add_logged_in(2)];
    let mut talks = players.map(|player| Talk::new(&hosted, player));

    for talk in &mut talks {
        talk.go_on(&mut hosted, 20);
        let former_address = hosted.server.sessions().session(talk.id).unwrap().address();
        hosted.relay.as_mut().unwrap().forget_ports();
        talk.go_on(&mut hosted, 20);
        talk.finish(&mut hosted);
        assert_ne!(hosted.server.sessions().session(talk.id).unwrap().address(), former_address);
    }

    hosted.run_until("everybody to be in", |hosted| {
        [1, 2].into_iter().all(|client_id| hosted.state(client_id) == Some(SessionState::LoggedIn))
    });
    assert_eq!([hosted.session_id(1), hosted.session_id(2)], talks.map(|talk| talk.id));
}

#[test]
fn a_network_that_heals_by_itself_needs_no_token() {
    let mut hosted = Hosted::start(config());
    let player = hosted.add_patient(1);
    let mut talk = Talk::new(&hosted, player);
    talk.go_on(&mut hosted, 10);

    hosted.players[player].is_running = false;
    talk.go_on(&mut hosted, 10);
    hosted.run_until("the timeout", |hosted| hosted.state(1) == Some(SessionState::ReconnectPending));
    hosted.players[player].is_running = true;
    talk.go_on(&mut hosted, 10);
    talk.finish(&mut hosted);

    assert_eq!(reconnects_of(&hosted, talk.id), [(Cause::Revived, Some(Continuity::Kept))]);
    assert_eq!(hosted.server.sessions().session(talk.id).unwrap().resume_generation(), 0);
    assert!(!hosted.players[player].events().any(|event| matches!(event, ClientEvent::PathLost)));
}

#[test]
fn a_server_that_stands_still_loses_nobody() {
    let mut hosted = Hosted::start(config());
    let players = [hosted.add_logged_in(1), hosted.add_logged_in(2)];
    let mut talks = players.map(|player| Talk::new(&hosted, player));
    for talk in &mut talks {
        talk.go_on(&mut hosted, 10);
    }

    let stands_since = hosted.server.now();
    while hosted.players.iter().any(|player| player.state() != ClientState::Away) {
        for player in &mut hosted.players {
            player.poll(Duration::from_millis(1));
        }
        assert!(hosted.server.now().since(stands_since) < PATIENCE, "nobody notices: {hosted:#?}");
    }
    for talk in &mut talks {
        talk.go_on(&mut hosted, 10);
        talk.finish(&mut hosted);
    }
    hosted.run_until("everybody to be back", |hosted| {
        hosted.players.iter().all(|player| player.state() == ClientState::LoggedIn)
    });

    assert_eq!([hosted.session_id(1), hosted.session_id(2)], talks.map(|talk| talk.id));
}
