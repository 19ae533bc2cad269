//! The sending half of a lane.

use alloc::collections::VecDeque;

use super::{KeptBytes, LaneWindow, Message};
use crate::link::byte_ring::TwoParts;
use crate::link::frame::PIECE_BYTES_MAX;
use crate::memory::{Room, Thrift, deque_bytes, needed_bytes, reserve_deque, shrink_idle};
use crate::planted::{PlantedBug, is_planted};

/// Why a message was not queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LaneSendError {
    /// The message is empty, or larger than its lane allows or the queue could ever hold.
    Size,
    /// The session has no such lane.
    NoSuchLane,
    /// The queue has no room.
    Full {
        /// How many bytes of what it keeps, the oldest first, the peer has to acknowledge before there is.
        bytes_to_acknowledge: usize,
    },
}

/// Where a piece stands on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    Queued,
    InFlight,
    Acked,
}

#[derive(Clone, Copy, Debug)]
struct Record {
    position: u64,
    len: u16,
    continues: bool,
    progress: Progress,
}

/// A piece of a message that is to be written next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OutgoingPiece<'a> {
    /// Its lane.
    pub(crate) lane: u8,
    /// Its number in this direction.
    pub(crate) number: u64,
    /// Whether its message goes on in the piece after it.
    pub(crate) continues: bool,
    /// Its bytes as they lie in the queue.
    pub(crate) bytes: TwoParts<'a>,
}

impl OutgoingPiece<'_> {
    /// How many bytes it has.
    pub(crate) const fn len(&self) -> usize {
        self.bytes.0.len() + self.bytes.1.len()
    }
}

/// Cuts messages into pieces, numbers them and keeps each until the peer has acknowledged it.
///
/// A piece stays in the queue until all before it are acknowledged too, so its bytes count for that long.
#[derive(Debug)]
pub(crate) struct ReliableSender {
    bytes: KeptBytes,
    /// One for each piece from the oldest that is not acknowledged.
    records: VecDeque<Record>,
    /// The number of the first record.
    first_number: u64,
    /// How many records were sent at least once; those behind them are new.
    sent_once: usize,
    /// How many of them are queued again.
    requeued: usize,
    queue_bytes_max: usize,
    queue_pieces_max: usize,
}

impl ReliableSender {
    /// A lane that keeps at most `queue_bytes_max` bytes in at most `queue_pieces_max` pieces.
    pub(crate) fn new(queue_bytes_max: usize, queue_pieces_max: usize) -> Self {
        Self {
            bytes: KeptBytes::new(queue_bytes_max),
            records: VecDeque::new(),
            first_number: 0,
            sent_once: 0,
            requeued: 0,
            queue_bytes_max,
            queue_pieces_max,
        }
    }

    /// Queues a message, all of it or nothing; returns the number of its first piece.
    pub(crate) fn push(&mut self, message: Message<'_>) -> Result<u64, LaneSendError> {
        let bytes = message.bytes();
        let pieces = bytes.len().div_ceil(PIECE_BYTES_MAX);
        if bytes.is_empty() || bytes.len() > self.queue_bytes_max || pieces > self.queue_pieces_max {
            return Err(LaneSendError::Size);
        }
        let bytes_to_acknowledge = self.bytes_in_the_way_of(bytes.len(), pieces);
        if bytes_to_acknowledge > 0 && !is_planted(PlantedBug::MemoryBoundIgnored) {
            return Err(LaneSendError::Full { bytes_to_acknowledge });
        }
        let number = self.first_number.saturating_add(self.records.len() as u64);
        let mut position = self.bytes.push(message);
        reserve_deque(&mut self.records, pieces, self.queue_pieces_max);
        let mut chunks = bytes.chunks(PIECE_BYTES_MAX).peekable();
        while let Some(chunk) = chunks.next() {
            // No chunk is longer than a packet.
            let len = u16::try_from(chunk.len()).unwrap_or(u16::MAX);
            let continues = chunks.peek().is_some();
            self.records.push_back(Record { position, len, continues, progress: Progress::Queued });
            position = position.wrapping_add(u64::from(len));
        }
        Ok(number)
    }

    /// The piece to be sent next, as one of `lane`, if the window has room for it (P51): what was lost goes ahead of what
    /// is new (P15).
    pub(crate) fn next_to_send(&self, lane: u8, window: LaneWindow) -> Option<OutgoingPiece<'_>> {
        let index = if self.requeued > 0 {
            self.records.iter().position(|record| record.progress == Progress::Queued)?
        } else {
            self.sent_once
        };
        let record = self.records.get(index)?;
        let is_beyond = index as u64 >= window.pieces() || self.bytes_up_to(record) > window.bytes() as u64;
        if is_beyond && !is_planted(PlantedBug::LaneWindowIgnored) {
            return None;
        }
        let number = self.first_number.saturating_add(index as u64);
        let bytes = self.bytes.get(record.position, usize::from(record.len));
        Some(OutgoingPiece { lane, number, continues: record.continues, bytes })
    }

    /// To be called when [`next_to_send`](Self::next_to_send) was written into a packet.
    pub(crate) fn on_sent(&mut self, number: u64) {
        let Some(index) = self.index_of(number) else { return };
        let Some(record) = self.records.get_mut(index) else { return };
        if record.progress != Progress::Queued {
            return;
        }
        record.progress = Progress::InFlight;
        if index < self.sent_once {
            self.requeued -= 1;
        } else {
            self.sent_once = index + 1;
        }
    }

    /// The peer has the piece; what is kept for it is freed as soon as all before it are acknowledged.
    pub(crate) fn on_acked(&mut self, number: u64) {
        let Some(index) = self.index_of(number).filter(|&index| index < self.sent_once) else { return };
        let Some(record) = self.records.get_mut(index) else { return };
        if record.progress == Progress::Queued {
            self.requeued -= 1;
        }
        record.progress = Progress::Acked;
        while let Some(record) = self.records.pop_front_if(|record| record.progress == Progress::Acked) {
            self.bytes.pop(usize::from(record.len));
            self.first_number = self.first_number.saturating_add(1);
            self.sent_once -= 1;
        }
        shrink_idle(&mut self.records);
    }

    /// The packet that carried the piece is lost: it is queued again.
    pub(crate) fn on_lost(&mut self, number: u64) {
        let Some(record) = self.index_of(number).and_then(|index| self.records.get_mut(index)) else {
            return;
        };
        if record.progress == Progress::InFlight {
            record.progress = Progress::Queued;
            self.requeued += 1;
        }
    }

    /// Queues again whatever is not acknowledged, in the order of its numbers (P24).
    pub(crate) fn requeue_all(&mut self) {
        for record in &mut self.records {
            if record.progress == Progress::InFlight {
                record.progress = Progress::Queued;
                self.requeued += 1;
            }
        }
    }

    /// Begins again at number 0 (P24); returns how many messages were discarded without an acknowledgement.
    pub(crate) fn restart(&mut self) -> u64 {
        let discarded = self.unacknowledged_messages();
        self.records.clear();
        shrink_idle(&mut self.records);
        self.bytes.clear();
        self.first_number = 0;
        self.sent_once = 0;
        self.requeued = 0;
        discarded
    }

    /// How many bytes are kept, acknowledged ones that wait for older ones included.
    pub(crate) fn queue_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Makes room for a message; `false`, and nothing changed, if that takes more memory than there is. Whether the queue's own bounds have room for it
    /// is for [`push`](Self::push) to say.
    pub(crate) fn make_room(&mut self, message: Message<'_>, room: &mut Room) -> bool {
        let pieces = message.bytes().len().div_ceil(PIECE_BYTES_MAX);
        let records = needed_bytes::<Record>(self.records.len(), self.records.capacity(), pieces);
        let is_planned = room.plan(self.bytes.needed_bytes(message) + records);
        if is_planned {
            self.bytes.make_room(message, room);
            room.reserve_deque(&mut self.records, pieces, self.queue_pieces_max);
        }
        is_planned
    }

    /// Whether the queue's bounds let this message in.
    pub(crate) fn admits(&self, message: Message<'_>) -> bool {
        let bytes = message.bytes().len();
        let pieces = bytes.div_ceil(PIECE_BYTES_MAX);
        bytes > 0
            && bytes <= self.queue_bytes_max
            && pieces <= self.queue_pieces_max
            && self.bytes_in_the_way_of(bytes, pieces) == 0
    }

    /// The memory it takes.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.bytes.memory_bytes() + deque_bytes(&self.records)
    }

    /// What is charged for it.
    pub(crate) fn charged_bytes(&self) -> usize {
        self.bytes.charged_bytes() + deque_bytes(&self.records)
    }

    /// Gives back memory that it does not use.
    pub(crate) fn give_back(&mut self, thrift: Thrift) {
        self.bytes.give_back(thrift);
        thrift.shrink_deque(&mut self.records);
    }

    /// The most memory that a lane with these bounds takes.
    pub(crate) const fn memory_bytes_max(queue_bytes_max: usize, queue_pieces_max: usize) -> usize {
        KeptBytes::memory_bytes_max(queue_bytes_max) + queue_pieces_max * size_of::<Record>()
    }

    /// How many bytes, in whole pieces from the oldest on, have to leave the queue before so much fits.
    fn bytes_in_the_way_of(&self, bytes: usize, pieces: usize) -> usize {
        let bytes_over = (self.bytes.len() + bytes).saturating_sub(self.queue_bytes_max);
        let pieces_over = (self.records.len() + pieces).saturating_sub(self.queue_pieces_max);
        let mut in_the_way = 0;
        for (count, record) in self.records.iter().enumerate() {
            if in_the_way >= bytes_over && count >= pieces_over {
                break;
            }
            in_the_way += usize::from(record.len);
        }
        in_the_way
    }

    /// How many messages have a piece that is not acknowledged.
    fn unacknowledged_messages(&self) -> u64 {
        let mut count = 0;
        let mut is_missing = false;
        for record in &self.records {
            is_missing |= record.progress != Progress::Acked;
            if !record.continues {
                count += u64::from(is_missing);
                is_missing = false;
            }
        }
        count
    }

    fn index_of(&self, number: u64) -> Option<usize> {
        usize::try_from(number.checked_sub(self.first_number)?).ok()
    }

    /// The bytes from the oldest record to the end of this one.
    fn bytes_up_to(&self, record: &Record) -> u64 {
        let start = self.records.front().map_or(record.position, |oldest| oldest.position);
        record.position.wrapping_sub(start).saturating_add(u64::from(record.len))
    }
}
