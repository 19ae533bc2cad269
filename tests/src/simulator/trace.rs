//! One number for everything that happened.

use std::fmt::{self, Write};

use super::step::{Datagram, Happening, Step};

/// The hash of a trace (FNV-1a over words of eight bytes), the same in every build and on every machine.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trace(u64);

const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0100_0000_01b3;

impl Trace {
    pub(super) const fn new() -> Self {
        Self(OFFSET)
    }

    /// Everything that a step shows.
    pub(super) fn note(&mut self, step: &Step) {
        self.word(step.at.as_micros());
        for happening in &step.happenings {
            match happening {
                Happening::Sent { by, datagram } => self.datagram(format_args!("sent {by:?}"), datagram),
                Happening::Received { by, datagram, reading } => {
                    self.datagram(format_args!("received {by:?} {reading:?}"), datagram);
                }
                Happening::ServerTold { event, payload } => {
                    self.text(format_args!("{event:?}"));
                    self.bytes(payload);
                }
                Happening::PlayerTold { process, event, payload } => {
                    self.text(format_args!("{process} {event:?}"));
                    self.bytes(payload);
                }
                // Bytes are not for formatting: that would take most of a run.
                Happening::ServerQueued { session, channel, message } => {
                    self.text(format_args!("{session} {channel:?}"));
                    self.bytes(message);
                }
                Happening::PlayerQueued { process, channel, message } => {
                    self.text(format_args!("{process} {channel:?}"));
                    self.bytes(message);
                }
                other => self.text(format_args!("{other:?}")),
            }
        }
    }

    pub(super) const fn hash(self) -> u64 {
        self.0
    }

    fn datagram(&mut self, what: fmt::Arguments<'_>, datagram: &Datagram) {
        self.text(what);
        self.text(format_args!("{} {}", datagram.from, datagram.to));
        self.bytes(&datagram.bytes);
    }

    fn text(&mut self, text: fmt::Arguments<'_>) {
        // Proof: writing to this never fails.
        self.write_fmt(text).expect("a hash takes everything");
        self.word(u64::MAX);
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.word(bytes.len() as u64);
        let mut chunks = bytes.chunks_exact(8);
        for chunk in &mut chunks {
            self.word(chunk.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)));
        }
        self.word(chunks.remainder().iter().fold(0, |word, byte| word << 8 | u64::from(*byte)));
    }

    const fn word(&mut self, word: u64) {
        // A rotation, since a product alone carries nothing down from the high bits.
        self.0 = (self.0 ^ word).wrapping_mul(PRIME).rotate_left(23);
    }
}

impl Write for Trace {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.bytes(text.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_byte_anywhere_changes_the_number() {
        let hash = |bytes: &[u8]| {
            let mut trace = Trace::new();
            trace.bytes(bytes);
            trace.hash()
        };
        let bytes = [7; 50];
        for place in 0..50 {
            for bit in 0..8 {
                let mut other = bytes;
                other[place] ^= 1 << bit;
                assert_ne!(hash(&bytes), hash(&other), "{place} {bit}");
            }
        }
        assert_ne!(hash(&[0; 8]), hash(&[0; 9]));
    }
}
