//! What a session's payloads carry: the application's own bytes, or the frames of `PROTOCOL.md`.

use alloc::boxed::Box;

use crate::counters::DropReason;
use crate::event::Continuity;
use crate::link::frame::MESSAGE_BYTES_MAX;
use crate::memory::{Room, Thrift};
use crate::netcode::PAYLOAD_BYTES_MAX;
use crate::queue::ByteQueue;
use crate::{Config, Payloads, Timestamp, Violation};

use super::framed::Framed;

/// The inside of the connection. It survives the connection.
#[derive(Debug)]
pub(super) enum Content {
    Raw(RawContent),
    Framed(Box<Framed>),
}

/// Payloads as they are, for foreign clients.
#[derive(Debug)]
pub(super) struct RawContent {
    queue: ByteQueue<()>,
    queue_bytes_max: usize,
    queue_payloads_max: usize,
    /// Payloads given up: because the queue was full, the oldest first, or because the connection was replaced.
    dropped: u64,
}

impl RawContent {
    pub(super) const fn new(queue_bytes_max: usize, queue_payloads_max: usize) -> Self {
        let queue = ByteQueue::new(queue_payloads_max, queue_bytes_max);
        Self { queue, queue_bytes_max, queue_payloads_max, dropped: 0 }
    }

    /// Queues a payload; the oldest make room for it, within the queue's bounds and the memory there is. One that finds no memory in an empty queue is
    /// dropped.
    pub(super) fn push(&mut self, payload: &[u8], room: &mut Room) {
        loop {
            let is_admitted = self.queue.len() < self.queue_payloads_max
                && self.queue.bytes_len() + payload.len() <= self.queue_bytes_max;
            let is_empty = self.queue.is_empty();
            if (is_admitted || is_empty) && self.queue.make_room(payload.len(), room) {
                return self.queue.push((), payload);
            }
            self.queue.drop_front();
            self.dropped += 1;
            if is_empty {
                return;
            }
        }
    }

    /// Gives up all payloads that wait.
    fn clear(&mut self) {
        self.dropped += self.queue.len() as u64;
        self.queue.clear();
    }

    /// Writes the next payload into the front of `body` and returns its length; 0 if there is none.
    pub(super) fn write(&mut self, body: &mut [u8]) -> usize {
        self.queue.pop_into(body).map_or(0, |((), len)| len)
    }

    /// Payloads that were given up.
    pub(super) const fn dropped(&self) -> u64 {
        self.dropped
    }
}

impl Content {
    pub(super) fn new(config: &Config, now: Timestamp) -> Self {
        match config.payloads {
            Payloads::Raw => {
                let limits = config.link_limits();
                Self::Raw(RawContent::new(
                    limits.datagram_queue_bytes_max,
                    limits.datagram_queue_messages_max,
                ))
            }
            Payloads::Framed => Self::Framed(Box::new(Framed::new(config, now))),
        }
    }

    /// Whether a packet may be written now.
    pub(super) fn has_output(&self, now: Timestamp, last_sent: Timestamp, heartbeat_micros: u64) -> bool {
        match self {
            Self::Raw(raw) => !raw.queue.is_empty() || last_sent.plus_micros(heartbeat_micros) <= now,
            Self::Framed(framed) => framed.link.has_output(now),
        }
    }

    /// When something has to be done without any input.
    pub(super) fn next_deadline(&self, last_sent: Timestamp, heartbeat_micros: u64) -> Timestamp {
        match self {
            Self::Raw(_) => last_sent.plus_micros(heartbeat_micros),
            Self::Framed(framed) => framed.link.poll_timeout().unwrap_or(Timestamp::NEVER),
        }
    }

    /// Whether both ends know that the keys are in use. Never where payloads are raw.
    pub(super) fn is_epoch_open(&self) -> bool {
        match self {
            Self::Raw(_) => false,
            Self::Framed(framed) => framed.is_greeted() && !framed.link.is_in_preface(),
        }
    }

    /// Whether payloads are framed.
    pub(super) const fn is_framed(&self) -> bool {
        matches!(self, Self::Framed(_))
    }

    /// Bytes that one more payload may bring forth beside its own: what waits for a missing message.
    pub(super) fn held_back_bytes(&self) -> usize {
        match self {
            Self::Raw(_) => 0,
            Self::Framed(framed) => framed.link.held_back_bytes(),
        }
    }

    /// How its peer broke the protocol last.
    pub(super) fn last_violation(&self) -> Option<Violation> {
        match self {
            Self::Raw(_) => None,
            Self::Framed(framed) => framed.last_violation,
        }
    }

    /// The memory it takes beyond its own place.
    pub(super) fn memory_bytes(&self) -> usize {
        match self {
            Self::Raw(raw) => raw.queue.memory_bytes(),
            Self::Framed(framed) => size_of::<Framed>() + framed.link.memory_bytes(),
        }
    }

    /// The most memory that the content of a session takes with these settings.
    pub(super) const fn memory_bytes_max(config: &Config) -> usize {
        let limits = config.link_limits();
        match config.payloads {
            Payloads::Raw => ByteQueue::<()>::memory_bytes_max(
                limits.datagram_queue_messages_max,
                limits.datagram_queue_bytes_max,
            ),
            Payloads::Framed => size_of::<Framed>() + limits.memory_bytes_max(),
        }
    }

    /// The memory that the content of a session may always take beyond its own place with these settings.
    pub(super) const fn fixed_bytes(config: &Config) -> usize {
        match config.payloads {
            Payloads::Raw => 0,
            Payloads::Framed => size_of::<Framed>() + config.link_limits().fixed_bytes(),
        }
    }

    /// What is charged for it beyond what is fixed.
    pub(super) fn charged_bytes(&self) -> usize {
        match self {
            Self::Raw(raw) => raw.queue.memory_bytes(),
            Self::Framed(framed) => framed.link.charged_bytes(),
        }
    }

    /// Whether it has memory of the pool for a message that goes on.
    pub(super) fn has_grant(&self) -> bool {
        match self {
            Self::Raw(_) => false,
            Self::Framed(framed) => framed.link.has_grant(),
        }
    }

    /// Gives back memory that it does not use.
    pub(super) fn give_back(&mut self, thrift: Thrift) {
        match self {
            Self::Raw(raw) => raw.queue.give_back(thrift),
            Self::Framed(framed) => framed.link.give_back(thrift),
        }
    }

    /// Notes, and says, whether there is memory for what has to be remembered of one packet more.
    pub(super) fn note_room_to_send(&mut self, room: &mut Room) -> bool {
        match self {
            Self::Raw(_) => true,
            Self::Framed(framed) => framed.link.note_room_to_send(room),
        }
    }

    /// The longest unreliable message.
    pub(super) const fn datagram_bytes_max(&self) -> usize {
        match self {
            Self::Raw(_) => PAYLOAD_BYTES_MAX,
            Self::Framed(_) => MESSAGE_BYTES_MAX,
        }
    }

    /// Whether a first packet under new keys may confirm them, and the lane epoch it names.
    ///
    /// Where payloads are raw, any keep-alive or payload may. Where they are framed it has to begin with a hello (P20, P22).
    pub(super) fn confirmation(&self, payload: Option<&[u8]>) -> Result<Option<u64>, DropReason> {
        match self {
            Self::Raw(_) => Ok(None),
            Self::Framed(framed) => {
                let payload = payload.ok_or(DropReason::BeforeHello)?;
                let checked = framed.link.check(payload).map_err(|_| DropReason::BadHello)?;
                Framed::hello_of(&checked).map(|hello| Some(hello.lane_epoch))
            }
        }
    }

    /// What a peer with this lane epoch can go on with.
    pub(super) fn continuity_with(&self, lane_epoch: Option<u64>) -> Continuity {
        match self {
            Self::Framed(framed) if framed.lane_epoch == lane_epoch => Continuity::Kept,
            Self::Raw(_) | Self::Framed(_) => Continuity::Restarted,
        }
    }

    /// The keys are new, and what belonged to the old ones is void.
    pub(super) fn connection_replaced(&mut self, now: Timestamp, continuity: Continuity) {
        match self {
            Self::Raw(raw) => raw.clear(),
            Self::Framed(framed) => framed.connection_replaced(now, continuity),
        }
    }
}
