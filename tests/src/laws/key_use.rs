//! The law of keys: those of a token serve one session, over restarts of the server.

use std::collections::HashMap;

use rejoin::SessionId;

use super::{Violation, ensure};
use crate::netcode::KeyId;

/// For which session each token was used first, by its number on the key ring.
#[derive(Clone, Debug, Default)]
pub struct KeyUse {
    sessions: HashMap<usize, (u64, SessionId)>,
    starts: u64,
}

impl KeyUse {
    /// Another start of the server begins: its sessions are others.
    pub fn server_started(&mut self) {
        self.starts += 1;
    }

    /// The server took a packet under this key for a session.
    pub fn taken(&mut self, key: KeyId, session: SessionId) -> Result<(), Violation> {
        let (start, first) = *self.sessions.entry(key.token).or_insert((self.starts, session));
        ensure((start, first) == (self.starts, session), || {
            format!(
                "the keys of token {} served session {first} of start {start}, and then {session} of start {}",
                key.token, self.starts
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_whose_keys_serve_two_sessions_is_caught_also_over_a_restart() {
        let key = |token| KeyId { token, is_to_server: true };
        let session = |generation| SessionId { index: 0, generation };
        let mut keys = KeyUse::default();
        assert_eq!(keys.taken(key(0), session(0)), Ok(()));
        assert_eq!(keys.taken(key(1), session(0)), Ok(()), "a session has many tokens");
        assert_eq!(keys.taken(key(0), session(0)), Ok(()));
        assert!(keys.taken(key(0), session(1)).is_err());

        keys.server_started();

        assert!(keys.taken(key(0), session(0)).is_err());
        assert_eq!(keys.taken(key(2), session(0)), Ok(()));
    }
}
