//! What a player asks the arena for, and what the arena answers, on the control lane.
//!
//! | message | way | bytes |
//! |---|---|---|
//! | bulk request | to the server | 1, seed u64, bytes u64 |
//! | question after the figures | to the server | 2 |
//! | refusal of a bulk request | to the player | 1 |
//! | refusal of a text or status | to the player | 3, code u64: what `text` says of it |
//! | figures | to the player | 2, microseconds from 1970 UTC to tick 0 u64 (0 before the first tick), late inputs u64, duplicate inputs u64 |

/// What a player asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// Bytes on the bulk lane.
    Bulk(BulkRequest),
    /// Its [`Figures`].
    Figures,
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
    /// What the player said, in the chat or of itself, is not passed on, for the reason of this code.
    TextRefused(u64),
    /// How the player's inputs came, and when the simulation began.
    Figures(Figures),
}

/// What only the server knows for certain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Figures {
    /// When tick 0 was due by the server's wall clock, in microseconds since 1970 UTC: whoever has the same clock knows from it where the
    /// simulation is. `None` before its first tick.
    pub(crate) tick_zero_unix_micros: Option<u64>,
    /// Move inputs of the player that came after the server had simulated their tick.
    pub(crate) moves_late: u64,
    /// Move inputs of the player that came more than once.
    pub(crate) moves_duplicate: u64,
}

impl Request {
    pub(crate) fn to_bytes(self) -> Vec<u8> {
        match self {
            Self::Bulk(BulkRequest { seed, bytes }) => message(1, &[seed, bytes]),
            Self::Figures => message(2, &[]),
        }
    }

    /// The request; `None` if it is none.
    pub(crate) fn read(message: &[u8]) -> Option<Self> {
        match split(message)? {
            (1, &[seed, bytes]) => Some(Self::Bulk(BulkRequest {
                seed: u64::from_le_bytes(seed),
                bytes: u64::from_le_bytes(bytes),
            })),
            (2, &[]) => Some(Self::Figures),
            _ => None,
        }
    }
}

impl Answer {
    pub(crate) fn to_bytes(self) -> Vec<u8> {
        match self {
            Self::BulkRefused => message(1, &[]),
            Self::TextRefused(code) => message(3, &[code]),
            Self::Figures(Figures { tick_zero_unix_micros, moves_late, moves_duplicate }) => {
                message(2, &[tick_zero_unix_micros.unwrap_or(0), moves_late, moves_duplicate])
            }
        }
    }

    /// The answer; `None` if it is none.
    pub(crate) fn read(message: &[u8]) -> Option<Self> {
        match split(message)? {
            (1, &[]) => Some(Self::BulkRefused),
            (3, &[code]) => Some(Self::TextRefused(u64::from_le_bytes(code))),
            (2, &[tick_zero, late, duplicate]) => Some(Self::Figures(Figures {
                tick_zero_unix_micros: Some(u64::from_le_bytes(tick_zero)).filter(|&micros| micros > 0),
                moves_late: u64::from_le_bytes(late),
                moves_duplicate: u64::from_le_bytes(duplicate),
            })),
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
        let bulk = Request::Bulk(BulkRequest { seed: 0x0102, bytes: u64::MAX });
        assert_eq!(bulk.to_bytes()[..4], [1, 2, 1, 0]);
        for request in [bulk, Request::Figures] {
            assert_eq!(Request::read(&request.to_bytes()), Some(request));
        }
        let early = Figures { tick_zero_unix_micros: None, moves_late: 4, moves_duplicate: u64::MAX };
        let later = Figures { tick_zero_unix_micros: Some(3), ..early };
        let refusals = [Answer::BulkRefused, Answer::TextRefused(7)];
        for answer in refusals.into_iter().chain([Answer::Figures(early), Answer::Figures(later)]) {
            assert_eq!(Answer::read(&answer.to_bytes()), Some(answer));
        }
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
