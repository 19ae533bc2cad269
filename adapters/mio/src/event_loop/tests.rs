use super::*;
use crate::receivable::FAULTS_IN_A_ROW_MAX;
use crate::socket::BindError;

const BUDGET: u32 = 512;

fn event_loop(bind: impl FnOnce(Registry) -> Result<SocketSet, BindError>) -> EventLoop {
    EventLoop::new(BUDGET, |registry| bind(registry.try_clone()?).map_err(io::Error::other)).unwrap()
}

fn faults(event_loop: &EventLoop) -> u64 {
    event_loop.sockets().counters().receive_faults.iter().sum()
}

#[test]
fn a_socket_that_gives_only_errors_is_read_no_more_than_once_a_millisecond() {
    let mut event_loop = event_loop(SocketSet::failing);
    let begin = event_loop.clock().now();
    for _ in 0..5 {
        event_loop.receive(|_, _| true);
        event_loop.sleep(None, None, None).unwrap();
    }

    let tries = faults(&event_loop) - u64::from(FAULTS_IN_A_ROW_MAX);
    let elapsed = event_loop.clock().now().since(begin);
    assert!(tries > 0, "it is tried again");
    assert!(REST_AFTER_FAULTS * u32::try_from(tries).unwrap() <= elapsed, "{tries} tries in {elapsed:?}");
}

#[test]
fn a_caller_who_polls_without_pause_does_not_make_a_faulty_socket_spin() {
    let mut event_loop = event_loop(SocketSet::failing);
    let begin = event_loop.clock().now();
    for _ in 0..100 {
        event_loop.receive(|_, _| true);
        event_loop.sleep(Some(Duration::ZERO), None, None).unwrap();
    }

    let tries = faults(&event_loop) - u64::from(FAULTS_IN_A_ROW_MAX);
    let elapsed = event_loop.clock().now().since(begin);
    assert!(REST_AFTER_FAULTS * u32::try_from(tries).unwrap() <= elapsed, "{tries} tries in {elapsed:?}");
}
