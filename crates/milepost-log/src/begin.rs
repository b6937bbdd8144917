//! Beginning a segment: a file gets its header, then its name, both durable before the first frame.
//!
//! Until its name is durable nothing refers to the file, so that an error leaves the log as it was. What each step's
//! error means:
//!
//! | step | no room | any other error |
//! | --- | --- | --- |
//! | open, write the header | refused: disk full | refused: write failed |
//! | sync the file | the log stops | the log stops |
//! | rename | refused: disk full | the log stops: the name may be there or not |
//! | sync the directory | the log stops | the log stops |

use std::{
    io,
    path::{Path, PathBuf},
};

use milepost_io::{Disk, DiskFile, Entropy, Failure, Latch, LatchedFile, OpenMode, Room, write_all_at};

use crate::{
    AppendError,
    format::header::{SEGMENT_HEADER_BYTES, SegmentHeader},
    names,
    recycle::Spare,
};

/// Salts for new segments: a stream that begins at random, so that it needs no source of randomness later.
#[derive(Debug)]
pub(crate) struct Salts(u64);

impl Salts {
    pub(crate) fn new(entropy: &dyn Entropy) -> Salts {
        let mut seed = [0; 8];
        entropy.fill(&mut seed);
        Salts(u64::from_le_bytes(seed))
    }

    /// Another stream.
    pub(crate) fn apart(&mut self) -> Salts {
        Salts(self.next())
    }

    /// The next salt (splitmix64).
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

/// A segment that was just begun.
#[derive(Debug)]
pub(crate) struct Begun {
    pub(crate) file: LatchedFile,
    pub(crate) path: PathBuf,
    /// Size of the file: the spare's, or the header's.
    pub(crate) file_bytes: u64,
}

/// Begins a segment, in a spare if there is one.
pub(crate) fn begin_segment(
    disk: &dyn Disk,
    log_dir: &Path,
    latch: &Latch,
    header: &SegmentHeader,
    spare: Option<Spare>,
) -> Result<Begun, AppendError> {
    let begun = begin_unsynced(disk, log_dir, latch, header, spare, |file, path| {
        file.sync().map_err(|error| stopped(latch, path, "sync", &error))
    })?;
    // Left out on purpose in a build that must be found out: docs/reliability.md.
    if !cfg!(milepost_without = "dir_sync") {
        disk.sync_dir(log_dir).map_err(|error| stopped(latch, log_dir, "sync", &error))?;
    }
    Ok(begun)
}

/// The same, but that neither its header nor its name is durable yet. Only in a log that nobody opens before both are.
pub(crate) fn begin_for_later(
    disk: &dyn Disk,
    log_dir: &Path,
    latch: &Latch,
    header: &SegmentHeader,
    spare: Option<Spare>,
) -> Result<Begun, AppendError> {
    begin_unsynced(disk, log_dir, latch, header, spare, |_, _| Ok(()))
}

fn begin_unsynced(
    disk: &dyn Disk,
    log_dir: &Path,
    latch: &Latch,
    header: &SegmentHeader,
    spare: Option<Spare>,
    before_it_is_named: impl FnOnce(&LatchedFile, &Path) -> Result<(), AppendError>,
) -> Result<Begun, AppendError> {
    let path = names::segment(log_dir, header.name());
    let refused = |from: &Path, operation, error: &io::Error| {
        // What is left of it is junk that the next opening removes, if this does not.
        let _ = disk.remove(from);
        refusal(disk, log_dir, from, operation, error)
    };
    let (from, file, file_bytes) = match spare {
        Some(Spare { path, file, bytes }) => (path, file, bytes),
        None => {
            let from = names::new_segment(log_dir, header.name());
            let file = create(disk, &from).map_err(|error| refusal(disk, log_dir, &from, "create", &error))?;
            (from, file, SEGMENT_HEADER_BYTES as u64)
        }
    };
    let file = LatchedFile::new(file, &path, latch);
    write_all_at(&file, &header.encode(), 0).map_err(|short| refused(&from, "write", &short.error))?;
    before_it_is_named(&file, &path)?;
    if let Err(error) = disk.rename(&from, &path) {
        if Room::is_lacking(&error) {
            return Err(refused(&from, "rename", &error));
        }
        return Err(stopped(latch, &path, "rename", &error));
    }
    Ok(Begun { file, path, file_bytes })
}

/// Creates a file, in place of one that an attempt which failed has left.
pub(crate) fn create(disk: &dyn Disk, path: &Path) -> io::Result<Box<dyn DiskFile>> {
    match disk.open(path, OpenMode::CreateNew) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            disk.remove(path)?;
            disk.open(path, OpenMode::CreateNew)
        }
        opened => opened,
    }
}

/// The error of something that was refused and changed nothing.
pub(crate) fn refusal(
    disk: &dyn Disk,
    log_dir: &Path,
    file: &Path,
    operation: &'static str,
    error: &io::Error,
) -> AppendError {
    if let Some(free) = Room::lacking(disk, log_dir, error) {
        return AppendError::DiskFull { need: SEGMENT_HEADER_BYTES as u64, free };
    }
    AppendError::Write(Failure::new(file, operation, &error.to_string()))
}

/// The error of something that leaves the log in doubt: it stops.
pub(crate) fn stopped(latch: &Latch, file: &Path, operation: &'static str, error: &io::Error) -> AppendError {
    latch.trip(file, operation, error);
    AppendError::Stopped(latch.failure().unwrap_or_else(|| Failure::new(file, operation, &error.to_string())))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the reference implementation of splitmix64 gives for 0.
    #[test]
    fn salts_are_those_of_the_reference() {
        let mut salts = Salts(0);
        let expected = [0xe220_a839_7b1d_cdaf, 0x6e78_9e6a_a1b9_65f4, 0x06c4_5d18_8009_454f];
        assert_eq!(expected.map(|_| salts.next()), expected);
    }
}
