//! Forked children: a handle used in one is refused, and a lock inherited by one is let go.
//!
//! Invariant: in a child of fork the generation differs from every guard's made before; and the child's copies of lock
//! descriptors are closed before it runs on, so that it can't keep a lock alive when its parent ends.

#![expect(unsafe_code, reason = "pthread_atfork, and closing descriptors inside its handler")]

use std::{
    io,
    os::fd::{AsRawFd, OwnedFd},
    sync::{
        Once,
        atomic::{AtomicBool, AtomicI32, AtomicU32, Ordering},
    },
};

/// How often this process is a fork's child, counted along its line of descent.
static GENERATION: AtomicU32 = AtomicU32::new(0);
/// Descriptors that hold locks in this process; -1 is a free place.
static LOCKS: [AtomicI32; 64] = [const { AtomicI32::new(-1) }; 64];
/// Held while a descriptor is locked and put into `LOCKS`, while it is taken out and closed, and across each fork: a
/// child has no copy of a lock that its handler doesn't find. It spins, since the handlers may not touch what other
/// locks are made of.
static LOCKING: AtomicBool = AtomicBool::new(false);

/// Registers the handler, once in a process.
fn watch_forks() {
    static REGISTER: Once = Once::new();
    REGISTER.call_once(|| {
        // SAFETY: the handlers only touch atomics, yield and close, all of which is safe inside a signal handler and
        // therefore in the child of a fork of a process with threads.
        let code = unsafe { libc::pthread_atfork(Some(begin_locking), Some(end_locking), Some(in_child)) };
        assert_eq!(code, 0, "no memory to register a fork handler");
    });
}

extern "C" fn begin_locking() {
    while LOCKING.swap(true, Ordering::SeqCst) {
        std::thread::yield_now();
    }
}

extern "C" fn end_locking() {
    LOCKING.store(false, Ordering::SeqCst);
}

extern "C" fn in_child() {
    GENERATION.fetch_add(1, Ordering::SeqCst);
    for place in &LOCKS {
        let fd = place.swap(-1, Ordering::SeqCst);
        if fd >= 0 {
            // SAFETY: the descriptor is a lock's, whose owner in this child sees by the generation that it must not
            // close it again. Closing a copy does not free the parent's lock.
            unsafe { libc::close(fd) };
        }
    }
    end_locking();
}

/// Remembers the process that it was made in.
#[derive(Debug)]
pub struct ForkGuard(u32);

impl Default for ForkGuard {
    fn default() -> ForkGuard {
        ForkGuard::new()
    }
}

impl ForkGuard {
    /// A guard of this process.
    #[must_use]
    pub fn new() -> ForkGuard {
        watch_forks();
        ForkGuard(GENERATION.load(Ordering::SeqCst))
    }

    /// Whether this is a forked child of the process that the guard was made in. Costs one relaxed load.
    #[inline]
    #[must_use]
    pub fn is_child(&self) -> bool {
        GENERATION.load(Ordering::Relaxed) != self.0
    }
}

/// A descriptor that holds a lock.
#[derive(Debug)]
pub(crate) struct LockFd {
    /// `None` only while it is dropped.
    fd: Option<OwnedFd>,
    guard: ForkGuard,
}

impl LockFd {
    /// Opens a descriptor and locks it; `None` if it is locked already. `open` waits for nothing and does not panic.
    pub(crate) fn open(open: impl FnOnce() -> io::Result<Option<OwnedFd>>) -> io::Result<Option<LockFd>> {
        let guard = ForkGuard::new();
        begin_locking();
        let opened = open();
        if let Ok(Some(fd)) = &opened {
            let raw = fd.as_raw_fd();
            // With more locks than places a child keeps a copy of the others for as long as it lives: no harm to the
            // data.
            for place in &LOCKS {
                if place.compare_exchange(-1, raw, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
                    break;
                }
            }
        }
        end_locking();
        Ok(opened?.map(|fd| LockFd { fd: Some(fd), guard }))
    }
}

impl Drop for LockFd {
    fn drop(&mut self) {
        let Some(fd) = self.fd.take() else { return };
        if self.guard.is_child() {
            // Closed by the handler; its number may be another file's by now.
            std::mem::forget(fd);
            return;
        }
        let raw = fd.as_raw_fd();
        begin_locking();
        for place in &LOCKS {
            let _ = place.compare_exchange(raw, -1, Ordering::SeqCst, Ordering::SeqCst);
        }
        drop(fd);
        end_locking();
    }
}

#[cfg(test)]
pub(crate) mod tests;
