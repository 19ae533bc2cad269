//! A packet while it is written.

use smallvec::SmallVec;

use super::control::Control;
use super::frame::FrameWriter;
use super::received::AckUrgency;

/// How many things a packet may carry that matter when it is acknowledged or lost.
///
/// They fit their record in place, so that recording a packet allocates nothing.
const CARRIED_MAX: usize = 4;

/// Something that a packet carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carried {
    /// A control frame.
    Control(Control),
    /// Reliable messages of one lane with consecutive numbers.
    Messages {
        /// The lane.
        lane: u8,
        /// The lowest number.
        first: u64,
        /// How many.
        count: u16,
    },
    /// The state of this server tick.
    State(u64),
    /// Consecutive sendings of latest-wins values.
    Latest {
        /// The lowest number.
        first: u64,
        /// How many.
        count: u16,
    },
    /// An ack that named everything received up to this sequence.
    Ack(u64),
}

/// All that a packet carried.
pub(crate) type CarriedList = SmallVec<[Carried; CARRIED_MAX]>;

/// The frames of a packet that is being written, and what has to be remembered of them.
#[derive(Debug)]
pub(crate) struct Draft<'a> {
    /// Where the frames go.
    pub(crate) writer: FrameWriter<'a>,
    urgency: AckUrgency,
    carried: CarriedList,
}

impl<'a> Draft<'a> {
    /// An empty packet.
    pub(crate) fn new(out: &'a mut [u8]) -> Self {
        Self { writer: FrameWriter::new(out), urgency: AckUrgency::None, carried: CarriedList::new() }
    }

    /// Notes that a frame of this urgency was written (P12).
    pub(crate) fn raise_urgency(&mut self, urgency: AckUrgency) {
        self.urgency = self.urgency.max(urgency);
    }

    /// How many more things it may carry.
    pub(crate) fn places_left(&self) -> usize {
        CARRIED_MAX.saturating_sub(self.carried.len())
    }

    /// Remembers something that was written; there is a place left for it.
    pub(crate) fn carry(&mut self, carried: Carried) {
        debug_assert!(self.places_left() > 0, "places are counted before a frame is written");
        self.carried.push(carried);
    }

    /// Whether the message of this lane and number can be remembered.
    pub(crate) fn has_place_for_message(&self, lane: u8, number: u64) -> bool {
        self.places_left() > 0 || self.carried.iter().any(|carried| carried.is_followed_by(lane, number))
    }

    /// Remembers a message that was written.
    pub(crate) fn carry_message(&mut self, lane: u8, number: u64) {
        match self.carried.iter_mut().find(|carried| carried.is_followed_by(lane, number)) {
            Some(Carried::Messages { count, .. }) => *count += 1,
            _ => self.carry(Carried::Messages { lane, first: number, count: 1 }),
        }
    }

    /// Whether a reliable message was written.
    pub(crate) fn carries_messages(&self) -> bool {
        self.carried.iter().any(|carried| matches!(carried, Carried::Messages { .. }))
    }

    /// Remembers a sending of a latest-wins value; a packet's are consecutive, so that only the first needs a place.
    pub(crate) fn carry_latest(&mut self, number: u64) {
        match self.carried.last_mut() {
            Some(Carried::Latest { count, .. }) => *count += 1,
            _ => self.carry(Carried::Latest { first: number, count: 1 }),
        }
    }

    /// What has to be remembered when the packet is sent.
    pub(crate) fn finish(self) -> (AckUrgency, CarriedList) {
        (self.urgency, self.carried)
    }
}

impl Carried {
    /// Whether the message of this lane and number comes right after these messages.
    fn is_followed_by(&self, next_lane: u8, number: u64) -> bool {
        match self {
            Self::Messages { lane, first, count } => {
                *lane == next_lane && first.checked_add(u64::from(*count)) == Some(number)
            }
            Self::Control(_) | Self::State(_) | Self::Latest { .. } | Self::Ack(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn consecutive_messages_of_a_lane_take_one_place() {
        let mut bytes = [0; 10];
        let mut draft = Draft::new(&mut bytes);
        draft.carry(Carried::Ack(8));
        draft.carry(Carried::State(9));
        for number in [4, 5, 6, 8, 9] {
            assert!(draft.has_place_for_message(0, number));
            draft.carry_message(0, number);
        }
        assert!(draft.has_place_for_message(0, 10));
        assert!(!draft.has_place_for_message(0, 11));
        assert!(!draft.has_place_for_message(1, 10));
        let (_, carried) = draft.finish();
        let messages = |first, count| Carried::Messages { lane: 0, first, count };
        let others = [Carried::Ack(8), Carried::State(9)];
        assert_eq!(carried.as_slice(), [&others[..], &[messages(4, 3), messages(8, 2)]].concat());
    }

    #[test]
    fn the_sendings_of_latest_values_take_one_place() {
        let mut bytes = [0; 10];
        let mut draft = Draft::new(&mut bytes);
        draft.carry(Carried::State(9));
        for number in 70..75 {
            draft.carry_latest(number);
        }
        let (_, carried) = draft.finish();
        assert_eq!(carried.as_slice(), [Carried::State(9), Carried::Latest { first: 70, count: 5 }]);
    }

    #[test]
    fn lanes_that_take_turns_take_one_place_each() {
        let mut bytes = [0; 10];
        let mut draft = Draft::new(&mut bytes);
        draft.carry(Carried::Ack(9));
        for number in 0..5 {
            draft.carry_message(3, 70 + number);
            draft.carry_message(4, number);
        }
        let (_, carried) = draft.finish();
        let messages = |lane, first| Carried::Messages { lane, first, count: 5 };
        assert_eq!(carried.as_slice(), [Carried::Ack(9), messages(3, 70), messages(4, 0)]);
    }

    #[test]
    fn the_record_of_a_packet_stays_small_and_in_place() {
        assert!(size_of::<CarriedList>() <= 112);
    }
}
