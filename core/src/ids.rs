//! The names of sessions and of the identities behind them.

use core::fmt;

/// The handle of one session, valid until the session ends.
///
/// A slot is reused with another generation, so a stale handle is an error, never somebody else's session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId {
    /// The slot; suitable as an index into a table of the application's that can grow. It is below `Config::sessions_max` but for a
    /// session that superseded another on a full server: that one's slot is taken until its `Disconnected` was polled.
    pub index: u32,
    /// How often the slot had been used before.
    pub generation: u32,
}

impl SessionId {
    /// Both halves in one number, as it travels on the wire.
    #[must_use]
    pub const fn to_bits(self) -> u64 {
        (self.generation as u64) << 32 | self.index as u64
    }

    /// The handle that [`to_bits`](Self::to_bits) was called on.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "each half is taken on purpose")]
    pub const fn from_bits(bits: u64) -> Self {
        Self { index: bits as u32, generation: (bits >> 32) as u32 }
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}v{}", self.index, self.generation)
    }
}

/// The identity a connect token vouches for: netcode's client id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(pub u64);

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn a_session_id_survives_the_way_through_its_bits() {
        let id = SessionId { index: 0xdead_beef, generation: 7 };
        assert_eq!(SessionId::from_bits(id.to_bits()), id);
    }

    #[test]
    fn identities_are_shown_in_one_word_each() {
        let session = SessionId { index: 3, generation: 7 };

        assert_eq!(session.to_string(), "3v7");
        assert_eq!(ClientId(0xBEE).to_string(), "0000000000000bee");
    }
}
