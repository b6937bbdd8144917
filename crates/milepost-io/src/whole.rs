//! Whole reads and writes over calls that may do less than they were asked for; whole files replaced.

use std::{
    fmt,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

use crate::{Disk, DiskFile, Failure, Latch, OpenMode};

/// A write that came to an end early: `written` bytes are there, in what state is unknown beyond them.
#[derive(Debug)]
pub struct ShortWrite {
    /// Bytes that were written before the error.
    pub written: usize,
    /// What ended it.
    pub error: io::Error,
}

impl fmt::Display for ShortWrite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (after {} bytes)", self.error, self.written)
    }
}

impl std::error::Error for ShortWrite {}

/// Fills the buffer from `offset` on; an end of file inside it is an error.
pub fn read_exact_at(file: &dyn DiskFile, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    let read = read_some_at(file, buffer, offset)?;
    if read < buffer.len() {
        return Err(io::Error::new(ErrorKind::UnexpectedEof, format!("file ends at byte {}", offset + read as u64)));
    }
    Ok(())
}

/// Fills the buffer from `offset` on as far as the file goes; how many bytes it went.
pub fn read_some_at(file: &dyn DiskFile, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut read = 0;
    while read < buffer.len() {
        match file.read_at(&mut buffer[read..], offset + read as u64)? {
            0 => break,
            count => read += count,
        }
    }
    Ok(read)
}

/// Writes all bytes at `offset`, going on after short writes.
pub fn write_all_at(file: &dyn DiskFile, bytes: &[u8], offset: u64) -> Result<(), ShortWrite> {
    let mut written = 0;
    while written < bytes.len() {
        match file.write_at(&bytes[written..], offset + written as u64) {
            Ok(0) => {
                let error = io::Error::new(ErrorKind::WriteZero, "the system wrote nothing");
                return Err(ShortWrite { written, error });
            }
            Ok(count) => written += count,
            Err(error) => return Err(ShortWrite { written, error }),
        }
    }
    Ok(())
}

/// Reads a whole file.
pub fn read_file(disk: &dyn Disk, path: &Path) -> io::Result<Vec<u8>> {
    let file = disk.open(path, OpenMode::Read)?;
    let bytes = usize::try_from(file.bytes()?).map_err(|_| io::Error::from(ErrorKind::FileTooLarge))?;
    let mut buffer = vec![0; bytes];
    let read = read_some_at(&*file, &mut buffer, 0)?;
    buffer.truncate(read);
    Ok(buffer)
}

/// Why a file was not replaced.
#[derive(Debug)]
pub enum NotReplaced {
    /// The old file is in force; the same can be tried again.
    Refused {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The latch is tripped, now or since an earlier failure. If now, the old file may be there or the new one.
    Stopped(Failure),
}

/// The name under which the successor of a file is written, before it takes the file's name.
#[must_use]
pub fn next_name(path: &Path) -> PathBuf {
    let mut next = path.as_os_str().to_owned();
    next.push(".tmp");
    PathBuf::from(next)
}

/// Replaces a file as a whole, durably: written under [`next_name`], synced, renamed, and the directory synced. After a
/// crash at any moment the old file is there or the new one.
///
/// From the sync on an error is final and trips the latch. Before it nothing has changed.
pub fn write_file_atomically(disk: &dyn Disk, path: &Path, bytes: &[u8], latch: &Latch) -> Result<(), NotReplaced> {
    if let Some(failure) = latch.failure() {
        return Err(NotReplaced::Stopped(failure));
    }
    let next = next_name(path);
    let refused = |action: &'static str| move |source| NotReplaced::Refused { action, path: next_name(path), source };
    match disk.remove(&next) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(refused("remove")(error)),
        _ => {}
    }
    let file = disk.open(&next, OpenMode::CreateNew).map_err(refused("create"))?;
    write_all_at(&*file, bytes, 0).map_err(|short| {
        // On a full disk its room is needed. What can't be removed is removed by the next attempt.
        let _ = disk.remove(&next);
        refused("write")(short.error)
    })?;
    let stopped = |path: &Path, operation: &str, error: io::Error| {
        latch.trip(path, operation, &error);
        NotReplaced::Stopped(latch.failure().expect("tripped just now"))
    };
    file.sync().map_err(|error| stopped(&next, "sync", error))?;
    disk.rename(&next, path).map_err(|error| stopped(&next, "rename", error))?;
    let dir = directory_of(path);
    disk.sync_dir(dir).map_err(|error| stopped(dir, "sync", error))
}

/// The directory that a file's name stands in.
fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests;
