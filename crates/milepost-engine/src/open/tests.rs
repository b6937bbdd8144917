//! A store at the end of its numbers, what is there instead of one, and readers of one that is replaced meanwhile.

mod looks;
mod places;

use std::{path::Path, sync::Arc};

use milepost_io::{Disk, Latch, Process, SimClock, SimDisk, SimEntropy};
use milepost_log::{DroppedFacts, KnownSegment, SegmentId, StoreId, begin_behind};
use milepost_types::{At, Scope, Seq, Timestamp, limits};

use crate::{
    CommitError, Engine, HistoryQuery, Index, OpenError, Parts, Refusal, Settings, Threads,
    filling::{Filling, Purpose, Stamped},
    manifest::{self, Manifest},
};

const DIR: &str = "/store";
const NOW: Timestamp = Timestamp(1_700_000_000_000_000);

fn parts(disk: &SimDisk) -> Parts {
    let clock = Arc::new(SimClock::new(NOW));
    Parts { disk: Arc::new(disk.clone()), clock, entropy: Arc::new(SimEntropy::new(7)), process: Process::simulated() }
}

fn scope() -> Scope {
    Scope::parse("a").unwrap()
}

fn open(disk: &SimDisk) -> Engine {
    open_with(disk, Index::Keep, Settings::default().segment_bytes)
}

fn open_with(disk: &SimDisk, index: Index, segment_bytes: u32) -> Engine {
    let settings = Settings { threads: Threads::Stepped, index, segment_bytes, ..Settings::default() };
    Engine::open(parts(disk), Path::new(DIR), settings).unwrap()
}

/// A store whose first commit is this one, as one is that has let go of all before it.
fn store_from(first: Seq) -> SimDisk {
    let (disk, dir, store) = (SimDisk::new(1), Path::new(DIR), [7; 16]);
    disk.create_dir(&dir.join(super::LOG)).unwrap();
    let segments = [KnownSegment::open(SegmentId::FIRST, first)];
    let at = (SegmentId::FIRST, first);
    begin_behind(&disk, dir, StoreId(store), at, 1, &SimEntropy::new(7)).unwrap();
    let segments = manifest::rows(&segments);
    let manifest = Manifest {
        store,
        epoch: 1,
        segments,
        runs: Vec::new(),
        clean: None,
        horizons: Vec::new(),
        written: manifest::WrittenRow::default(),
    };
    manifest::write(&disk, dir, &manifest, &Latch::default()).unwrap();
    disk
}

/// FAULTS G3: the numbers end without wrapping: commits are refused, also after another opening, and reads go on.
#[test]
fn commits_end_before_the_last_seq() {
    let disk = store_from(Seq(u64::MAX - 3));
    let commit = |engine: &Engine, key: &str| engine.commit(engine.request().set(&scope(), key, b"1").unwrap());
    let mut engine = open(&disk);
    for seq in u64::MAX - 3..u64::MAX {
        assert_eq!(commit(&engine, &seq.to_string()).unwrap().seq, Seq(seq));
    }
    for round in 0..2 {
        for _ in 0..2 {
            match commit(&engine, "more") {
                Err(CommitError::Refused(refusal)) => assert_eq!(*refusal, Refusal::Exhausted, "round {round}"),
                other => panic!("round {round}: {other:?}"),
            }
        }
        assert_eq!(engine.last().seq, Seq(u64::MAX - 1));
        for at in [At::Latest, At::Seq(Seq(u64::MAX - 1))] {
            let view = engine.view(at).unwrap();
            for seq in u64::MAX - 3..u64::MAX {
                assert!(view.get("a", &seq.to_string()).unwrap().is_some(), "round {round}: {seq}");
            }
        }
        assert!(engine.view(At::Seq(Seq::MAX)).is_err());
        assert_eq!(engine.history(HistoryQuery::default()).unwrap().count(), 3);
        assert_eq!(engine.replay(Seq(u64::MAX - 2)).into_iter().count(), 2);
        assert_eq!(engine.replay(Seq::MAX).into_iter().count(), 0);
        engine.close().unwrap();
        drop(engine);
        engine = open(&disk);
    }
}

/// Fills the first segment and a part of the second one: with values, or with commits of nothing, as an import makes
/// them in the places of those that were removed.
fn fill(disk: &SimDisk, has_values: bool) {
    if !has_values {
        let settings = Settings { segment_bytes: limits::SEGMENT_BYTES_MIN, ..Settings::default() };
        let mut filling = Filling::begin(parts(disk), Path::new(DIR), Purpose::Import, settings).unwrap();
        filling.pass(Seq(200), Stamped::Between(NOW, Timestamp(NOW.0 + 499))).unwrap();
        filling.finish().unwrap();
        return;
    }
    let engine = open_with(disk, Index::Keep, limits::SEGMENT_BYTES_MIN);
    for n in 1..=5u8 {
        let request = engine.request().set(&scope(), "all", &[n; 2000]).unwrap();
        engine.commit(request.set(&scope(), &n.to_string(), b"own").unwrap()).unwrap();
    }
    engine.close().unwrap();
}

/// A store whose second segment was dropped, with all the commits through `last`.
fn store_with_gap(last: Seq, has_values: bool) -> SimDisk {
    let (disk, dir) = (SimDisk::new(1), Path::new(DIR));
    fill(&disk, has_values);
    let manifest = manifest::read(&disk, dir).unwrap().unwrap();
    let first = manifest::known_segments(&manifest)[0];
    let first_seq = first.sealed.expect("more than it takes was written").last_seq.next().unwrap();
    let (first_at, last_at) = (Timestamp(NOW.0 + 1000), Timestamp(NOW.0 + 2000));
    let dropped = Some(DroppedFacts { last_seq: last, first_at, last_at });
    let (gap, next) = (SegmentId(first.id.0 + 1), (SegmentId(first.id.0 + 2), last.next().unwrap()));
    let gap = KnownSegment { dropped, ..KnownSegment::open(gap, first_seq) };
    let log = dir.join(super::LOG);
    for entry in disk.list(&log).unwrap().iter().filter(|entry| !entry.name.starts_with(&first.id.to_string())) {
        disk.remove(&log.join(&entry.name)).unwrap();
    }
    begin_behind(&disk, dir, StoreId(manifest.store), next, manifest.epoch, &SimEntropy::new(8)).unwrap();
    let segments = manifest::rows(&[first, gap, KnownSegment::open(next.0, next.1)]);
    lose_index(&disk, Manifest { segments, ..manifest });
    let engine = open(&disk);
    engine.commit(engine.request().set(&scope(), "all", b"after").unwrap()).unwrap();
    engine.close().unwrap();
    disk
}

fn lose_index(disk: &SimDisk, manifest: Manifest) {
    let manifest = Manifest { runs: Vec::new(), clean: None, ..manifest };
    manifest::write(disk, Path::new(DIR), &manifest, &Latch::default()).unwrap();
}

fn check_gap(engine: &Engine, last: u64, has_values: bool) {
    assert_eq!(engine.last().seq, Seq(last + 1));
    let get = |at: u64, key| engine.view(At::Seq(Seq(at))).unwrap().get("a", key).unwrap().map(|value| value.to_vec());
    assert_eq!(engine.get("a", "all").unwrap().unwrap().to_vec(), b"after", "{last}");
    assert_eq!(get(last + 1, "all").as_deref(), Some(&b"after"[..]), "{last}");
    assert_eq!(get(last, "1").is_some(), has_values, "{last}");
    assert_eq!(get(1, "all"), has_values.then(|| vec![1; 2000]), "{last}");
    let history = HistoryQuery { ..HistoryQuery::default() };
    assert!(engine.history(history).unwrap().map(Result::unwrap).any(|change| change.seq == Seq(last + 1)), "{last}");
}

/// Memory counts commits from the first one that it holds, in 32 bits. Retention leaves gaps of any size: a store that
/// had kept its first commit, as every store with a policy does, and had let go of 2^32 behind it, was not opened any
/// more once its index was lost. Folding panicked, that of readers too.
#[test]
fn a_gap_of_any_size_is_opened_without_the_index() {
    let edge = u64::from(u32::MAX);
    let edges = [edge / 2, 3 << 30, edge].into_iter().flat_map(|edge| edge - 3..edge + 6);
    for last in edges.chain([500, 2 * edge, 1 << 40, 1 << 62, u64::MAX - 9]) {
        for has_values in [true, false] {
            let disk = store_with_gap(Seq(last), has_values);
            let read = || Engine::open_read_only(parts(&disk), Path::new(DIR));
            check_gap(&read().unwrap(), last, has_values);
            for index in [Index::Rebuild, Index::Keep] {
                let engine = open_with(&disk, index, limits::SEGMENT_BYTES);
                check_gap(&engine, last, has_values);
                // Until all is merged that is to be.
                while engine.step_index() {}
                check_gap(&engine, last, has_values);
                engine.close().unwrap();
            }
            // Who only reads can make no index, and is told where memory can't do without.
            lose_index(&disk, manifest::read(&disk, Path::new(DIR)).unwrap().unwrap());
            match read() {
                Ok(engine) => {
                    assert!(last < 3 << 30, "{last}");
                    check_gap(&engine, last, has_values);
                }
                Err(OpenError::NoIndex { seq, .. }) => assert!(last > (3 << 30) - 3 && seq.0 > last, "{last}: {seq}"),
                Err(error) => panic!("{last}: {error}"),
            }
            check_gap(&open(&disk), last, has_values);
        }
    }
}
