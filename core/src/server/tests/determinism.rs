//! The same seed and the same inputs give the same outputs, byte for byte.

use super::harness::{framed_config, raw_config};
use super::random_walk::Walk;

#[test]
fn the_same_seed_and_the_same_inputs_give_the_same_bytes_and_events() {
    for config in [framed_config(), raw_config()] {
        let [one, other] = [(), ()].map(|()| Walk::new(config.clone(), 5, 99).run(1_000));

        assert!(one.sent.len() > 100);
        assert_eq!(one.sent, other.sent);
        assert_eq!(one.events, other.events);
        assert_eq!(one.manager.counters(), other.manager.counters());
    }
}

#[test]
fn another_seed_gives_other_bytes_under_the_same_keys() {
    let [one, other] = [5, 6].map(|manager_seed| {
        let mut server = Walk::new(framed_config(), manager_seed, 99).run(0);
        let mut anna = server.newcomer(1, 1);
        let request = anna.request();
        server.talk(&mut anna, &request);
        server.sent
    });

    assert_eq!(one.len(), other.len());
    assert_ne!(one, other);
}
