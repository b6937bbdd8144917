//! [`Room`]: what room there was, where an error says that it was too little.
//!
//! Invariant: the one place that tells the errors of "no room", which can pass, from those of a failing disk.

use std::{fmt, io, path::Path};

use crate::Disk;

/// The room there was for something that needed more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// So many bytes were free on the disk, or in the quota.
    Free(u64),
    /// The file would have got larger than the limit of the process (`ulimit -f`) or of the file system allows,
    /// however much is free.
    FileLimit,
}

impl Room {
    /// Whether an error says that there is no room.
    #[must_use]
    pub fn is_lacking(error: &io::Error) -> bool {
        use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
        matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
    }

    /// The room there is below `dir`, where an error says that it is too little.
    #[must_use]
    pub fn lacking(disk: &dyn Disk, dir: &Path, error: &io::Error) -> Option<Room> {
        if !Room::is_lacking(error) {
            return None;
        }
        Some(match error.kind() {
            io::ErrorKind::FileTooLarge => Room::FileLimit,
            _ => Room::Free(disk.free_bytes(dir).unwrap_or(0)),
        })
    }

    /// What is said to whoever needed so many bytes more, with the directory if that is to be named.
    #[must_use]
    pub fn too_little_for(self, need: u64, dir: Option<&Path>) -> impl fmt::Display {
        fmt::from_fn(move |f| match (self, dir) {
            (Room::Free(free), None) => write!(f, "the disk is full: {need} bytes are needed, {free} are free"),
            (Room::Free(free), Some(dir)) => {
                write!(f, "the disk of {} is full: {need} bytes are needed, {free} are free", dir.display())
            }
            (Room::FileLimit, dir) => {
                f.write_str("the limit on a file's size is reached")?;
                if let Some(dir) = dir {
                    write!(f, " in {}", dir.display())?;
                }
                write!(f, " (`ulimit -f`, or the file system's): {need} bytes more are needed")
            }
        })
    }
}

#[cfg(test)]
mod tests;
