//! An honest sender and its receiver.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::super::input::Input;
use super::{STEPS_MAX, draw_lane, terms};
use crate::Violation;
use crate::link::LinkLimits;
use crate::link::frame::UNORDERED_LANE;
use crate::link::lane::{LaneReceivers, LaneSendError, LaneSenders, LaneWindow, Message, Piece};

/// Pieces on their way at most, beside those of the end.
const PATH_MAX: usize = 512;
/// Bytes of messages of one input at most.
const BYTES_MAX: usize = 1 << 20;

/// A piece on its way, or one that was delivered and may come again.
#[derive(Clone)]
struct InFlight {
    lane: u8,
    number: u64,
    continues: bool,
    bytes: Vec<u8>,
    has_arrived: bool,
}

/// What a lane's window counts (P51).
#[derive(Default)]
struct Outstanding {
    first: u64,
    /// The length of each piece, and whether it is acknowledged.
    pieces: VecDeque<(usize, bool)>,
}

impl Outstanding {
    fn sent(&mut self, number: u64, len: usize, window: LaneWindow) {
        let index = usize::try_from(number - self.first).expect("none that was acknowledged");
        assert!(index <= self.pieces.len(), "a number is left out");
        if index == self.pieces.len() {
            self.pieces.push_back((len, false));
        }
        assert_eq!(self.pieces[index], (len, false), "piece {number} as it was, and still needed");
        let bytes: usize = self.pieces.iter().take(index + 1).map(|(len, _)| len).sum();
        assert!(index < 1_024.min(window.bytes() / 1_024).max(256), "{index} pieces before {number}");
        assert!(bytes <= window.bytes(), "{bytes} bytes up to piece {number}");
    }

    fn acknowledged(&mut self, number: u64) {
        let index = number.checked_sub(self.first).and_then(|index| usize::try_from(index).ok());
        if let Some((_, is_acked)) = index.and_then(|index| self.pieces.get_mut(index)) {
            *is_acked = true;
        }
        while self.pieces.pop_front_if(|&mut (_, is_acked)| is_acked).is_some() {
            self.first += 1;
        }
    }
}

struct Pair<'a> {
    limits: &'a LinkLimits,
    senders: LaneSenders,
    receivers: LaneReceivers,
    path: Vec<InFlight>,
    /// By lane: the pieces that were sent, from the oldest that is not acknowledged on.
    outstanding: BTreeMap<u8, Outstanding>,
    /// By lane: what was sent and not delivered yet, oldest first.
    awaited: BTreeMap<u8, VecDeque<Vec<u8>>>,
    messages: u32,
    bytes_left: usize,
}

pub(super) fn run(mut input: Input<'_>, limits: &LinkLimits) {
    let mut pair = Pair {
        limits,
        senders: LaneSenders::default(),
        receivers: LaneReceivers::default(),
        path: Vec::new(),
        outstanding: BTreeMap::new(),
        awaited: BTreeMap::new(),
        messages: 0,
        bytes_left: BYTES_MAX,
    };
    for _ in 0..STEPS_MAX {
        if input.is_empty() {
            break;
        }
        pair.take(&mut input);
        assert!(pair.senders.memory_bytes() <= LaneSenders::memory_bytes_max(limits));
        assert!(pair.receivers.memory_bytes() <= LaneReceivers::memory_bytes_max(limits));
    }
    pair.calm_down();
}

impl Pair<'_> {
    fn take(&mut self, input: &mut Input<'_>) {
        match input.u8() % 12 {
            0 | 1 => {
                let (lane, len, is_shared) = (draw_lane(input), input.u16(), input.u8() & 1 == 1);
                self.push(lane, len.into(), is_shared);
            }
            2 => {
                let room = PATH_MAX.saturating_sub(self.path.len());
                let wanted = usize::from(input.u8());
                (0..wanted.min(room)).take_while(|_| self.send()).for_each(drop);
            }
            3 => self.with_place(input, Self::deliver),
            4 => self.with_place(input, Self::acknowledge),
            5 => self.with_place(input, |pair, place| {
                let InFlight { lane, number, .. } = pair.path[place];
                pair.senders.on_lost(lane, number, 1);
            }),
            6 => {
                let count = usize::from(input.u8());
                (0..count.min(self.path.len())).for_each(|place| self.deliver(place));
            }
            7 => self.senders.requeue_all(),
            8 => (0..self.path.len()).rev().for_each(|place| self.deliver(place)),
            9 | 10 => {
                // As many as a window has pieces, and some more.
                let (lane, count, len) = (draw_lane(input), 2 * u16::from(input.u8()), input.u8());
                (0..count).for_each(|_| self.push(lane, len.into(), false));
            }
            _ => self.restart(),
        }
    }

    fn with_place(&mut self, input: &mut Input<'_>, act: impl FnOnce(&mut Self, usize)) {
        if let Some(place) = input.place(self.path.len()) {
            act(self, place);
        }
    }

    fn push(&mut self, lane: u8, len: usize, is_shared: bool) {
        if len > self.bytes_left {
            return;
        }
        let mut message = self.messages.to_le_bytes().repeat(len.div_ceil(4));
        message.truncate(len);
        let buffer: Arc<[u8]> = Arc::from(&message[..]);
        let given = if is_shared { Message::Shared(&buffer) } else { Message::Borrowed(&message) };
        let queued_bytes = self.senders.queue_bytes();
        match self.senders.push(lane, given, self.limits) {
            Ok(_) => {
                self.messages += 1;
                self.bytes_left -= len;
                self.awaited.entry(lane).or_default().push_back(message);
                assert_eq!(self.senders.queue_bytes(), queued_bytes + len);
            }
            Err(LaneSendError::Full { bytes_to_acknowledge }) => {
                assert!(
                    (1..=queued_bytes).contains(&bytes_to_acknowledge),
                    "{bytes_to_acknowledge} in the way"
                );
            }
            Err(LaneSendError::Size) => assert!(self.is_unfit(lane, len), "{len} bytes are refused"),
            Err(LaneSendError::NoSuchLane) => panic!("lane {lane} is there"),
        }
    }

    fn is_unfit(&self, lane: u8, len: usize) -> bool {
        let pieces = len.div_ceil(crate::link::frame::PIECE_BYTES_MAX);
        let too_long = len == 0 || len > self.limits.queueable_bytes_max(lane);
        too_long || pieces > self.limits.lane_queue_pieces_max
    }

    fn send(&mut self) -> bool {
        let Some(piece) = self.senders.next_to_send(self.limits.lane_window, |_| true) else { return false };
        let (lane, number) = (piece.lane, piece.number);
        let bytes = [piece.bytes.0, piece.bytes.1].concat();
        self.outstanding.entry(lane).or_default().sent(number, bytes.len(), self.limits.lane_window);
        self.path.push(InFlight { lane, number, continues: piece.continues, bytes, has_arrived: false });
        self.senders.on_sent(lane, number);
        true
    }

    /// Lets a piece arrive, and maybe again later.
    fn deliver(&mut self, place: usize) {
        let Self { limits, receivers, path, awaited, .. } = self;
        let in_flight = &mut path[place];
        in_flight.has_arrived = true;
        let InFlight { lane, number, continues, ref bytes, .. } = *in_flight;
        let awaited = awaited.entry(lane).or_default();
        let arrival = receivers.receive(lane, number, Piece { bytes, continues }, terms(limits), |message| {
            let found = awaited.iter().position(|awaited| awaited == message);
            let is_its_turn = found == Some(0) || lane == UNORDERED_LANE && found.is_some();
            assert!(is_its_turn, "lane {lane} delivers what is not awaited: {found:?}");
            found.map(|found| awaited.remove(found));
        });
        assert_eq!(Violation::of_arrival(Some(arrival)), Ok(()), "an honest sender's piece: {arrival:?}");
    }

    /// Tells the sender of a piece that arrived; it may come again all the same.
    fn acknowledge(&mut self, place: usize) {
        let InFlight { lane, number, has_arrived, .. } = self.path[place];
        if has_arrived {
            self.senders.on_acked(lane, number, 1);
            self.outstanding.entry(lane).or_default().acknowledged(number);
        }
    }

    /// Both ends begin afresh, and what is on its way belongs to a key epoch that is over.
    fn restart(&mut self) {
        self.senders.restart();
        self.receivers.restart();
        self.path.clear();
        self.outstanding.clear();
        self.awaited.clear();
        assert_eq!((self.senders.queue_bytes(), self.receivers.held_back_bytes()), (0, 0));
    }

    /// Nothing is lost any more: everything arrives.
    fn calm_down(mut self) {
        loop {
            self.senders.requeue_all();
            let mut is_over = true;
            while self.send() {
                is_over = false;
            }
            for place in 0..self.path.len() {
                self.deliver(place);
                self.acknowledge(place);
            }
            self.path.clear();
            if is_over {
                break;
            }
        }
        let missing: usize = self.awaited.values().map(VecDeque::len).sum();
        assert_eq!(missing, 0, "messages are missing");
        assert_eq!((self.senders.queue_bytes(), self.receivers.held_back_bytes()), (0, 0));
    }
}
