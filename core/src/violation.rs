//! What a peer can do that PROTOCOL.md does not allow: every refused payload of that kind has exactly one cause.

use crate::cause_counts::CauseCounts;
use crate::link::frame::FrameError;
use crate::link::lane::LaneArrival;
use crate::link::latest::LatestArrival;
use crate::link::sent::AckError;

/// How a payload broke the protocol (PROTOCOL.md, P5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Violation {
    /// A type byte that no frame has.
    UnknownFrame,
    /// The payload ends inside a frame.
    Truncated,
    /// A varint that is not in its shortest form or does not fit 64 bits (P1).
    MalformedVarint,
    /// A field with a value that its frame does not allow.
    OutOfRange,
    /// A frame that only the other end may send.
    WrongRole,
    /// Two frames of a type of which a payload holds one at most (P9).
    RepeatedFrame,
    /// An acknowledgement of a packet that was never sent in its key epoch (P13).
    AckNeverSent,
    /// A second hello of a key epoch, with another lane epoch (P23).
    LaneEpochChanged,
    /// A message, datagram, value or move of somebody who is not logged in (P27).
    DataBeforeLogin,
    /// A message on a lane that the session does not have (P50).
    NoSuchLane,
    /// A piece of a message further ahead of its turn than its lane allows (P51).
    BeyondWindow,
    /// More bytes ahead of their turn than a lane holds back (P51).
    HoldBackFull,
    /// A piece that makes its message longer than a message may be (P54).
    MessageTooLong,
    /// A latest-wins value of a key that the session does not have (P70).
    NoSuchKey,
}

impl Violation {
    /// All causes, in the order of their declaration.
    pub const ALL: [Self; 14] = [
        Self::UnknownFrame,
        Self::Truncated,
        Self::MalformedVarint,
        Self::OutOfRange,
        Self::WrongRole,
        Self::RepeatedFrame,
        Self::AckNeverSent,
        Self::LaneEpochChanged,
        Self::DataBeforeLogin,
        Self::NoSuchLane,
        Self::BeyondWindow,
        Self::HoldBackFull,
        Self::MessageTooLong,
        Self::NoSuchKey,
    ];

    /// What the arrival of a piece breaks, if anything; `None` instead of an arrival says that the lanes are not open.
    pub(crate) const fn of_arrival(arrival: Option<LaneArrival>) -> Result<(), Self> {
        match arrival {
            Some(LaneArrival::Delivered(_) | LaneArrival::HeldBack | LaneArrival::Duplicate) => Ok(()),
            Some(LaneArrival::BeyondWindow) => Err(Self::BeyondWindow),
            Some(LaneArrival::HoldBackFull) => Err(Self::HoldBackFull),
            Some(LaneArrival::TooLong) => Err(Self::MessageTooLong),
            Some(LaneArrival::NoSuchLane) => Err(Self::NoSuchLane),
            None => Err(Self::DataBeforeLogin),
        }
    }

    /// Whether a latest-wins value is news, or what its arrival breaks; `None` instead of an arrival says that the lanes are not open.
    pub(crate) const fn of_value(arrival: Option<LatestArrival>) -> Result<bool, Self> {
        match arrival {
            Some(LatestArrival::Newer) => Ok(true),
            Some(LatestArrival::Stale) => Ok(false),
            Some(LatestArrival::NoSuchKey) => Err(Self::NoSuchKey),
            None => Err(Self::DataBeforeLogin),
        }
    }
}

impl From<FrameError> for Violation {
    fn from(error: FrameError) -> Self {
        match error {
            FrameError::UnknownType(_) => Self::UnknownFrame,
            FrameError::Truncated => Self::Truncated,
            FrameError::MalformedVarint => Self::MalformedVarint,
            FrameError::OutOfRange => Self::OutOfRange,
            FrameError::WrongRole => Self::WrongRole,
            FrameError::Repeated => Self::RepeatedFrame,
        }
    }
}

impl From<AckError> for Violation {
    fn from(error: AckError) -> Self {
        match error {
            AckError::NeverSent => Self::AckNeverSent,
            // The form of the frame leaves no way to write such ranges (P10).
            AckError::Disordered => Self::OutOfRange,
        }
    }
}

/// How often each way was met.
pub(crate) type ViolationCounts = CauseCounts<{ Violation::ALL.len() }>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_has_a_counter_of_its_own() {
        let mut counts = ViolationCounts::default();
        for (index, violation) in Violation::ALL.into_iter().enumerate() {
            assert_eq!(violation as usize, index);
            counts.count(violation as usize);
        }
        assert!(Violation::ALL.into_iter().all(|violation| counts.of(violation as usize) == 1));
    }
}
