//! A process that is killed: a disk whose calls fail after so many operations that change something. What was written
//! before stays in the cache of the simulated disk below, not all of it durable.

use std::{
    io,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use milepost_io::{DirEntry, DirId, DirLock, Disk, DiskFile, Map, OpenMode, SimDisk};

/// The simulated disk as one process sees it.
#[derive(Clone, Debug)]
pub(crate) struct Mortal {
    sim: SimDisk,
    /// Operations until the process is killed.
    left: Arc<AtomicU64>,
}

#[derive(Debug)]
struct MortalFile {
    file: Box<dyn DiskFile>,
    process: Mortal,
}

impl Mortal {
    /// A process that is killed after so many operations that change something.
    pub(crate) fn killed_after(sim: &SimDisk, operations: u64) -> Mortal {
        Mortal { sim: sim.clone(), left: Arc::new(AtomicU64::new(operations)) }
    }

    fn change(&self) -> io::Result<()> {
        let lived = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        lived.map(drop).map_err(|_| io::Error::other("killed"))
    }
}

impl Disk for Mortal {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Box<dyn DiskFile>> {
        if mode == OpenMode::CreateNew {
            self.change()?;
        }
        Ok(Box::new(MortalFile { file: self.sim.open(path, mode)?, process: self.clone() }))
    }
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.change()?;
        self.sim.create_dir(path)
    }
    fn list(&self, dir: &Path) -> io::Result<Vec<DirEntry>> {
        self.sim.list(dir)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.change()?;
        self.sim.rename(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        self.change()?;
        self.sim.remove(path)
    }
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.change()?;
        self.sim.sync_dir(dir)
    }
    fn free_bytes(&self, dir: &Path) -> io::Result<u64> {
        self.sim.free_bytes(dir)
    }
    fn dir_id(&self, dir: &Path) -> io::Result<DirId> {
        self.sim.dir_id(dir)
    }
    fn lock_dir(&self, dir: &Path) -> io::Result<Option<Box<dyn DirLock>>> {
        self.sim.lock_dir(dir)
    }
    fn share_dir(&self, dir: &Path) -> io::Result<Option<Box<dyn DirLock>>> {
        self.sim.share_dir(dir)
    }
}

impl DiskFile for MortalFile {
    fn begin_sync(&self, _offset: u64, _bytes: u64) {}

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buffer, offset)
    }
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.process.change()?;
        self.file.write_at(bytes, offset)
    }
    fn sync(&self) -> io::Result<()> {
        self.process.change()?;
        self.file.sync()
    }
    fn bytes(&self) -> io::Result<u64> {
        self.file.bytes()
    }
    fn set_bytes(&self, bytes: u64) -> io::Result<()> {
        self.process.change()?;
        self.file.set_bytes(bytes)
    }
    fn allocate(&self, offset: u64, bytes: u64) -> io::Result<()> {
        self.process.change()?;
        self.file.allocate(offset, bytes)
    }
    fn map(&self) -> io::Result<Map> {
        self.file.map()
    }
}
