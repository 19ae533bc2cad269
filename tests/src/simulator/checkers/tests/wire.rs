//! The laws of the wire and of the tick filter, on a real session and what is made up beside it.

use std::net::SocketAddr;

use rejoin::{DropReason, Event, SessionId, Verdict, client};

use super::{SESSION, Scene, connected};
use crate::laws::Violation;
use crate::netcode::kind::PAYLOAD;
use crate::netcode::{KeyBytes, KeyRing, seal_packet};
use crate::simulator::checker::{Checker, View};
use crate::simulator::checkers::tick_filter::Ticks;
use crate::simulator::checkers::wire::Wire;
use crate::simulator::step::{Datagram, Happening, Party, Reading, Step};
use crate::world::{self, Fate, Observation, PRIVATE_KEY, PROTOCOL_ID, World, config, server_address};

const SEQUENCE: u64 = 1_000;
/// Two inputs, of the ticks 7 and 9.
const MOVES: &[u8] = &[0x13, 9, 2, 0, 2, 0];

/// What was seen of one login.
pub(super) struct Login {
    pub(super) happenings: Vec<Happening>,
    player: SocketAddr,
    key: KeyBytes,
    key_back: KeyBytes,
}

impl Login {
    pub(super) fn new() -> Self {
        let mut world = World::new(config(), 1);
        world.observations = Some(Vec::new());
        let place = world.add_logged_in(1);
        let player = world.players[place].address;
        let mut ring = KeyRing::new(PROTOCOL_ID, PRIVATE_KEY);
        let observations = world.observations.take().expect("they were wanted");
        for observation in &observations {
            if let Observation::Sent(datagram) = observation
                && ring.learn(&datagram.bytes).is_none()
            {
                ring.open(datagram.from, datagram.to, &datagram.bytes).expect("a known key");
            }
        }
        let key_between = |from, to| ring.key_between(from, to).expect("a key in use");
        Self {
            happenings: observations.into_iter().map(happening).collect(),
            player,
            key: key_between(player, server_address()),
            key_back: key_between(server_address(), player),
        }
    }

    /// The server reads the same and drops it.
    pub(super) fn refuse(read: Happening) -> Happening {
        match read {
            Happening::Received { by, datagram, .. } => {
                Happening::Received { by, datagram, reading: reading(by, Fate::Dropped) }
            }
            other => other,
        }
    }

    /// A payload of the player.
    fn payload(&self, sequence: u64, body: &[u8]) -> Datagram {
        let bytes = seal_packet(PROTOCOL_ID, &self.key, PAYLOAD, sequence, body).into();
        Datagram { from: self.player, to: server_address(), bytes }
    }

    /// What the laws say about a run in which this happens after the login.
    fn judge(&self, happenings: Vec<Happening>) -> Result<(), Violation> {
        let mut wire = Wire::default();
        let mut step = Step { happenings: vec![Happening::ServerStarted], ..Step::default() };
        step.happenings.extend(self.happenings.iter().cloned());
        wire.check(&step, &[]).expect("an ordinary login");
        step.happenings = happenings;
        wire.check(&step, &[])
    }

    /// What the tick filter's checker says about it, with the server at tick 5.
    fn judge_ticks(&self, happenings: Vec<Happening>) -> Result<(), Violation> {
        let scene = Scene::new();
        let (mut wire, mut ticks) = (Wire::default(), Ticks::default());
        let mut step = Step::default();
        let ticked = vec![Happening::ServerStarted, Happening::ServerTicked { tick: 5 }];
        [ticked, self.happenings.clone(), happenings].into_iter().try_for_each(|happenings| {
            step.happenings = happenings;
            wire.check(&step, &[])?;
            ticks.check(&step, &View { wire: &wire, ..scene.view() })
        })
    }
}

fn happening(observation: Observation) -> Happening {
    let datagram = |datagram: world::Datagram| {
        let world::Datagram { from, to, bytes } = datagram;
        Datagram { from, to, bytes: bytes.into() }
    };
    let party = |address| if address == server_address() { Party::Server } else { Party::Player(0) };
    match observation {
        Observation::Sent(sent) => Happening::Sent { by: party(sent.from), datagram: datagram(sent) },
        Observation::Received(_, read, fate) => {
            let by = party(read.to);
            Happening::Received { by, datagram: datagram(read), reading: reading(by, fate) }
        }
    }
}

fn reading(by: Party, fate: Fate) -> Reading {
    match (by, fate) {
        (Party::Server, Fate::Taken) => Reading::Server(Verdict::Accepted(SESSION)),
        (Party::Server, Fate::Answered) => Reading::Server(Verdict::Answered),
        (Party::Server, Fate::Dropped) => Reading::Server(Verdict::Dropped(DropReason::Malformed)),
        (_, Fate::Dropped) => Reading::Player(client::Verdict::Dropped(client::DropReason::Malformed)),
        (_, _) => Reading::Player(client::Verdict::Accepted),
    }
}

fn sent(by: Party, datagram: &Datagram) -> Happening {
    Happening::Sent { by, datagram: datagram.clone() }
}

fn taken(session: SessionId, datagram: &Datagram) -> Happening {
    let reading = Reading::Server(Verdict::Accepted(session));
    Happening::Received { by: Party::Server, datagram: datagram.clone(), reading }
}

#[test]
fn two_plaintexts_under_one_nonce_are_caught_also_over_a_restart_of_the_server() {
    let login = Login::new();
    let (one, other) = (login.payload(SEQUENCE, b"one"), login.payload(SEQUENCE, b"other"));
    let player = Party::Player(0);

    assert_eq!(login.judge(vec![sent(player, &one), sent(player, &one)]), Ok(()));
    assert!(login.judge(vec![sent(player, &one), sent(player, &other)]).is_err());
    assert!(login.judge(vec![sent(player, &one), Happening::ServerStarted, sent(player, &other)]).is_err());
    let by_adversary = sent(Party::Adversary(0), &other);
    assert_eq!(
        login.judge(vec![sent(player, &one), by_adversary]),
        Ok(()),
        "an adversary may do what it likes"
    );
}

#[test]
fn a_packet_that_is_taken_twice_is_caught_also_over_a_restart_of_the_server() {
    let login = Login::new();
    let (one, other) = (login.payload(SEQUENCE, b"one"), login.payload(SEQUENCE + 1, b"other"));
    let player = Party::Player(0);
    let both = || vec![sent(player, &one), sent(player, &other), taken(SESSION, &one)];
    let then = |more: Vec<Happening>| both().into_iter().chain(more).collect();

    assert_eq!(login.judge(then(vec![taken(SESSION, &other)])), Ok(()));
    assert!(login.judge(then(vec![taken(SESSION, &one)])).is_err());
    assert!(login.judge(then(vec![Happening::ServerStarted, taken(SESSION, &one)])).is_err());
}

#[test]
fn a_packet_that_a_process_takes_twice_is_caught() {
    let login = Login::new();
    let (from, to) = (server_address(), login.player);
    let bytes = seal_packet(PROTOCOL_ID, &login.key_back, PAYLOAD, SEQUENCE, b"one").into();
    let datagram = Datagram { from, to, bytes };
    let reading = Reading::Player(client::Verdict::Accepted);
    let taken = || Happening::Received { by: Party::Player(0), datagram: datagram.clone(), reading };

    assert_eq!(login.judge(vec![sent(Party::Server, &datagram), taken()]), Ok(()));
    assert!(login.judge(vec![sent(Party::Server, &datagram), taken(), taken()]).is_err());
}

#[test]
fn a_packet_that_nobody_sealed_is_caught_where_it_is_taken_and_where_an_end_sends_it() {
    let login = Login::new();
    let mut forged = login.payload(SEQUENCE, b"forged");
    forged.bytes = seal_packet(PROTOCOL_ID, &[9; 32], PAYLOAD, SEQUENCE, b"forged").into();

    assert_eq!(login.judge(vec![sent(Party::Adversary(0), &forged)]), Ok(()));
    assert!(login.judge(vec![sent(Party::Adversary(0), &forged), taken(SESSION, &forged)]).is_err());
    assert!(login.judge(vec![sent(Party::Player(0), &forged)]).is_err());
}

#[test]
fn a_key_that_serves_two_sessions_is_caught() {
    let login = Login::new();
    let packet = login.payload(SEQUENCE, b"one");
    let other = SessionId { generation: SESSION.generation + 1, ..SESSION };
    assert_eq!(login.judge(vec![taken(SESSION, &packet)]), Ok(()));
    assert!(login.judge(vec![taken(other, &packet)]).is_err());
}

#[test]
fn more_bytes_to_an_unproved_address_than_came_from_it_are_caught() {
    let login = Login::new();
    let stranger = SocketAddr::from(([198, 51, 100, 9], 9));
    let bytes: std::rc::Rc<[u8]> =
        seal_packet(PROTOCOL_ID, &login.key_back, PAYLOAD, SEQUENCE, b"much").into();
    let to = |to| sent(Party::Server, &Datagram { from: server_address(), to, bytes: bytes.clone() });
    let dropped = Reading::Server(Verdict::Dropped(DropReason::UnknownAddress));
    let from = |bytes: &[u8]| Happening::Received {
        by: Party::Server,
        datagram: Datagram { from: stranger, to: server_address(), bytes: bytes.into() },
        reading: dropped,
    };

    assert_eq!(login.judge(vec![to(login.player)]), Ok(()));
    assert!(login.judge(vec![to(stranger)]).is_err());
    assert_eq!(login.judge(vec![from(&bytes), to(stranger)]), Ok(()));
    assert!(login.judge(vec![from(&bytes[1..]), to(stranger)]).is_err());
    assert!(
        login.judge(vec![Happening::ServerStarted, to(login.player)]).is_err(),
        "another start knows nobody"
    );
}

#[test]
fn inputs_that_the_three_lines_let_through_and_no_others_are_fine() {
    let login = Login::new();
    let moves = login.payload(SEQUENCE, MOVES);
    let told =
        |tick| Happening::ServerTold { event: Event::Move { session: SESSION, tick }, payload: [].into() };
    let begun = || Happening::ServerTold { event: Event::Lifecycle(connected(None)), payload: [].into() };
    let arrived = |more: Vec<Happening>| {
        let before = [begun(), sent(Party::Player(0), &moves), taken(SESSION, &moves)];
        login.judge_ticks(before.into_iter().chain(more).collect())
    };

    assert_eq!(arrived(vec![told(7), told(9)]), Ok(()));
    assert!(arrived(vec![told(9)]).is_err(), "one is left out");
    assert!(arrived(vec![told(7)]).is_err(), "one is refused");
    assert!(arrived(vec![told(7), told(9), told(11)]).is_err(), "one never arrived");
    assert!(arrived(vec![]).is_err(), "both are refused");
}

#[test]
fn a_client_that_sends_what_is_no_run_of_frames_is_caught() {
    let login = Login::new();
    let nonsense = login.payload(SEQUENCE, &[0xff]);
    assert!(login.judge_ticks(vec![sent(Party::Player(0), &nonsense)]).is_err());
}
