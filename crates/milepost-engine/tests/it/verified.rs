//! What `verify` says of a store, and how often it looks where somebody writes meanwhile.

use std::{path::Path, sync::Arc};

use crate::compaction::{DIR, Rig};
use milepost_engine::{OpenError, Report, Verdict, verify};
use milepost_io::{Disk, Fault, FaultKind, Op, SimDisk};

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
