//! Gaps of any width: imported at no cost, told as they were, and whole after a power loss at every operation.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use milepost_engine::{Engine, OpenError, Settings, Threads, Verdict};
use milepost_io::{Crash, Disk, Op, Process, SimClock, SimDisk, SimEntropy};
use milepost_types::{At, Timestamp};

use super::*;
use crate::{ErrorKind, Export};

const DIR: &str = "/store";
/// 2026-11-24T00:00:00Z.
const BEGIN: i64 = 1_795_478_400_000_000;
const WIDE: u64 = 3_000_000_000;

fn parts(disk: &SimDisk) -> Parts {
    let clock = Arc::new(SimClock::new(Timestamp(BEGIN)));
    Parts { disk: Arc::new(disk.clone()), clock, entropy: Arc::new(SimEntropy::new(7)), process: Process::simulated() }
}

fn settings() -> Settings {
    Settings { threads: Threads::Stepped, ..Settings::default() }
}

fn at(us: u64) -> Timestamp {
    Timestamp(BEGIN + i64::try_from(us).unwrap())
}

fn line(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut line = Vec::new();
    write(&mut line);
    String::from_utf8(line).unwrap()
}

/// A commit that is stamped as many microseconds after the beginning as its `Seq` says, as are all here.
fn commit(seq: u64) -> String {
    let time = json::time_text(at(seq)).unwrap();
    format!(r#"{{"seq":{seq},"at":"{time}","events":[{{"event":"set","scope":"a","key":"k","value":"{seq}"}}]}}"#)
}

fn removed(first: u64, last: u64) -> String {
    line(|line| json::write_removed(line, Seq(first), Seq(last), Some((at(first), at(last)))))
}

fn horizon(seq: u64) -> String {
    let horizon = Horizon { prefix: ScopePrefix::root(), seq: Seq(seq), at: at(seq) };
    line(|line| json::write_horizon(line, &horizon))
}

/// An export whose first commits are not known any more, as is usual, with gaps of so many commits in its middle and at
/// its end.
fn export(first: u64, gap: u64, tail: u64) -> Vec<String> {
    let mut lines = vec![horizon(first + 1 + gap)];
    if first > 1 {
        lines.push(line(|line| json::write_removed(line, Seq(1), Seq(first - 1), None)));
    }
    let behind = first + 2 + gap;
    lines.extend([commit(first), commit(first + 1), removed(first + 2, behind - 1), commit(behind)]);
    lines.extend((tail > 0).then(|| removed(behind + 1, behind + tail)));
    lines
}

fn import(disk: &SimDisk, lines: &[String]) -> Result<Receipt> {
    let mut import = Import::begin_with(parts(disk), Path::new(DIR), settings())?;
    lines.iter().try_for_each(|line| import.line(line.as_bytes()))?;
    import.finish()
}

fn open(disk: &SimDisk) -> std::result::Result<Engine, OpenError> {
    Engine::open(parts(disk), Path::new(DIR), settings())
}

/// What an export says, without that its last line is the last one, which it must say.
fn exported(engine: &Engine) -> Vec<String> {
    let (mut export, mut line, mut lines) = (Export::of(engine), Vec::new(), Vec::new());
    while export.next_line(&mut line).unwrap() {
        lines.push(String::from_utf8(line.clone()).unwrap());
    }
    if let Some(last) = lines.last_mut() {
        *last = last.strip_suffix(r#","last":true}"#).expect("the last line says that it is").to_owned() + "}";
    }
    assert!(!lines.iter().any(|line| line.contains("\"last\":true")));
    lines
}

fn verdict(disk: &SimDisk) -> Verdict {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    milepost_engine::verify(&disk, Path::new(DIR), &mut |_, _| {}).unwrap().verdict
}

fn segments(disk: &SimDisk) -> Vec<PathBuf> {
    disk.names().into_iter().filter(|path| path.extension() == Some("seg".as_ref())).collect()
}

/// What stood in the places of commits that were removed was a commit each: a store that had let go of billions was
/// never imported.
#[test]
fn a_gap_costs_the_same_whatever_its_width() {
    for (first, gap, tail) in [(1, 1, 0), (1, 5000, 1), (WIDE, 7, 0), (WIDE, WIDE, WIDE), (9, 1 << 40, 1 << 45)] {
        let (disk, lines) = (SimDisk::new(1), export(first, gap, tail));
        let last = import(&disk, &lines).unwrap();
        let behind = first + 2 + gap;
        assert_eq!((last.seq, last.at), (Seq(behind + tail), at(behind + tail)));
        assert!(disk.used_bytes() < 512 << 10, "{} bytes for {lines:?}", disk.used_bytes());
        for is_first in [true, false] {
            assert_eq!(verdict(&disk), Verdict::Clean, "{lines:?}");
            let engine = open(&disk).unwrap();
            assert_eq!((exported(&engine), engine.last()), (lines.clone(), last));
            let get = |seq: u64| engine.view(At::Seq(Seq(seq))).unwrap().get("a", "k");
            for inside in [first + 1 + gap, behind - 1] {
                assert_eq!(
                    get(inside).unwrap().map(|value| value.to_vec()),
                    Some((first + 1).to_string().into_bytes())
                );
            }
            assert!(get(first).is_err(), "the horizon was imported");
            assert_eq!(get(behind).unwrap().unwrap().to_vec(), behind.to_string().into_bytes());
            let history = engine.history(milepost_engine::HistoryQuery::default()).unwrap();
            assert_eq!(history.map(|change| change.unwrap().seq.0).max(), Some(behind));
            engine.close().unwrap();
            if is_first {
                // The index is made anew from the log.
                let runs = disk.names().into_iter().filter(|path| path.extension() == Some("run".as_ref()));
                runs.for_each(|path| disk.remove_name(&path));
            }
        }
        // It goes on, and what it goes on with is there.
        let engine = open(&disk).unwrap();
        let request = engine.request().set(&milepost_types::Scope::parse("a").unwrap(), "k", b"after").unwrap();
        assert_eq!(engine.commit(request).unwrap().seq, Seq(behind + tail + 1));
        drop(engine);
        assert_eq!(open(&disk).unwrap().get("a", "k").unwrap().unwrap().to_vec(), b"after");
        assert_eq!(verdict(&disk), Verdict::Clean);
    }
}

/// Each gap was synced four times, so that 200 of them took five seconds: now as often as its commit is, and its seal.
#[test]
fn many_gaps_take_few_syncs() {
    const WIDTH: u64 = 1 << 20;
    let syncs = |gaps: u64| {
        let mut lines = vec![commit(1)];
        for gap in 0..gaps {
            let first = gap * (WIDTH + 1) + 2;
            lines.extend([removed(first, first + WIDTH - 1), commit(first + WIDTH)]);
        }
        let disk = SimDisk::new(1);
        import(&disk, &lines).unwrap();
        assert_eq!(verdict(&disk), Verdict::Clean);
        let engine = open(&disk).unwrap();
        assert_eq!(exported(&engine), lines);
        disk.count(Op::Sync) + disk.count(Op::SyncDir)
    };
    let (few, many) = (syncs(10), syncs(60));
    assert_eq!((many - few) / 50, 2, "{few} and {many} syncs");
}

/// A gap that is known is no reason to overlook a file that is gone.
#[test]
fn a_segment_that_is_missing_beside_a_gap_is_missed() {
    let whole = SimDisk::new(1);
    import(&whole, &export(WIDE, WIDE, WIDE)).unwrap();
    let files = segments(&whole);
    assert_eq!(files.len(), 3, "{files:?}");
    for missing in &files {
        let disk = whole.copy();
        disk.remove_name(missing);
        let error = open(&disk).unwrap_err();
        assert!(matches!(error, OpenError::Corrupt(_)), "{missing:?}: {error}");
        assert!(matches!(verdict(&disk), Verdict::Corrupt(_)), "{missing:?}");
    }
}

/// The power goes off at every operation of an import with gaps, in several ways: then there is no store, or all of it;
/// and the same import makes all of it, be it cut off again.
#[test]
fn an_import_with_gaps_survives_a_crash_at_every_operation() {
    let lines = export(WIDE, WIDE, WIDE);
    let whole = SimDisk::new(1);
    import(&whole, &lines).unwrap();
    let operations = whole.operations();
    assert!(operations > 40, "{operations}");
    let ways = [Crash::LoseUnsynced, Crash::KeepAll, Crash::Torn, Crash::LoseNames, Crash::LoseData];
    let (mut refused, mut done) = (0, 0);
    for cut in 0..=operations {
        for (way, crash) in ways.into_iter().enumerate() {
            let disk = SimDisk::new(1);
            disk.power_off_after(cut);
            assert_eq!(import(&disk, &lines).is_ok(), cut == operations);
            let disk = disk.crash(crash, cut);
            match open(&disk.copy()) {
                Ok(engine) if engine.last().seq > Seq::ZERO => {
                    done += 1;
                    assert_eq!(exported(&engine), lines, "{cut} {crash:?}");
                    continue;
                }
                // Nothing was begun: an empty store is made where there is none.
                Ok(_) => assert!(segments(&disk).is_empty(), "{cut} {crash:?}"),
                Err(error) => {
                    refused += 1;
                    assert!(matches!(error, OpenError::NotAStore { .. }), "{cut} {crash:?}: {error}");
                }
            }
            // Another one is cut off where this one was, and then it comes to its end.
            disk.power_off_after(cut / 2 + way as u64);
            let _ = import(&disk, &lines);
            let disk = disk.crash(crash, cut + 1);
            if let Err(error) = import(&disk, &lines) {
                assert_eq!(error.kind(), ErrorKind::NotAStore, "{cut} {crash:?}: it was done: {error}");
            }
            assert_eq!(exported(&open(&disk).unwrap()), lines, "{cut} {crash:?}");
            assert_eq!(verdict(&disk), Verdict::Clean, "{cut} {crash:?}");
        }
    }
    assert!(refused > 40 && done > 0, "{refused} {done}");
}

/// Lines that can't be: more commits than microseconds, times that go back, one time without the other.
#[test]
fn a_gap_that_can_not_be_is_refused() {
    let time = |us| json::time_text(at(us)).unwrap();
    let told = |first: u64, first_at: u64, last: u64, last_at: u64| {
        let times = Some((at(first_at), at(last_at)));
        line(|line| json::write_removed(line, Seq(first), Seq(last), times))
    };
    let only = format!(r#"{{"removed":{{"first":2,"first_at":"{}","last":9}}}}"#, time(2));
    for gap in [told(2, 2, 9000, 8999), told(2, 1, 9000, 9000), told(2, 9000, 9000, 8), told(2, 2, 9000, 9_001), only] {
        let disk = SimDisk::new(1);
        let refused = import(&disk, &[commit(1), gap.clone(), commit(9001)]).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Invalid, "{gap}: {refused}");
        assert!(matches!(open(&disk), Err(OpenError::NotAStore { .. })));
    }
}

/// With and without MANIFEST: what was removed is no loss, and what is lost of billions is said once.
#[test]
fn a_salvage_passes_gaps_as_well() {
    let (disk, lines) = (SimDisk::new(1), export(1, WIDE, WIDE));
    let last = import(&disk, &lines).unwrap();
    let into = Path::new("/salvaged");
    let salvaged = |disk: &SimDisk| {
        let done = milepost_engine::salvage(parts(disk), Path::new(DIR), into, settings(), &mut |_, _| {}).unwrap();
        (done, Engine::open(parts(disk), into, settings()).unwrap())
    };
    let (done, engine) = salvaged(&disk.copy());
    assert_eq!((done.lost_count(), done.commits, done.last), (0, 3, last));
    assert_eq!(exported(&engine), lines);
    drop(engine);
    disk.remove_name(&Path::new(DIR).join("MANIFEST"));
    let (done, engine) = salvaged(&disk);
    assert_eq!((done.lost[0].first, done.lost[0].last, done.commits), (Seq(3), Seq(WIDE + 2), 3));
    let said = engine.get("$/lost", &format!("{:020}", 3)).unwrap().unwrap().to_vec();
    let said = String::from_utf8(said).unwrap();
    assert!(said.starts_with(&format!("lost: commits 3 to {}: ", WIDE + 2)), "{said}");
    assert_eq!(engine.get("a", "k").unwrap().unwrap().to_vec(), (WIDE + 3).to_string().into_bytes());
}
