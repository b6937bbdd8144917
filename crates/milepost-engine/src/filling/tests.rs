//! How much of what is taken over is on its way at a time, what stands for commits that are gone, and which directory
//! a store is made in.

use std::{io::ErrorKind, path::Path};

use milepost_io::{Crash, Fault, FaultKind, Op, SimClock, SimDisk};
use milepost_types::{Meta, Scope, ScopePrefix, body::Thinned};

use super::*;
use crate::Threads;

const DIR: &str = "/store";

fn parts(disk: &SimDisk) -> Parts {
    Parts::simulated(disk, &SimClock::new(Timestamp(1_700_000_000_000_000)))
}

fn settings() -> Settings {
    Settings { threads: Threads::Stepped, ..Settings::default() }
}

fn begin_on(disk: &SimDisk, dir: &str) -> Result<Filling, FillError> {
    Filling::begin(parts(disk), Path::new(dir), Purpose::Import, settings())
}

fn begin() -> Filling {
    begin_on(&SimDisk::new(1), DIR).unwrap()
}

/// The body of a commit, of so many bytes.
fn body_of(bytes: usize) -> Vec<u8> {
    let with = |value: usize| {
        let mut encoder = BodyEncoder::new(2 * UNDER_WAY_BYTES_MAX);
        encoder.set(&Scope::parse("a").unwrap(), "k", &vec![7; value], None, None).unwrap();
        encoder.finish(&Meta::default()).unwrap()
    };
    let around = with(bytes - 60).len() - (bytes - 60);
    let body = with(bytes - around);
    assert_eq!(body.len(), bytes);
    body
}

/// Takes a commit over, and says how many are on their way then, and with how many bytes.
fn push(filling: &mut Filling, body: Vec<u8>) -> (usize, usize) {
    let last = filling.last();
    let place = Receipt { seq: last.seq.next().unwrap(), at: Timestamp(last.at.0.max(0) + 1) };
    filling.push_body(place, body).unwrap();
    (filling.under_way.len(), filling.under_way_bytes)
}

/// What is larger than all that may be on its way goes alone.
#[test]
fn commits_on_their_way_have_no_more_bytes_than_they_may() {
    let mut filling = begin();
    let mut push = |bytes| push(&mut filling, body_of(bytes));
    assert_eq!(push(100), (1, 100));
    assert_eq!(push(UNDER_WAY_BYTES_MAX - 100), (2, UNDER_WAY_BYTES_MAX), "as many as may be");
    assert_eq!(push(100), (2, UNDER_WAY_BYTES_MAX), "only the first has to be there before");
    assert_eq!(push(101), (2, 201), "one byte too many: the large one has to be there before");
    assert_eq!(push(UNDER_WAY_BYTES_MAX + 1), (1, UNDER_WAY_BYTES_MAX + 1));
    assert_eq!(push(100), (1, 100));
    assert_eq!(filling.finish().unwrap().seq, Seq(6));
}

#[test]
fn no_more_commits_are_on_their_way_than_may_be() {
    let mut filling = begin();
    for count in 1..=UNDER_WAY_MAX {
        assert_eq!(push(&mut filling, BodyEncoder::nothing()).0, count);
    }
    assert_eq!(push(&mut filling, BodyEncoder::nothing()).0, UNDER_WAY_MAX);
    assert_eq!(filling.finish().unwrap().seq, Seq(UNDER_WAY_MAX as u64 + 1));
}

fn at(seq: u64, at: i64) -> Receipt {
    Receipt { seq: Seq(seq), at: Timestamp(at) }
}

fn between(first: i64, last: i64) -> Stamped {
    Stamped::Between(Timestamp(first), Timestamp(last))
}

/// Where a commit stood that was refused, and behind which one it was to come.
fn refused(done: Result<(), FillError>) -> Option<(Receipt, Receipt)> {
    match done {
        Ok(()) => None,
        Err(FillError::Refused { seq, source: CommitError::Refused(why) }) => match *why {
            Refusal::NotNext { place, last } => {
                assert_eq!(place.seq, seq);
                Some((place, last))
            }
            other => panic!("{other:?}"),
        },
        Err(error) => panic!("{error}"),
    }
}

/// When the commits of a store were stamped.
fn stamps(filling: &Filling, seqs: std::ops::RangeInclusive<u64>) -> Vec<i64> {
    seqs.map(|seq| filling.engine.shared().stamp(Seq(seq)).unwrap().0).collect()
}

/// It is said at once, and not when others were taken behind it.
#[test]
fn a_commit_that_does_not_follow_is_refused_and_changes_nothing() {
    let mut filling = begin();
    filling.push_body(at(1, 100), body_of(100)).unwrap();
    for (seq, stamp) in [(1, 101), (0, 101), (3, 101), (2, 100), (2, 99), (u64::MAX, 101)] {
        let place = at(seq, stamp);
        assert_eq!(refused(filling.push_body(place, body_of(100))), Some((place, at(1, 100))));
        assert_eq!((filling.last(), filling.under_way.len()), (at(1, 100), 1));
    }
    filling.push_body(at(2, 101), body_of(100)).unwrap();
    assert_eq!(filling.finish().unwrap(), at(2, 101));
}

/// Commits that are gone had a microsecond each, behind the one before them. Few and many of them are told alike.
#[test]
fn the_times_of_what_is_gone_have_to_leave_room_for_all_of_it() {
    for count in [1, 2, 3, NARROW_COMMITS + 1] {
        let (through, room) = (5 + count, count as i64 - 1);
        for (first, last, is_taken) in [
            (501, 501 + room, true),
            (501, 501 + room + 70, true),
            (501, 501 + room - 1, false),
            (500, 500 + room, false),
            (499, 900_000, false),
            (501, 500, false),
            (i64::MAX, i64::MIN, false),
        ] {
            let mut filling = begin();
            for seq in 1..=5 {
                filling.push_body(at(seq, 100 * seq as i64), body_of(100)).unwrap();
            }
            let done = refused(filling.pass(Seq(through), between(first, last)));
            let expected = (!is_taken).then(|| (at(6, first), at(5, 500)));
            assert_eq!(done, expected, "{count} from {first} to {last}");
            // A single one has one stamp.
            let end = if count == 1 { first } else { last };
            let (behind, is_wide) = (if is_taken { at(through, end) } else { at(5, 500) }, count > NARROW_COMMITS);
            assert_eq!((filling.last(), filling.passed), (behind, u64::from(is_taken && is_wide)));
            filling.push_body(at(behind.seq.0 + 1, behind.at.0 + 1), body_of(100)).unwrap();
            assert_eq!(filling.finish().unwrap().seq, behind.seq.next().unwrap());
        }
    }
}

/// The first is stamped as early as is said, the others as late as they can have been.
#[test]
fn what_is_gone_is_stamped_as_was_told() {
    let mut filling = begin();
    filling.push_body(at(1, 100), body_of(100)).unwrap();
    filling.pass(Seq(4), between(200, 300)).unwrap();
    // Nothing is gone there.
    filling.pass(Seq(4), between(1, 0)).unwrap();
    filling.pass(Seq(2), Stamped::Before(Timestamp(0))).unwrap();
    filling.pass(Seq(7), Stamped::Before(Timestamp(1000))).unwrap();
    // As late as can be is too early for so many.
    let none = refused(filling.pass(Seq(10), Stamped::Before(Timestamp(1002))));
    assert_eq!(none, Some((at(8, 999), at(7, 999))));
    assert_eq!(refused(filling.pass(Seq::MAX, between(1000, i64::MAX))), Some((at(8, 1000), at(7, 999))));
    assert_eq!(filling.last(), at(7, 999));
    while filling.settle_first().unwrap() {}
    assert_eq!(stamps(&filling, 1..=7), [100, 200, 299, 300, 997, 998, 999]);
    assert_eq!(filling.passed, 0);
    assert_eq!(filling.finish().unwrap(), at(7, 999));
}

/// Where nothing came before, the store begins behind what is gone, however much that is; but for the last number of
/// all, behind which there is none.
#[test]
fn what_is_gone_before_all_that_is_there_takes_no_room() {
    for through in [1, 3, NARROW_COMMITS + 1, u64::MAX - 1] {
        let disk = SimDisk::new(1);
        let mut filling = begin_on(&disk, DIR).unwrap();
        filling.pass(Seq(through), Stamped::Before(Timestamp(1000))).unwrap();
        assert_eq!((filling.last(), filling.passed), (at(through, i64::MIN), 1));
        assert_eq!(filling.finish().unwrap().seq, Seq(through));
        let store = Engine::open(parts(&disk), Path::new(DIR), settings()).unwrap();
        assert_eq!(store.last().seq, Seq(through));
    }
    let mut filling = begin();
    let at_first = refused(filling.pass(Seq::MAX, Stamped::Before(Timestamp(1000))));
    assert_eq!(at_first.map(|(place, _)| place.seq), Some(Seq(1)));
    assert_eq!((filling.last().seq, filling.passed), (Seq::ZERO, 0));
    filling.pass(Seq(5), Stamped::Before(Timestamp(1000))).unwrap();
    let behind = refused(filling.pass(Seq::MAX, between(i64::MIN + 1, i64::MAX)));
    assert_eq!(behind.map(|(place, _)| place.seq), Some(Seq(6)));
}

/// A gap takes a segment of its own, so that few commits are written as commits of nothing; the more gaps there are,
/// the more of them.
#[test]
fn few_commits_that_are_gone_leave_no_gap_and_many_do() {
    let mut filling = begin();
    filling.push_body(at(1, 1), body_of(100)).unwrap();
    let (narrow, more) = (NARROW_COMMITS, NARROW_COMMITS_MORE);
    for (count, passed) in [(narrow, 0), (narrow + 1, 1), (narrow + more, 1), (narrow + more + 1, 2), (1, 2)] {
        let last = filling.last();
        let through = last.seq.0 + count;
        filling.pass(Seq(through), between(last.at.0 + 1, last.at.0 + count as i64)).unwrap();
        assert_eq!((filling.passed, filling.last().seq), (passed, Seq(through)), "{count}");
    }
    let end = filling.last();
    assert_eq!(filling.finish().unwrap(), end);
}

/// A body of two events, and what is left of it without the first.
fn thinned() -> Vec<u8> {
    let mut encoder = BodyEncoder::new(1000);
    for key in ["gone", "kept"] {
        encoder.set(&Scope::parse("a").unwrap(), key, b"1", None, None).unwrap();
    }
    let body = encoder.finish(&Meta::default()).unwrap();
    let mut keeps = [false, true].into_iter();
    match Body::parse(&body).unwrap().thin(&mut |_| keeps.next().unwrap()).unwrap() {
        Thinned::Some(bytes) => bytes,
        other => panic!("{other:?}"),
    }
}

/// Whoever judges later what a commit of such a store first said has to know that it may have said more.
#[test]
fn a_store_that_may_hold_less_than_was_written_says_so() {
    let horizon = || Horizon { prefix: ScopePrefix::root(), seq: Seq(1), at: Timestamp(1) };
    type Fill = fn(&mut Filling);
    let rows: [(&str, Fill, Vec<Horizon>, bool); 5] = [
        ("all of it is there", |_| {}, vec![], false),
        ("what lies before a horizon may be missing", |_| {}, vec![horizon()], true),
        ("one was thinned", |filling| filling.push_body(at(3, 3), thinned()).unwrap(), vec![], true),
        ("one is gone", |filling| filling.pass(Seq(3), between(3, 3)).unwrap(), vec![], true),
        ("more are", |filling| filling.pass(Seq(9999), between(3, 20_000)).unwrap(), vec![], true),
    ];
    for (how, fill, horizons, is_less) in rows {
        let (disk, has_horizons) = (SimDisk::new(1), !horizons.is_empty());
        let mut filling = begin_on(&disk, DIR).unwrap().with_horizons(horizons);
        filling.push_body(at(1, 1), body_of(100)).unwrap();
        filling.push_body(at(2, 2), body_of(100)).unwrap();
        fill(&mut filling);
        let last = filling.last();
        filling.push_body(at(last.seq.0 + 1, last.at.0 + 1), body_of(100)).unwrap();
        let last = filling.finish().unwrap();
        let store = Engine::open(parts(&disk), Path::new(DIR), settings()).unwrap();
        let known = store.shared().retention.horizons();
        assert_eq!(known.filled(), if is_less { last.seq } else { Seq::ZERO }, "{how}");
        assert_eq!(!known.rows().is_empty(), has_horizons, "{how}");
        assert!(store.get("a", "k").unwrap().is_some(), "{how}");
        assert_eq!(store.get("a", "kept").unwrap().is_some(), how == "one was thinned", "{how}");
    }
}

/// What lies in a directory that is to be filled: only what an attempt may have left is taken away.
#[test]
fn only_what_an_attempt_has_left_is_cleared() {
    let file = |disk: &SimDisk, name: &str| disk.put_file(&Path::new(DIR).join(name), b"left");
    let dir = |disk: &SimDisk, name: &str| {
        disk.create_dir(&Path::new(DIR).join(name)).unwrap();
        file(disk, &format!("{name}/inside"));
    };
    let (files, dirs) = (["MANIFEST", "MANIFEST.tmp", "LOCK", "RESERVE"], ["log", "index", "quarantine", "noted"]);
    let names = || files.into_iter().chain(dirs).chain(["notes.txt", "notes"]);
    for name in names() {
        for (is_dir, is_marked) in [(false, false), (false, true), (true, false), (true, true)] {
            let disk = SimDisk::new(1);
            disk.create_dir(Path::new(DIR)).unwrap();
            if is_dir {
                dir(&disk, name)
            } else {
                file(&disk, name)
            }
            if is_marked {
                file(&disk, UNFINISHED);
            }
            let is_ours = if is_dir { dirs.contains(&name) } else { files.contains(&name) };
            let how = format!("{name}, a directory: {is_dir}, marked: {is_marked}");
            match begin_on(&disk, DIR) {
                Ok(filling) => {
                    assert!(is_marked && is_ours, "{how}");
                    filling.finish().unwrap();
                    assert!(!disk.names().iter().any(|path| path.ends_with("inside")), "{how}");
                    drop(Engine::open(parts(&disk), Path::new(DIR), settings()).unwrap());
                }
                Err(FillError::NotEmpty { found, .. }) => {
                    assert!(!(is_marked && is_ours), "{how}");
                    assert_eq!(found, name, "{how}");
                    let left = Path::new(DIR).join(if is_dir { format!("{name}/inside") } else { name.to_owned() });
                    assert_eq!(disk.file_bytes(&left).as_deref(), Some(&b"left"[..]), "{how}: it is left as it is");
                }
                Err(error) => panic!("{how}: {error}"),
            }
        }
    }
}

/// A file that can't be removed may count once the store is whole: that is said, and not passed over.
#[test]
fn what_can_not_be_cleared_is_told() {
    for (on, file) in [(Op::List, "/store/log"), (Op::Remove, "MANIFEST"), (Op::Remove, "log/"), (Op::SyncDir, "log")] {
        let disk = SimDisk::new(1);
        let mut filling = begin_on(&disk, DIR).unwrap();
        filling.push_body(at(1, 1), body_of(100)).unwrap();
        drop(filling);
        let fault = Fault { on, file: Some(file.to_owned()), nth: 0, times: 1, what: FaultKind::Error(5) };
        disk.inject(fault);
        match begin_on(&disk, DIR) {
            Err(FillError::Open(OpenError::Io { action: "clear", source, .. })) => {
                assert_ne!(source.kind(), ErrorKind::NotFound, "{on:?} {file}");
            }
            other => panic!("{on:?} {file}: {other:?}"),
        }
        let mut filling = begin_on(&disk, DIR).unwrap();
        filling.push_body(at(1, 7), body_of(100)).unwrap();
        assert_eq!(filling.finish().unwrap(), at(1, 7), "{on:?} {file}: nothing of the first attempt is left");
    }
}

/// When it is said to be done, the power may go off: the store is there, in a directory that was not there before, and
/// it can be opened.
#[test]
fn a_store_that_is_finished_outlives_a_crash() {
    for dir in [DIR, "/below/store"] {
        let disk = SimDisk::new(1);
        if dir.starts_with("/below") {
            disk.create_dir(Path::new("/below")).unwrap();
            disk.sync_dir(Path::new("/")).unwrap();
        }
        let mut filling = begin_on(&disk, dir).unwrap();
        filling.push_body(at(1, 1), body_of(100)).unwrap();
        filling.finish().unwrap();
        for how in [Crash::LoseUnsynced, Crash::LoseNames] {
            let disk = disk.copy().crash(how, 1);
            let store =
                Engine::open(parts(&disk), Path::new(dir), Settings { create: crate::Create::Never, ..settings() });
            assert_eq!(store.unwrap().last(), at(1, 1), "{dir} {how:?}");
        }
    }
}

/// Whoever finds the directory as it was left reads there what was being made.
#[test]
fn what_is_being_made_is_said_until_it_is_done() {
    for (purpose, said) in
        [(Purpose::Restore, "restore\n"), (Purpose::Import, "import\n"), (Purpose::Salvage, "salvage\n")]
    {
        let disk = SimDisk::new(1);
        let filling = Filling::begin(parts(&disk), Path::new(DIR), purpose, settings()).unwrap();
        let marker = Path::new(DIR).join(UNFINISHED);
        assert_eq!(disk.file_bytes(&marker).as_deref(), Some(said.as_bytes()));
        assert!(!filling.engine.shared().settings.compaction, "what comes is taken over as it is");
        let refused = Engine::open(parts(&disk.copy().kill()), Path::new(DIR), settings());
        assert!(matches!(refused, Err(OpenError::NotAStore { .. })), "{refused:?}");
        filling.finish().unwrap();
        assert_eq!(disk.file_bytes(&marker), None);
    }
}

/// Whatever can't be made durable at the end: it is not said that the store is whole, or it is, and is there after a
/// crash.
#[test]
fn a_store_that_is_said_to_be_whole_can_be_opened() {
    let (mut said_whole, mut refused) = (0, 0);
    for on in [Op::Sync, Op::SyncDir, Op::Write, Op::Rename] {
        for nth in 0.. {
            let disk = SimDisk::new(1);
            let small = Settings { segment_bytes: 4096, ..settings() };
            let mut filling = Filling::begin(parts(&disk), Path::new(DIR), Purpose::Import, small).unwrap();
            filling.push_body(at(1, 1), body_of(900)).unwrap();
            filling.pass(Seq(10_000), between(2, 10_000)).unwrap();
            filling.push_body(at(10_001, 10_001), body_of(900)).unwrap();
            while filling.settle_first().unwrap() {}
            disk.inject(Fault { on, file: None, nth, times: 1, what: FaultKind::Error(5) });
            let finished = filling.finish();
            if disk.faults_hit().is_empty() {
                break;
            }
            disk.clear_faults();
            if finished.is_err() {
                refused += 1;
                continue;
            }
            said_whole += 1;
            let disk = disk.crash(Crash::LoseUnsynced, 1);
            let store = Engine::open(parts(&disk), Path::new(DIR), settings()).unwrap();
            assert_eq!(store.last(), at(10_001, 10_001), "{on:?} {nth}");
            assert_eq!(store.replay(Seq::FIRST).into_iter().count(), 2, "{on:?} {nth}");
        }
    }
    assert!(said_whole > 0 && refused > 3, "{said_whole} {refused}");
}
