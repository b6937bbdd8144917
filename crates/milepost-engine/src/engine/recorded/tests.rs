//! Gaps so wide that memory does not count across them, and commits that do not follow the last one.

use std::path::Path;

use milepost_io::{SimClock, SimDisk};
use milepost_types::{Meta, Receipt, Scope, Seq, Timestamp, body::BodyEncoder};

use crate::{CommitError, Engine, NoFork, Parts, Refusal, Settings, Threads};

/// As many commits as one memtable spans.
const SPANNED: u64 = 1 << 31;

#[test]
fn memory_is_left_behind_where_the_next_commit_would_lie_too_far_from_its_first() {
    for (last, runs) in [(SPANNED - 1, 0), (SPANNED, 1)] {
        let disk = SimDisk::new(1);
        let parts = || Parts::simulated(&disk, &SimClock::new(Timestamp(1_700_000_000_000_000)));
        let settings = || Settings { threads: Threads::Stepped, ..Settings::default() };
        let engine = Engine::open(parts(), Path::new("/s"), settings()).unwrap();
        let scope = Scope::parse("a").unwrap();
        let first = engine.commit(engine.request().set(&scope, "first", b"1").unwrap()).unwrap();
        let times = (first.at, Timestamp(first.at.0 + 2 * SPANNED as i64));
        engine.pass(Seq(last), Some((Timestamp(times.0.0 + 1), times.1))).unwrap();
        assert_eq!(engine.stats().runs, runs, "through {last}");
        assert_eq!((engine.last().seq, engine.last().at), (Seq(last), times.1));
        engine.list_segments().unwrap();
        let next = engine.commit(engine.request().set(&scope, "next", b"2").unwrap()).unwrap();
        assert_eq!(next.seq, Seq(last + 1));
        engine.close().unwrap();
        let engine = Engine::open(parts(), Path::new("/s"), settings()).unwrap();
        for (key, seq) in [("first", first.seq), ("next", next.seq)] {
            assert_eq!(engine.get("a", key).unwrap().map(|value| value.seq()), Some(seq), "{key} through {last}");
        }
        assert!(engine.commit_at(Seq(last)).unwrap().is_none());
    }
}

fn opened() -> Engine {
    let parts = Parts::simulated(&SimDisk::new(1), &SimClock::new(Timestamp(1_700_000_000_000_000)));
    let settings = Settings { threads: Threads::Stepped, ..Settings::default() };
    Engine::open(parts, Path::new("/s"), settings).unwrap()
}

/// Takes a commit over: of a set, or of a fork of one scope as another was.
fn take(engine: &Engine, seq: u64, at: i64, fork: Option<(&str, &str, u64)>) -> Result<Receipt, Refusal> {
    let mut encoder = BodyEncoder::new(100);
    match fork {
        None => encoder.set(&Scope::parse("a").unwrap(), "k", b"1", None, None).unwrap(),
        Some((of, origin, point)) => {
            encoder.fork(&Scope::parse(of).unwrap(), &Scope::parse(origin).unwrap(), Seq(point)).unwrap();
        }
    }
    let place = Receipt { seq: Seq(seq), at: Timestamp(at) };
    let body = encoder.finish(&Meta::default()).unwrap();
    match engine.submit_recorded(place, body).unwrap().wait() {
        Ok(receipt) => Ok(receipt),
        Err(CommitError::Refused(why)) => Err(*why),
        Err(error) => panic!("{error}"),
    }
}

/// Whatever the clock says: it follows in `Seq` and in time, and the last number of all is nobody's.
#[test]
fn a_commit_that_was_made_before_follows_the_last_one() {
    let engine = opened();
    let place = |seq, at| Receipt { seq: Seq(seq), at: Timestamp(at) };
    assert_eq!(take(&engine, 1, 100, None), Ok(place(1, 100)));
    for (seq, at) in [(1, 101), (3, 101), (2, 100), (2, 99), (u64::MAX, 101)] {
        let (place, last) = (place(seq, at), place(1, 100));
        assert_eq!(take(&engine, seq, at, None), Err(Refusal::NotNext { place, last }));
        assert_eq!(engine.last(), last);
    }
    assert_eq!(take(&engine, 2, 101, None), Ok(place(2, 101)));
    engine.pass(Seq(u64::MAX - 2), Some((Timestamp(102), Timestamp(i64::MAX - 9)))).unwrap();
    let last = place(u64::MAX - 1, i64::MAX - 8);
    assert_eq!(take(&engine, last.seq.0, last.at.0, None), Ok(last));
    let end = place(u64::MAX, i64::MAX);
    assert_eq!(take(&engine, end.seq.0, end.at.0, None), Err(Refusal::NotNext { place: end, last }));
}

/// Of what such a commit says its forks are looked at: each leads to an earlier commit of another scope.
#[test]
fn a_fork_that_was_made_before_leads_to_an_earlier_commit() {
    let engine = opened();
    take(&engine, 1, 1, None).unwrap();
    for (of, origin, point, why) in [
        ("f", "f", 1, NoFork::Itself),
        ("f", "a", 2, NoFork::PointAhead { point: Seq(2), last: Seq(1) }),
        ("f", "a", 9, NoFork::PointAhead { point: Seq(9), last: Seq(1) }),
    ] {
        let scope = Scope::parse(of).unwrap();
        assert_eq!(take(&engine, 2, 2, Some((of, origin, point))), Err(Refusal::Fork { scope, why }));
    }
    // What a new fork is refused for is taken as it is: where nothing is any more, where it has begun already.
    for (seq, origin, point) in [(2, "a", 1), (3, "a", 0), (4, "none", 3)] {
        assert!(take(&engine, seq, seq as i64, Some(("f", origin, point))).is_ok(), "{origin} at {point}");
    }
}
