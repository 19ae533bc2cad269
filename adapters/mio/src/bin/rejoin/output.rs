//! What the program says. A reader that went away is no reason to stop: it is not told, and the program goes on.

use std::io::{self, Write as _};

/// Says it on standard output, at once.
pub(crate) fn answer(text: &str) {
    let mut stdout = io::stdout();
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}

/// Says it on standard error.
pub(crate) fn remark(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}
