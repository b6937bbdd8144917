//! What can go wrong, with its place.

use std::{
    io,
    path::{Path, PathBuf},
};

use milepost_io::{Failure, Room};
use milepost_types::{Corruption, Seq};
use thiserror::Error;

use crate::{SegmentName, StoreId};

/// Why a log can't be opened, or not be read further. Nothing was changed, unless repairing had begun: then it can be
/// begun again.
#[derive(Debug, Error)]
pub enum LogError {
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
    /// A segment of another store.
    #[error("{file} belongs to store {found}, not to {expected}; put back the file of this store", file = .file.display())]
    OtherStore {
        /// The file.
        file: PathBuf,
        /// The store being opened.
        expected: StoreId,
        /// The store that the file says.
        found: StoreId,
    },
    /// A segment under another one's name.
    #[error("{file} is in truth segment {found}; give every segment its own name back", file = .file.display())]
    Misnamed {
        /// The file.
        file: PathBuf,
        /// Which segment it is.
        found: SegmentName,
    },
    /// A segment is not there.
    #[error("{file} is missing, and with it the commits from seq {first}{}; put it back from a backup", upto(.last), file = .file.display())]
    MissingSegment {
        /// The file.
        file: PathBuf,
        /// The first commit in it.
        first: Seq,
        /// The last commit in it, if that is known.
        last: Option<Seq>,
    },
    /// There is no log where one was to be opened.
    #[error("there is no log in {dir}", dir = .dir.display())]
    NoLog {
        /// The directory.
        dir: PathBuf,
    },
    /// There is a log where one was to be created.
    #[error("{file} holds a log already", file = .file.display())]
    NotEmpty {
        /// A segment with something in it.
        file: PathBuf,
    },
    /// The log was written in an epoch that the manifest does not know: the manifest is an older copy.
    #[error(
        "the log was written up to epoch {last}, a new epoch of {epoch} is not above it; the manifest is older than the log"
    )]
    EpochNotRaised {
        /// The epoch that was to begin.
        epoch: u32,
        /// The last epoch found in the log.
        last: u32,
    },
    /// What follows was written anew or dropped before it was read here: the log has to be found again, as the manifest
    /// now knows it.
    #[error("the segment behind {file} was compacted before it was read", file = .file.display())]
    Compacted {
        /// The last file that was read.
        file: PathBuf,
    },
    /// The visitor stopped the walk.
    #[error("stopped at seq {seq}")]
    Interrupted {
        /// At which frame.
        seq: Seq,
    },
    /// No room for what opening has to write.
    #[error("{}", .free.too_little_for(*.need, None))]
    DiskFull {
        /// Bytes needed.
        need: u64,
        /// What there was.
        free: Room,
    },
    /// Something could not be made durable.
    #[error("{0}")]
    Stopped(Failure),
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

fn upto(last: &Option<Seq>) -> String {
    last.map(|last| format!(" to {last}")).unwrap_or_default()
}

impl LogError {
    /// An IO error with its place; to be used in `map_err`.
    pub(crate) fn io<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> LogError + 'a {
        move |source| LogError::Io { action, path: path.to_owned(), source }
    }
}

/// Why a batch was not appended, or a segment not begun. Nothing was appended.
#[derive(Clone, Debug, Error)]
pub enum AppendError {
    /// No room. The log is as it was; the same can be tried again when there is room.
    #[error("{}", .free.too_little_for(*.need, None))]
    DiskFull {
        /// Bytes needed.
        need: u64,
        /// What there was.
        free: Room,
    },
    /// A write failed and was taken back. The log is as it was.
    #[error("{0}; nothing was appended")]
    Write(Failure),
    /// The log takes nothing more, since this failure.
    #[error("the log takes no more commits: {0}")]
    Stopped(Failure),
}
