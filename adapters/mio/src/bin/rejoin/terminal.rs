//! How large the terminal is, and what of a line it can show.

use terminal_size::terminal_size;

/// Characters and lines of a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) columns: usize,
    pub(crate) lines: usize,
}

/// A terminal that does not say how large it is.
const USUAL: Size = Size { columns: 80, lines: 24 };

/// The size of the terminal that the standard output is, as it is now.
pub(crate) fn size() -> Size {
    terminal_size().map_or(USUAL, |(width, height)| Size { columns: width.0.into(), lines: height.0.into() })
}

/// The line without what does not fit; its colours take no room, and end with it.
pub(crate) fn clip(line: &str, columns: usize) -> String {
    let mut clipped = String::with_capacity(line.len());
    let mut shown = 0;
    let mut is_colour = false;
    for character in line.chars() {
        is_colour |= character == '\x1b';
        if is_colour {
            clipped.push(character);
            is_colour = character != 'm';
        } else if shown < columns {
            clipped.push(character);
            shown += 1;
        }
    }
    clipped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_fits_stays_as_it_is() {
        let line = "p-001 \x1b[32mLoggedIn\x1b[0m é";
        assert_eq!(clip(line, 16), line);
    }

    #[test]
    fn a_line_that_does_not_fit_is_cut_and_its_colour_ends() {
        assert_eq!(clip("p-001 \x1b[32mLoggedIn\x1b[0m x", 9), "p-001 \x1b[32mLog\x1b[0m");
        assert_eq!(clip("äöü", 2), "äö");
        assert_eq!(clip("abc", 0), "");
    }
}
