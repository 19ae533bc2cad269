//! From datagrams to the model's terms: whose token was shown where, and under which one a packet is sealed.
//!
//! The model knows no keys. Here are those of all tokens that were shown, for the few packets whose source does not say whose they are.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use rejoin::{ClientId, SessionId};

use super::session::{Origin, Token, TokenId};
use crate::netcode::{KeyBytes, Request, open_packet, open_request};
use crate::path_frames::{path_challenge, path_responses};

/// What the user data of a server's own token begins with; then come its start, the session and the generation, eight bytes each.
const RESUME_MARK: &[u8; 8] = b"REJOINWB";
/// Where a request's nonce is.
const NONCE: std::ops::Range<usize> = 30..54;

/// The tokens that were shown.
#[derive(Clone, Debug)]
pub(super) struct Reader {
    protocol_id: u64,
    private_key: KeyBytes,
    /// To the server, and to the client.
    keys: Vec<(KeyBytes, KeyBytes)>,
    by_key: BTreeMap<KeyBytes, TokenId>,
    by_nonce: BTreeMap<[u8; 24], Token>,
    /// By address, each token once, the newest last.
    shown: BTreeMap<SocketAddr, Vec<Token>>,
}

impl Reader {
    pub(super) const fn new(protocol_id: u64, private_key: KeyBytes) -> Self {
        Self {
            protocol_id,
            private_key,
            keys: Vec::new(),
            by_key: BTreeMap::new(),
            by_nonce: BTreeMap::new(),
            shown: BTreeMap::new(),
        }
    }

    /// A request that was answered; `None` if it is none.
    pub(super) fn request(&mut self, from: SocketAddr, datagram: &[u8]) -> Option<Token> {
        let nonce: [u8; 24] = datagram.get(NONCE)?.try_into().ok()?;
        let known = self.by_nonce.get(&nonce).copied();
        let token = match known {
            Some(token) => token,
            None => self.learn(nonce, &open_request(self.protocol_id, &self.private_key, datagram)?),
        };
        let shown = self.shown.entry(from).or_default();
        shown.retain(|other| other.id != token.id);
        shown.push(token);
        Some(token)
    }

    fn learn(&mut self, nonce: [u8; 24], request: &Request) -> Token {
        let (key, next) = (request.client_to_server, TokenId(self.keys.len()));
        let id = *self.by_key.entry(key).or_insert(next);
        if id == next {
            self.keys.push((key, request.server_to_client));
        }
        let token = Token { id, client_id: ClientId(request.client_id), origin: origin_of(request) };
        self.by_nonce.insert(nonce, token);
        token
    }

    /// The token under which a response from here is sealed.
    pub(super) fn token_of_response(&self, from: SocketAddr, datagram: &[u8]) -> Option<Token> {
        let shown = self.shown.get(&from)?;
        shown.iter().rev().find(|token| self.is_sealed_under(token.id, datagram)).copied()
    }

    pub(super) fn is_sealed_under(&self, token: TokenId, datagram: &[u8]) -> bool {
        let key = self.keys.get(token.0);
        key.is_some_and(|(key, _)| open_packet(self.protocol_id, key, datagram).is_some())
    }
}

/// Path challenges and their answers.
impl Reader {
    /// The values that a packet to the server brings back, sealed under this token.
    pub(super) fn path_responses(&self, token: TokenId, datagram: &[u8]) -> Vec<u64> {
        let opened = self.keys.get(token.0).and_then(|(key, _)| open_packet(self.protocol_id, key, datagram));
        opened.map_or_else(Vec::new, |payload| path_responses(&payload))
    }

    /// The value of a path challenge in a packet to the client, sealed under this token.
    pub(super) fn path_challenge(&self, token: TokenId, datagram: &[u8]) -> Option<u64> {
        let (_, key) = self.keys.get(token.0)?;
        path_challenge(&open_packet(self.protocol_id, key, datagram)?)
    }
}

fn origin_of(request: &Request) -> Origin {
    let number = |place: usize| {
        let bytes = request.user_data.get(8 * place..8 * (place + 1));
        bytes.and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_le_bytes)
    };
    if request.user_data.starts_with(RESUME_MARK) {
        Origin::Resume { session: SessionId::from_bits(number(2)), generation: number(3) }
    } else {
        Origin::Backend { timeout_s: request.timeout_s }
    }
}
