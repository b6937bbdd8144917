//! Clearing what an attempt that did not come to its end has left. Only what a store's directory holds is removed.

use std::{
    io::{self, ErrorKind},
    path::Path,
};

use milepost_io::{DirEntry, Disk};

use super::UNFINISHED;
use crate::{backup::NOTED, engine::quarantine::QUARANTINE, index::INDEX, manifest, open, reserve::RESERVE};

const DIRECTORIES: [&str; 4] = [open::LOG, INDEX, QUARANTINE, NOTED];
const FILES: [&str; 4] = [manifest::MANIFEST, manifest::MANIFEST_NEXT, open::LOCK, RESERVE];

/// Whether a name is one that an attempt makes.
pub(super) fn is_ours(entry: &DirEntry) -> bool {
    let names: &[&str] = if entry.is_dir { &DIRECTORIES } else { &FILES };
    names.contains(&entry.name.as_str()) || (!entry.is_dir && entry.name == UNFINISHED)
}

/// Removes all files but the mark. MANIFEST goes first: without it nothing else counts.
pub(super) fn all(disk: &dyn Disk, dir: &Path) -> io::Result<()> {
    for name in FILES {
        remove(disk, &dir.join(name))?;
    }
    for name in DIRECTORIES {
        let below = dir.join(name);
        let entries = match disk.list(&below) {
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            listed => listed?,
        };
        for entry in entries {
            remove(disk, &below.join(entry.name))?;
        }
        disk.sync_dir(&below)?;
    }
    disk.sync_dir(dir)
}

fn remove(disk: &dyn Disk, path: &Path) -> io::Result<()> {
    match disk.remove(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}
