//! Packets of a session that come from another port of its IP address: whose they are, and how the session follows (PROTOCOL.md,
//! section 7).
//!
//! What comes from a port on trial is sealed by the peer, and counts once, as if it had come on the path: whoever delivers it could
//! as well have written the path's address on it. So it is taken, and it is a sign of life: the peer has sealed it lately, and nobody
//! keeps a session alive for longer than its peer goes on sealing. But nothing goes to that port beside challenges, and a session whose
//! player is away stays so until the player has been heard to hear there: a relay gains nothing that it had not before.

use alloc::boxed::Box;
use core::net::SocketAddr;

use crate::counters::DropReason;
use crate::event::{Continuity, Event};
use crate::lifecycle::Input;
use crate::link::frame::PATH_CHALLENGE_BYTES;
use crate::netcode::packet::{Header, PacketKind};
use crate::{SessionId, Timestamp};

use super::content::Content;
use super::manager::{MultiSessionManager, Transmit, Verdict, packet_buffer};
use super::session::Session;
use super::transition::EventDetail;
use super::trial_path::{Side, TrialPath};

/// How far above the newest sequence of a session that of a packet from another port may be.
const SEQUENCES_AHEAD_MAX: u64 = 1_024;
/// How many sessions of its IP address one packet is compared with, and on how many it is tried.
const COMPARED_MAX: usize = 256;
const TRIES_MAX: u64 = 8;
/// The least time that a peer has to answer on either path, and in round trips.
const ANSWER_MICROS_MIN: u64 = 500_000;
const ANSWER_ROUND_TRIPS: u64 = 3;

impl MultiSessionManager {
    /// A packet from a port where nobody is: perhaps the port of a session of that IP address is another one now.
    pub(super) fn receive_from_unknown_port(
        &mut self,
        from: SocketAddr,
        header: &Header,
        datagram: &mut [u8],
    ) -> Result<Verdict, DropReason> {
        let index = self.find_by_packet(from, header, datagram)?;
        self.put_on_trial(index, from);
        self.receive_on_path(index, from, header, datagram)
    }

    /// The session of this IP address under whose keys a packet opens, if it is newer than all before it.
    fn find_by_packet(
        &mut self,
        from: SocketAddr,
        header: &Header,
        datagram: &[u8],
    ) -> Result<u32, DropReason> {
        let may_be_tried = matches!(header.kind, PacketKind::KeepAlive | PacketKind::Payload);
        if !may_be_tried || !self.directory.has_sessions_at(from.ip()) || self.is_asking_at(from) {
            return Err(DropReason::UnknownAddress);
        }
        let now = self.clock.now();
        let search = self.search_budget.begin(now, from.ip()).ok_or(DropReason::SearchesSpent)?;
        let tries_max = search.tries_max.min(TRIES_MAX);
        let (mut tries, mut next_slot, mut found) = (0, search.first_slot, None);
        let mut copy = packet_buffer();
        for index in self.directory.sessions_at(from.ip(), search.first_slot).take(COMPARED_MAX) {
            let Some(session) = self.table.get(index) else { continue };
            if session.may_have_moved(from, header.sequence, now) {
                if u64::from(tries) == tries_max {
                    break;
                }
                tries += 1;
                // A failed open destroys the buffer.
                let copy = copy.get_mut(..datagram.len()).ok_or(DropReason::Malformed)?;
                copy.copy_from_slice(datagram);
                if session.connection.opens(header, copy) {
                    found = Some(index);
                }
            }
            next_slot = index.wrapping_add(1);
            if found.is_some() {
                break;
            }
        }
        self.search_budget.end(now, search, tries, next_slot);
        self.budget.charge_failed_opens(now, tries - u32::from(found.is_some()));
        found.ok_or(DropReason::UnknownAddress)
    }

    /// Whether a session asks its peer just now whether it is there.
    fn is_asking_at(&self, address: SocketAddr) -> bool {
        let owner = self.directory.place(address).trial.and_then(|index| self.table.get(index));
        owner.and_then(|session| session.trial.as_ref()).is_some_and(|trial| trial.deadline().is_some())
    }

    fn put_on_trial(&mut self, index: u32, address: SocketAddr) {
        let Some(session) = self.table.get_mut(index) else { return };
        let trial = TrialPath::new(address, session.trial.as_deref());
        let former = session.trial.replace(Box::new(trial));
        if let Some(former) = former.and_then(|former| former.address()) {
            self.directory.clear_trial(former, index);
        }
        self.leave_trial_at(address);
        self.directory.set_trial(address, index);
    }

    /// The address is somebody's now: no session is on trial there any more.
    pub(super) fn leave_trial_at(&mut self, address: SocketAddr) {
        let Some(index) = self.directory.place(address).trial else { return };
        self.directory.clear_trial(address, index);
        if let Some(trial) = self.table.get_mut(index).and_then(|session| session.trial.as_mut()) {
            trial.leave();
        }
    }

    /// Takes note of a packet of the session that came from its port on trial, and asks if it is time to.
    pub(super) fn note_on_trial(&mut self, index: u32, bytes: usize, is_newest: bool) {
        let now = self.clock.now();
        let Some(session) = self.table.get_mut(index) else { return };
        let challenge_bytes = session.challenge_bytes();
        let Some(trial) = &mut session.trial else { return };
        trial.on_received(bytes);
        if !is_newest {
            return;
        }
        session.last_live = now;
        session.liveness = self.clock.peer_deadline(session.timeout_micros);
        // One move at a time: a host that polls no events has one of each session in the queue at most.
        if !session.has_untold_move && trial.may_ask(now, challenge_bytes) {
            self.ask_on_both_paths(index);
        }
    }

    fn ask_on_both_paths(&mut self, index: u32) {
        let values = self.draw_two();
        let Some(session) = self.table.get_mut(index) else { return };
        let deadline = self.clock.peer_deadline(session.answer_micros());
        if let Some(trial) = &mut session.trial {
            trial.ask(self.clock.now(), values, deadline);
            self.counters.path_trials += 1;
        }
    }

    /// The peer returned the value of a challenge, on whichever path.
    pub(super) fn handle_path_response(&mut self, index: u32, value: u64) {
        let now = self.clock.now();
        if let Some(trial) = self.table.get_mut(index).and_then(|session| session.trial.as_mut()) {
            trial.on_response(now, value);
        }
    }

    /// The time to answer is over: the session moves, or nothing happens.
    pub(super) fn fire_trial(&mut self, index: u32) {
        let Some(trial) = self.table.get(index).and_then(|session| session.trial.as_ref()) else { return };
        if !trial.deadline().is_some_and(|deadline| self.has_passed(deadline)) {
            return;
        }
        let trial = self.table.get_mut(index).and_then(|session| session.trial.as_mut());
        if trial.is_some_and(|trial| trial.conclude()) {
            self.move_to_trial(index);
        }
    }

    /// The session goes on at the port that was on trial. Nobody is displaced: one who is confirmed there would have ended the trial.
    fn move_to_trial(&mut self, index: u32) {
        let Some(to) = self.end_trial(index) else { return };
        let Some(session) = self.table.get_mut(index) else { return };
        let from = session.connection.address();
        session.connection.set_address(to);
        if let Content::Framed(framed) = &mut session.content {
            framed.link.path_moved();
        }
        self.counters.paths_moved += 1;
        let event = Event::PathMoved {
            session: session.id,
            at: self.clock.now(),
            from_port: from.port(),
            to_port: to.port(),
        };
        session.has_untold_move = true;
        self.outbox.push_event(event, &[]);
        self.directory.clear_path(from, index);
        let displaced = self.directory.set_path(to, index);
        debug_assert_eq!(displaced, None, "a path is not put on trial");
        let detail = EventDetail { continuity: Some(Continuity::Kept), ..EventDetail::default() };
        self.apply_with(index, Input::PathMoved, detail);
    }

    /// The host knows of the last move of a session, which may move again.
    pub(super) fn note_move_told(&mut self, id: SessionId) {
        if let Some(session) = self.table.resolve(id).and_then(|index| self.table.get_mut(index)) {
            session.has_untold_move = false;
        }
    }

    /// Ends the trial of the session in slot `index`, if there is one, with all that is known of it; returns its address.
    pub(super) fn end_trial(&mut self, index: u32) -> Option<SocketAddr> {
        let address = self.table.get_mut(index)?.trial.take()?.address()?;
        self.directory.clear_trial(address, index);
        Some(address)
    }

    /// Writes the challenge of the session in slot `index` whose time has come.
    pub(super) fn poll_path_challenge(&mut self, index: u32, buffer: &mut [u8]) -> Option<Transmit> {
        let now = self.clock.now();
        let session = self.table.get_mut(index)?;
        let challenge_bytes = session.challenge_bytes();
        let Session { connection, trial, content: Content::Framed(framed), .. } = session else {
            return None;
        };
        let trial = trial.as_mut()?;
        let (side, value) = trial.poll_challenge(now, challenge_bytes)?;
        let to = match side {
            Side::InUse => connection.address(),
            Side::OnTrial => trial.address()?,
        };
        let len = connection.seal_payload(buffer, |sequence, body| match body.first_chunk_mut() {
            Some(body) => framed.link.write_path_challenge(now, sequence, value, body),
            None => 0,
        });
        debug_assert_eq!(len, challenge_bytes, "it is as long as was paid for");
        (len > 0).then_some(Transmit { to, len })
    }
}

impl Session {
    /// Whether this address is on trial.
    pub(super) fn is_on_trial(&self, address: SocketAddr) -> bool {
        self.trial.as_ref().is_some_and(|trial| trial.address() == Some(address))
    }

    /// Whether a packet with this sequence from another port may be of this session, which may follow it there.
    ///
    /// Not while its key epoch opens: the answer to a challenge presumes that both ends are sure of the keys, and of nothing more, so
    /// that a session before its login is followed as well.
    fn may_have_moved(&self, to: SocketAddr, sequence: u64, now: Timestamp) -> bool {
        let newest = self.connection.newest_received();
        let is_plausible = newest
            .and_then(|newest| sequence.checked_sub(newest))
            .is_some_and(|ahead| (1..=SEQUENCES_AHEAD_MAX).contains(&ahead));
        // One who lost its path to somebody else may come back there when it is free again; that is no other port.
        is_plausible
            && self.connection.address() != to
            // Or it was tried before.
            && !self.is_on_trial(to)
            && self.is_confirmed
            && self.content.is_epoch_open()
            && self.trial.as_ref().is_none_or(|trial| trial.is_idle(now))
    }

    /// How long the next packet with a challenge will be.
    fn challenge_bytes(&self) -> usize {
        self.connection.payload_packet_bytes(PATH_CHALLENGE_BYTES)
    }

    fn answer_micros(&self) -> u64 {
        let round_trip_micros = match &self.content {
            Content::Framed(framed) => framed.link.round_trip_micros(),
            Content::Raw(_) => 0,
        };
        ANSWER_MICROS_MIN.max(round_trip_micros.saturating_mul(ANSWER_ROUND_TRIPS))
    }

    /// When the next challenge leaves.
    pub(super) fn next_challenge(&self) -> Timestamp {
        let trial = self.trial.as_ref();
        trial.map_or(Timestamp::NEVER, |trial| trial.next_challenge(self.challenge_bytes()))
    }
}
