//! Changes to bytes that were on the wire.

use arbitrary::Arbitrary;

/// What somebody does to bytes that were recorded.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub(super) enum Change {
    Nothing,
    Flip { position: u16, mask: u8 },
    Truncate { len: u16 },
    Extend { by: u8 },
}

impl Change {
    pub(super) fn apply(self, bytes: &mut Vec<u8>) {
        match self {
            Self::Nothing => {}
            Self::Flip { position, mask } => {
                let position = usize::from(position) % bytes.len().max(1);
                if let Some(byte) = bytes.get_mut(position) {
                    *byte ^= mask;
                }
            }
            Self::Truncate { len } => bytes.truncate(len.into()),
            Self::Extend { by } => bytes.extend(std::iter::repeat_n(0, by.into())),
        }
    }
}
