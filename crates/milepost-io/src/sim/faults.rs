//! [`Fault`]: which call fails, and how.
//!
//! Invariant: a fault counts the calls that match it from the moment it is put in, whether or not another fault meets
//! them first; of several that meet a call, the one put in first decides. What was hit is remembered, so that a test
//! can tell a fault that was survived from one that never came.

use std::path::Path;

/// A kind of call to a disk or a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Op {
    /// Opening a file that exists.
    Open,
    /// Creating a file.
    Create,
    /// Reading.
    Read,
    /// Writing.
    Write,
    /// Syncing a file.
    Sync,
    /// Asking for the size of a file.
    Bytes,
    /// Setting the size of a file.
    SetBytes,
    /// Taking room for a file.
    Allocate,
    /// Mapping a file.
    Map,
    /// Creating a directory; for several at once, each of them.
    CreateDir,
    /// Listing a directory.
    List,
    /// Renaming.
    Rename,
    /// Removing.
    Remove,
    /// Syncing a directory.
    SyncDir,
    /// Asking for the room left.
    FreeBytes,
    /// Locking a directory.
    LockDir,
}

impl Op {
    pub(super) const COUNT: usize = Op::LockDir as usize + 1;

    /// Whether it changes what a crash leaves: such operations are counted, and the power can go off at each of them.
    #[must_use]
    pub fn mutates(self) -> bool {
        match self {
            Op::Create
            | Op::Write
            | Op::Sync
            | Op::SetBytes
            | Op::Allocate
            | Op::CreateDir
            | Op::Rename
            | Op::Remove
            | Op::SyncDir => true,
            Op::Open | Op::Read | Op::Bytes | Op::Map | Op::List | Op::FreeBytes | Op::LockDir => false,
        }
    }
}

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// Nothing is done, and this error of the system is given.
    Error(i32),
    /// A write that writes no more than so many bytes, and says so.
    ShortWrite {
        /// The most that is written.
        bytes: usize,
    },
    /// A write that writes no more than so many bytes and says so; the next write to the same file gives the error.
    /// With no bytes, it gives the error itself.
    ShortWriteThenError {
        /// The most that is written.
        bytes: usize,
        /// The system's error.
        errno: i32,
    },
    /// A read that reads no more than so many bytes.
    ShortRead {
        /// The most that is read.
        bytes: usize,
    },
    /// A sync that fails with EIO, after which the file counts as clean, though nothing of it got to the disk: the next
    /// sync says OK. Reads go on showing what was written, for as long as the power lasts.
    SyncFailsAndDropsPages,
    /// A panic, before anything is done.
    Panic,
}

impl FaultKind {
    fn fits(&self, op: Op) -> bool {
        match self {
            FaultKind::Error(_) | FaultKind::Panic => true,
            FaultKind::ShortWrite { .. } | FaultKind::ShortWriteThenError { .. } => op == Op::Write,
            FaultKind::ShortRead { .. } => op == Op::Read,
            FaultKind::SyncFailsAndDropsPages => op == Op::Sync,
        }
    }
}

/// Which call fails, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The kind of call.
    pub on: Op,
    /// Part of the path; `None` for any.
    pub file: Option<String>,
    /// How many matching calls go well before.
    pub nth: u64,
    /// How many matching calls fail then; `u64::MAX` for all.
    pub times: u64,
    /// What goes wrong.
    pub what: FaultKind,
}

impl Fault {
    fn is_about(&self, path: &Path) -> bool {
        self.file.as_ref().is_none_or(|part| path.to_str().is_some_and(|path| path.contains(part)))
    }
}

#[derive(Clone, Debug)]
struct Armed {
    fault: Fault,
    /// Matching calls so far.
    seen: u64,
}

/// The faults put in, and those hit.
#[derive(Clone, Debug, Default)]
pub(super) struct Faults {
    armed: Vec<Armed>,
    hit: Vec<Fault>,
}

impl Faults {
    /// # Panics
    ///
    /// If the kind can't happen to the operation.
    pub(super) fn inject(&mut self, fault: Fault) {
        assert!(fault.what.fits(fault.on), "{:?} can't happen to {:?}", fault.what, fault.on);
        self.armed.push(Armed { fault, seen: 0 });
    }

    pub(super) fn clear(&mut self) {
        self.armed.clear();
    }

    pub(super) fn hit(&self) -> &[Fault] {
        &self.hit
    }

    /// What goes wrong with a call, if anything. A renaming has two paths.
    pub(super) fn meet(&mut self, op: Op, paths: &[&Path]) -> Option<FaultKind> {
        let mut met: Option<Fault> = None;
        for armed in &mut self.armed {
            let fault = &armed.fault;
            if fault.on != op || !paths.iter().any(|path| fault.is_about(path)) {
                continue;
            }
            let due = armed.seen >= fault.nth && armed.seen - fault.nth < fault.times;
            armed.seen += 1;
            if due && met.is_none() {
                met = Some(fault.clone());
            }
        }
        let met = met?;
        self.hit.push(met.clone());
        Some(met.what)
    }
}

#[cfg(test)]
mod tests;
