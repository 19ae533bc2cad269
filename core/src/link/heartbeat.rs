//! Heartbeats: when one is due, which answer is owed, and what an answer tells (PROTOCOL.md, section 7).

use super::frame::{HeartbeatResponse, Role};
use crate::Timestamp;

/// A peer that asks for a shorter interval gets this one.
const INTERVAL_MS_MIN: u64 = 10;

/// A client that hears nothing asks so many times as often (P35).
const INQUIRIES_PER_INTERVAL: u64 = 4;
/// It stops after a silence of so many intervals: by then the path is dead, or one that its owner is patient with.
const INQUIRY_INTERVALS: u64 = 4;

/// After how long a silence a client asks: a response is late by half an interval.
const fn inquiry_silence_ms(interval_ms: u64) -> u64 {
    interval_ms.saturating_add(interval_ms / 2)
}

/// A server is silent for this much longer than the interval before it sends a heartbeat of its own: by then the client's
/// next one, whose response makes it needless, should have come.
const fn server_interval_ms(interval_ms: u64) -> u64 {
    interval_ms.saturating_add(interval_ms / 2)
}

/// A heartbeat of the peer that waits for its response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OwedResponse {
    /// Goes back as it came.
    pub(crate) stamp: u64,
    /// When the heartbeat arrived.
    pub(crate) received_at: Timestamp,
}

/// The heartbeats of one end in both directions.
#[derive(Debug)]
pub(crate) struct Heartbeat {
    role: Role,
    sent: u32,
    /// After how long this end sends one; `None` until the key epoch is open.
    interval_ms: Option<u64>,
    /// When one has to be sent by itself, unless the peer's silence makes it due before.
    due: Option<Timestamp>,
    owed: Option<OwedResponse>,
    /// No stamp of this key epoch is below it.
    epoch_start: Timestamp,
}

impl Heartbeat {
    /// Sends none until it is started.
    pub(crate) const fn new(role: Role, now: Timestamp) -> Self {
        Self { role, sent: 0, interval_ms: None, due: None, owed: None, epoch_start: now }
    }

    /// Forgets everything of the former key epoch, the interval too.
    pub(crate) const fn connection_replaced(&mut self, now: Timestamp) {
        *self = Self::new(self.role, now);
    }

    /// Begins to send them: a client one every `interval_ms`, the first at once, a server one when it has sent nothing for
    /// one and a half intervals (P35).
    pub(crate) fn start(&mut self, now: Timestamp, interval_ms: u64) {
        let interval_ms = interval_ms.max(INTERVAL_MS_MIN);
        let (interval_ms, first_due) = match self.role {
            Role::Client => (interval_ms, now),
            Role::Server => {
                let silence_ms = server_interval_ms(interval_ms);
                (silence_ms, now.plus_millis(silence_ms))
            }
        };
        self.interval_ms = Some(interval_ms);
        self.due = Some(first_due);
    }

    /// Asks for a heartbeat with the next packet, which leaves at once: one that must be answered (P14).
    pub(crate) fn request_probe(&mut self, now: Timestamp) {
        self.due = Some(self.due.map_or(now, |due| due.min(now)));
    }

    /// When a heartbeat is due, if the peer's newest packet was heard at `heard_at`.
    fn due(&self, heard_at: Option<Timestamp>) -> Option<Timestamp> {
        let due = self.due?;
        let inquiry = heard_at.and_then(|heard_at| self.inquiry_due(due, heard_at));
        Some(inquiry.map_or(due, |inquiry| inquiry.min(due)))
    }

    /// When a client asks early whether its server is there still, where its next heartbeat is `due`. A few packets that were lost in
    /// a row would otherwise be taken for a dead path.
    fn inquiry_due(&self, due: Timestamp, heard_at: Timestamp) -> Option<Timestamp> {
        let interval_ms = self.interval_ms.filter(|_| self.role == Role::Client)?;
        let pause_ms = (interval_ms / INQUIRIES_PER_INTERVAL).max(INTERVAL_MS_MIN);
        // The last one left an interval before the next is due.
        let earlier_micros = interval_ms.saturating_sub(pause_ms).saturating_mul(1_000);
        let after_last = Timestamp::from_micros(due.as_micros().saturating_sub(earlier_micros));
        let inquiry = heard_at.plus_millis(inquiry_silence_ms(interval_ms)).max(after_last);
        let end = heard_at.plus_millis(interval_ms.saturating_mul(INQUIRY_INTERVALS));
        (inquiry < end).then_some(inquiry)
    }

    /// When a packet has to leave for a heartbeat or a response: for the latter at once.
    pub(crate) fn output_due(&self, heard_at: Option<Timestamp>) -> Option<Timestamp> {
        if self.owed.is_some() { Some(Timestamp::ZERO) } else { self.due(heard_at) }
    }

    /// Whether a heartbeat goes into the packet that is written at `now`.
    pub(crate) fn is_due(&self, now: Timestamp, heard_at: Option<Timestamp>) -> bool {
        self.due(heard_at).is_some_and(|due| due <= now)
    }

    /// The response that goes into the next packet.
    pub(crate) const fn owed(&self) -> Option<OwedResponse> {
        self.owed
    }

    /// To be called when the response was written.
    pub(crate) const fn on_response_sent(&mut self) {
        self.owed = None;
    }

    /// To be called for each packet that is sent, with whether it holds a heartbeat.
    pub(crate) fn on_packet_sent(&mut self, now: Timestamp, holds_heartbeat: bool) {
        self.sent = self.sent.wrapping_add(u32::from(holds_heartbeat));
        if holds_heartbeat || self.role == Role::Server {
            self.due = self.interval_ms.map(|interval_ms| now.plus_millis(interval_ms));
        }
    }

    /// How many left in this key epoch.
    pub(crate) const fn sent(&self) -> u32 {
        self.sent
    }

    /// Owes a response. Of several that arrive before it leaves, the newest is answered.
    pub(crate) const fn handle_heartbeat(&mut self, now: Timestamp, stamp: u64) {
        self.owed = Some(OwedResponse { stamp, received_at: now });
    }

    /// The round trip that a response tells, the peer's delay included; `None` for a stamp that this end cannot have
    /// sent in this key epoch, or for a delay longer than the whole round trip.
    pub(crate) fn round_trip_micros(&self, now: Timestamp, response: &HeartbeatResponse) -> Option<u64> {
        if response.stamp < self.epoch_start.as_micros() {
            return None;
        }
        now.as_micros().checked_sub(response.stamp).filter(|elapsed| response.delay_micros <= *elapsed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn p35_a_client_sends_one_every_interval_whatever_else_it_sends() {
        let mut heartbeat = Heartbeat::new(Role::Client, ms(0));
        assert_eq!(heartbeat.due(None), None);
        heartbeat.start(ms(5), 1_000);
        assert!(heartbeat.is_due(ms(5), None));
        heartbeat.on_packet_sent(ms(5), true);
        heartbeat.on_packet_sent(ms(900), false);
        assert_eq!(heartbeat.due(None), Some(ms(1_005)));
    }

    /// When heartbeats leave up to `end_ms`, if the server was heard last at `heard_ms`.
    fn departures(heartbeat: &mut Heartbeat, heard_ms: u64, end_ms: u64) -> alloc::vec::Vec<u64> {
        core::iter::from_fn(|| {
            let at = heartbeat.due(Some(ms(heard_ms))).filter(|&at| at <= ms(end_ms))?;
            heartbeat.on_packet_sent(at, true);
            Some(at.as_micros() / 1_000)
        })
        .collect()
    }

    #[test]
    fn p35_a_client_that_hears_nothing_asks_four_times_as_often_until_the_silence_is_four_intervals_long() {
        let mut heartbeat = Heartbeat::new(Role::Client, ms(0));
        heartbeat.start(ms(0), 1_000);

        assert_eq!(departures(&mut heartbeat, 100, 1_100), [0, 1_000]);
        assert_eq!(departures(&mut heartbeat, 1_100, 3_000), [2_000, 2_600, 2_850]);
        assert_eq!(departures(&mut heartbeat, 3_000, 5_000), [3_850, 4_500, 4_750, 5_000]);
        let last = [5_250, 5_500, 5_750, 6_000, 6_250, 6_500, 6_750, 7_750, 8_750];
        assert_eq!(departures(&mut heartbeat, 3_000, 9_000), last);
    }

    #[test]
    fn a_client_whose_interval_is_the_shortest_asks_no_more_often_in_a_silence() {
        let mut heartbeat = Heartbeat::new(Role::Client, ms(0));
        heartbeat.start(ms(0), 10);

        assert_eq!(departures(&mut heartbeat, 0, 40), [0, 10, 20, 30, 40]);
    }

    #[test]
    fn p35_a_server_sends_one_when_it_has_sent_nothing_for_one_and_a_half_intervals() {
        let mut heartbeat = Heartbeat::new(Role::Server, ms(0));
        heartbeat.start(ms(0), 1_000);
        heartbeat.on_packet_sent(ms(900), false);
        assert!(!heartbeat.is_due(ms(2_399), None));
        assert!(heartbeat.is_due(ms(2_400), None));
    }

    #[test]
    fn a_peer_that_asks_for_heartbeats_without_pause_gets_ten_milliseconds() {
        let mut heartbeat = Heartbeat::new(Role::Client, ms(0));
        heartbeat.start(ms(0), 0);
        heartbeat.on_packet_sent(ms(0), true);
        assert_eq!(heartbeat.due(None), Some(ms(10)));
        heartbeat.start(ms(0), u64::MAX);
        heartbeat.on_packet_sent(ms(0), true);
        assert_eq!(heartbeat.due(None), Some(Timestamp::NEVER));
    }

    #[test]
    fn a_probe_leaves_at_once_even_before_the_interval_is_known() {
        let mut heartbeat = Heartbeat::new(Role::Client, ms(0));
        heartbeat.request_probe(ms(7));
        assert_eq!(heartbeat.output_due(None), Some(ms(7)));
        heartbeat.on_packet_sent(ms(7), true);
        assert_eq!(heartbeat.due(None), None);
    }

    #[test]
    fn a_heartbeat_is_answered_once() {
        let mut heartbeat = Heartbeat::new(Role::Server, ms(0));
        heartbeat.handle_heartbeat(ms(3), 42);
        assert_eq!(heartbeat.output_due(None), Some(Timestamp::ZERO));
        assert_eq!(heartbeat.owed(), Some(OwedResponse { stamp: 42, received_at: ms(3) }));
        heartbeat.on_response_sent();
        assert_eq!(heartbeat.output_due(None), None);
    }

    #[test]
    fn a_response_tells_the_round_trip_unless_its_figures_are_impossible() {
        let heartbeat = Heartbeat::new(Role::Client, ms(100));
        let response = |stamp: Timestamp, delay_micros| HeartbeatResponse {
            stamp: stamp.as_micros(),
            delay_micros,
            server_tick: 0,
            tick_phase_micros: 0,
            move_arrival: None,
        };
        assert_eq!(heartbeat.round_trip_micros(ms(150), &response(ms(110), 5_000)), Some(40_000));
        assert_eq!(heartbeat.round_trip_micros(ms(150), &response(ms(99), 0)), None);
        assert_eq!(heartbeat.round_trip_micros(ms(150), &response(ms(151), 0)), None);
        assert_eq!(heartbeat.round_trip_micros(ms(150), &response(ms(110), 40_001)), None);
        assert_eq!(heartbeat.round_trip_micros(ms(150), &response(Timestamp::NEVER, u64::MAX)), None);
    }
}
