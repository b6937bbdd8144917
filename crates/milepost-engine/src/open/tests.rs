//! A store at the end of its numbers.

use std::{path::Path, sync::Arc};

use milepost_io::{Disk, Latch, SimClock, SimDisk, SimEntropy};
use milepost_log::{KnownSegment, SegmentId, StoreId, begin_behind};
use milepost_types::{At, Scope, Seq, Timestamp};

use crate::{
    CommitError, Engine, HistoryQuery, Parts, Refusal, Settings, Threads,
    manifest::{self, Manifest},
};

const DIR: &str = "/store";

fn open(disk: &SimDisk) -> Engine {
    let clock = Arc::new(SimClock::new(Timestamp(1_700_000_000_000_000)));
    let parts = Parts { disk: Arc::new(disk.clone()), clock, entropy: Arc::new(SimEntropy::new(7)) };
    Engine::open(parts, Path::new(DIR), Settings { threads: Threads::Stepped, ..Settings::default() }).unwrap()
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
    let scope = Scope::parse("a").unwrap();
    let commit = |engine: &Engine, key: &str| engine.commit(engine.request().set(&scope, key, b"1").unwrap());
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
