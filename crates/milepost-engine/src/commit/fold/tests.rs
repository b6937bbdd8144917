//! What a batch that is shown asks for.

use std::path::Path;

use milepost_io::{SimClock, SimDisk};
use milepost_types::{Scope, ScopePrefix, Timestamp};

use crate::{Engine, Parts, Request, Settings, Threads};

use super::*;

type Change = fn(&mut Request);

fn scope() -> Scope {
    Scope::parse("a").unwrap()
}

/// What was erased is to leave the files soon: compaction is asked for by each commit that erases, and by no other.
#[test]
fn a_commit_that_erases_asks_for_compaction() {
    let parts = Parts::simulated(&SimDisk::new(1), &SimClock::new(Timestamp(1_700_000_000_000_000)));
    let settings = Settings { threads: Threads::Stepped, ..Settings::default() };
    let store = Engine::open(parts, Path::new("/s"), settings).unwrap();
    let set: Change = |request| request.add_set(&scope(), "k", b"1").unwrap();
    let rows: [(Change, bool); 11] = [
        (set, false),
        (set, false),
        (|request| request.add_erase(&scope(), "k", 1).unwrap(), true),
        (set, false),
        (set, false),
        (|request| request.add_erase_scope(&scope(), 1).unwrap(), true),
        (|request| request.add_erase_prefix(&ScopePrefix::root(), 1).unwrap(), true),
        (set, false),
        (|request| request.add_delete(&scope(), "k").unwrap(), false),
        (set, false),
        (|request| request.add_clear(&scope()).unwrap(), false),
    ];
    for (number, (change, asks)) in rows.into_iter().enumerate() {
        let mut request = store.request();
        change(&mut request);
        store.commit(request).unwrap();
        assert_eq!(store.shared().compaction_wanted.swap(false, Ordering::AcqRel), asks, "commit {number}");
    }
}
