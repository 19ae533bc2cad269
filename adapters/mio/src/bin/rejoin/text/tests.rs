use super::*;

const TALK_BYTES_MAX: usize = 100;

fn talk(text: &str) -> Result<&str, TextError> {
    check_talk(text.as_bytes(), TALK_BYTES_MAX, TALK_BYTES_MAX)
}

fn name(text: &str) -> Result<&str, TextError> {
    check_name(text.as_bytes())
}

#[test]
fn names_and_talk_of_all_kinds_of_scripts_are_fine() {
    for fine in ["Ada", "Zoë", "李小龙", "Ольга", "שלום", "محمد", "नमस्ते", "x", "a b c", "O'Neill-1_2", "🐈"]
    {
        assert_eq!((name(fine), talk(fine)), (Ok(fine), Ok(fine)));
    }
}

#[test]
fn control_characters_and_ends_of_lines_are_refused_everywhere() {
    let controls = (0..=u32::from(char::MAX)).filter_map(char::from_u32).filter(|it| it.is_control());
    let ends = ['\u{2028}', '\u{2029}'];
    let mut count = 0;
    for it in controls.chain(ends) {
        let text = format!("a{it}b");
        assert_eq!((name(&text), talk(&text)), (Err(TextError::Control), Err(TextError::Control)), "{it:?}");
        count += 1;
    }
    assert_eq!(count, 65 + 2);
}

#[test]
fn each_mark_of_direction_is_refused_everywhere() {
    let marks =
        "\u{61c}\u{200e}\u{200f}\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2066}\u{2067}\u{2068}\u{2069}";
    assert_eq!(marks.chars().count(), 12);
    for mark in marks.chars() {
        let text = format!("a{mark}b");
        assert_eq!((name(&text), talk(&text)), (Err(TextError::Direction), Err(TextError::Direction)));
    }
}

#[test]
fn what_nobody_sees_is_refused_everywhere_but_for_what_joins_in_talk() {
    for hidden in
        ["\u{ad}", "\u{200b}", "\u{2060}", "\u{3164}", "\u{feff}", "\u{2800}", "\u{e0041}", "\u{115f}"]
    {
        let text = format!("a{hidden}b");
        assert_eq!((name(&text), talk(&text)), (Err(TextError::Invisible), Err(TextError::Invisible)));
    }
    for joining in ["👩‍🚀", "می‌خواهم", "❤\u{fe0f}"] {
        assert_eq!((name(joining), talk(joining)), (Err(TextError::Invisible), Ok(joining)));
    }
}

#[test]
fn the_sets_do_not_overlap_and_ascend() {
    for set in [&DIRECTION[..], &INVISIBLE, &JOINING] {
        assert!(set.is_sorted_by(|a, b| a.end() < b.start()));
        assert!(set.iter().all(|range| range.start() <= range.end()));
    }
    let sets = [&DIRECTION[..], &INVISIBLE, &JOINING];
    let all = (0..=u32::from(char::MAX)).filter_map(char::from_u32);
    for it in all {
        assert!(sets.iter().filter(|set| contains(set, it)).count() <= 1, "{it:?}");
    }
}

#[test]
fn a_name_has_spaces_only_between_its_words() {
    for wrong in [" a", "a ", "a  b", " ", "a\u{a0}b", "a\u{3000}b", "a\u{2003}b"] {
        assert_eq!(name(wrong), Err(TextError::Space), "{wrong:?}");
    }
}

#[test]
fn talk_loses_the_space_around_it_and_must_say_something() {
    assert_eq!(talk("  well  then\u{3000}"), Ok("well  then"));
    for nothing in ["", "   ", "\u{200d}", "\u{fe0f} \u{200c}"] {
        assert_eq!(talk(nothing), Err(TextError::Length), "{nothing:?}");
    }
}

#[test]
fn bytes_and_characters_are_bounded_before_anything_is_read() {
    assert_eq!(name(""), Err(TextError::Length));
    assert_eq!(check_name(&[0xff; 33]), Err(TextError::Length));
    assert_eq!(check_name(&[0xff; 32]), Err(TextError::NotUtf8));
    assert_eq!(check_talk(b"abcd", 4, 3), Err(TextError::Length));
    assert_eq!(check_talk("äbc".as_bytes(), 4, 3), Ok("äbc"));
}

/// A text of characters that are drawn from all over Unicode, the refused ones among them (splitmix64).
fn drawn(seed: &mut u64) -> String {
    let mut draw = |bound: u64| {
        *seed = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (*seed ^ *seed >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        (mixed ^ mixed >> 27) % bound
    };
    let blocks = [(0x20, 0x60), (0x2000, 0x70), (0x180b, 8), (0xfe00, 0x10), (0xa0, 0x300), (0xe0000, 0x80)];
    let len = draw(8);
    (0..len)
        .filter_map(|_| {
            let weighted = [0, 0, 0, 0, 1, 2, 3, 4, 5];
            let (start, count) = blocks[weighted[usize::try_from(draw(9)).unwrap()]];
            char::from_u32(start + u32::try_from(draw(count)).unwrap())
        })
        .collect()
}

#[test]
fn whatever_is_drawn_what_passes_shows_what_it_is() {
    let mut seed = 1;
    let (mut names, mut talks) = (0, 0);
    for _ in 0..200_000 {
        let text = drawn(&mut seed);
        let hides = |it: char| it.is_control() || contains(&DIRECTION, it) || contains(&INVISIBLE, it);
        if let Ok(name) = name(&text) {
            names += 1;
            let shown: String = name.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
            assert_eq!((name, name), (text.as_str(), shown.as_str()));
            assert!(!name.chars().any(|it| hides(it) || contains(&JOINING, it)), "{name:?}");
        }
        if let Ok(talk) = talk(&text) {
            talks += 1;
            assert!(text.contains(talk) && talk == talk.trim() && !talk.is_empty());
            assert!(!talk.chars().any(hides), "{talk:?}");
            assert_eq!(check_talk(talk.as_bytes(), 100, 100), Ok(talk), "it may be said again");
        }
    }
    assert!(names > 10_000 && talks > names, "{names} {talks}");
}
