//! When a store beside its writer is found anew: where files are held that the writer has replaced, and nobody reads
//! them here; and when what is found is no later moment of the same store.

use std::path::{Path, PathBuf};

use milepost_io::{Op, SimClock, SimDisk};
use milepost_log::{DroppedFacts, KnownSegment, SegmentId};
use milepost_types::{Policy, Scope, ScopePrefix, Seq};

use super::*;
use crate::{Engine, Parts, Settings, Threads};

const DIR: &str = "/s";

/// A writer, and a reader beside it that has seen all of it.
struct World {
    disk: SimDisk,
    clock: SimClock,
    writer: Engine,
    reader: Engine,
}

fn open_writer(disk: &SimDisk, clock: &SimClock) -> Engine {
    let settings =
        Settings { segment_bytes: 4 << 10, memory_bytes: 8 << 10, threads: Threads::Stepped, ..Settings::default() };
    Engine::open(Parts::simulated(disk, clock), Path::new(DIR), settings).unwrap()
}

fn set(writer: &Engine, clock: &SimClock, number: u64) {
    clock.advance(1000);
    let (scope, key) = (Scope::parse("a").unwrap(), format!("k{}", number % 5));
    writer.commit(writer.request().set(&scope, &key, &[number as u8; 200]).unwrap()).unwrap();
    while writer.step_index() {}
}

impl World {
    /// Some segments and runs, of which little is kept.
    fn new() -> World {
        let (disk, clock) = (SimDisk::new(1), SimClock::new(Timestamp(1_700_000_000_000_000)));
        let writer = open_writer(&disk, &clock);
        let mut request = writer.request();
        request.add_retain(&ScopePrefix::root(), &Policy::default().keep_last(1)).unwrap();
        writer.commit(request).unwrap();
        (0..100).for_each(|number| set(&writer, &clock, number));
        let reader = Engine::open_read_only(Parts::simulated(&disk, &clock), Path::new(DIR)).unwrap();
        assert!(reader.segments().len() > 4 && reader.stats().runs > 0);
        World { disk, clock, writer, reader }
    }

    fn compact(&self) {
        self.writer.compact(&mut |_, _| {}).unwrap();
        while self.writer.step_recycle() {}
    }

    fn manifest(&self) -> Manifest {
        manifest::read(&self.disk, Path::new(DIR)).unwrap().unwrap()
    }

    fn holds_what_was_replaced(&self) -> bool {
        let shared = self.reader.shared();
        shared.holds_what_was_replaced(shared.beside.lock().as_mut().unwrap())
    }

    fn find_again(&self) -> Result<(), ReadError> {
        let shared = self.reader.shared();
        shared.find_again(shared.beside.lock().as_mut().unwrap())
    }
}

/// The rows of segments are in order, and the newest need not be among them.
#[test]
fn a_file_that_is_not_listed_any_more_is_told_from_one_that_is_not_listed_yet() {
    let world = World::new();
    let dropped = || {
        let at = Timestamp(1_700_000_000_000_000);
        let facts = DroppedFacts { last_seq: Seq(1), first_at: at, last_at: at };
        let known = KnownSegment { dropped: Some(facts), ..KnownSegment::open(SegmentId::FIRST, Seq(1)) };
        manifest::rows(&[known]).remove(0).state
    };
    type Change = fn(&mut Manifest, SegmentState);
    let rows: [(&str, Change, bool); 9] = [
        ("as it is", |_, _| {}, false),
        ("the newest segment is not listed yet", |it, _| it.segments.truncate(it.segments.len() - 1), false),
        ("nor the one before it", |it, _| it.segments.truncate(it.segments.len() - 2), false),
        ("the first segment is gone", |it, _| _ = it.segments.remove(0), true),
        ("one in the middle is gone", |it, _| _ = it.segments.remove(2), true),
        ("one was written anew", |it, _| it.segments[1].generation += 1, true),
        ("one was dropped", |it, dropped| it.segments[1].state = dropped, true),
        ("no run is listed", |it, _| it.runs.clear(), true),
        ("a run more is listed", |it, _| it.runs.push(it.runs[0].clone()), false),
    ];
    for (what, change, is_unlisted) in rows {
        let mut manifest = world.manifest();
        change(&mut manifest, dropped());
        assert_eq!(world.reader.shared().has_unlisted(&manifest), is_unlisted, "{what}");
    }
}

/// A refresh that finds nothing new costs a look at MANIFEST's first bytes; no file is opened but that, and none is
/// mapped.
#[test]
fn a_refresh_that_finds_nothing_new_finds_nothing_anew() {
    let world = World::new();
    world.reader.refresh().unwrap();
    let count = |op| world.disk.count(op);
    let before = (count(Op::Map), count(Op::List));
    for _ in 0..3 {
        assert_eq!(world.reader.refresh().unwrap(), world.writer.last());
        assert!(!world.holds_what_was_replaced());
    }
    assert_eq!((count(Op::Map), count(Op::List)), before);
}

/// Its room is to come back: not while somebody goes through the log here, and not more often than it may.
#[test]
fn what_was_replaced_is_let_go_when_nobody_needs_it_and_not_too_often() {
    let world = World::new();
    assert!(!world.holds_what_was_replaced());
    world.compact();
    assert!(world.holds_what_was_replaced(), "MANIFEST is another one since it was looked at");
    let last = world.reader.last().seq;
    for (from, is_needed) in [(Seq(1), true), (last, true), (Seq(last.0 + 1), false)] {
        let watch = world.reader.watch(from);
        assert_eq!(world.holds_what_was_replaced(), !is_needed, "{from} of {last}");
        drop(watch);
        assert!(world.holds_what_was_replaced());
    }
    let now = world.reader.shared().parts.clock.now().0;
    let shared = world.reader.shared();
    for (ended, until, rests) in
        [(now - 1, now, false), (now, now + 1, true), (now - 9, now + 9, true), (now + 1, now + 9, false)]
    {
        shared.beside.lock().as_mut().unwrap().rest = (Timestamp(ended), Timestamp(until));
        assert_eq!(world.holds_what_was_replaced(), !rests, "from {ended} to {until}, now it is {now}");
        let watch = world.reader.watch(Seq(1));
        assert!(!world.holds_what_was_replaced());
        drop(watch);
    }
    let held = world.reader.segments().iter().map(|segment| segment.file_bytes).sum::<u64>();
    world.reader.refresh().unwrap();
    assert!(world.reader.segments().iter().map(|segment| segment.file_bytes).sum::<u64>() < held / 2);
    assert!(!world.holds_what_was_replaced(), "it was let go");
}

/// Nine times as long as it took, half a second at most, whatever the clock does meanwhile.
#[test]
fn the_longer_it_takes_to_find_a_store_anew_the_longer_it_is_let_rest() {
    let world = World::new();
    assert!(!world.holds_what_was_replaced());
    let mut guard = world.reader.shared().beside.lock();
    let beside = guard.as_mut().unwrap();
    for (began, ended, rest) in [
        (0, 0, 0),
        (100, 101, 9),
        (100, 1100, 9000),
        (0, REST_MAX / 9, 499_995),
        (0, REST_MAX / 9 + 1, REST_MAX),
        (0, i64::MAX, 0),
        (200, 100, 0),
    ] {
        beside.seen.as_mut().unwrap().replaced = true;
        beside.found_again(Timestamp(began), Timestamp(ended));
        assert_eq!(beside.rest, (Timestamp(ended), Timestamp(ended + rest)), "{began} to {ended}");
        assert!(!beside.seen.as_ref().unwrap().replaced);
    }
}

fn files(disk: &SimDisk) -> Vec<(PathBuf, Vec<u8>)> {
    disk.names().into_iter().filter_map(|path| Some((path.clone(), disk.file_bytes(&path)?))).collect()
}

/// Puts the files of one disk in the place of those of another.
fn put_back(disk: &SimDisk, by: &[(PathBuf, Vec<u8>)]) {
    files(disk).iter().for_each(|(path, _)| disk.remove_name(path));
    by.iter().for_each(|(path, bytes)| disk.put_file(path, bytes));
}

/// What is found anew has to hold what was seen. A copy of the store that has gone its own way has as many commits, and
/// stamped them at another time.
#[test]
fn a_store_in_which_what_was_seen_is_missing_is_not_taken_up() {
    let world = World::new();
    let World { disk, clock, writer, reader } = &world;
    writer.close().unwrap();
    let (before, other) = (files(disk), disk.copy());
    let seen = |world: &World| (world.reader.last(), world.reader.stats().runs);
    let rolled_back = |done: Result<(), ReadError>| match done {
        Ok(()) => None,
        Err(ReadError::RolledBack { last, seen }) => Some((last, seen)),
        Err(error) => panic!("{error}"),
    };
    // The same as it was, and one commit more.
    reader.refresh().unwrap();
    assert_eq!(rolled_back(world.find_again()), None);
    let again = open_writer(disk, clock);
    set(&again, clock, 100);
    again.close().unwrap();
    assert_eq!(rolled_back(world.find_again()), None);
    let (last, _) = seen(&world);
    assert_eq!((last, last.seq), (again.last(), Seq(102)));
    let after = files(disk);
    put_back(disk, &before);
    assert_eq!(rolled_back(world.find_again()), Some((Seq(101), Seq(102))));
    let astray = open_writer(&other, clock);
    clock.advance(1_000_000);
    set(&astray, clock, 101);
    astray.close().unwrap();
    put_back(disk, &files(&other));
    assert_eq!(rolled_back(world.find_again()), Some((Seq(102), Seq(102))));
    assert_eq!(seen(&world).0, last);
    assert_eq!(reader.get("a", "k0").unwrap().unwrap().to_vec(), [100; 200]);
    put_back(disk, &after);
    assert_eq!(rolled_back(world.find_again()), None);
    assert_eq!(seen(&world).0, last);
}
