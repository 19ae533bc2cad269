//! One direction of one player's way to the server.

use std::rc::Rc;

use rejoin::Timestamp;

use crate::simulator::fault::{Fault, FaultCounts};
use crate::world::Chance;

/// Loss that comes in bursts, as on a radio link: a chain of two states (Gilbert and Elliott).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::simulator) struct BurstLoss {
    /// How many of a thousand datagrams begin a burst.
    pub(in crate::simulator) begins: u64,
    /// How many of a thousand end it.
    pub(in crate::simulator) ends: u64,
    /// How many of a thousand are lost in it.
    pub(in crate::simulator) lost_inside: u64,
    /// How many of a thousand are lost outside of it.
    pub(in crate::simulator) lost_outside: u64,
}

/// What a path does to datagrams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::simulator) struct PathPlan {
    /// How long a datagram takes at least.
    pub(in crate::simulator) delay_ms: u64,
    /// How much longer it may take.
    pub(in crate::simulator) jitter_ms: u64,
    pub(in crate::simulator) loss: Option<BurstLoss>,
    pub(in crate::simulator) duplicate_per_mille: u64,
    pub(in crate::simulator) corrupt_per_mille: u64,
    pub(in crate::simulator) truncate_per_mille: u64,
    pub(in crate::simulator) empty_per_mille: u64,
}

/// What arrives, and when.
pub(super) type Arrival = (Timestamp, Rc<[u8]>);

/// A path in use.
#[derive(Debug)]
pub(super) struct Path {
    plan: PathPlan,
    is_in_burst: bool,
    held_until: Timestamp,
    closed_until: Timestamp,
    /// The latest arrival so far: nothing overtakes anything where there is no jitter.
    latest: Timestamp,
    chance: Chance,
}

impl Path {
    pub(super) fn new(plan: PathPlan, chance: Chance) -> Self {
        let never = Timestamp::ZERO;
        Self { plan, is_in_burst: false, held_until: never, closed_until: never, latest: never, chance }
    }

    /// Everything sent before then arrives then.
    pub(super) fn hold_until(&mut self, end: Timestamp) {
        self.held_until = self.held_until.max(end);
    }

    /// Nothing sent before then arrives at all.
    pub(super) fn close_until(&mut self, end: Timestamp) {
        self.closed_until = self.closed_until.max(end);
    }

    /// From now on it only takes its time.
    pub(super) fn calm(&mut self) {
        self.plan = PathPlan { delay_ms: self.plan.delay_ms, ..PathPlan::default() };
        self.held_until = Timestamp::ZERO;
        self.closed_until = Timestamp::ZERO;
        self.latest = Timestamp::ZERO;
    }

    /// Takes a datagram; gives what arrives because of it, and when.
    pub(super) fn carry(
        &mut self,
        now: Timestamp,
        bytes: &Rc<[u8]>,
        faults: &mut FaultCounts,
    ) -> [Option<Arrival>; 3] {
        if now < self.closed_until {
            return [None, None, None];
        }
        let empty = self.happens(self.plan.empty_per_mille, Fault::EmptyDatagrams, faults);
        let empty = empty.then(|| (self.arrival(now, faults), Rc::from([])));
        if self.is_lost() {
            faults.count(Fault::Loss);
            return [None, None, empty];
        }
        let twice = self.happens(self.plan.duplicate_per_mille, Fault::Duplication, faults);
        let twice = twice.then(|| (self.arrival(now, faults), Rc::clone(bytes)));
        let damaged = self.damage(bytes, faults);
        [Some((self.arrival(now, faults), damaged)), twice, empty]
    }

    fn happens(&mut self, per_mille: u64, fault: Fault, faults: &mut FaultCounts) -> bool {
        let happens = per_mille > 0 && self.chance.per_mille(per_mille);
        if happens {
            faults.count(fault);
        }
        happens
    }

    fn is_lost(&mut self) -> bool {
        let Some(loss) = self.plan.loss else { return false };
        let turns = if self.is_in_burst { loss.ends } else { loss.begins };
        self.is_in_burst ^= self.chance.per_mille(turns);
        let per_mille = if self.is_in_burst { loss.lost_inside } else { loss.lost_outside };
        self.chance.per_mille(per_mille)
    }

    fn damage(&mut self, bytes: &Rc<[u8]>, faults: &mut FaultCounts) -> Rc<[u8]> {
        if !bytes.is_empty() && self.happens(self.plan.corrupt_per_mille, Fault::Corruption, faults) {
            let mut corrupt = bytes.to_vec();
            for _ in 0..=self.chance.below(8) {
                let place = self.below_len(corrupt.len());
                corrupt[place] ^= 1 << self.chance.below(8);
            }
            return corrupt.into();
        }
        if !bytes.is_empty() && self.happens(self.plan.truncate_per_mille, Fault::Truncation, faults) {
            return bytes[..self.below_len(bytes.len())].into();
        }
        Rc::clone(bytes)
    }

    fn below_len(&mut self, len: usize) -> usize {
        usize::try_from(self.chance.below(len as u64)).unwrap_or(0)
    }

    fn arrival(&mut self, now: Timestamp, faults: &mut FaultCounts) -> Timestamp {
        let jitter_micros = match self.plan.jitter_ms {
            0 => 0,
            jitter_ms => self.chance.below(jitter_ms * 1_000),
        };
        let arrival = now.plus_millis(self.plan.delay_ms).plus_micros(jitter_micros).max(self.held_until);
        if self.plan.jitter_ms > 0 && arrival < self.latest {
            faults.count(Fault::Reordering);
        }
        self.latest = self.latest.max(arrival);
        arrival
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: PathPlan = PathPlan {
        delay_ms: 20,
        jitter_ms: 0,
        loss: None,
        duplicate_per_mille: 0,
        corrupt_per_mille: 0,
        truncate_per_mille: 0,
        empty_per_mille: 0,
    };

    /// A datagram, and when it arrived.
    type Arrival = (Timestamp, Rc<[u8]>);

    /// What arrives of so many datagrams of 100 bytes, one a millisecond.
    fn carried(plan: PathPlan, count: u64) -> (Vec<Arrival>, FaultCounts) {
        let (mut path, mut faults) = (Path::new(plan, Chance::new(1)), FaultCounts::default());
        let arrivals = (0..count).flat_map(|millis| {
            let datagram: Rc<[u8]> = Rc::from([7; 100]);
            path.carry(Timestamp::from_millis(millis), &datagram, &mut faults)
        });
        (arrivals.flatten().collect(), faults)
    }

    #[test]
    fn a_path_without_faults_only_takes_its_time() {
        let (arrivals, faults) = carried(PLAN, 100);
        let expected: Vec<_> =
            (20..120).map(|millis| (Timestamp::from_millis(millis), Rc::from([7; 100]))).collect();
        assert_eq!(arrivals, expected);
        assert_eq!(faults, FaultCounts::default());
    }

    #[test]
    fn loss_comes_in_bursts_and_is_counted() {
        let loss = BurstLoss { begins: 20, ends: 200, lost_inside: 900, lost_outside: 0 };
        let (arrivals, faults) = carried(PathPlan { loss: Some(loss), ..PLAN }, 10_000);
        assert_eq!(arrivals.len() as u64, 10_000 - faults.of(Fault::Loss));
        let gaps =
            arrivals.windows(2).filter(|pair| pair[1].0.micros_since(pair[0].0) > 1_000).count() as u64;
        assert!(faults.of(Fault::Loss) > 3 * gaps, "{} lost in {gaps} gaps", faults.of(Fault::Loss));
    }

    #[test]
    fn each_kind_of_damage_happens_as_often_as_it_is_counted() {
        let plan = PathPlan {
            jitter_ms: 30,
            duplicate_per_mille: 50,
            corrupt_per_mille: 50,
            truncate_per_mille: 50,
            empty_per_mille: 50,
            ..PLAN
        };
        let (arrivals, faults) = carried(plan, 5_000);
        let count =
            |is: &dyn Fn(&[u8]) -> bool| arrivals.iter().filter(|(_, bytes)| is(bytes)).count() as u64;
        let corrupt = count(&|bytes| bytes.len() == 100 && bytes != [7; 100]);
        let short = count(&|bytes| bytes.len() < 100);
        let (cut, empty) = (faults.of(Fault::Truncation), faults.of(Fault::EmptyDatagrams));
        assert!(corrupt > 100 && corrupt <= faults.of(Fault::Corruption));
        assert!(short > 200 && short == cut + empty);
        assert_eq!(arrivals.len() as u64, 5_000 + empty + faults.of(Fault::Duplication));
        assert!(faults.of(Fault::Reordering) > 1_000);
    }

    #[test]
    fn what_is_held_back_arrives_together_and_what_meets_a_closed_path_never() {
        let (mut path, mut faults) = (Path::new(PLAN, Chance::new(1)), FaultCounts::default());
        let datagram: Rc<[u8]> = Rc::from([7; 100]);
        path.hold_until(Timestamp::from_millis(500));
        for millis in [100, 300] {
            let [first, ..] = path.carry(Timestamp::from_millis(millis), &datagram, &mut faults);
            assert_eq!(first.map(|(at, _)| at), Some(Timestamp::from_millis(500)));
        }
        path.close_until(Timestamp::from_millis(900));
        assert_eq!(path.carry(Timestamp::from_millis(899), &datagram, &mut faults), [None, None, None]);
        path.calm();
        let [first, ..] = path.carry(Timestamp::from_millis(899), &datagram, &mut faults);
        assert_eq!(first.map(|(at, _)| at), Some(Timestamp::from_millis(919)));
    }
}
