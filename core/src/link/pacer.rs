//! Spreads reliable data over the round trip, so that no router has to hold a whole window at once (RFC 9002, section 7.7).

use super::congestion::Congestion;
use super::frame::PAYLOAD_BYTES_MAX;
use crate::Timestamp;

/// The longest payload.
#[expect(clippy::cast_possible_truncation, reason = "1,200")]
const PACKET_BYTES: u16 = PAYLOAD_BYTES_MAX as u16;

/// So many packets may leave together at any pace.
const BURST_PACKETS: u64 = 4;
/// And as many as the pace brings in this time: timers need not be more precise.
const BURST_MICROS: u64 = 4_000;
/// How much faster than a window in each round trip, in quarters: enough never to be what limits the flow.
const RATE_QUARTERS: u64 = 5;
/// While the window doubles, it does so within the round trip.
const RATE_QUARTERS_IN_SLOW_START: u64 = 8;
const MICROS_PER_SECOND: u64 = 1_000_000;

/// How fast reliable data leaves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    window_bytes: u64,
    rate_quarters: u64,
    round_trip_micros: u64,
}

impl Pace {
    /// The pace that goes with a window and a smoothed round trip.
    pub(crate) fn new(congestion: &Congestion, round_trip_micros: u64) -> Self {
        Self {
            window_bytes: congestion.window_bytes().into(),
            rate_quarters: if congestion.is_in_slow_start() {
                RATE_QUARTERS_IN_SLOW_START
            } else {
                RATE_QUARTERS
            },
            round_trip_micros: round_trip_micros.min(u32::MAX.into()),
        }
    }

    /// How long so many bytes take, rounded up.
    fn micros_of(&self, bytes: u16) -> u64 {
        // Of 16, 32 and 2 bits.
        let dividend = u64::from(bytes) * self.round_trip_micros * 4;
        dividend.div_ceil(self.window_bytes * self.rate_quarters)
    }

    /// How many bytes leave in a second; without a round trip, as many as in one of a microsecond.
    pub(crate) fn bytes_per_s(&self) -> u64 {
        let bytes_per_round_trip = self.window_bytes * self.rate_quarters / 4;
        bytes_per_round_trip * MICROS_PER_SECOND / self.round_trip_micros.max(1)
    }

    /// How far ahead of the pace a burst may be, before its last packet.
    fn tolerance_micros(&self) -> u64 {
        let packet_micros = self.micros_of(PACKET_BYTES);
        (packet_micros * BURST_PACKETS).max(BURST_MICROS) - packet_micros
    }
}

/// When the next packet may leave: a token bucket, kept as the time at which what has left is paid for.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pacer {
    paid_at: Timestamp,
}

impl Pacer {
    /// When the next packet may leave.
    pub(crate) fn due(self, pace: &Pace) -> Timestamp {
        Timestamp::from_micros(self.paid_at.as_micros().saturating_sub(pace.tolerance_micros()))
    }

    /// A packet of so many bytes left.
    pub(crate) fn on_sent(&mut self, now: Timestamp, bytes: u16, pace: &Pace) {
        self.paid_at = self.paid_at.max(now).plus_micros(pace.micros_of(bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 1,200 bytes take 10 ms at a window of 12,000 bytes, a round trip of 200 ms and twice the rate.
    fn pace() -> Pace {
        Pace { window_bytes: 12_000, rate_quarters: 8, round_trip_micros: 200_000 }
    }

    /// When packets leave that wait for nothing else, in microseconds.
    fn departures(pacer: &mut Pacer, pace: &Pace, start: Timestamp, count: usize) -> std::vec::Vec<u64> {
        let mut now = start;
        let depart = |_| {
            now = now.max(pacer.due(pace));
            pacer.on_sent(now, PACKET_BYTES, pace);
            now.as_micros()
        };
        (0..count).map(depart).collect()
    }

    #[test]
    fn four_packets_leave_together_and_the_others_evenly() {
        let leave = departures(&mut Pacer::default(), &pace(), Timestamp::from_millis(100), 7);
        assert_eq!(leave, [100_000, 100_000, 100_000, 100_000, 110_000, 120_000, 130_000]);
    }

    #[test]
    fn at_a_high_pace_as_many_packets_leave_together_as_four_milliseconds_bring() {
        let pace = Pace { round_trip_micros: 2_000, ..pace() };
        let leave = departures(&mut Pacer::default(), &pace, Timestamp::ZERO, 43);
        assert!(leave.iter().take(40).all(|&at| at == 0));
        assert_eq!(leave[40..], [100, 200, 300]);
    }

    #[test]
    fn a_pause_earns_one_burst_and_no_more() {
        let mut pacer = Pacer::default();
        departures(&mut pacer, &pace(), Timestamp::ZERO, 10);
        let leave = departures(&mut pacer, &pace(), Timestamp::from_millis(60_000), 5);
        assert_eq!(leave, [60_000_000, 60_000_000, 60_000_000, 60_000_000, 60_010_000]);
    }

    #[test]
    fn the_pace_is_the_window_in_each_round_trip_and_a_little_more() {
        let mut congestion = Congestion::new();
        assert_eq!(Pace::new(&congestion, 100_000).bytes_per_s(), 240_000, "twice, in slow start");
        let rtt = crate::link::rtt::RttEstimator::new();
        let lost = crate::link::sent::Lost { packets: 1, ..Default::default() };
        congestion.on_lost(Timestamp::from_millis(1), &lost, &rtt, true);
        assert_eq!(Pace::new(&congestion, 100_000).bytes_per_s(), 75_000);
    }

    #[test]
    fn small_packets_cost_what_they_weigh() {
        let mut pacer = Pacer::default();
        for _ in 0..12 {
            pacer.on_sent(Timestamp::ZERO, 300, &pace());
        }
        assert_eq!(pacer.due(&pace()), Timestamp::ZERO);
        pacer.on_sent(Timestamp::ZERO, 300, &pace());
        assert_eq!(pacer.due(&pace()), Timestamp::from_micros(2_500));
    }

    #[test]
    fn no_window_and_no_round_trip_overflow() {
        for window_bytes in [1, u32::MAX.into()] {
            for round_trip_micros in [0, u32::MAX.into()] {
                for rate_quarters in [RATE_QUARTERS, RATE_QUARTERS_IN_SLOW_START] {
                    let pace = Pace { window_bytes, rate_quarters, round_trip_micros };
                    let mut pacer = Pacer::default();
                    pacer.on_sent(Timestamp::NEVER, u16::MAX, &pace);
                    assert!(pacer.due(&pace) <= Timestamp::NEVER);
                    assert!(pace.bytes_per_s() > 0 || window_bytes == 1);
                }
            }
        }
    }
}
