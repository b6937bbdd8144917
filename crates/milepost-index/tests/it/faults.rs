use std::path::PathBuf;

use milepost_index::{BuildError, Version};
use milepost_io::{Fault, FaultKind, Op};

use crate::rig::{Model, check, disk, open};

const ENOSPC: i32 = 28;
const EIO: i32 = 5;

/// Large enough that sections spill into files of their own.
fn large() -> Model {
    let mut model = Model::new(1, 2_000_000);
    for nth in 0..160_000_u32 {
        let version = Version { seq: 1 + u64::from(nth) * 11, record: nth.wrapping_mul(70_001), kind: 0 };
        model.put(&format!("job/{}", nth % 3), &format!("{:06}", nth % 1500), version);
    }
    model
}

#[test]
fn sections_that_spill_come_back() {
    let (disk, model) = (disk(), large());
    let run = model.run(&disk, 1);
    assert!(disk.count(Op::Create) > 1, "nothing was spilled: the test is too small");
    run.verify().unwrap();
    let fact_bytes = run.facts().bytes;
    assert!(fact_bytes < 16 * 160_000, "{fact_bytes} bytes");
    assert_eq!(disk.names(), vec![run.facts().id.path(&crate::rig::dir())], "the files of sections are gone");
}

/// Every call of every kind fails once: the build says so, leaves nothing, and the next one is right.
#[test]
fn every_call_that_fails_is_told_and_leaves_nothing() {
    let model = large();
    let ops = [Op::Create, Op::Write, Op::Sync, Op::Rename, Op::SyncDir, Op::Read];
    let reference = disk();
    let before = ops.map(|op| reference.count(op));
    let facts = model.build(&reference, 1).unwrap();
    for (op, before) in ops.into_iter().zip(before) {
        let calls = reference.count(op) - before;
        assert!(calls > 0, "{op:?} is never called");
        for nth in (0..calls).step_by(calls.div_ceil(4) as usize) {
            for errno in [ENOSPC, EIO] {
                let disk = disk();
                disk.inject(Fault { on: op, file: None, nth, times: 1, what: FaultKind::Error(errno) });
                let error = model.build(&disk, 1).unwrap_err();
                assert_eq!(disk.faults_hit().len(), 1, "{op:?} {nth}");
                let is_full = matches!(error, BuildError::DiskFull { .. });
                let can_pass = errno == ENOSPC && !matches!(op, Op::Sync | Op::SyncDir);
                assert_eq!(is_full, can_pass, "{op:?} {nth}: {error}");
                assert_eq!(disk.names(), Vec::<PathBuf>::new(), "{op:?} {nth}: {error}");
                disk.clear_faults();
                assert_eq!(model.build(&disk, 1).unwrap(), facts);
            }
        }
    }
}

/// A sync that fails and then says OK: the run that it was for is lost, and not said to be built.
#[test]
fn a_failed_sync_is_final_for_its_run() {
    let mut model = Model::new(1, 10);
    model.put("a", "k", Version { seq: 1, record: 0, kind: 0 });
    let disk = disk();
    disk.inject(Fault { on: Op::Sync, file: None, nth: 0, times: 1, what: FaultKind::SyncFailsAndDropsPages });
    let error = model.build(&disk, 1).unwrap_err();
    assert!(matches!(error, BuildError::Io { action: "sync", .. }), "{error}");
    assert_eq!(disk.names(), Vec::<PathBuf>::new());
    check(&model, &model.run(&disk, 1)).unwrap();
}

#[test]
fn writes_that_come_short_go_on() {
    let mut model = Model::new(1, 10);
    model.put("a", "k", Version { seq: 1, record: 0, kind: 0 });
    let disk = disk();
    disk.inject(Fault { on: Op::Write, file: None, nth: 0, times: 50, what: FaultKind::ShortWrite { bytes: 7 } });
    let facts = model.build(&disk, 1).unwrap();
    check(&model, &open(&disk, &facts).unwrap()).unwrap();
}

#[test]
fn a_full_disk_says_what_is_needed() {
    let (disk, model) = (disk(), large());
    for room in [0, 10_000, 900_000, 1_700_000] {
        disk.set_capacity(Some(room));
        let error = model.build(&disk, 1).unwrap_err();
        let BuildError::DiskFull { need, .. } = error else { panic!("{error}") };
        assert!(need > 0);
        assert_eq!(disk.used_bytes(), 0, "what was written is given back");
    }
    disk.set_capacity(None);
    model.run(&disk, 1).verify().unwrap();
}
