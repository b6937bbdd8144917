//! [`File`]: the content of one file, as reads see it and as a power loss would leave it.
//!
//! Invariant: `durable` with all of `unsynced` applied in order is what a sync makes durable; that is `cached`, unless
//! a failed sync dropped changes. Bytes are shared between disks until one of them writes: a crash copies no file that
//! was not being changed.
//!
//! Knows nothing of names, and nothing of how it is decided what a crash keeps: that is asked unit by unit.

use std::{ops::Range, sync::Arc};

/// What a disk writes at once: it is there whole, or not at all.
pub(super) const SECTOR_BYTES: usize = 512;
/// Larger files are refused, so that a wild offset in a test does not eat the memory.
pub(super) const FILE_BYTES_MAX: u64 = 1 << 30;

/// The content of a file.
#[derive(Clone, Debug, Default)]
pub(super) struct File {
    /// What reads see.
    cached: Arc<Vec<u8>>,
    /// What the disk holds for sure.
    durable: Arc<Vec<u8>>,
    /// What was changed since the last sync, in order.
    unsynced: Vec<Change>,
    /// Size of `durable` with all of `unsynced` applied.
    size_to_sync: usize,
    /// Parts of `cached` that were never written and take no room; in order, apart from each other. After a crash all
    /// room counts as taken.
    holes: Vec<Range<usize>>,
}

#[derive(Clone, Debug)]
struct Change {
    /// Position among all changes of the disk.
    stamp: u64,
    what: What,
}

#[derive(Clone, Debug)]
enum What {
    Bytes { offset: usize, bytes: Box<[u8]> },
    Size(usize),
}

/// One thing that a crash keeps or loses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unit {
    /// Position among all changes of the disk.
    pub(super) stamp: u64,
    /// Position among the units of the file.
    pub(super) index: usize,
    pub(super) what: Of,
}

/// What a unit is one of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    /// The sectors of an unsynced write.
    Sector,
    /// The new sizes of the file, and which of them. The size is one number in one place: if one is lost, so are all
    /// later.
    Size { nth: usize },
}

impl File {
    /// A file that is durable as it is.
    pub(super) fn durable(bytes: Arc<Vec<u8>>) -> File {
        File { cached: Arc::clone(&bytes), size_to_sync: bytes.len(), durable: bytes, ..File::default() }
    }

    pub(super) fn cached(&self) -> &Arc<Vec<u8>> {
        &self.cached
    }

    pub(super) fn durable_bytes(&self) -> &Arc<Vec<u8>> {
        &self.durable
    }

    pub(super) fn bytes(&self) -> usize {
        self.cached.len()
    }

    /// Bytes that take room.
    pub(super) fn used_bytes(&self) -> u64 {
        let holes: usize = self.holes.iter().map(Range::len).sum();
        (self.cached.len() - holes) as u64
    }

    /// How much of a write there is room for: what is there already needs none.
    pub(super) fn fitting(&self, offset: usize, bytes: usize, room: u64) -> usize {
        let mut room = usize::try_from(room).unwrap_or(usize::MAX);
        let end = offset + bytes;
        let beyond = self.cached.len()..usize::MAX;
        for hole in self.holes.iter().chain([&beyond]) {
            let (from, to) = (hole.start.max(offset), hole.end.min(end));
            let needed = to.saturating_sub(from);
            if needed > room {
                return from + room - offset;
            }
            room -= needed;
        }
        bytes
    }

    pub(super) fn read(&self, buffer: &mut [u8], offset: u64) -> usize {
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(self.cached.len());
        let count = buffer.len().min(self.cached.len() - from);
        buffer[..count].copy_from_slice(&self.cached[from..from + count]);
        count
    }

    pub(super) fn write(&mut self, stamp: u64, bytes: &[u8], offset: usize) {
        if bytes.is_empty() {
            return;
        }
        let end = offset + bytes.len();
        if offset > self.cached.len() {
            self.holes.push(self.cached.len()..offset);
        }
        self.fill_holes(offset..end);
        put(Arc::make_mut(&mut self.cached), bytes, offset, usize::MAX);
        if end > self.size_to_sync {
            self.size_to_sync = end;
            self.unsynced.push(Change { stamp, what: What::Size(end) });
        }
        self.unsynced.push(Change { stamp, what: What::Bytes { offset, bytes: bytes.into() } });
    }

    fn fill_holes(&mut self, written: Range<usize>) {
        if self.holes.is_empty() {
            return;
        }
        let rest =
            |hole: Range<usize>| [hole.start..hole.end.min(written.start), hole.start.max(written.end)..hole.end];
        let holes = std::mem::take(&mut self.holes);
        self.holes = holes.into_iter().flat_map(rest).filter(|hole| !hole.is_empty()).collect();
    }

    pub(super) fn set_bytes(&mut self, stamp: u64, bytes: usize) {
        if bytes > self.cached.len() {
            self.holes.push(self.cached.len()..bytes);
        } else {
            self.fill_holes(bytes..usize::MAX);
        }
        Arc::make_mut(&mut self.cached).resize(bytes, 0);
        self.size_to_sync = bytes;
        self.unsynced.push(Change { stamp, what: What::Size(bytes) });
    }

    /// The file ends there from now on, and takes the room for it.
    pub(super) fn allocate(&mut self, stamp: u64, bytes: usize) {
        self.set_bytes(stamp, bytes);
        self.holes.clear();
    }

    pub(super) fn sync(&mut self) {
        if self.unsynced.is_empty() {
            return;
        }
        let durable = Arc::make_mut(&mut self.durable);
        for change in self.unsynced.drain(..) {
            match change.what {
                What::Bytes { offset, bytes } => put(durable, &bytes, offset, durable.len()),
                What::Size(bytes) => durable.resize(bytes, 0),
            }
        }
    }

    /// A failed sync after which the kernel takes the file for clean: reads see what was written, the disk does not,
    /// unless it is written once more. (The kernel would write a whole page anew with its next change, if it had not
    /// thrown the page away before: the worse of the two is what happens here.)
    pub(super) fn drop_unsynced(&mut self) {
        self.unsynced.clear();
        self.size_to_sync = self.durable.len();
    }

    /// How many units a crash may keep or lose.
    pub(super) fn units(&self) -> usize {
        self.unsynced.iter().map(Change::units).sum()
    }

    /// How many of them are new sizes.
    pub(super) fn sizes(&self) -> usize {
        self.unsynced.iter().filter(|change| matches!(change.what, What::Size(_))).count()
    }

    /// The stamp of each unit, in order.
    pub(super) fn unit_stamps(&self) -> impl Iterator<Item = u64> {
        self.unsynced.iter().flat_map(|change| std::iter::repeat_n(change.stamp, change.units()))
    }

    /// What the disk holds after a crash that keeps the units that `keeps` says; it is asked for each in order.
    pub(super) fn after_crash(&self, keeps: &mut dyn FnMut(Unit) -> bool) -> Arc<Vec<u8>> {
        if self.unsynced.is_empty() {
            return Arc::clone(&self.durable);
        }
        let mut found = Vec::with_capacity(self.durable.len().max(self.size_to_sync));
        found.extend_from_slice(&self.durable);
        let (mut index, mut nth, mut sizes_kept) = (0, 0, true);
        for Change { stamp, what } in &self.unsynced {
            let stamp = *stamp;
            match what {
                What::Size(bytes) => {
                    sizes_kept &= keeps(Unit { stamp, index, what: Of::Size { nth } });
                    if sizes_kept {
                        found.resize(*bytes, 0);
                    }
                    nth += 1;
                    index += 1;
                }
                What::Bytes { offset, bytes } => {
                    for (begin, end) in sectors(*offset, bytes.len()) {
                        if keeps(Unit { stamp, index, what: Of::Sector }) {
                            let size = found.len();
                            put(&mut found, &bytes[begin - offset..end - offset], begin, size);
                        }
                        index += 1;
                    }
                }
            }
        }
        Arc::new(found)
    }

    /// Changes what is there, on the disk and on its way there, without anybody writing.
    pub(super) fn flip_bit(&mut self, bit: u64) {
        let byte = (bit / 8) as usize;
        let mask = 1 << (bit % 8);
        Arc::make_mut(&mut self.cached)[byte] ^= mask;
        if byte < self.durable.len() {
            Arc::make_mut(&mut self.durable)[byte] ^= mask;
        }
        for change in &mut self.unsynced {
            if let What::Bytes { offset, bytes } = &mut change.what
                && let Some(byte) = byte.checked_sub(*offset).and_then(|byte| bytes.get_mut(byte))
            {
                *byte ^= mask;
            }
        }
    }

    /// Cuts what is there, on the disk and on its way there.
    pub(super) fn truncate(&mut self, bytes: usize) {
        self.fill_holes(bytes..usize::MAX);
        Arc::make_mut(&mut self.cached).truncate(bytes);
        Arc::make_mut(&mut self.durable).truncate(bytes);
        for change in &mut self.unsynced {
            match &mut change.what {
                What::Size(size) => *size = bytes.min(*size),
                What::Bytes { offset, bytes: written } => {
                    let kept = bytes.saturating_sub(*offset).min(written.len());
                    *written = written[..kept].into();
                }
            }
        }
        self.size_to_sync = self.size_to_sync.min(bytes);
    }
}

impl Change {
    fn units(&self) -> usize {
        match &self.what {
            What::Bytes { bytes, .. } if bytes.is_empty() => 0,
            What::Bytes { offset, bytes } => (offset + bytes.len()).div_ceil(SECTOR_BYTES) - offset / SECTOR_BYTES,
            What::Size(_) => 1,
        }
    }
}

/// Writes into bytes, growing them with zeros, up to `end_max`; what is beyond is lost.
fn put(into: &mut Vec<u8>, bytes: &[u8], offset: usize, end_max: usize) {
    let end = (offset + bytes.len()).min(end_max);
    let Some(count) = end.checked_sub(offset) else { return };
    if offset == into.len() {
        into.extend_from_slice(&bytes[..count]);
        return;
    }
    if end > into.len() {
        into.resize(end, 0);
    }
    into[offset..end].copy_from_slice(&bytes[..count]);
}

/// Begin and end of what a write puts into each sector.
fn sectors(offset: usize, bytes: usize) -> impl Iterator<Item = (usize, usize)> {
    let end = offset + bytes;
    let mut begin = offset;
    std::iter::from_fn(move || {
        let next = (begin / SECTOR_BYTES + 1) * SECTOR_BYTES;
        let part = (begin, next.min(end));
        begin = part.1;
        (part.0 < part.1).then_some(part)
    })
}
