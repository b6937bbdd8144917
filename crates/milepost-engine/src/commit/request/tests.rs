//! What a request takes, with its limits met and missed by one, and what is known of it when it is sent.

use milepost_types::{
    Key, LimitError,
    limits::{FENCES_MAX, FENCING_TOKEN_MAX, IDEMPOTENCY_KEY_BYTES_MAX, PRECONDITIONS_MAX},
};

use super::*;

fn request() -> Request {
    Request::new(limits::VALUE_BYTES_MAX)
}

fn scope() -> Scope {
    Scope::parse("a").unwrap()
}

/// The most that is allowed, by the word of a refusal.
fn most<T: std::fmt::Debug>(done: Result<T, CommitError>) -> Option<u64> {
    match done {
        Ok(_) => None,
        Err(CommitError::Limit(LimitError { max, .. })) => Some(max),
        Err(error) => panic!("{error}"),
    }
}

/// The highest token of all would be the last one for good, so nobody gets it; what was committed with it once, in a
/// store that is taken over, has it still.
#[test]
fn no_fencing_token_is_the_last_one() {
    let last = FENCING_TOKEN_MAX;
    for (token, of_new, of_recorded) in
        [(0, None, None), (last - 1, None, None), (last, Some(last - 1), None), (last + 1, Some(last - 1), Some(last))]
    {
        assert_eq!(most(request().fence(&scope(), token)), of_new, "{token}");
        assert_eq!(most(Request::recorded().fence(&scope(), token)), of_recorded, "{token}");
    }
}

#[test]
fn names_and_numbers_of_a_request_have_limits() {
    let keyed = |bytes| request().idempotency_key(&"k".repeat(bytes));
    let key_max = IDEMPOTENCY_KEY_BYTES_MAX;
    assert_eq!([0, 1, key_max, key_max + 1].map(|bytes| keyed(bytes).is_ok()), [false, true, true, false]);
    let fenced = (0..FENCES_MAX).fold(request(), |request, _| request.fence(&scope(), 1).unwrap());
    assert_eq!(fenced.meta.fences.len(), FENCES_MAX);
    assert_eq!(most(fenced.fence(&scope(), 1)), Some(FENCES_MAX as u64));
    let absent = || Precondition::KeyAbsent { scope: scope(), key: Key::parse("k").unwrap() };
    for (count, refused) in [(PRECONDITIONS_MAX, None), (PRECONDITIONS_MAX + 1, Some(PRECONDITIONS_MAX as u64))] {
        let request = (0..count).fold(request(), |request, _| request.require(absent()));
        assert_eq!(most(request.set(&scope(), "k", b"1").unwrap().seal()), refused, "{count}");
    }
}

/// A commit of nothing is a mistake of its caller; of one that was made before, the key it is repeated by may be all
/// that is left.
#[test]
fn a_request_of_nothing_is_refused() {
    for is_recorded in [false, true] {
        for (has_event, has_fence, has_key) in (0..8).map(|bits| (bits & 1 > 0, bits & 2 > 0, bits & 4 > 0)) {
            let mut asked = if is_recorded { Request::recorded() } else { request() };
            if has_event {
                asked = asked.set(&scope(), "k", b"1").unwrap();
            }
            if has_fence {
                asked = asked.fence(&scope(), 1).unwrap();
            }
            if has_key {
                asked = asked.idempotency_key("once").unwrap();
            }
            let is_something = has_event || has_fence || (has_key && is_recorded);
            match asked.seal_own(None) {
                Ok(sealed) => assert!(is_something && sealed.events == usize::from(has_event)),
                Err(CommitError::Empty) => assert!(!is_something),
                Err(error) => panic!("{error}"),
            }
        }
    }
}

/// On a full disk only what takes away, all of it, may be what gives room back.
#[test]
fn what_only_takes_away_gives_room() {
    let delete = |request: Request| request.delete(&scope(), "k").unwrap();
    let set = |request: Request| request.set(&scope(), "k", b"1").unwrap();
    let fence = |request: Request| request.fence(&scope(), 1).unwrap();
    for (sealed, gives_room) in [
        (delete(request()), true),
        (delete(delete(request())), true),
        (fence(delete(request())), true),
        (set(request()), false),
        (set(delete(request())), false),
        (delete(set(request())), false),
        (fence(request()), false),
    ] {
        assert_eq!(sealed.seal().unwrap().gives_room, gives_room);
    }
}

/// Whoever sends commits ahead counts by it what is on the way.
#[test]
fn a_request_knows_about_how_large_it_is() {
    let mut request = request();
    assert_eq!((request.events(), request.bytes()), (0, FRAME_HEADER_BYTES));
    for (number, value_bytes) in (1..).zip([0, 10, 1000, 100_000]) {
        request.add_set(&scope(), &format!("key {number}"), &vec![7; value_bytes]).unwrap();
        assert_eq!(request.events(), number);
    }
    let told = request.bytes();
    let taken = request.seal().unwrap().frame_bytes();
    assert!(told <= taken && taken < told + 50, "{told} told, {taken} taken");
}

/// The names that the store keeps for itself are for what it takes over, and for nobody else.
#[test]
fn what_was_made_before_may_name_what_is_kept() {
    let kept = Scope::from_stored("$/lost").unwrap();
    for (mut asked, of, is_allowed) in [
        (request(), &scope(), true),
        (Request::recorded(), &scope(), true),
        (request(), &kept, false),
        (Request::recorded(), &kept, true),
    ] {
        assert_eq!(asked.add_set(of, "k", b"1").is_ok(), is_allowed);
        assert_eq!(asked.add_checkpoint(of, "c", None).is_ok(), is_allowed);
        assert_eq!(asked.events(), if is_allowed { 2 } else { 0 });
    }
}

/// What the events of a body are is seen when it is taken over, wherever among them the fork stands.
#[test]
fn the_events_of_a_body_that_was_made_before_are_counted() {
    for (fork_at, forks) in [(None, false), (Some(0), true), (Some(1), true), (Some(2), true)] {
        let mut asked = Request::recorded();
        for place in 0..3 {
            if fork_at == Some(place) {
                asked.add_fork(&Scope::parse("f").unwrap(), &scope(), Seq(1)).unwrap();
            } else {
                asked.add_set(&scope(), "k", b"1").unwrap();
            }
        }
        let body = asked.writer(Writer::new("w").unwrap()).seal().unwrap().body;
        let place = Receipt { seq: Seq(5), at: Timestamp(7) };
        let sealed = Sealed::recorded(place, body.clone()).unwrap();
        assert_eq!((sealed.events, sealed.forks, sealed.recorded), (3, forks, Some(place)), "{fork_at:?}");
        assert_eq!((sealed.body_crc, sealed.body), (crc32fast::hash(&body), body));
        assert_eq!(sealed.meta.writer.as_ref().map(Writer::name), Some("w"));
    }
}
