//! The tokens a client holds: the one of the backend, and the purse of those for coming back (PROTOCOL.md, section 10).

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::ops::RangeInclusive;

use crate::Timestamp;
use crate::netcode::ConnectToken;
use crate::netcode::connection::Connection;

/// How many resume tokens are kept. The server sees to it that three are there; a long session brings renewals.
const TOKENS_MAX: usize = 8;
/// How many expired generations are remembered one by one. When there are more, those below the lowest of them are given up.
const VOID_SINGLY_MAX: usize = 16;

/// A token with the one connection that is ever made under its keys.
#[derive(Debug)]
pub(super) struct HeldToken {
    /// Its number in the session; 0 for a token of the backend.
    pub(super) generation: u64,
    pub(super) token: ConnectToken,
    /// Its sequence goes on through every attempt with this token (P63).
    pub(super) connection: Connection,
    first_sequence: u64,
    /// From the sequence of the first hello that went out before the server let the client in to that of the last.
    pub(super) hellos: Option<RangeInclusive<u64>>,
    pub(super) expires_at: Timestamp,
    /// When the next attempt with it may begin: a packet of one that ended may have left just now.
    pub(super) next_send: Timestamp,
}

impl HeldToken {
    /// `first_sequence` is 0 only for a token that nobody else can have sealed under: one the server gave to this very process.
    pub(super) fn new(
        generation: u64,
        token: ConnectToken,
        first_sequence: u64,
        expires_at: Timestamp,
    ) -> Self {
        let nowhere = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
        let connection = Connection::new(
            token.addresses().first().copied().unwrap_or(nowhere),
            token.protocol_id,
            token.client_to_server_key.clone(),
            token.server_to_client_key.clone(),
            first_sequence,
        );
        Self {
            generation,
            token,
            connection,
            first_sequence,
            hellos: None,
            expires_at,
            next_send: Timestamp::ZERO,
        }
    }

    /// Whether it came from the server, for coming back.
    pub(super) const fn is_resume(&self) -> bool {
        self.generation > 0
    }

    /// Whether something was sealed under its keys.
    pub(super) const fn is_touched(&self) -> bool {
        self.connection.next_sequence() != self.first_sequence
    }
}

/// The resume tokens of a session, by ascending generation.
#[derive(Debug, Default)]
pub(super) struct Purse {
    tokens: Vec<HeldToken>,
    /// Generations up to this one are spent, given up, or were never this process's own: none of them is taken in again, for a second
    /// copy would begin its sequence anew.
    void_up_to: u64,
    /// Generations above that which expired while a lower one may live: as void, one by one.
    void_singly: Vec<u64>,
    /// The generation that is out for an attempt. It stays here when it has become void meanwhile, which makes no difference.
    lent: Option<u64>,
    /// The generation last tried in this round.
    tried: u64,
}

impl Purse {
    /// A purse of tokens that another process saved, by ascending generation.
    pub(super) fn restored(tokens: Vec<HeldToken>) -> Self {
        let void_up_to = tokens.first().map_or(0, |lowest| lowest.generation.saturating_sub(1));
        Self { tokens, void_up_to, ..Self::default() }
    }

    /// Whether a token of this generation would be new.
    pub(super) fn wants(&self, generation: u64) -> bool {
        !self.is_void(generation)
            && self.lent != Some(generation)
            && self.tokens.iter().all(|held| held.generation != generation)
    }

    /// Takes a token in, unless it is here or void already. When there are too many the lowest goes.
    pub(super) fn insert(&mut self, held: HeldToken) {
        if !self.wants(held.generation) {
            return;
        }
        self.put(held);
        if self.tokens.len() > TOKENS_MAX {
            let lowest = self.tokens.remove(0);
            self.void_up_to = self.void_up_to.max(lowest.generation);
        }
    }

    /// Starts a new round through the tokens.
    pub(super) const fn begin_round(&mut self) {
        self.tried = 0;
    }

    /// How many tokens are here.
    pub(super) const fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Whether this round has a token left.
    pub(super) fn has_next(&self) -> bool {
        self.next_index().is_some()
    }

    /// Lends the lowest token of this round that is untouched and above every touched one, since a touched one may have been completed and
    /// have made those below it void (P61); the newest of all only if there is none such.
    pub(super) fn take_next(&mut self) -> Option<HeldToken> {
        let held = self.tokens.remove(self.next_index()?);
        self.tried = held.generation;
        self.lent = Some(held.generation);
        Some(held)
    }

    /// Takes back a token whose attempt came to nothing.
    pub(super) fn put_back(&mut self, held: HeldToken) {
        self.lent = None;
        if !self.is_void(held.generation) {
            self.put(held);
        }
    }

    /// Everything up to `generation` is void: a handshake with it completed (P61).
    pub(super) fn void(&mut self, generation: u64) {
        self.void_up_to = self.void_up_to.max(generation);
        self.tokens.retain(|held| held.generation > generation);
        self.void_singly.retain(|&single| single > generation);
    }

    /// This generation alone is void: it expired, which says nothing about those below it.
    pub(super) fn void_one(&mut self, generation: u64) {
        if self.is_void(generation) {
            return;
        }
        self.tokens.retain(|held| held.generation != generation);
        self.void_singly.push(generation);
        if self.void_singly.len() > VOID_SINGLY_MAX
            && let Some(&lowest) = self.void_singly.iter().min()
        {
            self.void(lowest);
        }
    }

    /// Discards what has expired.
    pub(super) fn expire(&mut self, now: Timestamp) {
        while let Some(expired) = self.tokens.iter().find(|held| now >= held.expires_at) {
            self.void_one(expired.generation);
        }
    }

    fn is_void(&self, generation: u64) -> bool {
        generation <= self.void_up_to || self.void_singly.contains(&generation)
    }

    /// The tokens another process may use, by ascending generation: untouched ones above every touched one (P63).
    ///
    /// A lower untouched one is left out because the process that resumes with it would be handed the touched one again.
    pub(super) fn exportable<'a>(
        &'a self,
        lent: Option<&'a HeldToken>,
    ) -> impl Iterator<Item = &'a HeldToken> + Clone + use<'a> {
        let lent = lent.filter(|held| held.is_resume());
        let below_lent = lent.map_or(0, |lent| self.index_of(lent.generation));
        let (below, above) = self.tokens.split_at(below_lent);
        let all = below.iter().chain(lent).chain(above);
        let touched = all.clone().filter(|held| held.is_touched()).map(|held| held.generation).max();
        all.filter(move |held| touched.is_none_or(|touched| held.generation > touched))
    }

    fn put(&mut self, held: HeldToken) {
        let index = self.index_of(held.generation);
        self.tokens.insert(index, held);
    }

    /// Where a token of this generation is, or would be.
    fn index_of(&self, generation: u64) -> usize {
        self.tokens.binary_search_by_key(&generation, |held| held.generation).unwrap_or_else(|index| index)
    }

    fn next_index(&self) -> Option<usize> {
        let last = self.tokens.len().checked_sub(1)?;
        let first_fresh =
            self.tokens.iter().rposition(HeldToken::is_touched).map_or(0, |touched| touched + 1);
        if first_fresh <= last {
            let first_untried = self.tokens.partition_point(|held| held.generation <= self.tried);
            Some(first_fresh.max(first_untried)).filter(|&next| next <= last)
        } else {
            // The newest is the least likely to be spent.
            Some(last).filter(|_| self.tried == 0)
        }
    }
}
