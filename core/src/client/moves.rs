//! Move inputs on their way to the server: each packet repeats the newest ones (P46).

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::config::ClientConfig;
use super::error::ClientSendError;
use super::redundancy::MoveRedundancy;
use crate::link::LinkStatistics;
use crate::link::frame::{FrameWriter, MESSAGE_BYTES_MAX};
use crate::link::source::Written;

/// The newest move inputs, as many as may be repeated, oldest first.
#[derive(Debug)]
pub(super) struct OutgoingMoves {
    inputs: VecDeque<(u64, Vec<u8>)>,
    inputs_max: usize,
    redundancy: MoveRedundancy,
    newest_tick: Option<u64>,
    /// The highest tick the server is known to have accepted.
    acknowledged: Option<u64>,
}

impl OutgoingMoves {
    pub(super) fn new(config: &ClientConfig) -> Self {
        Self {
            inputs: VecDeque::new(),
            inputs_max: config.move_redundancy_max.into(),
            redundancy: MoveRedundancy::new(config.move_redundancy_min, config.move_redundancy_max),
            newest_tick: None,
            acknowledged: None,
        }
    }

    /// Fits the redundancy to what the link has lost.
    pub(super) fn observe(&mut self, totals: &LinkStatistics) {
        self.redundancy.observe(totals);
    }

    /// How many packets carry each input.
    pub(super) fn redundancy(&self) -> u8 {
        self.redundancy.packets_per_input()
    }

    /// Takes an input of at most 1,150 bytes; its tick must be above all before it, in this process or as the server knows them.
    pub(super) fn push(&mut self, tick: u64, input: &[u8]) -> Result<(), ClientSendError> {
        if input.len() > MESSAGE_BYTES_MAX {
            return Err(ClientSendError::Size);
        }
        if self.newest_tick.max(self.acknowledged).is_some_and(|newest| tick <= newest) {
            return Err(ClientSendError::StaleTick);
        }
        self.newest_tick = Some(tick);
        let mut buffer = Vec::new();
        if self.inputs.len() >= self.inputs_max
            && let Some((_, oldest)) = self.inputs.pop_front()
        {
            buffer = oldest;
        }
        buffer.clear();
        buffer.extend_from_slice(input);
        self.inputs.push_back((tick, buffer));
        Ok(())
    }

    /// The server has accepted moves up to `tick`: they are not repeated.
    pub(super) fn on_acknowledged(&mut self, tick: u64) {
        self.acknowledged = self.acknowledged.max(Some(tick));
    }

    /// The highest tick the server is known to have accepted.
    pub(super) const fn acknowledged(&self) -> Option<u64> {
        self.acknowledged
    }

    /// Writes what the server may not have yet, of the newest inputs.
    pub(super) fn write(&self, writer: &mut FrameWriter<'_>) -> Written {
        let newest = self.inputs.iter().rev().take(self.redundancy().into());
        let pending = newest.take_while(|(tick, _)| self.acknowledged < Some(*tick));
        let mut pending = pending.map(|(tick, input)| (*tick, input.as_slice())).peekable();
        if pending.peek().is_none() {
            return Written::Nothing;
        }
        if writer.write_moves(pending) > 0 { Written::Done(()) } else { Written::NoRoom }
    }
}
