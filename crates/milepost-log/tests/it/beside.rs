//! A disk on which somebody else does something between two operations: a writer beside a reader, or whatever makes a
//! disk give other bytes than were written.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use milepost_io::{DirEntry, DirId, DirLock, Disk, DiskFile, Map, OpenMode, SimDisk};
use parking_lot::Mutex;

/// The simulated disk, and what happens on it.
#[derive(Clone, Debug)]
pub(crate) struct Beside {
    sim: SimDisk,
    pub(crate) event: Arc<Mutex<Option<Event>>>,
}

/// What somebody else does, and when.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) when: When,
    /// How often that comes before.
    pub(crate) nth: usize,
    /// Files that get this content.
    pub(crate) files: Vec<(PathBuf, Vec<u8>)>,
}

/// At the beginning of which operation.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum When {
    Sync,
    /// The size of a file is asked for.
    Bytes,
    Open(PathBuf),
}

impl Beside {
    pub(crate) fn new(sim: &SimDisk, when: When, files: Vec<(PathBuf, Vec<u8>)>) -> Arc<Beside> {
        Arc::new(Beside { sim: sim.clone(), event: Arc::new(Mutex::new(Some(Event { when, nth: 0, files }))) })
    }

    /// The same without anything that happens yet.
    pub(crate) fn quiet(sim: &SimDisk) -> Arc<Beside> {
        Arc::new(Beside { sim: sim.clone(), event: Arc::default() })
    }

    fn happens(&self, now: &When) {
        let is_due = |event: &mut Event| {
            let (comes, nth) = (event.when == *now, event.nth);
            event.nth = nth.saturating_sub(usize::from(comes));
            comes && nth == 0
        };
        if let Some(event) = self.event.lock().take_if(is_due) {
            for (path, bytes) in event.files {
                self.sim.put_file(&path, bytes);
            }
        }
    }
}

#[derive(Debug)]
struct BesideFile {
    file: Box<dyn DiskFile>,
    disk: Beside,
}

impl Disk for Beside {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Box<dyn DiskFile>> {
        self.happens(&When::Open(path.to_owned()));
        let file = self.sim.open(path, mode)?;
        Ok(Box::new(BesideFile { file, disk: self.clone() }))
    }
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.sim.create_dir(path)
    }
    fn list(&self, dir: &Path) -> io::Result<Vec<DirEntry>> {
        self.sim.list(dir)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.sim.rename(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        self.sim.remove(path)
    }
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
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

impl DiskFile for BesideFile {
    fn begin_sync(&self, _offset: u64, _bytes: u64) {}

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buffer, offset)
    }
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.file.write_at(bytes, offset)
    }
    fn sync(&self) -> io::Result<()> {
        self.disk.happens(&When::Sync);
        self.file.sync()
    }
    fn bytes(&self) -> io::Result<u64> {
        self.disk.happens(&When::Bytes);
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
