//! What is there instead of a place for backups, and what lies in one that does not belong there.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use milepost_engine::{
    Engine, Parts,
    backup::{self, BackupError},
};
use milepost_io::{Disk, Fault, FaultKind, Op, SimDisk};
use milepost_types::Seq;

use super::{BACKUPS, create, parts};
use crate::compaction::{DIR, Rig};

const EIO: i32 = 5;
const ENOENT: i32 = 2;

/// What an error says, in a few words.
fn told(error: &BackupError) -> String {
    match error {
        BackupError::NotBackups { why, .. } => why.clone(),
        BackupError::Corrupt(damage) => format!("{}: {}", damage.file.display(), damage.what),
        BackupError::Io { source, .. } => format!("errno {:?}", source.raw_os_error()),
        BackupError::InUse { .. } => "in use".to_owned(),
        other => panic!("{other:?}"),
    }
}

fn list(disk: &SimDisk) -> Result<backup::Listing, BackupError> {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    backup::list(&disk, Path::new(BACKUPS))
}

/// A store of a few segments, and a reader of it on a copy of its disk.
fn store() -> Rig {
    let rig = Rig::new(57);
    for n in 1..=30 {
        rig.set("a", "k", &[n; 300]);
    }
    rig
}

fn reader(rig: &Rig, disk: &SimDisk) -> Engine {
    let parts: Parts = parts(rig, disk);
    Engine::open_read_only(parts, Path::new(DIR)).unwrap()
}

fn pieces(disk: &SimDisk) -> Vec<PathBuf> {
    disk.names().into_iter().filter(|path| path.extension() == Some("piece".as_ref())).collect()
}

fn damage(disk: &SimDisk) -> Result<Vec<String>, BackupError> {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    let report = backup::verify(&disk, Path::new(BACKUPS), None, &mut |_, _| {})?;
    Ok(report.backups.into_iter().flat_map(|(_, damage)| damage).map(|damage| damage.what).collect())
}

/// Files and directories in a directory, what it is taken for, and whether it becomes a place.
type Row = (&'static [&'static str], &'static [&'static str], &'static str, bool);

/// A directory that holds nothing, or what the beginning of a place has left that was cut short, becomes one; any other
/// is left as it is, and what it is instead is said.
#[test]
fn what_is_no_place_for_backups_is_told_as_what_it_is() {
    let rig = store();
    let places: [Row; 9] = [
        (&[], &[], "it is not there", true),
        (&[], &[""], "it is empty", true),
        (&["STORE.tmp"], &["backups", "pieces"], "it has no file \"STORE\" but holds \"STORE.tmp\"", true),
        (&[], &["backups", "pieces"], "it has no file \"STORE\" but holds \"backups\"", true),
        (&["pieces/mine"], &["backups"], "it has no file \"STORE\" but holds \"backups\"", false),
        (&["backups/mine"], &["pieces"], "it has no file \"STORE\" but holds \"backups\"", false),
        (&["mine"], &["backups", "pieces"], "it has no file \"STORE\" but holds \"backups\"", false),
        (&["mine"], &[], "it has no file \"STORE\" but holds \"mine\"", false),
        (&["backups/0000000007.backup"], &["pieces"], "/backups/STORE: it is missing", false),
    ];
    for (files, dirs, expected, is_made) in places {
        let disk = rig.disk.copy();
        dirs.iter().for_each(|dir| disk.create_dir(&Path::new(BACKUPS).join(dir)).unwrap());
        files.iter().for_each(|file| disk.put_file(&Path::new(BACKUPS).join(file), b"1"));
        assert_eq!(told(&list(&disk).unwrap_err()), expected, "{files:?} {dirs:?}");
        match create(&reader(&rig, &disk)) {
            Ok(made) => assert_eq!((is_made, made.number, made.last.seq), (true, 1, Seq(30)), "{files:?} {dirs:?}"),
            Err(error) => assert_eq!((is_made, told(&error)), (false, expected.to_owned()), "{files:?} {dirs:?}"),
        }
    }
}

/// Whoever lists, and whoever makes one, is told the same.
#[test]
fn a_file_is_no_place_for_backups() {
    let rig = store();
    let disk = rig.disk.copy();
    disk.put_file(Path::new(BACKUPS), b"mine");
    assert_eq!(told(&list(&disk).unwrap_err()), "it, or a directory above it, is a file");
    assert_eq!(told(&create(&reader(&rig, &disk)).unwrap_err()), "it, or a directory above it, is a file");
}

/// What can't be read is told as that: not as a place that is none, or damaged.
#[test]
fn a_place_that_can_not_be_read_is_told_from_one_that_is_none() {
    let rig = store();
    create(&reader(&rig, &rig.disk)).unwrap();
    let failing = |disk: &SimDisk, on, file: &str, errno| {
        let file = Some(file.to_owned());
        disk.inject(Fault { on, file, nth: 0, times: u64::MAX, what: FaultKind::Error(errno) });
    };
    for (on, file) in [
        (Op::Open, "/backups/STORE"),
        (Op::Read, "/backups/STORE"),
        (Op::List, "/backups/backups"),
        (Op::List, "/backups/pieces"),
        (Op::Open, ".backup"),
        (Op::Read, ".backup"),
    ] {
        let disk = rig.disk.copy();
        let reader = reader(&rig, &disk);
        failing(&disk, on, file, EIO);
        assert_eq!(told(&list(&disk).unwrap_err()), "errno Some(5)", "{on:?} {file}");
        assert_eq!(told(&create(&reader).unwrap_err()), "errno Some(5)", "{on:?} {file}");
    }
    // Where there is no file STORE, why not is asked of the directory.
    let disk = rig.disk.copy();
    disk.remove_name(Path::new("/backups/STORE"));
    disk.remove_name(Path::new("/backups/backups/0000000001.backup"));
    assert!(told(&list(&disk).unwrap_err()).starts_with("it has no file \"STORE\""));
    failing(&disk, Op::List, BACKUPS, EIO);
    assert_eq!(told(&list(&disk).unwrap_err()), "errno Some(5)");
    // Pieces are read when they are checked.
    for (on, errno, expected) in
        [(Op::Open, EIO, Err("errno Some(5)")), (Op::Bytes, EIO, Err("errno Some(5)")), (Op::Open, ENOENT, Ok(()))]
    {
        let disk = rig.disk.copy();
        failing(&disk, on, ".piece", errno);
        match (damage(&disk), expected) {
            (Err(error), Err(expected)) => assert_eq!(told(&error), expected, "{on:?}"),
            (Ok(damage), Ok(())) => assert!(damage.iter().all(|what| what == "the piece is missing"), "{damage:?}"),
            (found, _) => panic!("{on:?}: {found:?}"),
        }
    }
}

/// Who makes or removes backups in a place keeps others from it for so long.
#[test]
fn only_one_at_a_time_adds_or_removes() {
    let rig = store();
    create(&rig.store).unwrap();
    let disk: Arc<dyn Disk> = Arc::new(rig.disk.clone());
    let held = rig.disk.lock_dir(Path::new(BACKUPS)).unwrap().unwrap();
    assert_eq!(told(&create(&rig.store).unwrap_err()), "in use");
    assert_eq!(told(&backup::prune(&disk, Path::new(BACKUPS), 1).unwrap_err()), "in use");
    assert_eq!(list(&rig.disk).unwrap().backups.len(), 1);
    drop(held);
    assert_eq!(create(&rig.store).unwrap().number, 2);
    // What somebody else has removed meanwhile is removed.
    let (on, file, what) = (Op::Remove, Some(".backup".to_owned()), FaultKind::Error(ENOENT));
    rig.disk.inject(Fault { on, file, nth: 0, times: 1, what });
    assert_eq!(backup::prune(&disk, Path::new(BACKUPS), 1).unwrap().backups, 1);
    assert_eq!(rig.disk.faults_hit().len(), 1);
}

/// A piece that was cut short, or is of another length than it was, is brought again; one that is on its way, left by
/// who did not come to the end, is in nobody's way.
#[test]
fn pieces_that_are_not_whole_are_brought_again() {
    let rig = store();
    let first = create(&rig.store).unwrap();
    let brought = pieces(&rig.disk);
    assert!(brought.len() > 2 && brought.len() as u64 == first.pieces, "{brought:?}");
    for piece in &brought {
        let bytes = rig.disk.file_bytes(piece).unwrap();
        for (length, what) in [(0, "the piece is empty"), (bytes.len() - 1, "")] {
            let disk = rig.disk.copy();
            disk.truncate(piece, length as u64);
            let found = damage(&disk).unwrap();
            assert!(found.len() == 1 && found[0].contains(what), "{found:?}");
            let again = create(&reader(&rig, &disk)).unwrap();
            assert_eq!((again.bytes, again.new_bytes), (first.bytes, bytes.len() as u64));
            assert_eq!(damage(&disk).unwrap(), [""; 0]);
            assert_eq!(disk.file_bytes(piece).unwrap(), bytes);
        }
    }
    let disk = rig.disk.copy();
    disk.remove_name(&brought[0]);
    let left = Path::new("/backups/pieces/new-0000000001.tmp");
    disk.put_file(left, b"a part");
    create(&reader(&rig, &disk)).unwrap();
    assert!(disk.file_bytes(left).is_none() && damage(&disk).unwrap().is_empty());
    disk.remove_name(&brought[0]);
    let file = Some("new-0000000001.tmp".to_owned());
    disk.inject(Fault { on: Op::Create, file, nth: 0, times: 1, what: FaultKind::Error(EIO) });
    assert_eq!(told(&create(&reader(&rig, &disk)).unwrap_err()), "errno Some(5)");
}
