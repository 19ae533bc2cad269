//! The memory of sessions: a quota that each is sure of, and a pool that all of them share.
//!
//! A session is *charged* for what its containers have room for, and for what is promised to them (see `link/room.rs`). Up to its quota
//! (`Config::session_quota_bytes`) it takes memory whatever others do; what is beyond comes from the pool (`Config::pool_bytes_max`), up to
//! `Config::session_cap_bytes`. Each operation that lets a container grow asks for [room](MemoryPool::room) before it does, and
//! [`settle_memory`](MultiSessionManager::settle_memory) notes afterwards what it came to; so all sessions together never take more than their quotas and
//! the pool. What is given back is noted by the next of them, and at once where the pool has a part in it: most packets make nothing grow, and cost nothing here.
//!
//! # Nobody waits for ever
//!
//! 1. *Shares.* A session takes from the pool until it has as much of it as is left. So `n` who take all they can leave the next one as much as each of them
//!    has, an `n + 1`th part, and nobody empties the pool.
//! 2. *What comes before what is held back finds room.* A piece ahead of its turn is taken only together with a promise of memory for all that come
//!    before it. So what waits for its turn never keeps out what it waits for.
//! 3. *Whole messages.* Within the quota, messages of many pieces grow piece by piece. The first piece that needs the pool is taken only if its
//!    lane is granted the memory of the longest message at once; with that it needs to ask no more until nothing waits on the lane. So nobody has a
//!    part of the pool and waits for another one: of two sessions that both need more than is left one is granted what it needs, and the other one waits with what it has
//!    in its quota. Its peer sends again what was not taken, and is granted it when the first message is complete.
//! 4. *Grants are not kept.* When a lane is refused a grant, and another session has had one for `Config::pool_grant_ms`, that session ends
//!    ([`DisconnectReason::MemoryHeld`]): the longest holder first, one for each refusal. Nobody's session ends while nobody else is in need, or for what would not
//!    find room in the whole pool, or for the longest holder itself, whose message need not ask again.
//! 5. *Acknowledgements count even in a payload that is refused*, and so do the pieces in it that find room: what they set free may be what the others need, and
//!    a lane that may go on waits for no other one that may not.
//! 6. *What leaves is always recorded*: the memory for a few packets under way is fixed, so that a session without room still empties its queues.

use alloc::collections::BTreeSet;

use crate::counters::DropReason;
use crate::lifecycle::DisconnectReason;
use crate::link::frame::{CheckedPayload, Frame};
use crate::memory::{NoRoom, Room, Thrift, tree_bytes_max};
use crate::{Config, Timestamp};

use super::MultiSessionManager;
use super::clock::PeerDeadline;
use super::content::Content;
use super::session::Session;

/// What one session has of the memory of all.
#[derive(Debug)]
pub(super) struct Account {
    fixed_bytes: usize,
    /// What is charged beyond what is fixed.
    charged_bytes: usize,
    /// Whether something may have grown since that was noted, or the link lives with less room than it wants.
    is_unsettled: bool,
    grant: Option<Grant>,
}

/// Since when a session has had memory of the pool for messages that are not complete, and until when it may.
#[derive(Clone, Copy, Debug)]
struct Grant {
    since: Timestamp,
    until: PeerDeadline,
}

/// What all sessions have beyond their quotas. All figures are beyond what is fixed for each session.
#[derive(Debug)]
pub(super) struct MemoryPool {
    quota_bytes: usize,
    cap_bytes: usize,
    pool_bytes_max: usize,
    taken_bytes: usize,
    /// Who has a grant, the longest first.
    grants: BTreeSet<(Timestamp, u32)>,
}

impl MemoryPool {
    pub(super) const fn new(config: &Config) -> Self {
        let fixed = config.session_fixed_bytes();
        Self {
            quota_bytes: config.session_quota_bytes.saturating_sub(fixed),
            cap_bytes: config.session_cap_bytes.saturating_sub(fixed),
            pool_bytes_max: config.pool_bytes_max,
            taken_bytes: 0,
            grants: BTreeSet::new(),
        }
    }

    /// What sessions have taken beyond their quotas.
    pub(super) const fn taken_bytes(&self) -> usize {
        self.taken_bytes
    }

    /// The memory that a session may take now.
    pub(super) fn room(&self, account: &Account) -> Room {
        Room::new(self.limit(account).saturating_sub(account.charged_bytes))
    }

    /// What of it is left of the session's quota.
    const fn quota_left(&self, account: &Account) -> usize {
        self.quota_bytes.saturating_sub(account.charged_bytes)
    }

    /// The most that may be charged to a session now.
    fn limit(&self, account: &Account) -> usize {
        self.cap_bytes.min(self.quota_bytes.saturating_add(self.share(account)))
    }

    /// Whether a session would find room if nobody else had any of the pool.
    fn could_have_room(&self, account: &Account, no_room: NoRoom) -> bool {
        let limit = self.cap_bytes.min(self.quota_bytes.saturating_add(self.pool_bytes_max / 2));
        account.charged_bytes.saturating_add(no_room.needed_bytes) <= limit
    }

    /// The most that a session may have of the pool: as much as is left then.
    const fn share(&self, account: &Account) -> usize {
        let others = self.taken_bytes - self.excess(account);
        self.pool_bytes_max.saturating_sub(others) / 2
    }

    const fn excess(&self, account: &Account) -> usize {
        account.charged_bytes.saturating_sub(self.quota_bytes)
    }

    /// Notes what is charged to a session.
    fn charge(&mut self, account: &mut Account, charged_bytes: usize) {
        self.taken_bytes -= self.excess(account);
        account.charged_bytes = charged_bytes;
        self.taken_bytes += self.excess(account);
    }

    /// Notes whether the session in a slot has a grant.
    fn note_grant(&mut self, index: u32, account: &mut Account, granted: Option<Grant>) {
        match (account.grant, granted) {
            (None, Some(grant)) => {
                self.grants.insert((grant.since, index));
                account.grant = granted;
            }
            (Some(grant), None) => {
                self.grants.remove(&(grant.since, index));
                account.grant = None;
            }
            (None, None) | (Some(_), Some(_)) => {}
        }
    }

    /// The session in a slot has ended.
    pub(super) fn release(&mut self, index: u32, account: &mut Account) {
        self.charge(account, 0);
        self.note_grant(index, account, None);
    }

    /// The memory it takes beyond its own place.
    pub(super) fn memory_bytes(&self) -> usize {
        crate::memory::tree_bytes::<(Timestamp, u32)>(self.grants.len())
    }

    /// The most memory it takes beyond its own place with so many sessions.
    pub(super) const fn memory_bytes_max(sessions: usize) -> usize {
        tree_bytes_max::<(Timestamp, u32)>(sessions)
    }
}

impl Account {
    /// That of a session for which so much is fixed.
    pub(super) const fn new(fixed_bytes: usize) -> Self {
        Self { fixed_bytes, charged_bytes: 0, is_unsettled: true, grant: None }
    }

    /// To be called when something may grow.
    pub(super) const fn unsettle(&mut self) {
        self.is_unsettled = true;
    }

    /// What counts as the session's own.
    pub(super) const fn total_bytes(&self) -> usize {
        self.fixed_bytes + self.charged_bytes
    }
}

impl MultiSessionManager {
    /// Memory that sessions have taken beyond their quotas, in bytes, of [`Config::pool_bytes_max`].
    #[must_use]
    pub const fn pool_bytes_taken(&self) -> usize {
        self.pool.taken_bytes()
    }

    /// After an operation: notes what it made the session take, if it may have made it take more, or if the pool has a part in it.
    pub(super) fn settle_if_needed(&mut self, index: u32) {
        let Some(account) = self.table.get(index).map(|session| &session.account) else { return };
        if account.is_unsettled || account.grant.is_some() || self.pool.excess(account) > 0 {
            self.settle_memory(index);
        }
    }

    /// Notes what a session takes. Beyond its quota it keeps no memory that is of no use.
    pub(super) fn settle_memory(&mut self, index: u32) {
        let Some(session) = self.table.get_mut(index) else { return };
        let Session { content, account, .. } = session;
        let mut charged_bytes = content.charged_bytes();
        if charged_bytes > self.pool.quota_bytes {
            content.give_back(Thrift::Idle);
            charged_bytes = content.charged_bytes();
        }
        debug_assert!(charged_bytes <= self.pool.limit(account).max(account.charged_bytes), "asked before");
        self.pool.charge(account, charged_bytes);
        let grant = || Grant {
            since: self.clock.now(),
            until: self.clock.peer_deadline(u64::from(self.config.pool_grant_ms) * 1_000),
        };
        // What needs the pool lies beyond the quota, so that most sessions need not be looked at.
        let has_grant = account.grant.is_some() || charged_bytes > self.pool.quota_bytes;
        let granted = (has_grant && content.has_grant()).then(grant);
        self.pool.note_grant(index, account, granted);
        account.is_unsettled = !content.note_room_to_send(&mut self.pool.room(account));
    }

    /// Makes room for what a payload will make its session keep (rules 2 to 5).
    pub(super) fn make_room_for_pieces(
        &mut self,
        index: u32,
        payload: &CheckedPayload<'_>,
    ) -> Result<(), DropReason> {
        if self.take_quota_for_pieces(index, payload.frames()).is_ok() {
            return Ok(());
        }
        self.settle_memory(index);
        if self.take_room_for_pieces(index, payload.frames()).is_ok() {
            return Ok(());
        }
        self.take_acks(index, payload)?;
        self.give_back_spare(index);
        if self.take_room_for_pieces(index, payload.frames()).is_ok() {
            return Ok(());
        }
        self.take_pieces_with_room(index, payload)?;
        let Err(no_room) = self.take_room_for_pieces(index, payload.frames()) else { return Ok(()) };
        if self.end_longest_grant(index, no_room)
            && self.take_room_for_pieces(index, payload.frames()).is_ok()
        {
            return Ok(());
        }
        Err(DropReason::SessionMemory)
    }

    fn take_quota_for_pieces<'a>(
        &mut self,
        index: u32,
        pieces: impl Iterator<Item = Frame<'a>>,
    ) -> Result<(), NoRoom> {
        self.take_for_pieces(index, pieces, |pool, account| Room::new(pool.quota_left(account)))
    }

    fn take_room_for_pieces<'a>(
        &mut self,
        index: u32,
        pieces: impl Iterator<Item = Frame<'a>>,
    ) -> Result<(), NoRoom> {
        self.take_for_pieces(index, pieces, MemoryPool::room)
    }

    fn take_for_pieces<'a>(
        &mut self,
        index: u32,
        pieces: impl Iterator<Item = Frame<'a>>,
        room_of: impl FnOnce(&MemoryPool, &Account) -> Room,
    ) -> Result<(), NoRoom> {
        let Some(session) = self.table.get_mut(index) else { return Ok(()) };
        let Session { content: Content::Framed(framed), account, .. } = session else { return Ok(()) };
        account.unsettle();
        let mut room = room_of(&self.pool, account);
        framed.link.make_room_for_pieces(pieces, self.pool.quota_left(account), &mut room)
    }

    fn take_acks(&mut self, index: u32, payload: &CheckedPayload<'_>) -> Result<(), DropReason> {
        for frame in payload.frames() {
            if let Frame::Ack(_) = frame
                && let Err(violation) = self.take_frame(index, &frame)
            {
                return Err(self.count_violation(index, violation));
            }
        }
        Ok(())
    }

    /// Takes each piece that finds room by itself; when the payload comes again, it is taken for a repeated one.
    fn take_pieces_with_room(&mut self, index: u32, payload: &CheckedPayload<'_>) -> Result<(), DropReason> {
        let pieces =
            payload.frames().filter(|frame| matches!(frame, Frame::Lane { .. } | Frame::Fragment { .. }));
        for piece in pieces {
            if self.take_room_for_pieces(index, core::iter::once(piece)).is_err() {
                continue;
            }
            if let Err(violation) = self.take_frame(index, &piece) {
                return Err(self.count_violation(index, violation));
            }
            self.settle_memory(index);
        }
        Ok(())
    }

    /// Lets a session that is short of memory give back what it does not use.
    pub(super) fn give_back_spare(&mut self, index: u32) {
        if let Some(session) = self.table.get_mut(index) {
            session.content.give_back(Thrift::Spare);
        }
        self.settle_memory(index);
    }

    /// Ends the session that has had a grant for longest, if that is too long, and may help the one in slot `index`, which was refused one (rule 4).
    fn end_longest_grant(&mut self, index: u32, no_room: NoRoom) -> bool {
        let Some(&(_, holder)) = self.pool.grants.first().filter(|(_, holder)| *holder != index) else {
            return false;
        };
        let grant = self.table.get(holder).and_then(|session| session.account.grant);
        let is_over = grant.is_some_and(|grant| grant.until.ends_at(&self.clock) <= self.clock.now());
        let may_help =
            self.table.get(index).is_some_and(|session| self.pool.could_have_room(&session.account, no_room));
        if is_over && may_help {
            self.end(holder, DisconnectReason::MemoryHeld);
        }
        is_over && may_help
    }
}
