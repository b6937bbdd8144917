//! [`Bytes`]: a file as far as the disk gives it; what it does not give stands there as zeros, and is known.

use std::{ops::Range, path::Path};

use milepost_io::{Disk, DiskFile, OpenMode, read_some_at};

use crate::LogError;

/// Bytes read at once, and those given up at once.
const BLOCK_BYTES: usize = 64 << 10;
const PAGE_BYTES: usize = 4 << 10;

/// What could be read of a file.
pub(super) struct Bytes {
    pub(super) bytes: Vec<u8>,
    /// What could not.
    unreadable: Vec<Range<usize>>,
}

impl Bytes {
    /// All of it.
    pub(super) fn read(disk: &dyn Disk, path: &Path) -> Result<Bytes, LogError> {
        Bytes::begin(disk, path, usize::MAX)
    }

    /// Bytes that are in memory already.
    pub(super) fn of(bytes: Vec<u8>) -> Bytes {
        Bytes { bytes, unreadable: Vec::new() }
    }

    /// The first bytes.
    pub(super) fn begin(disk: &dyn Disk, path: &Path, most: usize) -> Result<Bytes, LogError> {
        let file = disk.open(path, OpenMode::Read).map_err(LogError::io("open", path))?;
        let bytes = file.bytes().map_err(LogError::io("read the size of", path))?;
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX).min(most);
        let mut read = Bytes { bytes: vec![0; bytes], unreadable: Vec::new() };
        for begin in (0..bytes).step_by(BLOCK_BYTES) {
            let end = bytes.min(begin + BLOCK_BYTES);
            if read_some_at(&*file, &mut read.bytes[begin..end], begin as u64).is_err() {
                read.pages(&*file, begin..end);
            }
        }
        Ok(read)
    }

    fn pages(&mut self, file: &dyn DiskFile, block: Range<usize>) {
        for begin in block.clone().step_by(PAGE_BYTES) {
            let page = begin..block.end.min(begin + PAGE_BYTES);
            self.bytes[page.clone()].fill(0);
            if read_some_at(file, &mut self.bytes[page.clone()], begin as u64).is_err() {
                self.bytes[page.clone()].fill(0);
                self.unreadable.push(page);
            }
        }
    }

    /// Whether something from an offset on could not be read.
    pub(super) fn is_unreadable_from(&self, at: usize) -> bool {
        self.unreadable.iter().any(|range| range.end > at)
    }
}
