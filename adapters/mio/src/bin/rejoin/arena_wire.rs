//! What arena and players say to each other, byte by byte. Integers are little-endian.
//!
//! | message | travels as | bytes |
//! |---|---|---|
//! | name | the credential of the login | 1 to 24 characters, in at most 32 bytes of UTF-8; `text` says which |
//! | controls | move input | turn i8 (−127 full right to 127 full left), throttle u8 |
//! | chat text | lane 1, to the server | 1 to 256 bytes of UTF-8, as `text` says |
//! | chat line | lane 1, to everybody | length of the name u8, name, text |
//! | status | latest-wins value, key 0, to the server | at most 64 bytes of UTF-8, as `text` says |
//! | status line | latest-wins value to everybody, key: index of the player's session, below 256 | as a chat line; empty for nobody |
//! | surroundings | state | count u8, then per player: number u32, x u16, y u16, heading u8, speed u8; the receiver first |
//! | request, answer | lane 0 | see `control` |
//! | bulk | lane 2, to the player | the next 8,192 bytes of what was asked for; the last message is shorter |

mod control;

pub(crate) use self::control::{Answer, BulkRequest, Figures, Request};

use crate::text::{TextError, check_talk};

/// The side of the square in units; its `u16` coordinates on the wire divide it into 65,535 parts.
pub(crate) const SIDE: f32 = 1_000.0;

/// The longest chat text in bytes, and in characters.
const CHAT_BYTES_MAX: usize = 256;
const CHAT_CHARS_MAX: usize = 200;

/// The reliable lane of requests and answers.
pub(crate) const CONTROL_LANE: u8 = 0;

/// The reliable lane that chat goes by. It has it to itself, so that nothing but chat makes chat wait.
pub(crate) const CHAT_LANE: u8 = 1;

/// The reliable lane that bulk goes by.
pub(crate) const BULK_LANE: u8 = 2;

/// The key under which a player tells the server its status.
pub(crate) const OWN_STATUS_KEY: u16 = 0;

/// Keys for the statuses of players: those whose session has a lower index are shown.
pub(crate) const STATUS_KEYS: u16 = 256;

/// The longest status in bytes, and in characters.
const STATUS_BYTES_MAX: usize = 64;
const STATUS_CHARS_MAX: usize = 48;

/// Bytes of a state before its first player.
pub(crate) const STATE_HEAD_BYTES: usize = 1;

/// What a player's controls are set to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Controls {
    /// −127 full right to 127 full left.
    pub(crate) turn: i8,
    /// 0 stand to 255 full speed.
    pub(crate) throttle: u8,
}

impl Controls {
    pub(crate) fn to_bytes(self) -> [u8; 2] {
        [self.turn.to_le_bytes()[0], self.throttle]
    }

    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        match *bytes {
            [turn, throttle] => Some(Self { turn: i8::from_le_bytes([turn]), throttle }),
            _ => None,
        }
    }
}

/// One player as another sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sighting {
    /// The index of the player's session.
    pub(crate) player: u32,
    pub(crate) x: u16,
    pub(crate) y: u16,
    /// 256 parts of a full turn.
    pub(crate) heading: u8,
    /// 255 is top speed.
    pub(crate) speed: u8,
}

impl Sighting {
    pub(crate) const BYTES: usize = 10;

    pub(crate) fn write(self, state: &mut Vec<u8>) {
        state.extend_from_slice(&self.player.to_le_bytes());
        state.extend_from_slice(&self.x.to_le_bytes());
        state.extend_from_slice(&self.y.to_le_bytes());
        state.extend_from_slice(&[self.heading, self.speed]);
    }

    fn read(&[p0, p1, p2, p3, x0, x1, y0, y1, heading, speed]: &[u8; Self::BYTES]) -> Self {
        Self {
            player: u32::from_le_bytes([p0, p1, p2, p3]),
            x: u16::from_le_bytes([x0, x1]),
            y: u16::from_le_bytes([y0, y1]),
            heading,
            speed,
        }
    }
}

/// The players in a state, the receiver first; `None` if it is not one.
pub(crate) fn read_surroundings(state: &[u8]) -> Option<Vec<Sighting>> {
    let (&count, rest) = state.split_first()?;
    let (sightings, rest) = rest.as_chunks();
    let whole = rest.is_empty() && sightings.len() == usize::from(count);
    whole.then(|| sightings.iter().map(Sighting::read).collect())
}

/// What a player says in the chat, if it may be said.
pub(crate) fn read_chat_text(text: &[u8]) -> Result<&str, TextError> {
    check_talk(text, CHAT_BYTES_MAX, CHAT_CHARS_MAX)
}

/// What a player says of itself, if it may be said; that may be nothing.
pub(crate) fn read_status(text: &[u8]) -> Result<&str, TextError> {
    if text.is_empty() { Ok("") } else { check_talk(text, STATUS_BYTES_MAX, STATUS_CHARS_MAX) }
}

/// Writes what everybody gets when a player says something, in the chat or of itself.
pub(crate) fn write_line(name: &str, text: &str, line: &mut Vec<u8>) {
    line.clear();
    line.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
    line.extend_from_slice(name.as_bytes());
    line.extend_from_slice(text.as_bytes());
}

/// How long that is.
pub(crate) fn line_bytes(name: &str, text: &[u8]) -> usize {
    1 + name.len() + text.len()
}

/// Who said what; `None` if it is not such a line.
pub(crate) fn read_line(line: &[u8]) -> Option<(&str, &str)> {
    let (&name_bytes, rest) = line.split_first()?;
    let (name, text) = rest.split_at_checked(usize::from(name_bytes))?;
    Some((std::str::from_utf8(name).ok()?, std::str::from_utf8(text).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn controls_are_two_bytes() {
        let controls = Controls { turn: -127, throttle: 200 };
        assert_eq!(controls.to_bytes(), [0x81, 200]);
        assert_eq!(Controls::read(&[0x81, 200]), Some(controls));
        for wrong in [&[][..], &[1], &[1, 2, 3]] {
            assert_eq!(Controls::read(wrong), None);
        }
    }

    #[test]
    fn surroundings_are_read_as_they_were_written() {
        let sighting = |player| Sighting { player, x: 0x1234, y: 0xfffe, heading: 7, speed: 255 };
        let mut state = vec![2];
        sighting(0xdead_beef).write(&mut state);
        sighting(3).write(&mut state);
        assert_eq!(state.len(), STATE_HEAD_BYTES + 2 * Sighting::BYTES);
        assert_eq!(read_surroundings(&state), Some(vec![sighting(0xdead_beef), sighting(3)]));
    }

    #[test]
    fn a_state_that_does_not_hold_what_it_counts_is_none() {
        for wrong in [&[][..], &[1], &[0, 1], &[1, 0, 0, 0, 0, 0, 0, 0, 0, 0]] {
            assert_eq!(read_surroundings(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_line_names_its_speaker() {
        let mut line = Vec::new();
        write_line("Ada", "hello", &mut line);
        assert_eq!(line.len(), line_bytes("Ada", b"hello"));
        assert_eq!(read_line(&line), Some(("Ada", "hello")));
        for wrong in [&[][..], &[4, b'A', b'd', b'a'], &[1, 0xff, b'x'], &[1, b'A', 0xff]] {
            assert_eq!(read_line(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn chat_texts_and_statuses_are_bounded_and_utf8() {
        let is_chat = |text: &[u8]| read_chat_text(text).is_ok();
        let is_status = |text: &[u8]| read_status(text).is_ok();
        let cats = "😺".repeat(CHAT_BYTES_MAX / 4);
        assert!(is_chat(b"x") && is_chat(&[b'x'; CHAT_CHARS_MAX]) && is_chat(cats.as_bytes()));
        assert!(!is_chat(b"") && !is_chat(&[b'x'; CHAT_CHARS_MAX + 1]) && !is_chat(&[0xff]));
        assert!(!is_chat(format!("{cats}x").as_bytes()));
        assert!(is_status(b"") && is_status(&[b'x'; 48]) && !is_status(&[b'x'; 49]) && !is_status(&[0xff]));
    }
}
