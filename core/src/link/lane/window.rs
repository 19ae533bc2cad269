//! How far a lane's sender may be ahead of its receiver.

/// The most pieces of the smaller windows (P51).
const PIECES_MIN: u64 = 256;
/// A larger one has a piece for so many of its bytes (P51).
const BYTES_PER_PIECE: u64 = 1_024;

/// The window of every lane of a session (P51).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LaneWindow {
    bytes: u32,
}

impl LaneWindow {
    /// The fewest bytes of a window: enough for many packets.
    pub(crate) const BYTES_MIN: u32 = 16_384;
    /// The most bytes of one.
    pub(crate) const BYTES_MAX: u32 = 1_048_576;
    /// The pieces of the largest.
    pub(crate) const PIECES_MAX: u64 = Self::new(Self::BYTES_MAX).pieces();

    /// A window of so many bytes, [`BYTES_MIN`](Self::BYTES_MIN) to [`BYTES_MAX`](Self::BYTES_MAX).
    pub(crate) const fn new(bytes: u32) -> Self {
        Self { bytes }
    }

    /// The most bytes from the oldest unacknowledged piece to the newest sent one, and the most that a receiver holds back.
    pub(crate) const fn bytes(self) -> usize {
        self.bytes as usize
    }

    /// The most pieces from the oldest unacknowledged one to the newest sent one.
    pub(crate) const fn pieces(self) -> u64 {
        let pieces = self.bytes as u64 / BYTES_PER_PIECE;
        if pieces > PIECES_MIN { pieces } else { PIECES_MIN }
    }

    /// The most pieces that a receiver holds back: the one whose turn it is does not wait.
    #[expect(clippy::cast_possible_truncation, reason = "at most 1,023")]
    pub(crate) const fn held_pieces_max(self) -> usize {
        self.pieces() as usize - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p51_a_window_has_256_pieces_or_one_for_each_1024_bytes() {
        let pieces =
            [16_384, 131_072, 262_144, 300_000, 1_048_576].map(|bytes| LaneWindow::new(bytes).pieces());
        assert_eq!(pieces, [256, 256, 256, 292, 1_024]);
    }
}
