//! All that a link carries, at random, over paths that change at random: what must hold whatever happens.

use alloc::vec;
use alloc::vec::Vec;

use super::world::{Bottleneck, CLEAN, CLIENT, End, LIMITS, Path, SERVER, World};
use crate::link::LinkLimits;
use crate::link::control::Control;
use crate::link::frame::UNORDERED_LANE;

const LANES: [u8; 5] = [0, 1, 2, 3, UNORDERED_LANE];
const KEYS: u16 = 6;
const STEPS: usize = 300;

/// Draws numbers; the same for the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[usize::try_from(self.below(choices.len() as u64)).unwrap()]
    }

    fn is_one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }

    fn limits(&mut self) -> LinkLimits {
        LinkLimits {
            lane_queue_bytes_max: self.one_of(&[20_000, 200_000]),
            lane_queue_pieces_max: self.one_of(&[200, 4_096]),
            latest_queue_bytes_max: self.one_of(&[1_300, 65_536]),
            packets_in_flight_max: self.one_of(&[16, 17, 64, 1_024]),
            bandwidth_max_bytes_per_s: self.one_of(&[None, None, Some(8_000), Some(50_000)]),
            ..LIMITS
        }
    }

    fn path(&mut self) -> Path {
        Path {
            loss_percent: self.one_of(&[0, 0, 2, 20, 40, 100]),
            duplicate_percent: self.one_of(&[0, 25]),
            latency_ms: self.one_of(&[1, 4, 20, 300]),
            jitter_ms: self.one_of(&[0, 0, 5, 100]),
        }
    }

    fn bottleneck(&mut self) -> Option<Bottleneck> {
        let (bytes_per_s, buffer_bytes) =
            self.one_of(&[None, Some((20_000, 5_000)), Some((500_000, 100_000))])?;
        Some(Bottleneck::new(bytes_per_s, buffer_bytes))
    }
}

/// What an end was given to send, of that which must arrive.
#[derive(Default)]
struct Given {
    number: u32,
    messages: [Vec<Vec<u8>>; 5],
    latest: [Option<u32>; KEYS as usize],
    state: Option<u64>,
}

impl Given {
    fn give(&mut self, random: &mut Random, end: &mut End) {
        self.number += 1;
        match random.below(5) {
            0 | 1 => self.give_messages(random, end),
            2 => self.give_latest(random, end),
            3 => {
                let message = vec![5; random.one_of(&[1, 200, 1_150])];
                for _ in 0..random.one_of(&[1, 1, 40]) {
                    end.link.queue_datagram(&message).unwrap();
                }
            }
            _ if end.source.is_server => {
                let tick = self.number.into();
                end.source.state = Some((tick, vec![3; random.one_of(&[0, 100, 1_000])]));
                end.link.mark_state_pending();
                self.state = Some(tick);
                if random.is_one_in(10) {
                    end.link.queue_control(Control::ResumeToken(tick));
                }
            }
            _ => {
                end.source.moves = vec![(self.number.into(), vec![1; random.one_of(&[0, 40, 300])])];
                end.link.mark_moves_pending();
            }
        }
    }

    fn give_messages(&mut self, random: &mut Random, end: &mut End) {
        let place = usize::try_from(random.below(LANES.len() as u64)).unwrap();
        let len = random.one_of(&[4, 30, 900, 1_150, 1_150, 9_000]);
        let mut message = self.number.to_le_bytes().to_vec();
        message.resize(if LANES[place] == UNORDERED_LANE { len.min(1_150) } else { len }, 7);
        for _ in 0..random.one_of(&[1, 1, 1, 20]) {
            if end.link.queue_message(LANES[place], &message).is_ok() {
                self.messages[place].push(message.clone());
            }
        }
    }

    fn give_latest(&mut self, random: &mut Random, end: &mut End) {
        let key = u16::try_from(random.below(KEYS.into())).unwrap();
        let mut value = self.number.to_le_bytes().to_vec();
        value.resize(random.one_of(&[4, 50, 1_000]), 9);
        if end.link.set_latest(key, &value).is_ok() {
            self.latest[usize::from(key)] = Some(self.number);
        }
    }

    fn assert_arrived(&self, peer: &End, context: &str) {
        for (lane, given) in LANES.iter().zip(&self.messages) {
            let (mut given, mut arrived) = (given.clone(), peer.messages_of(*lane).to_vec());
            if *lane == UNORDERED_LANE {
                given.sort();
                arrived.sort();
            }
            assert!(arrived == given, "{context}, lane {lane}: {} of {}", arrived.len(), given.len());
        }
        for (key, newest) in self.latest.iter().enumerate() {
            let shown = peer.latest.iter().rev().find(|(other, _)| usize::from(*other) == key);
            let shown = shown.map(|(_, value)| u32::from_le_bytes(*value.first_chunk().unwrap()));
            assert_eq!(shown, *newest, "{context}, key {key}");
        }
        assert_eq!(peer.state_ticks.iter().max().copied(), self.state, "{context}, state");
    }
}

/// Two ends and what they were given. That nothing spins and all output ends is the world's to assert.
struct Walk {
    random: Random,
    limits: LinkLimits,
    world: World,
    given: [Given; 2],
}

impl Walk {
    fn new(seed: u64) -> Self {
        let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        let limits = random.limits();
        let world = World::with_limits(random.path(), seed, &limits);
        Self { random, limits, world, given: Default::default() }
    }

    fn step(&mut self, is_silent: [bool; 2]) {
        let Self { random, world, given, .. } = self;
        for index in [CLIENT, SERVER] {
            for _ in 0..random.one_of(&[0, 1, 1, 3]) {
                if !is_silent[index] {
                    given[index].give(random, &mut world.ends[index]);
                }
            }
        }
        world.run_for_ms(random.one_of(&[0, 1, 16, 16, 16, 100]));
        if random.is_one_in(25) {
            world.path = random.path();
        }
        if random.is_one_in(50) {
            world.bottleneck = random.bottleneck();
        }
        if random.is_one_in(100) {
            world.path.loss_percent = 100;
            world.run_for_ms(random.one_of(&[1_000, 30_000]));
        }
        if random.is_one_in(100) {
            world.replace_connection();
        }
        if random.is_one_in(300) {
            self.restart_lanes();
        }
        let bytes_max = self.limits.memory_bytes_max();
        assert!(self.world.ends.iter().all(|end| end.link.memory_bytes() <= bytes_max));
    }

    /// New keys and lanes that start afresh: what was given before need not arrive, states apart.
    fn restart_lanes(&mut self) {
        let Self { world, given, .. } = self;
        world.path = CLEAN;
        world.run_for_ms(2_000);
        world.ends[SERVER].source.lanes_kept = false;
        world.replace_connection();
        world.run_for_ms(2_000);
        world.ends[SERVER].source.lanes_kept = true;
        for (end, given) in world.ends.iter_mut().zip(given) {
            assert!(end.is_opened);
            end.messages.clear();
            end.lane_messages.clear();
            end.latest.clear();
            *given = Given { number: given.number, state: given.state, ..Given::default() };
        }
    }

    /// The path heals, and what must arrive arrives.
    fn end(mut self, context: &str) {
        let world = &mut self.world;
        world.path = CLEAN;
        world.bottleneck = None;
        let deadline = world.now.plus_millis(400_000);
        world.run_until(deadline, |world| {
            let statistics = world.ends.each_ref().map(|end| end.link.statistics());
            statistics.iter().all(|end| end.message_bytes_queued + end.latest_bytes_queued == 0)
        });
        world.run_for_ms(10_000);
        self.given[CLIENT].assert_arrived(&world.ends[SERVER], context);
        self.given[SERVER].assert_arrived(&world.ends[CLIENT], context);
        for end in &world.ends {
            let statistics = end.link.statistics();
            assert_eq!((statistics.packets_in_flight, statistics.bytes_in_flight), (0, 0), "{context}");
            assert_eq!(statistics.message_bytes_queued + statistics.latest_bytes_queued, 0, "{context}");
        }
    }
}

#[test]
fn all_that_must_arrive_arrives_and_nothing_spins_whatever_is_sent_and_whatever_the_path_does() {
    for seed in 0..24 {
        let mut walk = Walk::new(seed);
        let is_silent = walk.random.one_of(&[[false, false], [true, false], [false, true]]);
        let context = std::format!("seed {seed}, {:?}", walk.limits);
        (0..STEPS).for_each(|_| walk.step(is_silent));
        walk.end(&context);
    }
}
