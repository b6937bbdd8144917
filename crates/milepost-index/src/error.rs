//! What can go wrong, with its place.

use std::{
    io,
    path::{Path, PathBuf},
};

use milepost_types::Corruption;
use thiserror::Error;

use crate::RunId;

/// Why a run can't be opened. Nothing was changed: a run is rebuilt from the log.
#[derive(Debug, Error)]
pub enum OpenRunError {
    /// Damage.
    #[error(transparent)]
    Corrupt(#[from] Corruption),
    /// A newer version wrote it.
    #[error("{file} has format version {found}, this program reads up to {supported}; upgrade to open it", file = .file.display())]
    NewerFormat {
        /// The file.
        file: PathBuf,
        /// Its version.
        found: u32,
        /// The newest version known here.
        supported: u32,
    },
    /// A run of another store.
    #[error("{file} belongs to another store; put back the file of this store, or remove it", file = .file.display())]
    OtherStore {
        /// The file.
        file: PathBuf,
    },
    /// A run under another one's name.
    #[error("{file} is in truth run {found}; give every run its own name back, or remove it", file = .file.display())]
    Misnamed {
        /// The file.
        file: PathBuf,
        /// Which run it is.
        found: RunId,
    },
    /// A whole run of this store under its own name, but not the one that is expected: an older copy, or a newer one.
    #[error("{file} is another copy of this run: {what}; put back the right one, or remove it", file = .file.display())]
    OtherCopy {
        /// The file.
        file: PathBuf,
        /// What differs: actual beside expected.
        what: String,
    },
    /// The file is not there.
    #[error("{file} is missing", file = .file.display())]
    Missing {
        /// The file.
        file: PathBuf,
    },
    /// An IO error.
    #[error("can't {action} {path}: {source}", path = .path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Why a run was not built. Nothing of it is left under a name that counts; it can be built again.
#[derive(Debug, Error)]
pub enum BuildError {
    /// Damage in what it was to be built from.
    #[error(transparent)]
    Corrupt(#[from] Corruption),
    /// No room.
    #[error("the disk is full: {need} bytes are needed, {free} are free")]
    DiskFull {
        /// Bytes needed for what was to be written next.
        need: u64,
        /// Bytes free.
        free: u64,
    },
    /// More than a run can hold.
    #[error("the run is full: {what} take {need} bytes, at most {max}; build it of fewer commits")]
    RunFull {
        /// Which part.
        what: &'static str,
        /// Bytes needed.
        need: u64,
        /// Bytes that there can be.
        max: u64,
    },
    /// An IO error.
    #[error("can't {action} {path}: {source}", path = .path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl OpenRunError {
    /// An IO error with its place; to be used in `map_err`.
    pub(crate) fn io<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> OpenRunError + 'a {
        move |source| match source.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => OpenRunError::Missing { file: path.to_owned() },
            _ => OpenRunError::Io { action, path: path.to_owned(), source },
        }
    }
}

/// Whether an error says that there is no room: then it can pass, unlike a failing disk.
pub(crate) fn is_no_room(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge)
}
