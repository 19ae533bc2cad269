//! Latest-wins values that check themselves: each counts, so every watcher can tell whether one came late, twice, or not at last.

#[cfg(test)]
mod tests;

use super::chat::Text;

/// What one client saw of the others' statuses.
#[derive(Debug)]
pub(crate) struct Watcher {
    /// Per player: the number after the newest that was seen.
    next: Vec<u32>,
    /// The sum of those.
    reached: u64,
    pub(crate) delivered: u64,
    /// Statuses that were not newer than one before them.
    pub(crate) backwards: u64,
}

impl Watcher {
    pub(crate) fn new(speakers: u32) -> Self {
        Self { next: vec![0; speakers as usize], reached: 0, delivered: 0, backwards: 0 }
    }

    pub(crate) fn handle(&mut self, status: Text) {
        let Some(next) = self.next.get_mut(status.speaker as usize) else { return };
        if status.number < *next {
            self.backwards += 1;
            return;
        }
        let reached = status.number.saturating_add(1);
        self.reached += u64::from(reached - *next);
        *next = reached;
        self.delivered += 1;
    }

    /// Whether it has seen the last of everybody, who have set so many together.
    pub(crate) fn has_seen_last(&self, set_by_all: u64) -> bool {
        self.reached >= set_by_all
    }

    /// Of how many players it has not seen the last one; `set` tells how many each has set.
    pub(crate) fn missing(&self, set: &[u32]) -> u64 {
        self.next.iter().zip(set).filter(|(next, set)| next < set).count() as u64
    }
}
