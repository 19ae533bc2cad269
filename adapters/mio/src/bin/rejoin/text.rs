//! What players may be called, and may say: text that shows what it is.
//!
//! | refused | in names | in talk | why |
//! |---|---|---|---|
//! | control characters, line and paragraph separators | yes | yes | they steer a terminal, or make one line look like two |
//! | marks that set the direction of writing (`Bidi_Control`) | yes | yes | they turn around what others see of the line they are in, the name before it included |
//! | what is shown as nothing (`Default_Ignorable_Code_Point`, and the blank of Braille) | yes | yes, but for the next row | two names look alike, a line says what nobody sees |
//! | joiners and variation selectors | yes | no | the same; but many scripts and emoji are not written without them |
//! | spaces other than U+0020, and that at an end or twice in a row | yes | no | two names look alike |
//!
//! What this does not do: letters of different scripts that look alike, and one letter that is written in two ways, count as different.
//! That takes the tables of Unicode's UTS 39 and UAX 15. The sets above are fixed, or as good as: no table has to follow them.

use std::fmt;
use std::ops::RangeInclusive;

/// The longest name, in bytes of UTF-8 and in characters.
pub(crate) const NAME_BYTES_MAX: usize = 32;
const NAME_CHARS_MAX: usize = 24;

/// `Bidi_Control` of Unicode.
const DIRECTION: [RangeInclusive<char>; 4] =
    ['\u{061c}'..='\u{061c}', '\u{200e}'..='\u{200f}', '\u{202a}'..='\u{202e}', '\u{2066}'..='\u{2069}'];

/// The rest of `Default_Ignorable_Code_Point` of Unicode, but for what joins; the marks around annotations; and the blank of Braille. The
/// last range holds tags and further selectors.
const INVISIBLE: [RangeInclusive<char>; 15] = [
    '\u{00ad}'..='\u{00ad}',
    '\u{034f}'..='\u{034f}',
    '\u{115f}'..='\u{1160}',
    '\u{17b4}'..='\u{17b5}',
    '\u{200b}'..='\u{200b}',
    '\u{2060}'..='\u{2065}',
    '\u{206a}'..='\u{206f}',
    '\u{2800}'..='\u{2800}',
    '\u{3164}'..='\u{3164}',
    '\u{feff}'..='\u{feff}',
    '\u{ffa0}'..='\u{ffa0}',
    '\u{fff0}'..='\u{fffb}',
    '\u{1bca0}'..='\u{1bca3}',
    '\u{1d173}'..='\u{1d17a}',
    '\u{e0000}'..='\u{e0fff}',
];

/// Joiners and variation selectors: not shown either, but needed to write.
const JOINING: [RangeInclusive<char>; 3] =
    ['\u{180b}'..='\u{180f}', '\u{200c}'..='\u{200d}', '\u{fe00}'..='\u{fe0f}'];

/// Why a text is refused. The words are what the player sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TextError {
    /// It is empty, or too long.
    Length,
    /// It is no text.
    NotUtf8,
    /// It has a control character, or the end of a line.
    Control,
    /// It has a mark that sets the direction of writing.
    Direction,
    /// It has a character that nobody sees.
    Invisible,
    /// It has a space where it may have none.
    Space,
}

impl TextError {
    /// The number that goes with the words, for a client that does not read English.
    pub(crate) fn code(self) -> u32 {
        match self {
            Self::Length => 1,
            Self::NotUtf8 => 2,
            Self::Control => 4,
            Self::Direction => 5,
            Self::Invisible => 6,
            Self::Space => 7,
        }
    }
}

impl fmt::Display for TextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Length => "it is empty or too long",
            Self::NotUtf8 => "it is not UTF-8 text",
            Self::Control => "it has a control character or a line break",
            Self::Direction => "it has a mark that turns the direction of writing",
            Self::Invisible => "it has a character that nobody sees",
            Self::Space => "it has a space at an end, two in a row, or an unusual one",
        })
    }
}

/// The name, if somebody may be called so.
pub(crate) fn check_name(name: &[u8]) -> Result<&str, TextError> {
    let name = checked(name, NAME_BYTES_MAX, NAME_CHARS_MAX)?;
    if name.is_empty() {
        return Err(TextError::Length);
    }
    if name.chars().any(|it| contains(&JOINING, it)) {
        return Err(TextError::Invisible);
    }
    let is_unusual = |it: char| it.is_whitespace() && it != ' ';
    if name.chars().any(is_unusual) || name.starts_with(' ') || name.ends_with(' ') || name.contains("  ") {
        return Err(TextError::Space);
    }
    Ok(name)
}

/// What is said, without the space around it, if that is something of at most so many bytes and characters which may be said.
pub(crate) fn check_talk(talk: &[u8], bytes_max: usize, chars_max: usize) -> Result<&str, TextError> {
    let talk = checked(talk, bytes_max, chars_max)?.trim();
    let is_shown = talk.chars().any(|it| !it.is_whitespace() && !contains(&JOINING, it));
    if is_shown { Ok(talk) } else { Err(TextError::Length) }
}

/// What holds for names and talk.
fn checked(text: &[u8], bytes_max: usize, chars_max: usize) -> Result<&str, TextError> {
    if text.len() > bytes_max {
        return Err(TextError::Length);
    }
    let text = std::str::from_utf8(text).map_err(|_| TextError::NotUtf8)?;
    if text.chars().count() > chars_max {
        return Err(TextError::Length);
    }
    text.chars().try_for_each(check_char)?;
    Ok(text)
}

fn check_char(it: char) -> Result<(), TextError> {
    if it.is_control() || matches!(it, '\u{2028}' | '\u{2029}') {
        return Err(TextError::Control);
    }
    if contains(&DIRECTION, it) {
        return Err(TextError::Direction);
    }
    if contains(&INVISIBLE, it) {
        return Err(TextError::Invisible);
    }
    Ok(())
}

fn contains(set: &[RangeInclusive<char>], it: char) -> bool {
    set.iter().any(|range| range.contains(&it))
}

#[cfg(test)]
mod tests;
