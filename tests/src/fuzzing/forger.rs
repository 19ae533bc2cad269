//! A peer that has the keys of a connection and seals with them whatever it likes.

use arbitrary::{Arbitrary, Result, Unstructured};
use rejoin::fuzzing::{ConnectionKeys, Sender};

use super::change::Change;
use crate::world::Datagram;

const PAYLOAD_BYTES_MAX: usize = 1_200;

/// What it seals.
#[derive(Arbitrary, Debug)]
pub(super) enum Forgery {
    /// Any bytes as a payload.
    Payload {
        ahead: u8,
        #[arbitrary(with = payload)]
        bytes: Vec<u8>,
    },
    /// A payload of anybody that was on the wire before, in either direction, counted from the newest one back.
    Altered { back: u16, ahead: u8, change: Change },
    /// A packet of another kind, with any content.
    Other { ahead: u8, choice: u8, fill: u8 },
}

/// Bytes in one piece, so that a fuzzer can write frames.
fn payload(input: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let len = input.int_in_range(0..=PAYLOAD_BYTES_MAX)?.min(input.len());
    input.bytes(len).map(<[u8]>::to_vec)
}

/// The forger, and what it knows.
pub(super) struct Forger {
    sender: Sender,
    keys: ConnectionKeys,
    /// The connections of others: what they say may be said again.
    others: Vec<ConnectionKeys>,
    payloads: Vec<Vec<u8>>,
    next_sequence: u64,
    record_read: usize,
}

impl Forger {
    /// Somebody who seals as this end of a connection, and overhears others.
    pub(super) const fn new(sender: Sender, keys: ConnectionKeys, others: Vec<ConnectionKeys>) -> Self {
        Self { sender, keys, others, payloads: Vec::new(), next_sequence: 0, record_read: 0 }
    }

    /// Reads what was on the wire since the last call.
    pub(super) fn overhear(&mut self, record: &[Datagram]) {
        for datagram in record.iter().skip(self.record_read) {
            if let Some(opened) = self.keys.open(self.sender, &datagram.bytes) {
                self.next_sequence = self.next_sequence.max(opened.sequence.saturating_add(1));
            }
            let every = self.others.iter().chain([&self.keys]);
            let opened = every.flat_map(|keys| {
                [Sender::Client, Sender::Server].map(|sender| keys.open(sender, &datagram.bytes))
            });
            self.payloads.extend(opened.flatten().filter_map(|opened| opened.payload));
        }
        self.record_read = record.len();
    }

    /// The datagram; `None` if it cannot be sealed.
    pub(super) fn forge(&mut self, forgery: Forgery) -> Option<Vec<u8>> {
        match forgery {
            Forgery::Payload { ahead, bytes } => self.seal_payload(ahead, &bytes),
            Forgery::Altered { back, ahead, change } => {
                let count = self.payloads.len();
                let place = count.checked_sub(1 + usize::from(back) % count.max(1))?;
                let mut payload = self.payloads[place].clone();
                change.apply(&mut payload);
                self.seal_payload(ahead, &payload)
            }
            Forgery::Other { ahead, choice, fill } => {
                let sequence = self.draw_sequence(ahead);
                self.keys.seal_other(self.sender, sequence, choice, fill)
            }
        }
    }

    fn seal_payload(&mut self, ahead: u8, payload: &[u8]) -> Option<Vec<u8>> {
        let sequence = self.draw_sequence(ahead);
        self.keys.seal_payload(self.sender, sequence, payload)
    }

    /// Mostly the next one, which is no replay.
    fn draw_sequence(&mut self, ahead: u8) -> u64 {
        let sequence = match ahead {
            0..=223 => self.next_sequence.saturating_add((ahead / 32).into()),
            224..=253 => self.next_sequence.saturating_sub((ahead - 223).into()),
            254 => self.next_sequence.saturating_add(1 << 32),
            _ => u64::MAX,
        };
        if ahead < 224 {
            self.next_sequence = sequence.saturating_add(1);
        }
        sequence
    }
}
