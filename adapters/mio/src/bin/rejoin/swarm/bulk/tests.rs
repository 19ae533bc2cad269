use super::*;
use crate::bulk_content::MESSAGE_BYTES;

const MESSAGE: u64 = MESSAGE_BYTES as u64;

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn message(request: BulkRequest, offset: u64) -> Vec<u8> {
    let mut message = Vec::new();
    write_message(request.seed, offset, request.bytes, &mut message);
    message
}

/// A client that has asked for `bytes` at 1 s.
fn asked(bytes: u64) -> (Download, BulkRequest) {
    let mut download = Download::new(bytes, 3);
    let request = download.due().unwrap();
    download.handle_asked(at(1_000), request);
    (download, request)
}

#[test]
fn what_was_asked_for_is_delivered_and_the_next_request_follows() {
    let (mut download, first) = asked(MESSAGE + 5);
    assert_eq!(download.due(), None);

    download.handle(at(1_500), &message(first, 0));
    assert!(download.is_under_way());
    download.handle(at(3_000), &message(first, MESSAGE));

    assert!(!download.is_under_way());
    let expected =
        DownloadTally { completed: 1, bytes: MESSAGE + 5, wrong: 0, span: Some((at(1_000), at(3_000))) };
    assert_eq!(download.tally(), expected);
    let second = download.due().unwrap();
    assert_eq!(second.bytes, MESSAGE + 5);
    assert_ne!(second.seed, first.seed);
}

#[test]
fn a_request_that_the_lane_did_not_take_is_due_again() {
    let download = Download::new(100, 3);
    assert_eq!(download.due(), download.due());
    assert!(!download.is_under_way());
}

#[test]
fn a_message_that_is_missing_repeated_cut_or_changed_is_wrong() {
    let spoiled: [fn(BulkRequest) -> Vec<u8>; 4] = [
        |request| message(request, 2 * MESSAGE),
        |request| message(request, 0),
        |request| message(request, MESSAGE)[1..].to_vec(),
        |request| {
            let mut message = message(request, MESSAGE);
            message[100] ^= 1;
            message
        },
    ];
    for spoil in spoiled {
        let (mut download, request) = asked(3 * MESSAGE);
        download.handle(at(1_100), &message(request, 0));
        download.handle(at(1_200), &spoil(request));
        assert_eq!((download.tally().wrong, download.tally().bytes), (1, MESSAGE));
        assert_eq!(download.due(), None);
    }
}

#[test]
fn what_nobody_asked_for_is_wrong() {
    let (mut download, request) = asked(10);
    download.handle(at(1_100), &message(request, 0));
    download.handle(at(1_200), &message(request, 0));
    assert_eq!((download.tally().wrong, download.tally().completed), (1, 1));
}

#[test]
fn a_refusal_is_wrong_and_ends_the_asking() {
    let (mut download, _) = asked(10);
    download.handle_refused();
    assert_eq!(download.tally().wrong, 1);
    assert!(download.due().is_none() && !download.is_under_way());
}

#[test]
fn who_wants_nothing_or_has_ended_asks_for_nothing() {
    assert_eq!(Download::new(0, 3).due(), None);
    let (mut download, request) = asked(10);
    download.end();
    assert!(download.is_under_way());
    download.handle(at(1_100), &message(request, 0));
    assert_eq!((download.due(), download.tally().completed), (None, 1));
}

#[test]
fn a_request_stalls_when_nothing_comes_for_a_while() {
    let (mut download, request) = asked(2 * MESSAGE);
    assert!(!download.is_stalled(at(5_999)) && download.is_stalled(at(6_000)));
    download.handle(at(6_000), &message(request, 0));
    assert!(!download.is_stalled(at(10_999)) && download.is_stalled(at(11_000)));
    download.handle(at(11_000), &message(request, MESSAGE));
    assert!(!download.is_stalled(at(99_000)));
}

#[test]
fn the_rate_of_many_clients_is_that_of_all_bytes_over_the_whole_span() {
    let one = DownloadTally { completed: 1, bytes: 4_096, wrong: 0, span: Some((at(1_000), at(2_000))) };
    let other = DownloadTally { bytes: 2_048, wrong: 2, span: Some((at(1_500), at(4_000))), ..one };
    let mut all = DownloadTally::default();
    assert_eq!(all.kib_per_s(), None);
    for tally in [one, other, DownloadTally::default()] {
        all.add(tally);
    }
    assert_eq!((all.completed, all.wrong, all.span), (2, 2, Some((at(1_000), at(4_000)))));
    assert_eq!(all.kib_per_s(), Some(2.0));
}
