//! The real disk, clock and randomness of this machine.
//!
//! Invariant: an interrupted or momentarily impossible call is tried again, a sync never: whatever it says is final.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind},
    os::{
        fd::{AsFd, AsRawFd, OwnedFd},
        unix::fs::{FileExt, OpenOptionsExt},
    },
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use milepost_types::Timestamp;
use rustix::fs::{FallocateFlags, FlockOperation, Mode, OFlags};

use crate::{
    Clock, DirEntry, DirId, DirLock, Disk, DiskFile, Entropy, Map, OpenMode, Process, fork::LockFd, whole::write_all_at,
};

/// How often a call that the system says to try again is tried again.
const TRIES_MAX: usize = 1000;

/// The file system of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsDisk;

/// A file of this machine.
#[derive(Debug)]
struct OsFile(File);

/// A directory locked with flock on a descriptor of its own: it goes with the holder, and not with any file.
#[derive(Debug)]
struct OsDirLock(#[expect(dead_code, reason = "held, not read: dropping it frees the lock")] LockFd);

impl DirLock for OsDirLock {}

impl Disk for OsDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Box<dyn DiskFile>> {
        let mut options = OpenOptions::new();
        options.read(true).custom_flags(OFlags::CLOEXEC.bits() as i32);
        match mode {
            OpenMode::Read => &mut options,
            OpenMode::Write => options.write(true),
            OpenMode::CreateNew => options.write(true).create_new(true),
        };
        Ok(Box::new(OsFile(again(|| options.open(path))?)))
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        again(|| fs::create_dir_all(path))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<DirEntry>> {
        // A listing that was interrupted can't be gone on with: it is made again from its beginning.
        let listed = || fs::read_dir(dir)?.filter_map(|entry| entry_of(entry).transpose()).collect();
        let mut entries: Vec<DirEntry> = again(listed)?;
        entries.sort_unstable();
        Ok(entries)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        again(|| fs::rename(from, to))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        again(|| fs::remove_file(path))
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        Ok(rustix::fs::fsync(open_dir(dir)?)?)
    }

    fn free_bytes(&self, dir: &Path) -> io::Result<u64> {
        let stat = again(|| Ok(rustix::fs::statvfs(dir)?))?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }

    fn dir_id(&self, dir: &Path) -> io::Result<DirId> {
        let stat = again(|| Ok(rustix::fs::stat(dir)?))?;
        Ok(DirId(stat.st_dev, stat.st_ino))
    }

    fn lock_dir(&self, dir: &Path) -> io::Result<Option<Box<dyn DirLock>>> {
        flock_dir(dir, FlockOperation::NonBlockingLockExclusive)
    }

    fn share_dir(&self, dir: &Path) -> io::Result<Option<Box<dyn DirLock>>> {
        flock_dir(dir, FlockOperation::NonBlockingLockShared)
    }
}

/// `None` for a name that is not UTF-8.
fn entry_of(entry: io::Result<fs::DirEntry>) -> io::Result<Option<DirEntry>> {
    let entry = entry?;
    let Ok(name) = entry.file_name().into_string() else { return Ok(None) };
    Ok(Some(DirEntry { name, is_dir: entry.file_type()?.is_dir() }))
}

fn flock_dir(dir: &Path, operation: FlockOperation) -> io::Result<Option<Box<dyn DirLock>>> {
    let lock = LockFd::open(|| {
        let fd = open_dir(dir)?;
        let locked = again(|| match rustix::fs::flock(fd.as_fd(), operation) {
            Ok(()) => Ok(true),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(false),
            Err(errno) => Err(errno.into()),
        })?;
        Ok(locked.then_some(fd))
    })?;
    Ok(lock.map(|lock| Box::new(OsDirLock(lock)) as Box<dyn DirLock>))
}

impl DiskFile for OsFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        again(|| FileExt::read_at(&self.0, buffer, offset))
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        again(|| FileExt::write_at(&self.0, bytes, offset))
    }

    #[expect(unsafe_code, reason = "rustix leaves sync_file_range out")]
    fn begin_sync(&self, offset: u64, bytes: u64) {
        // SAFETY: the call touches no memory of ours, and the descriptor is open for as long as `self` is borrowed.
        // Its result says nothing that the sync does not: an error of writing out stays with the file until then.
        unsafe {
            libc::sync_file_range(
                self.0.as_raw_fd(),
                offset.cast_signed(),
                bytes.cast_signed(),
                libc::SYNC_FILE_RANGE_WRITE,
            );
        }
    }

    fn sync(&self) -> io::Result<()> {
        Ok(rustix::fs::fdatasync(&self.0)?)
    }

    fn bytes(&self) -> io::Result<u64> {
        Ok(again(|| self.0.metadata())?.len())
    }

    fn set_bytes(&self, bytes: u64) -> io::Result<()> {
        again(|| self.0.set_len(bytes))
    }

    fn allocate(&self, offset: u64, bytes: u64) -> io::Result<()> {
        let taken = again(|| Ok(rustix::fs::fallocate(&self.0, FallocateFlags::empty(), offset, bytes)?));
        match taken {
            Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => write_zeros(self, offset, bytes),
            taken => taken,
        }
    }

    fn map(&self) -> io::Result<Map> {
        Map::of_file(&self.0)
    }
}

fn write_zeros(file: &OsFile, offset: u64, bytes: u64) -> io::Result<()> {
    static ZEROS: [u8; 64 << 10] = [0; 64 << 10];
    let mut written = 0;
    while written < bytes {
        let piece = &ZEROS[..ZEROS.len().min(usize::try_from(bytes - written).unwrap_or(usize::MAX))];
        write_all_at(file, piece, offset + written).map_err(|short| short.error)?;
        written += piece.len() as u64;
    }
    Ok(())
}

fn open_dir(dir: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    again(|| Ok(rustix::fs::open(dir, flags, Mode::empty())?))
}

/// Calls again for as long as the call was only interrupted, or could not be made at the moment.
fn again<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    let mut tries = 0;
    loop {
        match call() {
            Err(error)
                if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock) && tries < TRIES_MAX =>
            {
                tries += 1;
                std::thread::yield_now();
            }
            other => return other,
        }
    }
}

/// The wall clock of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsClock;

impl Clock for OsClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let micros = match since {
            Ok(after) => i64::try_from(after.as_micros()).unwrap_or(i64::MAX),
            Err(before) => i64::try_from(before.duration().as_micros()).map_or(i64::MIN, |micros| -micros),
        };
        Timestamp(micros)
    }
}

/// The randomness of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsEntropy;

impl Entropy for OsEntropy {
    fn fill(&self, buffer: &mut [u8]) {
        let mut filled = 0;
        while filled < buffer.len() {
            match rustix::rand::getrandom(&mut buffer[filled..], rustix::rand::GetRandomFlags::empty()) {
                Ok(count) => filled += count,
                Err(rustix::io::Errno::INTR) => {}
                Err(errno) => panic!("the system gives no randomness: {errno}"),
            }
        }
    }
}

impl Process {
    /// This one, as it is called now.
    #[must_use]
    pub fn this() -> Process {
        let host = rustix::system::uname().nodename().to_string_lossy().replace('\n', " ");
        Process { id: std::process::id(), host }
    }
}

#[cfg(test)]
mod tests;
