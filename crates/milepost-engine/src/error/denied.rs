//! [`Denied`]: the three things that are not allowed, each with what to do about it.

use std::{io, path::Path};

/// What is not allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// To read.
    Read,
    /// To write.
    Write,
    /// To write, to anybody: the file system is mounted read-only.
    AnyWrite,
}

impl Denied {
    /// What it is that the system has refused, if it has refused it to this user or on this file system.
    pub(super) fn of(action: &str, source: &io::Error) -> Option<Denied> {
        match source.kind() {
            io::ErrorKind::ReadOnlyFilesystem => Some(Denied::AnyWrite),
            // To be locked or synced a directory is opened for reading.
            io::ErrorKind::PermissionDenied => Some(match action {
                "read" | "read the size of" | "open" | "map" | "list" | "lock" | "sync" => Denied::Read,
                _ => Denied::Write,
            }),
            _ => None,
        }
    }

    /// What is said, with what to do.
    pub(super) fn text(self, path: &Path, source: &io::Error) -> String {
        let path = path.display();
        match self {
            Denied::Read => format!(
                "no permission to read {path} ({source}); run as the store's owner, or have the owner let this user \
                 read it"
            ),
            Denied::Write => format!(
                "no permission to write {path} ({source}); run as the store's owner, or name a store where this user \
                 may write; what only reads the store needs no such permission"
            ),
            Denied::AnyWrite => format!(
                "can't write {path} ({source}); mount it for writing, or name a store elsewhere; what only reads the \
                 store works as it is"
            ),
        }
    }
}
