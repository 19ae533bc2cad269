//! Messages to many players at once.

use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::link::lane::{Message, SHARED_BYTES_MIN};
use crate::{Payloads, SessionId, Timestamp};

use super::commands::SendError;
use super::manager::MultiSessionManager;

/// What became of a broadcast.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Broadcast {
    /// For how many players the message was queued.
    pub queued: usize,
    /// For whom it was not, and why.
    pub refused: Vec<(SessionId, SendError)>,
}

impl MultiSessionManager {
    /// Queues a reliable message to every player who is logged in, also those who are away.
    ///
    /// A message of 64 bytes or more is kept once, however many players it waits for; in the bound of each player's queue it counts in
    /// full, as if it had been [sent](Self::send) to that player alone.
    pub fn broadcast(&mut self, now: Timestamp, lane: u8, message: &[u8]) -> Broadcast {
        self.broadcast_to_all_but(now, None, lane, message)
    }

    /// As [`broadcast`](Self::broadcast), to everybody but one: what a player did is no news to that player. Where `except` has ended,
    /// it goes to everybody.
    pub fn broadcast_except(
        &mut self,
        now: Timestamp,
        except: SessionId,
        lane: u8,
        message: &[u8],
    ) -> Broadcast {
        self.broadcast_to_all_but(now, Some(except), lane, message)
    }

    /// Queues an unreliable message to every player who is logged in, each as by [`send_datagram`](Self::send_datagram).
    pub fn broadcast_datagram(&mut self, now: Timestamp, message: &[u8]) -> Broadcast {
        self.for_all_but(now, None, |manager, index| manager.queue_datagram(index, message))
    }

    /// As [`broadcast_datagram`](Self::broadcast_datagram), to everybody but one.
    pub fn broadcast_datagram_except(
        &mut self,
        now: Timestamp,
        except: SessionId,
        message: &[u8],
    ) -> Broadcast {
        self.for_all_but(now, Some(except), |manager, index| manager.queue_datagram(index, message))
    }

    fn broadcast_to_all_but(
        &mut self,
        now: Timestamp,
        except: Option<SessionId>,
        lane: u8,
        message: &[u8],
    ) -> Broadcast {
        // What no lane would take is not worth a buffer.
        let limits = self.config.link_limits();
        let is_shared = message.len() >= SHARED_BYTES_MIN
            && message.len() <= limits.queueable_bytes_max(lane)
            && self.config.payloads == Payloads::Framed
            && self.table.live() > 0;
        let shared: Option<Arc<[u8]>> = is_shared.then(|| message.into());
        let message = shared.as_ref().map_or(Message::Borrowed(message), Message::Shared);
        self.for_all_but(now, except, |manager, index| manager.queue_message(index, lane, message))
    }

    fn for_all_but(
        &mut self,
        now: Timestamp,
        except: Option<SessionId>,
        queue: impl Fn(&mut Self, u32) -> Result<(), SendError>,
    ) -> Broadcast {
        self.enter(now);
        let mut broadcast = Broadcast::default();
        for index in 0..self.table.index_end() {
            let Some(session) = self.table.get(index).filter(|session| session.is_logged_in()) else {
                continue;
            };
            let id = session.id;
            if except == Some(id) {
                continue;
            }
            let sent = queue(self, index);
            match self.note_send_of(index, sent) {
                Ok(()) => broadcast.queued += 1,
                Err(error) => broadcast.refused.push((id, error)),
            }
        }
        broadcast
    }
}
