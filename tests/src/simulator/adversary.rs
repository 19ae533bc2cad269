//! Somebody with bad intentions: the seam at which sniffers, spoofers and misbehaving peers take part.

use std::fmt::Debug;

use rejoin::{ClientId, Timestamp};

use super::attack::{Attack, AttackCounts};
use super::backend::{Backend, TokenKind};
use super::step::Datagram;

/// The identities for which the backend gives the insider tokens. No player has one of them.
pub(super) const INSIDERS: [ClientId; 2] = [ClientId(1 << 32), ClientId(1 << 32 | 1)];

/// The identity that is on two devices. No player has it.
pub(super) const TWIN: ClientId = ClientId(1 << 32 | 2);

/// How many sessions those with bad intentions have at a time, at most.
pub(super) const PLACES: usize = INSIDERS.len() + 1;

/// Whether an identity is a player's.
pub(super) fn is_honest(client_id: ClientId) -> bool {
    !INSIDERS.contains(&client_id) && client_id != TWIN
}

/// Sees what passes on the network, and puts onto it what it likes.
///
/// It has its own stream of chance, given when it is made, so that the same seed gives the same run.
pub(super) trait Adversary: Debug {
    /// A datagram left a machine.
    fn overhear(&mut self, _now: Timestamp, _datagram: &Datagram) {}

    /// A datagram arrived at an address of its own, one that no player has.
    fn receive(&mut self, _now: Timestamp, _datagram: &Datagram) {}

    /// Its turn: what it puts into `volley` is sent now, from whatever address it names. Says when its next turn is; without an answer
    /// it has none.
    fn take_turn(&mut self, now: Timestamp, volley: &mut Volley<'_>) -> Option<Timestamp>;
}

/// What an adversary does in one turn.
#[derive(Debug)]
pub(super) struct Volley<'a> {
    /// What it sends.
    pub(super) datagrams: Vec<Datagram>,
    /// Where it gets tokens.
    pub(super) backend: &'a mut Backend,
    /// What it has done so far.
    pub(super) attacks: &'a mut AttackCounts,
}

impl Volley<'_> {
    /// Sends what does harm.
    pub(super) fn attack(&mut self, attack: Attack, datagram: Datagram) {
        self.attacks.count(attack);
        self.datagrams.push(datagram);
    }

    /// A good token for an identity that is no player's, as bytes.
    pub(super) fn fetch_token(&mut self, now: Timestamp, client_id: ClientId) -> Box<[u8]> {
        let mut bytes = [0; rejoin::CONNECT_TOKEN_BYTES];
        self.backend.give(now, client_id, TokenKind::Fresh).write(&mut bytes);
        Box::new(bytes)
    }
}
