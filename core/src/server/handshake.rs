//! Requests and responses: from an opened token to a completed handshake.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::net::SocketAddr;

use smallvec::SmallVec;

use crate::ClientId;
use crate::config::{AtCapacity, Config};
use crate::counters::{DenyReason, DropReason};
use crate::event::Event;
use crate::ledger::AttemptEnd;
use crate::lifecycle::{DisconnectReason, DuplicateIdentity, Input, Step};
use crate::netcode::connection::Connection;
use crate::netcode::history::PendingMapping;
use crate::netcode::packet::{self, Header, Packet};
use crate::netcode::{Key, Mac};
use crate::planted::{PlantedBug, is_planted};

use super::admission::OpenedRequest;
use super::budget::{DERIVATION_OPENS, REQUEST_OPENS, RESPONSE_OPENS, Standing};
use super::manager::{MultiSessionManager, Verdict, packet_buffer};
use super::outbox::ReplyTo;
use super::session::{Attempt, AttemptOrigin, ResumeHandshake, Session};
use super::way_back::ResumeClaim;

/// Whose response a packet may be, each with the key to try.
enum Responder {
    /// The holder of a backend token that was challenged here.
    Backend { token_mac: Mac, client_id: ClientId },
    /// A session on its way back.
    Resume { index: u32, client_id: ClientId, handshake: ResumeHandshake },
    /// One whose response was taken already, and who has not seen the keep-alive.
    Unconfirmed { index: u32 },
}

impl MultiSessionManager {
    pub(super) fn handle_request(
        &mut self,
        from: SocketAddr,
        datagram: &[u8],
    ) -> Result<Verdict, DropReason> {
        let request = self.admission.read_request(datagram, self.clock.unix_s())?;
        self.check_prefix(from)?;
        let tag = self.mint.tag_of(request.expire_unix, request.nonce);
        let standing = tag.map_or(Standing::Stranger, |tag| Standing::Returner { tag });
        self.spend(from, standing, REQUEST_OPENS)?;
        let request = self.admission.open_token(&request, self.clock.unix_s())?;
        match request.claim {
            Some(claim) => self.handle_resume_request(from, &request, claim),
            None => self.handle_backend_request(from, &request),
        }
    }

    /// Charges the budget of everything unproved, before what it pays for is done.
    pub(super) fn spend(
        &mut self,
        from: SocketAddr,
        standing: Standing,
        opens: u32,
    ) -> Result<(), DropReason> {
        let is_served = self.budget.try_spend(self.clock.now(), from, standing, opens);
        if is_served { Ok(()) } else { Err(DropReason::UnprovedBudget) }
    }

    fn handle_backend_request(
        &mut self,
        from: SocketAddr,
        request: &OpenedRequest,
    ) -> Result<Verdict, DropReason> {
        let own = &self.config.public_addresses;
        let listed = &request.private.addresses;
        if !listed.iter().any(|address| own.contains(address)) {
            return Err(DropReason::TokenForOtherServer);
        }
        let lists_foreign_address = listed.iter().any(|address| !own.contains(address));
        if let Some(reason) = self.denial_reason(request.private.client_id) {
            return self.deny(from, &request.private.server_to_client_key, reason);
        }
        let timeout_micros = timeout_micros(&self.config, request.private.timeout_seconds);
        let deadline = self.clock.now().plus_micros(timeout_micros);
        let unix_s = self.clock.unix_s();
        self.admission.admit(from, request, lists_foreign_address, deadline, unix_s)?;
        if let Some(index) = self.directory.place(from).resume {
            self.forget_resume_handshake(index, from);
        }
        self.challenge(from, request, ReplyTo::Newcomer)
    }

    fn handle_resume_request(
        &mut self,
        from: SocketAddr,
        request: &OpenedRequest,
        claim: ResumeClaim,
    ) -> Result<Verdict, DropReason> {
        let deny_key = &request.private.server_to_client_key;
        if !self.mint.is_own(&claim) {
            return self.deny(from, deny_key, DenyReason::OtherStart);
        }
        if self.bans.clients.is_banned(&request.private.client_id, self.clock.now()) {
            return self.deny(from, deny_key, DenyReason::Banned);
        }
        if !self.mint.is_genuine(&claim) {
            return Err(DropReason::ResumeForged);
        }
        let Some(index) = self.table.resolve(claim.session) else {
            return self.deny(from, deny_key, DenyReason::SessionEnded);
        };
        let session = self.table.get_mut(index).ok_or(DropReason::ResumeForged)?;
        if session.client_id != request.private.client_id {
            return Err(DropReason::ResumeForged);
        }
        if !session.tokens.is_unspent(claim.generation) {
            self.tell_reuse(index, claim.generation);
            return Err(self.drop_of(index, DropReason::ResumeSpent));
        }
        let handshake =
            ResumeHandshake { generation: claim.generation, token_mac: request.token_mac, address: from };
        let given_up = session.note_resume_handshake(handshake);
        if let Some(address) = given_up {
            self.directory.clear_resume(address, index);
        }
        if let Some(other) = self.directory.set_resume(from, index) {
            self.forget_resume_handshake(other, from);
        }
        self.admission.forget_address(from);
        self.challenge(from, request, ReplyTo::Returner)
    }

    /// Tells that a spent token came again whose successor is in use: once, if the event queue has room, and otherwise when it comes the
    /// next time. A session that came back often has many such tokens.
    fn tell_reuse(&mut self, index: u32, generation: u64) {
        let Some(session) = self.table.get(index) else { return };
        let is_news = generation < session.confirmed_generation && generation > session.reuse_reported;
        if !is_news || !self.push_event_or_drop(Event::TokenReuse { session: session.id, generation }) {
            return;
        }
        if let Some(session) = self.table.get_mut(index) {
            session.reuse_reported = generation;
        }
    }

    fn challenge(
        &mut self,
        from: SocketAddr,
        request: &OpenedRequest,
        whom: ReplyTo,
    ) -> Result<Verdict, DropReason> {
        let mut buffer = packet_buffer();
        let len = self.admission.seal_challenge(from, request, &mut buffer);
        if is_planted(PlantedBug::ChallengeAmplified) {
            (1..4).try_for_each(|_| self.answer(from, &buffer[..len], whom).map(drop))?;
        }
        self.answer(from, &buffer[..len], whom)
    }

    fn deny(&mut self, to: SocketAddr, key: &Key, reason: DenyReason) -> Result<Verdict, DropReason> {
        let mut buffer = packet_buffer();
        let len = self.admission.seal_denied(key, &mut buffer);
        let verdict = self.answer(to, &buffer[..len], ReplyTo::Newcomer)?;
        self.refuse(reason);
        Ok(verdict)
    }

    fn answer(&mut self, to: SocketAddr, datagram: &[u8], whom: ReplyTo) -> Result<Verdict, DropReason> {
        if self.outbox.push_reply(to, datagram, whom) {
            Ok(Verdict::Answered)
        } else {
            Err(DropReason::RepliesFull)
        }
    }

    /// From a banned prefix nothing is looked at, and nothing answered. A denial would be for a token, and whoever is there could show
    /// that of somebody else, to whom it would tell then that it is denied.
    fn check_prefix(&self, from: SocketAddr) -> Result<(), DropReason> {
        let is_banned = self.bans.prefixes.covers(from.ip(), self.clock.now());
        if is_banned { Err(DropReason::PrefixBanned) } else { Ok(()) }
    }

    /// Why an identity may not log in with a backend token just now.
    fn denial_reason(&self, client_id: ClientId) -> Option<DenyReason> {
        if self.bans.clients.is_banned(&client_id, self.clock.now()) {
            return Some(DenyReason::Banned);
        }
        if let Some(index) = self.directory.client(client_id) {
            let logged_in = self.table.get(index).is_some_and(Session::is_logged_in);
            let rejects = self.config.duplicate_identity == DuplicateIdentity::Reject;
            return (logged_in && rejects).then_some(DenyReason::AlreadyLoggedIn);
        }
        if self.leave.denies_newcomers() {
            return Some(DenyReason::Draining);
        }
        (!self.has_place()).then_some(DenyReason::Full)
    }

    /// Whether a newcomer finds a free place, or one that is given up for it.
    ///
    /// The slot of a session that gives its place up is taken until the application has seen its end, so that there are more slots than places then.
    fn has_place(&self) -> bool {
        let (taken, places) = (self.table.taken(), self.config.sessions_max as usize);
        match self.config.at_capacity {
            AtCapacity::Deny => taken < places,
            AtCapacity::GiveUpLongestAway => {
                let is_one_free = self.table.live() < places || self.directory.longest_away().is_some();
                taken < self.config.slots_max() && is_one_free
            }
        }
    }

    /// Ends the session that gives its place up to a newcomer, if one has to.
    fn free_place(&mut self) {
        if self.table.live() < self.config.sessions_max as usize {
            return;
        }
        if let Some(index) = self.directory.longest_away() {
            self.end(index, DisconnectReason::PlaceGivenUp);
        }
    }

    pub(super) fn handle_response(
        &mut self,
        from: SocketAddr,
        header: &Header,
        datagram: &mut [u8],
    ) -> Result<Verdict, DropReason> {
        let opens = self.response_opens_at(from);
        if opens == 0 {
            return Err(DropReason::ResponseUnexpected);
        }
        self.check_prefix(from)?;
        self.spend(from, Standing::Challenged, opens)?;
        let mut responders = self.responders_at(from).into_iter().peekable();
        let mut copy = packet_buffer();
        while let Some((responder, key)) = responders.next() {
            // A failed open destroys the buffer, so all keys but the last work on a copy.
            let bytes = if responders.peek().is_none() {
                &mut *datagram
            } else {
                let copy = copy.get_mut(..datagram.len()).ok_or(DropReason::Malformed)?;
                copy.copy_from_slice(datagram);
                copy
            };
            let opened = packet::open(bytes, header, self.config.protocol_id, &key);
            let Some(Packet::Response { token_sequence, token }) = opened else { continue };
            let verdict = match responder {
                Responder::Backend { token_mac, client_id } => self
                    .admission
                    .is_challenge_of(token_sequence, token, from, client_id, &token_mac)
                    .then(|| self.complete_backend(from, &token_mac, header.sequence)),
                Responder::Resume { index, client_id, handshake } => self
                    .admission
                    .is_challenge_of(token_sequence, token, from, client_id, &handshake.token_mac)
                    .then(|| self.complete_resume(index, handshake, header.sequence)),
                Responder::Unconfirmed { index } => {
                    Some(self.repeat_keep_alive(index, from, header.sequence))
                }
            };
            return verdict.unwrap_or(Err(DropReason::ChallengeMismatch));
        }
        Err(DropReason::ResponseUnexpected)
    }

    /// What it costs to find out who answers a challenge from `address`; nothing where nobody does.
    fn response_opens_at(&self, address: SocketAddr) -> u32 {
        let place = self.directory.place(address);
        let pending = u32::from(self.admission.pending_at(address).is_some());
        let resume = u32::from(place.resume.is_some());
        let unconfirmed = u32::from(place.attempt.is_some());
        (pending + resume + unconfirmed) * RESPONSE_OPENS + resume * DERIVATION_OPENS
    }

    /// Who may answer a challenge from `address`: the handshake under way there, then the one completed there.
    fn responders_at(&mut self, address: SocketAddr) -> SmallVec<[(Responder, Key); 3]> {
        let mut responders = SmallVec::new();
        if let Some(mapping) = self.admission.pending_at(address) {
            let responder = Responder::Backend { token_mac: mapping.token_mac, client_id: mapping.client_id };
            responders.push((responder, mapping.client_to_server_key.clone()));
        }
        let place = self.directory.place(address);
        if let Some((index, session)) = place.resume.and_then(|index| Some((index, self.table.get(index)?)))
            && let Some(handshake) = session.resume_handshake_at(address)
        {
            let (key, _) = self.mint.keys(session.id, handshake.generation);
            responders.push((Responder::Resume { index, client_id: session.client_id, handshake }, key));
        }
        if let Some((index, session)) =
            place.attempt.and_then(|index| Some((index, self.table.get_mut(index)?)))
            && let Some(connection) = session.unconfirmed_at(address)
        {
            responders.push((Responder::Unconfirmed { index }, connection.receive_key().clone()));
        }
        responders
    }

    /// The holder of a backend token proved its address: all checks run again, and there is a session or an attempt to take one over.
    fn complete_backend(
        &mut self,
        from: SocketAddr,
        token_mac: &Mac,
        response: u64,
    ) -> Result<Verdict, DropReason> {
        let pending = self.admission.pending_at(from).ok_or(DropReason::ResponseUnexpected)?;
        let client_id = pending.client_id;
        if let Some(reason) = self.denial_reason(client_id) {
            let key = pending.server_to_client_key.clone();
            return self.deny(from, &key, reason);
        }
        let mapping = self.admission.consume(token_mac, from).ok_or(DropReason::ResponseUnexpected)?;
        let connection = self.connection_of(from, &mapping);
        let timeout_micros = timeout_micros(&self.config, mapping.timeout_seconds);
        if let Some(index) = self.directory.client(client_id) {
            let user_data = Box::new(*mapping.user_data);
            let origin = AttemptOrigin::Backend { timeout_micros, user_data };
            self.begin_attempt(index, connection, origin, response);
        } else {
            self.free_place();
            self.open_session(client_id, connection, timeout_micros, &mapping.user_data);
        }
        Ok(Verdict::Answered)
    }

    fn connection_of(&mut self, address: SocketAddr, mapping: &PendingMapping) -> Connection {
        let first_sequence = if mapping.lists_foreign_address || self.admission.may_be_used(mapping) {
            // Another server, or a former start of this one, may have sealed under the same keys: start where it hardly did.
            distant_sequence(self.draw_u64())
        } else {
            0
        };
        Connection::new(
            address,
            self.config.protocol_id,
            mapping.server_to_client_key.clone(),
            mapping.client_to_server_key.clone(),
            first_sequence,
        )
    }

    /// A session proved that its player is at another address: all checks run again, and there is an attempt.
    fn complete_resume(
        &mut self,
        index: u32,
        handshake: ResumeHandshake,
        response: u64,
    ) -> Result<Verdict, DropReason> {
        let session = self.table.get_mut(index).ok_or(DropReason::ResponseUnexpected)?;
        if !session.tokens.is_unspent(handshake.generation) {
            return Err(self.drop_of(index, DropReason::ResumeSpent));
        }
        session.tokens.spend(handshake.generation);
        // Those with later tokens go on: this one may have been held back by somebody.
        let handshakes = core::mem::take(&mut session.resume_handshakes);
        let (spent, later): (Vec<_>, Vec<_>) =
            handshakes.into_iter().partition(|other| other.generation <= handshake.generation);
        session.resume_handshakes = later;
        for other in spent {
            self.directory.clear_resume(other.address, index);
        }
        let (receive_key, send_key) = self.mint.keys(session.id, handshake.generation);
        let connection =
            Connection::new(handshake.address, self.config.protocol_id, send_key, receive_key, 0);
        let origin = AttemptOrigin::Resume { generation: handshake.generation };
        self.begin_attempt(index, connection, origin, response);
        Ok(Verdict::Answered)
    }

    /// Notes a completed handshake of the identity in slot `index`. The newest one counts.
    fn begin_attempt(
        &mut self,
        index: u32,
        connection: Connection,
        origin: AttemptOrigin,
        newest_response: u64,
    ) {
        self.end_attempt(index, AttemptEnd::Replaced);
        let address = connection.address();
        let now = self.clock.now();
        let Some(session) = self.table.get_mut(index) else { return };
        let resumes = origin.is_resume();
        session.attempt = Some(Box::new(Attempt {
            connection,
            origin,
            deadline: self.clock.peer_deadline(session.timeout_micros),
            newest_response,
            next_keep_alive: now,
            is_announced: false,
        }));
        self.counters.attempts_begun += 1;
        self.claim_for_attempt(address, index);
        if resumes {
            self.announce_resume(index);
        } else {
            // A backend attempt in place of a resume attempt: nobody is on the way back any more.
            self.apply(index, Input::AttemptEnded);
        }
        self.list_if_nobody_is_on_the_way(index);
        self.touch(index);
    }

    /// Says that the player is on the way back, once for each token.
    pub(super) fn announce_resume(&mut self, index: u32) {
        let step = self.apply(index, Input::ResumeCompleted);
        if let Some(attempt) = self.table.get_mut(index).and_then(|session| session.attempt.as_mut()) {
            attempt.is_announced |= matches!(step, Step::Go(_));
        }
    }

    /// Notes that the unconfirmed handshake at `address` is the one of `index`; another one's there is given up.
    pub(super) fn claim_for_attempt(&mut self, address: SocketAddr, index: u32) {
        let Some(other) = self.directory.set_attempt(address, index) else { return };
        let Some(session) = self.table.get(other) else { return };
        if session.first_handshake_waits_at(address) {
            self.apply(other, Input::PathTaken);
        } else {
            self.abandon_attempt(other, AttemptEnd::AddressTaken);
        }
    }

    /// Ends the attempt of a session, if there is one, and notes why.
    fn end_attempt(&mut self, index: u32, end: AttemptEnd) {
        if self.take_attempt(index).is_some() {
            self.refuse_of(index, end);
        }
    }

    /// Ends an attempt without a trace on the wire or in the events.
    pub(super) fn abandon_attempt(&mut self, index: u32, end: AttemptEnd) {
        self.end_attempt(index, end);
        self.apply(index, Input::AttemptEnded);
        self.touch(index);
    }

    /// Takes the attempt of a session out of it and of the directory.
    pub(super) fn take_attempt(&mut self, index: u32) -> Option<Box<Attempt>> {
        let session = self.table.get_mut(index)?;
        let attempt = session.attempt.take()?;
        let address = attempt.connection.address();
        if !session.first_handshake_waits_at(address) {
            self.directory.clear_attempt(address, index);
        }
        self.list_if_nobody_is_on_the_way(index);
        Some(attempt)
    }

    /// The peer of an unconfirmed handshake said goodbye.
    pub(super) fn peer_gave_up(&mut self, index: u32, address: SocketAddr) {
        let Some(session) = self.table.get(index) else { return };
        if session.has_attempt_at(address) {
            self.abandon_attempt(index, AttemptEnd::PeerLeft);
        } else {
            self.end(index, DisconnectReason::PeerLeft);
        }
    }

    /// A response came again before the handshake was confirmed: the keep-alive may have been lost.
    ///
    /// A new one, not a recorded one, also shows that the peer is still trying, and its token opens no other handshake.
    fn repeat_keep_alive(
        &mut self,
        index: u32,
        address: SocketAddr,
        response: u64,
    ) -> Result<Verdict, DropReason> {
        let now = self.clock.now();
        let session = self.table.get_mut(index).ok_or(DropReason::ResponseUnexpected)?;
        match &mut session.attempt {
            Some(attempt) if attempt.connection.address() == address => {
                attempt.next_keep_alive = now;
                if response > attempt.newest_response {
                    attempt.newest_response = response;
                    attempt.deadline = self.clock.peer_deadline(session.timeout_micros);
                }
            }
            _ => session.next_keep_alive = now,
        }
        self.touch(index);
        Ok(Verdict::Answered)
    }

    pub(super) fn forget_resume_handshake(&mut self, index: u32, address: SocketAddr) {
        if let Some(session) = self.table.get_mut(index) {
            session.resume_handshakes.retain(|handshake| handshake.address != address);
        }
        self.directory.clear_resume(address, index);
    }
}

/// A sequence from 2^40 to 2^62, by a number drawn at random.
pub(super) const fn distant_sequence(drawn: u64) -> u64 {
    const FIRST: u64 = 1 << 40;
    const END: u64 = 1 << 62;
    FIRST + drawn % (END - FIRST)
}

/// A token's timeout within the configured range. A token without one (negative) gets the longest.
fn timeout_micros(config: &Config, timeout_seconds: i32) -> u64 {
    let wanted_ms = u64::try_from(timeout_seconds).map_or(u64::MAX, |seconds| seconds * 1_000);
    wanted_ms.clamp(config.timeout_min_ms.into(), config.timeout_max_ms.into()) * 1_000
}
