//! What can go wrong with backups, with its place.

use std::{
    io,
    path::{Path, PathBuf},
};

use milepost_io::{Disk, Room};
use milepost_types::{Corruption, Receipt, Seq, Timestamp};
use thiserror::Error;

use crate::{FillError, OpenError, ReadError, error::time_text};

/// Why a backup was not made, read, restored or removed. Those that were there are as they were.
#[derive(Debug, Error)]
pub enum BackupError {
    /// The directory is no place for backups.
    #[error("{dir} holds no backups: {why}; name the directory that the backups were made in, or an empty one for the first", dir = .dir.display())]
    NotBackups {
        /// The directory.
        dir: PathBuf,
        /// What it is instead, or lacks.
        why: String,
    },
    /// The directory is in the store itself.
    #[error("{dir} is inside the store and would be lost with it; name a directory on another disk", dir = .dir.display())]
    InStore {
        /// The directory.
        dir: PathBuf,
    },
    /// The backups there are of another store.
    #[error("the backups in {dir} are of store {found}, this is store {expected}; name another directory", dir = .dir.display())]
    OtherStore {
        /// The directory.
        dir: PathBuf,
        /// The store to be backed up, in hexadecimal.
        expected: String,
        /// The store that the backups are of.
        found: String,
    },
    /// Somebody makes or removes backups there.
    #[error("another process makes or removes backups in {dir}; wait for it to end", dir = .dir.display())]
    InUse {
        /// The directory.
        dir: PathBuf,
    },
    /// A backup of this store holds what the store has lost.
    #[error(
        "the store was put back to an older copy: backup {number} holds commit {backed_up}, the store {store} and not \
         that one; restore a backup, or say that what the backup has more is to be given up"
    )]
    RolledBack {
        /// Which backup.
        number: u64,
        /// The last commit in it.
        backed_up: Seq,
        /// The last commit of the store.
        store: Seq,
    },
    /// There is no backup to restore.
    #[error("there is no backup {}in {dir}", .number.map_or(String::new(), |number| format!("{number} ")), dir = .dir.display())]
    NoBackup {
        /// The directory.
        dir: PathBuf,
        /// Which one was asked for.
        number: Option<u64>,
    },
    /// No backup holds the commit.
    #[error("no backup there holds commit {asked}; the last one goes from {first} to {last}")]
    OutsideSeq {
        /// The commit asked for.
        asked: Seq,
        /// The first commit of the last backup.
        first: Seq,
        /// Its last commit.
        last: Seq,
    },
    /// The past of that commit is not kept in any backup that holds it.
    #[error(
        "of commit {asked} not everything is kept in the backups there: what lies before commit {horizon} may be gone"
    )]
    BeforeHorizon {
        /// The commit asked for.
        asked: Seq,
        /// Restoring to this commit or a later one is possible.
        horizon: Seq,
    },
    /// No backup reaches back so far.
    #[error(
        "no backup there reaches back to {}; the first commit of the last one is {first} ({})",
        time_text(*.asked),
        time_text(*.first_at)
    )]
    OutsideTime {
        /// The moment asked for.
        asked: Timestamp,
        /// The first commit of the last backup.
        first: Seq,
        /// When that was stamped.
        first_at: Timestamp,
    },
    /// Damage. Of the store, or of a backup.
    #[error("{0}")]
    Corrupt(#[from] Corruption),
    /// A newer version wrote it.
    #[error("{file} has format version {found}, this program reads up to {supported}; upgrade to read it", file = .file.display())]
    NewerFormat {
        /// The file.
        file: PathBuf,
        /// Its version.
        found: u32,
        /// The newest version known here.
        supported: u32,
    },
    /// The epochs of a store are used up.
    #[error("a store restored from {last} would have no epoch left; export it into a new store", last = .last.seq)]
    NoEpoch {
        /// The last commit of the backup.
        last: Receipt,
    },
    /// No room where the backups are. What was brought so far is used by the next attempt.
    #[error("{}; make room, and run it again", .free.too_little_for(*.need, Some(.dir)))]
    DiskFull {
        /// The directory.
        dir: PathBuf,
        /// Bytes needed.
        need: u64,
        /// What there was.
        free: Room,
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
    /// The store could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The restored store could not be made.
    #[error(transparent)]
    Fill(#[from] FillError),
}

impl From<OpenError> for BackupError {
    fn from(error: OpenError) -> BackupError {
        BackupError::Fill(error.into())
    }
}

impl BackupError {
    pub(super) fn io<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> BackupError + 'a {
        move |source| BackupError::Io { action, path: path.to_owned(), source }
    }

    /// An error of a write below `dir`, where no room means that it can be tried again.
    pub(super) fn write(
        disk: &dyn Disk,
        dir: &Path,
        need: u64,
        action: &'static str,
        path: &Path,
        source: io::Error,
    ) -> BackupError {
        match Room::lacking(disk, dir, &source) {
            Some(free) => BackupError::DiskFull { dir: dir.to_owned(), need, free },
            None => BackupError::Io { action, path: path.to_owned(), source },
        }
    }
}
