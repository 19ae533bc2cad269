//! What the application tells the manager to do.

use core::fmt;
use core::net::SocketAddr;

use alloc::boxed::Box;

use smallvec::SmallVec;

use crate::ledger::{AttemptEnd, LoginRefusal};
use crate::lifecycle::{self, DisconnectReason, Input, Step};
use crate::link::frame::{TEXT_BYTES_MAX, VALUE_BYTES_MAX};
use crate::link::lane::{LaneSendError, Message};
use crate::link::latest::LatestSendError;
use crate::memory::Room;
use crate::{ClientId, Prefix, SessionId, Timestamp};

use super::MultiSessionManager;
use super::content::Content;
use super::framed::Framed;
use super::session::{RESUME_HANDSHAKES_MAX, Rejection, Session};

/// No session has this handle, any more or ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownSession;

/// Why a login cannot be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginError {
    /// No session has this handle, any more or ever.
    UnknownSession,
    /// The session does not wait for an answer: its state is not `LoginPending`.
    NotPending,
}

/// Why an identity or a prefix cannot be banned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BanError {
    /// As many identities are banned as `Config::bans_max` allows, or as many prefixes as `Config::prefix_bans_max` does.
    Full,
}

/// Why something cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError {
    /// No session has this handle, any more or ever.
    UnknownSession,
    /// The player has not logged in.
    NotLoggedIn,
    /// The message is longer than its kind allows, or empty where it may not be: latest-wins values and states may.
    Size {
        /// Its length in bytes.
        bytes: usize,
        /// The most it may have.
        max: usize,
    },
    /// There is no such lane: `Config::ordered_lanes` says how many there are.
    NoSuchLane,
    /// There is no such key: `Config::latest_keys` says how many there are.
    NoSuchKey,
    /// The lane's queue is full, or the values that are not acknowledged leave no room.
    Full {
        /// How many bytes of what it keeps, a lane the oldest first, the peer has to acknowledge before there is room.
        bytes_to_acknowledge: usize,
    },
    /// Payloads are raw, and this needs frames.
    RawPayloads,
    /// It would take more memory than the session may: its quota is used up, and the pool has no more for it (`Config::pool_bytes_max`), or it has as much as
    /// one session may (`Config::session_cap_bytes`). There is room when the peer acknowledges what waits for it, or when others need less of the pool.
    NoMemory,
}

impl MultiSessionManager {
    /// Lets the player of a pending login in.
    pub fn accept_login(&mut self, now: Timestamp, id: SessionId) -> Result<(), LoginError> {
        self.enter(now);
        let index = self.table.resolve(id).ok_or(LoginError::UnknownSession)?;
        if self.apply(index, Input::LoginAccepted) == Step::Refused {
            return Err(LoginError::NotPending);
        }
        self.touch(index);
        Ok(())
    }

    /// Turns a pending login down. The peer learns `code` and `text` (of which 255 bytes travel) and may try again while it has attempts.
    pub fn reject_login(
        &mut self,
        now: Timestamp,
        id: SessionId,
        code: u32,
        text: &str,
    ) -> Result<(), LoginError> {
        self.enter(now);
        let index = self.table.resolve(id).ok_or(LoginError::UnknownSession)?;
        let session = self.table.get_mut(index).ok_or(LoginError::UnknownSession)?;
        let attempts_left = self.config.login_attempts_max.saturating_sub(session.login.attempts_made);
        let input = Input::LoginRejected { code, attempts_left };
        if lifecycle::step(session.state.get(), input, self.policy) == Step::Refused {
            return Err(LoginError::NotPending);
        }
        let text = &text[..text.floor_char_boundary(TEXT_BYTES_MAX)];
        session.login.rejection = Some(Box::new(Rejection { code, attempts_left, text: text.into() }));
        let refusal = if attempts_left > 0 { LoginRefusal::Rejected } else { LoginRefusal::AttemptsUsedUp };
        self.refuse_of(index, refusal);
        self.apply(index, input);
        self.tell_rejection(index);
        self.touch(index);
        Ok(())
    }

    /// Ends a session and tells its peer: `code` is the host's own, and up to 255 bytes of `detail` travel with it.
    pub fn disconnect(
        &mut self,
        now: Timestamp,
        id: SessionId,
        code: u32,
        detail: &[u8],
    ) -> Result<(), UnknownSession> {
        self.enter(now);
        let index = self.table.resolve(id).ok_or(UnknownSession)?;
        if let Some(session) = self.table.get_mut(index) {
            session.farewell_detail = detail.get(..TEXT_BYTES_MAX).unwrap_or(detail).into();
        }
        self.end(index, DisconnectReason::Disconnected(code));
        Ok(())
    }

    /// Ends a session without telling its peer.
    pub fn remove(&mut self, now: Timestamp, id: SessionId) -> Result<(), UnknownSession> {
        self.enter(now);
        let index = self.table.resolve(id).ok_or(UnknownSession)?;
        self.end(index, DisconnectReason::Removed);
        Ok(())
    }

    /// Keeps an identity out for a while: its session ends, and its tokens are denied until `until`. The peer is told as by
    /// [`disconnect`](Self::disconnect).
    pub fn ban(&mut self, now: Timestamp, client_id: ClientId, until: Timestamp) -> Result<(), BanError> {
        self.enter(now);
        if !self.bans.clients.insert(client_id, self.clock.now(), until) {
            return Err(BanError::Full);
        }
        if let Some(index) = self.directory.client(client_id) {
            self.end(index, DisconnectReason::Banned);
        }
        Ok(())
    }

    /// Ends a ban early, if there is one.
    pub fn lift_ban(&mut self, client_id: ClientId) {
        self.bans.clients.remove(&client_id);
    }

    /// Keeps all addresses of a prefix out for a while. Sessions whose path, in use or lost, lies there end, and their peers are told
    /// as by [`disconnect`](Self::disconnect); those who are on their way back from there to a session elsewhere do not arrive. Until
    /// `until` whoever asks to come in from there gets no answer, which costs next to nothing, and can be used against nobody else.
    ///
    /// It looks at every session. A player who changes to such an address keeps its session, and does not get back to it from there.
    pub fn ban_prefix(&mut self, now: Timestamp, prefix: Prefix, until: Timestamp) -> Result<(), BanError> {
        self.enter(now);
        if !self.bans.prefixes.insert(prefix, self.clock.now(), until) {
            return Err(BanError::Full);
        }
        for index in 0..self.table.index_end() {
            self.leave_prefix(index, &prefix);
        }
        Ok(())
    }

    /// Ends the ban of exactly this prefix early, if there is one. Others that hold some of its addresses go on.
    pub fn lift_prefix_ban(&mut self, prefix: Prefix) {
        self.bans.prefixes.remove(&prefix);
    }

    /// Ends a session whose path lies in a prefix, or what leads to it from there.
    fn leave_prefix(&mut self, index: u32, prefix: &Prefix) {
        let Some(session) = self.table.get(index) else { return };
        if prefix.contains(session.connection.address().ip()) {
            self.end(index, DisconnectReason::Banned);
            return;
        }
        let handshakes = session.resume_handshakes.iter().map(|handshake| handshake.address);
        let leaving: SmallVec<[SocketAddr; RESUME_HANDSHAKES_MAX]> =
            handshakes.filter(|address| prefix.contains(address.ip())).collect();
        let has_attempt_there = session
            .attempt
            .as_ref()
            .is_some_and(|attempt| prefix.contains(attempt.connection.address().ip()));
        for address in leaving {
            self.forget_resume_handshake(index, address);
        }
        if has_attempt_there {
            self.abandon_attempt(index, AttemptEnd::PrefixBanned);
        }
    }

    /// Queues a reliable message of 1 to `Config::message_bytes_max` bytes on a lane. It arrives once, whole, and in the order of its
    /// lane, however often the player loses the network in between; while the player is away it waits. No lane waits for another. On
    /// [`UNORDERED_LANE`](crate::UNORDERED_LANE) messages of up to 1,150 bytes arrive once each, without any order.
    pub fn send(&mut self, now: Timestamp, id: SessionId, lane: u8, message: &[u8]) -> Result<(), SendError> {
        self.enter(now);
        let sent =
            self.logged_in(id).and_then(|index| self.queue_message(index, lane, Message::Borrowed(message)));
        self.note_send(id, sent)
    }

    /// Queues an unreliable message of 1 to 1,150 bytes, or a payload of 1 to 1,200 where payloads are raw. If the queue is full, or there is no memory for
    /// more, the oldest ones are dropped.
    pub fn send_datagram(&mut self, now: Timestamp, id: SessionId, message: &[u8]) -> Result<(), SendError> {
        self.enter(now);
        let sent = self.logged_in(id).and_then(|index| self.queue_datagram(index, message));
        self.note_send(id, sent)
    }

    /// Gives a key a new value of 0 to 1,150 bytes. Of each key only the newest value counts: it replaces the one before, is sent again after
    /// loss while it is the newest, and arrives in the end; the player gets each value at most once, and never an older one after a newer
    /// one. While the player is away the newest value of each key waits. When the lanes begin afresh
    /// ([`Continuity::Restarted`](crate::Continuity::Restarted)) values that have not arrived are gone.
    pub fn send_latest(
        &mut self,
        now: Timestamp,
        id: SessionId,
        key: u16,
        value: &[u8],
    ) -> Result<(), SendError> {
        self.enter(now);
        let sent = self.logged_in(id).and_then(|index| self.set_latest(index, key, value));
        self.note_send(id, sent)
    }

    /// Publishes the state of the game around one player, of 0 to `Config::state_bytes_max` bytes. Only the latest counts; it arrives with
    /// the highest move tick accepted from that player. Server ticks must ascend: the player drops a state whose tick is not above those
    /// of all before it (P45).
    pub fn publish_state(
        &mut self,
        now: Timestamp,
        id: SessionId,
        server_tick: u64,
        state: &[u8],
    ) -> Result<(), SendError> {
        self.enter(now);
        let sent = self.logged_in(id).and_then(|index| self.set_state(index, server_tick, state));
        self.note_send(id, sent)
    }

    fn set_latest(&mut self, index: u32, key: u16, value: &[u8]) -> Result<(), SendError> {
        self.with_room(index, |framed, room| framed.link.make_room_for_value(key, value, room))?;
        let session = self.table.get_mut(index).ok_or(SendError::UnknownSession)?;
        let Content::Framed(framed) = &mut session.content else { return Err(SendError::RawPayloads) };
        framed.link.set_latest(key, value).map_err(|error| match error {
            LatestSendError::NoSuchKey => SendError::NoSuchKey,
            LatestSendError::Full { bytes_to_acknowledge } => SendError::Full { bytes_to_acknowledge },
            LatestSendError::Size => SendError::Size { bytes: value.len(), max: VALUE_BYTES_MAX },
        })
    }

    fn set_state(&mut self, index: u32, server_tick: u64, state: &[u8]) -> Result<(), SendError> {
        let max = self.config.state_bytes_max;
        if state.len() > max {
            return Err(SendError::Size { bytes: state.len(), max });
        }
        let session = self.table.get_mut(index).ok_or(SendError::UnknownSession)?;
        let Content::Framed(framed) = &mut session.content else { return Err(SendError::RawPayloads) };
        if let Some(movement) = &mut session.movement {
            movement.publish(server_tick, state);
            framed.link.mark_state_pending();
        }
        Ok(())
    }

    fn logged_in(&self, id: SessionId) -> Result<u32, SendError> {
        let index = self.table.resolve(id).ok_or(SendError::UnknownSession)?;
        let logged_in = self.table.get(index).is_some_and(Session::is_logged_in);
        if logged_in { Ok(index) } else { Err(SendError::NotLoggedIn) }
    }

    pub(super) fn queue_message(
        &mut self,
        index: u32,
        lane: u8,
        message: Message<'_>,
    ) -> Result<(), SendError> {
        self.with_room(index, |framed, room| framed.link.make_room_for_message(lane, message, room))?;
        let session = self.table.get_mut(index).ok_or(SendError::UnknownSession)?;
        let Content::Framed(framed) = &mut session.content else { return Err(SendError::RawPayloads) };
        let max = framed.link.message_bytes_max(lane);
        framed.link.queue_message_of(lane, message).map(|_| ()).map_err(|error| match error {
            LaneSendError::NoSuchLane => SendError::NoSuchLane,
            LaneSendError::Full { bytes_to_acknowledge } => SendError::Full { bytes_to_acknowledge },
            LaneSendError::Size => SendError::Size { bytes: message.bytes().len(), max },
        })
    }

    pub(super) fn queue_datagram(&mut self, index: u32, message: &[u8]) -> Result<(), SendError> {
        let session = self.table.get_mut(index).ok_or(SendError::UnknownSession)?;
        let max = session.content.datagram_bytes_max();
        if message.is_empty() || message.len() > max {
            return Err(SendError::Size { bytes: message.len(), max });
        }
        session.account.unsettle();
        let mut room = self.pool.room(&session.account);
        match &mut session.content {
            Content::Raw(raw) => {
                raw.push(message, &mut room);
                Ok(())
            }
            Content::Framed(framed) => {
                if !framed.link.make_room_for_datagram(message.len(), &mut room) {
                    return Ok(());
                }
                framed.link.queue_datagram(message).map_err(|_| SendError::Size { bytes: message.len(), max })
            }
        }
    }

    /// Makes room for what is to be queued to a session; an error if even what it gives back does not suffice.
    fn with_room(
        &mut self,
        index: u32,
        make_room: impl Fn(&mut Framed, &mut Room) -> bool,
    ) -> Result<(), SendError> {
        let has_room = |manager: &mut Self| {
            let session = manager.table.get_mut(index).ok_or(SendError::UnknownSession)?;
            session.account.unsettle();
            let mut room = manager.pool.room(&session.account);
            match &mut session.content {
                Content::Framed(framed) => Ok(make_room(framed, &mut room)),
                Content::Raw(_) => Err(SendError::RawPayloads),
            }
        };
        if has_room(self)? {
            return Ok(());
        }
        self.give_back_spare(index);
        if has_room(self)? { Ok(()) } else { Err(SendError::NoMemory) }
    }
}

impl fmt::Display for UnknownSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no session has this handle")
    }
}

impl core::error::Error for UnknownSession {}

impl fmt::Display for BanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("too many identities or prefixes are banned already"),
        }
    }
}

impl core::error::Error for BanError {}

impl fmt::Display for LoginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownSession => UnknownSession.fmt(f),
            Self::NotPending => f.write_str("the session does not wait for the answer to a login"),
        }
    }
}

impl core::error::Error for LoginError {}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownSession => UnknownSession.fmt(f),
            Self::NotLoggedIn => f.write_str("the player has not logged in"),
            Self::Size { bytes, max } => {
                write!(f, "a message of {bytes} bytes is empty or longer than {max}")
            }
            Self::NoSuchLane => f.write_str("there is no such lane"),
            Self::NoSuchKey => f.write_str("there is no such key"),
            Self::Full { bytes_to_acknowledge } => {
                write!(f, "the queue is full until the peer acknowledges {bytes_to_acknowledge} bytes")
            }
            Self::RawPayloads => f.write_str("raw payloads carry datagrams only"),
            Self::NoMemory => f.write_str("the session has as much memory as it may"),
        }
    }
}

impl core::error::Error for SendError {}
