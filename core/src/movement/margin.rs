//! How early the inputs of one session arrive, in ticks, without floating point.

/// One tick in the unit of [`ArrivalMargin::mean_256ths`].
const TICK_256THS: i64 = 256;
/// Each margin moves the mean by a sixteenth of its distance from it.
const MEAN_WEIGHT: i64 = 16;
/// The minimum covers this many inputs at least, and twice as many at most.
const WINDOW_INPUTS: u8 = 64;

/// How early movement inputs arrived: the tick of an accepted input less the server tick at its arrival.
///
/// A positive margin means that the input was there before the server came to its tick; with 0 or a negative one it
/// came too late for it. Margins beyond the range of an `i32` are recorded as its ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArrivalMargin {
    /// The margin of the last accepted input, in ticks.
    pub last_ticks: i32,
    /// The mean margin in 256ths of a tick. Newer inputs weigh more: each moves it by a sixteenth of the difference.
    pub mean_256ths: i64,
    /// The smallest margin among the last 64 to 128 accepted inputs, in ticks.
    pub min_ticks: i32,
}

impl ArrivalMargin {
    /// The mean margin a client should aim for, in ticks: so large that even its latest inputs arrive one tick early.
    ///
    /// It is what the inputs scatter below their mean, rounded up, and one tick more. A client whose mean margin
    /// is smaller should number its inputs further ahead by the difference, one whose mean is larger may wait.
    #[must_use]
    pub fn recommended_margin_ticks(&self) -> u32 {
        let scatter_256ths = (self.mean_256ths - i64::from(self.min_ticks) * TICK_256THS).max(0);
        let scatter = scatter_256ths.unsigned_abs().div_ceil(TICK_256THS.unsigned_abs());
        u32::try_from(scatter + 1).unwrap_or(u32::MAX)
    }
}

/// The running figures behind an [`ArrivalMargin`].
#[derive(Clone, Copy, Debug)]
pub(super) struct MarginStatistics {
    last: i32,
    mean_256ths: i64,
    window_min: i32,
    previous_window_min: i32,
    inputs_in_window: u8,
}

impl MarginStatistics {
    /// Starts with the first margin, in ticks.
    pub(super) fn new(ticks_early: i128) -> Self {
        let margin = clamped(ticks_early);
        Self {
            last: margin,
            mean_256ths: i64::from(margin) * TICK_256THS,
            window_min: margin,
            previous_window_min: i32::MAX,
            inputs_in_window: 1,
        }
    }

    /// Adds the next margin, in ticks.
    pub(super) fn record(&mut self, ticks_early: i128) {
        let margin = clamped(ticks_early);
        self.last = margin;
        self.mean_256ths += (i64::from(margin) * TICK_256THS - self.mean_256ths) / MEAN_WEIGHT;
        if self.inputs_in_window == WINDOW_INPUTS {
            self.previous_window_min = self.window_min;
            self.window_min = margin;
            self.inputs_in_window = 0;
        }
        self.window_min = self.window_min.min(margin);
        self.inputs_in_window += 1;
    }

    pub(super) fn summary(&self) -> ArrivalMargin {
        ArrivalMargin {
            last_ticks: self.last,
            mean_256ths: self.mean_256ths,
            min_ticks: self.window_min.min(self.previous_window_min),
        }
    }
}

fn clamped(ticks_early: i128) -> i32 {
    let nearest = ticks_early.clamp(i32::MIN.into(), i32::MAX.into());
    i32::try_from(nearest).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorded(margins: impl IntoIterator<Item = i128>) -> ArrivalMargin {
        let mut margins = margins.into_iter();
        let mut statistics = MarginStatistics::new(margins.next().unwrap());
        margins.for_each(|margin| statistics.record(margin));
        statistics.summary()
    }

    #[test]
    fn one_input_is_its_own_mean_and_minimum() {
        let margin = recorded([3]);
        assert_eq!(margin, ArrivalMargin { last_ticks: 3, mean_256ths: 3 * 256, min_ticks: 3 });
        assert_eq!(margin.recommended_margin_ticks(), 1);
    }

    #[test]
    fn the_mean_moves_by_a_sixteenth_of_the_difference() {
        assert_eq!(recorded([0, 16]).mean_256ths, 256);
        assert_eq!(recorded([0, -16]).mean_256ths, -256);
        assert_eq!(recorded([0, 16, 16]).mean_256ths, 256 + (16 * 256 - 256) / 16);
    }

    #[test]
    fn a_late_input_is_remembered_for_64_to_128_inputs() {
        let late_then = |others| recorded(core::iter::once(-5).chain(core::iter::repeat_n(2, others)));
        assert_eq!(late_then(127).min_ticks, -5);
        assert_eq!(late_then(128).min_ticks, 2);
        let at_the_end_of_a_window = |others| {
            let late = core::iter::repeat_n(2, 63).chain([-5]);
            recorded(late.chain(core::iter::repeat_n(2, others)))
        };
        assert_eq!(at_the_end_of_a_window(64).min_ticks, -5);
        assert_eq!(at_the_end_of_a_window(65).min_ticks, 2);
    }

    #[test]
    fn the_recommended_margin_covers_the_scatter_below_the_mean() {
        let steady = ArrivalMargin { last_ticks: 9, mean_256ths: 9 * 256, min_ticks: 9 };
        assert_eq!(steady.recommended_margin_ticks(), 1);
        let scattered = ArrivalMargin { mean_256ths: 9 * 256 + 1, min_ticks: 5, ..steady };
        assert_eq!(scattered.recommended_margin_ticks(), 6);
        let late = ArrivalMargin { mean_256ths: -2 * 256, min_ticks: -4, ..steady };
        assert_eq!(late.recommended_margin_ticks(), 3);
        let rising = ArrivalMargin { mean_256ths: 2 * 256, min_ticks: 4, ..steady };
        assert_eq!(rising.recommended_margin_ticks(), 1);
    }

    #[test]
    fn margins_beyond_the_range_are_recorded_as_its_ends() {
        let margin = recorded([i128::from(u64::MAX), -i128::from(u64::MAX)]);
        assert_eq!((margin.last_ticks, margin.min_ticks), (i32::MIN, i32::MIN));
        assert!(margin.recommended_margin_ticks() > i32::MAX as u32);
    }
}
