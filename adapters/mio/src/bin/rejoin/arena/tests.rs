use super::*;
use crate::arena_wire::read_surroundings;

fn id(index: u32) -> SessionId {
    SessionId { index, generation: 0 }
}

fn arena_of(count: u32) -> Arena {
    let mut arena = Arena::new(60);
    for index in 0..count {
        arena.join(id(index), format!("player-{index}").as_bytes()).unwrap();
    }
    arena
}

fn surroundings(arena: &mut Arena, of: SessionId, bytes_max: usize) -> Vec<Sighting> {
    let mut state = Vec::new();
    arena.write_surroundings(of, bytes_max, &mut state);
    assert!(state.len() <= bytes_max);
    read_surroundings(&state).unwrap()
}

#[test]
fn a_name_has_1_to_24_characters_in_at_most_32_bytes() {
    let mut arena = Arena::new(60);
    assert_eq!(arena.join(id(1), b""), Err(NameError::Unfit(TextError::Length)));
    assert_eq!(arena.join(id(1), &[b'x'; 25]), Err(NameError::Unfit(TextError::Length)));
    assert_eq!(arena.join(id(1), b"x"), Ok(()));
    assert_eq!(arena.join(id(2), &[b'x'; 24]), Ok(()));
    assert_eq!(arena.join(id(3), "ßßßßßßßßßßßßßßßßx".as_bytes()), Err(NameError::Unfit(TextError::Length)));
    assert_eq!(arena.join(id(3), "ßßßßßßßßßßßßßßßß".as_bytes()), Ok(()));
}

#[test]
fn a_name_is_utf8() {
    let mut arena = Arena::new(60);
    assert_eq!(arena.join(id(1), &[0xff, 0xfe]), Err(NameError::Unfit(TextError::NotUtf8)));
    assert_eq!(arena.join(id(1), "Zoë".as_bytes()), Ok(()));
    assert_eq!(arena.name(id(1)), Some("Zoë"));
}

#[test]
fn a_name_belongs_to_one_player_until_that_player_leaves() {
    let mut arena = Arena::new(60);
    arena.join(id(1), b"Ada").unwrap();
    assert_eq!(arena.join(id(2), b"Ada"), Err(NameError::Taken));
    assert_eq!(arena.name(id(2)), None);

    arena.leave(id(1));

    assert_eq!(arena.join(id(2), b"Ada"), Ok(()));
    assert_eq!(arena.players().collect::<Vec<_>>(), [id(2)]);
}

#[test]
fn a_refused_name_takes_nothing_from_a_player_who_has_one() {
    let mut arena = Arena::new(60);
    arena.join(id(1), b"Ada").unwrap();
    arena.join(id(2), b"Bob").unwrap();
    assert_eq!(arena.join(id(2), b"Ada"), Err(NameError::Taken));
    assert_eq!((arena.name(id(1)), arena.name(id(2))), (Some("Ada"), Some("Bob")));
}

#[test]
fn a_player_who_joins_under_another_name_frees_the_first() {
    let mut arena = Arena::new(60);
    arena.join(id(1), b"Ada").unwrap();
    arena.join(id(1), b"Bob").unwrap();
    assert_eq!(arena.join(id(2), b"Ada"), Ok(()));
}

#[test]
fn leaving_twice_or_as_a_stranger_changes_nothing() {
    let mut arena = arena_of(2);
    arena.leave(id(0));
    arena.leave(id(0));
    arena.leave(SessionId { index: 1, generation: 7 });
    assert_eq!(arena.players().collect::<Vec<_>>(), [id(1)]);
}

#[test]
fn controls_move_the_player_they_belong_to_and_nobody_else() {
    let mut arena = arena_of(2);
    let before = surroundings(&mut arena, id(0), 1_000);

    arena.steer(id(0), Controls { turn: 0, throttle: 255 });
    for _ in 0..30 {
        arena.step();
    }

    let after = surroundings(&mut arena, id(0), 1_000);
    assert!(after[0].x > before[0].x && after[0].speed == 255, "{after:?}");
    assert_eq!(after[1], before[1]);
}

#[test]
fn released_controls_bring_a_player_to_rest() {
    let mut arena = arena_of(1);
    arena.steer(id(0), Controls { turn: 5, throttle: 255 });
    arena.step();
    arena.release_controls(id(0));
    arena.step();
    let at_rest = surroundings(&mut arena, id(0), 100);
    arena.step();
    assert_eq!(surroundings(&mut arena, id(0), 100), at_rest);
    assert_eq!(at_rest[0].speed, 0);
}

#[test]
fn a_player_sees_itself_first_and_then_the_nearest_that_fit() {
    let mut arena = arena_of(50);
    let squared = |a: &Sighting, b: &Sighting| {
        let side = |a: u16, b: u16| i64::from(a) - i64::from(b);
        side(a.x, b.x).pow(2) + side(a.y, b.y).pow(2)
    };
    let all = surroundings(&mut arena, id(7), 1_000);
    let some = surroundings(&mut arena, id(7), STATE_HEAD_BYTES + 10 * Sighting::BYTES + 9);

    assert_eq!((all.len(), some.len()), (50, 10));
    assert_eq!(some, all[..10]);
    assert_eq!(all[0].player, 7);
    let distances: Vec<_> = all.iter().map(|other| squared(&all[0], other)).collect();
    assert!(distances.is_sorted(), "{distances:?}");
}

#[test]
fn a_state_without_room_is_empty_and_a_stranger_sees_nothing() {
    let mut arena = arena_of(3);
    assert!(surroundings(&mut arena, id(0), 5).is_empty());
    let mut state = vec![1, 2, 3];
    arena.write_surroundings(id(9), 1_000, &mut state);
    assert!(state.is_empty());
}

#[test]
fn no_state_counts_more_players_than_its_head_can_tell() {
    let mut arena = arena_of(300);
    assert_eq!(surroundings(&mut arena, id(0), 100_000).len(), 255);
}
