use super::*;

const PERFECT: LinkConditions = LinkConditions { loss: 0.0, duplicate: 0.0, delay_ms: 0, jitter_ms: 0 };

fn address() -> SocketAddr {
    "192.0.2.1:4000".parse().unwrap()
}

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn push_numbered(link: &mut Conditioner, now: Timestamp, numbers: std::ops::Range<u32>) {
    for number in numbers {
        link.push(now, address(), &number.to_le_bytes());
    }
}

fn arrivals(link: &mut Conditioner, now: Timestamp) -> Vec<u32> {
    std::iter::from_fn(|| link.poll(now))
        .map(|datagram| u32::from_le_bytes(datagram.bytes.try_into().unwrap()))
        .collect()
}

#[test]
fn a_perfect_link_passes_everything_at_once_and_in_order() {
    let mut link = Conditioner::new(PERFECT, 1);
    push_numbered(&mut link, at(5), 0..100);
    assert_eq!(link.next_at(), Some(at(5)));
    assert_eq!(arrivals(&mut link, at(5)), (0..100).collect::<Vec<_>>());
    assert_eq!(link.next_at(), None);
}

#[test]
fn a_datagram_keeps_its_bytes_and_its_address() {
    let mut link = Conditioner::new(PERFECT, 1);
    link.push(at(0), address(), b"");
    link.push(at(0), address(), b"abc");
    assert_eq!(link.poll(at(0)), Some(Datagram { address: address(), bytes: vec![] }));
    assert_eq!(link.poll(at(0)), Some(Datagram { address: address(), bytes: b"abc".to_vec() }));
}

#[test]
fn nothing_arrives_before_its_delay_or_after_delay_and_jitter() {
    let mut link = Conditioner::new(LinkConditions { delay_ms: 40, jitter_ms: 20, ..PERFECT }, 7);
    push_numbered(&mut link, at(0), 0..500);
    assert!(arrivals(&mut link, Timestamp::from_micros(39_999)).is_empty());
    let first_half = arrivals(&mut link, at(50)).len();
    assert!((150..350).contains(&first_half), "{first_half}");
    assert_eq!(first_half + arrivals(&mut link, at(60)).len(), 500);
}

#[test]
fn jitter_alone_changes_the_order() {
    let mut link = Conditioner::new(LinkConditions { delay_ms: 40, jitter_ms: 20, ..PERFECT }, 7);
    push_numbered(&mut link, at(0), 0..100);
    assert!(!arrivals(&mut link, at(60)).is_sorted());

    let mut steady = Conditioner::new(LinkConditions { delay_ms: 40, ..PERFECT }, 7);
    push_numbered(&mut steady, at(0), 0..100);
    assert!(arrivals(&mut steady, at(60)).is_sorted());
}

#[test]
fn the_configured_share_gets_lost() {
    let mut link = Conditioner::new(LinkConditions { loss: 0.25, ..PERFECT }, 3);
    push_numbered(&mut link, at(0), 0..10_000);
    let arrived = arrivals(&mut link, at(0)).len();
    assert!((7_300..7_700).contains(&arrived), "{arrived}");
}

#[test]
fn the_configured_share_arrives_twice() {
    let mut link = Conditioner::new(LinkConditions { duplicate: 0.1, ..PERFECT }, 3);
    push_numbered(&mut link, at(0), 0..10_000);
    let mut arrived = arrivals(&mut link, at(0));
    let count = arrived.len();
    arrived.dedup();
    assert!((10_850..11_150).contains(&count), "{count}");
    assert_eq!(arrived.len(), 10_000);
}

#[test]
fn the_extremes_lose_or_repeat_everything() {
    let mut lossy = Conditioner::new(LinkConditions { loss: 1.0, ..PERFECT }, 3);
    push_numbered(&mut lossy, at(0), 0..1_000);
    assert!(arrivals(&mut lossy, at(0)).is_empty());
    let mut repeating = Conditioner::new(LinkConditions { duplicate: 1.0, ..PERFECT }, 3);
    push_numbered(&mut repeating, at(0), 0..1_000);
    assert_eq!(arrivals(&mut repeating, at(0)).len(), 2_000);
}

#[test]
fn the_same_seed_gives_the_same_network() {
    let conditions = LinkConditions { loss: 0.3, duplicate: 0.3, delay_ms: 5, jitter_ms: 30 };
    let run = |seed| {
        let mut link = Conditioner::new(conditions, seed);
        push_numbered(&mut link, at(0), 0..200);
        arrivals(&mut link, at(100))
    };
    assert_eq!(run(11), run(11));
    assert_ne!(run(11), run(12));
}

#[test]
fn a_cut_loses_what_is_under_way_and_all_that_follows_until_it_is_mended() {
    let mut link = Conditioner::new(LinkConditions { delay_ms: 10, ..PERFECT }, 1);
    push_numbered(&mut link, at(0), 0..5);

    link.cut();
    push_numbered(&mut link, at(5), 5..10);
    assert_eq!(link.next_at(), None);
    link.mend();
    push_numbered(&mut link, at(20), 10..12);

    assert_eq!(arrivals(&mut link, at(30)), [10, 11]);
}

#[test]
fn what_is_under_way_has_a_bound() {
    let mut link = Conditioner::new(LinkConditions { delay_ms: 1_000, duplicate: 1.0, ..PERFECT }, 1);
    for _ in 0..10_000 {
        link.push(at(0), address(), &[0; 1_024]);
    }
    let arrived = std::iter::from_fn(|| link.poll(at(1_000))).count();
    assert_eq!(arrived, UNDER_WAY_BYTES_MAX / 1_024);
    link.push(at(2_000), address(), &[0; 1_024]);
    assert!(link.poll(at(3_000)).is_some());
}
