//! The player state that the application published last for one session.

use alloc::vec::Vec;

use crate::link::frame::MESSAGE_BYTES_MAX;
use crate::memory::{reserve_vec, vec_bytes};

/// Latest-wins: only the newest state is worth sending.
#[derive(Debug, Default)]
pub(super) struct PublishedState {
    server_tick: Option<u64>,
    bytes: Vec<u8>,
}

impl PublishedState {
    pub(super) fn replace(&mut self, server_tick: u64, bytes: &[u8]) {
        self.server_tick = Some(server_tick);
        self.bytes.clear();
        reserve_vec(&mut self.bytes, bytes.len(), MESSAGE_BYTES_MAX);
        self.bytes.extend_from_slice(bytes);
    }

    pub(super) fn get(&self) -> Option<(u64, &[u8])> {
        self.server_tick.map(|server_tick| (server_tick, self.bytes.as_slice()))
    }

    /// The memory it takes beyond its own place: that of the longest state so far.
    pub(super) const fn memory_bytes(&self) -> usize {
        vec_bytes(&self.bytes)
    }

    /// The most memory it takes beyond its own place.
    pub(super) const fn memory_bytes_max() -> usize {
        MESSAGE_BYTES_MAX
    }
}
