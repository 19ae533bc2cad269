//! What the arena owes each player in bulk.
//!
//! A debt is a few numbers: its content is made when the lane has room for it, so nobody can make the server hold memory by asking.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use rejoin::{SendError, SessionId};

use crate::arena_wire::BulkRequest;
use crate::bulk_content::write_message;

/// The longest piece that a player may ask for at once, in bytes.
const REQUEST_BYTES_MAX: u64 = 64 << 20;

/// All bulk requests that are not met yet.
#[derive(Debug, Default)]
pub(crate) struct BulkLedger {
    debts: BTreeMap<SessionId, Debt>,
    /// Room for one message, kept between calls.
    message: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
struct Debt {
    request: BulkRequest,
    /// Bytes that the lane has taken.
    queued: u64,
}

/// Why a player does not get what it asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BulkRefusal {
    /// It is nothing, or more than one may ask for at once.
    Size,
    /// The request before is not met yet.
    UnderWay,
}

impl BulkLedger {
    /// Takes a request, one at a time from each player.
    pub(crate) fn owe(&mut self, id: SessionId, request: BulkRequest) -> Result<(), BulkRefusal> {
        if request.bytes == 0 || request.bytes > REQUEST_BYTES_MAX {
            return Err(BulkRefusal::Size);
        }
        if self.debts.contains_key(&id) {
            return Err(BulkRefusal::UnderWay);
        }
        self.debts.insert(id, Debt { request, queued: 0 });
        Ok(())
    }

    /// Owes this player nothing any more.
    pub(crate) fn forget(&mut self, id: SessionId) {
        self.debts.remove(&id);
    }

    /// Sends everybody as much as the lanes have room for. A player to whom nothing can be sent for another reason loses the rest.
    pub(crate) fn pay(&mut self, mut send: impl FnMut(SessionId, &[u8]) -> Result<(), SendError>) {
        let message = &mut self.message;
        self.debts.retain(|&id, debt| {
            let BulkRequest { seed, bytes } = debt.request;
            while debt.queued < bytes {
                write_message(seed, debt.queued, bytes, message);
                match send(id, message) {
                    Ok(()) => debt.queued += message.len() as u64,
                    Err(SendError::Full { .. }) => return true,
                    Err(error) => {
                        log::debug!("session {id}: {error}");
                        return false;
                    }
                }
            }
            false
        });
    }
}
