use super::*;

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn figures(moves_late: u64) -> Figures {
    Figures { moves_late, ..Figures::default() }
}

#[test]
fn questions_are_asked_again_and_again_and_the_newest_answer_counts() {
    let mut inquiry = Inquiry::new(at(100));
    assert_eq!((inquiry.next_at(), inquiry.newest()), (at(100), None));
    inquiry.handle_asked(at(100), true);
    assert_eq!(inquiry.next_at(), at(2_100));
    inquiry.handle_answer(figures(1));
    inquiry.handle_asked(at(2_100), true);
    inquiry.handle_answer(figures(2));
    assert_eq!(inquiry.newest(), Some(figures(2)));
    assert!(!inquiry.is_over());
}

#[test]
fn it_is_over_when_the_question_after_the_end_is_answered_too() {
    let mut inquiry = Inquiry::new(at(0));
    inquiry.handle_asked(at(0), true);
    inquiry.end();
    assert_eq!(inquiry.next_at(), Timestamp::ZERO);
    inquiry.handle_asked(at(500), true);
    assert_eq!(inquiry.next_at(), Timestamp::NEVER);
    inquiry.handle_answer(figures(1));
    assert!(!inquiry.is_over(), "that was the answer to the question before");
    inquiry.handle_answer(figures(2));
    assert!(inquiry.is_over());
}

#[test]
fn a_last_question_that_the_lane_does_not_take_is_asked_again() {
    let mut inquiry = Inquiry::new(at(0));
    inquiry.end();
    inquiry.handle_asked(at(500), false);
    assert_eq!(inquiry.next_at(), at(2_500));
    assert!(!inquiry.is_over());
    inquiry.handle_asked(at(2_500), true);
    inquiry.handle_answer(figures(1));
    assert!(inquiry.is_over());
}

#[test]
fn the_error_of_a_clock_is_its_distance_from_the_tick_that_is_due_either_way() {
    let tick_zero = 1_700_000_000_000_000;
    let figures = Figures { tick_zero_unix_micros: Some(tick_zero), ..Figures::default() };
    let estimate = ServerClock { tick: 60, phase_micros: 4_000, error_micros: 9 };
    let error = |into_run_micros| clock_error_micros(estimate, 60, figures, tick_zero + into_run_micros);
    assert_eq!(error(1_004_000), Some(0));
    assert_eq!(error(1_005_500), Some(1_500));
    assert_eq!(error(1_000_000), Some(4_000));
    assert_eq!(clock_error_micros(estimate, 0, figures, tick_zero), None);
    assert_eq!(clock_error_micros(estimate, 60, Figures::default(), tick_zero), None);
}
