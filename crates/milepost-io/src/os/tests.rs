use std::{cell::Cell, ffi::OsStr, os::unix::ffi::OsStrExt, path::PathBuf};

use super::*;
use crate::{read_file, write_all_at};

/// What comes of a call that fails with these kinds one after the other and then goes well; and how often it was made.
fn called(kinds: &[ErrorKind]) -> (io::Result<()>, usize) {
    let calls = Cell::new(0);
    let result = again(|| {
        let call = calls.replace(calls.get() + 1);
        kinds.get(call).map_or(Ok(()), |kind| Err(io::Error::from(*kind)))
    });
    (result, calls.get())
}

/// FAULTS B7.
#[test]
fn an_interrupted_call_is_made_again() {
    let (result, calls) = called(&[ErrorKind::Interrupted, ErrorKind::WouldBlock, ErrorKind::Interrupted]);
    assert!(result.is_ok());
    assert_eq!(calls, 4);
}

#[test]
fn another_error_is_given_at_once() {
    for kind in [ErrorKind::StorageFull, ErrorKind::NotFound, ErrorKind::TimedOut] {
        let (result, calls) = called(&[ErrorKind::Interrupted, kind, ErrorKind::Interrupted]);
        assert_eq!((result.unwrap_err().kind(), calls), (kind, 2));
    }
}

#[test]
fn a_call_that_is_always_interrupted_comes_to_an_end() {
    let (result, calls) = called(&[ErrorKind::Interrupted; TRIES_MAX * 2]);
    assert_eq!(result.unwrap_err().kind(), ErrorKind::Interrupted);
    assert_eq!(calls, TRIES_MAX + 1);
}

/// FAULTS D7: strange names are no reason to fail.
#[test]
fn names_that_are_not_utf8_are_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let strange = PathBuf::from(OsStr::from_bytes(b"strange-\xff"));
    OsDisk.open(&dir.path().join(strange), OpenMode::CreateNew).unwrap();
    OsDisk.open(&dir.path().join("plain"), OpenMode::CreateNew).unwrap();
    let entries = OsDisk.list(dir.path()).unwrap();
    assert_eq!(entries, [DirEntry { name: "plain".into(), is_dir: false }]);
}

#[test]
fn bytes_reach_the_disk() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a");
    let file = OsDisk.open(&path, OpenMode::CreateNew).unwrap();
    write_all_at(&*file, b"written", 3).unwrap();
    file.sync().unwrap();
    OsDisk.sync_dir(dir.path()).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"\0\0\0written");
    assert_eq!(read_file(&OsDisk, &path).unwrap(), b"\0\0\0written");
}

#[test]
fn a_read_only_file_is_not_opened_for_writing() {
    // Root may do everything.
    if rustix::process::geteuid().is_root() {
        eprintln!("skipped: root may write to every file");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a");
    fs::write(&path, b"x").unwrap();
    let mut permissions = fs::metadata(&path).unwrap().permissions();
    permissions.set_readonly(true);
    fs::set_permissions(&path, permissions).unwrap();
    assert_eq!(OsDisk.open(&path, OpenMode::Write).unwrap_err().kind(), ErrorKind::PermissionDenied);
    assert_eq!(read_file(&OsDisk, &path).unwrap(), b"x");
}

#[test]
fn time_and_randomness_are_this_machines() {
    let year_2020 = Timestamp(1_577_836_800_000_000);
    let (first, second) = (OsClock.now(), OsClock.now());
    assert!(first > year_2020 && second >= first);
    let (mut one, mut other) = ([0; 300], [0; 300]);
    OsEntropy.fill(&mut one);
    OsEntropy.fill(&mut other);
    assert_ne!(one, other);
    assert!(one[256..].iter().any(|byte| *byte != 0), "filled to the end");
    OsEntropy.fill(&mut []);
}

#[test]
fn a_process_has_a_number_and_a_machine() {
    let this = Process::this();
    assert_eq!(this.id, std::process::id());
    assert!(!this.host.is_empty() && !this.host.contains('\n'), "{this:?}");
}
