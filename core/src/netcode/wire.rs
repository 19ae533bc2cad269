//! Cursors over bytes: reading never goes past the end, writing appends.

/// Reads values one after the other; each read gives `None` once too few bytes are left.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) fn array<const N: usize>(&mut self) -> Option<&'a [u8; N]> {
        let (head, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(head)
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.array().map(|&[byte]| byte)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.array().copied().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().copied().map(u32::from_le_bytes)
    }

    pub(super) fn i32(&mut self) -> Option<i32> {
        self.array().copied().map(i32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.array().copied().map(u64::from_le_bytes)
    }
}

/// Appends values to a buffer that was zeroed and sized for them.
///
/// Running out of room is a mistake in this crate and panics, so it may only be used where the largest output
/// is known to fit, never for a length that came from outside.
pub(super) struct Writer<'a> {
    rest: &'a mut [u8],
}

impl<'a> Writer<'a> {
    /// Zeroes `bytes`, so that what is not written afterwards is padding, and starts at the front.
    pub(super) fn zeroed(bytes: &'a mut [u8]) -> Self {
        bytes.fill(0);
        Self { rest: bytes }
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        let (head, rest) = core::mem::take(&mut self.rest)
            .split_at_mut_checked(bytes.len())
            .expect("the buffer was sized for the largest value");
        head.copy_from_slice(bytes);
        self.rest = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_are_little_endian_and_stop_at_the_end() {
        let mut reader = Reader::new(&[1, 2, 3, 4, 5, 6, 7]);

        assert_eq!(reader.u16(), Some(0x0201));
        assert_eq!(reader.u32(), Some(0x0605_0403));
        assert_eq!(reader.u16(), None);
        assert_eq!(reader.u8(), Some(7));
        assert_eq!(reader.u8(), None);
    }

    #[test]
    fn what_is_not_written_is_zero() {
        let mut buffer = [0xff; 4];

        Writer::zeroed(&mut buffer).bytes(&[1, 2]);

        assert_eq!(buffer, [1, 2, 0, 0]);
    }
}
