//! [`Files`]: the files that a builder makes, under names that do not count.
//!
//! Invariant: whatever a builder created is removed when it is dropped, unless it published the run: then only its own
//! name is left, durable. A file that could not be removed has a name that [`crate::list`] knows as worthless.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use milepost_io::{Disk, DiskFile, OpenMode};

use crate::{BuildError, RunId, error::is_no_room};

/// The files of one builder.
pub(super) struct Files {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    id: RunId,
    /// Names to be removed if the builder is dropped.
    created: Vec<PathBuf>,
}

impl Files {
    pub(super) fn new(disk: Arc<dyn Disk>, dir: &Path, id: RunId) -> Files {
        Files { disk, dir: dir.to_owned(), id, created: Vec::new() }
    }

    /// Creates the file of a part; a leftover of its name goes.
    pub(super) fn create(&mut self, part: &str) -> Result<(Box<dyn DiskFile>, PathBuf), BuildError> {
        let path = self.id.tmp_path(&self.dir, part);
        match self.disk.remove(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(self.failure("remove", &path, 0, error));
            }
            _ => {}
        }
        let file =
            self.disk.open(&path, OpenMode::CreateNew).map_err(|error| self.failure("create", &path, 0, error))?;
        self.created.push(path.clone());
        Ok((file, path))
    }

    /// Removes the file of a part that is not needed any more.
    pub(super) fn remove(&mut self, path: &Path) {
        // One that stays is removed by whoever lists the directory: no reason to lose the run.
        let _ = self.disk.remove(path);
        self.created.retain(|created| created != path);
    }

    /// Gives the synced file `tmp` its name, durably.
    pub(super) fn publish(&mut self, tmp: &Path) -> Result<(), BuildError> {
        let path = self.id.path(&self.dir);
        self.disk.rename(tmp, &path).map_err(|error| self.failure("rename", tmp, 0, error))?;
        // Until the name is durable it goes with the builder: nothing may be taken for built that a crash can undo.
        self.created.retain(|created| created != tmp);
        self.created.push(path);
        self.disk.sync_dir(&self.dir).map_err(|error| self.failure("sync", &self.dir, 0, error))?;
        self.created.clear();
        Ok(())
    }

    /// An error with its place. `need` is what was to be written.
    pub(super) fn failure(&self, action: &'static str, path: &Path, need: u64, source: io::Error) -> BuildError {
        // A sync that fails is no full disk that can pass, whatever it says.
        if is_no_room(&source) && action != "sync" {
            return BuildError::DiskFull { need, free: self.disk.free_bytes(&self.dir).unwrap_or(0) };
        }
        BuildError::Io { action, path: path.to_owned(), source }
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        for path in &self.created {
            // What can't be removed now is removed by whoever lists the directory.
            let _ = self.disk.remove(path);
        }
    }
}

impl fmt::Debug for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Files(run {} in {})", self.id, self.dir.display())
    }
}
