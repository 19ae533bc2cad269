//! What happens before there is a session: requests, challenges, denials (netcode standard, section Server-Side Connection Process).
//!
//! Nothing here knows a session. Nothing is stored before a token has opened.

use core::hash::BuildHasher;
use core::net::SocketAddr;

use crate::config::{Config, KeyHistory};
use crate::counters::DropReason;
use crate::hash::KeyedHash;
use crate::netcode::challenge::ChallengeToken;
use crate::netcode::history::{AdmitRefusal, HistoryLimits, PendingMapping, TokenHistory};
use crate::netcode::packet::{self, Packet};
use crate::netcode::private_token::PrivateToken;
use crate::netcode::request::{RequestError, RequestPacket};
use crate::netcode::{CHALLENGE_TOKEN_BYTES, Key, Mac, PACKET_BYTES_MAX};
use crate::planted::{PlantedBug, is_planted};
use crate::{ClientId, Timestamp};

use super::clock::Clock;
use super::way_back::ResumeClaim;

/// The gate: opens tokens, remembers which were used, gives and checks challenges.
pub(super) struct Admission {
    protocol_id: u64,
    private_key: Key,
    token_lifetime_max_s: u64,
    clock_skew_s: u64,
    /// A token that expires by then may have been made, and used, before the start, by a clock that is ahead of ours.
    former_until_unix: u64,
    challenge_key: Key,
    /// Ties challenges to addresses.
    address_hash: KeyedHash,
    next_challenge: u64,
    /// For packets to peers without a session. Sessions start below 2^62 and this at 2^63, so no sequence meets another under one key.
    next_sequence: u64,
    history: TokenHistory,
}

/// A request whose token opened.
pub(super) struct OpenedRequest {
    pub(super) token_mac: Mac,
    pub(super) expire_unix: u64,
    pub(super) private: PrivateToken,
    /// What the token says if the server made it itself.
    pub(super) claim: Option<ResumeClaim>,
}

/// Random parts of an [`Admission`], drawn at the start.
pub(super) struct AdmissionSeeds {
    pub(super) challenge_key: Key,
    pub(super) first_sequence: u64,
    pub(super) hash_key: [u8; 16],
}

const fn history_limits(config: &Config) -> HistoryLimits {
    HistoryLimits {
        entries_max: config.token_history_max as usize,
        pending_max: config.handshakes_max as usize,
    }
}

impl Admission {
    /// The memory it takes beyond its own place.
    pub(super) fn memory_bytes(&self) -> usize {
        self.history.memory_bytes()
    }

    /// The most memory it takes beyond its own place with these settings.
    pub(super) const fn memory_bytes_max(config: &Config) -> usize {
        history_limits(config).memory_bytes_max()
    }

    /// The part of it that is for used tokens.
    pub(super) const fn history_bytes_max(config: &Config) -> usize {
        HistoryLimits { pending_max: 0, ..history_limits(config) }.memory_bytes_max()
    }

    pub(super) fn new(config: &Config, unix_s: u64, seeds: AdmissionSeeds) -> Self {
        let lifetime_s = u64::from(config.token_lifetime_max_s);
        let (floor_unix, former_until_unix) = match config.key_history {
            // By then a token expires at the latest that was made before the start, by a clock as fast as ours.
            KeyHistory::Reused if !is_planted(PlantedBug::NoFloorAfterStart) => {
                let floor_unix = unix_s.saturating_add(lifetime_s - 1);
                (floor_unix, floor_unix.saturating_add(config.clock_skew_s.into()))
            }
            KeyHistory::Reused | KeyHistory::Fresh => (0, 0),
        };
        let limits = history_limits(config);
        Self {
            protocol_id: config.protocol_id,
            private_key: config.private_key.clone(),
            token_lifetime_max_s: lifetime_s,
            clock_skew_s: config.clock_skew_s.into(),
            former_until_unix,
            challenge_key: seeds.challenge_key,
            address_hash: KeyedHash::new(seeds.hash_key),
            next_challenge: 0,
            next_sequence: 1 << 63 | seeds.first_sequence >> 2,
            history: TokenHistory::new(limits, floor_unix, seeds.hash_key),
        }
    }

    /// Checks of a request what needs no cryptography: shape, version, protocol, expiry, and whether its token was used.
    pub(super) fn read_request<'a>(
        &self,
        datagram: &'a [u8],
        unix_s: u64,
    ) -> Result<RequestPacket<'a>, DropReason> {
        let request = RequestPacket::parse(datagram, self.protocol_id).map_err(|error| match error {
            RequestError::Size => DropReason::Malformed,
            RequestError::Version | RequestError::ProtocolId => DropReason::WrongProtocol,
        })?;
        if request.expire_unix <= unix_s {
            return Err(DropReason::TokenExpired);
        }
        if self.history.is_consumed(&request.token_mac()) {
            return Err(DropReason::TokenConsumed);
        }
        Ok(request)
    }

    /// Opens the token of a request, and checks what only its content tells, as far as that goes without a session.
    pub(super) fn open_token(
        &self,
        request: &RequestPacket<'_>,
        unix_s: u64,
    ) -> Result<OpenedRequest, DropReason> {
        let expire_unix = request.expire_unix;
        let seal = request.token_seal(self.protocol_id, &self.private_key);
        let private = PrivateToken::open(request.private, &seal).map_err(|_| DropReason::TokenUnreadable)?;
        let claim = ResumeClaim::read(&private.user_data);
        let backend_latest = unix_s.saturating_add(self.token_lifetime_max_s + self.clock_skew_s);
        // Not so a resume token: it lives long, and was made by this server's clock, which may have been set back since.
        if claim.is_none() && expire_unix > backend_latest {
            return Err(DropReason::TokenLifetime);
        }
        if claim.is_none() && expire_unix <= self.history.floor_unix() {
            return Err(DropReason::TokenBeforeStart);
        }
        Ok(OpenedRequest { token_mac: request.token_mac(), expire_unix, private, claim })
    }

    /// Notes that a backend token was presented from `address`.
    pub(super) fn admit(
        &mut self,
        address: SocketAddr,
        request: &OpenedRequest,
        lists_foreign_address: bool,
        deadline: Timestamp,
        unix_s: u64,
    ) -> Result<(), DropReason> {
        self.history.purge(unix_s);
        let private = &request.private;
        let mapping = PendingMapping {
            token_mac: request.token_mac,
            client_id: private.client_id,
            expire_unix: request.expire_unix,
            timeout_seconds: private.timeout_seconds,
            client_to_server_key: private.client_to_server_key.clone(),
            server_to_client_key: private.server_to_client_key.clone(),
            user_data: private.user_data.clone(),
            lists_foreign_address,
        };
        self.history.admit(address, mapping, deadline).map_err(|refusal| match refusal {
            AdmitRefusal::BelowFloor => DropReason::TokenBeforeStart,
            AdmitRefusal::Consumed => DropReason::TokenConsumed,
            AdmitRefusal::Full => DropReason::TokenHistoryFull,
            AdmitRefusal::ClientFull => DropReason::ClientTokensFull,
            AdmitRefusal::PendingFull => DropReason::HandshakesFull,
        })
    }

    /// The backend handshake under way at `address`.
    pub(super) fn pending_at(&self, address: SocketAddr) -> Option<&PendingMapping> {
        self.history.pending_at(address)
    }

    /// Completes the backend handshake at `address`; its token never opens anything again.
    pub(super) fn consume(
        &mut self,
        token_mac: &Mac,
        address: SocketAddr,
    ) -> Option<alloc::boxed::Box<PendingMapping>> {
        self.history.consume(token_mac, address)
    }

    /// Ends the backend handshake at `address`: another token was presented from there.
    pub(super) fn forget_address(&mut self, address: SocketAddr) {
        self.history.forget_address(address);
    }

    /// Seals a challenge that binds the answer to this very token and this very address.
    pub(super) fn seal_challenge(
        &mut self,
        address: SocketAddr,
        request: &OpenedRequest,
        out: &mut [u8; PACKET_BYTES_MAX],
    ) -> usize {
        let token = ChallengeToken {
            client_id: request.private.client_id,
            user_data: request.private.user_data.clone(),
            binding: request.token_mac,
            address_tag: self.address_tag(address),
        };
        let token_sequence = self.next_challenge;
        self.next_challenge += u64::from(!is_planted(PlantedBug::ChallengeNonceRepeated));
        let mut sealed = token.seal(token_sequence, &self.challenge_key);
        self.seal(
            &Packet::Challenge { token_sequence, token: &mut sealed },
            &request.private.server_to_client_key,
            out,
        )
    }

    /// Seals a denial under the key of the token that is denied.
    pub(super) fn seal_denied(&mut self, key: &Key, out: &mut [u8; PACKET_BYTES_MAX]) -> usize {
        self.seal(&Packet::Denied, key, out)
    }

    /// Whether an answered challenge is one this server sent to `address`, to this client, for this token.
    pub(super) fn is_challenge_of(
        &self,
        token_sequence: u64,
        token: &mut [u8; CHALLENGE_TOKEN_BYTES],
        address: SocketAddr,
        client_id: ClientId,
        token_mac: &Mac,
    ) -> bool {
        ChallengeToken::open(token, token_sequence, &self.challenge_key).is_some_and(|challenge| {
            let is_bound = challenge.client_id == client_id
                && challenge.binding == *token_mac
                && challenge.address_tag == self.address_tag(address);
            is_bound || is_planted(PlantedBug::ChallengeNotBound)
        })
    }

    #[expect(clippy::cast_possible_truncation, reason = "the tag is as long as the room for it")]
    fn address_tag(&self, address: SocketAddr) -> u32 {
        self.address_hash.hash_one(address) as u32
    }

    /// Whether packets may have been sealed under the keys of this token before the start.
    pub(super) const fn may_be_used(&self, mapping: &PendingMapping) -> bool {
        mapping.expire_unix <= self.former_until_unix
    }

    /// When there is something to forget.
    pub(super) fn poll_timeout(&self) -> Option<Timestamp> {
        self.history.next_pending_deadline()
    }

    /// Forgets what has run out, a bounded part of it.
    pub(super) fn handle_timeout(&mut self, clock: &Clock) {
        self.history.expire_pending(clock.now());
        self.history.purge(clock.unix_s());
    }

    fn seal(&mut self, packet: &Packet<'_>, key: &Key, out: &mut [u8; PACKET_BYTES_MAX]) -> usize {
        let sequence = if is_planted(PlantedBug::NonceRestart) { 0 } else { self.next_sequence };
        // It began below 2^63 + 2^62, and 2^62 packets are never reached.
        self.next_sequence += 1;
        // Proof: the buffer holds the largest packet, and neither of these kinds is longer.
        packet::seal(packet, sequence, self.protocol_id, key, out).expect("room for the packet")
    }
}
