//! The calls of [`Disk`] and [`DiskFile`] on a simulated disk.
//!
//! Invariant: they answer as the real disk does; one table of expectations is checked against both. A call takes the
//! disk's one lock, and holds it to its end.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use parking_lot::Mutex;

use super::{
    SimDisk,
    faults::{FaultKind, Op},
    names::{DirId, FileId, Names, Node, errno, parts},
    state::{Hold, State},
};
use crate::{DirEntry, DirLock, Disk, DiskFile, Map, OpenMode};

/// An open file. It goes on working when its name is changed or removed.
#[derive(Debug)]
struct SimFile {
    disk: SimDisk,
    file: FileId,
    is_read_only: bool,
}

/// A held lock.
#[derive(Debug)]
struct SimDirLock {
    state: Arc<Mutex<State>>,
    directory: DirId,
    hold: Hold,
}

impl DirLock for SimDirLock {}

impl Drop for SimDirLock {
    fn drop(&mut self) {
        self.state.lock().unlock(self.directory, self.hold);
    }
}

impl Disk for SimDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Box<dyn DiskFile>> {
        let mut state = self.state();
        state.power()?;
        let file = if mode == OpenMode::CreateNew {
            let place = state.names.place(path)?;
            if state.names.at(&place).is_some() {
                return Err(errno(libc::EEXIST));
            }
            state.begin(Op::Create, path)?;
            state.create(place, path)
        } else {
            let Node::File(file) = state.names.find(path)? else { return Err(errno(libc::EISDIR)) };
            state.begin(Op::Open, path)?;
            file
        };
        state.inode(file).handles += 1;
        Ok(Box::new(SimFile { disk: self.clone(), file, is_read_only: mode == OpenMode::Read }))
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.power()?;
        let mut directory = Names::ROOT;
        let mut above = PathBuf::from("/");
        let mut names = parts(path).peekable();
        while let Some(name) = names.next() {
            let name = name?;
            above.push(name);
            let place = (directory, Arc::from(name));
            directory = match state.names.at(&place) {
                Some(Node::Dir(directory)) => directory,
                Some(Node::File(_)) if names.peek().is_none() => return Err(errno(libc::EEXIST)),
                Some(Node::File(_)) => return Err(errno(libc::ENOTDIR)),
                None => {
                    state.begin(Op::CreateDir, &above)?;
                    let stamp = state.next_stamp();
                    state.names.create_dir(stamp, place)
                }
            };
        }
        Ok(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<DirEntry>> {
        let mut state = self.state();
        state.power()?;
        let directory = state.names.directory(dir)?;
        state.begin(Op::List, dir)?;
        let entries = state.names.entries(directory);
        Ok(entries.map(|(name, node)| DirEntry { name: (**name).to_owned(), is_dir: node.is_dir() }).collect())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.power()?;
        let Node::File(file) = state.names.find(from)? else { return Err(errno(libc::EISDIR)) };
        let (from_place, to_place) = (state.names.place(from)?, state.names.place(to)?);
        let replaced = match state.names.at(&to_place) {
            Some(Node::Dir(_)) => return Err(errno(libc::EISDIR)),
            Some(Node::File(replaced)) => Some(replaced),
            None => None,
        };
        state.begin_with(Op::Rename, &[from, to])?;
        if replaced == Some(file) {
            return Ok(());
        }
        let stamp = state.next_stamp();
        state.names.rename(stamp, from_place, to_place, Node::File(file));
        state.inode(file).path = to.into();
        if let Some(replaced) = replaced {
            state.unname(replaced);
        }
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.power()?;
        let Node::File(file) = state.names.find(path)? else { return Err(errno(libc::EISDIR)) };
        let place = state.names.place(path)?;
        state.begin(Op::Remove, path)?;
        let stamp = state.next_stamp();
        state.names.take(stamp, place);
        state.unname(file);
        Ok(())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.power()?;
        let directory = state.names.directory(dir)?;
        state.begin(Op::SyncDir, dir)?;
        state.names.sync(directory);
        state.sweep();
        Ok(())
    }

    fn free_bytes(&self, dir: &Path) -> io::Result<u64> {
        let mut state = self.state();
        state.power()?;
        state.names.find(dir)?;
        state.begin(Op::FreeBytes, dir)?;
        Ok(state.free_bytes())
    }

    fn dir_id(&self, dir: &Path) -> io::Result<crate::DirId> {
        let state = self.state();
        state.power()?;
        Ok(crate::DirId(0, state.names.directory(dir)? as u64))
    }

    fn lock_dir(&self, dir: &Path) -> io::Result<Option<Box<dyn DirLock>>> {
        let mut state = self.state();
        state.power()?;
        let directory = state.names.directory(dir)?;
        state.begin(Op::LockDir, dir)?;
        Ok(self.held(&mut state, directory, Hold::Alone))
    }

    fn share_dir(&self, dir: &Path) -> io::Result<Option<Box<dyn DirLock>>> {
        let mut state = self.state();
        state.power()?;
        let directory = state.names.directory(dir)?;
        state.begin(Op::LockDir, dir)?;
        Ok(self.held(&mut state, directory, Hold::Shared))
    }
}

impl SimDisk {
    fn held(&self, state: &mut State, directory: DirId, hold: Hold) -> Option<Box<dyn DirLock>> {
        let is_taken = state.lock(directory, hold);
        is_taken.then(|| Box::new(SimDirLock { state: Arc::clone(&self.0), directory, hold }) as Box<dyn DirLock>)
    }
}

impl SimFile {
    /// Begins a call that changes nothing.
    fn begin(&self, state: &mut State, op: Op) -> io::Result<Option<FaultKind>> {
        let path = Arc::clone(&state.inode(self.file).path);
        state.begin(op, &path)
    }

    fn may_write(&self, code: i32) -> io::Result<()> {
        if self.is_read_only { Err(errno(code)) } else { Ok(()) }
    }
}

impl DiskFile for SimFile {
    fn begin_sync(&self, _offset: u64, _bytes: u64) {}

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut state = self.disk.state();
        let bytes_max = match self.begin(&mut state, Op::Read)? {
            Some(FaultKind::ShortRead { bytes }) => bytes.min(buffer.len()),
            _ => buffer.len(),
        };
        Ok(state.inode(self.file).content.read(&mut buffer[..bytes_max], offset))
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let mut state = self.disk.state();
        self.may_write(libc::EBADF)?;
        state.write(self.file, bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.disk.state().sync(self.file)
    }

    fn bytes(&self) -> io::Result<u64> {
        let mut state = self.disk.state();
        self.begin(&mut state, Op::Bytes)?;
        Ok(state.inode(self.file).content.bytes() as u64)
    }

    fn set_bytes(&self, bytes: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        self.may_write(libc::EINVAL)?;
        state.set_bytes(self.file, bytes)
    }

    fn allocate(&self, offset: u64, bytes: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        self.may_write(libc::EBADF)?;
        state.allocate(self.file, offset, bytes)
    }

    fn map(&self) -> io::Result<Map> {
        let mut state = self.disk.state();
        self.begin(&mut state, Op::Map)?;
        Ok(Map::of_shared(Arc::clone(state.inode(self.file).content.cached())))
    }
}

impl Drop for SimFile {
    fn drop(&mut self) {
        let mut state = self.disk.state();
        let inode = state.inode(self.file);
        inode.handles -= 1;
        if !inode.is_named && inode.handles == 0 {
            state.sweep();
        }
    }
}

impl Node {
    fn is_dir(self) -> bool {
        matches!(self, Node::Dir(_))
    }
}
