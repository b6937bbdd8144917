use std::{path::Path, sync::Arc};

use super::{Meter, Metered};
use crate::{Disk, Fault, FaultKind, Op, OpenMode, SimDisk, write_all_at};

fn metered(disk: &SimDisk) -> (Metered, Meter, Meter) {
    let (log, all) = (Meter::default(), Meter::default());
    let meters = vec![("/s/log".into(), log.clone()), ("/s".into(), all.clone())];
    disk.create_dir(Path::new("/s/log")).unwrap();
    disk.create_dir(Path::new("/t")).unwrap();
    (Metered::new(Arc::new(disk.clone()), meters), log, all)
}

#[test]
fn a_byte_is_counted_once_where_its_file_was_opened() {
    let disk = SimDisk::new(1);
    let (metered, log, all) = metered(&disk);
    let counts = || (log.bytes(), all.bytes());
    for (path, bytes, expected) in [("/s/log/a", 5, (5, 0)), ("/s/b", 7, (5, 7)), ("/t/c", 11, (5, 7))] {
        let file = metered.open(Path::new(path), OpenMode::CreateNew).unwrap();
        write_all_at(&*file, &vec![1; bytes], 3).unwrap();
        assert_eq!(counts(), expected, "{path}");
        assert_eq!(file.bytes().unwrap(), bytes as u64 + 3);
        // No byte is written.
        file.allocate(100, 1000).unwrap();
        file.set_bytes(4).unwrap();
        file.sync().unwrap();
        assert_eq!(counts(), expected, "{path}");
    }
    // Once more over what is there, and after it has got another name.
    let file = metered.open(Path::new("/s/log/a"), OpenMode::Write).unwrap();
    metered.rename(Path::new("/s/log/a"), Path::new("/s/a")).unwrap();
    write_all_at(&*file, b"xy", 0).unwrap();
    assert_eq!(counts(), (7, 7));
}

#[test]
fn what_was_not_written_is_not_counted() {
    let disk = SimDisk::new(2);
    let (metered, log, _) = metered(&disk);
    let file = metered.open(Path::new("/s/log/a"), OpenMode::CreateNew).unwrap();
    disk.set_capacity(Some(64 << 10));
    let short = write_all_at(&*file, &vec![1; 1 << 20], 0).unwrap_err();
    assert!(short.written < 1 << 20);
    assert_eq!(log.bytes(), short.written as u64);
    disk.set_capacity(None);
    let before = log.bytes();
    let what = FaultKind::Error(5);
    disk.inject(Fault { on: Op::Write, file: None, nth: 0, times: 1, what });
    assert!(file.write_at(b"abc", 0).is_err());
    assert_eq!(log.bytes(), before);
}
