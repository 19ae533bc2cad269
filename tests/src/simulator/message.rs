//! What applications say: each message differs from every other, and most say whose they are.

use rejoin::SessionId;

use super::step::ProcessId;

/// The first byte of a player's message that says whose it is, and of the server's messages. No other message begins so.
const PLAYER_MARK: u8 = 0xa5;
const SERVER_MARK: u8 = 0x5a;
/// Bytes until the end of the number in a player's message, and in one of the server's.
const PLAYER_HEAD_BYTES: usize = 9;
const SERVER_HEAD_BYTES: usize = 17;
/// Where the server's messages name a session: everybody.
const EVERYBODY: u64 = u64::MAX;

/// The message of a player's process with this number, of about `len` bytes; one that `is_tagged` is long enough to say whose it is.
/// Others are told apart only by their place in a lane with order.
pub(super) fn from_player(process: ProcessId, number: u32, len: usize, is_tagged: bool) -> Vec<u8> {
    let mut message = Vec::with_capacity(len);
    if is_tagged || len >= PLAYER_HEAD_BYTES {
        message.push(PLAYER_MARK);
        message.extend(process.0.to_le_bytes());
        message.extend(number.to_le_bytes());
    }
    fill(&mut message, number, len);
    message
}

/// The message of the server with this number, of about `len` bytes; to everybody, where there is no session.
pub(super) fn from_server(start: u32, session: Option<SessionId>, number: u32, len: usize) -> Vec<u8> {
    let mut message = Vec::with_capacity(len.max(SERVER_HEAD_BYTES));
    message.push(SERVER_MARK);
    message.extend(start.to_le_bytes());
    message.extend(session.map_or(EVERYBODY, SessionId::to_bits).to_le_bytes());
    message.extend(number.to_le_bytes());
    fill(&mut message, number, len);
    message
}

/// The process whose message this is, if it says so.
pub(super) fn process_of(message: &[u8]) -> Option<ProcessId> {
    let rest = message.strip_prefix(&[PLAYER_MARK])?;
    rest.first_chunk().map(|process| ProcessId(u32::from_le_bytes(*process)))
}

/// The start of the server that made this message.
pub(super) fn start_of(message: &[u8]) -> Option<u32> {
    let rest = message.strip_prefix(&[SERVER_MARK])?;
    rest.first_chunk().map(|start| u32::from_le_bytes(*start))
}

/// Whether a message of the server is meant for this session.
pub(super) fn is_for(message: &[u8], session: SessionId) -> bool {
    let named = message.get(5..).and_then(<[u8]>::first_chunk).map(|bits| u64::from_le_bytes(*bits));
    named == Some(EVERYBODY) || named == Some(session.to_bits())
}

/// Fills a message up to its length, so that bytes in the wrong place show.
fn fill(message: &mut Vec<u8>, number: u32, len: usize) {
    let mut next = number.wrapping_mul(31).to_le_bytes()[0] & 0x3f;
    while message.len() < len {
        message.push(next);
        next = (next + 1) & 0x3f;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SESSION: SessionId = SessionId { index: 3, generation: 7 };
    const OTHER: SessionId = SessionId { index: 3, generation: 8 };

    #[test]
    fn a_message_says_whose_it_is_and_differs_from_the_next() {
        let message = from_player(ProcessId(70_000), 1, 40, false);
        assert_eq!(message.len(), 40);
        assert_eq!(process_of(&message), Some(ProcessId(70_000)));
        assert_ne!(message, from_player(ProcessId(70_000), 2, 40, false));
        assert_eq!(process_of(&from_player(ProcessId(5), 1, 3, false)), None);
        assert_eq!(process_of(&from_player(ProcessId(5), 1, 3, true)), Some(ProcessId(5)));
    }

    #[test]
    fn a_message_of_the_server_names_its_start_and_for_whom_it_is() {
        let message = from_server(9, Some(SESSION), 1, 5);
        assert_eq!(start_of(&message), Some(9));
        assert!(is_for(&message, SESSION) && !is_for(&message, OTHER));
        assert!(is_for(&from_server(9, None, 1, 5), OTHER));
        assert_eq!(process_of(&message), None);
    }
}
