//! What the program says, to whoever listens still.

use std::fmt;
use std::io::{self, Write as _};
use std::process;

/// What a shell says of a program that the system ended for want of a reader.
const NO_READER: i32 = 141;

/// Says a line. Where nobody listens any more (`| head`) the program ends without a word: nobody would learn of the rest.
pub(crate) fn say(line: fmt::Arguments<'_>) {
    if writeln!(io::stdout(), "{line}").is_err() {
        process::exit(NO_READER);
    }
}
