use std::{io, path::Path};

use super::*;
use crate::{Crash, Disk, DiskFile, OpenMode, SimDisk};

fn fault(on: Op, nth: u64, times: u64, what: FaultKind) -> Fault {
    Fault { on, file: None, nth, times, what }
}

fn begun() -> (SimDisk, Box<dyn DiskFile>) {
    let disk = SimDisk::new(1);
    disk.put_file(Path::new("/d/a"), b"0123456789");
    let file = disk.open(Path::new("/d/a"), OpenMode::Write).unwrap();
    (disk, file)
}

/// One call of a kind.
fn call(disk: &SimDisk, file: &dyn DiskFile, op: Op) -> io::Result<()> {
    let path = Path::new("/d/a");
    match op {
        Op::Open => disk.open(path, OpenMode::Read).map(drop),
        Op::Create => disk.open(Path::new("/d/new"), OpenMode::CreateNew).map(drop),
        Op::Read => file.read_at(&mut [0; 4], 0).map(drop),
        Op::Write => file.write_at(b"xy", 0).map(drop),
        Op::Sync => file.sync(),
        Op::Bytes => file.bytes().map(drop),
        Op::SetBytes => file.set_bytes(3),
        Op::Allocate => file.allocate(file.bytes()?, 3),
        Op::Map => file.map().map(drop),
        Op::CreateDir => disk.create_dir(Path::new("/d/e")),
        Op::List => disk.list(Path::new("/d")).map(drop),
        Op::Rename => disk.rename(path, Path::new("/d/b")),
        Op::Remove => disk.remove(path),
        Op::SyncDir => disk.sync_dir(Path::new("/d")),
        Op::FreeBytes => disk.free_bytes(Path::new("/d")).map(drop),
        Op::LockDir => disk.lock_dir(Path::new("/d")).map(drop),
    }
}

const OPS: [Op; Op::COUNT] = [
    Op::Open,
    Op::Create,
    Op::Read,
    Op::Write,
    Op::Sync,
    Op::Bytes,
    Op::SetBytes,
    Op::Allocate,
    Op::Map,
    Op::CreateDir,
    Op::List,
    Op::Rename,
    Op::Remove,
    Op::SyncDir,
    Op::FreeBytes,
    Op::LockDir,
];

#[test]
fn every_call_can_fail_and_then_has_done_nothing() {
    for op in OPS {
        let (disk, file) = begun();
        let error = fault(op, 0, 1, FaultKind::Error(libc::EIO));
        disk.inject(error.clone());
        assert_eq!(call(&disk, &*file, op).unwrap_err().raw_os_error(), Some(libc::EIO), "{op:?}");
        assert_eq!(disk.names(), [Path::new("/d/a")], "{op:?}");
        assert_eq!(disk.file_bytes(Path::new("/d/a")).unwrap(), b"0123456789", "{op:?}");
        assert_eq!(disk.faults_hit(), [error]);
        assert_eq!(disk.count(op), if op == Op::Open { 2 } else { 1 }, "{op:?}");
        assert_eq!(disk.operations(), u64::from(op.mutates()), "{op:?}");
        call(&disk, &*file, op).unwrap_or_else(|error| panic!("{op:?}, the second time: {error}"));
    }
}

#[test]
fn a_panic_leaves_a_disk_that_works() {
    for op in OPS {
        let (disk, file) = begun();
        disk.inject(fault(op, 0, 1, FaultKind::Panic));
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| call(&disk, &*file, op)));
        assert!(panicked.is_err(), "{op:?}");
        call(&disk, &*file, op).unwrap_or_else(|error| panic!("{op:?}, the second time: {error}"));
    }
}

/// Which of ten calls fail.
#[test]
fn faults_are_counted_from_when_they_are_put_in() {
    let failing = |faults: &[(u64, u64)]| -> Vec<usize> {
        let (disk, file) = begun();
        file.write_at(b"before", 0).unwrap();
        for (nth, times) in faults {
            disk.inject(fault(Op::Write, *nth, *times, FaultKind::Error(libc::EIO)));
        }
        (0..10).filter(|_| file.write_at(b"x", 0).is_err()).collect()
    };
    assert_eq!(failing(&[(0, 1)]), [0]);
    assert_eq!(failing(&[(3, 2)]), [3, 4]);
    assert_eq!(failing(&[(7, u64::MAX)]), [7, 8, 9]);
    assert_eq!(failing(&[(2, 0)]), Vec::<usize>::new());
    assert_eq!(failing(&[(0, 1), (1, 1), (5, 1)]), [0, 1, 5], "each counts all calls");
    assert_eq!(failing(&[(u64::MAX, u64::MAX)]), Vec::<usize>::new());
}

#[test]
fn of_two_faults_the_first_decides() {
    let (disk, file) = begun();
    disk.inject(fault(Op::Write, 0, 1, FaultKind::Error(libc::EIO)));
    disk.inject(fault(Op::Write, 0, 2, FaultKind::Error(libc::ENOSPC)));
    let code = || file.write_at(b"x", 0).unwrap_err().raw_os_error();
    assert_eq!([code(), code()], [Some(libc::EIO), Some(libc::ENOSPC)]);
    file.write_at(b"x", 0).unwrap();
}

#[test]
fn a_fault_is_about_a_path_as_it_is_now() {
    let (disk, file) = begun();
    let of_b = Fault { file: Some("d/b".into()), ..fault(Op::Sync, 0, u64::MAX, FaultKind::Error(libc::EIO)) };
    disk.inject(of_b.clone());
    file.sync().unwrap();
    disk.rename(Path::new("/d/a"), Path::new("/d/b")).unwrap();
    assert!(file.sync().is_err(), "the file is called that now");
    disk.inject(Fault { on: Op::Rename, ..of_b });
    assert!(disk.rename(Path::new("/d/b"), Path::new("/d/c")).is_err());
    disk.clear_faults();
    disk.rename(Path::new("/d/b"), Path::new("/d/c")).unwrap();
    assert_eq!(disk.faults_hit().len(), 2, "what was hit stays known");
}

/// FAULTS B6.
#[test]
fn short_writes_write_less() {
    let (disk, file) = begun();
    disk.inject(fault(Op::Write, 0, 1, FaultKind::ShortWrite { bytes: 2 }));
    assert_eq!(file.write_at(b"abcd", 1).unwrap(), 2);
    assert_eq!(file.write_at(b"ABCD", 5).unwrap(), 4);
    disk.inject(fault(Op::Write, 0, 1, FaultKind::ShortWrite { bytes: 200 }));
    assert_eq!(file.write_at(b"!", 9).unwrap(), 1);
    assert_eq!(disk.file_bytes(Path::new("/d/a")).unwrap(), b"0ab34ABCD!");
}

/// FAULTS B6: the error comes with the next write to that file, and to no other.
#[test]
fn short_writes_that_end_in_an_error() {
    let (disk, file) = begun();
    disk.put_file(Path::new("/d/b"), b"");
    let other = disk.open(Path::new("/d/b"), OpenMode::Write).unwrap();
    disk.inject(fault(Op::Write, 0, 1, FaultKind::ShortWriteThenError { bytes: 2, errno: libc::ENOSPC }));
    assert_eq!(file.write_at(b"abcd", 0).unwrap(), 2);
    assert_eq!(other.write_at(b"abcd", 0).unwrap(), 4);
    assert_eq!(file.write_at(b"cd", 2).unwrap_err().kind(), io::ErrorKind::StorageFull);
    assert_eq!(file.write_at(b"cd", 2).unwrap(), 2);
    disk.inject(fault(Op::Write, 0, 1, FaultKind::ShortWriteThenError { bytes: 0, errno: libc::EIO }));
    assert_eq!(file.write_at(b"x", 0).unwrap_err().raw_os_error(), Some(libc::EIO));
    assert_eq!(file.write_at(b"x", 0).unwrap(), 1);
    disk.inject(fault(Op::Write, 0, 1, FaultKind::ShortWriteThenError { bytes: 1, errno: libc::EIO }));
    assert_eq!(file.write_at(b"yz", 0).unwrap(), 1);
    disk.clear_faults();
    assert_eq!(file.write_at(b"z", 1).unwrap(), 1, "lifted, the error does not come any more");
}

#[test]
fn short_reads_read_less() {
    let (disk, file) = begun();
    disk.inject(fault(Op::Read, 0, 1, FaultKind::ShortRead { bytes: 3 }));
    let mut buffer = [b'.'; 5];
    assert_eq!(file.read_at(&mut buffer, 0).unwrap(), 3);
    assert_eq!(&buffer, b"012..");
}

/// FAULTS B1: the sync after the failed one says OK, reads show what was written, and the next power loss takes it.
#[test]
fn a_failed_sync_drops_what_was_not_durable() {
    let path = Path::new("/d/a");
    let (disk, file) = begun();
    disk.inject(fault(Op::Sync, 0, 1, FaultKind::SyncFailsAndDropsPages));
    file.write_at(b"abc", 0).unwrap();
    file.write_at(b"grown", 10).unwrap();
    assert_eq!(file.sync().unwrap_err().raw_os_error(), Some(libc::EIO));
    file.sync().unwrap();
    assert_eq!(disk.file_bytes(path).unwrap(), b"abc3456789grown");
    for how in Crash::ALL {
        assert_eq!(disk.crash(how, 3).file_bytes(path).unwrap(), b"0123456789", "{how:?}");
    }
}

/// What is written after such a sync becomes durable by the next one, and only that.
#[test]
fn what_is_written_again_after_a_failed_sync_is_durable() {
    let path = Path::new("/d/a");
    let (disk, file) = begun();
    disk.inject(fault(Op::Sync, 0, 1, FaultKind::SyncFailsAndDropsPages));
    file.write_at(b"abc", 0).unwrap();
    file.write_at(b"grown", 10).unwrap();
    file.sync().unwrap_err();
    file.write_at(b"B", 1).unwrap();
    file.write_at(b"W", 13).unwrap();
    file.sync().unwrap();
    assert_eq!(disk.file_bytes(path).unwrap(), b"aBc3456789groWn");
    assert_eq!(disk.copy().crash(Crash::LoseUnsynced, 0).file_bytes(path).unwrap(), b"0B23456789\0\0\0W");
    file.write_at(&disk.file_bytes(path).unwrap(), 0).unwrap();
    file.sync().unwrap();
    assert_eq!(disk.crash(Crash::LoseUnsynced, 0).file_bytes(path).unwrap(), b"aBc3456789groWn");
}

/// An error that drops nothing: the next sync makes it durable.
#[test]
fn a_sync_that_only_fails_keeps_what_was_written() {
    let (disk, file) = begun();
    disk.inject(fault(Op::Sync, 0, 1, FaultKind::Error(libc::EIO)));
    file.write_at(b"abc", 0).unwrap();
    file.sync().unwrap_err();
    assert_eq!(disk.copy().crash(Crash::LoseUnsynced, 0).file_bytes(Path::new("/d/a")).unwrap(), b"0123456789");
    file.sync().unwrap();
    assert_eq!(disk.crash(Crash::LoseUnsynced, 0).file_bytes(Path::new("/d/a")).unwrap(), b"abc3456789");
}

#[test]
fn what_cannot_happen_is_not_put_in() {
    for (on, what) in [
        (Op::Sync, FaultKind::ShortWrite { bytes: 1 }),
        (Op::Read, FaultKind::ShortWriteThenError { bytes: 1, errno: 5 }),
        (Op::Write, FaultKind::ShortRead { bytes: 1 }),
        (Op::SyncDir, FaultKind::SyncFailsAndDropsPages),
    ] {
        let (disk, _file) = begun();
        let injected = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| disk.inject(fault(on, 0, 1, what))));
        assert!(injected.is_err(), "{on:?}");
    }
}
