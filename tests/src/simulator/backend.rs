//! The backend of the game: it gives players connect tokens, and sometimes bad ones.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use rejoin::{ClientId, ConnectToken, Timestamp};

use crate::world::{Chance, PRIVATE_KEY, TokenTerms, UNIX_START_S, server_address};

/// For how long tokens are good. A server remembers at most four unexpired tokens of one identity; with the pause between two that
/// [`FETCH_PAUSE_MS`] makes there are never more.
pub(super) const TOKEN_LIFETIME_S: u64 = 10;
/// How soon one identity gets another token.
pub(super) const FETCH_PAUSE_MS: u64 = 3_000;

/// How many seconds before its time a token is given that is not good yet.
const EARLY_S: u64 = 30;

/// What is wrong with a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenKind {
    /// Nothing.
    Fresh,
    /// It has expired.
    Expired,
    /// It is made by a clock that is ahead.
    Early,
    /// It was given before.
    Duplicate,
    /// It is sealed with a key that the server does not have.
    ForeignKey,
    /// It is for another server.
    ForeignAddress,
    /// It names another server first, where nobody answers.
    ForeignAddressFirst,
}

/// Makes tokens.
#[derive(Debug)]
pub(super) struct Backend {
    chance: Chance,
    timeout_s: i32,
    minted: u64,
    last_given: BTreeMap<ClientId, ConnectToken>,
}

impl Backend {
    pub(super) const fn new(timeout_s: i32, chance: Chance) -> Self {
        Self { chance, timeout_s, minted: 0, last_given: BTreeMap::new() }
    }

    /// A token for this identity.
    pub(super) fn give(&mut self, now: Timestamp, client_id: ClientId, kind: TokenKind) -> ConnectToken {
        if kind == TokenKind::Duplicate
            && let Some(former) = self.last_given.get(&client_id)
        {
            return former.clone();
        }
        let token = self.mint(now, client_id, kind);
        self.last_given.insert(client_id, token.clone());
        token
    }

    fn mint(&mut self, now: Timestamp, client_id: ClientId, kind: TokenKind) -> ConnectToken {
        let unix_s = unix_s(now);
        let create_unix_s = match kind {
            TokenKind::Expired => unix_s - TOKEN_LIFETIME_S,
            TokenKind::Early => unix_s + EARLY_S,
            _ => unix_s,
        };
        let elsewhere = SocketAddr::from(([203, 0, 113, 99], 40_000));
        let addresses: &[_] = match kind {
            TokenKind::ForeignAddress => &[elsewhere],
            TokenKind::ForeignAddressFirst => &[elsewhere, server_address()],
            _ => &[server_address()],
        };
        let private_key = if kind == TokenKind::ForeignKey { [0x24; 32] } else { PRIVATE_KEY };
        self.minted += 1;
        TokenTerms {
            client_id,
            create_unix_s,
            lifetime_s: TOKEN_LIFETIME_S,
            timeout_s: self.timeout_s,
            addresses,
            private_key,
        }
        .mint(&mut self.chance, self.minted)
    }
}

/// True unix time.
pub(super) fn unix_s(now: Timestamp) -> u64 {
    UNIX_START_S + now.as_micros() / 1_000_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duplicate_is_the_token_given_before() {
        let mut backend = Backend::new(5, Chance::new(1));
        let first = backend.give(Timestamp::ZERO, ClientId(1), TokenKind::Fresh);
        let second = backend.give(Timestamp::ZERO, ClientId(1), TokenKind::Duplicate);
        let fresh = backend.give(Timestamp::ZERO, ClientId(1), TokenKind::Fresh);
        let bytes = |token: &ConnectToken| {
            let mut bytes = [0; rejoin::CONNECT_TOKEN_BYTES];
            token.write(&mut bytes);
            bytes
        };
        assert_eq!(bytes(&first), bytes(&second));
        assert_ne!(bytes(&first), bytes(&fresh));
    }
}
