//! Players and their server use everything that is to arrive at once, while networks, processes and logins come and go, among adversaries.

use rejoin_tests::ordeal::Ordeal;

const SEEDS: u64 = 60;

#[test]
fn whatever_happens_everything_arrives_as_its_kind_promises() {
    let mut whole = 0_u64;
    for seed in 0..SEEDS {
        let survived = Ordeal::run(seed).unwrap_or_else(|violation| panic!("seed {seed}: {violation}"));
        whole += survived as u64;
    }
    assert!(whole > SEEDS, "most sessions last: {whole}");
}
