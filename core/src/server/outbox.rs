//! What waits to leave the manager: events for the application and datagrams that belong to no living session.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::net::SocketAddr;

use crate::Config;
use crate::event::Event;
use crate::farewell::Farewell;
use crate::link::frame::TEXT_BYTES_MAX;
use crate::link::lane::LaneWindow;
use crate::memory::{deque_bytes, doubling_bytes_max, reserve_vec, vec_bytes};
use crate::netcode::{PAYLOAD_BYTES_MAX, USER_DATA_BYTES};
use crate::queue::ByteQueue;

use super::Transmit;

/// Events, answers to handshakes, and goodbyes.
///
/// Each queue has a bound and a rule. Lifecycle events are never dropped: a call emits at most a constant number per session, and a slot
/// is not used again before its last event was polled. Of the goodbyes the oldest give way. Everything else that does not fit is
/// refused to whoever pushes it.
#[derive(Debug)]
pub(super) struct Outbox {
    events: ByteQueue<Event>,
    /// By slot: the bytes of its session's events, with the events themselves.
    event_bytes: Vec<usize>,
    replies: ByteQueue<SocketAddr>,
    farewells: VecDeque<Farewell>,
    /// Datagrams that left since a session had a turn.
    in_a_row: u32,
    limits: OutboxLimits,
}

/// The bounds of an [`Outbox`].
#[derive(Clone, Copy, Debug)]
pub(super) struct OutboxLimits {
    /// Bytes of events, with the events themselves, beyond which none is queued that may be refused.
    refused_above_bytes: usize,
    /// Events, with those that are never refused.
    events_max: usize,
    /// The bytes that belong to them.
    event_payload_bytes_max: usize,
    replies_bytes_max: usize,
    farewells_max: usize,
    slots_max: usize,
}

/// Events of one session that are never refused, before the host polls again: it opens, logs in, falls silent, moves, comes back,
/// ends. It does not move again before it was polled that it did.
const LIFECYCLE_EVENTS_MAX: usize = 9;
/// The bytes that belong to them: what its tokens say.
const LIFECYCLE_BYTES_MAX: usize = 2 * USER_DATA_BYTES;
/// The most events that the frames of one payload bring about by themselves: move inputs, of two bytes each.
const PAYLOAD_EVENTS_MAX: usize = PAYLOAD_BYTES_MAX / 2;
/// The shortest answer to a handshake packet: denied.
const REPLY_BYTES_MIN: usize = 25;
/// Answers and goodbyes that leave before a session has a turn.
const IN_A_ROW_MAX: u32 = 8;
/// Goodbyes that one session leaves: on its path, and where it waits on its way back.
const FAREWELLS_PER_SESSION: usize = 2;

impl OutboxLimits {
    /// As the settings say.
    pub(super) const fn of(config: &Config) -> Self {
        let sessions_max = config.slots_max();
        let lanes = config.ordered_lanes as usize;
        let window = LaneWindow::new(config.lane_window_bytes);
        // What one payload may set free beside its own content.
        let held_back_bytes = lanes * (config.message_bytes_max as usize + window.bytes());
        let one_payload_bytes = PAYLOAD_BYTES_MAX + held_back_bytes;
        let refused_above_bytes = config.event_queue_bytes_max;
        let payload_bytes =
            if one_payload_bytes > refused_above_bytes { one_payload_bytes } else { refused_above_bytes };
        Self {
            refused_above_bytes,
            events_max: refused_above_bytes / size_of::<Event>()
                + PAYLOAD_EVENTS_MAX
                + lanes * window.held_pieces_max()
                + sessions_max * LIFECYCLE_EVENTS_MAX,
            event_payload_bytes_max: payload_bytes + sessions_max * LIFECYCLE_BYTES_MAX,
            replies_bytes_max: config.reply_queue_bytes_max,
            farewells_max: sessions_max * FAREWELLS_PER_SESSION,
            slots_max: sessions_max,
        }
    }

    const fn replies_max(&self) -> usize {
        self.replies_bytes_max / REPLY_BYTES_MIN
    }

    /// The most memory that events take, without those of sessions' lifecycles.
    pub(super) const fn events_bytes_max(&self) -> usize {
        ByteQueue::<Event>::memory_bytes_max(self.events_max, self.event_payload_bytes_max)
            - self.lifecycle_bytes_max()
    }

    /// The most memory that answers to handshakes take.
    pub(super) const fn replies_bytes_max(&self) -> usize {
        ByteQueue::<SocketAddr>::memory_bytes_max(self.replies_max(), self.replies_bytes_max)
    }

    /// The most memory that the events of lifecycles and the goodbyes of all sessions take.
    pub(super) const fn per_session_bytes_max(&self) -> usize {
        self.lifecycle_bytes_max()
            + self.slots_max * size_of::<usize>()
            + doubling_bytes_max::<Farewell>(self.farewells_max)
            + self.farewells_max * TEXT_BYTES_MAX
    }

    const fn lifecycle_bytes_max(&self) -> usize {
        let sessions = self.farewells_max / FAREWELLS_PER_SESSION;
        ByteQueue::<Event>::memory_bytes_max(sessions * LIFECYCLE_EVENTS_MAX, sessions * LIFECYCLE_BYTES_MAX)
    }
}

/// Which part of the reply queue an answer may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReplyTo {
    /// Somebody with a token of the backend.
    Newcomer,
    /// Somebody on the way back to a session: a quarter of the queue is kept for them.
    Returner,
}

impl Outbox {
    pub(super) const fn new(limits: OutboxLimits) -> Self {
        Self {
            events: ByteQueue::new(limits.events_max, limits.event_payload_bytes_max),
            event_bytes: Vec::new(),
            replies: ByteQueue::new(limits.replies_max(), limits.replies_bytes_max),
            farewells: VecDeque::new(),
            in_a_row: 0,
            limits,
        }
    }

    /// The memory it takes.
    pub(super) fn memory_bytes(&self) -> usize {
        let details: usize = self.farewells.iter().map(Farewell::memory_bytes).sum();
        self.events.memory_bytes()
            + vec_bytes(&self.event_bytes)
            + self.replies.memory_bytes()
            + deque_bytes(&self.farewells)
            + details
    }

    /// Queues an event that must not be lost.
    pub(super) fn push_event(&mut self, event: Event, payload: &[u8]) {
        if let Some(bytes) = self.event_bytes_of(&event) {
            *bytes += cost_of(payload.len());
        }
        self.events.push(event, payload);
    }

    /// Whether events of the session in slot `index` that come with `bytes` in all still fit. An empty queue has room for whatever one
    /// packet brings forth: otherwise it might never leave its sender.
    ///
    /// The queue belongs to all sessions. What one of them has in it may be as much as what is free, and not more: one that fills it has
    /// half, two have a third each, and there is always as much room again for those who have nothing in it.
    pub(super) fn has_room_for(&self, index: u32, bytes: usize) -> bool {
        let queued_bytes = self.events.bytes_len() + self.events.len() * size_of::<Event>();
        let free_bytes = self.limits.refused_above_bytes.saturating_sub(queued_bytes);
        let own_bytes = self.event_bytes.get(index as usize).copied().unwrap_or(0);
        self.events.is_empty() || (bytes <= free_bytes && own_bytes <= free_bytes)
    }

    /// Queues an event that may be lost; `false` if it was, for want of room.
    pub(super) fn push_event_or_drop(&mut self, event: Event) -> bool {
        // What is about no session has the share of one that has nothing in the queue.
        let index = event.session().map_or(u32::MAX, |session| session.index);
        let fits = self.has_room_for(index, size_of::<Event>());
        if fits {
            self.push_event(event, &[]);
        }
        fits
    }

    /// What the session that an event is about has in the queue. A slot is not given to another one before the last event of its session
    /// was polled, so nobody inherits anything.
    fn event_bytes_of(&mut self, event: &Event) -> Option<&mut usize> {
        let slot = event.session()?.index as usize;
        if slot >= self.event_bytes.len() {
            let missing = slot + 1 - self.event_bytes.len();
            reserve_vec(&mut self.event_bytes, missing, self.limits.slots_max);
            self.event_bytes.resize(slot + 1, 0);
        }
        self.event_bytes.get_mut(slot)
    }

    /// Queues the answer to a handshake packet; `false` if there is no room.
    pub(super) fn push_reply(&mut self, to: SocketAddr, datagram: &[u8], whom: ReplyTo) -> bool {
        let bytes_max = match whom {
            ReplyTo::Newcomer => self.limits.replies_bytes_max / 4 * 3,
            ReplyTo::Returner => self.limits.replies_bytes_max,
        };
        let fits = self.replies.bytes_len().saturating_add(datagram.len()) <= bytes_max;
        if fits {
            self.replies.push(to, datagram);
        }
        fits
    }

    /// Queues the last packets of a connection. They are sealed as they leave. The oldest give way: most of their packets have left,
    /// or the host sends nothing. `false` if one did.
    pub(super) fn push_farewell(&mut self, farewell: Farewell) -> bool {
        let fits = self.farewells.len() < self.limits.farewells_max;
        if !fits {
            self.farewells.pop_front();
        }
        self.farewells.push_back(farewell);
        fits
    }

    pub(super) fn poll_event(&mut self, payload: &mut Vec<u8>) -> Option<Event> {
        let event = self.events.pop(payload)?;
        if let Some(bytes) = self.event_bytes_of(&event) {
            *bytes = bytes.saturating_sub(cost_of(payload.len()));
        }
        Some(event)
    }

    /// Whether its datagrams go ahead of those of sessions.
    pub(super) const fn is_ahead(&self) -> bool {
        self.in_a_row < IN_A_ROW_MAX
    }

    /// A session had its turn.
    pub(super) const fn give_turn(&mut self) {
        self.in_a_row = 0;
    }

    /// Writes the next answer or farewell packet into the front of `buffer`.
    pub(super) fn poll_transmit(&mut self, buffer: &mut [u8]) -> Option<Transmit> {
        let transmit = self.next_datagram(buffer);
        self.in_a_row = self.in_a_row.saturating_add(u32::from(transmit.is_some()));
        transmit
    }

    fn next_datagram(&mut self, buffer: &mut [u8]) -> Option<Transmit> {
        if let Some((to, len)) = self.replies.pop_into(buffer) {
            return Some(Transmit { to, len });
        }
        let farewell = self.farewells.front_mut()?;
        let transmit = farewell.poll_transmit(buffer);
        if farewell.is_over() {
            self.farewells.pop_front();
        }
        transmit
    }

    pub(super) fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    pub(super) fn has_datagrams(&self) -> bool {
        !self.replies.is_empty() || !self.farewells.is_empty()
    }
}

/// What an event with so many bytes takes of the queue.
const fn cost_of(payload_bytes: usize) -> usize {
    size_of::<Event>() + payload_bytes
}
