use super::*;

const SETTINGS: PipeSettings = PipeSettings {
    bits_per_s: 1_000_000,
    delay_micros: 50_000,
    jitter_micros: 0,
    loss_per_mille: 0,
    entrance: Entrance::Queue { bytes_max: 100_000 },
};

fn packet() -> Vec<u8> {
    vec![0; 1_222]
}

/// All packets with their arrivals.
fn empty(pipe: &mut Pipe) -> Vec<(Timestamp, Packet)> {
    let arrivals = std::iter::from_fn(|| {
        let at = pipe.next_arrival()?;
        pipe.arrive(at).map(|packet| (at, packet))
    });
    arrivals.collect()
}

#[test]
fn a_packet_takes_its_bits_at_the_rate_and_then_the_delay() {
    let mut pipe = Pipe::new(SETTINGS, 1);

    pipe.send(Timestamp::from_millis(5), packet());

    let arrived = empty(&mut pipe);
    assert_eq!(arrived.len(), 1);
    assert_eq!(arrived[0].0, Timestamp::from_millis(5 + 10 + 50), "1,250 bytes at 1 Mbit/s take 10 ms");
    assert_eq!(arrived[0].1.departed_at, Timestamp::from_millis(5));
    assert_eq!(pipe.packet_time_micros(1_222), 10_000);
}

#[test]
fn nothing_arrives_before_its_time() {
    let mut pipe = Pipe::new(SETTINGS, 1);
    pipe.send(Timestamp::ZERO, packet());

    assert_eq!(pipe.arrive(Timestamp::from_micros(59_999)), None);
    assert!(pipe.arrive(Timestamp::from_micros(60_000)).is_some());
}

#[test]
fn packets_leave_one_after_the_other() {
    let mut pipe = Pipe::new(SETTINGS, 1);
    for _ in 0..3 {
        pipe.send(Timestamp::ZERO, packet());
    }
    assert_eq!(pipe.queue_bytes(Timestamp::ZERO), 3_750);
    assert_eq!(pipe.queue_bytes(Timestamp::from_millis(25)), 625);

    let departures: Vec<u64> =
        empty(&mut pipe).iter().map(|(_, packet)| packet.departed_at.as_micros()).collect();

    assert_eq!(departures, [0, 10_000, 20_000]);
}

#[test]
fn rounding_costs_no_rate() {
    let mut pipe = Pipe::new(PipeSettings { bits_per_s: 20_000_000, delay_micros: 0, ..SETTINGS }, 1);
    for sent in 0..2_000_u64 {
        // 1,228 bytes take 491.2 microseconds.
        pipe.send(Timestamp::from_micros(sent * 491), vec![0; 1_200]);
    }

    let last = empty(&mut pipe).pop().expect("a packet").0;

    assert_eq!(last, Timestamp::from_micros(982_400));
}

#[test]
fn a_full_queue_drops_what_comes() {
    let mut pipe = Pipe::new(PipeSettings { entrance: Entrance::Queue { bytes_max: 3_000 }, ..SETTINGS }, 1);
    for _ in 0..5 {
        pipe.send(Timestamp::ZERO, packet());
    }
    assert_eq!(pipe.counters().packets_overflowed, 3);
    assert_eq!(pipe.counters().queue_bytes_highest, 2_500);

    pipe.send(Timestamp::from_millis(10), packet());

    assert_eq!(pipe.counters().packets_overflowed, 3, "one has left, so there is room");
    assert_eq!(empty(&mut pipe).len(), 3);
}

#[test]
fn an_interface_takes_the_next_packet_when_the_one_before_has_left() {
    let mut pipe = Pipe::new(PipeSettings { entrance: Entrance::Interface, ..SETTINGS }, 1);
    assert!(pipe.takes_at() <= Timestamp::from_millis(1));

    pipe.send(Timestamp::from_millis(1), packet());

    assert_eq!(pipe.takes_at(), Timestamp::from_millis(11));
}

#[test]
#[should_panic(expected = "the interface is busy")]
fn an_interface_that_is_busy_takes_nothing() {
    let mut pipe = Pipe::new(PipeSettings { entrance: Entrance::Interface, ..SETTINGS }, 1);
    pipe.send(Timestamp::ZERO, packet());

    pipe.send(Timestamp::from_millis(9), packet());
}

#[test]
fn losses_come_at_the_given_rate_and_follow_from_the_seed() {
    let lost = |seed| {
        let mut pipe = Pipe::new(PipeSettings { loss_per_mille: 10, ..SETTINGS }, seed);
        for sent in 0..10_000 {
            pipe.send(Timestamp::from_millis(sent * 10), packet());
        }
        let counters = pipe.counters();
        assert_eq!(empty(&mut pipe).len() as u64, counters.packets_sent - counters.packets_lost);
        counters.packets_lost
    };

    assert!((70..130).contains(&lost(1)), "about 100 of 10,000, not {}", lost(1));
    assert_eq!(lost(1), lost(1));
    assert_ne!(lost(1), lost(2));
}

#[test]
fn jitter_delays_and_does_not_reorder() {
    let mut pipe = Pipe::new(PipeSettings { jitter_micros: 40_000, ..SETTINGS }, 1);
    for sent in 0..100_u8 {
        pipe.send(Timestamp::from_millis(u64::from(sent) * 10), vec![sent; 1_222]);
    }

    let arrived = empty(&mut pipe);

    assert!(arrived.iter().map(|(_, packet)| packet.bytes[0]).eq(0..100));
    let delays = arrived.iter().map(|(at, packet)| at.micros_since(packet.departed_at));
    assert!(delays.clone().all(|micros| (60_000..=100_000).contains(&micros)));
    assert!(delays.clone().max() > delays.min().map(|micros| micros + 20_000), "they differ");
}
