use std::{
    io::{Read, Write},
    path::Path,
};

use super::*;
use crate::{Disk, OsDisk};

/// One test forks or locks at a time: for a moment, before its handler runs, a child holds all locks of this process.
pub(crate) static FORKING: parking_lot::Mutex<()> = parking_lot::Mutex::new(());

/// Runs `child` in a forked child, which then ends without running anything of the parent's.
fn fork_child(child: impl FnOnce() -> bool) -> libc::pid_t {
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
    pid
}

/// Waits for a child; `true` if it said so.
fn said_yes(pid: libc::pid_t) -> bool {
    let mut status = 0;
    // SAFETY: waits for a child of this process.
    assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
    libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0
}

/// FAULTS F3.
#[test]
fn a_child_knows_that_it_is_one() {
    let _alone = FORKING.lock();
    let guard = ForkGuard::new();
    assert!(!guard.is_child());
    let child = fork_child(|| guard.is_child() && !ForkGuard::new().is_child());
    assert!(said_yes(child));
    assert!(!guard.is_child());
}

/// FAULTS F3: a child that outlives its parent's handle does not keep the store locked.
#[test]
fn a_child_does_not_keep_the_lock_alive() {
    let _alone = FORKING.lock();
    let dir = tempfile::tempdir().unwrap();
    let path: &Path = dir.path();
    let lock = OsDisk.lock_dir(path).unwrap().unwrap();
    let (mut told, mut tell) = io::pipe().unwrap();
    let (mut reader, mut writer) = io::pipe().unwrap();
    let child = fork_child(move || {
        // Past its handler; lives until the parent has tried.
        tell.write_all(b"x").is_ok() && reader.read_exact(&mut [0]).is_ok()
    });
    told.read_exact(&mut [0]).unwrap();
    assert!(OsDisk.lock_dir(path).unwrap().is_none(), "the parent still holds it");
    drop(lock);
    let again = OsDisk.lock_dir(path).unwrap();
    writer.write_all(b"x").unwrap();
    assert!(said_yes(child));
    assert!(again.is_some(), "the child does not hold it");
}

/// FAULTS F3: forks at any moment of locking and freeing; children that live on hold nothing.
#[test]
fn locks_and_forks_at_the_same_time() {
    let _alone = FORKING.lock();
    let dir = tempfile::tempdir().unwrap();
    let path: &Path = dir.path();
    let (reader, writer) = io::pipe().unwrap();
    let (mut told, tell) = io::pipe().unwrap();
    let done = AtomicBool::new(false);
    let children = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::SeqCst) {
                // Held already, if a child was made a moment ago and its handler did not run yet.
                drop(OsDisk.lock_dir(path).unwrap());
            }
        });
        let mut children = Vec::new();
        for _ in 0..40 {
            children.push(fork_child(|| {
                // SAFETY: the child's own copy, without which its read would never end; not used again.
                unsafe { libc::close(writer.as_raw_fd()) };
                (&tell).write_all(b"x").is_ok() && (&reader).read(&mut [0]).is_ok()
            }));
            told.read_exact(&mut [0]).unwrap();
        }
        done.store(true, Ordering::SeqCst);
        children
    });
    let free = OsDisk.lock_dir(path).unwrap();
    drop(writer);
    assert!(children.into_iter().all(said_yes));
    assert!(free.is_some(), "no child holds it");
}
