//! [`host`]: the store, or the place for backups, that a directory lies in. What is made there would be lost with it,
//! or be taken for a part of it.
//!
//! Goes by names: a link into a store is not followed.

use std::path::{Component, Path, PathBuf};

use milepost_io::{Disk, OpenMode, read_some_at};

use crate::{
    backup::{STORE, STORE_MAGIC},
    manifest::{MAGIC, MANIFEST},
    open::LOG,
};

/// What a directory lies in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Host {
    /// A store, whole or not.
    Store(PathBuf),
    /// A place for backups.
    Backups(PathBuf),
}

/// What lies around a directory, nearest first. The directory itself is not looked at.
pub(crate) fn host(disk: &dyn Disk, dir: &Path) -> Option<Host> {
    let dir = plain(dir)?;
    dir.ancestors().skip(1).find_map(|around| {
        if begins_with(disk, &around.join(MANIFEST), MAGIC) || has_segments(disk, &around.join(LOG)) {
            return Some(Host::Store(around.to_owned()));
        }
        begins_with(disk, &around.join(STORE), STORE_MAGIC).then(|| Host::Backups(around.to_owned()))
    })
}

/// The absolute path without `..`; none of the empty path.
fn plain(dir: &Path) -> Option<PathBuf> {
    let mut plain = PathBuf::new();
    for component in std::path::absolute(dir).ok()?.components() {
        match component {
            Component::ParentDir => {
                plain.pop();
            }
            Component::CurDir => {}
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => plain.push(component),
        }
    }
    Some(plain)
}

fn begins_with(disk: &dyn Disk, path: &Path, magic: [u8; 8]) -> bool {
    let mut begin = [0; 8];
    let read = disk.open(path, OpenMode::Read).and_then(|file| read_some_at(&*file, &mut begin, 0));
    read.is_ok_and(|count| count == begin.len()) && begin == magic
}

/// A damaged store may lack its MANIFEST.
fn has_segments(disk: &dyn Disk, log: &Path) -> bool {
    disk.list(log).is_ok_and(|entries| entries.iter().any(|entry| entry.name.ends_with(".seg")))
}

#[cfg(test)]
mod tests;
