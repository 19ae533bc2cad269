//! The path challenges that a client has to answer (PROTOCOL.md, section 7).

use alloc::boxed::Box;

/// The values of path challenges that go back with the next packet, each once, the oldest first.
///
/// Two at most, for a server asks on two paths at a time; of three the oldest is given up, which comes again if it matters.
/// Few are ever asked: they have a place of their own, and only while they wait.
#[derive(Debug, Default)]
pub(crate) struct OwedPathResponses(Option<Box<Values>>);

/// The second comes after the first.
type Values = (u64, Option<u64>);

impl OwedPathResponses {
    /// Owes a response.
    pub(crate) fn insert(&mut self, value: u64) {
        match self.0.as_deref_mut() {
            None => self.0 = Some(Box::new((value, None))),
            Some(&mut (first, second)) if first == value || second == Some(value) => {}
            Some(values) => *values = (values.1.unwrap_or(values.0), Some(value)),
        }
    }

    /// The value that goes out next.
    pub(crate) fn first(&self) -> Option<u64> {
        self.0.as_ref().map(|values| values.0)
    }

    /// The first one was written.
    pub(crate) fn on_first_sent(&mut self) {
        match self.0.as_deref_mut() {
            Some((first, second @ Some(_))) => *first = second.take().unwrap_or(*first),
            _ => self.0 = None,
        }
    }

    /// The keys are new: what was asked under the former ones is void.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// The memory it takes beyond its own place.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.0.as_ref().map_or(0, |_| Self::memory_bytes_max())
    }

    /// The most memory it takes beyond its own place.
    pub(crate) const fn memory_bytes_max() -> usize {
        size_of::<Values>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn answered(values: &[u64]) -> Vec<u64> {
        let mut owed = OwedPathResponses::default();
        for &value in values {
            owed.insert(value);
        }
        core::iter::from_fn(|| owed.first().inspect(|_| owed.on_first_sent())).collect()
    }

    #[test]
    fn each_value_is_owed_once_in_the_order_of_its_challenge_and_of_three_the_oldest_gives_way() {
        assert_eq!(answered(&[7, 7]), [7]);
        assert_eq!(answered(&[7, 8, 7, 8]), [7, 8]);
        assert_eq!(answered(&[7, 8, 9]), [8, 9]);
        assert_eq!(answered(&[7, 8, 9, 8, 7]), [9, 7]);
    }
}
