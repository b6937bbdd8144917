//! [`Metered`]: a disk that counts the bytes that are written to files below some directories.
//!
//! Invariant: a byte that a file took is counted once, for the first of the directories that the file was in when it
//! was opened; whatever else is done is done as without. Room that is taken and not written is no byte, nor is a name.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use crate::{DirEntry, DirId, DirLock, Disk, DiskFile, Map, OpenMode};

/// Bytes that were written. A clone counts the same.
#[derive(Clone, Debug, Default)]
pub struct Meter(Arc<AtomicU64>);

impl Meter {
    /// How many.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn add(&self, bytes: usize) {
        self.0.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

/// A disk, and what is counted on it.
#[derive(Debug)]
pub struct Metered {
    disk: Arc<dyn Disk>,
    meters: Vec<(PathBuf, Meter)>,
}

impl From<u64> for Meter {
    /// One that goes on from there.
    fn from(bytes: u64) -> Meter {
        Meter(Arc::new(AtomicU64::new(bytes)))
    }
}

impl Metered {
    /// Counts for each of these directories; for the first that a file is in, so what lies within comes first.
    #[must_use]
    pub fn new(disk: Arc<dyn Disk>, meters: Vec<(PathBuf, Meter)>) -> Metered {
        Metered { disk, meters }
    }
}

impl Disk for Metered {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Box<dyn DiskFile>> {
        let file = self.disk.open(path, mode)?;
        let meter = self.meters.iter().find(|(dir, _)| path.starts_with(dir));
        Ok(match meter {
            Some((_, meter)) if mode != OpenMode::Read => Box::new(MeteredFile { file, meter: meter.clone() }),
            _ => file,
        })
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.disk.create_dir(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<DirEntry>> {
        self.disk.list(dir)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.disk.remove(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
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

#[derive(Debug)]
struct MeteredFile {
    file: Box<dyn DiskFile>,
    meter: Meter,
}

impl DiskFile for MeteredFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.file.write_at(bytes, offset).inspect(|written| self.meter.add(*written))
    }

    fn begin_sync(&self, offset: u64, bytes: u64) {
        self.file.begin_sync(offset, bytes);
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync()
    }

    fn bytes(&self) -> io::Result<u64> {
        self.file.bytes()
    }

    fn set_bytes(&self, bytes: u64) -> io::Result<()> {
        self.file.set_bytes(bytes)
    }

    fn allocate(&self, offset: u64, bytes: u64) -> io::Result<()> {
        self.file.allocate(offset, bytes)
    }

    fn map(&self) -> io::Result<Map> {
        self.file.map()
    }
}

#[cfg(test)]
mod tests;
