//! The most that one session may send, whatever the path could carry.

use super::frame::PAYLOAD_BYTES_MAX;
use crate::Timestamp;

/// What a payload costs beside its own bytes: at most 25 of netcode, 8 of UDP and 20 of IPv4.
const OVERHEAD_BYTES: u32 = 53;
/// The longest packet with all its headers.
#[expect(clippy::cast_possible_truncation, reason = "1,200")]
const PACKET_BYTES: u32 = PAYLOAD_BYTES_MAX as u32 + OVERHEAD_BYTES;
/// What may be saved up, in packets.
const CREDIT_PACKETS: u64 = 4;
/// Or in time, where that brings more: timers need not be more precise.
const CREDIT_MICROS: u64 = 20_000;
/// Reliable messages leave so many packets of it to what cannot wait.
const CREDIT_PACKETS_KEPT: u64 = 2;
/// What cannot wait may go into debt by so many packets before it waits as well.
const DEBT_PACKETS: u64 = 2;
const MICROS_PER_SECOND: u64 = 1_000_000;

/// A token bucket over all bytes that a link sends, kept as the time at which what has left is paid for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bandwidth {
    /// 0 where there is no limit.
    bytes_per_s: u32,
    paid_at: Timestamp,
}

impl Bandwidth {
    /// A full bucket for so many bytes a second, headers included.
    pub(crate) const fn new(bytes_per_s_max: Option<u32>) -> Self {
        let bytes_per_s = match bytes_per_s_max {
            Some(bytes_per_s) => bytes_per_s,
            None => 0,
        };
        Self { bytes_per_s, paid_at: Timestamp::ZERO }
    }

    /// When the next packet may leave.
    pub(crate) fn due(&self) -> Timestamp {
        let debt_micros = DEBT_PACKETS * self.micros_of(PACKET_BYTES);
        Timestamp::from_micros(self.paid_at.as_micros().saturating_sub(debt_micros))
    }

    /// When the next reliable message may leave and still leave something for what cannot wait.
    pub(crate) fn messages_due(&self) -> Timestamp {
        self.paid_at.plus_micros(CREDIT_PACKETS_KEPT * self.micros_of(PACKET_BYTES))
    }

    /// A payload of so many bytes left.
    pub(crate) fn on_sent(&mut self, now: Timestamp, payload_bytes: u16) {
        let credit_micros = (CREDIT_PACKETS * self.micros_of(PACKET_BYTES)).max(CREDIT_MICROS);
        let full_at = Timestamp::from_micros(now.as_micros().saturating_sub(credit_micros));
        let cost_micros = self.micros_of(u32::from(payload_bytes) + OVERHEAD_BYTES);
        self.paid_at = self.paid_at.max(full_at).plus_micros(cost_micros);
    }

    /// How long so many bytes take, rounded up, so that the limit is never passed.
    fn micros_of(&self, bytes: u32) -> u64 {
        match self.bytes_per_s {
            0 => 0,
            bytes_per_s => (u64::from(bytes) * MICROS_PER_SECOND).div_ceil(bytes_per_s.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One packet of 1,253 bytes takes 100 ms.
    const BYTES_PER_S: u32 = 12_530;

    fn ms(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    /// When full packets leave, in milliseconds, each as soon as `due` allows.
    fn departures(due: impl Fn(&Bandwidth) -> Timestamp, count: usize) -> std::vec::Vec<u64> {
        let mut bandwidth = Bandwidth::new(Some(BYTES_PER_S));
        let mut now = ms(10_000);
        let depart = |_| {
            now = now.max(due(&bandwidth));
            bandwidth.on_sent(now, 1_200);
            now.as_micros() / 1_000
        };
        (0..count).map(depart).collect()
    }

    #[test]
    fn without_a_limit_nothing_waits() {
        let mut bandwidth = Bandwidth::new(None);
        for _ in 0..1_000 {
            bandwidth.on_sent(ms(5), 1_200);
        }
        assert!(bandwidth.due() <= ms(5) && bandwidth.messages_due() <= ms(5));
    }

    #[test]
    fn what_cannot_wait_uses_up_the_credit_and_goes_into_debt() {
        let leave = departures(Bandwidth::due, 10);
        assert_eq!(leave, [10_000, 10_000, 10_000, 10_000, 10_000, 10_000, 10_000, 10_100, 10_200, 10_300]);
    }

    #[test]
    fn reliable_messages_keep_two_packets_of_credit() {
        let leave = departures(Bandwidth::messages_due, 6);
        assert_eq!(leave, [10_000, 10_000, 10_000, 10_100, 10_200, 10_300]);
    }

    #[test]
    fn a_pause_saves_up_no_more_than_the_bucket_holds() {
        let mut bandwidth = Bandwidth::new(Some(BYTES_PER_S));
        bandwidth.on_sent(ms(1_000), 1_200);
        bandwidth.on_sent(ms(3_600_000), 1_200);
        assert_eq!(bandwidth.messages_due(), ms(3_600_000 - 100));
        assert_eq!(bandwidth.due(), ms(3_600_000 - 500));
    }

    #[test]
    fn no_limit_and_no_time_overflow() {
        for bytes_per_s in [1, u32::MAX] {
            let mut bandwidth = Bandwidth::new(Some(bytes_per_s));
            bandwidth.on_sent(Timestamp::NEVER, u16::MAX);
            assert!(bandwidth.due() <= bandwidth.messages_due());
        }
    }
}
