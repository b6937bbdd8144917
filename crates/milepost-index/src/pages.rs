//! [`Pages`]: the bytes of a run, each checked before it is used.
//!
//! Invariant: [`Pages::bytes`] is the only way to the bytes of a section, and gives only those of pages whose checksum
//! was found right since the map was made. A bit for each page remembers it, so later reads cost no checksum. Whether a
//! page can be read is asked every time: it may have left memory since.
//!
//! What is not in memory is read from the disk a window at a time, the first time that anything in it is asked for: one
//! read of the disk then does for the many look-ups that end near each other, whatever the system is set to read ahead.
//! After that only what is asked for is read, so that a run of a store that is larger than memory pushes out little.

use std::sync::atomic::{AtomicU64, Ordering};

use milepost_io::{Map, Unreadable, prefetch};

use crate::format::{
    Malformed, PAGE_BYTES,
    meta::{Section, Tail},
    u32_at,
};

/// Damage, and where in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Damage {
    pub(crate) at: u64,
    pub(crate) what: &'static str,
}

impl Damage {
    /// Damage in what begins at `at`; to be used in `map_err`.
    pub(crate) fn at(at: u64) -> impl FnOnce(Malformed) -> Damage {
        move |Malformed(what)| Damage { at, what }
    }
}

/// A page that can't be read.
fn unreadable(fault: Unreadable) -> Damage {
    Damage { at: fault.at as u64, what: "a page can't be read: the disk fails, or the file was cut" }
}

/// Bytes of a line of the processor's cache.
pub(crate) const CACHE_LINE_BYTES: usize = 64;

/// Pages of a window, and the words of their bits.
const WINDOW_PAGES: usize = Map::WINDOW_BYTES / PAGE_BYTES;
const WINDOW_WORDS: usize = WINDOW_PAGES / 64;
const _: () =
    assert!(WINDOW_WORDS > 0 && WINDOW_PAGES.is_multiple_of(64) && Map::WINDOW_BYTES.is_multiple_of(PAGE_BYTES));

/// The pages of a run.
#[derive(Debug)]
pub(crate) struct Pages {
    map: Map,
    /// Where the page checksums begin: the end of what can be read.
    table_at: usize,
    /// One bit per page: whether it was checked since the map was made. Set by any reader, never cleared. The map does
    /// not change, so the order in which threads see the bits does not matter: relaxed.
    checked: Box<[AtomicU64]>,
}

impl Pages {
    pub(crate) fn new(map: Map, tail: &Tail) -> Pages {
        let checked = (0..tail.pages.div_ceil(64)).map(|_| AtomicU64::new(0)).collect();
        Pages { map, table_at: tail.table_at, checked }
    }

    /// So many bytes of a section, from `at` in it on.
    #[inline]
    pub(crate) fn bytes(&self, section: Section, at: u64, count: u64) -> Result<&[u8], Damage> {
        let fits = at.checked_add(count).is_some_and(|end| end <= section.bytes);
        if !fits {
            return Err(Damage { at: section.at.saturating_add(at), what: "something leads out of its section" });
        }
        if count == 0 {
            return Ok(&[]);
        }
        // Sections end before the page checksums, which the opening found inside the map.
        let (begin, end) = ((section.at + at) as usize, (section.at + at + count) as usize);
        let (first, last) = (begin / PAGE_BYTES, (end - 1) / PAGE_BYTES);
        self.check_once(first)?;
        if first < last {
            self.check_behind(first, end)?;
        }
        self.map.check_byte_readable(begin).map_err(unreadable)?;
        Ok(&self.map[begin..end])
    }

    /// The pages behind one, up to byte `end`: apart, so that what lies in one page, as nearly everything does, costs
    /// no loops.
    #[inline(never)]
    fn check_behind(&self, first: usize, end: usize) -> Result<(), Damage> {
        for page in first + 1..=(end - 1) / PAGE_BYTES {
            self.check_once(page)?;
        }
        self.map.check_readable_beyond(first * PAGE_BYTES, end).map_err(unreadable)
    }

    /// Checks a page if that was not done before.
    #[inline]
    fn check_once(&self, page: usize) -> Result<(), Damage> {
        let is_checked = self.checked[page / 64].load(Ordering::Relaxed) & 1 << (page % 64) != 0;
        if is_checked { Ok(()) } else { self.check(page) }
    }

    /// At most so many bytes of a section, from `at` in it on: fewer where it ends.
    #[inline]
    pub(crate) fn bytes_up_to(&self, section: Section, at: u64, count_max: u64) -> Result<&[u8], Damage> {
        self.bytes(section, at, section.bytes.saturating_sub(at).min(count_max))
    }

    /// Asks the processor for lines of its cache, the first of them that of byte `at` of a section. Waits for nothing,
    /// and says nothing of what is damaged or can't be read.
    #[inline]
    pub(crate) fn aim(&self, section: Section, at: u64, lines: usize) {
        for line in 0..lines {
            prefetch(&self.map, (section.at + at) as usize + line * CACHE_LINE_BYTES);
        }
    }

    /// How many pages were checked.
    #[cfg(test)]
    pub(crate) fn checked_count(&self) -> u32 {
        self.checked.iter().map(|bits| bits.load(Ordering::Relaxed).count_ones()).sum()
    }

    /// Checks every page, whether or not it was checked before.
    pub(crate) fn check_all(&self) -> Result<(), Damage> {
        self.map.will_read_from(0);
        for page in 0..self.table_at.div_ceil(PAGE_BYTES) {
            self.map.will_read_on(page * PAGE_BYTES..(page + 1) * PAGE_BYTES);
            self.check(page)?;
        }
        Ok(())
    }

    /// Checks a page, whether or not it was checked before.
    #[cold]
    pub(crate) fn check(&self, page: usize) -> Result<(), Damage> {
        let at = page * PAGE_BYTES;
        if self.is_window_untouched(page) {
            let begin = page / WINDOW_PAGES * Map::WINDOW_BYTES;
            self.map.will_need(begin..begin + Map::WINDOW_BYTES);
        }
        let (end, crc_at) = (self.table_at.min(at + PAGE_BYTES), self.table_at + 4 * page);
        let readable = self.map.check_readable(at..end).and_then(|()| self.map.check_readable(crc_at..crc_at + 4));
        readable.map_err(unreadable)?;
        let bytes = &self.map[at..end];
        if crc32fast::hash(bytes) != u32_at(&self.map, crc_at) {
            return Err(Damage { at: at as u64, what: "page checksum mismatch" });
        }
        self.checked[page / 64].fetch_or(1 << (page % 64), Ordering::Relaxed);
        Ok(())
    }

    /// Whether no page of the window of this one was checked yet.
    fn is_window_untouched(&self, page: usize) -> bool {
        let first = page / WINDOW_PAGES * WINDOW_WORDS;
        let words = &self.checked[first..self.checked.len().min(first + WINDOW_WORDS)];
        words.iter().all(|word| word.load(Ordering::Relaxed) == 0)
    }

    /// Said by whoever goes through a part of the file, of each piece that was read: see [`Map::will_read_on`].
    #[inline]
    pub(crate) fn will_read_on(&self, at: u64, piece: &[u8]) {
        self.map.will_read_on(at as usize..at as usize + piece.len());
    }
}

#[cfg(test)]
mod tests;
