//! [`Output`]: the run's file, written from its beginning to its end.
//!
//! Invariant: every byte written before the page checksums is in the checksum of its page.

use std::path::{Path, PathBuf};

use milepost_io::{DiskFile, Map, write_all_at};

use super::files::Files;
use crate::{
    BuildError,
    format::{PAGE_BYTES, SECTION_ALIGN_BYTES},
};

/// Bytes of one write, each at a multiple of it: one huge page. Where the file system keeps what is written so as one,
/// a map of the run has it as one: a look-up somewhere in it does not have to find a small page among many first.
const BUFFER_BYTES: usize = Map::HUGE_PAGE_BYTES;

/// Bytes after which what was written is made durable: so the last sync of a long file is as short as that of any, and
/// does not hold up the syncs of others.
const SYNC_BYTES: u64 = 16 << 20;

/// The file of a run that is being built.
#[derive(Debug)]
pub(super) struct Output {
    file: Box<dyn DiskFile>,
    path: PathBuf,
    buffer: Vec<u8>,
    /// Bytes in the file, and how many of them are durable.
    written: u64,
    synced: u64,
    /// Checksum of the page that was begun.
    page: crc32fast::Hasher,
    /// Bytes of that page.
    page_bytes: usize,
    page_crcs: Vec<u32>,
}

impl Output {
    pub(super) fn create(files: &mut Files) -> Result<Output, BuildError> {
        let (file, path) = files.create("")?;
        let buffer = Vec::with_capacity(BUFFER_BYTES);
        let page = crc32fast::Hasher::new();
        Ok(Output { file, path, buffer, written: 0, synced: 0, page, page_bytes: 0, page_crcs: Vec::new() })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes so far.
    pub(super) fn bytes(&self) -> u64 {
        self.written + self.buffer.len() as u64
    }

    /// Appends bytes that a page checksum covers.
    pub(super) fn put(&mut self, mut bytes: &[u8], files: &Files) -> Result<(), BuildError> {
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(PAGE_BYTES - self.page_bytes));
            self.page.update(now);
            self.page_bytes += now.len();
            if self.page_bytes == PAGE_BYTES {
                self.end_page();
            }
            self.append(now, files)?;
            bytes = later;
        }
        Ok(())
    }

    fn end_page(&mut self) {
        let page = std::mem::take(&mut self.page);
        self.page_crcs.push(page.finalize());
        self.page_bytes = 0;
    }

    /// Zeros up to where a section may begin.
    pub(super) fn align(&mut self, files: &Files) -> Result<(), BuildError> {
        let zeros = self.bytes().next_multiple_of(SECTION_ALIGN_BYTES as u64) - self.bytes();
        self.put(&[0; SECTION_ALIGN_BYTES][..zeros as usize], files)
    }

    /// Ends the last page: the checksums of all pages.
    pub(super) fn finish_pages(&mut self) -> &[u32] {
        if self.page_bytes > 0 {
            self.end_page();
        }
        &self.page_crcs
    }

    /// Appends bytes behind the pages.
    pub(super) fn append(&mut self, bytes: &[u8], files: &Files) -> Result<(), BuildError> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= BUFFER_BYTES { self.flush(files) } else { Ok(()) }
    }

    fn flush(&mut self, files: &Files) -> Result<(), BuildError> {
        let need = self.buffer.len() as u64;
        write_all_at(&*self.file, &self.buffer, self.written)
            .map_err(|short| files.failure("write", &self.path, need, short.error))?;
        self.written += need;
        self.buffer.clear();
        if self.written - self.synced >= SYNC_BYTES { self.sync_file(files) } else { Ok(()) }
    }

    fn sync_file(&mut self, files: &Files) -> Result<(), BuildError> {
        self.synced = self.written;
        self.file.sync().map_err(|error| files.failure("sync", &self.path, 0, error))
    }

    /// Writes what is left, and makes the file durable.
    pub(super) fn sync(&mut self, files: &Files) -> Result<(), BuildError> {
        self.flush(files)?;
        self.sync_file(files)
    }
}
