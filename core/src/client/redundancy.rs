//! In how many packets each move input goes out, by how many packets are lost on the way (P48).

use crate::link::LinkStatistics;

/// Shares are counted in so many parts.
pub(super) const WHOLE: u64 = 65_536;
/// A share that is rare enough, that of inputs which are lost in all their packets among them: one in a thousand.
const RARE: u64 = WHOLE / 1_000;
/// When the fate of so many packets more is known, the share of lost ones is looked at again.
const PACKETS_PER_SAMPLE: u64 = 64;
/// More loss is believed to this part, so that bad times are met within seconds.
const RISE_DIVISOR: u64 = 2;
/// Less loss is believed to this part only: loss comes in bursts.
const FALL_DIVISOR: u64 = 8;

/// Chooses the fewest packets for each input that lose no more than one input in a thousand, within the range of the configuration.
#[derive(Debug)]
pub(super) struct MoveRedundancy {
    min: u8,
    max: u8,
    /// The share of packets that are lost.
    loss: u64,
    /// The totals of the link when the last sample was taken.
    packets_acknowledged: u64,
    packets_lost: u64,
}

impl MoveRedundancy {
    /// Begins with the fewest.
    pub(super) const fn new(min: u8, max: u8) -> Self {
        Self { min, max, loss: 0, packets_acknowledged: 0, packets_lost: 0 }
    }

    /// Looks at the totals of the link, if the fate of enough packets has become known since the last time.
    pub(super) fn observe(&mut self, totals: &LinkStatistics) {
        let acknowledged = totals.packets_acknowledged.saturating_sub(self.packets_acknowledged);
        let lost = totals.packets_lost.saturating_sub(self.packets_lost);
        let known = acknowledged.saturating_add(lost);
        if known < PACKETS_PER_SAMPLE {
            return;
        }
        let sample = u64::try_from(u128::from(lost) * u128::from(WHOLE) / u128::from(known)).unwrap_or(WHOLE);
        if sample > self.loss {
            self.loss += (sample - self.loss) / RISE_DIVISOR;
        } else {
            self.loss -= (self.loss - sample).div_ceil(FALL_DIVISOR);
        }
        self.packets_acknowledged = totals.packets_acknowledged;
        self.packets_lost = totals.packets_lost;
    }

    /// How many packets carry each input.
    pub(super) fn packets_per_input(&self) -> u8 {
        repeats_until_rare(self.loss, self.min, self.max)
    }
}

/// How often something has to be repeated that fails with this share, of [`WHOLE`], for all repeats to fail at most once in a thousand times;
/// from `min` to `max`.
pub(super) fn repeats_until_rare(failing: u64, min: u8, max: u8) -> u8 {
    let mut repeats = 1;
    let mut all_failing = failing;
    while all_failing > RARE && repeats < max {
        all_failing = all_failing * failing / WHOLE;
        repeats += 1;
    }
    repeats.max(min)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lets the fate of so many packets be known, of which such a part is lost.
    fn pass(redundancy: &mut MoveRedundancy, totals: &mut LinkStatistics, packets: u64, lost_percent: u64) {
        for packet in 0..packets {
            let is_lost = (packet + 1) * lost_percent / 100 > packet * lost_percent / 100;
            totals.packets_lost += u64::from(is_lost);
            totals.packets_acknowledged += u64::from(!is_lost);
            redundancy.observe(totals);
        }
    }

    #[test]
    fn p48_of_a_thousand_inputs_at_most_one_is_lost_in_all_its_packets() {
        for (lost_percent, packets) in
            [(0, 1), (3, 2), (9, 3), (16, 4), (24, 5), (40, 8), (90, 32), (100, 32)]
        {
            let mut redundancy = MoveRedundancy::new(1, 32);
            pass(&mut redundancy, &mut LinkStatistics::default(), 3_200, lost_percent);
            assert_eq!(redundancy.packets_per_input(), packets, "{lost_percent} %");
        }
    }

    #[test]
    fn p48_it_stays_within_its_range() {
        for (lost_percent, packets) in [(0, 3), (9, 3), (24, 5), (60, 8), (100, 8)] {
            let mut redundancy = MoveRedundancy::new(3, 8);
            pass(&mut redundancy, &mut LinkStatistics::default(), 3_200, lost_percent);
            assert_eq!(redundancy.packets_per_input(), packets, "{lost_percent} %");
        }
        assert_eq!(MoveRedundancy::new(4, 4).packets_per_input(), 4);
    }

    #[test]
    fn p48_it_rises_within_seconds_and_falls_within_a_minute() {
        let mut redundancy = MoveRedundancy::new(3, 8);
        let mut totals = LinkStatistics::default();
        pass(&mut redundancy, &mut totals, 640, 0);
        pass(&mut redundancy, &mut totals, 128, 40);
        assert_eq!(redundancy.packets_per_input(), 6);
        pass(&mut redundancy, &mut totals, 128, 40);
        assert!(redundancy.packets_per_input() >= 7);

        pass(&mut redundancy, &mut totals, 64, 0);
        assert!(redundancy.packets_per_input() >= 6, "not at the first good second");
        pass(&mut redundancy, &mut totals, 60 * 60, 0);
        assert_eq!(redundancy.packets_per_input(), 3);
    }

    #[test]
    fn an_outage_that_is_found_lost_at_once_counts_as_one_sample() {
        let mut redundancy = MoveRedundancy::new(3, 32);
        let lost = LinkStatistics { packets_lost: 400, ..LinkStatistics::default() };
        redundancy.observe(&lost);
        assert_eq!(redundancy.packets_per_input(), 10, "as for a loss of one half");
    }

    #[test]
    fn totals_that_no_link_has_do_not_overflow() {
        let mut redundancy = MoveRedundancy::new(1, 32);
        let packets_max = LinkStatistics {
            packets_acknowledged: u64::MAX,
            packets_lost: u64::MAX,
            ..LinkStatistics::default()
        };
        redundancy.observe(&packets_max);
        redundancy.observe(&LinkStatistics::default());
        assert_eq!(redundancy.packets_per_input(), 10);
    }
}
