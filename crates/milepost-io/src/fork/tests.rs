use std::{
    io::{Read, Write},
    path::Path,
};

use super::*;
use crate::{Disk, OsDisk};

/// Runs `child` in a forked child, which then ends without running anything of the parent's; `true` if it said so.
fn in_forked_child(child: impl FnOnce() -> bool) -> (i32, impl FnOnce() -> bool) {
    // SAFETY: the child only runs `child` and leaves with _exit.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0);
    if pid == 0 {
        // SAFETY: whatever happens, the child ends.
        unsafe { libc::alarm(20) };
        let code = if child() { 0 } else { 1 };
        // SAFETY: ends the child at once.
        unsafe { libc::_exit(code) };
    }
    let wait = move || {
        let mut status = 0;
        // SAFETY: waits for the child made above.
        assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
        libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0
    };
    (pid, wait)
}

/// FAULTS F3.
#[test]
fn a_child_knows_that_it_is_one() {
    let guard = ForkGuard::new();
    assert!(!guard.is_child());
    let (_, wait) = in_forked_child(|| guard.is_child() && !ForkGuard::new().is_child());
    assert!(wait());
    assert!(!guard.is_child());
}

/// FAULTS F3: a child that outlives its parent's handle does not keep the store locked.
#[test]
fn a_child_does_not_keep_the_lock_alive() {
    let dir = tempfile::tempdir().unwrap();
    let path: &Path = dir.path();
    let lock = OsDisk.lock_dir(path).unwrap().unwrap();
    let (mut told, mut tell) = std::io::pipe().unwrap();
    let (mut reader, mut writer) = std::io::pipe().unwrap();
    let (_, wait) = in_forked_child(move || {
        // Past its handler; lives until the parent has tried.
        tell.write_all(b"x").is_ok() && reader.read_exact(&mut [0]).is_ok()
    });
    told.read_exact(&mut [0]).unwrap();
    assert!(OsDisk.lock_dir(path).unwrap().is_none(), "the parent still holds it");
    drop(lock);
    let again = OsDisk.lock_dir(path).unwrap();
    writer.write_all(b"x").unwrap();
    assert!(wait());
    assert!(again.is_some(), "the child does not hold it");
}
