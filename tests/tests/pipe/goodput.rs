//! A bulk transfer on a lane is about as fast as one with QUIC.

use std::thread;

use rejoin_tests::goodput::{Transfer, Trial, transfer_with_quinn, transfer_with_rejoin};

const SEEDS: u64 = 20;
/// The least that the median of the ratios may be.
const RATIO_MIN_PERCENT: u64 = 85;

/// What one seed gave.
#[derive(Clone, Copy)]
struct Pair {
    seed: u64,
    rejoin: Transfer,
    quinn: Transfer,
}

impl Pair {
    fn measure(seed: u64) -> Self {
        let trial = Trial::reference(seed);
        Self { seed, rejoin: transfer_with_rejoin(&trial), quinn: transfer_with_quinn(&trial) }
    }

    fn ratio_percent(&self) -> u64 {
        self.rejoin.bytes_per_s() * 100 / self.quinn.bytes_per_s()
    }

    fn print(&self) {
        let show = |transfer: &Transfer| {
            let packets = transfer.packets;
            format!(
                "{:>5} kB/s {:>6} packets {:>4} lost {:>4} overflowed",
                transfer.bytes_per_s() / 1_000,
                packets.packets_sent,
                packets.packets_lost,
                packets.packets_overflowed
            )
        };
        println!(
            "seed {:>2}: rejoin {} | quinn {} | {} %",
            self.seed,
            show(&self.rejoin),
            show(&self.quinn),
            self.ratio_percent()
        );
    }
}

/// All seeds, on two threads.
fn measure_all() -> Vec<Pair> {
    let half = |first| move || (first..=SEEDS).step_by(2).map(Pair::measure).collect::<Vec<_>>();
    thread::scope(|scope| {
        let halves = [scope.spawn(half(1)), scope.spawn(half(2))];
        halves.into_iter().flat_map(|half| half.join().expect("a transfer that ends")).collect()
    })
}

fn median(mut values: Vec<u64>) -> u64 {
    values.sort_unstable();
    let middle = values.len() / 2;
    u64::midpoint(values[middle - 1], values[middle])
}

#[test]
fn a_transfer_over_a_lossy_path_is_about_as_fast_as_with_quic() {
    let mut pairs = measure_all();
    pairs.sort_by_key(|pair| pair.seed);
    pairs.iter().for_each(Pair::print);
    let median_of = |value: fn(&Pair) -> u64| median(pairs.iter().map(value).collect());
    let ratio_percent = median_of(Pair::ratio_percent);
    println!(
        "median: rejoin {} kB/s, quinn {} kB/s, ratio {ratio_percent} %",
        median_of(|pair| pair.rejoin.bytes_per_s()) / 1_000,
        median_of(|pair| pair.quinn.bytes_per_s()) / 1_000,
    );

    assert!(ratio_percent >= RATIO_MIN_PERCENT, "the median ratio is {ratio_percent} %");
}
