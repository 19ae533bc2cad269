//! Bytes that both ends can make from a seed, so that the one who gets them can tell whether they are the right ones.

/// Bytes of one message on the bulk lane; only the last one of a request is shorter.
pub(crate) const MESSAGE_BYTES: usize = 8_192;

/// Writes the message that begins `offset` bytes into the first `bytes` bytes of the content with this seed. It is empty at their end.
///
/// Any message can be made without those before it.
pub(crate) fn write_message(seed: u64, offset: u64, bytes: u64, message: &mut Vec<u8>) {
    const WORD_BYTES: u64 = 8;
    debug_assert!(offset.is_multiple_of(WORD_BYTES), "messages are cut between words");
    let len =
        usize::try_from(bytes.saturating_sub(offset)).map_or(MESSAGE_BYTES, |len| len.min(MESSAGE_BYTES));
    message.clear();
    let words = (offset / WORD_BYTES..).map(|index| word(seed, index).to_le_bytes());
    message.extend(words.flatten().take(len));
}

/// One word of the content: its place and the seed, mixed until neither shows.
fn word(seed: u64, index: u64) -> u64 {
    let mut word = seed ^ index.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    for _ in 0..2 {
        word = (word ^ word >> 32).wrapping_mul(0xD6E8_FEB8_6659_FD93);
    }
    word ^ word >> 32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(seed: u64, offset: u64, bytes: u64) -> Vec<u8> {
        let mut message = vec![1, 2, 3];
        write_message(seed, offset, bytes, &mut message);
        message
    }

    #[test]
    fn messages_are_of_full_length_but_for_the_last() {
        let bytes = 2 * MESSAGE_BYTES as u64 + 5;
        let lens = [0, 1, 2].map(|number| message(7, number * MESSAGE_BYTES as u64, bytes).len());
        assert_eq!(lens, [MESSAGE_BYTES, MESSAGE_BYTES, 5]);
        assert!(message(7, 0, 0).is_empty());
    }

    #[test]
    fn a_message_depends_on_seed_and_offset_and_not_on_the_length_of_all() {
        let first = message(7, 0, 1 << 20);
        assert_eq!(first, message(7, 0, 1 << 16));
        assert_ne!(first, message(8, 0, 1 << 20));
        assert_ne!(first, message(7, MESSAGE_BYTES as u64, 1 << 20));
    }

    #[test]
    fn no_word_of_a_message_is_like_another() {
        let message = message(0, 0, MESSAGE_BYTES as u64);
        let (words, _) = message.as_chunks::<8>();
        let different: std::collections::BTreeSet<_> = words.iter().collect();
        assert_eq!(different.len(), words.len());
    }
}
