//! [`Map`]: the bytes of a file that nobody changes any more. All memory maps of the project are made here.
//!
//! Invariant: only a sealed file is mapped, and a mapped file is never written, cut or grown (decision record 1). A
//! page that can't be read is an error for whoever asks with [`Map::check_readable`] before touching it, and the end of
//! the process for whoever does not (decision record 12).

mod probe;

use std::{
    fmt,
    fs::File,
    io,
    ops::{Deref, Range},
    sync::Arc,
};

use thiserror::Error;

/// The smallest page of any system: a page that fails is met by one byte in each of these.
const PAGE_BYTES: usize = 4096;

/// Bytes of which any disk is asked in one question.
const ASKED_BYTES: usize = 128 << 10;

/// The bytes of a sealed file.
#[derive(Clone)]
pub struct Map(Source);

#[derive(Clone)]
enum Source {
    File(Arc<memmap2::Mmap>),
    Heap(Arc<Vec<u8>>),
}

/// A page of a map can't be read: the disk fails, or the file was cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the page at byte {at} can't be read: the disk fails, or the file was cut")]
pub struct Unreadable {
    /// Where in the file.
    pub at: usize,
}

impl Map {
    /// Bytes of a window: as much as one read of a disk is worth, and little beside what is then read of it.
    pub const WINDOW_BYTES: usize = 1 << 20;

    /// Bytes that a processor maps at once, if the system holds them as one piece; elsewhere it is a number like any.
    pub const HUGE_PAGE_BYTES: usize = 2 << 20;

    /// Maps a whole file for reading.
    #[expect(unsafe_code, reason = "memory maps are made in this file alone")]
    pub(crate) fn of_file(file: &File) -> io::Result<Map> {
        probe::prepare();
        // SAFETY: callers of `DiskFile::map` promise that nobody changes the file any more; the log upholds it by
        // mapping sealed segments only, of a store that this process's lock or the writer's seal protects.
        let map = unsafe { memmap2::Mmap::map(file)? };
        Ok(Map(Source::File(Arc::new(map))))
    }

    /// A map of bytes that are in memory already: what the simulated disk gives.
    #[must_use]
    pub fn of_bytes(bytes: Vec<u8>) -> Map {
        Map::of_shared(Arc::new(bytes))
    }

    /// A map of bytes that are shared already, without a copy.
    pub(crate) fn of_shared(bytes: Arc<Vec<u8>>) -> Map {
        Map(Source::Heap(bytes))
    }

    /// Tells the system that this file is read here and there: what is not in memory is then read from the disk as it
    /// is touched, and nothing around it, which in a store larger than memory would push out what others need. Who
    /// reads on says so with [`Map::will_need`] or [`Map::will_read_on`].
    pub fn is_read_at_random(&self) {
        // Advice that is not taken changes nothing but the time of a read. The same below.
        if let Source::File(map) = &self.0 {
            let _ = map.advise(memmap2::Advice::Random);
        }
    }

    /// Asks the system to read these bytes, in as few reads of the disk as it can, if they are not in memory; waits for
    /// nothing. What lies beyond the map is not asked for.
    pub fn will_need(&self, range: Range<usize>) {
        let Source::File(map) = &self.0 else { return };
        let end = range.end.min(map.len());
        if range.start >= end {
            return;
        }
        let _ = map.advise_range(memmap2::Advice::WillNeed, range.start, end - range.start);
        // Of one question the system takes no more than the disk is set to read ahead, or takes in one read: 128 KiB of
        // many. So it is asked for the rest again, in pieces; what is there or on its way is not read twice.
        for at in (range.start + ASKED_BYTES..end).step_by(ASKED_BYTES) {
            let _ = map.advise_range(memmap2::Advice::WillNeed, at, ASKED_BYTES.min(end - at));
        }
    }

    /// Said by whoever goes through the file from one end to the other, of each piece that is about to be read: where
    /// one leads into another window, that one is asked for and the next. Whoever began in the middle of a file has so
    /// nothing ahead of him for a window at most.
    #[inline]
    pub fn will_read_on(&self, piece: Range<usize>) {
        let (first, last) = (piece.start / Self::WINDOW_BYTES, piece.end / Self::WINDOW_BYTES);
        if first < last {
            self.will_need((first + 1) * Self::WINDOW_BYTES..(last + 2) * Self::WINDOW_BYTES);
        }
    }

    /// The same, as the reading begins.
    pub fn will_read_from(&self, at: usize) {
        self.will_need(at..(at / Self::WINDOW_BYTES + 2) * Self::WINDOW_BYTES);
    }

    /// Whether these bytes can be read now: to be asked right before they are, every time. What lies beyond the map is
    /// not asked about.
    ///
    /// A byte of each page is read, so whoever reads them next finds them in memory.
    #[inline]
    pub fn check_readable(&self, range: Range<usize>) -> Result<(), Unreadable> {
        if range.start < range.end {
            self.check_byte_readable(range.start)?;
        }
        self.check_readable_beyond(range.start, range.end)
    }

    /// The same of one byte, and so of all in its page.
    #[inline]
    pub fn check_byte_readable(&self, at: usize) -> Result<(), Unreadable> {
        match &self.0 {
            Source::File(map) if at < map.len() && !probe::can_read(map, at) => Err(Unreadable { at }),
            Source::File(_) | Source::Heap(_) => Ok(()),
        }
    }

    /// The same of the pages behind that of byte `at`, up to byte `end`.
    #[inline]
    pub fn check_readable_beyond(&self, at: usize, end: usize) -> Result<(), Unreadable> {
        let Source::File(map) = &self.0 else { return Ok(()) };
        let mut at = next_page(at);
        while at < end.min(map.len()) {
            if !probe::can_read(map, at) {
                return Err(Unreadable { at });
            }
            at = next_page(at);
        }
        Ok(())
    }
}

#[inline]
fn next_page(at: usize) -> usize {
    (at / PAGE_BYTES + 1) * PAGE_BYTES
}

impl Deref for Map {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Source::File(map) => map,
            Source::Heap(bytes) => bytes,
        }
    }
}

impl fmt::Debug for Map {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Map({} bytes)", self.len())
    }
}

#[cfg(test)]
mod tests;
