//! All clients of a swarm in one event loop, from the first handshake to the report.
//!
//! The run has four parts: everybody *connects*; then all *play*, which is the time the outages are in; then nobody says or asks for
//! anything more and what is under way *settles*; then all leave.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use mio::{Events, Poll};
use rejoin::client::{ClientConfig, ClientSession, ClientState};
use rejoin::{ClientId, Key, Timestamp};
use rejoin_mio::{Clock, TokenRequest};

use super::bulk::Download;
use super::chat::{self, Speaker};
use super::inquiry::Inquiry;
use super::outage::Outages;
use super::peer::{Buffers, Part, Peer, PeerSpec, Wake};
use super::pilot::Pilot;
use super::summary;
use crate::conditioner::LinkConditions;
use crate::failure::Failure;
use crate::report::Report;

/// How long the clients have to log in, from the start of the last one.
const CONNECT_MAX: Duration = Duration::from_secs(15);

/// How long chat and bulk have to arrive once nobody speaks or asks any more.
const SETTLE_MAX: Duration = Duration::from_secs(20);

/// From the start of one client to the next, so that a large swarm does not knock all at once.
const START_EVERY: Duration = Duration::from_millis(2);

/// From the first question of the first client to that of the last, once all play.
const INQUIRE_WITHIN: Duration = Duration::from_millis(500);

/// How often the watcher is asked, and the parts of the run are judged.
const WATCH_EVERY: Duration = Duration::from_millis(100);

/// Lifetime and timeout of the clients' tokens, in seconds: what `rejoin token` makes by default.
const TOKEN_LIFETIME_S: u32 = 45;
const TOKEN_TIMEOUT_S: i32 = 15;

const EVENTS_PER_WAKE: usize = 1_024;

/// What a swarm is to do.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Keeps this swarm's names and texts apart from those of others at the same server; without spaces.
    pub(crate) tag: String,
    pub(crate) server: SocketAddr,
    pub(crate) protocol_id: u64,
    pub(crate) private_key: Key,
    pub(crate) peers: u32,
    pub(crate) playing: Duration,
    pub(crate) move_hz: u32,
    /// Bytes that each client asks the server for at once, again and again; 0 for none.
    pub(crate) bulk_bytes: u64,
    pub(crate) conditions: LinkConditions,
    pub(crate) outages: Option<OutagePlan>,
    pub(crate) seed: u64,
}

/// The outages of each client.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OutagePlan {
    pub(crate) every: Duration,
    pub(crate) lasting: Duration,
    pub(crate) moves_address: bool,
}

/// How far a run is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Progress {
    pub(crate) elapsed: Duration,
    pub(crate) peers: u32,
    pub(crate) logged_in: u32,
    pub(crate) away: u32,
    pub(crate) outages: u64,
    pub(crate) resumes: u64,
    pub(crate) delivered: u64,
}

/// Runs a swarm to its end. `watch` sees how far it is and says whether to go on; otherwise the run settles early.
pub(crate) fn run(plan: &Plan, watch: &mut dyn FnMut(&Progress) -> bool) -> Result<Report, Failure> {
    let mut fleet = Fleet::new(plan)?;
    fleet.connect(watch)?;
    fleet.ended_while_connecting = fleet.stopped;
    if !fleet.stopped && fleet.peers.iter().any(Peer::is_ready) {
        fleet.play(watch)?;
        fleet.ended_while_playing = fleet.stopped;
        fleet.settle(watch)?;
    }
    fleet.leave();
    Ok(fleet.report())
}

struct Fleet<'a> {
    plan: &'a Plan,
    first_client_id: u64,
    clock: Clock,
    poll: Poll,
    events: Events,
    buffers: Buffers,
    peers: Vec<Peer>,
    /// When each peer wants its next turn.
    due: Vec<Timestamp>,
    watch_due_at: Timestamp,
    stopped: bool,
    ended_while_connecting: bool,
    ended_while_playing: bool,
}

impl<'a> Fleet<'a> {
    fn new(plan: &'a Plan) -> Result<Self, Failure> {
        let poll = Poll::new()
            .map_err(|error| Failure::unsuccessful(format!("the system gives no event queue: {error}")))?;
        Ok(Self {
            plan,
            first_client_id: u64::from_le_bytes(draw()?),
            clock: Clock::start(),
            poll,
            events: Events::with_capacity(EVENTS_PER_WAKE),
            buffers: Buffers::new(),
            peers: Vec::with_capacity(plan.peers as usize),
            due: Vec::with_capacity(plan.peers as usize),
            watch_due_at: Timestamp::ZERO,
            stopped: false,
            ended_while_connecting: false,
            ended_while_playing: false,
        })
    }

    /// Starts one client after the other, until all are in or it takes too long.
    fn connect(&mut self, watch: &mut dyn FnMut(&Progress) -> bool) -> Result<(), Failure> {
        let mut give_up_at = Timestamp::NEVER;
        let mut next_start_at = Timestamp::ZERO;
        self.drive(watch, |fleet, now| {
            while (fleet.peers.len() as u64) < u64::from(fleet.plan.peers) && now >= next_start_at {
                fleet.start_peer(now)?;
                next_start_at = next_start_at + START_EVERY;
                give_up_at = now + CONNECT_MAX;
            }
            let all_started = fleet.peers.len() as u64 == u64::from(fleet.plan.peers);
            let all_answered = fleet.peers.iter().all(|peer| peer.is_ready() || peer.is_refused());
            let is_over = all_started && (all_answered || now >= give_up_at);
            let look_again_at = if all_started { give_up_at } else { next_start_at };
            Ok(if is_over { Step::Over } else { Step::Until(look_again_at) })
        })
    }

    /// Lets everybody move, speak and lose the network for as long as the plan says.
    fn play(&mut self, watch: &mut dyn FnMut(&Progress) -> bool) -> Result<(), Failure> {
        let begin = self.clock.now();
        let end = begin + self.plan.playing;
        for index in 0..self.peers.len() {
            let part = self.part(index, begin, end);
            self.peers[index].begin(part);
            self.due[index] = begin;
        }
        self.drive(watch, |_, now| Ok(if now >= end { Step::Over } else { Step::Until(end) }))
    }

    /// Waits until everybody is back, every text and every player's last status have arrived everywhere, all bulk that was asked for too,
    /// and some move was acknowledged, but not for ever.
    fn settle(&mut self, watch: &mut dyn FnMut(&Progress) -> bool) -> Result<(), Failure> {
        let give_up_at = self.clock.now() + SETTLE_MAX;
        for peer in &mut self.peers {
            peer.settle();
        }
        self.due.fill(Timestamp::ZERO);
        self.stopped = false;
        self.drive(watch, |fleet, now| {
            let (spoken, set) = (summary::spoken(&fleet.peers), summary::statuses_set(&fleet.peers));
            let have_moved =
                fleet.peers.iter().filter_map(Peer::part).any(|part| part.pilot.acknowledged > 0);
            let is_settled = fleet.peers.iter().all(|peer| {
                peer.state() == ClientState::Disconnected || (have_moved && peer.is_settled(spoken, set))
            });
            Ok(if is_settled || now >= give_up_at { Step::Over } else { Step::Until(give_up_at) })
        })
    }

    fn leave(&mut self) {
        let now = self.clock.now();
        for peer in &mut self.peers {
            peer.leave(now, &mut self.buffers);
        }
    }

    /// Gives everybody turns until `step` says that this part of the run is over.
    fn drive(
        &mut self,
        watch: &mut dyn FnMut(&Progress) -> bool,
        mut step: impl FnMut(&mut Self, Timestamp) -> Result<Step, Failure>,
    ) -> Result<(), Failure> {
        while !self.stopped {
            let now = self.clock.now();
            self.give_turns(now)?;
            let Step::Until(step_at) = step(self, now)? else { return Ok(()) };
            if now >= self.watch_due_at {
                self.watch_due_at = now + WATCH_EVERY;
                self.stopped = !watch(&self.progress(now));
            }
            self.sleep(step_at.min(self.watch_due_at))?;
        }
        Ok(())
    }

    fn give_turns(&mut self, now: Timestamp) -> Result<(), Failure> {
        let has_servers_clock = self.plan.server.ip().is_loopback();
        let wake = Wake { now, unix_micros: has_servers_clock.then(|| self.clock.unix_time_micros()) };
        for (peer, due_at) in self.peers.iter_mut().zip(&mut self.due) {
            if *due_at <= now {
                peer.turn(wake, &mut self.buffers, self.poll.registry())?;
                *due_at = peer.next_at();
            }
        }
        Ok(())
    }

    fn sleep(&mut self, until: Timestamp) -> Result<(), Failure> {
        let wake_at = self.due.iter().copied().fold(until, Timestamp::min);
        let duration = wake_at.since(self.clock.now());
        if let Err(error) = self.poll.poll(&mut self.events, Some(duration)) {
            if error.kind() != ErrorKind::Interrupted {
                return Err(Failure::unsuccessful(format!("the system's event queue failed: {error}")));
            }
            self.events.clear();
        }
        for event in &self.events {
            let index = event.token().0;
            if let (Some(peer), Some(due_at)) = (self.peers.get_mut(index), self.due.get_mut(index)) {
                peer.handle_readable();
                *due_at = Timestamp::ZERO;
            }
        }
        Ok(())
    }

    fn start_peer(&mut self, now: Timestamp) -> Result<(), Failure> {
        let index = self.peers.len();
        let request = TokenRequest {
            protocol_id: self.plan.protocol_id,
            private_key: &self.plan.private_key,
            client_id: ClientId(self.first_client_id.wrapping_add(index as u64)),
            addresses: &[self.plan.server],
            lifetime_s: TOKEN_LIFETIME_S,
            timeout_s: TOKEN_TIMEOUT_S,
        };
        let unix_time_s = self.clock.unix_time_s();
        let token = request.mint(unix_time_s).map_err(Failure::unsuccessful)?;
        let mut session = ClientSession::new(ClientConfig::default(), draw()?, now, &token, unix_time_s)
            .map_err(Failure::unsuccessful)?;
        let name = chat::player_name(&self.plan.tag, u32::try_from(index).unwrap_or(u32::MAX));
        session.login(name.as_bytes()).map_err(Failure::unsuccessful)?;
        let spec = PeerSpec {
            index,
            tag: self.plan.tag.clone(),
            server: self.plan.server,
            session,
            conditions: self.plan.conditions,
            moves_address: self.plan.outages.is_some_and(|outages| outages.moves_address),
            speakers: chat::speakers(self.plan.peers),
            seed: self.seed(index),
        };
        self.peers.push(Peer::new(spec, self.poll.registry())?);
        self.due.push(now);
        Ok(())
    }

    /// What one client does while all play; each begins at another moment, spread evenly.
    fn part(&self, index: usize, begin: Timestamp, end: Timestamp) -> Part {
        let position = u32::try_from(index).unwrap_or(u32::MAX);
        let share = |span: Duration| span * position / self.plan.peers.max(1);
        let pause_micros = chat::pause_micros(self.plan.peers);
        let speaks_at = if position < chat::speakers(self.plan.peers) {
            begin + share(Duration::from_micros(pause_micros))
        } else {
            Timestamp::NEVER
        };
        let move_pause = Duration::from_secs(1) / self.plan.move_hz.max(1);
        let outages = self.plan.outages.map_or_else(Outages::none, |plan| {
            Outages::new(begin + share(plan.every), micros(plan.every), micros(plan.lasting), end)
        });
        Part {
            pilot: Pilot::new(self.plan.move_hz, begin + share(move_pause), self.seed(index).wrapping_add(2)),
            speaker: Speaker::new(position, speaks_at, pause_micros),
            herald: Speaker::new(position, speaks_at, pause_micros),
            download: Download::new(self.plan.bulk_bytes, self.seed(index).wrapping_add(3)),
            inquiry: Inquiry::new(begin + share(INQUIRE_WITHIN)),
            outages,
        }
    }

    /// A seed of its own for each client, with room for those it derives.
    fn seed(&self, index: usize) -> u64 {
        self.plan.seed.wrapping_add(index as u64 * 4)
    }

    fn progress(&self, now: Timestamp) -> Progress {
        let mut progress =
            Progress { elapsed: now.since(Timestamp::ZERO), peers: self.plan.peers, ..Progress::default() };
        for peer in &self.peers {
            let is_away = peer.is_away();
            progress.away += u32::from(is_away);
            progress.logged_in += u32::from(peer.state() == ClientState::LoggedIn && !is_away);
            progress.outages += peer.tally.outages;
            progress.resumes += peer.tally.resumes;
            progress.delivered += peer.listener.delivered;
        }
        progress
    }

    fn report(mut self) -> Report {
        let now = self.clock.now();
        Report {
            asks_for_bulk: self.plan.bulk_bytes > 0,
            ended_while_connecting: self.ended_while_connecting,
            ended_while_playing: self.ended_while_playing,
            ..summary::report(now, self.plan.peers, &mut self.peers)
        }
    }
}

/// Whether a part of the run is over, or when to look again at the latest.
enum Step {
    Over,
    Until(Timestamp),
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// Random bytes that nobody can guess.
pub(super) fn draw<const BYTES: usize>() -> Result<[u8; BYTES], Failure> {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes)
        .map_err(|error| Failure::unsuccessful(format!("the system gives no random numbers: {error}")))?;
    Ok(bytes)
}
