//! How often each of a few causes came up.

/// A counter for each of `N` causes, by its place among them. None of them wraps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CauseCounts<const N: usize>([u64; N]);

impl<const N: usize> CauseCounts<N> {
    /// How often the cause at this place came up; it is below `N`.
    pub(crate) fn of(&self, cause: usize) -> u64 {
        self.0[cause]
    }

    /// How often all causes together did.
    pub(crate) fn total(&self) -> u64 {
        self.0.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// Counts the cause at this place, which is below `N`, once more.
    pub(crate) fn count(&mut self, cause: usize) {
        let count = &mut self.0[cause];
        *count = count.saturating_add(1);
    }
}

impl<const N: usize> Default for CauseCounts<N> {
    fn default() -> Self {
        Self([0; N])
    }
}
