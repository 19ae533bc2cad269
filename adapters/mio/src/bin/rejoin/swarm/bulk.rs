//! Bulk that checks itself: one client asks for bytes that it knows, again and again, and compares what comes.

#[cfg(test)]
mod tests;

use std::time::Duration;

use rejoin::Timestamp;

use crate::arena_wire::BulkRequest;
use crate::bulk_content::write_message;

/// A request of which nothing has come for so long has stalled.
const STALLED_AFTER: Duration = Duration::from_secs(5);

/// What one client asks for, and what it got.
#[derive(Debug)]
pub(crate) struct Download {
    /// Bytes of each request; 0 asks for nothing.
    bytes: u64,
    seeds: fastrand::Rng,
    /// The request that is under way, and how much of it has come.
    under_way: Option<(BulkRequest, u64)>,
    has_ended: bool,
    first_asked_at: Option<Timestamp>,
    /// When something came or was asked for last.
    moved_at: Timestamp,
    /// Room for what ought to come.
    expected: Vec<u8>,
    tally: DownloadTally,
}

/// What came of the requests of one client, or of many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct DownloadTally {
    /// Requests of which every byte came.
    pub(crate) completed: u64,
    /// Right bytes in the right order.
    pub(crate) bytes: u64,
    /// Messages that were not the ones that had to come next, and requests that were refused.
    pub(crate) wrong: u64,
    /// From the first request to the last right byte.
    pub(crate) span: Option<(Timestamp, Timestamp)>,
}

impl Download {
    /// Asks for `bytes` at a time.
    pub(crate) fn new(bytes: u64, seed: u64) -> Self {
        Self {
            bytes,
            seeds: fastrand::Rng::with_seed(seed),
            under_way: None,
            has_ended: bytes == 0,
            first_asked_at: None,
            moved_at: Timestamp::ZERO,
            expected: Vec::new(),
            tally: DownloadTally::default(),
        }
    }

    /// The request to be sent now: one as soon as the last one is met. It counts as sent after [`handle_asked`](Self::handle_asked).
    pub(crate) fn due(&self) -> Option<BulkRequest> {
        let is_due = !self.has_ended && self.under_way.is_none();
        is_due.then(|| BulkRequest { seed: self.seeds.clone().u64(..), bytes: self.bytes })
    }

    /// The lane took the request.
    pub(crate) fn handle_asked(&mut self, now: Timestamp, request: BulkRequest) {
        self.seeds.u64(..);
        self.under_way = Some((request, 0));
        self.first_asked_at.get_or_insert(now);
        self.moved_at = now;
    }

    /// The server does not meet the request.
    pub(crate) fn handle_refused(&mut self) {
        self.tally.wrong += 1;
        self.give_up();
    }

    /// A message came on the bulk lane.
    pub(crate) fn handle(&mut self, now: Timestamp, message: &[u8]) {
        let Some((request, received)) = &mut self.under_way else {
            self.tally.wrong += 1;
            return;
        };
        write_message(request.seed, *received, request.bytes, &mut self.expected);
        if message != self.expected {
            self.tally.wrong += 1;
            self.give_up();
            return;
        }
        *received += message.len() as u64;
        if *received == request.bytes {
            self.tally.completed += 1;
            self.under_way = None;
        }
        self.moved_at = now;
        self.tally.bytes += message.len() as u64;
        self.tally.span = self.first_asked_at.map(|first| (first, now));
    }

    /// Asks for nothing more. What was asked for may still come.
    pub(crate) fn end(&mut self) {
        self.has_ended = true;
    }

    /// Whether something that was asked for has not come yet.
    pub(crate) fn is_under_way(&self) -> bool {
        self.under_way.is_some()
    }

    /// Whether something that was asked for has not come for a long time.
    pub(crate) fn is_stalled(&self, now: Timestamp) -> bool {
        self.is_under_way() && now.since(self.moved_at) >= STALLED_AFTER
    }

    pub(crate) fn tally(&self) -> DownloadTally {
        self.tally
    }

    /// After one wrong message nothing tells which would be the next right one.
    fn give_up(&mut self) {
        self.under_way = None;
        self.has_ended = true;
    }
}

impl DownloadTally {
    /// Adds what another client got.
    pub(crate) fn add(&mut self, other: Self) {
        self.completed += other.completed;
        self.bytes += other.bytes;
        self.wrong += other.wrong;
        self.span = match (self.span, other.span) {
            (Some((first, last)), Some((other_first, other_last))) => {
                Some((first.min(other_first), last.max(other_last)))
            }
            (own, other) => own.or(other),
        };
    }

    /// KiB per second over the whole span; `None` where nothing came.
    #[expect(clippy::cast_precision_loss, reason = "a rate that is read by people")]
    pub(crate) fn kib_per_s(&self) -> Option<f64> {
        let (first, last) = self.span?;
        let seconds = last.since(first).as_secs_f64();
        (seconds > 0.0).then(|| self.bytes as f64 / 1_024.0 / seconds)
    }
}
