//! Honest peers are unaffected by what adversaries send, however much that is. The laws, none of which knows a probability:
//!
//! 1. What counts for an honest session is, byte for byte, a datagram of its own player's; what counts for a player is one of the
//!    server's.
//! 2. A sealed packet that a player sent, and that arrives unchanged, for the first time, from the address it was sent from, is taken, if
//!    that address is still the path of the session which took its last packet from there under the same key, and the packet is one of the
//!    last 256 of its player, which the replay window covers. Only where the host read several datagrams at once may the event queue be
//!    full; then the sender repeats what was reliable.
//! 3. A player's request or response that arrives unchanged from its own address is never refused for want of room: no adversary has so many
//!    tokens that handshakes, the history of tokens or the queue of answers were full. And nobody is denied a place while there is one.
//! 4. An honest session never ends for breaking the protocol. Apart from time and the application, it changes only with what its own player
//!    sent; it loses its path to another only with what another player sent.
//!
//! What is not promised, by design: that the challenge of a player's handshake stays valid while somebody shows good tokens from the player's
//! address, or the player's own from elsewhere (see `adversaries`). So law 3 speaks of room, and not of who answers.

mod remembered;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::rc::Rc;

use rejoin::client;
use rejoin::lifecycle::{Cause, DisconnectReason, LifecycleEventKind};
use rejoin::{ClientId, DenyReason, DropReason, Event, LifecycleEvent, SessionId, Verdict};

use crate::laws::{Violation, ensure};
use crate::netcode::{KeyBytes, open_packet, open_request};
use crate::simulator::adversary::is_honest;
use crate::simulator::checker::{Checker, View};
use crate::simulator::step::{Datagram, Happening, Party, Reading, Step};
use crate::world::{PRIVATE_KEY, PROTOCOL_ID};
use remembered::{Remembered, fingerprint};

/// How many of the newest packets a replay window tells apart.
const REPLAY_WINDOW: u64 = 256;
const REQUEST: u8 = 0;
const RESPONSE: u8 = 3;
const DISCONNECT: u8 = 6;

/// Knows what honest machines sent, and what became of it.
#[derive(Debug, Default)]
pub(super) struct Unaffected {
    /// What players sent, and the server.
    upward: Remembered<Sent>,
    downward: Remembered<()>,
    players: BTreeMap<usize, Credentials>,
    /// The last packet that each session took.
    taken: BTreeMap<SessionId, Taken>,
    /// Denials for want of a place so far.
    denied_full: u64,
}

/// One datagram of a player's.
#[derive(Clone, Copy, Debug)]
struct Sent {
    place: usize,
    from: SocketAddr,
    /// How many sealed packets its player had sent before.
    number: u64,
    has_arrived: bool,
}

/// What is known of a player's secrets, from the requests it sent.
#[derive(Debug, Default)]
struct Credentials {
    sealed: u64,
    /// The nonce of each token, and the key of packets to the server.
    keys: Vec<([u8; 24], KeyBytes)>,
}

#[derive(Debug)]
struct Taken {
    place: usize,
    from: SocketAddr,
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
                Happening::Sent { by: Party::Player(place), datagram } => self.note_sent(*place, datagram),
                Happening::Sent { by: Party::Server, datagram } => {
                    self.downward.insert(fingerprint(&datagram.bytes), ());
                }
                Happening::Received { datagram, reading: Reading::Server(verdict), .. } => {
                    self.read_by_server(datagram, *verdict, &mut reads, view)?;
                }
                Happening::Received { datagram, reading: Reading::Player(client::Verdict::Accepted), by } => {
                    let is_real = self.downward.get_mut(fingerprint(&datagram.bytes)).is_some();
                    ensure(is_real, || format!("{by:?} took what the server never sent: {datagram}"))?;
                }
                Happening::ServerTold { event: Event::Lifecycle(event), .. } => reads.check_event(event)?,
                _ => {}
            }
        }
        if reads.count > 0 { self.check_places(view, reads.ended) } else { Ok(()) }
    }
}

impl Unaffected {
    fn note_sent(&mut self, place: usize, datagram: &Datagram) {
        let player = self.players.entry(place).or_default();
        match kind_of(&datagram.bytes) {
            REQUEST => player.learn(&datagram.bytes),
            _ => player.sealed += 1,
        }
        let sent = Sent { place, from: datagram.from, number: player.sealed, has_arrived: false };
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
        let sent = self.upward.get_mut(fingerprint(&datagram.bytes));
        let (before, sent) = (sent.as_deref().copied(), sent);
        if let Some(sent) = sent {
            sent.has_arrived |= sent.from == datagram.from;
            reads.honest.extend(identity_of(sent.place, view));
        }
        if let Verdict::Accepted(session) = verdict {
            return self.check_authentic(session, datagram, before, view);
        }
        let Some(sent) = before.filter(|sent| sent.from == datagram.from) else { return Ok(()) };
        let Verdict::Dropped(reason) = verdict else { return Ok(()) };
        match kind_of(&datagram.bytes) {
            REQUEST | RESPONSE => {
                let for_room =
                    [DropReason::HandshakesFull, DropReason::TokenHistoryFull, DropReason::RepliesFull];
                ensure(!for_room.contains(&reason), || {
                    format!("player {} was refused for want of room: {datagram}: {reason:?}", sent.place)
                })
            }
            _ if sent.has_arrived || (reason == DropReason::EventsFull && reads.count > 1) => Ok(()),
            _ => {
                let was_due = self.lives(datagram, sent, view);
                ensure(!was_due, || {
                    format!("a good packet of player {} was not taken: {datagram}: {reason:?}", sent.place)
                })
            }
        }
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
        let author = sent.and_then(|sent| identity_of(sent.place, view));
        ensure(author == Some(client_id), || {
            format!("session {session} of {client_id:?} took what {author:?} sent: {datagram}")
        })?;
        if let Some(sent) = sent.filter(|_| kind_of(&datagram.bytes) != DISCONNECT) {
            let bytes = Rc::clone(&datagram.bytes);
            self.taken.insert(session, Taken { place: sent.place, from: datagram.from, bytes });
        }
        Ok(())
    }

    /// Whether a packet is under the keys, and from the address, of the last one that its session took, and that session is there.
    fn lives(&self, datagram: &Datagram, sent: Sent, view: &View<'_>) -> bool {
        let at_address = view.server.manager().and_then(|manager| manager.session_at(datagram.from));
        let taken = at_address.and_then(|session| self.taken.get(&session.id()));
        let (Some(taken), Some(player)) = (taken, self.players.get(&sent.place)) else { return false };
        let key = player.key_of(&datagram.bytes);
        taken.from == datagram.from
            && taken.place == sent.place
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
}

impl Reads {
    fn check_event(&mut self, event: &LifecycleEvent) -> Result<(), Violation> {
        let is_end = matches!(event.cause, Cause::Ended(_));
        self.ended += usize::from(is_end);
        if !is_honest(event.client_id) {
            return Ok(());
        }
        if event.kind == LifecycleEventKind::ReconnectScheduled {
            self.scheduled.push(event.session);
        }
        let is_founded = match event.cause {
            Cause::Ended(DisconnectReason::ProtocolViolation) => false,
            Cause::PathTaken => !self.honest.is_empty(),
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
        if self.keys.iter().rev().all(|(known, _)| *known != nonce)
            && let Some(token) = open_request(PROTOCOL_ID, &PRIVATE_KEY, request)
        {
            self.keys.push((nonce, token.client_to_server));
        }
    }

    /// Which of its keys a packet is sealed under.
    fn key_of(&self, packet: &[u8]) -> Option<usize> {
        let opens = |key: &KeyBytes| open_packet(PROTOCOL_ID, key, packet).is_some();
        self.keys.iter().rposition(|(_, key)| opens(key))
    }
}

fn kind_of(datagram: &[u8]) -> u8 {
    datagram.first().map_or(REQUEST, |prefix| prefix & 0xf)
}

fn identity_of(place: usize, view: &View<'_>) -> Option<ClientId> {
    view.players.get(place).map(|player| player.client_id)
}
