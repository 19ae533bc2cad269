//! The player state that the application published last for one session.

use alloc::vec::Vec;

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
        self.bytes.extend_from_slice(bytes);
    }

    pub(super) fn get(&self) -> Option<(u64, &[u8])> {
        self.server_tick.map(|server_tick| (server_tick, self.bytes.as_slice()))
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }
}
