//! Resume tokens: connect tokens that the server makes for its own sessions (PROTOCOL.md, section 10).
//!
//! Keys, nonce and secret of a generation are derived from a secret of this start of the server, so a token can be made again, bit for
//! bit, as long as nothing in it changed, and nothing of it is stored. What it contains goes into the derivation of the nonce: another
//! content is never sealed under the same nonce.
//!
//! Of the 24 bytes of a nonce the first 16 are derived so, and the last 8 are a tag: a keyed hash over those 16 and the expiry, by which a
//! request with such a token is told from others before any cryptography. The tag adds nothing that would tell two nonces apart: that
//! two contents share the first 16 bytes takes some 2^64 tokens, more than any start of a server makes. Nor does it meet a nonce of the
//! backend's, whose 24 bytes are random. The cipher makes a key of its own from those first 16 bytes.

use core::fmt;
use core::hash::BuildHasher;
use core::net::SocketAddr;

use ring::hkdf;
use smallvec::SmallVec;

use crate::hash::KeyedHash;
use crate::memory::{doubling_bytes_max, small_vec_bytes};
use crate::netcode::address::{ADDRESS_LIST_BYTES_MAX, ServerAddresses};
use crate::netcode::{ConnectToken, Key, TOKEN_NONCE_BYTES, TokenSpec, USER_DATA_BYTES};
use crate::planted::{PlantedBug, is_planted};
use crate::{ClientId, SessionId};

/// What resume tokens begin their user data with.
const MAGIC: [u8; 8] = *b"REJOINWB";
/// The bytes of a nonce that are derived; the others are the tag.
const DRAWN_NONCE_BYTES: usize = TOKEN_NONCE_BYTES - size_of::<u64>();
/// How long a resume token lives; the reconnect window is the real limit.
const LIFETIME_S: u64 = 48 * 3_600;
/// Age at which an unspent token is replaced: well before it expires.
const RENEW_AFTER_S: u64 = LIFETIME_S / 2;
/// Unspent tokens that the client shall hold (P60): a handshake whose every reply is lost takes one, and the next of a bad network another, before
/// what replaces them arrives.
const UNSPENT_WANTED: usize = 3;
/// Tokens handed out and not spent, at most: those that are renewed, and what renews them.
const OUTSTANDING_MAX: usize = 2 * UNSPENT_WANTED;

/// What makes and recognises resume tokens.
#[derive(Debug)]
pub(super) struct ResumeMint {
    protocol_id: u64,
    private_key: Key,
    boot_id: u64,
    boot_secret: Key,
    /// Marks the nonces of its tokens.
    tag_hash: KeyedHash,
}

/// What the user data of a resume token says.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct ResumeClaim {
    pub(super) boot_id: u64,
    pub(super) session: SessionId,
    pub(super) generation: u64,
    secret: [u8; 32],
}

/// What a token of one generation contains beside what is derived.
#[derive(Clone, Copy, Debug)]
pub(super) struct ResumeContent<'a> {
    pub(super) session: SessionId,
    pub(super) client_id: ClientId,
    pub(super) generation: u64,
    pub(super) create_unix: u64,
    pub(super) timeout_seconds: i32,
    pub(super) addresses: &'a [SocketAddr],
}

impl fmt::Debug for ResumeClaim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResumeClaim")
            .field("session", &self.session)
            .field("generation", &self.generation)
            .finish_non_exhaustive()
    }
}

impl ResumeClaim {
    /// Reads user data; `None` if the token is not a resume token at all.
    pub(super) fn read(user_data: &[u8; USER_DATA_BYTES]) -> Option<Self> {
        let (magic, rest) = user_data.split_first_chunk()?;
        let (boot_id, rest) = rest.split_first_chunk()?;
        let (session, rest) = rest.split_first_chunk()?;
        let (generation, rest) = rest.split_first_chunk()?;
        let (secret, _) = rest.split_first_chunk()?;
        (*magic == MAGIC).then(|| Self {
            boot_id: u64::from_le_bytes(*boot_id),
            session: SessionId::from_bits(u64::from_le_bytes(*session)),
            generation: u64::from_le_bytes(*generation),
            secret: *secret,
        })
    }

    fn write(&self) -> [u8; USER_DATA_BYTES] {
        let mut bytes = [0; USER_DATA_BYTES];
        let fields: [&[u8]; 5] = [
            &MAGIC,
            &self.boot_id.to_le_bytes(),
            &self.session.to_bits().to_le_bytes(),
            &self.generation.to_le_bytes(),
            &self.secret,
        ];
        let mut rest = &mut bytes[..];
        for field in fields {
            // Proof: the fields are 64 bytes long in all.
            let (place, after) = rest.split_at_mut(field.len());
            place.copy_from_slice(field);
            rest = after;
        }
        bytes
    }
}

impl ResumeMint {
    pub(super) fn new(protocol_id: u64, private_key: Key, boot_id: u64, boot_secret: Key) -> Self {
        let tag_key = expand(&boot_secret, b"", &[b"tag"]);
        Self { protocol_id, private_key, boot_id, boot_secret, tag_hash: KeyedHash::new(tag_key) }
    }

    /// The tag in the nonce of a token that this start of the server made; `None` if it made none with this nonce and expiry. It says
    /// nothing of who shows the token, and whether the token is good.
    pub(super) fn tag_of(&self, expire_unix: u64, nonce: &[u8; TOKEN_NONCE_BYTES]) -> Option<u64> {
        let (drawn, tag) = nonce.split_first_chunk()?;
        let tag = u64::from_le_bytes(*tag.first_chunk()?);
        (tag == self.tag(expire_unix, drawn)).then_some(tag)
    }

    fn tag(&self, expire_unix: u64, drawn: &[u8; DRAWN_NONCE_BYTES]) -> u64 {
        self.tag_hash.hash_one((expire_unix, drawn))
    }

    /// A nonce with its tag.
    fn nonce(&self, expire_unix: u64, drawn: &[u8; DRAWN_NONCE_BYTES]) -> [u8; TOKEN_NONCE_BYTES] {
        let mut nonce = [0; TOKEN_NONCE_BYTES];
        let (front, back) = nonce.split_at_mut(DRAWN_NONCE_BYTES);
        front.copy_from_slice(drawn);
        back.copy_from_slice(&self.tag(expire_unix, drawn).to_le_bytes());
        nonce
    }

    /// Whether the claim was made by this start of the server; a forged one never passes.
    pub(super) fn is_own(&self, claim: &ResumeClaim) -> bool {
        claim.boot_id == self.boot_id
    }

    /// Whether the secret in the claim is the one this server put there.
    pub(super) fn is_genuine(&self, claim: &ResumeClaim) -> bool {
        // Keys compare in constant time.
        let secret = self.derive(claim.session, claim.generation, b"secret", &[]);
        Key::new(secret) == Key::new(claim.secret)
    }

    /// The keys of a generation, client to server and server to client.
    pub(super) fn keys(&self, session: SessionId, generation: u64) -> (Key, Key) {
        (
            Key::new(self.derive(session, generation, b"client to server", &[])),
            Key::new(self.derive(session, generation, b"server to client", &[])),
        )
    }

    /// Makes the token with this content. The same content always gives the same bytes.
    pub(super) fn mint(&self, content: &ResumeContent<'_>) -> Option<ConnectToken> {
        let &ResumeContent { session, client_id, generation, create_unix, timeout_seconds, addresses } =
            content;
        let (client_to_server_key, server_to_client_key) = self.keys(session, generation);
        let claim = ResumeClaim {
            boot_id: self.boot_id,
            session,
            generation,
            secret: self.derive(session, generation, b"secret", &[]),
        };
        let mut listed = [0; ADDRESS_LIST_BYTES_MAX];
        let listed = ServerAddresses::new(addresses)?.encode(&mut listed);
        let variable = [
            &create_unix.to_le_bytes()[..],
            &timeout_seconds.to_le_bytes(),
            &client_id.0.to_le_bytes(),
            listed,
        ];
        let expire_unix = create_unix.saturating_add(LIFETIME_S);
        let nonce = self.nonce(expire_unix, &self.derive(session, generation, b"nonce", &variable));
        let spec = TokenSpec {
            protocol_id: self.protocol_id,
            create_unix,
            expire_unix,
            nonce,
            private_key: &self.private_key,
            client_id,
            timeout_seconds,
            addresses,
            client_to_server_key: &client_to_server_key,
            server_to_client_key: &server_to_client_key,
            user_data: &claim.write(),
        };
        spec.mint().ok()
    }

    fn derive<const N: usize>(
        &self,
        session: SessionId,
        generation: u64,
        purpose: &[u8],
        more: &[&[u8]],
    ) -> [u8; N] {
        let generation = generation.to_le_bytes();
        let mut info: SmallVec<[&[u8]; 8]> = SmallVec::new();
        info.extend_from_slice(&[purpose, &generation]);
        info.extend_from_slice(more);
        expand(&self.boot_secret, &session.to_bits().to_le_bytes(), &info)
    }
}

/// HKDF with SHA-256, of up to 32 bytes.
fn expand<const N: usize>(secret: &Key, input: &[u8], info: &[&[u8]]) -> [u8; N] {
    struct Length(usize);
    impl hkdf::KeyType for Length {
        fn len(&self) -> usize {
            self.0
        }
    }
    let key = hkdf::Salt::new(hkdf::HKDF_SHA256, secret.as_bytes()).extract(input);
    let mut out = [0; N];
    // Proof: HKDF gives up to 255 times 32 bytes, and N is 32 at most.
    key.expand(info, Length(N)).and_then(|okm| okm.fill(&mut out)).expect("a short output");
    out
}

/// Which generations of one session's resume tokens were made, acknowledged and spent.
#[derive(Clone, Debug, Default)]
pub(super) struct ResumeLedger {
    spent: u64,
    minted: u64,
    outstanding: SmallVec<[Outstanding; UNSPENT_WANTED]>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Outstanding {
    generation: u64,
    create_unix: u64,
}

impl ResumeLedger {
    /// Whether a generation still opens a handshake.
    pub(super) fn is_unspent(&self, generation: u64) -> bool {
        let is_spent = generation <= self.spent && !is_planted(PlantedBug::GenerationNotChecked);
        !is_spent && generation <= self.minted
    }

    /// The highest generation whose handshake completed; 0 before the first.
    pub(super) const fn spent(&self) -> u64 {
        self.spent
    }

    /// Spends a generation and with it all before it.
    pub(super) fn spend(&mut self, generation: u64) {
        self.spent = self.spent.max(generation);
        let spent = self.spent;
        self.outstanding.retain(|token| token.generation > spent);
    }

    /// Makes every token void that was ever handed out.
    pub(super) fn void_all(&mut self) {
        self.spend(self.minted);
    }

    /// The client may not hold what it was sent: others will be made. Those it does hold stay valid.
    pub(super) fn forget_outstanding(&mut self) {
        self.outstanding.clear();
    }

    /// Sees to it that as many unspent tokens as are wanted and are far from their expiry are with the client or on their way; calls `queue` with each
    /// generation to send.
    pub(super) fn replenish(&mut self, unix_s: u64, mut queue: impl FnMut(u64)) {
        let fresh = self
            .outstanding
            .iter()
            .filter(|token| unix_s < token.create_unix.saturating_add(RENEW_AFTER_S))
            .count();
        for _ in fresh..UNSPENT_WANTED {
            if self.outstanding.len() == OUTSTANDING_MAX {
                // The oldest stays valid; only its record goes, so it cannot be sent again.
                self.outstanding.remove(0);
            }
            self.minted += 1;
            self.outstanding.push(Outstanding { generation: self.minted, create_unix: unix_s });
            queue(self.minted);
        }
    }

    /// The memory it takes beyond its own place.
    pub(super) fn memory_bytes(&self) -> usize {
        small_vec_bytes(&self.outstanding)
    }

    /// The most memory it takes beyond its own place.
    pub(super) const fn memory_bytes_max() -> usize {
        doubling_bytes_max::<Outstanding>(OUTSTANDING_MAX)
    }

    /// When a generation was made, if it may still be sent.
    pub(super) fn create_unix(&self, generation: u64) -> Option<u64> {
        self.outstanding.iter().find(|token| token.generation == generation).map(|token| token.create_unix)
    }

    /// All generations that may still be sent.
    #[cfg(test)]
    pub(super) fn outstanding(&self) -> impl Iterator<Item = u64> {
        self.outstanding.iter().map(|token| token.generation)
    }
}

#[cfg(test)]
mod tests;
