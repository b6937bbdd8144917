use super::*;
use crate::{Crash, Disk, DiskFile, OpenMode};

fn path() -> &'static Path {
    Path::new("/d/e/f")
}

fn begun() -> (SimDisk, Box<dyn DiskFile>) {
    let disk = SimDisk::new(1);
    disk.put_file(path(), b"0123456789");
    let file = disk.open(path(), OpenMode::Write).unwrap();
    (disk, file)
}

/// What reads see, and what each way of crashing leaves.
#[track_caller]
fn everywhere(disk: &SimDisk, file: &dyn DiskFile, expected: &[u8]) {
    let mut read = vec![0; 100];
    let count = file.read_at(&mut read, 0).unwrap();
    assert_eq!(&read[..count], expected);
    for how in Crash::ALL {
        assert_eq!(disk.copy().crash(how, 9).file_bytes(path()).as_deref(), Some(expected), "{how:?}");
    }
}

#[test]
fn a_file_that_is_put_is_there_for_sure() {
    let (disk, file) = begun();
    everywhere(&disk, &*file, b"0123456789");
    disk.put_file(path(), b"other");
    everywhere(&disk, &*file, b"other");
    assert_eq!(disk.durable_bytes(path()).unwrap(), b"other");
    assert_eq!(disk.operations(), 0);
}

/// Over one that exists, whose name and bytes were not durable yet.
#[test]
fn a_file_that_is_put_over_an_unsynced_one_is_there_for_sure() {
    let disk = SimDisk::new(1);
    disk.create_dir(Path::new("/d/e")).unwrap();
    let file = disk.open(Path::new("/d/e/g"), OpenMode::CreateNew).unwrap();
    file.write_at(b"unsynced", 0).unwrap();
    disk.rename(Path::new("/d/e/g"), path()).unwrap();
    disk.put_file(path(), b"put");
    everywhere(&disk, &*file, b"put");
    assert_eq!(disk.crash(Crash::LoseUnsynced, 0).names(), [path()]);
}

#[test]
fn a_flipped_bit_is_flipped_everywhere_and_back() {
    let (disk, file) = begun();
    disk.flip_bit(path(), 8 * 3 + 1);
    everywhere(&disk, &*file, b"0121456789");
    disk.flip_bit(path(), 8 * 3 + 1);
    everywhere(&disk, &*file, b"0123456789");
    file.write_at(b"XY", 9).unwrap();
    disk.flip_bit(path(), 8 * 10);
    assert_eq!(disk.file_bytes(path()).unwrap(), b"012345678XX");
    assert_eq!(disk.copy().crash(Crash::KeepAll, 0).file_bytes(path()).unwrap(), b"012345678XX");
    file.sync().unwrap();
    everywhere(&disk, &*file, b"012345678XX");
}

#[test]
fn a_map_made_before_keeps_what_it_had() {
    let (disk, file) = begun();
    let map = file.map().unwrap();
    disk.flip_bit(path(), 0);
    file.write_at(b"x", 5).unwrap();
    disk.truncate(path(), 2);
    assert_eq!(&*map, b"0123456789");
    assert_eq!(&*file.map().unwrap(), b"11");
}

#[test]
fn a_cut_file_is_cut_everywhere() {
    let (disk, file) = begun();
    disk.truncate(path(), 100);
    everywhere(&disk, &*file, b"0123456789");
    file.write_at(b"unsynced", 8).unwrap();
    disk.truncate(path(), 10);
    assert_eq!(disk.file_bytes(path()).unwrap(), b"01234567un");
    assert_eq!(disk.copy().crash(Crash::KeepAll, 0).file_bytes(path()).unwrap(), b"01234567un");
    assert_eq!(disk.copy().crash(Crash::LoseUnsynced, 0).file_bytes(path()).unwrap(), b"0123456789");
    disk.truncate(path(), 3);
    everywhere(&disk, &*file, b"012");
    file.write_at(b"x", 5).unwrap();
    file.sync().unwrap();
    everywhere(&disk, &*file, b"012\0\0x");
    disk.truncate(path(), 0);
    everywhere(&disk, &*file, b"");
}

#[test]
fn a_removed_name_is_gone_for_sure() {
    let (disk, file) = begun();
    disk.remove_name(path());
    for how in Crash::ALL {
        assert!(disk.copy().crash(how, 9).names().is_empty(), "{how:?}");
    }
    let mut byte = [0];
    assert_eq!((file.read_at(&mut byte, 4).unwrap(), &byte), (1, b"4"));
    assert!(disk.file_bytes(path()).is_none() && disk.durable_bytes(path()).is_none());
}

#[test]
fn names_and_bytes_are_told_apart_from_durable_ones() {
    let (disk, file) = begun();
    file.write_at(b"x", 0).unwrap();
    disk.rename(path(), Path::new("/d/b")).unwrap();
    disk.put_file(Path::new("/a"), b"");
    assert_eq!(disk.names(), [Path::new("/a"), Path::new("/d/b")]);
    assert_eq!(disk.file_bytes(Path::new("/d/b")).unwrap(), b"x123456789");
    assert!(disk.file_bytes(path()).is_none());
    assert_eq!(disk.durable_bytes(path()).unwrap(), b"0123456789");
    assert!(disk.durable_bytes(Path::new("/d/b")).is_none());
    disk.power_off();
    assert_eq!(disk.names().len(), 2, "with the power off too");
}

/// What the simulator tells disks apart by: every byte, name and directory counts, and nothing else does.
#[test]
fn disks_of_one_content_have_one_hash() {
    let (disk, _) = begun();
    let first = disk.content_hash();
    let (other, file) = begun();
    assert_eq!(other.content_hash(), first);
    file.write_at(b"9", 9).unwrap();
    assert_eq!(other.content_hash(), first, "the same byte once more");
    assert_ne!(SimDisk::new(1).content_hash(), first);
    let mut hashes = vec![first];
    let mut differs = |change: &dyn Fn(&SimDisk)| {
        let (disk, _) = begun();
        change(&disk);
        let hash = disk.content_hash();
        assert!(!hashes.contains(&hash));
        hashes.push(hash);
    };
    differs(&|disk| disk.flip_bit(path(), 79));
    differs(&|disk| disk.truncate(path(), 9));
    differs(&|disk| disk.put_file(path(), b"01234567890"));
    differs(&|disk| disk.put_file(Path::new("/d/e/g"), b""));
    differs(&|disk| disk.create_dir(Path::new("/d/g")).unwrap());
    differs(&|disk| disk.rename(path(), Path::new("/d/e/g")).unwrap());
    differs(&|disk| disk.rename(path(), Path::new("/d/f")).unwrap());
}
