//! What waits to leave the manager: events for the application and datagrams that belong to no living session.

use alloc::vec::Vec;
use core::net::SocketAddr;

use crate::event::Event;
use crate::queue::ByteQueue;

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
}

impl Outbox {
    pub(super) fn new(events_bytes_max: usize, replies_bytes_max: usize) -> Self {
        Self {
            events: ByteQueue::default(),
            events_bytes_max,
            replies: ByteQueue::default(),
            replies_bytes_max,
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
    pub(super) fn push_reply(&mut self, to: SocketAddr, datagram: &[u8]) -> bool {
        let fits = self.replies.bytes_len().saturating_add(datagram.len()) <= self.replies_bytes_max;
        if fits {
            self.replies.push(to, datagram);
        }
        fits
    }

    /// Queues the goodbye of a session that has ended.
    pub(super) fn push_goodbye(&mut self, to: SocketAddr, datagram: &[u8]) {
        self.replies.push(to, datagram);
    }

    pub(super) fn poll_event(&mut self, payload: &mut Vec<u8>) -> Option<Event> {
        self.events.pop(payload)
    }

    pub(super) fn poll_reply(&mut self, buffer: &mut [u8]) -> Option<(SocketAddr, usize)> {
        self.replies.pop_into(buffer)
    }

    pub(super) fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    pub(super) fn has_replies(&self) -> bool {
        !self.replies.is_empty()
    }
}
