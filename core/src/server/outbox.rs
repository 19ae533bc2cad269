//! What waits to leave the manager: events for the application and datagrams that belong to no living session.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::net::SocketAddr;

use crate::event::Event;
use crate::farewell::Farewell;
use crate::queue::ByteQueue;

use super::Transmit;

/// Events, answers to handshakes, and goodbyes.
///
/// Each queue has a bound and a rule. Lifecycle events are never dropped: a call emits at most a constant number per session, and a slot
/// is not used again before its last event was polled. Goodbyes are bounded in the same way. Everything else that does not fit is
/// refused to whoever pushes it.
#[derive(Debug)]
pub(super) struct Outbox {
    events: ByteQueue<Event>,
    events_bytes_max: usize,
    replies: ByteQueue<SocketAddr>,
    replies_bytes_max: usize,
    farewells: VecDeque<Farewell>,
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
    pub(super) fn new(events_bytes_max: usize, replies_bytes_max: usize) -> Self {
        Self {
            events: ByteQueue::default(),
            events_bytes_max,
            replies: ByteQueue::default(),
            replies_bytes_max,
            farewells: VecDeque::new(),
        }
    }

    /// Queues an event that must not be lost.
    pub(super) fn push_event(&mut self, event: Event, payload: &[u8]) {
        self.events.push(event, payload);
    }

    /// Whether events that come with `bytes` in all still fit. An empty queue has room for whatever one packet brings forth: otherwise
    /// it might never leave its sender.
    pub(super) fn has_room_for(&self, bytes: usize) -> bool {
        let queued_bytes = self.events.bytes_len() + self.events.len() * size_of::<Event>();
        self.events.is_empty() || queued_bytes.saturating_add(bytes) <= self.events_bytes_max
    }

    /// Queues an event that may be lost; `false` if it was, for want of room.
    pub(super) fn push_event_or_drop(&mut self, event: Event) -> bool {
        let fits = self.has_room_for(size_of::<Event>());
        if fits {
            self.push_event(event, &[]);
        }
        fits
    }

    /// Queues the answer to a handshake packet; `false` if there is no room.
    pub(super) fn push_reply(&mut self, to: SocketAddr, datagram: &[u8], whom: ReplyTo) -> bool {
        let bytes_max = match whom {
            ReplyTo::Newcomer => self.replies_bytes_max / 4 * 3,
            ReplyTo::Returner => self.replies_bytes_max,
        };
        let fits = self.replies.bytes_len().saturating_add(datagram.len()) <= bytes_max;
        if fits {
            self.replies.push(to, datagram);
        }
        fits
    }

    /// Queues the last packets of a connection. They are sealed as they leave.
    pub(super) fn push_farewell(&mut self, farewell: Farewell) {
        self.farewells.push_back(farewell);
    }

    pub(super) fn poll_event(&mut self, payload: &mut Vec<u8>) -> Option<Event> {
        self.events.pop(payload)
    }

    /// Writes the next answer or farewell packet into the front of `buffer`.
    pub(super) fn poll_transmit(&mut self, buffer: &mut [u8]) -> Option<Transmit> {
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
