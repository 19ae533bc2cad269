use core::net::SocketAddr;

use super::*;
use crate::Key;

const RATE: Rate = Rate { per_s: 6_400, burst: 6_400 };

fn config() -> Config {
    let server = SocketAddr::from(([203, 0, 113, 1], 40_000));
    let mut config = Config::new(1, Key::new([7; 32]), server);
    config.unproved_opens_per_s = RATE.per_s;
    config.unproved_opens_burst = RATE.burst;
    config
}

fn budget(config: &Config) -> UnprovedBudget {
    UnprovedBudget::new(config, at(0), [5; 16])
}

const fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

/// An address of a site of its own.
fn site(number: u16) -> SocketAddr {
    let [high, low] = number.to_be_bytes();
    SocketAddr::from(([10, high, low, 1], 1_000))
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// How many of so many requests of one sender are served at one moment.
fn served(
    budget: &mut UnprovedBudget,
    now: Timestamp,
    from: SocketAddr,
    standing: Standing,
    asked: u32,
) -> u32 {
    let asked = 0..asked;
    let is_served = |_: &u32| budget.try_spend(now, from, standing, 10);
    u32::try_from(asked.filter(is_served).count()).unwrap()
}

/// A flood from one site takes whatever it can get.
fn flood(budget: &mut UnprovedBudget, now: Timestamp) -> u32 {
    served(budget, now, site(0), Standing::Stranger, 2_000)
}

#[test]
fn while_the_budget_lasts_one_prefix_may_have_all_of_it() {
    let mut budget = budget(&config());

    // The half for everybody; its share of the quarter that is left for prefixes is spent by then.
    assert_eq!(flood(&mut budget, at(0)), 320);

    // What comes in with time is its own, as nobody else asks for it.
    assert_eq!((1..=100).map(|tenth| flood(&mut budget, at(10 * tenth))).sum::<u32>(), 640);
}

#[test]
fn when_it_is_gone_prefixes_that_spent_little_are_served() {
    let mut budget = budget(&config());
    flood(&mut budget, at(0));

    assert_eq!(served(&mut budget, at(0), site(1), Standing::Stranger, 100), 10, "its share");
    assert_eq!(served(&mut budget, at(0), site(2), Standing::Stranger, 100), 10);
    assert_eq!(flood(&mut budget, at(0)), 0);
    assert_eq!(served(&mut budget, at(500), site(1), Standing::Stranger, 5), 5, "half a second's share");
}

#[test]
fn when_all_the_world_floods_those_with_a_good_token_are_served() {
    let mut budget = budget(&config());
    for number in 0..2_000 {
        served(&mut budget, at(0), site(number), Standing::Stranger, 20);
    }
    assert_eq!(served(&mut budget, at(0), site(3_000), Standing::Stranger, 1), 0);

    let returner = Standing::Returner { tag: 77 };
    assert_eq!(served(&mut budget, at(0), site(3_000), returner, 1), 1);
    assert_eq!(served(&mut budget, at(0), site(3_000), Standing::Challenged, 1), 1);
}

#[test]
fn a_copied_tag_and_a_known_address_are_served_little_more_often_than_an_honest_client_asks() {
    let mut budget = budget(&config());
    for number in 0..2_000 {
        served(&mut budget, at(0), site(number), Standing::Stranger, 20);
    }
    for standing in [Standing::Returner { tag: 77 }, Standing::Challenged] {
        assert_eq!(served(&mut budget, at(0), site(1), standing, 1_000), 32, "{standing:?}");
    }
    assert_eq!(served(&mut budget, at(0), site(2), Standing::Returner { tag: 77 }, 1), 0, "wherever it is");
    assert_eq!(served(&mut budget, at(0), site(2), Standing::Returner { tag: 78 }, 1), 1);
}

#[test]
fn opens_that_failed_leave_the_reserves_alone() {
    let mut budget = budget(&config());
    for _ in 0..50_000 {
        budget.charge_failed_opens(at(0), 1);
        budget.charge_failed_opens(at(0), 3);
    }

    assert_eq!(budget.total.level(at(0), RATE), 3_200);
    assert_eq!(served(&mut budget, at(0), site(1), Standing::Stranger, 100), 10);
}

#[test]
fn a_long_pause_saves_up_no_more_than_the_burst() {
    let mut budget = budget(&config());
    flood(&mut budget, at(0));

    assert_eq!(flood(&mut budget, at(100_000_000)), 320);
}

#[test]
fn a_site_of_ipv6_has_one_share_and_its_neighbour_another() {
    let mut budget = budget(&config());
    flood(&mut budget, at(0));
    let mut served = |from: &str| served(&mut budget, at(0), address(from), Standing::Stranger, 100);

    assert_eq!(served("[2001:db8:1:2::3]:7"), 10);
    assert_eq!(served("[2001:db8:1:9::9]:9"), 0);
    assert_eq!(served("[2001:db8:2::]:7"), 10);
    assert_eq!(served("[::ffff:10.9.9.9]:7"), 10);
    assert_eq!(served("10.9.9.8:7"), 0, "the same /24");
}

#[test]
fn behind_a_proxy_each_address_has_a_share_of_its_own() {
    let exempt_prefixes = alloc::vec!["192.0.2.0/28".parse().unwrap()];
    let mut budget = budget(&Config { exempt_prefixes, ..config() });
    flood(&mut budget, at(0));
    let mut served = |from: &str| served(&mut budget, at(0), address(from), Standing::Stranger, 100);

    assert_eq!(served("192.0.2.1:7"), 10);
    assert_eq!(served("192.0.2.1:8"), 10);
    assert_eq!(served("192.0.2.17:7"), 10, "outside");
    assert_eq!(served("192.0.2.18:8"), 0);
}

#[test]
fn the_dearest_datagram_fits_a_share_of_the_smallest_budget() {
    let mut config = config();
    config.unproved_opens_burst = BURST_OPENS_MIN;
    assert_eq!(config.validate(), Ok(()));
    let mut budget = budget(&config);
    while budget.try_spend(at(0), site(0), Standing::Stranger, DATAGRAM_OPENS_MAX) {}

    assert!(budget.try_spend(at(0), site(1), Standing::Stranger, DATAGRAM_OPENS_MAX));
    assert!(budget.try_spend(at(0), site(0), Standing::Challenged, DATAGRAM_OPENS_MAX));
}
