//! A server that is not ours: it has the keys and tells a client whatever it likes. The client keeps to its own laws, and stays modest.

use arbitrary::{Arbitrary, Result, Unstructured};
use rejoin::ClientId;
use rejoin::client::{ClientEvent, ClientState};
use rejoin::fuzzing::{ConnectionKeys, Sender};

use super::cast::{check_well, config, join_with};
use super::forger::{Forger, Forgery};
use crate::laws::{Watch, uphold};
use crate::world::{Datagram, World, server_address};

const SHOTS_MAX: usize = 64;
/// The player that is lied to, and one that is not.
const VICTIM: usize = 0;
const BYSTANDER: usize = 1;
/// How long the victim is left alone at the end.
const SILENCE_MS: u64 = 20_000;
/// Datagrams that a client may send: at once, for each it is sent, and in each second.
const BURST_MAX: u64 = 40;
const ANSWERS_MAX: u64 = 4;
const PER_SECOND_MAX: u64 = 110;

/// What happens next.
#[derive(Arbitrary, Debug)]
enum Shot {
    /// The server, or whoever sits between, sends a datagram.
    Forge(Forgery),
    /// The victim's application does something.
    Use(Use),
    /// Time passes.
    Wait { millis: u8 },
    /// What the honest server says to the victim arrives no more, or does again.
    Cut { is_up: bool },
}

/// What the victim's application does; whether it may is the client's to say.
#[derive(Arbitrary, Debug)]
enum Use {
    Login,
    Send { lane: u8, len: u16 },
    SendLatest { key: u16, len: u16 },
    SendDatagram { len: u16 },
    Move { tick: u64 },
    ChangeNetwork,
    Disconnect,
    DoubtNetwork,
}

/// An input: for how long the handshake goes on undisturbed, and what happens then.
#[derive(Debug)]
pub struct HostileServer {
    honest_ms: u8,
    shots: Vec<Shot>,
}

impl<'a> Arbitrary<'a> for HostileServer {
    fn arbitrary(input: &mut Unstructured<'a>) -> Result<Self> {
        let honest_ms = u8::arbitrary(input)?;
        let mut shots = Vec::new();
        while !input.is_empty() && shots.len() < SHOTS_MAX {
            shots.push(Shot::arbitrary(input)?);
        }
        Ok(Self { honest_ms, shots })
    }
}

impl HostileServer {
    /// Runs the shots on a client, beside another that talks to an honest server.
    ///
    /// # Panics
    ///
    /// If a law is broken, the client sends without measure or tells its application what makes no sense, or the other is worse off.
    pub fn run(self) {
        let mut range = Range::new(self.honest_ms);
        for shot in self.shots {
            range.take(shot);
            range.check();
        }
        range.fall_silent();
    }
}

struct Range {
    world: World,
    watch: Watch,
    forger: Forger,
    story: Story,
    /// Datagrams given to the victim by the forger, and messages by its application.
    asked_for: u64,
}

impl Range {
    fn new(honest_ms: u8) -> Self {
        let config = config();
        let mut world = World::new(config.clone(), 1);
        world.wire.record = Some(Vec::new());
        let mut watch = Watch::new(&config);
        watch.distrust(ClientId(1));
        let tokens = [1, 2].map(|client_id| world.mint(ClientId(client_id)));
        let [victim, bystander] = [1, 2].map(|client_id: u8| {
            join_with(&mut world, client_id.into(), &tokens[usize::from(client_id) - 1])
        });
        assert_eq!((victim, bystander), (VICTIM, BYSTANDER));
        world.run_for_ms(honest_ms.into());
        // It overhears nobody else: with another's resume token it could make the victim take that one's session.
        let forger = Forger::new(Sender::Server, ConnectionKeys::of(&tokens[VICTIM]), Vec::new());
        Self { world, watch, forger, story: Story::default(), asked_for: 0 }
    }

    fn take(&mut self, shot: Shot) {
        match shot {
            Shot::Forge(forgery) => {
                self.forger.overhear(self.world.wire.record.as_deref().unwrap_or_default());
                let Some(bytes) = self.forger.forge(forgery) else { return };
                let to = self.world.players[VICTIM].address;
                self.world.deliver(Datagram { from: server_address(), to, bytes });
                self.asked_for += 1;
                self.world.settle();
            }
            Shot::Use(usage) => {
                self.asked_for += 1;
                self.use_client(&usage);
                self.world.settle();
            }
            Shot::Wait { millis } => self.world.run_for_ms(millis.into()),
            Shot::Cut { is_up: true } => self.world.heal(VICTIM),
            Shot::Cut { is_up: false } => self.world.cut(VICTIM),
        }
    }

    fn use_client(&mut self, usage: &Use) {
        let now = self.world.now;
        let client = &mut self.world.players[VICTIM].session;
        let bytes = |len: u16| vec![0x3c; usize::from(len) % 4_000];
        // Whether it may is the client's to say.
        match *usage {
            Use::Login => drop(client.login(b"a credential")),
            Use::Send { lane, len } => drop(client.send(lane % 18, &bytes(len))),
            Use::SendLatest { key, len } => drop(client.send_latest(key, &bytes(len))),
            Use::SendDatagram { len } => drop(client.send_datagram(&bytes(len))),
            Use::Move { tick } => drop(client.send_move(tick, b"run")),
            Use::ChangeNetwork => client.network_changed(now),
            Use::Disconnect => client.disconnect(now),
            Use::DoubtNetwork => client.network_may_have_changed(now),
        }
    }

    fn check(&mut self) {
        uphold(self.watch.check(&self.world));
        let victim = &self.world.players[VICTIM];
        self.story.read(&victim.events);
        let record = self.world.wire.record.as_deref().unwrap_or_default();
        let sent = record.iter().filter(|datagram| datagram.from == victim.address).count() as u64;
        let seconds = self.world.now.as_micros().div_ceil(1_000_000);
        let most = BURST_MAX + ANSWERS_MAX * self.asked_for + PER_SECOND_MAX * seconds;
        assert!(sent <= most, "{sent} datagrams in {seconds} s, {} were asked for", self.asked_for);
    }

    /// Nothing reaches the victim any more. It goes on asking at most, and its host may ask it anything.
    fn fall_silent(mut self) {
        self.world.cut(VICTIM);
        self.world.run_for_ms(SILENCE_MS);
        self.check();
        let (now, client) = (self.world.now, &self.world.players[VICTIM].session);
        if client.state() == ClientState::Disconnected {
            assert_eq!(client.poll_timeout(), None, "an ended session wants to be called");
        } else {
            assert!(client.poll_timeout().is_some_and(|deadline| deadline.at > now));
        }
        let answers = (client.server_tick(now), client.server_clock(now), client.recommended_lead_ticks());
        assert!(answers.2.is_none() || answers.0.is_some(), "{answers:?}");
        check_well(&self.world, &self.watch, BYSTANDER);
    }
}

/// What the victim's application was told, which makes sense whatever the server says.
#[derive(Default)]
struct Story {
    events_read: usize,
    chapter: Chapter,
}

/// Where the story stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Chapter {
    #[default]
    Connecting,
    Connected,
    LoggedIn,
    Away,
    Ended,
}

impl Story {
    fn read(&mut self, events: &[(ClientEvent, Vec<u8>)]) {
        for (event, payload) in events.iter().skip(self.events_read) {
            let next = next_chapter(self.chapter, event);
            let Some(next) = next else { panic!("{event:?} with {payload:?} while {:?}", self.chapter) };
            self.chapter = next;
        }
        self.events_read = events.len();
    }
}

/// Where an event leads; `None` if it makes no sense. What is not about the session itself is for players who are logged in, but may
/// have waited while the path was lost.
fn next_chapter(chapter: Chapter, event: &ClientEvent) -> Option<Chapter> {
    match (chapter, event) {
        (Chapter::Ended, _) => None,
        (_, ClientEvent::Disconnected { .. }) => Some(Chapter::Ended),
        (Chapter::Connecting, ClientEvent::Connected { .. })
        | (Chapter::Connected, ClientEvent::LoginRejected { .. }) => Some(Chapter::Connected),
        (Chapter::Connected, ClientEvent::LoggedIn) | (Chapter::Away, ClientEvent::Reconnected { .. }) => {
            Some(Chapter::LoggedIn)
        }
        (Chapter::LoggedIn, ClientEvent::PathLost) => Some(Chapter::Away),
        (Chapter::Connected | Chapter::LoggedIn | Chapter::Away, ClientEvent::ServerDraining { .. }) => {
            Some(chapter)
        }
        (
            Chapter::LoggedIn | Chapter::Away,
            ClientEvent::Message { .. }
            | ClientEvent::Datagram
            | ClientEvent::Latest { .. }
            | ClientEvent::State { .. },
        ) => Some(chapter),
        _ => None,
    }
}
