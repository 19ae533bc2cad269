//! Raw payloads: the application's own bytes, one message a packet.

use super::error::ClientSendError;
use crate::Timestamp;
use crate::netcode::PAYLOAD_BYTES_MAX;
use crate::netcode::packet::Packet;
use crate::queue::ByteQueue;

use super::path::Path;

/// What waits to be sent. When it is full the oldest payload gives way.
#[derive(Debug)]
pub(super) struct RawContent {
    payloads: ByteQueue<()>,
    queue_bytes_max: usize,
    keep_alive_ms: u64,
    dropped: u64,
}

impl RawContent {
    pub(super) fn new(queue_bytes_max: usize, keep_alive_ms: u32) -> Self {
        Self {
            payloads: ByteQueue::default(),
            queue_bytes_max,
            keep_alive_ms: keep_alive_ms.into(),
            dropped: 0,
        }
    }

    /// Queues a payload of 1 to 1,200 bytes.
    pub(super) fn queue(&mut self, payload: &[u8]) -> Result<(), ClientSendError> {
        if payload.is_empty() || payload.len() > PAYLOAD_BYTES_MAX {
            return Err(ClientSendError::Size);
        }
        while self.payloads.bytes_len() + payload.len() > self.queue_bytes_max {
            let mut discarded = [0; PAYLOAD_BYTES_MAX];
            if self.payloads.pop_into(&mut discarded).is_none() {
                break;
            }
            self.dropped += 1;
        }
        self.payloads.push((), payload);
        Ok(())
    }

    /// How many payloads gave way.
    pub(super) const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Whether a payload waits.
    pub(super) fn has_payload(&self) -> bool {
        !self.payloads.is_empty()
    }

    /// When a keep-alive is due, if nothing else is sent before.
    pub(super) fn keep_alive_due(&self, path: &Path) -> Timestamp {
        path.last_sent.plus_millis(self.keep_alive_ms)
    }

    /// Seals the next payload, or the keep-alive that is due; 0 if nothing is to be sent.
    pub(super) fn poll_packet(&mut self, now: Timestamp, path: &mut Path, buffer: &mut [u8]) -> usize {
        let len = if self.has_payload() {
            let payloads = &mut self.payloads;
            path.connection.seal_payload(buffer, |_, room| payloads.pop_into(room).map_or(0, |((), len)| len))
        } else if now >= self.keep_alive_due(path) {
            // The server assigns both numbers; a client has none to tell.
            path.connection.seal(&Packet::KeepAlive { client_index: 0, max_clients: 0 }, buffer)
        } else {
            0
        };
        if len > 0 {
            path.last_sent = now;
        }
        len
    }
}
