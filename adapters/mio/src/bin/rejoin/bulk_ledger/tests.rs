use super::*;
use crate::bulk_content::MESSAGE_BYTES;

const MESSAGE: u64 = MESSAGE_BYTES as u64;

const FULL: SendError = SendError::Full { bytes_to_acknowledge: 1 };

fn id(index: u32) -> SessionId {
    SessionId { index, generation: 0 }
}

fn request(bytes: u64) -> BulkRequest {
    BulkRequest { seed: 7, bytes }
}

/// What the ledger sends to each player if a lane takes `room` messages.
fn paid(ledger: &mut BulkLedger, room: usize) -> BTreeMap<SessionId, Vec<Vec<u8>>> {
    let mut lanes = BTreeMap::<SessionId, Vec<Vec<u8>>>::new();
    ledger.pay(|id, message| {
        let lane = lanes.entry(id).or_default();
        if lane.len() >= room {
            return Err(FULL);
        }
        lane.push(message.to_vec());
        Ok(())
    });
    lanes
}

#[test]
fn a_player_gets_what_it_asked_for_as_the_lane_has_room() {
    let mut ledger = BulkLedger::default();
    ledger.owe(id(1), request(5 * MESSAGE + 3)).unwrap();

    let mut all = Vec::new();
    let mut messages = Vec::new();
    for _ in 0..3 {
        let lane = paid(&mut ledger, 2).remove(&id(1)).unwrap();
        messages.push(lane.len());
        all.extend(lane.concat());
    }

    let mut expected = Vec::new();
    for offset in (0..=5).map(|number| number * MESSAGE) {
        let mut message = Vec::new();
        write_message(7, offset, 5 * MESSAGE + 3, &mut message);
        expected.extend(message);
    }
    assert_eq!(messages, [2, 2, 2]);
    assert_eq!(all, expected);
    assert!(paid(&mut ledger, 2).is_empty(), "all is paid");
}

#[test]
fn a_full_lane_makes_nobody_else_wait() {
    let mut ledger = BulkLedger::default();
    ledger.owe(id(1), request(MESSAGE)).unwrap();
    ledger.owe(id(2), request(MESSAGE)).unwrap();

    let mut served = Vec::new();
    ledger.pay(|id, _| {
        served.push(id);
        if id.index == 1 { Err(FULL) } else { Ok(()) }
    });

    assert_eq!(served, [id(1), id(2)]);
    assert_eq!(paid(&mut ledger, 9).keys().collect::<Vec<_>>(), [&id(1)]);
}

#[test]
fn a_player_has_one_request_at_a_time() {
    let mut ledger = BulkLedger::default();
    assert_eq!(ledger.owe(id(1), request(MESSAGE)), Ok(()));
    assert_eq!(ledger.owe(id(1), request(MESSAGE)), Err(BulkRefusal::UnderWay));
    assert_eq!(ledger.owe(id(2), request(MESSAGE)), Ok(()));
    paid(&mut ledger, 9);
    assert_eq!(ledger.owe(id(1), request(MESSAGE)), Ok(()));
}

#[test]
fn a_request_is_bounded() {
    let mut ledger = BulkLedger::default();
    for bytes in [0, REQUEST_BYTES_MAX + 1, u64::MAX] {
        assert_eq!(ledger.owe(id(1), request(bytes)), Err(BulkRefusal::Size), "{bytes}");
    }
    assert_eq!(ledger.owe(id(1), request(REQUEST_BYTES_MAX)), Ok(()));
}

#[test]
fn nothing_is_owed_to_a_player_who_left_or_cannot_be_sent_to() {
    let mut ledger = BulkLedger::default();
    ledger.owe(id(1), request(MESSAGE)).unwrap();
    ledger.owe(id(2), request(MESSAGE)).unwrap();
    ledger.forget(id(1));
    ledger.pay(|_, _| Err(SendError::NotLoggedIn));
    assert!(paid(&mut ledger, 9).is_empty());
}
