//! What the application sends and receives, in memory that a session takes when it first has any.

use alloc::boxed::Box;

use super::LinkLimits;
use super::datagrams::DatagramQueue;
use super::lane::{LaneReceivers, LaneSenders};
use super::latest::{LatestReceiver, LatestSender};

/// The application's queues.
#[derive(Debug)]
pub(crate) struct Queues {
    pub(crate) lanes_out: LaneSenders,
    pub(crate) lanes_in: LaneReceivers,
    pub(crate) datagrams: DatagramQueue,
    pub(crate) latest_out: LatestSender,
    pub(crate) latest_in: LatestReceiver,
}

/// The application's queues, if it ever used one; kept from then on.
#[derive(Debug, Default)]
pub(crate) struct Traffic(Option<Box<Queues>>);

impl Traffic {
    /// The queues, made now if need be.
    pub(crate) fn get_or_create(&mut self, limits: &LinkLimits) -> &mut Queues {
        self.0.get_or_insert_with(|| {
            Box::new(Queues {
                lanes_out: LaneSenders::default(),
                lanes_in: LaneReceivers::default(),
                datagrams: DatagramQueue::new(
                    limits.datagram_queue_bytes_max,
                    limits.datagram_queue_messages_max,
                ),
                latest_out: LatestSender::new(limits.latest_queue_bytes_max),
                latest_in: LatestReceiver::default(),
            })
        })
    }

    /// The memory they take.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.get().map_or(0, |queues| {
            size_of::<Queues>()
                + queues.lanes_out.memory_bytes()
                + queues.lanes_in.memory_bytes()
                + queues.datagrams.memory_bytes()
                + queues.latest_out.memory_bytes()
                + queues.latest_in.memory_bytes()
        })
    }

    /// The most memory that they take with these limits.
    pub(crate) const fn memory_bytes_max(limits: &LinkLimits) -> usize {
        size_of::<Queues>()
            + LaneSenders::memory_bytes_max(limits)
            + LaneReceivers::memory_bytes_max(limits)
            + DatagramQueue::memory_bytes_max(
                limits.datagram_queue_bytes_max,
                limits.datagram_queue_messages_max,
            )
            + LatestSender::memory_bytes_max(limits.latest_queue_bytes_max, limits.latest_keys)
            + LatestReceiver::memory_bytes_max(limits.latest_keys)
    }

    /// The queues, if there are any.
    pub(crate) fn get(&self) -> Option<&Queues> {
        self.0.as_deref()
    }

    /// The queues, if there are any.
    pub(crate) fn get_mut(&mut self) -> Option<&mut Queues> {
        self.0.as_deref_mut()
    }
}
