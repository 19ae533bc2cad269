use super::*;

fn watcher_that_saw(statuses: &[(u32, u32)]) -> Watcher {
    let mut watcher = Watcher::new(3);
    for &(speaker, number) in statuses {
        watcher.handle(Text { speaker, number });
    }
    watcher
}

#[test]
fn statuses_may_be_left_out_as_long_as_the_last_one_comes() {
    let watcher = watcher_that_saw(&[(0, 0), (0, 7), (1, 3)]);
    assert_eq!((watcher.delivered, watcher.backwards), (3, 0));
    assert_eq!(watcher.missing(&[8, 4, 0]), 0);
    assert!(watcher.has_seen_last(12));
}

#[test]
fn a_status_that_is_older_or_comes_twice_goes_backwards() {
    let watcher = watcher_that_saw(&[(0, 5), (0, 4), (0, 5), (0, 6)]);
    assert_eq!((watcher.delivered, watcher.backwards), (2, 2));
    assert_eq!(watcher.missing(&[7]), 0);
}

#[test]
fn a_last_status_that_has_not_come_is_missing() {
    let watcher = watcher_that_saw(&[(0, 5), (1, 0)]);
    assert_eq!(watcher.missing(&[7, 1, 1]), 2);
    assert!(!watcher.has_seen_last(9));
}

#[test]
fn strangers_are_not_watched() {
    let watcher = watcher_that_saw(&[(3, 0), (u32::MAX, 9)]);
    assert_eq!((watcher.delivered, watcher.backwards), (0, 0));
}
