use super::*;

fn id(index: u32) -> SessionId {
    SessionId { index, generation: 0 }
}

fn owned<'a>(lines: impl Iterator<Item = (u16, &'a [u8])>) -> Vec<(u16, Vec<u8>)> {
    lines.map(|(key, line)| (key, line.to_vec())).collect()
}

#[test]
fn only_the_newest_of_each_player_is_spread_and_only_once() {
    let mut board = StatusBoard::default();
    board.set(id(3), "Ada", "one");
    board.set(id(4), "Bob", "two");
    board.set(id(3), "Ada", "three");
    assert_eq!(owned(board.take_changes()), [(3, b"\x03Adathree".to_vec()), (4, b"\x03Bobtwo".to_vec())]);
    assert_eq!(owned(board.take_changes()), []);
}

#[test]
fn what_is_said_again_is_no_change() {
    let mut board = StatusBoard::default();
    board.set(id(3), "Ada", "one");
    owned(board.take_changes());
    board.set(id(3), "Ada", "one");
    assert_eq!(owned(board.take_changes()), []);
}

#[test]
fn a_newcomer_gets_each_line_once() {
    let mut board = StatusBoard::default();
    board.set(id(3), "Ada", "one");
    board.set(id(4), "Bob", "two");
    owned(board.take_changes());
    board.set(id(4), "Bob", "three");
    assert_eq!(owned(board.missed()), [(3, b"\x03Adaone".to_vec())]);
    assert_eq!(owned(board.take_changes()), [(4, b"\x03Bobthree".to_vec())]);
}

#[test]
fn who_leaves_is_wiped_off() {
    let mut board = StatusBoard::default();
    board.set(id(3), "Ada", "one");
    owned(board.take_changes());
    board.clear(id(3));
    board.clear(id(4));
    assert_eq!(owned(board.take_changes()), [(3, vec![])]);
    assert_eq!(owned(board.missed()), []);
}

#[test]
fn sessions_beyond_the_keys_have_no_line() {
    let mut board = StatusBoard::default();
    for index in [u32::from(STATUS_KEYS), 65_536, u32::MAX] {
        board.set(id(index), "Ada", "one");
    }
    board.set(id(u32::from(STATUS_KEYS) - 1), "Bob", "two");
    assert_eq!(owned(board.take_changes()), [(STATUS_KEYS - 1, b"\x03Bobtwo".to_vec())]);
}
