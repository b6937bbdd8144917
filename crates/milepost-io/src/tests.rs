use std::path::{Path, PathBuf};

use super::*;

type Row = (&'static str, fn(&dyn Disk, &Path));

/// What every disk does. Each row begins with an empty directory.
const TABLE: &[Row] = &[
    ("a file is created once", |disk, dir| {
        let path = dir.join("a");
        failed(disk.open(&path, OpenMode::Read), "ENOENT");
        failed(disk.open(&path, OpenMode::Write), "ENOENT");
        let file = disk.open(&path, OpenMode::CreateNew).unwrap();
        assert_eq!(file.bytes().unwrap(), 0);
        failed(disk.open(&path, OpenMode::CreateNew), "EEXIST");
        failed(disk.open(&dir.join("no/a"), OpenMode::CreateNew), "ENOENT");
        failed(disk.open(&path.join("a"), OpenMode::CreateNew), "ENOTDIR");
        failed(disk.open(&path.join("a"), OpenMode::Read), "ENOTDIR");
        failed(disk.open(dir, OpenMode::Write), "EISDIR");
        failed(disk.open(Path::new(""), OpenMode::Read), "ENOENT");
    }),
    ("a write grows a file, with zeros in a gap", |disk, dir| {
        let file = disk.open(&dir.join("a"), OpenMode::CreateNew).unwrap();
        write_all_at(&*file, b"tail", 6).unwrap();
        assert_eq!(all(&*file), b"\0\0\0\0\0\0tail");
        write_all_at(&*file, b"head", 0).unwrap();
        write_all_at(&*file, b"I", 8).unwrap();
        write_all_at(&*file, b"", 100).unwrap();
        assert_eq!(all(&*file), b"head\0\0taIl");
        assert_eq!(file.bytes().unwrap(), 10);
    }),
    ("a read ends where the file does", |disk, dir| {
        let file = created(disk, &dir.join("a"), b"0123456789");
        let mut buffer = [b'.'; 6];
        assert_eq!(file.read_at(&mut buffer, 7).unwrap(), 3);
        assert_eq!(&buffer, b"789...");
        assert_eq!(file.read_at(&mut buffer, 10).unwrap(), 0);
        assert_eq!(file.read_at(&mut buffer, 1 << 40).unwrap(), 0);
        assert_eq!(file.read_at(&mut [], 0).unwrap(), 0);
    }),
    ("a size is set both ways, and what was cut does not come back", |disk, dir| {
        let file = created(disk, &dir.join("a"), b"0123456789");
        file.set_bytes(4).unwrap();
        assert_eq!(all(&*file), b"0123");
        file.set_bytes(8).unwrap();
        assert_eq!(all(&*file), b"0123\0\0\0\0");
        file.set_bytes(0).unwrap();
        assert_eq!(file.bytes().unwrap(), 0);
    }),
    ("room is taken behind the end of a file, and given back by cutting it", |disk, dir| {
        let file = created(disk, &dir.join("a"), b"0123");
        file.allocate(4, 5).unwrap();
        assert_eq!(all(&*file), b"0123\0\0\0\0\0");
        file.set_bytes(4).unwrap();
        assert_eq!(all(&*file), b"0123");
        failed(disk.open(&dir.join("a"), OpenMode::Read).unwrap().allocate(4, 5), "EBADF");
    }),
    ("a file opened for reading is not written", |disk, dir| {
        created(disk, &dir.join("a"), b"x");
        let file = disk.open(&dir.join("a"), OpenMode::Read).unwrap();
        failed(file.write_at(b"y", 0), "EBADF");
        failed(file.set_bytes(0), "EINVAL");
        assert_eq!(all(&*file), b"x");
    }),
    ("two handles are one file", |disk, dir| {
        let one = created(disk, &dir.join("a"), b"x");
        let other = disk.open(&dir.join("a"), OpenMode::Write).unwrap();
        write_all_at(&*other, b"yz", 0).unwrap();
        assert_eq!(all(&*one), b"yz");
    }),
    ("a file without a name goes on", |disk, dir| {
        let file = created(disk, &dir.join("a"), b"x");
        disk.remove(&dir.join("a")).unwrap();
        created(disk, &dir.join("a"), b"another");
        write_all_at(&*file, b"yz", 0).unwrap();
        file.sync().unwrap();
        assert_eq!(all(&*file), b"yz");
        assert_eq!(read_file(disk, &dir.join("a")).unwrap(), b"another");
    }),
    ("a renamed file goes on, and the one it replaced too", |disk, dir| {
        let (a, b) = (created(disk, &dir.join("a"), b"a"), created(disk, &dir.join("b"), b"b"));
        disk.rename(&dir.join("a"), &dir.join("b")).unwrap();
        write_all_at(&*a, b"A", 0).unwrap();
        write_all_at(&*b, b"B", 0).unwrap();
        assert_eq!((all(&*a), all(&*b)), (b"A".to_vec(), b"B".to_vec()));
        assert_eq!(read_file(disk, &dir.join("b")).unwrap(), b"A");
        failed(disk.open(&dir.join("a"), OpenMode::Read), "ENOENT");
    }),
    ("a renaming needs a file and a place", |disk, dir| {
        failed(disk.rename(&dir.join("a"), &dir.join("b")), "ENOENT");
        created(disk, &dir.join("a"), b"a");
        failed(disk.rename(&dir.join("a"), &dir.join("no/b")), "ENOENT");
        disk.create_dir(&dir.join("d")).unwrap();
        failed(disk.rename(&dir.join("a"), &dir.join("d")), "EISDIR");
        disk.rename(&dir.join("a"), &dir.join("a")).unwrap();
        disk.rename(&dir.join("a"), &dir.join("d/a")).unwrap();
        assert_eq!(read_file(disk, &dir.join("d/a")).unwrap(), b"a");
    }),
    ("a removal needs a file", |disk, dir| {
        failed(disk.remove(&dir.join("a")), "ENOENT");
        disk.create_dir(&dir.join("d")).unwrap();
        failed(disk.remove(&dir.join("d")), "EISDIR");
    }),
    ("directories are created all the way, and again", |disk, dir| {
        disk.create_dir(&dir.join("x/y/z")).unwrap();
        disk.create_dir(&dir.join("x/y/z")).unwrap();
        created(disk, &dir.join("x/y/f"), b"");
        failed(disk.create_dir(&dir.join("x/y/f")), "EEXIST");
        failed(disk.create_dir(&dir.join("x/y/f/g")), "ENOTDIR");
        assert_eq!(names(disk, &dir.join("x/y")), ["f", "z/"]);
    }),
    ("names are listed in order, without those below", |disk, dir| {
        assert!(names(disk, dir).is_empty());
        for name in ["b", "a.tmp", "c", "a"] {
            created(disk, &dir.join(name), b"");
        }
        disk.create_dir(&dir.join("bb/below")).unwrap();
        assert_eq!(names(disk, dir), ["a", "a.tmp", "b", "bb/", "c"]);
        failed(disk.list(&dir.join("no")), "ENOENT");
        failed(disk.list(&dir.join("a")), "ENOTDIR");
    }),
    ("a directory is synced, and nothing else is one", |disk, dir| {
        disk.sync_dir(dir).unwrap();
        created(disk, &dir.join("a"), b"");
        failed(disk.sync_dir(&dir.join("a")), "ENOTDIR");
        failed(disk.sync_dir(&dir.join("no")), "ENOENT");
        failed(disk.lock_dir(&dir.join("no")), "ENOENT");
        failed(disk.free_bytes(&dir.join("no")), "ENOENT");
        assert!(disk.free_bytes(dir).unwrap() > 0);
    }),
    ("a directory is shared by many, or held by one", |disk, dir| {
        let (first, second) = (disk.share_dir(dir).unwrap(), disk.share_dir(dir).unwrap());
        assert!(first.is_some() && second.is_some());
        assert!(disk.lock_dir(dir).unwrap().is_none());
        drop(first);
        assert!(disk.lock_dir(dir).unwrap().is_none(), "one is left");
        drop(second);
        let alone = disk.lock_dir(dir).unwrap();
        assert!(alone.is_some());
        assert!(disk.share_dir(dir).unwrap().is_none());
        drop(alone);
        assert!(disk.share_dir(dir).unwrap().is_some());
    }),
    ("a lock goes with its holder, not with a file", |disk, dir| {
        created(disk, &dir.join("LOCK"), b"pid 1");
        let lock = disk.lock_dir(dir).unwrap().expect("it is free");
        assert!(disk.lock_dir(dir).unwrap().is_none());
        disk.remove(&dir.join("LOCK")).unwrap();
        assert!(disk.lock_dir(dir).unwrap().is_none(), "removing files does not free it");
        created(disk, &dir.join("LOCK"), b"pid 2");
        assert!(disk.lock_dir(dir).unwrap().is_none());
        disk.create_dir(&dir.join("other")).unwrap();
        assert!(disk.lock_dir(&dir.join("other")).unwrap().is_some(), "another directory is another lock");
        drop(lock);
        let lock = disk.lock_dir(dir).unwrap();
        assert!(lock.is_some());
    }),
    ("a map is the file", |disk, dir| {
        let bytes: Vec<u8> = (0..=255).cycle().take(10_000).collect();
        let file = created(disk, &dir.join("a"), &bytes);
        let map = file.map().unwrap();
        disk.remove(&dir.join("a")).unwrap();
        drop(file);
        assert_eq!(&*map, &bytes[..]);
        assert_eq!(created(disk, &dir.join("empty"), b"").map().unwrap().len(), 0);
    }),
];

fn created(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> Box<dyn DiskFile> {
    let file = disk.open(path, OpenMode::CreateNew).unwrap();
    write_all_at(&*file, bytes, 0).unwrap();
    file
}

fn all(file: &dyn DiskFile) -> Vec<u8> {
    let mut bytes = vec![0; file.bytes().unwrap() as usize];
    read_exact_at(file, &mut bytes, 0).unwrap();
    bytes
}

fn names(disk: &dyn Disk, dir: &Path) -> Vec<String> {
    let entries = disk.list(dir).unwrap();
    entries.into_iter().map(|entry| if entry.is_dir { entry.name + "/" } else { entry.name }).collect()
}

#[track_caller]
fn failed<T>(result: io::Result<T>, with: &str) {
    let codes = [
        ("ENOENT", libc::ENOENT),
        ("EEXIST", libc::EEXIST),
        ("ENOTDIR", libc::ENOTDIR),
        ("EISDIR", libc::EISDIR),
        ("EBADF", libc::EBADF),
        ("EINVAL", libc::EINVAL),
    ];
    let error = result.err().unwrap_or_else(|| panic!("expected {with}"));
    let found = codes.iter().find(|(_, code)| error.raw_os_error() == Some(*code)).map(|(name, _)| *name);
    assert_eq!(found, Some(with), "{error}");
}

fn check(disk: &dyn Disk, root: &Path) {
    for (index, (what, row)) in TABLE.iter().enumerate() {
        let dir: PathBuf = root.join(format!("row-{index}"));
        disk.create_dir(&dir).unwrap();
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| row(disk, &dir)));
        assert!(outcome.is_ok(), "not so: {what} ({disk:?})");
    }
}

#[test]
fn the_real_disk_does_what_every_disk_does() {
    let _alone = fork::tests::FORKING.lock();
    let dir = tempfile::tempdir().unwrap();
    check(&OsDisk, dir.path());
}

#[test]
fn the_simulated_disk_does_what_every_disk_does() {
    check(&SimDisk::new(1), Path::new("/store"));
}

/// Latched, it does the same, for as long as no sync fails.
#[test]
fn a_latched_file_of_a_simulated_disk_stops_at_its_first_failed_sync() {
    let disk = SimDisk::new(1);
    let latch = Latch::default();
    let path = Path::new("/a");
    let file = LatchedFile::new(disk.open(path, OpenMode::CreateNew).unwrap(), path, &latch);
    write_all_at(&file, b"lost", 0).unwrap();
    disk.inject(Fault { on: Op::Sync, file: None, nth: 0, times: 1, what: FaultKind::SyncFailsAndDropsPages });
    assert!(file.sync().is_err());
    let before = disk.operations();
    assert!(file.sync().is_err() && file.write_at(b"x", 0).is_err() && file.set_bytes(0).is_err());
    assert_eq!(disk.operations(), before, "the disk was not asked again");
    assert_eq!(all(&file), b"lost", "reads go on");
}
