//! Logging in: numbered attempts, one at a time (P30).

use alloc::boxed::Box;
use core::fmt;

use zeroize::Zeroizing;

use super::error::ClientLoginError;
use crate::link::control::Control;
use crate::link::frame::{CREDENTIAL_BYTES_MAX, FrameWriter};
use crate::link::source::Written;

/// The attempts of a session; at most one is unanswered.
#[derive(Debug, Default)]
pub(super) struct Login {
    attempt: u64,
    pending: Option<Credential>,
}

/// A player's proof, wiped when it is not needed any more.
struct Credential {
    bytes: Box<Zeroizing<[u8; CREDENTIAL_BYTES_MAX]>>,
    len: usize,
}

impl Login {
    /// Begins the next attempt; returns its frame.
    pub(super) fn begin(&mut self, credential: &[u8]) -> Result<Control, ClientLoginError> {
        if self.pending.is_some() {
            return Err(ClientLoginError::Pending);
        }
        self.pending = Some(Credential::new(credential).ok_or(ClientLoginError::Size)?);
        self.attempt += 1;
        Ok(Control::Login(self.attempt))
    }

    /// Whether an attempt of this number waits for its answer.
    pub(super) const fn is_pending(&self, attempt: u64) -> bool {
        self.attempt == attempt && self.pending.is_some()
    }

    /// The attempt is answered.
    pub(super) fn finish(&mut self) {
        self.pending = None;
    }

    /// Writes the frame of an attempt, unless it has become pointless.
    pub(super) fn write(&self, control: Control, writer: &mut FrameWriter<'_>) -> Written {
        match &self.pending {
            Some(credential) if control == Control::Login(self.attempt) => {
                let is_written = writer.write_login(self.attempt, credential.as_bytes());
                if is_written { Written::Done(()) } else { Written::NoRoom }
            }
            _ => Written::Nothing,
        }
    }
}

impl Credential {
    fn new(credential: &[u8]) -> Option<Self> {
        let mut bytes = Box::new(Zeroizing::new([0; CREDENTIAL_BYTES_MAX]));
        bytes.get_mut(..credential.len())?.copy_from_slice(credential);
        Some(Self { bytes, len: credential.len() })
    }

    fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credential(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_logged_login_shows_no_credential() {
        let mut login = Login::default();
        login.begin(b"secret").unwrap();

        let shown = std::format!("{login:?}");

        assert!(shown.contains("attempt: 1"), "{shown}");
        assert!(!shown.contains("secret") && !shown.contains("115"), "{shown}");
    }
}
