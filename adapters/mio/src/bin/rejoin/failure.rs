//! How the program ends when it cannot go on.

use std::fmt;
use std::process::ExitCode;

use crate::output;

/// One line that says what is wrong and what to do, and whose turn it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The person who started the program has to change something: exit code 2.
    BadInput(String),
    /// What the program was asked to do did not succeed: exit code 1.
    Unsuccessful(String),
}

impl Failure {
    pub(crate) fn bad_input(what: impl fmt::Display) -> Self {
        Self::BadInput(what.to_string())
    }

    pub(crate) fn unsuccessful(what: impl fmt::Display) -> Self {
        Self::Unsuccessful(what.to_string())
    }

    /// Says it on stderr and gives the exit code.
    pub(crate) fn report(&self) -> ExitCode {
        let (Self::BadInput(text) | Self::Unsuccessful(text)) = self;
        output::remark(&format!("rejoin: {text}\n"));
        match self {
            Self::BadInput(_) => ExitCode::from(2),
            Self::Unsuccessful(_) => ExitCode::from(1),
        }
    }
}
