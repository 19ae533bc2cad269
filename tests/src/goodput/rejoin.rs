//! The transfer on a lane of a session, from the server to the client.

use rejoin::client::ClientConfig;

use super::{MESSAGE_BYTES, QUEUE_BYTES, Transfer, Trial};
use crate::pipe::{Bulk, logged_in_path};
use crate::world::config;

/// The virtual time in which a transfer has to come to an end.
const LIMIT_MS: u64 = 600_000;

/// The transfer on an ordered lane.
#[must_use]
pub fn transfer_with_rejoin(trial: &Trial) -> Transfer {
    let mut config = config();
    config.lane_queue_bytes_max = QUEUE_BYTES as usize;
    let mut path = logged_in_path(config, ClientConfig::default(), trial.pipe, trial.pipe, trial.seed);
    let started_at = path.now;
    path.near.application.bulk = Some(Bulk::new(0, trial.messages, MESSAGE_BYTES));

    let bytes = trial.bytes();
    path.run_until("the transfer", LIMIT_MS, |path| path.far.application.inbox.bulk_bytes >= bytes);

    let inbox = &path.far.application.inbox;
    Transfer {
        bytes: inbox.bulk_bytes,
        micros: inbox.bulk_at.micros_since(started_at),
        packets: path.forth.counters(),
    }
}
