//! When memory is full, who helps to empty it, and when a reader takes up what its writer has made of it.

use std::path::Path;

use milepost_io::{Fault, FaultKind, Op, SimClock, SimDisk};
use milepost_types::{Meta, Scope, Timestamp, body::Body, body::BodyEncoder, limits::MEMORY_BYTES_MIN};

use super::*;
use crate::{Engine, Parts, Settings, open};

const DIR: &str = "/s";
/// Empty tables take more than this: memory is full after each commit.
const ALWAYS_FULL: u64 = MEMORY_BYTES_MIN;
const NEVER_FULL: u64 = 1 << 30;

fn parts(disk: &SimDisk) -> Parts {
    Parts::simulated(disk, &SimClock::new(Timestamp(1_700_000_000_000_000)))
}

fn open_on(disk: &SimDisk, threads: Threads, memory_bytes: u64) -> Engine {
    let settings = Settings { threads, memory_bytes, compaction: false, ..Settings::default() };
    Engine::open(parts(disk), Path::new(DIR), settings).unwrap()
}

fn stepped(memory_bytes: u64) -> Engine {
    open_on(&SimDisk::new(1), Threads::Stepped, memory_bytes)
}

fn set(store: &Engine, number: u64) {
    let (scope, key) = (Scope::parse("a").unwrap(), format!("key {number}"));
    store.commit(store.request().set(&scope, &key, b"1").unwrap()).unwrap();
}

/// Bytes of the memory that is folded into.
fn bytes(store: &Engine) -> u64 {
    store.shared().state.load().active().bytes()
}

fn is_frozen(store: &Engine) -> bool {
    store.shared().state.load().frozen().is_some()
}

fn retry_bytes(store: &Engine) -> u64 {
    store.shared().indexing.retry_bytes.load(Ordering::Relaxed)
}

/// Where tables begin in memory differs a little from store to store, so that many limits are tried.
#[test]
fn memory_is_full_with_as_many_bytes_as_it_may_have_and_not_before() {
    let empty = bytes(&stepped(NEVER_FULL));
    for max in (empty + 1000..empty + 1128).step_by(4) {
        // A memtable has an eighth of the memory.
        let store = stepped(8 * max + 7);
        for number in 0.. {
            set(&store, number);
            if is_frozen(&store) {
                break;
            }
            assert!(bytes(&store) < max, "{} of {max} after {number}", bytes(&store));
        }
        let frozen = store.stats().frozen_bytes;
        assert!((max..max + 200).contains(&frozen), "{frozen} of {max}");
    }
}

/// A run that is not made, for want of room, is not tried with every commit, but each time that memory has grown by a
/// sixteenth of what it may have.
#[test]
fn making_a_run_is_asked_for_again_when_memory_has_grown_by_a_part() {
    let (store, part) = (stepped(ALWAYS_FULL), ALWAYS_FULL / 8 / 16);
    set(&store, 1);
    assert!(is_frozen(&store));
    assert_eq!((retry_bytes(&store), store.stats().late_runs), (ALWAYS_FULL / 8 + part, 0));
    set(&store, 2);
    assert_eq!((retry_bytes(&store), store.stats().late_runs), (bytes(&store) + part, 1));
    let (shared, bytes) = (store.shared(), bytes(&store));
    for (late, (retry, is_wanted)) in (2..).zip([(bytes + 1, false), (bytes, true), (bytes - 1, true)]) {
        shared.indexing.retry_bytes.store(retry, Ordering::Relaxed);
        shared.indexing.wanted.store(false, Ordering::Relaxed);
        shared.freeze_if_full(shared.published());
        assert_eq!(shared.indexing.wanted.load(Ordering::Relaxed), is_wanted, "{retry} of {bytes}");
        assert_eq!(retry_bytes(&store), if is_wanted { bytes + part } else { retry });
        assert_eq!(store.stats().late_runs, late, "each batch counts");
    }
}

/// A store whose memory holds a run that takes some steps to make, and that nobody makes yet.
fn with_frozen(threads: Threads, memory_bytes: u64) -> Engine {
    let store = open_on(&SimDisk::new(1), threads, memory_bytes);
    let mut encoder = BodyEncoder::new(100);
    for number in 0..9000 {
        encoder.set(&Scope::parse("a").unwrap(), &number.to_string(), b"1", None, None).unwrap();
    }
    let body = encoder.finish(&Meta::default()).unwrap();
    let state = &store.shared().state;
    state.load().insert(Seq(1), &Body::parse(&body).unwrap()).unwrap();
    state.publish(Seq(1));
    state.freeze(Seq(1));
    store
}

fn commit_of(store: &Engine, events: usize) -> Sealed {
    let request = store.request().set(&Scope::parse("a").unwrap(), "k", b"1").unwrap();
    Sealed { events, ..request.seal().unwrap() }
}

/// How many steps are left until the run of what is frozen is there.
fn steps_left(store: &Engine) -> usize {
    let mut steps = 0;
    while is_frozen(store) {
        assert!(store.step_index());
        steps += 1;
    }
    steps
}

/// Whoever brings much does a part of making room for it, in proportion; whoever brings little does nothing, nor does
/// anybody where there is room, where runs fail, or where the caller drives the steps.
#[test]
fn callers_of_large_commits_help_in_proportion_where_memory_is_full() {
    let all = steps_left(&with_frozen(Threads::Stepped, ALWAYS_FULL));
    assert!(all > 3, "{all}");
    for (events, steps) in [(1, 0), (255, 0), (256, 1), (1023, 1), (1024, 2), (2047, 2), (2048, 3), (1_000_000, all)] {
        let store = with_frozen(Threads::Spawned, ALWAYS_FULL);
        store.shared().help_index(&commit_of(&store, events));
        assert_eq!(all - steps_left(&store), steps, "{events} events");
        for (threads, memory_bytes, is_failing) in [
            (Threads::Stepped, ALWAYS_FULL, false),
            (Threads::Spawned, NEVER_FULL, false),
            (Threads::Spawned, ALWAYS_FULL, true),
        ] {
            let store = with_frozen(threads, memory_bytes);
            *store.shared().indexing.failure.lock() = is_failing.then(|| "no such luck".to_owned());
            store.shared().help_index(&commit_of(&store, events));
            assert_eq!(steps_left(&store), all, "{events} events, {threads:?}, {memory_bytes}, {is_failing}");
        }
    }
}

/// Merges can wait: where nothing is frozen, nobody is kept from committing for one.
#[test]
fn nobody_helps_to_merge_runs() {
    let disk = SimDisk::new(1);
    let store = open_on(&disk, Threads::Stepped, ALWAYS_FULL);
    for number in 0..4 {
        set(&store, number);
        steps_left(&store);
    }
    assert_eq!(store.stats().runs, 4);
    store.close().unwrap();
    let disk = disk.kill();
    let store = open_on(&disk, Threads::Spawned, ALWAYS_FULL);
    let runs = store.stats().runs;
    store.shared().help_index(&commit_of(&store, 1_000_000));
    assert_eq!((store.stats().runs, runs), (4, 4));
}

/// What a failed sync has left in memory is not known to be durable: no run is made of it, nor of anything else.
#[test]
fn a_store_that_has_stopped_makes_no_runs() {
    let disk = SimDisk::new(1);
    let store = open_on(&disk, Threads::Stepped, ALWAYS_FULL);
    set(&store, 1);
    let what = FaultKind::SyncFailsAndDropsPages;
    disk.inject(Fault { on: Op::Sync, file: Some(".seg".to_owned()), nth: 0, times: 1, what });
    let request = store.request().set(&Scope::parse("a").unwrap(), "lost", b"1").unwrap();
    assert!(store.commit(request).is_err());
    assert!(is_frozen(&store) && !store.step_index());
    store.close().unwrap();
    assert!(!disk.names().iter().any(|path| path.extension().is_some_and(|kind| kind == "run")));
}

/// A reader with so much memory.
fn reader(disk: &SimDisk, memory_bytes: u64) -> Engine {
    let found = open::for_reading(&parts(disk), Path::new(DIR), &mut |_, _| {}).unwrap();
    Engine::of(found, parts(disk), Settings { memory_bytes, ..Settings::default() })
}

/// A reader folds what its writer commits. Once its memory is full it lets go of what is in runs by then; where that is
/// nothing yet, it does not look again before its memory has grown.
#[test]
fn a_reader_takes_up_runs_when_its_memory_is_full() {
    let disk = SimDisk::new(1);
    let writer = open_on(&disk, Threads::Stepped, ALWAYS_FULL);
    let (small, large) = (reader(&disk, ALWAYS_FULL), reader(&disk, NEVER_FULL));
    let part = ALWAYS_FULL / 8 / 16;
    set(&writer, 1);
    small.refresh().unwrap();
    assert_eq!(small.stats().runs, 0, "there are none yet");
    assert_eq!(retry_bytes(&small), bytes(&small) + part);
    // One run, of that commit.
    assert_eq!((steps_left(&writer) > 0, writer.stats().runs), (true, 1));
    small.refresh().unwrap();
    assert_eq!(small.stats().runs, 0, "its memory has not grown");
    let (shared, bytes) = (small.shared(), bytes(&small));
    for (retry, takes_up) in [(bytes + 1, false), (bytes, true), (bytes - 1, true), (0, true)] {
        shared.indexing.retry_bytes.store(retry, Ordering::Relaxed);
        assert_eq!(shared.has_runs_to_take_up(), takes_up, "{retry} of {bytes}");
        assert_eq!(retry_bytes(&small), if takes_up { bytes + part } else { retry });
    }
    assert!(!large.shared().has_runs_to_take_up(), "it has room");
    shared.indexing.retry_bytes.store(0, Ordering::Relaxed);
    small.refresh().unwrap();
    assert_eq!((small.stats().runs, retry_bytes(&small)), (1, 0));
    assert!(!shared.has_runs_to_take_up(), "no run holds what came behind that one");
    set(&writer, 2);
    small.refresh().unwrap();
    assert_eq!(small.stats().runs, 1);
    for reader in [&small, &large] {
        reader.refresh().unwrap();
        for number in [1, 2] {
            assert!(reader.get("a", &format!("key {number}")).unwrap().is_some());
        }
    }
}
