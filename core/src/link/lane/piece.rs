//! What a message is cut into.

/// What one frame carries of a message: all of it, or the run of bytes after the piece with the number before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece<'a> {
    /// 1 to [`PIECE_BYTES_MAX`](crate::link::frame::PIECE_BYTES_MAX) bytes.
    pub(crate) bytes: &'a [u8],
    /// Whether the message goes on in the piece with the next number (P54).
    pub(crate) continues: bool,
}

impl<'a> Piece<'a> {
    /// A message of one piece, or the last one of a longer message.
    pub(crate) const fn last(bytes: &'a [u8]) -> Self {
        Self { bytes, continues: false }
    }

    /// A piece of a message that goes on.
    pub(crate) const fn continued(bytes: &'a [u8]) -> Self {
        Self { bytes, continues: true }
    }
}
