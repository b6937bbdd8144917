//! A compaction of some kind, with the power off, or a disk that fails, at every operation in turn.

use std::{collections::BTreeSet, ops::Range, sync::Arc};

use milepost_engine::{CompactError, Compacted, Engine, Index};
use milepost_io::{Crash, Fault, FaultKind, Op, SimClock, SimDisk, SimRng};

use super::{Rig, answers, drawn, open, same};

const EIO: i32 = 5;
const ENOSPC: i32 = 28;

/// What came of the attempts.
pub(crate) struct Failed {
    pub(crate) failed: u64,
    /// The store takes no commits any more.
    pub(crate) stopped: u64,
    /// The same was done again, to its end.
    pub(crate) went_on: u64,
}

/// A closed store with commits drawn by lot, whose horizons stand where they will: and what it answers.
fn filled(seed: u64, commits: u64, rng: &mut SimRng) -> (SimDisk, Arc<SimClock>, Vec<String>) {
    let rig = Rig::new(seed);
    for n in 0..commits {
        drawn(&rig, rng, 1 + n);
    }
    rig.move_horizons();
    let before = answers(&rig.store);
    let Rig { disk, clock, store } = rig.again(Index::Keep);
    drop(store);
    (disk, clock, before)
}

/// The power goes off after each number of operations of `compact`, which says whether it came to its end. Every read
/// that was possible answers as before, whatever is left, with the index and without. How many crashes there were, and
/// how the compactions ended.
pub(crate) fn crash_everywhere(
    seeds: Range<u64>,
    commits: u64,
    compact: &dyn Fn(&Engine) -> bool,
) -> (u64, BTreeSet<bool>) {
    let (mut points, mut ended) = (0, BTreeSet::new());
    for seed in seeds {
        let mut rng = SimRng::new(seed);
        let (disk, clock, before) = filled(seed, commits, &mut rng);
        for after in 0.. {
            let copy = disk.copy();
            let store = open(&copy, &clock, Index::Keep);
            copy.power_off_after(after);
            ended.insert(compact(&store));
            let was_off = copy.is_off();
            drop(store);
            let how = [Crash::LoseUnsynced, Crash::Torn, Crash::KeepAll, Crash::LoseNames][rng.index(4)];
            let copy = copy.crash(how, seed * 1000 + after);
            for index in [Index::Keep, Index::Rebuild] {
                let store = open(&copy, &clock, index);
                same(&answers(&store), &before, &format!("seed {seed}, {index:?}, off after {after}, {how:?}"));
                store.close().unwrap();
            }
            points += 1;
            if !was_off {
                break;
            }
        }
    }
    (points, ended)
}

/// Each operation of `compact` fails in each way. Every read that was possible answers as before, at once, after the
/// same was done again where the store still takes commits, and after a crash.
pub(crate) fn fail_everywhere(
    seed: u64,
    commits: u64,
    compact: &dyn Fn(&Engine) -> Result<Compacted, CompactError>,
) -> Failed {
    let mut came = Failed { failed: 0, stopped: 0, went_on: 0 };
    let (disk, clock, before) = filled(seed, commits, &mut SimRng::new(seed));
    let faults = [
        (Op::Create, FaultKind::Error(ENOSPC)),
        (Op::Write, FaultKind::Error(ENOSPC)),
        (Op::Write, FaultKind::ShortWriteThenError { bytes: 100, errno: EIO }),
        (Op::Sync, FaultKind::SyncFailsAndDropsPages),
        (Op::Map, FaultKind::Error(ENOSPC)),
        (Op::Rename, FaultKind::Error(EIO)),
        (Op::SyncDir, FaultKind::Error(EIO)),
        (Op::Remove, FaultKind::Error(EIO)),
    ];
    for (on, what) in faults {
        for nth in 0.. {
            let copy = disk.copy();
            let store = open(&copy, &clock, Index::Keep);
            copy.inject(Fault { on, file: None, nth, times: 1, what: what.clone() });
            let compacted = compact(&store);
            let was_hit = !copy.faults_hit().is_empty();
            copy.clear_faults();
            let when = format!("{on:?} {nth}, {compacted:?}");
            same(&answers(&store), &before, &when);
            came.failed += u64::from(compacted.is_err());
            if store.failure().is_some() {
                came.stopped += 1;
            } else {
                compact(&store).unwrap_or_else(|error| panic!("{when}, then: {error}"));
                same(&answers(&store), &before, &when);
                came.went_on += 1;
            }
            drop(store);
            let copy = copy.crash(Crash::LoseUnsynced, nth);
            same(&answers(&open(&copy, &clock, Index::Keep)), &before, &when);
            if !was_hit {
                break;
            }
        }
    }
    came
}
