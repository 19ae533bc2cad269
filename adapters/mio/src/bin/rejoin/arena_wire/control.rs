//! What a player asks the arena for, and what the arena answers, on the control lane.
//!
//! | message | way | bytes |
//! |---|---|---|
//! | bulk request | to the server | 1, seed u64, bytes u64 |
//! | refusal of a bulk request | to the player | 1 |

/// What a player asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// Bytes on the bulk lane.
    Bulk(BulkRequest),
}

/// A player wants the first `bytes` bytes of the content that `seed` stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BulkRequest {
    pub(crate) seed: u64,
    pub(crate) bytes: u64,
}

/// What the arena answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Nothing comes for the last bulk request.
    BulkRefused,
}

impl Request {
    pub(crate) fn to_bytes(self) -> Vec<u8> {
        match self {
            Self::Bulk(BulkRequest { seed, bytes }) => message(1, &[seed, bytes]),
        }
    }

    /// The request; `None` if it is none.
    pub(crate) fn read(message: &[u8]) -> Option<Self> {
        match split(message)? {
            (1, &[seed, bytes]) => Some(Self::Bulk(BulkRequest {
                seed: u64::from_le_bytes(seed),
                bytes: u64::from_le_bytes(bytes),
            })),
            _ => None,
        }
    }
}

impl Answer {
    pub(crate) fn to_bytes(self) -> Vec<u8> {
        match self {
            Self::BulkRefused => message(1, &[]),
        }
    }

    /// The answer; `None` if it is none.
    pub(crate) fn read(message: &[u8]) -> Option<Self> {
        match split(message)? {
            (1, &[]) => Some(Self::BulkRefused),
            _ => None,
        }
    }
}

fn message(kind: u8, integers: &[u64]) -> Vec<u8> {
    let mut message = vec![kind];
    message.extend(integers.iter().flat_map(|integer| integer.to_le_bytes()));
    message
}

/// What a message is, and the bytes of its integers.
fn split(message: &[u8]) -> Option<(u8, &[[u8; 8]])> {
    let (&kind, rest) = message.split_first()?;
    let (integers, rest) = rest.as_chunks();
    rest.is_empty().then_some((kind, integers))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_and_answers_are_read_as_they_were_written() {
        let request = Request::Bulk(BulkRequest { seed: 0x0102, bytes: u64::MAX });
        assert_eq!(request.to_bytes()[..4], [1, 2, 1, 0]);
        assert_eq!(Request::read(&request.to_bytes()), Some(request));
        assert_eq!(Answer::read(&Answer::BulkRefused.to_bytes()), Some(Answer::BulkRefused));
    }

    #[test]
    fn a_message_of_another_kind_or_length_is_none() {
        let request = Request::Bulk(BulkRequest { seed: 1, bytes: 2 }).to_bytes();
        let longer = [&request[..], &[0]].concat();
        for wrong in [&[][..], &[0], &[255], &[1], &request[..16], &longer] {
            assert_eq!(Request::read(wrong), None, "{wrong:?}");
        }
        for wrong in [&[][..], &[0], &[1, 0], &request] {
            assert_eq!(Answer::read(wrong), None, "{wrong:?}");
        }
    }
}
