//! Gaps so wide that memory does not count across them.

use std::path::Path;

use milepost_io::{SimClock, SimDisk};
use milepost_types::{Scope, Seq, Timestamp};

use crate::{Engine, Parts, Settings, Threads};

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
