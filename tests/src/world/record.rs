//! What became of a server, for a reference model to follow.

use rejoin::{Deadline, Event, Timestamp, Verdict};

use super::Datagram;
use crate::model::Command;

/// One thing that became of a server.
#[derive(Clone, Debug)]
pub enum Record {
    /// One without memory started.
    Started,
    /// Its host comes so many microseconds later than it was asked to.
    Late(u64),
    /// It read a datagram.
    Received(Datagram, Verdict),
    /// It sent a datagram that may be a path challenge.
    Sent(Datagram),
    /// Its host lets fire what is due.
    Fired,
    /// It was asked for something, and did it or refused.
    Commanded(Command, bool),
    /// It told its application something.
    Told(Event),
}

/// Everything that became of a server, with the time.
#[derive(Clone, Debug)]
pub struct ServerLog {
    records: Vec<(Timestamp, Record)>,
    /// When it was last called.
    called_at: Timestamp,
}

impl ServerLog {
    pub(super) const fn new(now: Timestamp) -> Self {
        Self { records: Vec::new(), called_at: now }
    }

    /// All records.
    #[must_use]
    pub fn records(&self) -> &[(Timestamp, Record)] {
        &self.records
    }

    pub(super) fn note(&mut self, now: Timestamp, record: Record) {
        self.records.push((now, record));
    }

    /// The server is about to be called, and had asked for that.
    pub(super) fn note_call(&mut self, now: Timestamp, asked: Option<Deadline>) {
        if now <= self.called_at {
            return;
        }
        let micros = asked.map_or(0, |asked| now.micros_since(asked.at.max(self.called_at)));
        self.called_at = now;
        if micros > 0 {
            self.note(now, Record::Late(micros));
        }
    }
}
