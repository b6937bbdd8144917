//! The disk as a whole: against a plain model, through power losses, and with its bounds. What each part does is tested
//! beside the part.

mod model;

use std::path::Path;

use super::*;
use crate::{Disk, DiskFile, OpenMode, write_all_at};

fn open(disk: &SimDisk, mode: OpenMode) -> std::io::Result<Box<dyn DiskFile>> {
    disk.open(Path::new("/d/f"), mode)
}

/// A workload with one of each operation; how many steps of it went well.
fn workload(disk: &SimDisk) -> usize {
    let dir = Path::new("/d");
    let run = || -> Vec<std::io::Result<()>> {
        let mut done = vec![disk.create_dir(dir)];
        let file = match open(disk, OpenMode::CreateNew) {
            Ok(file) => file,
            Err(error) => return vec![done.remove(0), Err(error)],
        };
        done.push(Ok(()));
        done.push(file.write_at(&[b'a'; 1000], 0).map(drop));
        done.push(file.sync());
        done.push(file.set_bytes(600));
        done.push(disk.rename(&dir.join("f"), &dir.join("g")));
        done.push(disk.sync_dir(dir));
        done.push(disk.remove(&dir.join("g")));
        done
    };
    run().into_iter().take_while(std::io::Result::is_ok).count()
}

#[test]
fn the_power_goes_off_at_every_operation() {
    let whole = SimDisk::new(1);
    assert_eq!(workload(&whole), 8);
    assert_eq!(whole.operations(), 8);
    for operations in 0..=8 {
        let disk = SimDisk::new(1);
        disk.power_off_after(operations);
        assert_eq!(workload(&disk), operations as usize);
        assert_eq!(disk.is_off(), operations < 8);
        assert_eq!(disk.operations(), operations);
    }
}

/// Each of several directories that are created at once is an operation: the power goes off between them.
#[test]
fn directories_are_created_one_by_one() {
    let disk = SimDisk::new(1);
    disk.power_off_after(2);
    assert!(disk.create_dir(Path::new("/a/b/c")).is_err());
    let found = disk.crash(Crash::KeepAll, 0);
    assert_eq!(found.list(Path::new("/a/b")).unwrap(), []);
    found.create_dir(Path::new("/a/b")).unwrap();
    assert_eq!(found.operations(), 0, "what is there is not created");
}

/// Of the write in which the power goes off nothing may be there, or some, or all; other operations are not done.
#[test]
fn the_last_write_may_be_done_in_part() {
    let mut found = [0; 101];
    for seed in 0..2000 {
        let disk = SimDisk::new(seed);
        disk.put_file(Path::new("/d/f"), b"");
        let file = open(&disk, OpenMode::Write).unwrap();
        disk.power_off_after(0);
        assert!(file.write_at(&[b'a'; 100], 0).is_err());
        let bytes = disk.crash(Crash::KeepAll, 0).file_bytes(Path::new("/d/f")).unwrap();
        assert_eq!(bytes, vec![b'a'; bytes.len()]);
        found[bytes.len()] += 1;
    }
    assert!(found[0] > 500 && found[100] > 500 && found[1..100].iter().all(|count| *count > 0), "{found:?}");
}

#[test]
fn the_same_calls_leave_the_same_trace() {
    let trace = |seed: u64, letter: u8, offset: u64| {
        let disk = SimDisk::new(seed);
        workload(&disk);
        let file = open(&disk, OpenMode::CreateNew).unwrap();
        file.write_at(&[letter; 9], offset).unwrap();
        // Reading leaves no trace.
        file.read_at(&mut [0; 4], seed).unwrap();
        disk.trace_hash()
    };
    assert_eq!(trace(1, b'a', 0), trace(1, b'a', 0));
    let others = [trace(1, b'a', 0), trace(2, b'a', 0), trace(1, b'b', 0), trace(1, b'a', 1)];
    let apart: std::collections::BTreeSet<u64> = others.into();
    assert_eq!(apart.len(), 4, "{others:?}");
}

/// FAULTS C1: a write gets as far as there is room, and then there is none.
#[test]
fn a_full_disk_takes_what_it_can() {
    let disk = SimDisk::new(1);
    disk.put_file(Path::new("/d/f"), b"0123456789");
    let file = open(&disk, OpenMode::Write).unwrap();
    disk.set_capacity(Some(14));
    assert_eq!((disk.used_bytes(), disk.free_bytes(Path::new("/")).unwrap()), (10, 4));
    assert_eq!(file.write_at(b"abcdef", 8).unwrap(), 6, "two bytes over old ones, four that are new");
    assert_eq!(file.write_at(b"x", 14).unwrap_err().kind(), std::io::ErrorKind::StorageFull);
    assert_eq!(file.write_at(b"ABCDEF", 10).unwrap(), 4);
    assert_eq!(file.write_at(b"over", 0).unwrap(), 4, "overwriting needs no room");
    assert_eq!(disk.file_bytes(Path::new("/d/f")).unwrap(), b"over4567abABCD");
    file.set_bytes(3).unwrap();
    assert_eq!(disk.free_bytes(Path::new("/d")).unwrap(), 11);
    disk.set_capacity(Some(1));
    assert_eq!(disk.free_bytes(Path::new("/d")).unwrap(), 0, "fuller than it may be");
    assert!(file.write_at(b"x", 3).is_err());
    disk.set_capacity(None);
    assert_eq!(file.write_at(b"x", 3).unwrap(), 1);
}

/// A hole takes room when it is written, as on a real disk.
#[test]
fn a_hole_needs_room_when_it_is_filled() {
    let disk = SimDisk::new(1);
    disk.set_capacity(Some(100));
    disk.create_dir(Path::new("/d")).unwrap();
    let file = open(&disk, OpenMode::CreateNew).unwrap();
    file.set_bytes(1000).unwrap();
    assert_eq!((file.bytes().unwrap(), disk.used_bytes()), (1000, 0));
    assert_eq!(file.write_at(&[b'a'; 60], 500).unwrap(), 60);
    assert_eq!(file.write_at(&[b'b'; 60], 530).unwrap(), 60, "half of it over old bytes");
    assert_eq!(file.write_at(&[b'c'; 200], 460).unwrap(), 10, "as much as there is room for in the hole before");
    assert_eq!(disk.used_bytes(), 100);
    assert!(file.write_at(b"x", 2000).is_err());
    file.set_bytes(505).unwrap();
    assert_eq!(disk.used_bytes(), 15);
    write_all_at(&*file, &[b'd'; 85], 600).unwrap();
    assert_eq!((file.bytes().unwrap(), disk.used_bytes()), (685, 100));
}

/// A removed file takes room for as long as it is open, and one that was replaced too.
#[test]
fn room_comes_back_with_the_last_handle() {
    let disk = SimDisk::new(1);
    for replaced in [false, true] {
        disk.put_file(Path::new("/d/f"), [0; 50]);
        let file = open(&disk, OpenMode::Read).unwrap();
        if replaced {
            disk.put_file(Path::new("/d/next"), b"");
            disk.rename(Path::new("/d/next"), Path::new("/d/f")).unwrap();
        } else {
            disk.remove(Path::new("/d/f")).unwrap();
        }
        assert_eq!(disk.used_bytes(), 50);
        drop(file);
        assert_eq!(disk.used_bytes(), 0);
        let lost = disk.copy().crash(Crash::LoseUnsynced, 0);
        assert_eq!(lost.file_bytes(Path::new("/d/f")).unwrap(), [0; 50], "its name was durable, and so is it");
        disk.sync_dir(Path::new("/d")).unwrap();
    }
    assert_eq!(disk.state().files.len(), 1, "nothing is kept of files that nobody can get at");
    let file = open(&disk, OpenMode::Read).unwrap();
    disk.remove(Path::new("/d/f")).unwrap();
    disk.sync_dir(Path::new("/d")).unwrap();
    assert_eq!(disk.state().files.len(), 1, "it is still open");
    drop(file);
    assert_eq!(disk.state().files.len(), 0);
}

#[test]
fn a_file_cannot_grow_without_bound() {
    let disk = SimDisk::new(1);
    disk.create_dir(Path::new("/d")).unwrap();
    let file = open(&disk, OpenMode::CreateNew).unwrap();
    for offset in [1 << 40, u64::MAX] {
        assert_eq!(file.write_at(b"xx", offset).unwrap_err().raw_os_error(), Some(libc::EFBIG));
        assert_eq!(file.set_bytes(offset).unwrap_err().raw_os_error(), Some(libc::EFBIG));
    }
    assert_eq!(file.bytes().unwrap(), 0);
}

/// FAULTS A1: a kill takes handles and locks, and nothing else.
#[test]
fn a_kill_leaves_the_cache() {
    let disk = SimDisk::new(1);
    disk.create_dir(Path::new("/d")).unwrap();
    let file = open(&disk, OpenMode::CreateNew).unwrap();
    file.write_at(b"unsynced", 0).unwrap();
    let _lock = disk.lock_dir(Path::new("/d")).unwrap().unwrap();
    disk.inject(Fault { on: Op::Sync, file: None, nth: 0, times: 1, what: FaultKind::Error(5) });
    let (operations, trace) = (disk.operations(), disk.trace_hash());
    let next = disk.kill();
    assert!(file.write_at(b"x", 0).is_err() && disk.is_off() && !next.is_off());
    assert_eq!((next.operations(), next.trace_hash()), (operations, trace));
    assert!(next.lock_dir(Path::new("/d")).unwrap().is_some());
    let file = open(&next, OpenMode::Write).unwrap();
    assert_eq!(next.file_bytes(Path::new("/d/f")).unwrap(), b"unsynced");
    assert!(file.sync().is_err(), "the disk is as bad as it was");
    assert!(next.crash(Crash::LoseUnsynced, 0).names().is_empty(), "the cache is no disk");
}

#[test]
fn a_copy_goes_its_own_way() {
    let disk = SimDisk::new(1);
    disk.create_dir(Path::new("/d")).unwrap();
    let file = open(&disk, OpenMode::CreateNew).unwrap();
    file.write_at(b"before", 0).unwrap();
    let copy = disk.copy();
    file.write_at(b"BEFORE", 0).unwrap();
    open(&copy, OpenMode::Write).unwrap().write_at(b"copied", 0).unwrap();
    assert_eq!(disk.file_bytes(Path::new("/d/f")).unwrap(), b"BEFORE");
    assert_eq!(copy.file_bytes(Path::new("/d/f")).unwrap(), b"copied");
    copy.power_off();
    file.sync().unwrap();
}

/// A disk is used by several threads at once.
#[test]
fn threads_share_a_disk() {
    let disk = SimDisk::new(1);
    disk.put_file(Path::new("/d/f"), b"");
    let file = open(&disk, OpenMode::Write).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4u8 {
            let file = &*file;
            scope.spawn(move || {
                for write in 0..100u64 {
                    file.write_at(&[b'0' + thread; 10], (write * 4 + u64::from(thread)) * 10).unwrap();
                    file.sync().unwrap();
                }
            });
        }
    });
    let bytes = disk.crash(Crash::LoseUnsynced, 0).file_bytes(Path::new("/d/f")).unwrap();
    let expected: Vec<u8> = (0..4000).map(|at| b'0' + (at / 10 % 4) as u8).collect();
    assert_eq!(bytes, expected);
}
