//! Writes as much of the message layer as somebody needs who means to break it, written from `core/PROTOCOL.md`.

use crate::simulator::payload::kind;

/// The magic of a `hello`.
const MAGIC: [u8; 8] = *b"REJOIN\r\n";
/// The ranges of an acknowledgement at most.
const RANGES_MAX: usize = 32;

/// Writes frames, one after the other.
#[derive(Clone, Debug, Default)]
pub(super) struct Frames(Vec<u8>);

impl Frames {
    pub(super) fn byte(mut self, byte: u8) -> Self {
        self.0.push(byte);
        self
    }

    pub(super) fn varint(mut self, mut value: u64) -> Self {
        while value >= 0x80 {
            self.0.push(value.to_le_bytes()[0] | 0x80);
            value >>= 7;
        }
        self.0.push(value.to_le_bytes()[0]);
        self
    }

    pub(super) fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend(bytes);
        self
    }

    /// A byte string.
    pub(super) fn string(self, bytes: &[u8]) -> Self {
        self.varint(bytes.len() as u64).raw(bytes)
    }

    pub(super) fn hello(self, lane_epoch: u64) -> Self {
        self.hello_of(1, lane_epoch)
    }

    pub(super) fn hello_of(self, version: u64, lane_epoch: u64) -> Self {
        self.byte(kind::HELLO).raw(&MAGIC).varint(version).raw(&lane_epoch.to_le_bytes())
    }

    pub(super) fn heartbeat(self, stamp: u64) -> Self {
        self.byte(kind::HEARTBEAT).varint(stamp)
    }

    pub(super) fn login(self, attempt: u64, credential: &[u8]) -> Self {
        self.byte(kind::LOGIN).varint(attempt).string(credential)
    }

    /// An honest acknowledgement of these sequences, which are in descending order.
    pub(super) fn ack(self, received: impl Iterator<Item = u64>) -> Self {
        let mut ranges: Vec<(u64, u64)> = Vec::new();
        for sequence in received {
            match ranges.last_mut() {
                Some((smallest, _)) if *smallest == sequence + 1 => *smallest = sequence,
                _ => ranges.push((sequence, sequence)),
            }
        }
        let Some(&(mut smallest, largest)) = ranges.first() else { return self };
        let begun =
            self.byte(kind::ACK).varint(largest).varint(0).varint(ranges.len().min(RANGES_MAX) as u64 - 1);
        ranges.iter().take(RANGES_MAX).skip(1).fold(
            begun.varint(largest - smallest),
            |frames, (first, last)| {
                let gap = smallest - last - 2;
                smallest = *first;
                frames.varint(gap).varint(last - first)
            },
        )
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_acknowledgement_names_each_sequence_once() {
        let frames = Frames::default().ack([9, 8, 5, 1].into_iter()).into_bytes();
        // The largest, no delay, two further ranges; one below the largest; then 5 and 1.
        assert_eq!(frames, [kind::ACK, 9, 0, 2, 1, 1, 0, 2, 0]);
    }
}
