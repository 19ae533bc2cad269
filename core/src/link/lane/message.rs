//! A message that is to be sent, and where its bytes lie.

use alloc::sync::Arc;

/// The bytes of a message.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Message<'a> {
    /// They are the caller's: a lane keeps a copy.
    Borrowed(&'a [u8]),
    /// They lie in a buffer that a lane keeps as it is, as many others may.
    Shared(&'a Arc<[u8]>),
}

impl Message<'_> {
    /// The bytes, wherever they lie.
    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Self::Borrowed(bytes) => bytes,
            Self::Shared(bytes) => bytes,
        }
    }
}
