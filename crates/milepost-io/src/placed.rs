//! [`Placed`]: a disk for the files of one directory, for as long as the directory's name leads to it.
//!
//! Invariant: no file is opened, made, renamed or removed by a name that has come to lead into another directory than
//! the one that was opened, but for the instant between the look and the call. Files that are open are the directory's
//! own, wherever it went, and are used as ever.
//!
//! A lock holds the directory, not its name. A process that is stopped for an hour finds another store by the name, if
//! the directory was moved away meanwhile and a backup restored in its place: that store's files are not its to touch.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{DirEntry, DirId, DirLock, Disk, DiskFile, OpenMode};

/// A disk that looks where a directory's name leads before it uses it.
#[derive(Debug)]
pub struct Placed {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    id: DirId,
}

impl Placed {
    /// For the directory that the name leads to now. Whoever holds its lock knows that it is not removed, so that no
    /// other one gets its identity.
    ///
    /// # Errors
    ///
    /// If it can't be looked at.
    pub fn new(disk: Arc<dyn Disk>, dir: &Path) -> io::Result<Placed> {
        let id = disk.dir_id(dir)?;
        Ok(Placed { disk, dir: dir.to_owned(), id })
    }

    fn check(&self) -> io::Result<()> {
        let dir = self.dir.display();
        match self.disk.dir_id(&self.dir) {
            Ok(id) if id == self.id => Ok(()),
            Ok(_) => Err(io::Error::other(format!("{dir} was moved away, and what is there now is not touched"))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(io::Error::other(format!("{dir} was moved away, or removed")))
            }
            Err(error) => Err(error),
        }
    }
}

impl Disk for Placed {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Box<dyn DiskFile>> {
        self.check()?;
        self.disk.open(path, mode)
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.check()?;
        self.disk.create_dir(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<DirEntry>> {
        self.check()?;
        self.disk.list(dir)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.check()?;
        self.disk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.check()?;
        self.disk.remove(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.check()?;
        self.disk.sync_dir(dir)
    }

    fn free_bytes(&self, dir: &Path) -> io::Result<u64> {
        self.disk.free_bytes(dir)
    }

    fn dir_id(&self, dir: &Path) -> io::Result<DirId> {
        self.disk.dir_id(dir)
    }

    fn lock_dir(&self, dir: &Path) -> io::Result<Option<Box<dyn DirLock>>> {
        self.disk.lock_dir(dir)
    }

    fn share_dir(&self, dir: &Path) -> io::Result<Option<Box<dyn DirLock>>> {
        self.disk.share_dir(dir)
    }
}

#[cfg(test)]
mod tests;
