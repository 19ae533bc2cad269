//! The round-trip time of a path, estimated as in RFC 9002, section 5, in whole microseconds.

/// What is assumed before the first sample (RFC 9002, section 6.2.2).
const INITIAL_MICROS: u64 = 333_000;
/// The precision that timers can be expected to have (RFC 9002, section 6.1.2).
const GRANULARITY_MICROS: u64 = 1_000;
/// Longer samples count as this long. No path in use is so slow: it is this end's machine that slept, and what hours in an average do
/// to the pace and to all waiting would last for minutes.
const SAMPLE_MAX_MICROS: u64 = 10_000_000;

/// The estimate for one path, in microseconds throughout; a change of connection starts it again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RttEstimator {
    smoothed: u64,
    variance: u64,
    latest: u64,
    min: Option<u64>,
}

impl RttEstimator {
    /// An estimator without samples, which assumes 333 ms.
    pub(crate) const fn new() -> Self {
        Self { smoothed: INITIAL_MICROS, variance: INITIAL_MICROS / 2, latest: INITIAL_MICROS, min: None }
    }

    /// Forgets every sample, for a new path.
    pub(crate) fn reset(&mut self) {
        *self = Self::new();
    }

    /// Adds a sample: the time from a packet's sending to its acknowledgement, and what the peer says it waited
    /// before acknowledging.
    ///
    /// The delay is subtracted only where the rest is not below the minimum, which is measured here alone, so a
    /// wrong delay makes no path look shorter than it was seen to be. Acknowledgements that wait for a packet to
    /// ride in may be late for good reason; therefore, other than in the RFC, a delay is not cut to the longest
    /// deliberate one, and it does not lengthen the wait for lost packets either. As in its appendix A.7, the variance is updated against the mean before this sample.
    pub(crate) fn update(&mut self, latest_micros: u64, ack_delay_micros: u64) {
        let latest = latest_micros.min(SAMPLE_MAX_MICROS);
        self.latest = latest;
        let Some(min_so_far) = self.min else {
            self.min = Some(latest);
            self.smoothed = latest;
            self.variance = latest / 2;
            return;
        };
        let min = min_so_far.min(latest);
        self.min = Some(min);
        let adjusted =
            if latest >= min.saturating_add(ack_delay_micros) { latest - ack_delay_micros } else { latest };
        self.latest = adjusted;
        let deviation = self.smoothed.abs_diff(adjusted);
        self.variance = (3 * self.variance + deviation) / 4;
        self.smoothed = (7 * self.smoothed + adjusted) / 8;
    }

    /// The smoothed round-trip time.
    pub(crate) fn smoothed_micros(&self) -> u64 {
        self.smoothed
    }

    /// The newest sample, without the peer's delay.
    pub(crate) fn latest_micros(&self) -> u64 {
        self.latest
    }

    /// The mean deviation from the smoothed round-trip time.
    pub(crate) fn variance_micros(&self) -> u64 {
        self.variance
    }

    /// The shortest sample; `None` before the first.
    pub(crate) fn min_micros(&self) -> Option<u64> {
        self.min
    }

    /// How long to wait for an acknowledgement before a probe is sent (RFC 9002, section 6.2.1), if the peer may
    /// hold it back for `max_ack_delay_micros`.
    pub(crate) fn pto_micros(&self, max_ack_delay_micros: u64) -> u64 {
        let scatter = (4 * self.variance).max(GRANULARITY_MICROS);
        self.smoothed.saturating_add(scatter).saturating_add(max_ack_delay_micros)
    }

    /// How long a packet may be outstanding after a later one was acknowledged (RFC 9002, section 6.1.2).
    pub(crate) fn loss_delay_micros(&self) -> u64 {
        let longest = self.smoothed.max(self.latest);
        (longest * 9 / 8).max(GRANULARITY_MICROS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sampled(samples: &[(u64, u64)]) -> RttEstimator {
        let mut rtt = RttEstimator::new();
        for (latest_micros, ack_delay_micros) in samples {
            rtt.update(*latest_micros, *ack_delay_micros);
        }
        rtt
    }

    fn figures(rtt: &RttEstimator) -> (u64, u64, Option<u64>) {
        (rtt.smoothed_micros(), rtt.variance_micros(), rtt.min_micros())
    }

    #[test]
    fn a_third_of_a_second_is_assumed_at_first_and_after_a_reset() {
        let mut rtt = sampled(&[(20_000, 0)]);
        rtt.reset();
        assert_eq!(figures(&rtt), (333_000, 166_500, None));
        assert_eq!(rtt.pto_micros(25_000), 333_000 + 666_000 + 25_000);
    }

    #[test]
    fn the_first_sample_is_taken_whole() {
        let rtt = sampled(&[(100_000, 40_000)]);
        assert_eq!(figures(&rtt), (100_000, 50_000, Some(100_000)));
        assert_eq!(rtt.pto_micros(25_000), 100_000 + 200_000 + 25_000);
    }

    #[test]
    fn later_samples_are_smoothed_without_the_peers_delay() {
        let rtt = sampled(&[(100_000, 0), (120_000, 10_000)]);
        assert_eq!(figures(&rtt), (101_250, 40_000, Some(100_000)));
    }

    #[test]
    fn a_delay_that_would_undercut_the_minimum_is_ignored() {
        let rtt = sampled(&[(100_000, 0), (120_000, 10_000), (105_000, 10_000)]);
        assert_eq!(figures(&rtt), (101_718, 30_937, Some(100_000)));
        let lied_to = sampled(&[(100_000, 0), (100_000, u64::MAX)]);
        assert_eq!(figures(&lied_to), (100_000, 37_500, Some(100_000)));
    }

    #[test]
    fn the_minimum_follows_a_shorter_sample_at_once() {
        assert_eq!(sampled(&[(100_000, 0), (80_000, 0)]).min_micros(), Some(80_000));
        assert_eq!(sampled(&[(80_000, 0), (100_000, 0)]).min_micros(), Some(80_000));
    }

    #[test]
    fn the_loss_delay_is_nine_eighths_of_the_longer_of_latest_and_smoothed() {
        assert_eq!(sampled(&[(80_000, 0), (160_000, 0)]).loss_delay_micros(), 180_000);
        assert_eq!(sampled(&[(80_000, 0), (40_000, 0)]).loss_delay_micros(), 75_000 * 9 / 8);
    }

    #[test]
    fn an_acknowledgement_that_waited_for_a_packet_does_not_lengthen_the_loss_delay() {
        assert_eq!(sampled(&[(80_000, 0), (1_080_000, 1_000_000)]).loss_delay_micros(), 90_000);
    }

    #[test]
    fn waits_are_never_shorter_than_timers_are_precise() {
        let rtt = sampled(&[(0, 0)]);
        assert_eq!((rtt.loss_delay_micros(), rtt.pto_micros(0)), (1_000, 1_000));
    }

    #[test]
    fn the_longest_samples_do_not_overflow() {
        let rtt = sampled(&[(u64::MAX, 0); 4]);
        assert_eq!(rtt.smoothed_micros(), SAMPLE_MAX_MICROS);
        assert_eq!(rtt.pto_micros(u64::MAX), u64::MAX);
    }
}
