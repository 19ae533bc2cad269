//! What was refused to one session, and what happened to it lately.

use alloc::boxed::Box;

use crate::{MovementCounters, Timestamp};

use super::history::History;
use super::{HistoryEntry, Incident, MoveRefusal, Refusal};

/// The counters of one session, each of which stays at its highest number, and its history.
#[derive(Debug)]
pub(crate) struct Record {
    refused: [u32; Refusal::COUNT],
    history: History,
}

impl Record {
    /// An empty record with a history of so many entries.
    pub(crate) fn new(history_max: u8) -> Box<Self> {
        Box::new(Self { refused: [0; Refusal::COUNT], history: History::new(history_max) })
    }

    /// Notes a refusal.
    pub(crate) fn refuse(&mut self, at: Timestamp, refusal: Refusal) {
        self.count(refusal);
        self.history.note(at, Incident::Refused(refusal));
    }

    /// Counts a refusal that the history tells of already, in other words.
    pub(crate) fn count(&mut self, refusal: Refusal) {
        self.add(refusal, 1);
    }

    /// Notes what happened.
    pub(crate) fn note(&mut self, at: Timestamp, incident: Incident) {
        self.history.note(at, incident);
    }

    /// Takes over what was counted elsewhere, as the session ends.
    pub(crate) fn close(&mut self, moves: MovementCounters) {
        for refusal in MoveRefusal::ALL {
            self.add(refusal.into(), u32::try_from(moves.refused(refusal)).unwrap_or(u32::MAX));
        }
    }

    fn add(&mut self, refusal: Refusal, times: u32) {
        let count = &mut self.refused[refusal.place()];
        *count = count.saturating_add(times);
    }

    /// The memory it takes, its own place included.
    pub(crate) fn memory_bytes(&self) -> usize {
        size_of::<Self>() + self.history.memory_bytes()
    }

    /// The most memory it takes, its own place included.
    pub(crate) const fn memory_bytes_max(history_max: u8) -> usize {
        size_of::<Self>() + History::memory_bytes_max(history_max)
    }
}

/// A look at what was refused to one session, and at its history: over all its connections, from its beginning on.
///
/// It holds what its own peer, or the application, brought about: what opened under the session's keys or under a token of its own (of
/// which somebody who has seen it can show a copy), and sends to it. What only claims to be from its peer counts for the server alone.
#[derive(Clone, Copy, Debug)]
pub struct SessionRecord<'a> {
    /// `None` as long as there is nothing to tell.
    pub(crate) record: Option<&'a Record>,
    /// Of a session that goes on: its moves are counted with its movement.
    pub(crate) moves: MovementCounters,
}

impl<'a> SessionRecord<'a> {
    /// How often this was refused to the session, up to 4,294,967,295.
    #[must_use]
    pub fn refused(&self, refusal: impl Into<Refusal>) -> u64 {
        let refusal = refusal.into();
        let moves = match refusal {
            Refusal::Move(refusal) => self.moves.refused(refusal),
            _ => 0,
        };
        let noted = self.record.map_or(0, |record| record.refused[refusal.place()]);
        moves.saturating_add(noted.into())
    }

    /// Everything that was refused to the session, and how often; in the order of [`Refusal::all`].
    pub fn refusals(&self) -> impl Iterator<Item = (Refusal, u64)> {
        let counted = Refusal::all().map(|refusal| (refusal, self.refused(refusal)));
        counted.filter(|(_, times)| *times > 0)
    }

    /// The last transitions and refusals, the oldest first: as many as [`Config::session_history_max`](crate::Config) allows. Duplicates
    /// of move inputs are left out, and a payload that broke the protocol is one entry, which says how.
    pub fn history(&self) -> impl Iterator<Item = HistoryEntry> + use<'a> {
        self.record.into_iter().flat_map(|record| record.history.iter())
    }
}
