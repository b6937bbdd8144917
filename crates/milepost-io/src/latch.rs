//! [`Latch`]: a failed sync is final.
//!
//! Invariant: the first failure wins and stays. After it nothing is written or synced through a [`LatchedFile`]; reads
//! go on. The kernel may have dropped the pages of a failed sync and say OK the next time, so a sync is never tried
//! again.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use crate::{DiskFile, Map};

/// What failed, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The file, or the directory.
    pub file: PathBuf,
    /// What was tried.
    pub operation: String,
    /// What the system said.
    pub message: String,
}

impl Failure {
    /// A failure from its parts.
    #[must_use]
    pub fn new(file: &Path, operation: &str, message: &str) -> Failure {
        Failure { file: file.to_owned(), operation: operation.to_owned(), message: message.to_owned() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} failed: {}", self.operation, self.file.display(), self.message)
    }
}

impl std::error::Error for Failure {}

/// Shared by all files of a store: once tripped it stays so.
#[derive(Clone, Debug, Default)]
pub struct Latch(Arc<OnceLock<Failure>>);

impl Latch {
    /// Remembers a failure, unless an earlier one is remembered.
    pub fn trip(&self, file: &Path, operation: &str, error: &io::Error) {
        self.trip_with(Failure::new(file, operation, &error.to_string()));
    }

    /// The same, of a failure that is no IO error.
    pub fn trip_with(&self, failure: Failure) {
        let _ = self.0.set(failure);
    }

    /// The first failure, if there was one.
    #[must_use]
    pub fn failure(&self) -> Option<Failure> {
        self.0.get().cloned()
    }

    fn check(&self) -> io::Result<()> {
        match self.0.get() {
            Some(failure) => Err(io::Error::other(failure.clone())),
            None => Ok(()),
        }
    }
}

/// A file whose failed sync trips a latch, and which writes nothing after that.
#[derive(Debug)]
pub struct LatchedFile {
    file: Box<dyn DiskFile>,
    path: PathBuf,
    latch: Latch,
}

impl LatchedFile {
    /// Puts a file under a latch.
    #[must_use]
    pub fn new(file: Box<dyn DiskFile>, path: &Path, latch: &Latch) -> LatchedFile {
        LatchedFile { file, path: path.to_owned(), latch: latch.clone() }
    }

    /// The file's name.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl DiskFile for LatchedFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.latch.check()?;
        self.file.write_at(bytes, offset)
    }

    fn begin_sync(&self, offset: u64, bytes: u64) {
        self.file.begin_sync(offset, bytes);
    }

    fn sync(&self) -> io::Result<()> {
        self.latch.check()?;
        self.file.sync().inspect_err(|error| self.latch.trip(&self.path, "sync", error))
    }

    fn bytes(&self) -> io::Result<u64> {
        self.file.bytes()
    }

    fn set_bytes(&self, bytes: u64) -> io::Result<()> {
        self.latch.check()?;
        self.file.set_bytes(bytes)
    }

    fn allocate(&self, offset: u64, bytes: u64) -> io::Result<()> {
        self.latch.check()?;
        self.file.allocate(offset, bytes)
    }

    fn map(&self) -> io::Result<Map> {
        self.file.map()
    }
}

#[cfg(test)]
mod tests;
