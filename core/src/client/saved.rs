//! The form in which a session outlives its process.
//!
//! ```text
//! ┌──────────┬─────────┬─────────────┬──────────────────┬───────┬────────────────────────────────────┐
//! │ "RJOINED"│ form 1  │ timeout ms  │ reconnect window │ count │ count times: generation u64,       │
//! │ 7 bytes  │ u8      │ u64         │ ms, u64          │ u8    │ connect token (2,048 bytes)        │
//! └──────────┴─────────┴─────────────┴──────────────────┴───────┴────────────────────────────────────┘
//! ```

use alloc::vec::Vec;

use zeroize::Zeroizing;

use super::error::SavedError;
use super::resume::HeldToken;
use crate::netcode::{CONNECT_TOKEN_BYTES, ConnectToken};

const MAGIC: &[u8; 7] = b"RJOINED";
const FORM: u8 = 1;

/// What is saved beside the tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SavedTerms {
    pub(super) timeout_ms: u64,
    pub(super) reconnect_window_ms: u64,
}

/// Writes the saved form of these tokens, of which there are at most 255.
pub(super) fn write<'a>(
    terms: SavedTerms,
    tokens: impl Iterator<Item = &'a HeldToken> + Clone,
    out: &mut Vec<u8>,
) {
    out.extend_from_slice(MAGIC);
    out.push(FORM);
    out.extend_from_slice(&terms.timeout_ms.to_le_bytes());
    out.extend_from_slice(&terms.reconnect_window_ms.to_le_bytes());
    out.push(u8::try_from(tokens.clone().count()).unwrap_or(u8::MAX));
    for held in tokens.take(usize::from(u8::MAX)) {
        let mut token = Zeroizing::new([0; CONNECT_TOKEN_BYTES]);
        held.token.write(&mut token);
        out.extend_from_slice(&held.generation.to_le_bytes());
        out.extend_from_slice(&*token);
    }
}

/// Reads the saved form: at least one token, of one game, by ascending generation.
pub(super) fn read(saved: &[u8]) -> Result<(SavedTerms, Vec<(u64, ConnectToken)>), SavedError> {
    let malformed = SavedError::Malformed;
    let rest = saved.strip_prefix(MAGIC).ok_or(malformed)?;
    let (&form, rest) = rest.split_first().ok_or(malformed)?;
    if form != FORM {
        return Err(SavedError::Version(form));
    }
    let (timeout_ms, rest) = rest.split_first_chunk().ok_or(malformed)?;
    let (reconnect_window_ms, rest) = rest.split_first_chunk().ok_or(malformed)?;
    let (&count, mut rest) = rest.split_first().ok_or(malformed)?;
    let terms = SavedTerms {
        timeout_ms: u64::from_le_bytes(*timeout_ms),
        reconnect_window_ms: u64::from_le_bytes(*reconnect_window_ms),
    };
    let mut tokens: Vec<(u64, ConnectToken)> = Vec::with_capacity(count.into());
    for _ in 0..count {
        let (generation, after) = rest.split_first_chunk().ok_or(malformed)?;
        let (token, after) = after.split_at_checked(CONNECT_TOKEN_BYTES).ok_or(malformed)?;
        rest = after;
        let generation = u64::from_le_bytes(*generation);
        let token = ConnectToken::read(token).map_err(SavedError::Token)?;
        let follows = match tokens.last() {
            None => generation > 0,
            Some((before, other)) => generation > *before && token.protocol_id() == other.protocol_id(),
        };
        if !follows {
            return Err(malformed);
        }
        tokens.push((generation, token));
    }
    if tokens.is_empty() || !rest.is_empty() {
        return Err(malformed);
    }
    Ok((terms, tokens))
}
