//! What `verify` says of a store, and how often it looks where somebody writes meanwhile.

use std::{path::Path, sync::Arc};

use milepost_engine::{OpenError, Report, Verdict, verify};
use milepost_io::{Disk, Fault, FaultKind, Op, SimDisk};
use milepost_types::Seq;

use crate::{
    compaction::{DIR, Rig},
    scope,
};

/// What is found, and how often all of the store was read for it.
fn looked(disk: &SimDisk) -> (Result<Report, OpenError>, u32) {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    let mut looks = 0;
    let found = verify(&disk, Path::new(DIR), &mut |done, total| looks += u32::from(done == total));
    (found, looks)
}

fn verdict(disk: &SimDisk) -> (Verdict, u32) {
    let (found, looks) = looked(disk);
    (found.unwrap().verdict, looks)
}

/// A store that is open, of some segments and two runs.
fn held() -> Rig {
    let rig = Rig::new(41);
    for n in 0..40 {
        rig.set("a", &format!("k{n}"), &[n; 300]);
    }
    rig
}

fn segment(rig: &Rig, nth: usize) -> std::path::PathBuf {
    rig.disk.names().into_iter().filter(|path| path.extension() == Some("seg".as_ref())).nth(nth).unwrap()
}

/// What looks damaged in a store that somebody writes to may be on its way: it is looked at twice more. Where nobody
/// does, once is enough.
#[test]
fn a_store_that_is_held_is_looked_at_again_where_it_is_not_whole() {
    let rig = held();
    let (whole, looks) = looked(&rig.disk);
    let whole = whole.unwrap();
    assert_eq!((whole.verdict, looks), (Verdict::Clean, 1));
    assert!(whole.held.is_some());
    let run = rig.disk.names().into_iter().find(|path| path.extension() == Some("run".as_ref())).unwrap();
    let without_run = rig.disk.copy();
    without_run.remove_name(&run);
    let (missing, looks) = looked(&without_run);
    let missing = missing.unwrap();
    assert_eq!((missing.missing_runs.len(), missing.held, looks), (1, None, 1));
    rig.disk.flip_bit(&segment(&rig, 0), 8 * 700);
    let (found, looks) = verdict(&rig.disk);
    assert!(matches!(found, Verdict::Corrupt(_)), "{found:?}");
    assert_eq!(looks, 3);
    let (found, looks) = verdict(&rig.disk.copy());
    assert!(matches!(found, Verdict::Corrupt(_)), "{found:?}");
    assert_eq!(looks, 1);
}

/// Compaction takes files away between the reading of MANIFEST and theirs.
#[test]
fn a_file_that_goes_while_somebody_writes_is_no_damage() {
    const ENOENT: i32 = 2;
    const EIO: i32 = 5;
    let rig = held();
    // How many calls for the size of the first segment fail, of so many at most, and what is found then.
    let found = |disk: &SimDisk, times, errno| {
        let file = Some("0000000001.seg".to_owned());
        disk.inject(Fault { on: Op::Bytes, file, nth: 0, times, what: FaultKind::Error(errno) });
        let (before, found) = (disk.faults_hit().len(), looked(disk).0);
        disk.clear_faults();
        (disk.faults_hit().len() - before, found)
    };
    let (a_look, gone) = found(&rig.disk.copy(), u64::MAX, ENOENT);
    let is_gone = |found: &Result<Report, OpenError>| match found {
        Err(OpenError::Io { source, .. }) => source.kind() == std::io::ErrorKind::NotFound,
        _ => false,
    };
    assert!(a_look > 0 && is_gone(&gone), "nobody writes: {gone:?}");
    for looks in [1, 2] {
        let (failed, found) = found(&rig.disk, (looks * a_look) as u64, ENOENT);
        assert_eq!((failed, found.unwrap().verdict), (looks * a_look, Verdict::Clean));
    }
    let (failed, gone) = found(&rig.disk, u64::MAX, ENOENT);
    assert!(failed == 3 * a_look && is_gone(&gone), "{failed}, {gone:?}");
    let (failed, broken) = found(&rig.disk, u64::MAX, EIO);
    assert!(failed == a_look && broken.is_err(), "another error is no file that goes: {failed}, {broken:?}");
}

/// Of a store whose writer is at work what looks torn is a batch on its way; of one that was killed it is not.
#[test]
fn what_looks_torn_while_somebody_writes_is_on_its_way() {
    let rig = held();
    let last = rig.disk.names().into_iter().rfind(|path| path.extension() == Some("seg".as_ref())).unwrap();
    let bytes = rig.disk.file_bytes(&last).unwrap();
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    rig.disk.flip_bit(&last, 8 * (end as u64 + 64));
    assert_eq!(verdict(&rig.disk), (Verdict::Clean, 3));
    let (found, looks) = verdict(&rig.disk.copy());
    assert!(matches!(&found, Verdict::TornTail { file, .. } if *file == last), "{found:?}");
    assert_eq!(looks, 1);
}

/// What belongs to a store is named in no report, and what does not is, wherever it lies; so is a file where a
/// directory belongs, and the other way round.
#[test]
fn what_is_not_of_the_store_is_named() {
    let rig = held();
    rig.store.close().unwrap();
    let strays = |files: &[&str], dirs: &[&str]| {
        let disk = rig.disk.copy();
        for file in files {
            disk.put_file(&Path::new(DIR).join(file), b"1");
        }
        for dir in dirs {
            disk.create_dir(&Path::new(DIR).join(dir)).unwrap();
        }
        let report = looked(&disk).0.unwrap();
        assert_eq!(report.verdict, Verdict::Clean, "{files:?} {dirs:?}");
        report.strays
    };
    let none: [&str; 0] = [];
    assert_eq!(strays(&[], &[]), none);
    assert_eq!(strays(&["MANIFEST.tmp", "RESERVE", "LOCK"], &["noted", "quarantine"]), none);
    assert_eq!(strays(&["quarantine/0000000001-64-1.bytes"], &[]), none);
    assert_eq!(strays(&["noted", "quarantine"], &["MANIFEST.tmp"]), ["MANIFEST.tmp", "noted", "quarantine"]);
    assert_eq!(strays(&["mine", "index/mine", "log/mine"], &["photos"]), ["index/mine", "log/mine", "mine", "photos"]);
    // Without an index, and where a file stands in its place.
    let disk = rig.disk.copy();
    for run in disk.names().iter().filter(|path| path.extension() == Some("run".as_ref())) {
        disk.remove_name(run);
    }
    assert_eq!(looked(&disk).0.unwrap().strays, none);
    let bare = SimDisk::new(1);
    for path in disk.names() {
        bare.put_file(&path, disk.file_bytes(&path).unwrap());
    }
    assert_eq!(looked(&bare).0.unwrap().strays, none);
    bare.put_file(&Path::new(DIR).join("index"), b"mine");
    assert_eq!(looked(&bare).0.unwrap().strays, ["index"]);
    // What can't be listed is no directory without strays.
    for (file, nth) in [(DIR, 0), (DIR, 1), ("/s/index", 0)] {
        let disk = rig.disk.copy();
        let (what, file) = (FaultKind::Error(5), Some(file.to_owned()));
        disk.inject(Fault { on: Op::List, file: file.clone(), nth, times: u64::MAX, what });
        assert!(matches!(looked(&disk).0, Err(OpenError::Io { .. })), "{file:?}, {nth}");
    }
}

/// All that is whole is counted, once, wherever the damage is, and each damaged place is told once.
#[test]
fn what_is_whole_around_damage_is_counted() {
    let rig = Rig::new(42);
    for n in 1..=40_u8 {
        let request = rig.store.request().set(&scope("a"), &format!("k{n:02}"), &[n; 300]).unwrap();
        let request = if n % 3 == 0 { request.set(&scope("b"), "k", &[n]).unwrap() } else { request };
        rig.store.commit(request).unwrap();
    }
    rig.store.close().unwrap();
    let whole = looked(&rig.disk).0.unwrap();
    assert_eq!((whole.commits, whole.events, whole.first, whole.last), (40, 53, Seq(1), Seq(40)));
    let without = |broken: &[u8]| {
        let disk = rig.disk.copy();
        for path in disk.names().into_iter().filter(|path| path.extension() == Some("seg".as_ref())) {
            let bytes = disk.file_bytes(&path).unwrap();
            for number in broken {
                if let Some(at) = bytes.windows(300).position(|window| window == [*number; 300]) {
                    disk.flip_bit(&path, 8 * at as u64);
                }
            }
        }
        looked(&disk).0.unwrap()
    };
    for broken in [&[1][..], &[2], &[17], &[17, 18], &[3, 17, 34], &[40], &[1, 40]] {
        let found = without(broken);
        let Verdict::Corrupt(damage) = &found.verdict else { panic!("{broken:?}") };
        let events: u64 = broken.iter().map(|number| if number % 3 == 0 { 2 } else { 1 }).sum();
        assert_eq!((found.commits, found.events), (40 - broken.len() as u64, 53 - events), "{broken:?}");
        let bytes: u64 = broken.iter().map(|number| whole.bytes - without(&[*number]).bytes).sum();
        assert_eq!((found.bytes, bytes > 300), (whole.bytes - bytes, true), "{broken:?}");
        let left = || (1..=40).filter(move |number| !broken.contains(number)).map(|number| Seq(u64::from(number)));
        assert_eq!((Some(found.first), Some(found.last)), (left().next(), left().next_back()), "{broken:?}");
        assert_eq!(found.segments, whole.segments, "{broken:?}");
        // Two side by side are one place.
        let side_by_side = broken.windows(2).filter(|two| two[0] + 1 == two[1]).count();
        assert_eq!(damage.len(), broken.len() - side_by_side, "{broken:?}: {damage:?}");
    }
}
