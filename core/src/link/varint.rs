//! Unsigned integers of one to ten bytes (P1).

/// The most bytes a varint takes.
pub(crate) const VARINT_BYTES_MAX: usize = 10;

/// The value bits of one byte.
const PAYLOAD_BITS: u32 = 7;
/// Set on every byte but the last.
const MORE: u8 = 0x80;

/// Why bytes are no varint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum VarintError {
    /// The bytes end before the varint does.
    Truncated,
    /// It is longer than its value needs, or its value needs more than 64 bits.
    Malformed,
}

/// Reads the varint at the start of `bytes`; returns its value and how many bytes it takes.
pub(crate) fn read_varint(bytes: &[u8]) -> Result<(u64, usize), VarintError> {
    let mut value = 0_u64;
    let mut shift = 0;
    for (index, &byte) in bytes.iter().take(VARINT_BYTES_MAX).enumerate() {
        let bits = u64::from(byte & !MORE);
        let shifted = bits << shift;
        if shifted >> shift != bits {
            return Err(VarintError::Malformed);
        }
        value |= shifted;
        if byte & MORE == 0 {
            let is_shortest = byte != 0 || index == 0;
            return if is_shortest { Ok((value, index + 1)) } else { Err(VarintError::Malformed) };
        }
        shift += PAYLOAD_BITS;
    }
    Err(if bytes.len() < VARINT_BYTES_MAX { VarintError::Truncated } else { VarintError::Malformed })
}

/// Writes `value` in its shortest form; returns the buffer and how many of its bytes are used.
pub(crate) fn write_varint(mut value: u64) -> ([u8; VARINT_BYTES_MAX], usize) {
    let mut bytes = [0; VARINT_BYTES_MAX];
    let mut len = 0;
    for byte in &mut bytes {
        len += 1;
        // The mask leaves seven bits.
        *byte = (value & 0x7F) as u8;
        value >>= PAYLOAD_BITS;
        if value == 0 {
            break;
        }
        *byte |= MORE;
    }
    (bytes, len)
}

/// How many bytes `value` takes as a varint.
pub(crate) const fn varint_len(value: u64) -> usize {
    let bits = u64::BITS - (value | 1).leading_zeros();
    bits.div_ceil(PAYLOAD_BITS) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edges() -> impl Iterator<Item = u64> {
        (0..64).flat_map(|bit| [(1 << bit) - 1, 1 << bit, (1 << bit) + 1]).chain([u64::MAX])
    }

    #[test]
    fn every_power_of_two_and_its_neighbours_survive_the_round_trip() {
        for value in edges() {
            let (bytes, len) = write_varint(value);
            assert_eq!(read_varint(&bytes[..len]), Ok((value, len)), "{value}");
            assert_eq!(varint_len(value), len, "{value}");
        }
    }

    #[test]
    fn known_values_have_the_bytes_of_the_specification() {
        for (value, expected) in [
            (0, &[0x00][..]),
            (127, &[0x7F]),
            (128, &[0x80, 0x01]),
            (300, &[0xAC, 0x02]),
            (u64::MAX, &[0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01]),
        ] {
            let (bytes, len) = write_varint(value);
            assert_eq!(&bytes[..len], expected);
        }
    }

    #[test]
    fn a_varint_cut_short_at_any_byte_is_truncated() {
        for value in edges() {
            let (bytes, len) = write_varint(value);
            for cut in 0..len {
                assert_eq!(read_varint(&bytes[..cut]), Err(VarintError::Truncated), "{value} at {cut}");
            }
        }
    }

    #[test]
    fn a_form_longer_than_the_shortest_is_malformed() {
        for value in edges() {
            let (mut bytes, len) = write_varint(value);
            for padded in len + 1..=VARINT_BYTES_MAX {
                bytes[len - 1] |= MORE;
                bytes[len..padded].fill(MORE);
                bytes[padded - 1] = 0;
                assert_eq!(read_varint(&bytes[..padded]), Err(VarintError::Malformed), "{value}");
            }
        }
    }

    #[test]
    fn a_value_of_more_than_64_bits_is_malformed() {
        let mut bytes = [0xFF; VARINT_BYTES_MAX];
        bytes[9] = 0x02;
        assert_eq!(read_varint(&bytes), Err(VarintError::Malformed));
        assert_eq!(read_varint(&[0xFF; 11]), Err(VarintError::Malformed));
        bytes[9] = 0x81;
        assert_eq!(read_varint(&bytes), Err(VarintError::Malformed), "ten bytes that go on");
    }
}
