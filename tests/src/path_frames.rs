//! Path challenges and their answers in an opened payload, read by `core/PROTOCOL.md` alone (P40, P41).

const HELLO: u8 = 0x01;
/// How long a hello of the first version is.
const HELLO_BYTES: usize = 18;
const PATH_CHALLENGE: u8 = 0x0b;
const PATH_RESPONSE: u8 = 0x0c;

/// The value of a path challenge, which is a payload of its own.
#[must_use]
pub fn path_challenge(payload: &[u8]) -> Option<u64> {
    value_of(PATH_CHALLENGE, payload).filter(|(_, after)| after.is_empty()).map(|(value, _)| value)
}

/// The values that a payload of a client brings back: they stand at its front, or behind a hello.
#[must_use]
pub fn path_responses(payload: &[u8]) -> Vec<u64> {
    let is_hello = payload.first() == Some(&HELLO);
    let mut rest = payload.get(if is_hello { HELLO_BYTES } else { 0 }..).unwrap_or_default();
    let mut values = Vec::new();
    while let Some((value, after)) = value_of(PATH_RESPONSE, rest) {
        values.push(value);
        rest = after;
    }
    values
}

/// The value of the frame that stands first, if it is of this kind, and what comes behind it.
fn value_of(kind: u8, frames: &[u8]) -> Option<(u64, &[u8])> {
    let (first, rest) = frames.split_first()?;
    let (value, after) = rest.split_first_chunk()?;
    (*first == kind).then(|| (u64::from_le_bytes(*value), after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_are_found_alone_and_answers_ahead_of_all_else() {
        let frame = |kind, value: u64| [&[kind][..], &value.to_le_bytes()].concat();
        let hello = [&[HELLO][..], &[7; 17]].concat();
        assert_eq!(path_challenge(&frame(PATH_CHALLENGE, 5)), Some(5));
        assert_eq!(path_challenge(&frame(PATH_CHALLENGE, 5).repeat(2)), None);
        let both = [frame(PATH_RESPONSE, 5), frame(PATH_RESPONSE, 6), vec![4, 1]].concat();
        assert_eq!(path_responses(&both), [5, 6]);
        assert_eq!(path_responses(&[hello, both].concat()), [5, 6]);
        assert_eq!(path_responses(&[4, 1]), []);
    }
}
