//! Honest peers are unaffected by what adversaries send, however much that is. The laws, none of which knows a probability:
//!
//! 1. What counts for an honest session is, byte for byte, a datagram of its own player's; what counts for a player is one of the
//!    server's.
//! 2. A sealed packet that a player sent, and that arrives unchanged, for the first time, from the address it was sent from, is taken, if
//!    that address is still the path of the session which took its last packet, of the same process under the same key, and the
//!    packet is one of the last 256 of its player, which the replay window covers. Only where the host read several datagrams at once may
//!    the event queue be full, and only a session that uses its own quota up may have no memory for more; then the sender repeats what was reliable. A packet that somebody
//!    brought from another port of the player's address before was taken then, and is not taken again.
//! 3. A player's request or response that arrives unchanged from its own address is never refused for want of room: no adversary has so many
//!    tokens that handshakes, the history of tokens or the queue of answers were full. And nobody is denied a place while there is one.
//! 4. Neither end breaks the protocol, as the other sees it, and no honest session or program ends for that. Apart from time and the application, it changes only with what its own player
//!    sent, in the same step or, where its path moved to another port, when that was asked (the law of `path_questions`); it loses its path to another only with what another player sent.
//!
//! What is not promised, by design:
//!
//! * Where the backend gave two processes of a player one token (`Fault::DuplicateTokens`), the second knows the keys of the first. Nobody
//!   lets it in, but a sniffer can make it believe so with a challenge of the first, and then what it says counts as the first's. It costs
//!   no nonce, since each process seals from a random sequence on, and at worst a session that nobody plays any more.
//! * The challenge of a player's handshake does not stay valid while somebody shows good tokens from the player's address, or the player's
//!   own from elsewhere (see `adversaries`). So law 3 speaks of room, and not of who answers.

mod remembered;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::rc::Rc;

use rejoin::client::{self, ClientDisconnectReason, ClientEvent};
use rejoin::lifecycle::{Cause, DisconnectReason, LifecycleEventKind};
use rejoin::{ClientId, DenyReason, DropReason, Event, LifecycleEvent, SessionId, Verdict};

use crate::laws::{Violation, ensure};
use crate::netcode::kind::{DISCONNECT, REQUEST, RESPONSE, kind_of};
use crate::netcode::{KeyBytes, open_packet, open_request};
use crate::simulator::adversary::is_honest;
use crate::simulator::checker::{Checker, View};
use crate::simulator::step::{Datagram, Happening, Party, ProcessId, Reading, Step};
use crate::world::{PRIVATE_KEY, PROTOCOL_ID};
use remembered::{Remembered, fingerprint};

/// What the pieces of one payload take beside the message that they belong to: their bytes while they wait, and the records of those.
const PAYLOAD_NEED_MAX: usize = 1_200 + 300 * 32;
/// How many of the newest packets a replay window tells apart.
const REPLAY_WINDOW: u64 = 256;
const BROKE_THE_PROTOCOL: ClientEvent =
    ClientEvent::Disconnected { reason: ClientDisconnectReason::ProtocolViolation };

/// Knows what honest machines sent, and what became of it.
#[derive(Debug, Default)]
pub(super) struct Unaffected {
    /// What players sent, and the server.
    upward: Remembered<Sent>,
    downward: Remembered<()>,
    players: BTreeMap<ClientId, Credentials>,
    /// The last packet that each session took.
    taken: BTreeMap<SessionId, Taken>,
    /// Denials for want of a place so far.
    denied_full: u64,
}

/// One datagram of a player's.
#[derive(Clone, Copy, Debug)]
struct Sent {
    client_id: ClientId,
    process: ProcessId,
    from: SocketAddr,
    /// How many sealed packets its player had sent before.
    number: u64,
    has_arrived: bool,
    /// It was opened, wherever it came from.
    was_opened: bool,
}

/// What is known of a player's secrets, from the requests it sent.
#[derive(Debug, Default)]
struct Credentials {
    /// The process that runs, or ran last.
    process: ProcessId,
    sealed: u64,
    tokens: Vec<Token>,
    /// Whether two processes showed one token.
    has_shared: bool,
}

#[derive(Debug)]
struct Token {
    nonce: [u8; 24],
    to_server: KeyBytes,
    process: ProcessId,
}

#[derive(Debug)]
struct Taken {
    process: ProcessId,
    path: SocketAddr,
    bytes: Rc<[u8]>,
}

impl Checker for Unaffected {
    fn check(&mut self, step: &Step, view: &View<'_>) -> Result<(), Violation> {
        self.upward.forget_before(step.at);
        self.downward.forget_before(step.at);
        let mut reads = Reads::default();
        for happening in &step.happenings {
            match happening {
                Happening::ServerStarted => {
                    self.taken.clear();
                    self.denied_full = 0;
                }
                Happening::ProcessStarted { process, client_id } => {
                    self.players.entry(*client_id).or_default().process = *process;
                }
                Happening::Sent { by: Party::Player(place), datagram } => {
                    self.note_sent(view.players[*place].client_id, datagram);
                }
                Happening::Sent { by: Party::Server, datagram } => {
                    self.downward.insert(fingerprint(&datagram.bytes), ());
                }
                Happening::Received { datagram, reading: Reading::Server(verdict), .. } => {
                    self.read_by_server(datagram, *verdict, &mut reads, view)?;
                }
                Happening::Received { datagram, reading: Reading::Player(verdict), by } => {
                    self.read_by_player(*by, datagram, *verdict, view)?;
                }
                Happening::PlayerTold { process, event: BROKE_THE_PROTOCOL, .. } => {
                    let mut shared = self.players.values().filter(|player| player.has_shared);
                    let may_be = shared.any(|player| player.process == *process);
                    ensure(may_be, || format!("{process} was ended for breaking the protocol"))?;
                }
                Happening::ServerTold { event: Event::PathMoved { session, .. }, .. } => {
                    reads.moved.push(*session);
                }
                Happening::ServerTold { event: Event::Lifecycle(event), .. } => {
                    reads.check_event(event, self.has_shared(event.client_id))?;
                }
                _ => {}
            }
        }
        if reads.count > 0 { self.check_places(view, reads.ended) } else { Ok(()) }
    }
}

impl Unaffected {
    fn note_sent(&mut self, client_id: ClientId, datagram: &Datagram) {
        let player = self.players.entry(client_id).or_default();
        match kind_of(&datagram.bytes) {
            Some(REQUEST) => player.learn(&datagram.bytes),
            _ => player.sealed += 1,
        }
        let (from, number) = (datagram.from, player.sealed);
        let sent =
            Sent { client_id, process: player.process, from, number, has_arrived: false, was_opened: false };
        self.upward.insert(fingerprint(&datagram.bytes), sent);
    }

    fn read_by_server(
        &mut self,
        datagram: &Datagram,
        verdict: Verdict,
        reads: &mut Reads,
        view: &View<'_>,
    ) -> Result<(), Violation> {
        reads.count += 1;
        let known = self.upward.get_mut(fingerprint(&datagram.bytes));
        let before = known.as_deref().copied();
        if let Some(sent) = known {
            sent.has_arrived |= sent.from == datagram.from;
            sent.was_opened |= matches!(
                verdict,
                Verdict::Accepted(_) | Verdict::Dropped(DropReason::EventsFull | DropReason::SessionMemory)
            );
            reads.honest.push(sent.client_id);
        }
        if let Verdict::Accepted(session) = verdict {
            return self.check_authentic(session, datagram, before, view);
        }
        let (Some(sent), Verdict::Dropped(reason)) = (before, verdict) else { return Ok(()) };
        let is_lawful =
            !matches!(reason, DropReason::Violation | DropReason::BeforeHello | DropReason::BadHello);
        ensure(is_lawful || self.has_shared(sent.client_id), || {
            format!("{} broke the protocol: {datagram}: {reason:?}", sent.process)
        })?;
        if sent.from == datagram.from {
            self.check_taken(datagram, sent, reason, reads, view)
        } else {
            Ok(())
        }
    }

    /// What a player sent came unchanged from its own address, and was dropped.
    fn check_taken(
        &self,
        datagram: &Datagram,
        sent: Sent,
        reason: DropReason,
        reads: &Reads,
        view: &View<'_>,
    ) -> Result<(), Violation> {
        match kind_of(&datagram.bytes) {
            Some(REQUEST | RESPONSE) => {
                let for_room =
                    [DropReason::HandshakesFull, DropReason::TokenHistoryFull, DropReason::RepliesFull];
                ensure(!for_room.contains(&reason), || {
                    format!("{:?} was refused for want of room: {datagram}: {reason:?}", sent.client_id)
                })
            }
            _ if sent.has_arrived
                || sent.was_opened
                || (reason == DropReason::EventsFull && reads.count > 1) =>
            {
                Ok(())
            }
            _ if reason == DropReason::SessionMemory && is_short_of_memory(datagram.from, reads, view) => {
                Ok(())
            }
            _ => {
                let was_due = self.lives(datagram, sent, view);
                ensure(!was_due, || {
                    format!("a good packet of {} was not taken: {datagram}: {reason:?}", sent.process)
                })
            }
        }
    }

    fn read_by_player(
        &mut self,
        by: Party,
        datagram: &Datagram,
        verdict: client::Verdict,
        view: &View<'_>,
    ) -> Result<(), Violation> {
        match (by, verdict) {
            (_, client::Verdict::Accepted) => {
                let is_real = self.downward.get_mut(fingerprint(&datagram.bytes)).is_some();
                ensure(is_real, || format!("{by:?} took what the server never sent: {datagram}"))
            }
            (Party::Player(place), client::Verdict::Dropped(client::DropReason::Violation)) => {
                let may_be = self.has_shared(view.players[place].client_id);
                ensure(may_be, || format!("the server broke the protocol towards {by:?}: {datagram}"))
            }
            _ => Ok(()),
        }
    }

    fn has_shared(&self, client_id: ClientId) -> bool {
        self.players.get(&client_id).is_some_and(|player| player.has_shared)
    }

    /// What counts for an honest session is its own player's.
    fn check_authentic(
        &mut self,
        session: SessionId,
        datagram: &Datagram,
        sent: Option<Sent>,
        view: &View<'_>,
    ) -> Result<(), Violation> {
        let Some(client_id) = view.lifecycles.client_of(session).filter(|id| is_honest(*id)) else {
            return Ok(());
        };
        let author = sent.map(|sent| sent.client_id);
        ensure(author == Some(client_id), || {
            format!("session {session} of {client_id:?} took what {author:?} sent: {datagram}")
        })?;
        if let Some(sent) = sent.filter(|_| kind_of(&datagram.bytes) != Some(DISCONNECT)) {
            let bytes = Rc::clone(&datagram.bytes);
            let seen = view.server.manager().and_then(|manager| manager.session(session));
            let path = seen.map_or(datagram.from, |session| session.address());
            self.taken.insert(session, Taken { process: sent.process, path, bytes });
        }
        Ok(())
    }

    /// Whether a packet is under the keys of the last one that its session took, and that session was and is where it comes from.
    fn lives(&self, datagram: &Datagram, sent: Sent, view: &View<'_>) -> bool {
        let at_address = view.server.manager().and_then(|manager| manager.session_at(datagram.from));
        let taken = at_address.and_then(|session| self.taken.get(&session.id()));
        let (Some(taken), Some(player)) = (taken, self.players.get(&sent.client_id)) else { return false };
        let key = player.key_of(&datagram.bytes);
        taken.path == datagram.from
            && taken.process == sent.process
            && player.sealed - sent.number < REPLAY_WINDOW
            && key.is_some()
            && key == player.key_of(&taken.bytes)
    }

    /// Nobody is denied a place while there is one.
    fn check_places(&mut self, view: &View<'_>, ended: usize) -> Result<(), Violation> {
        let Some(manager) = view.server.manager() else { return Ok(()) };
        let denied_full = manager.counters().denied(DenyReason::Full);
        let is_news = denied_full > std::mem::replace(&mut self.denied_full, denied_full);
        let (taken, places) = (manager.len() + ended, manager.config().sessions_max as usize);
        ensure(!is_news || taken >= places, || {
            format!("somebody was denied a place where {taken} of {places} were taken")
        })
    }
}

/// Whether the session at an address may have been refused memory: what it is sure of does not hold one message more, and what comes with that.
///
/// Where the server read several datagrams, what it had then may have been given back since.
fn is_short_of_memory(address: SocketAddr, reads: &Reads, view: &View<'_>) -> bool {
    let Some(manager) = view.server.manager() else { return false };
    let config = manager.config();
    let charged = manager.session_at(address).map_or(0, |session| session.charged_bytes());
    let message = config.message_bytes_max as usize + PAYLOAD_NEED_MAX;
    reads.count > 1 || charged + message > config.session_quota_bytes
}

/// What the server read in one step.
#[derive(Debug, Default)]
struct Reads {
    count: usize,
    /// The players of whom something came as they had sent it.
    honest: Vec<ClientId>,
    /// Sessions that ended.
    ended: usize,
    /// Honest sessions that lost their path.
    scheduled: Vec<SessionId>,
    /// Sessions that moved to another port.
    moved: Vec<SessionId>,
}

impl Reads {
    fn check_event(&mut self, event: &LifecycleEvent, has_shared: bool) -> Result<(), Violation> {
        let is_end = matches!(event.cause, Cause::Ended(_));
        self.ended += usize::from(is_end);
        if !is_honest(event.client_id) {
            return Ok(());
        }
        if event.kind == LifecycleEventKind::ReconnectScheduled {
            self.scheduled.push(event.session);
        }
        let is_founded = match event.cause {
            Cause::Ended(DisconnectReason::ProtocolViolation) => has_shared,
            Cause::PathTaken => !self.honest.is_empty(),
            Cause::Revived if self.moved.contains(&event.session) => true,
            // Where its player had completed a handshake before its path was lost, it is on its way back at once.
            Cause::ResumeHandshake if self.scheduled.contains(&event.session) => true,
            Cause::Handshake
            | Cause::LoginRequest
            | Cause::ResumeHandshake
            | Cause::Revived
            | Cause::Resumed
            | Cause::TakenOver
            | Cause::Ended(
                DisconnectReason::PeerLeft | DisconnectReason::Superseded | DisconnectReason::Contested,
            ) => self.honest.contains(&event.client_id),
            _ => true,
        };
        ensure(is_founded, || format!("not the doing of {:?}: {event:?}", event.client_id))
    }
}

impl Credentials {
    fn learn(&mut self, request: &[u8]) {
        // The nonce of the token lies behind version, protocol and expiry.
        let Some(nonce) = request.get(30..54).and_then(|nonce| <[u8; 24]>::try_from(nonce).ok()) else {
            return;
        };
        let process = self.process;
        if let Some(token) = self.tokens.iter().rfind(|token| token.nonce == nonce) {
            self.has_shared |= token.process != process;
        } else if let Some(opened) = open_request(PROTOCOL_ID, &PRIVATE_KEY, request) {
            self.tokens.push(Token { nonce, to_server: opened.client_to_server, process });
        }
    }

    /// Which of its keys a packet is sealed under.
    fn key_of(&self, packet: &[u8]) -> Option<usize> {
        let opens = |key: &KeyBytes| open_packet(PROTOCOL_ID, key, packet).is_some();
        self.tokens.iter().rposition(|token| opens(&token.to_server))
    }
}
