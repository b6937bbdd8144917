use std::io::ErrorKind;

use super::*;
use crate::{Crash, Fault, FaultKind, Op, OsDisk, SimDisk};

fn fault(on: Op, nth: u64, times: u64, what: FaultKind) -> Fault {
    Fault { on, file: None, nth, times, what }
}

fn empty(disk: &SimDisk) -> Box<dyn DiskFile> {
    disk.open(Path::new("/a"), OpenMode::CreateNew).unwrap()
}

/// FAULTS B6.
#[test]
fn short_writes_are_gone_on_with() {
    let disk = SimDisk::new(1);
    let file = empty(&disk);
    disk.inject(fault(Op::Write, 0, u64::MAX, FaultKind::ShortWrite { bytes: 3 }));
    write_all_at(&*file, b"0123456789", 2).unwrap();
    assert_eq!(disk.file_bytes(Path::new("/a")).unwrap(), b"\0\x000123456789");
    assert_eq!(disk.count(Op::Write), 4);
}

/// FAULTS B6: the error says how much was written before it.
#[test]
fn an_error_after_a_short_write_names_what_is_there() {
    let disk = SimDisk::new(1);
    let file = empty(&disk);
    disk.inject(fault(Op::Write, 1, 1, FaultKind::ShortWriteThenError { bytes: 2, errno: libc::EIO }));
    disk.inject(fault(Op::Write, 0, 1, FaultKind::ShortWrite { bytes: 3 }));
    let short = write_all_at(&*file, b"0123456789", 0).unwrap_err();
    assert_eq!((short.written, short.error.raw_os_error()), (5, Some(libc::EIO)));
    assert_eq!(disk.file_bytes(Path::new("/a")).unwrap(), b"01234");
    assert_eq!(short.to_string(), "Input/output error (os error 5) (after 5 bytes)");
}

#[test]
fn a_system_that_writes_nothing_is_an_error_and_no_endless_loop() {
    let disk = SimDisk::new(1);
    let file = empty(&disk);
    disk.inject(fault(Op::Write, 0, u64::MAX, FaultKind::ShortWrite { bytes: 0 }));
    let short = write_all_at(&*file, b"0123", 0).unwrap_err();
    assert_eq!((short.written, short.error.kind()), (0, ErrorKind::WriteZero));
    write_all_at(&*file, b"", 0).unwrap();
}

#[test]
fn short_reads_are_gone_on_with_up_to_the_end() {
    let disk = SimDisk::new(1);
    let path = Path::new("/a");
    disk.put_file(path, b"0123456789");
    let file = disk.open(path, OpenMode::Read).unwrap();
    disk.inject(fault(Op::Read, 0, u64::MAX, FaultKind::ShortRead { bytes: 3 }));
    let mut buffer = [b'.'; 8];
    read_exact_at(&*file, &mut buffer, 1).unwrap();
    assert_eq!(&buffer, b"12345678");
    assert_eq!(read_some_at(&*file, &mut buffer, 5).unwrap(), 5);
    let error = read_exact_at(&*file, &mut buffer, 5).unwrap_err();
    assert_eq!((error.kind(), error.to_string()), (ErrorKind::UnexpectedEof, "file ends at byte 10".into()));
    assert_eq!(read_file(&disk, path).unwrap(), b"0123456789");
}

/// FAULTS A6: old or new, whole, after a crash at each operation, in every way; and new for sure once it said OK.
#[test]
fn an_atomic_replacement_is_old_or_new() {
    let path = Path::new("/store/MANIFEST");
    let (old, new) = (vec![1; 1500], vec![2; 2000]);
    let mut cut_off = 0;
    for operations in 0.. {
        let disk = SimDisk::new(operations);
        disk.put_file(path, &old);
        disk.put_file(Path::new("/store/MANIFEST.tmp"), b"left over");
        disk.power_off_after(operations);
        let done = write_file_atomically(&disk, path, &new, &Latch::default()).is_ok();
        for how in Crash::ALL {
            for seed in 0..20 {
                let found = disk.crash(how, seed).file_bytes(path).unwrap();
                assert!(found == new || (found == old && !done), "{how:?} at operation {operations}, seed {seed}");
            }
        }
        if done {
            break;
        }
        cut_off += 1;
    }
    assert_eq!(cut_off, 6, "remove, create, write, sync, rename, sync of the directory");
}

#[test]
fn a_replacement_that_is_refused_leaves_the_old_file() {
    let path = Path::new("/MANIFEST");
    for (on, tried) in [(Op::Remove, "remove"), (Op::Create, "create"), (Op::Write, "write")] {
        let disk = SimDisk::new(1);
        let latch = Latch::default();
        disk.put_file(path, b"old");
        disk.put_file(&next_name(path), b"left over");
        disk.inject(fault(on, 0, 1, FaultKind::Error(libc::ENOSPC)));
        match write_file_atomically(&disk, path, b"new", &latch).unwrap_err() {
            NotReplaced::Refused { action, path, source } => {
                assert_eq!((action, path, source.kind()), (tried, "/MANIFEST.tmp".into(), ErrorKind::StorageFull));
            }
            NotReplaced::Stopped(failure) => panic!("{on:?}: {failure}"),
        }
        assert_eq!(disk.file_bytes(path).unwrap(), b"old", "{on:?}");
        assert_eq!(disk.file_bytes(&next_name(path)).is_some(), on == Op::Remove, "{on:?}");
        write_file_atomically(&disk, path, b"new", &latch).unwrap();
        assert_eq!(disk.file_bytes(path).unwrap(), b"new", "{on:?}");
    }
}

/// FAULTS B1, B3: of the two files either may be there, and may be gone after a crash: it is not tried again. The next
/// sync would say OK, with the pages dropped.
#[test]
fn a_replacement_that_fails_from_the_sync_on_is_final() {
    let path = Path::new("/store/MANIFEST");
    for (on, what) in [
        (Op::Sync, "sync of /store/MANIFEST.tmp"),
        (Op::Rename, "rename of /store/MANIFEST.tmp"),
        (Op::SyncDir, "sync of /store"),
    ] {
        let disk = SimDisk::new(1);
        let latch = Latch::default();
        disk.put_file(path, b"old");
        disk.inject(fault(on, 0, 1, FaultKind::Error(libc::ENOSPC)));
        for attempt in 0..2 {
            let operations = disk.count(Op::Create);
            match write_file_atomically(&disk, path, b"new", &latch).unwrap_err() {
                NotReplaced::Stopped(failure) => assert!(failure.to_string().starts_with(what), "{failure}"),
                refused @ NotReplaced::Refused { .. } => panic!("{on:?}: {refused:?}"),
            }
            assert!(latch.failure().is_some(), "{on:?}");
            assert!(attempt == 0 || disk.count(Op::Create) == operations, "{on:?}: it was tried again");
        }
        for seed in 0..20 {
            let found = disk.crash(Crash::LoseUnsynced, seed).file_bytes(path).unwrap();
            assert!(found == b"old" || found == b"new", "{on:?}");
        }
    }
}

#[test]
fn a_replacement_on_the_real_disk() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("MANIFEST");
    for bytes in [&b"first"[..], b"", b"third"] {
        write_file_atomically(&OsDisk, &path, bytes, &Latch::default()).unwrap();
        assert_eq!(read_file(&OsDisk, &path).unwrap(), bytes);
        assert_eq!(OsDisk.list(dir.path()).unwrap().len(), 1, "nothing is left over");
    }
}

#[test]
fn a_name_alone_stands_in_the_working_directory() {
    for (path, dir) in [("a", "."), ("d/a", "d"), ("/a", "/"), ("/d/a", "/d"), ("./a", ".")] {
        assert_eq!(directory_of(Path::new(path)), Path::new(dir), "{path}");
    }
}
