//! Backups and restores on a disk that loses power, fills up and flips bits.
//!
//! Everything is on one simulated disk: a crash takes what was not synced of the store, of the backups and of what is
//! being restored.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use milepost::{Store, json};
use milepost_engine::{
    Engine, Parts, Settings, Threads, Verdict,
    backup::{self, Backup, BackupError, Rollback, Until},
};
use milepost_io::{Crash, Disk, Fault, FaultKind, Op, SimDisk};
use milepost_sim::machine::Machine;
use milepost_types::{Scope, Seq, Timestamp};

const BACKUPS: &str = "/backups";
const RESTORED: &str = "/restored";
const BEGIN: Timestamp = Timestamp(1_700_000_000_000_000);
/// `EIO` and `ENOSPC`.
const ERRNOS: [i32; 2] = [5, 28];

fn machine() -> Machine {
    Machine::new(3, 4096, BEGIN)
}

/// Commits until there are so many: sets and deletes of a few keys, with values that fill a segment in a few dozen.
fn commit_until(engine: &Engine, count: u64) {
    while engine.last().seq.0 < count {
        let n = engine.last().seq.0 + 1;
        let scope = Scope::parse(&format!("task/{}", n % 3)).unwrap();
        let request = engine.request().set(&scope, &format!("k{}", n % 7), &[n as u8; 90]).unwrap();
        let request =
            if n.is_multiple_of(5) { request.delete(&scope, &format!("k{}", n % 4)).unwrap() } else { request };
        engine.commit(request).unwrap();
    }
}

fn settings() -> Settings {
    Settings { threads: Threads::Stepped, segment_bytes: 4096, ..Settings::default() }
}

fn create(engine: &Engine) -> Result<Backup, BackupError> {
    backup::create(engine, Path::new(BACKUPS), Rollback::Refuse, &mut |_, _| {})
}

fn restore(machine: &Machine, until: Until) -> Result<backup::Restored, BackupError> {
    backup::restore(machine.parts(), Path::new(BACKUPS), Path::new(RESTORED), until, settings(), &mut |_, _| {})
}

/// All of a store as canonical JSON.
fn export(engine: &Engine) -> Vec<u8> {
    let mut lines = Vec::new();
    for commit in Store::over(engine.clone()).replay(Seq::FIRST) {
        json::write_commit(&mut lines, &commit.unwrap());
        lines.push(b'\n');
    }
    lines
}

/// The restored store, verified, as JSON.
fn restored(parts: &Parts) -> Vec<u8> {
    let report = milepost_engine::verify(&parts.disk, Path::new(RESTORED), &mut |_, _| {}).unwrap();
    assert_eq!(report.verdict, Verdict::Clean);
    let engine = Engine::open_read_only(parts.clone(), Path::new(RESTORED)).unwrap();
    export(&engine)
}

/// What [`export`] gives of the first commits.
fn first(export: &[u8], commits: u64) -> Vec<u8> {
    let lines = export.split_inclusive(|byte| *byte == b'\n');
    lines.take(commits as usize).flatten().copied().collect()
}

fn disk(machine: &Machine) -> Arc<dyn Disk> {
    Arc::new(machine.disk.clone())
}

fn assert_clean(machine: &Machine) {
    let report = backup::verify(&disk(machine), Path::new(BACKUPS), None, &mut |_, _| {}).unwrap();
    assert!(report.is_clean(), "{report:?}");
}

/// Where there is nothing yet, with a store of some commits and two backups of its first ones.
fn with_two_backups() -> (Machine, Engine, [u64; 2]) {
    let machine = machine();
    let engine = machine.open().unwrap();
    let at = [45, 70];
    for count in at {
        commit_until(&engine, count);
        create(&engine).unwrap();
    }
    commit_until(&engine, 130);
    (machine, engine, at)
}

#[test]
fn a_backup_restores_to_the_same_bytes_at_every_commit() {
    let (machine, engine, at) = with_two_backups();
    let last = create(&engine).unwrap();
    assert_eq!((last.number, last.last.seq, last.first), (3, Seq(130), Seq::FIRST));
    let exported = export(&engine);
    assert_clean(&machine);
    for seq in 1..=130 {
        let machine = machine.with_disk(machine.disk.copy());
        let done = restore(&machine, Until::Seq(Seq(seq))).unwrap();
        assert_eq!((done.last.seq, done.backup.number), (Seq(seq), 3));
        assert_eq!(restored(&machine.parts()), first(&exported, seq), "seq {seq}");
        let stamped = Machine::with_disk(&machine, machine.disk.copy());
        let at = engine.commit_at(Seq(seq)).unwrap().unwrap().at;
        let found = Path::new("/by-time");
        let until = Until::Time(at);
        let done =
            backup::restore(stamped.parts(), Path::new(BACKUPS), found, until, settings(), &mut |_, _| {}).unwrap();
        assert_eq!(done.last.seq, Seq(seq));
    }
    for (number, seq) in [(1, at[0]), (2, at[1]), (3, 130)] {
        let machine = machine.with_disk(machine.disk.copy());
        assert_eq!(restore(&machine, Until::Backup(number)).unwrap().last.seq, Seq(seq));
        assert_eq!(restored(&machine.parts()), first(&exported, seq));
    }
    assert!(matches!(restore(&machine, Until::Seq(Seq(131))), Err(BackupError::OutsideSeq { .. })));
    assert!(matches!(restore(&machine, Until::Seq(Seq::ZERO)), Err(BackupError::OutsideSeq { .. })));
    assert!(matches!(restore(&machine, Until::Time(Timestamp(5))), Err(BackupError::OutsideTime { .. })));
    assert!(matches!(restore(&machine, Until::Backup(9)), Err(BackupError::NoBackup { number: Some(9), .. })));
}

/// What was brought is not brought again; of the segment that grows only what is new.
#[test]
fn a_backup_brings_only_what_is_new() {
    let machine = machine();
    let engine = machine.open().unwrap();
    commit_until(&engine, 100);
    let full = create(&engine).unwrap();
    assert_eq!(full.new_bytes, full.bytes);
    let same = create(&engine).unwrap();
    assert_eq!((same.new_bytes, same.bytes), (0, full.bytes));
    commit_until(&engine, 101);
    let one_more = create(&engine).unwrap();
    assert!(one_more.new_bytes < 400, "{one_more:?}");
    commit_until(&engine, 200);
    let later = create(&engine).unwrap();
    // The segment that grew is brought once more as a whole.
    assert!(later.new_bytes < full.bytes + 2 * 4096 && later.new_bytes > full.bytes / 2, "{later:?}, {full:?}");
    // Beside the writer, as another process.
    let reader = machine.open_read_only().unwrap();
    assert_eq!(create(&reader).unwrap().new_bytes, 0);
    commit_until(&engine, 230);
    assert_eq!(create(&reader).unwrap().last.seq, Seq(230));
    assert_clean(&machine);
    restore(&machine, Until::Newest).unwrap();
    assert_eq!(restored(&machine.parts()), export(&engine));
}

/// The many small pieces of a segment that grows slowly are made one.
#[test]
fn many_small_backups_stay_few_pieces() {
    let machine = Machine { segment_bytes: 1 << 20, ..machine() };
    let engine = machine.open().unwrap();
    let mut most = 0;
    for count in 1..=150 {
        commit_until(&engine, count);
        most = most.max(create(&engine).unwrap().pieces);
    }
    assert!((32..=64).contains(&most), "{most}");
    restore(&machine, Until::Newest).unwrap();
    assert_eq!(restored(&machine.parts()), export(&engine));
}

/// A segment that a full disk left without a footer, before others that have one, in a store that was opened again
/// since.
#[test]
fn a_segment_without_footer_is_brought_and_restored() {
    let mut bare = 0;
    for nth in 0..45 {
        let machine = machine();
        let name = "0000000002.seg".to_owned();
        let what = FaultKind::Error(28);
        machine.disk.inject(Fault { on: Op::Write, file: Some(name), nth, times: u64::MAX, what });
        let mut is_full = false;
        for count in [60, 100, 140] {
            let engine = machine.open().unwrap();
            for n in engine.last().seq.0..count {
                let request = engine.request().set(&Scope::parse("a").unwrap(), "k", &[n as u8; 90]).unwrap();
                is_full |= engine.commit(request).is_err();
            }
            let _ = engine.close();
        }
        machine.disk.clear_faults();
        let bytes = machine.disk.file_bytes(Path::new("/store/log/0000000002.seg"));
        if is_full || bytes.is_none_or(|bytes| bytes.ends_with(b"MPSTFTR\0")) {
            continue;
        }
        bare += 1;
        // The writer's opening seals it.
        for open in [Machine::open_read_only, Machine::open] {
            let engine = open(&machine).unwrap();
            create(&engine).unwrap();
            assert_clean(&machine);
            let machine = machine.with_disk(machine.disk.copy());
            restore(&machine, Until::Newest).unwrap();
            assert_eq!(restored(&machine.parts()), export(&engine), "{nth}");
        }
    }
    assert!(bare > 0);
}

#[test]
fn an_empty_store_can_be_backed_up() {
    let machine = machine();
    let engine = machine.open().unwrap();
    assert_eq!(create(&engine).unwrap().last.seq, Seq::ZERO);
    assert_eq!(restore(&machine, Until::Newest).unwrap().last.seq, Seq::ZERO);
    assert!(restored(&machine.parts()).is_empty());
}

/// FAULTS A1 and A2, of a backup: cut off at every operation, looked at as a kill and as a power loss, gone on with,
/// and restored.
#[test]
fn a_backup_cut_off_anywhere_is_there_whole_or_not_and_goes_on() {
    let (machine, engine, at) = with_two_backups();
    let exported = export(&engine);
    engine.close().unwrap();
    drop(engine);
    let whole = {
        let machine = machine.with_disk(machine.disk.copy());
        let engine = machine.open_read_only().unwrap();
        let before = machine.disk.operations();
        create(&engine).unwrap();
        machine.disk.operations() - before
    };
    assert!(whole > 12, "{whole}");
    for cut in 0..=whole {
        for crash in Crash::ALL {
            let before = machine.with_disk(machine.disk.copy());
            let engine = before.open_read_only().unwrap();
            before.disk.power_off_after(cut);
            let outcome = create(&engine);
            assert_eq!(outcome.is_ok(), cut == whole, "{cut}: {outcome:?}");
            let after = before.with_disk(before.disk.crash(crash, cut));
            let listed = backup::list(&disk(&after), Path::new(BACKUPS)).unwrap();
            assert!(listed.damage.is_empty() && listed.strays.is_empty(), "{listed:?}");
            assert!(listed.backups.len() == 3 || (cut < whole && listed.backups.len() == 2), "{cut}: {listed:?}");
            assert_clean(&after);
            let engine = after.open_read_only().unwrap();
            let again = create(&engine).unwrap();
            assert_clean(&after);
            assert_eq!(again.last.seq, Seq(130));
            restore(&after, Until::Newest).unwrap();
            assert_eq!(restored(&after.parts()), exported, "{cut}");
            let earlier = after.with_disk(after.disk.copy());
            let until = Until::Backup(1);
            let dir = Path::new("/earlier");
            backup::restore(earlier.parts(), Path::new(BACKUPS), dir, until, settings(), &mut |_, _| {}).unwrap();
            let engine = Engine::open_read_only(earlier.parts(), dir).unwrap();
            assert_eq!(export(&engine), first(&exported, at[0]));
        }
    }
}

/// A backup that was killed has brought what the next one needs.
#[test]
fn what_a_killed_backup_has_brought_is_used() {
    let machine = machine();
    let engine = machine.open().unwrap();
    commit_until(&engine, 200);
    let full = create(&engine).unwrap();
    let disk = machine.disk.copy();
    for path in disk.names().iter().filter(|path| path.starts_with("/backups/backups")) {
        disk.remove_name(path);
    }
    let machine = machine.with_disk(disk);
    let reader = machine.open_read_only().unwrap();
    let again = create(&reader).unwrap();
    assert_eq!((again.new_bytes, again.bytes), (0, full.bytes));
}

/// FAULTS A5, of a restore: cut off at every operation, then repeated, in the same directory.
#[test]
fn a_restore_cut_off_anywhere_is_whole_or_refused_and_can_be_repeated() {
    let (machine, engine, _) = with_two_backups();
    create(&engine).unwrap();
    let exported = export(&engine);
    engine.close().unwrap();
    drop(engine);
    for until in [Until::Newest, Until::Seq(Seq(50))] {
        let expected = if until == Until::Newest { exported.clone() } else { first(&exported, 50) };
        let whole = {
            let machine = machine.with_disk(machine.disk.copy());
            let before = machine.disk.operations();
            restore(&machine, until).unwrap();
            machine.disk.operations() - before
        };
        for cut in 0..=whole {
            for crash in Crash::ALL {
                let before = machine.with_disk(machine.disk.copy());
                before.disk.power_off_after(cut);
                let outcome = restore(&before, until);
                assert_eq!(outcome.is_ok(), cut == whole, "{cut}: {outcome:?}");
                let after = before.with_disk(before.disk.crash(crash, cut));
                match Engine::open_read_only(after.parts(), Path::new(RESTORED)) {
                    Ok(engine) => assert_eq!(export(&engine), expected, "{cut}: opened before it was whole"),
                    Err(_) => {
                        let mut settings = settings();
                        settings.create = milepost_engine::Create::Never;
                        assert!(Engine::open(after.parts(), Path::new(RESTORED), settings).is_err());
                        restore(&after, until).unwrap();
                    }
                }
                assert_eq!(restored(&after.parts()), expected, "{cut}");
            }
        }
    }
}

/// FAULTS C3 and B3: each call fails once, with an IO error and with a full disk. What was there stays, no half file is
/// left, and the next attempt succeeds.
#[test]
fn a_call_that_fails_leaves_what_was_there() {
    let (machine, engine, at) = with_two_backups();
    let exported = export(&engine);
    engine.close().unwrap();
    drop(engine);
    for errno in ERRNOS {
        for op in [Op::Create, Op::Write, Op::Sync, Op::Rename, Op::SyncDir, Op::Read, Op::List, Op::Map, Op::Open] {
            for (dir, is_restore) in [(BACKUPS, false), (RESTORED, true)] {
                let mut nth = 0;
                loop {
                    let machine = machine.with_disk(machine.disk.copy());
                    let reader = machine.open_read_only().unwrap();
                    let fault =
                        Fault { on: op, file: Some(dir.to_owned()), nth, times: 1, what: FaultKind::Error(errno) };
                    machine.disk.inject(fault);
                    let failed = match is_restore {
                        true => restore(&machine, Until::Newest).is_err(),
                        false => create(&reader).is_err(),
                    };
                    let hit = !machine.disk.faults_hit().is_empty();
                    machine.disk.clear_faults();
                    if !hit {
                        break;
                    }
                    let name = format!("{op:?} {nth} in {dir}, {errno}, failed: {failed}");
                    let is_tmp = |path: &&PathBuf| path.extension() == Some("tmp".as_ref());
                    let left: Vec<_> = machine.disk.names().into_iter().filter(|path| path.starts_with(dir)).collect();
                    // What a restore leaves is marked as a whole, and cleared by the next one.
                    assert!(is_restore || !left.iter().any(|path| is_tmp(&path)), "{name}: {left:?}");
                    assert_clean(&machine);
                    if is_restore && failed && Engine::open_read_only(machine.parts(), Path::new(RESTORED)).is_err() {
                        restore(&machine, Until::Newest).unwrap();
                    }
                    if is_restore {
                        assert_eq!(restored(&machine.parts()), first(&exported, at[1]), "{name}");
                    } else {
                        assert_eq!(create(&reader).unwrap().last.seq, Seq(130), "{name}");
                        assert_clean(&machine);
                    }
                    nth += 1;
                }
                assert!(nth > 0 || (is_restore && matches!(op, Op::Map | Op::Rename)), "{op:?} in {dir} never came");
            }
        }
    }
}

/// FAULTS C3: a disk that is full at every size.
#[test]
fn a_full_disk_is_told_and_nothing_is_lost() {
    let (machine, engine, _) = with_two_backups();
    let exported = export(&engine);
    engine.close().unwrap();
    drop(engine);
    let mut room = 0;
    loop {
        let machine = machine.with_disk(machine.disk.copy());
        let reader = machine.open_read_only().unwrap();
        machine.disk.set_capacity(Some(machine.disk.used_bytes() + room));
        let outcome = create(&reader);
        machine.disk.set_capacity(None);
        assert_clean(&machine);
        match outcome {
            Ok(_) => break,
            Err(BackupError::DiskFull { .. }) => {}
            Err(other) => panic!("{room}: {other}"),
        }
        create(&reader).unwrap();
        restore(&machine, Until::Newest).unwrap();
        assert_eq!(restored(&machine.parts()), exported);
        room += 97;
    }
    assert!(room > 4096, "{room}");
}

/// FAULTS D1: every bit of a small backup.
#[test]
fn a_flipped_bit_is_named_and_never_restored() {
    let machine = Machine { segment_bytes: 4096, ..machine() };
    let engine = machine.open().unwrap();
    for n in 0..6u64 {
        let scope = Scope::parse("a").unwrap();
        engine
            .commit(engine.request().set(&scope, "k", &vec![n as u8 + 1; if n == 3 { 3700 } else { 20 }]).unwrap())
            .unwrap();
        if n == 4 {
            create(&engine).unwrap();
        }
    }
    create(&engine).unwrap();
    let exported = export(&engine);
    let files: Vec<PathBuf> = machine.disk.names().into_iter().filter(|path| path.starts_with(BACKUPS)).collect();
    assert_eq!(files.len(), 6, "{files:?}");
    let (mut named, mut harmless) = (0, 0);
    for file in &files {
        let bytes = machine.disk.file_bytes(file).unwrap();
        let mut bit = 0;
        while bit < 8 * bytes.len() as u64 {
            let machine = machine.with_disk(machine.disk.copy());
            machine.disk.flip_bit(file, bit);
            let verified = backup::verify(&disk(&machine), Path::new(BACKUPS), None, &mut |_, _| {});
            assert!(!verified.is_ok_and(|report| report.is_clean()), "{} bit {bit} passes", file.display());
            match restore(&machine, Until::Newest) {
                Ok(_) => {
                    assert_eq!(restored(&machine.parts()), exported, "{} bit {bit}", file.display());
                    harmless += 1;
                }
                Err(error) => {
                    assert!(matches!(error, BackupError::Corrupt(_) | BackupError::NewerFormat { .. }), "{error:?}");
                    assert!(error.to_string().contains(file.to_str().unwrap()), "{error} does not name the file");
                    assert!(Engine::open_read_only(machine.parts(), Path::new(RESTORED)).is_err());
                    named += 1;
                }
            }
            // Bits of a long value are all alike.
            let at = (bit / 8) as usize;
            let alike = bytes[at.saturating_sub(8)..(at + 8).min(bytes.len())].iter().all(|byte| *byte == bytes[at]);
            bit += if alike { 509 } else { 1 };
        }
        for length in (0..bytes.len() as u64).step_by(13) {
            let machine = machine.with_disk(machine.disk.copy());
            machine.disk.truncate(file, length);
            match restore(&machine, Until::Newest) {
                Ok(_) => assert_eq!(restored(&machine.parts()), exported, "{} cut at {length}", file.display()),
                Err(error) => assert!(matches!(error, BackupError::Corrupt(_)), "{error:?}"),
            }
        }
    }
    // Each of the pieces is in the newest backup, and so is nothing else but the backup itself and whose it is.
    assert!(named > 2_000, "{named} named, {harmless} harmless");
}

/// The file that says whose backups these are is damaged, or gone: each backup says it, too.
#[test]
fn without_knowing_whose_they_are_a_backup_is_restored_by_its_number() {
    let (machine, engine, at) = with_two_backups();
    let exported = export(&engine);
    let store = Path::new("/backups/STORE");
    let (flipped, gone) = (machine.with_disk(machine.disk.copy()), machine.with_disk(machine.disk.copy()));
    flipped.disk.flip_bit(store, 8 * 20);
    gone.disk.remove_name(store);
    for machine in [flipped, gone] {
        let reader = machine.open_read_only().unwrap();
        for error in [create(&reader).unwrap_err(), restore(&machine, Until::Newest).unwrap_err()] {
            assert!(matches!(&error, BackupError::Corrupt(damage) if damage.file == store), "{error:?}");
        }
        assert_eq!(backup::list(&disk(&machine), Path::new(BACKUPS)).unwrap().damage.len(), 1);
        restore(&machine, Until::Backup(2)).unwrap();
        assert_eq!(restored(&machine.parts()), first(&exported, at[1]));
    }
}

/// FAULTS D4 and D5: a piece that is gone, or another one under its name.
#[test]
fn a_missing_or_exchanged_piece_is_named() {
    let (machine, engine, _) = with_two_backups();
    create(&engine).unwrap();
    let exported = export(&engine);
    let pieces: Vec<PathBuf> =
        machine.disk.names().into_iter().filter(|path| path.starts_with("/backups/pieces")).collect();
    for (index, piece) in pieces.iter().enumerate() {
        let gone = machine.with_disk(machine.disk.copy());
        gone.disk.remove_name(piece);
        let exchanged = machine.with_disk(machine.disk.copy());
        let other = machine.disk.file_bytes(&pieces[(index + 1) % pieces.len()]).unwrap();
        exchanged.disk.put_file(piece, other);
        for machine in [gone, exchanged] {
            let report = backup::verify(&disk(&machine), Path::new(BACKUPS), None, &mut |_, _| {}).unwrap();
            assert!(!report.is_clean());
            match restore(&machine, Until::Newest) {
                // An older backup's piece, which the newest one does not need.
                Ok(_) => assert_eq!(restored(&machine.parts()), exported),
                Err(error) => {
                    assert!(matches!(error, BackupError::Corrupt(_)), "{error:?}");
                    assert!(error.to_string().contains(piece.to_str().unwrap()), "{error}");
                }
            }
            // What is missing is brought again.
            let reader = machine.open_read_only().unwrap();
            create(&reader).unwrap();
        }
    }
}

#[test]
fn pruning_keeps_what_the_kept_ones_need() {
    let (machine, engine, _) = with_two_backups();
    create(&engine).unwrap();
    let exported = export(&engine);
    let whole = {
        let machine = machine.with_disk(machine.disk.copy());
        let before = machine.disk.operations();
        let pruned = backup::prune(&disk(&machine), Path::new(BACKUPS), 1).unwrap();
        assert_eq!((pruned.backups, pruned.kept), (2, 1));
        assert!(pruned.pieces > 0 && pruned.bytes > 0, "{pruned:?}");
        let report = backup::verify(&disk(&machine), Path::new(BACKUPS), None, &mut |_, _| {}).unwrap();
        assert_eq!((report.unlisted, report.backups.len()), (0, 1));
        machine.disk.operations() - before
    };
    for cut in 0..=whole {
        for crash in Crash::ALL {
            let before = machine.with_disk(machine.disk.copy());
            before.disk.power_off_after(cut);
            let _ = backup::prune(&disk(&before), Path::new(BACKUPS), 1);
            let after = before.with_disk(before.disk.crash(crash, cut));
            assert_clean(&after);
            backup::prune(&disk(&after), Path::new(BACKUPS), 1).unwrap();
            let report = backup::verify(&disk(&after), Path::new(BACKUPS), None, &mut |_, _| {}).unwrap();
            assert_eq!((report.is_clean(), report.unlisted), (true, 0), "{cut}");
            restore(&after, Until::Newest).unwrap();
            assert_eq!(restored(&after.parts()), exported);
        }
    }
    // A backup that can't be read may need anything.
    machine.disk.flip_bit(Path::new("/backups/backups/0000000001.backup"), 300);
    assert!(matches!(backup::prune(&disk(&machine), Path::new(BACKUPS), 1), Err(BackupError::Corrupt(_))));
    assert!(matches!(restore(&machine, Until::Newest), Err(BackupError::Corrupt(_))));
    restore(&machine, Until::Backup(3)).unwrap();
}

/// FAULTS D6: a store that was put back to an older copy is told by its backups; one that was restored is not.
#[test]
fn an_older_copy_is_told_from_a_restored_store() {
    let machine = machine();
    let engine = machine.open().unwrap();
    commit_until(&engine, 60);
    create(&engine).unwrap();
    let older: SimDisk = machine.disk.copy();
    commit_until(&engine, 90);
    create(&engine).unwrap();
    let epoch = engine.stats().epoch;
    engine.close().unwrap();
    drop(engine);
    // Only the store is put back, the backups are not.
    let put_back = machine.with_disk(machine.disk.copy());
    for path in put_back.disk.names().iter().filter(|path| path.starts_with("/store")) {
        put_back.disk.remove_name(path);
    }
    for path in older.names().iter().filter(|path| path.starts_with("/store")) {
        put_back.disk.put_file(path, older.file_bytes(path).unwrap());
    }
    let engine = put_back.open().unwrap();
    assert!(matches!(create(&engine), Err(BackupError::RolledBack { backed_up: Seq(90), store: Seq(60), .. })));
    // It goes on with other commits at the same places, in the same segment.
    engine.commit(engine.request().set(&Scope::parse("other").unwrap(), "k", &[1; 90]).unwrap()).unwrap();
    commit_until(&engine, 120);
    assert!(matches!(create(&engine), Err(BackupError::RolledBack { .. })));
    let accepted = backup::create(&engine, Path::new(BACKUPS), Rollback::Accept, &mut |_, _| {}).unwrap();
    assert_eq!(accepted.last.seq, Seq(120));
    restore(&put_back, Until::Newest).unwrap();
    assert_eq!(restored(&put_back.parts()), export(&engine));
    // A restored store, of an older backup at that, goes on in the same place.
    let done = restore(&machine, Until::Backup(1)).unwrap();
    assert!(done.epoch > epoch + 1000);
    let engine = Engine::open(machine.parts(), Path::new(RESTORED), settings()).unwrap();
    commit_until(&engine, 70);
    assert_eq!(create(&engine).unwrap().last.seq, Seq(70));
    let next = Path::new("/next");
    backup::restore(machine.parts(), Path::new(BACKUPS), next, Until::Newest, settings(), &mut |_, _| {}).unwrap();
    assert_eq!(export(&Engine::open_read_only(machine.parts(), next).unwrap()), export(&engine));
}

#[test]
fn another_store_and_other_directories_are_refused() {
    let machine = machine();
    let engine = machine.open().unwrap();
    commit_until(&engine, 3);
    create(&engine).unwrap();
    let other = Engine::open(machine.parts(), Path::new("/other"), settings()).unwrap();
    let refused = create(&other).unwrap_err();
    assert!(refused.to_string().contains(&engine.stats().store) && refused.to_string().contains(&other.stats().store));
    assert!(matches!(refused, BackupError::OtherStore { .. }));
    let into = |dir: &str| backup::create(&engine, Path::new(dir), Rollback::Refuse, &mut |_, _| {});
    assert!(matches!(into("/store"), Err(BackupError::InStore { .. })));
    assert!(matches!(into("/store/backups"), Err(BackupError::InStore { .. })));
    assert!(matches!(into("/other"), Err(BackupError::NotBackups { .. })));
    assert!(matches!(into("/"), Err(BackupError::NotBackups { .. })));
    let list = |dir: &str| backup::list(&disk(&machine), Path::new(dir));
    assert!(matches!(list("/store"), Err(BackupError::NotBackups { .. })));
    assert!(matches!(list("/nowhere"), Err(BackupError::NotBackups { .. })));
    let _held = machine.disk.lock_dir(Path::new(BACKUPS)).unwrap().unwrap();
    assert!(matches!(create(&engine), Err(BackupError::InUse { .. })));
    let full = backup::restore(
        machine.parts(),
        Path::new(BACKUPS),
        Path::new("/other"),
        Until::Newest,
        settings(),
        &mut |_, _| {},
    );
    // Held, so it is not even looked into.
    assert!(full.is_err());
    other.close().unwrap();
    let full = backup::restore(
        machine.parts(),
        Path::new(BACKUPS),
        Path::new("/other"),
        Until::Newest,
        settings(),
        &mut |_, _| {},
    );
    assert!(full.unwrap_err().to_string().contains("is not empty"));
    assert!(Engine::open_read_only(machine.parts(), Path::new("/other")).is_ok());
}
