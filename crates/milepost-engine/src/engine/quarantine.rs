//! The quarantine: bytes that recovery has cut from the log, or that a salvage found damaged. Nothing is read from it.
//!
//! They belong to no commit that is there, so nobody can say whose they are. They may hold what an erasure that came
//! after them has erased: so they all go with the pass that follows it, at its end, when it is carried out in the log.
//! Where anything is held they stay, since they may be of what is held, and whoever erases is told.
//!
//! Crash: a file is removed or not, and the next pass removes what is left. It takes no room.

use std::{
    io::{self, ErrorKind},
    path::PathBuf,
};

use milepost_io::{Failure, OpenMode};
use milepost_types::Seq;

use super::{Engine, Shared};
use crate::{CompactError, ReadError};

/// Its directory, in that of the store.
pub(crate) const QUARANTINE: &str = "quarantine";

impl Engine {
    /// The quarantine, if it may hold what was erased since, and a hold keeps compaction from emptying it.
    pub fn quarantine_kept(&self) -> Result<Option<PathBuf>, ReadError> {
        let shared = self.shared();
        shared.may_read()?;
        let is_kept = !shared.overtaken()?.is_empty() && !shared.rules()?.holds.is_empty();
        Ok(is_kept.then(|| shared.quarantine_dir()))
    }
}

impl Shared {
    fn quarantine_dir(&self) -> PathBuf {
        self.dir.join(QUARANTINE)
    }

    /// Each file there, with the epoch in which its bytes were laid there.
    fn quarantined(&self) -> io::Result<Vec<(PathBuf, u32)>> {
        let dir = self.quarantine_dir();
        let entries = match self.parts.disk.list(&dir) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            listed => listed?,
        };
        let known = entries.into_iter().filter_map(|entry| {
            let epoch = entry.name.strip_suffix(".bytes")?.rsplit_once('-')?.1.parse().ok()?;
            (!entry.is_dir).then(|| (dir.join(&entry.name), epoch))
        });
        Ok(known.collect())
    }

    /// Bytes there, as far as they can be counted.
    pub(super) fn quarantine_bytes(&self) -> u64 {
        let bytes = |path: PathBuf| self.parts.disk.open(&path, OpenMode::Read)?.bytes();
        let files = self.quarantined().unwrap_or_default().into_iter();
        files.map(|(path, _)| bytes(path).unwrap_or(0)).sum()
    }

    /// The files there that the last erasure came after.
    fn overtaken(&self) -> Result<Vec<PathBuf>, ReadError> {
        let erasure = self.last_erasure();
        if erasure == Seq::ZERO {
            return Ok(Vec::new());
        }
        let dir = self.quarantine_dir();
        let io = |source: io::Error| ReadError::Io { path: dir.clone(), message: source.to_string() };
        let files = self.quarantined().map_err(io)?;
        if files.is_empty() {
            return Ok(Vec::new());
        }
        // What an opening cuts was written before anything that is committed in its epoch. Of an erasure that is gone
        // itself no more is known than that it was made.
        let epoch = self.reader.epoch(erasure).map_err(ReadError::Corrupt)?.unwrap_or(u32::MAX);
        Ok(files.into_iter().filter(|(_, laid)| *laid <= epoch).map(|(path, _)| path).collect())
    }

    /// Removes what may hold something that was erased since, durably, unless anything is held.
    pub(super) fn empty_quarantine(&self) -> Result<(), CompactError> {
        let files = self.overtaken()?;
        if files.is_empty() || !self.rules()?.holds.is_empty() {
            return Ok(());
        }
        let (disk, dir) = (&self.parts.disk, self.quarantine_dir());
        let failed = |path: &PathBuf, operation, error: &io::Error| {
            CompactError::Quarantine(Failure::new(path, operation, &error.to_string()))
        };
        for path in &files {
            match disk.remove(path) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(path, "remove", &error)),
                Ok(()) | Err(_) => {}
            }
        }
        disk.sync_dir(&dir).map_err(|error| failed(&dir, "sync", &error))
    }
}
