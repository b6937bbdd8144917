//! Backups: what they tell of what is gone, of what is damaged, and of calls that fail.

mod moments;
mod places;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use milepost_engine::{
    Engine, Filling, Parts, Purpose, Settings, Stamped, Threads, Verdict,
    backup::{self, Backup, BackupError, Restored, Rollback, Until},
    verify,
};
use milepost_io::{Disk, Fault, FaultKind, Op, Process, SimDisk, SimEntropy};
use milepost_types::{At, Receipt, Seq, Timestamp};

use crate::{
    compaction::{DIR, Rig},
    scope,
};

const BACKUPS: &str = "/backups";
const RESTORED: &str = "/restored";

fn parts(rig: &Rig, disk: &SimDisk) -> Parts {
    let (disk, clock) = (Arc::new(disk.clone()), Arc::clone(&rig.clock));
    Parts { disk, clock, entropy: Arc::new(SimEntropy::new(9)), process: Process::simulated() }
}

fn create(engine: &Engine) -> Result<Backup, BackupError> {
    backup::create(engine, Path::new(BACKUPS), Rollback::Refuse, &mut |_, _| {})
}

fn settings() -> Settings {
    Settings { threads: Threads::Stepped, segment_bytes: 4096, ..Settings::default() }
}

/// A restore on a copy of the disk, so that the next one finds it as it was.
fn restore(rig: &Rig, until: Until) -> (Result<Restored, BackupError>, Parts) {
    let parts = parts(rig, &rig.disk.copy());
    let (from, to) = (Path::new(BACKUPS), Path::new(RESTORED));
    (backup::restore(parts.clone(), from, to, until, settings(), &mut |_, _| {}), parts)
}

/// Commits, of which whole segments go when what they set is erased: some between others, and none of them at the ends.
fn with_gaps() -> Rig {
    let rig = Rig::new(51);
    for n in 0..60_u8 {
        let of = if (20..40).contains(&n) { "e" } else { "a" };
        rig.set(of, &format!("k{n:02}"), &[n; 600]);
    }
    let mut erase = rig.store.request();
    erase.add_erase_scope(&scope("e"), 0).unwrap();
    rig.store.commit(erase).unwrap();
    assert!(rig.compact().dropped > 0);
    rig
}

/// What is restored goes on behind the commit that was asked for, also where nothing of it was there to be brought: it
/// is stamped between those around it, as late as it can have been.
#[test]
fn a_restore_ends_with_the_commit_that_was_asked_for_also_if_that_is_gone() {
    let rig = with_gaps();
    let made = create(&rig.store).unwrap();
    let commits = rig.store.replay(Seq::FIRST).into_iter().map(Result::unwrap);
    let kept: BTreeMap<Seq, Timestamp> = commits.map(|commit| (commit.seq, commit.at)).collect();
    let (mut gone, mut stamped) = (0, Timestamp::MIN);
    for seq in (1..=rig.store.last().seq.0).map(Seq) {
        let (done, parts) = restore(&rig, Until::Seq(seq));
        let done = done.unwrap();
        assert_eq!((done.backup.number, done.last.seq), (made.number, seq));
        match kept.get(&seq) {
            Some(at) => assert_eq!(done.last.at, *at, "{seq}"),
            None => {
                let next = kept.range(seq..).next().unwrap();
                assert!(done.last.at.0 <= next.1.0 - (next.0.0 - seq.0) as i64, "{seq}: {:?}", done.last);
                gone += 1;
            }
        }
        assert!(stamped < done.last.at, "{seq}: {stamped}, {:?}", done.last);
        stamped = done.last.at;
        let report = verify(&parts.disk, Path::new(RESTORED), &mut |_, _| {}).unwrap();
        assert_eq!((report.verdict, report.last, report.last_at), (Verdict::Clean, seq, done.last.at), "{seq}");
        let engine = Engine::open(parts, Path::new(RESTORED), settings()).unwrap();
        assert_eq!(engine.stats().epoch, done.epoch + 1, "{seq}");
        let (then, now) = (rig.store.view(At::Seq(seq)).unwrap(), engine.view(At::Latest).unwrap());
        assert_eq!(now.scan("a", "").count(), then.scan("a", "").count(), "{seq}");
        let receipt = engine.commit(engine.request().set(&scope("a"), "next", b"1").unwrap()).unwrap();
        assert!(receipt.seq == Seq(seq.0 + 1) && receipt.at > done.last.at, "{seq}");
    }
    assert!(gone > 10, "{gone}");
}

/// An import may end with commits of which nothing is left, and may have no other.
#[test]
fn a_store_of_which_nothing_is_left_is_backed_up_and_restored() {
    let rig = Rig::new(52);
    let empty = Path::new("/empty");
    let (last, first_at) = (Seq(9000), Timestamp(1_600_000_000_000_000));
    let last_at = Timestamp(first_at.0 + 8_999_000_000);
    let mut filling = Filling::begin(parts(&rig, &rig.disk), empty, Purpose::Import, settings()).unwrap();
    filling.pass(last, Stamped::Between(first_at, last_at)).unwrap();
    assert_eq!(filling.finish().unwrap(), Receipt { seq: last, at: last_at });
    let store = Engine::open_read_only(parts(&rig, &rig.disk), empty).unwrap();
    let made = create(&store).unwrap();
    assert_eq!((made.first, made.last.seq, made.pieces), (Seq::ZERO, last, 0));
    let (done, parts) = restore(&rig, Until::Newest);
    assert_eq!(done.unwrap().last, Receipt { seq: last, at: last_at });
    let report = verify(&parts.disk, Path::new(RESTORED), &mut |_, _| {}).unwrap();
    assert_eq!((report.verdict, report.commits, report.last), (Verdict::Clean, 0, last));
}

/// Of backups that can't be read each is told with its own damage.
#[test]
fn a_damaged_backup_that_is_asked_for_by_its_number_is_named() {
    let rig = Rig::new(53);
    for n in 0..3 {
        rig.set("a", "k", &[n]);
        create(&rig.store).unwrap();
    }
    let path = |number: u64| PathBuf::from(format!("{BACKUPS}/backups/{number:010}.backup"));
    for number in [1, 2] {
        rig.disk.flip_bit(&path(number), 8 * 40);
    }
    for number in [1, 2] {
        match restore(&rig, Until::Backup(number)).0 {
            Err(BackupError::Corrupt(damage)) => assert_eq!(damage.file, path(number)),
            other => panic!("{number}: {other:?}"),
        }
    }
    assert_eq!(restore(&rig, Until::Backup(3)).0.unwrap().last.seq, Seq(3));
    assert!(matches!(restore(&rig, Until::Backup(4)).0, Err(BackupError::NoBackup { number: Some(4), .. })));
}

/// A note of a backup made beside the writer becomes a commit if it says more than the store remembers.
#[test]
fn a_note_counts_if_it_is_of_a_later_backup() {
    let rig = Rig::new(54);
    rig.set("a", "k", b"1");
    let reader = Engine::open_read_only(parts(&rig, &rig.disk), Path::new(DIR)).unwrap();
    let remembered = || backup::known(&rig.store).unwrap().into_iter().map(|known| known.number).collect::<Vec<_>>();
    let take = || {
        backup::take_notes(&rig.store).unwrap();
        let notes = rig.disk.names().into_iter().filter(|path| path.extension() == Some("note".as_ref()));
        assert_eq!(notes.count(), 0, "a note is looked at once");
        (remembered(), rig.store.last().seq.0)
    };
    let (first, second) = (create(&reader).unwrap(), create(&rig.store).unwrap());
    backup::remember(&reader, BACKUPS, &first).unwrap();
    assert_eq!(remembered(), [1]);
    backup::remember(&rig.store, BACKUPS, &second).unwrap();
    assert_eq!(remembered(), [2]);
    let last = rig.store.last().seq.0;
    assert_eq!(take(), (vec![2], last), "it is of an earlier one");
    let third = create(&reader).unwrap();
    backup::remember(&reader, BACKUPS, &third).unwrap();
    assert_eq!(remembered(), [3]);
    assert_eq!(take(), (vec![3], last + 1));
    backup::remember(&reader, BACKUPS, &third).unwrap();
    assert_eq!(take(), (vec![3], last + 1), "it says what is known");
}

/// Bytes brought, restored and read, as they are told: what is done grows to what there is in all.
#[test]
fn progress_is_told_in_bytes_that_grow_to_all() {
    let rig = with_gaps();
    let check = |told: &[(u64, u64)], bytes: u64, what: &str| {
        assert!(told.len() > 2, "{what}: {told:?}");
        assert!(told.iter().all(|(_, total)| *total == bytes), "{what}: {told:?}, {bytes}");
        assert!(told[0].0 > 0 && told.windows(2).all(|two| two[0].0 <= two[1].0), "{what}: {told:?}");
        let steps = told.windows(2).filter(|two| two[0].0 < two[1].0).count();
        assert!(steps > 1 && told[told.len() - 1].0 == bytes, "{what}: {told:?}");
    };
    let mut told = Vec::new();
    let (to, into) = (Path::new(BACKUPS), Path::new(RESTORED));
    let progress = &mut |done, total| told.push((done, total));
    let made = backup::create(&rig.store, to, Rollback::Refuse, progress).unwrap();
    // How many it will be is known about only.
    let total = told[0].1;
    assert!(total <= made.new_bytes && total > made.new_bytes / 2, "{told:?}");
    check(&told, total, "create");
    let mut told = Vec::new();
    let progress = &mut |done, total| told.push((done, total));
    backup::restore(parts(&rig, &rig.disk.copy()), to, into, Until::Newest, settings(), progress).unwrap();
    check(&told, made.bytes, "restore");
    let mut told = Vec::new();
    let disk: Arc<dyn Disk> = Arc::new(rig.disk.clone());
    let report = backup::verify(&disk, to, None, &mut |done, total| told.push((done, total))).unwrap();
    check(&told, made.bytes, "verify");
    assert_eq!((report.bytes, report.pieces, report.unlisted), (made.bytes, made.pieces, 0));
}

/// What a copy has is damage of the copy; what the store's own file has is that file's.
#[test]
fn damage_is_told_of_the_file_that_has_it() {
    let rig = with_gaps();
    let damaged = |made: Result<Backup, BackupError>| match made {
        Err(BackupError::Corrupt(damage)) => damage.file,
        other => panic!("{other:?}"),
    };
    let mut copy = None;
    let made = backup::create(&rig.store, Path::new(BACKUPS), Rollback::Refuse, &mut |_, _| {
        let is_new = |path: &&PathBuf| path.extension() == Some("tmp".as_ref());
        if let Some(new) = rig.disk.names().iter().find(is_new).filter(|_| copy.is_none()) {
            rig.disk.flip_bit(new, 8 * 500);
            copy = Some(new.clone());
        }
    });
    assert_eq!(damaged(made), copy.unwrap());
    rig.store.close().unwrap();
    let segment = rig.disk.names().into_iter().find(|path| path.extension() == Some("seg".as_ref())).unwrap();
    rig.disk.flip_bit(&segment, 8 * 500);
    let reader = Engine::open_read_only(parts(&rig, &rig.disk), Path::new(DIR)).unwrap();
    assert_eq!(damaged(create(&reader)), segment);
}

/// A call that fails is told, and not taken for a file that is not there.
#[test]
fn a_place_that_can_not_be_listed_or_pruned_is_told() {
    let rig = Rig::new(55);
    for n in 0..30 {
        rig.set("a", "k", &[n; 600]);
        create(&rig.store).unwrap();
    }
    let disk: Arc<dyn Disk> = Arc::new(rig.disk.clone());
    let refused = |on, file: &str, act: &dyn Fn() -> Result<(), BackupError>| {
        let was = Fault { on, file: Some(file.to_owned()), nth: 0, times: 1, what: FaultKind::Error(5) };
        rig.disk.inject(was);
        match act() {
            Err(BackupError::Io { .. }) => rig.disk.clear_faults(),
            other => panic!("{on:?} {file}: {other:?}"),
        }
    };
    refused(Op::List, BACKUPS, &|| create(&rig.store).map(drop));
    for file in ["0000000001.backup", ".piece"] {
        refused(Op::Remove, file, &|| backup::prune(&disk, Path::new(BACKUPS), 1).map(drop));
    }
    let pieces = || -> BTreeMap<PathBuf, u64> {
        let names = rig.disk.names().into_iter().filter(|path| path.extension() == Some("piece".as_ref()));
        names.map(|path| (path.clone(), rig.disk.file_bytes(&path).unwrap().len() as u64)).collect()
    };
    let before = pieces();
    let pruned = backup::prune(&disk, Path::new(BACKUPS), 1).unwrap();
    let gone = (before.len() - pieces().len(), before.values().sum::<u64>() - pieces().values().sum::<u64>());
    assert_eq!((pruned.kept, pruned.pieces, pruned.bytes), (1, gone.0 as u64, gone.1));
    assert!(pruned.pieces > 3, "{pruned:?}");
    assert_eq!(backup::list(&disk, Path::new(BACKUPS)).unwrap().backups.len(), 1);
}

/// One backup alone can be asked for; of one that may be among the damaged nobody says that it is not there.
#[test]
fn verify_of_one_backup_says_whether_it_is_there() {
    let rig = Rig::new(56);
    for n in 0..2 {
        rig.set("a", "k", &[n]);
        create(&rig.store).unwrap();
    }
    let disk: Arc<dyn Disk> = Arc::new(rig.disk.clone());
    let verified = |number| {
        let report = backup::verify(&disk, Path::new(BACKUPS), number, &mut |_, _| {})?;
        let numbers: Vec<u64> = report.backups.iter().map(|(backup, _)| backup.number).collect();
        Ok::<_, BackupError>((numbers, report.damage.len()))
    };
    assert_eq!(verified(None).unwrap(), (vec![1, 2], 0));
    assert_eq!(verified(Some(2)).unwrap(), (vec![2], 0));
    assert!(matches!(verified(Some(3)), Err(BackupError::NoBackup { number: Some(3), .. })));
    rig.disk.flip_bit(Path::new("/backups/backups/0000000001.backup"), 8 * 40);
    assert_eq!(verified(Some(1)).unwrap(), (vec![], 1));
    assert_eq!(verified(Some(2)).unwrap(), (vec![2], 1));
}
