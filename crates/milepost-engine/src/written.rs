//! [`Written`]: how much was written to the files of a store, and for how many bytes of commits. [`Meters`] count it.
//!
//! Invariant: counted where files are written, byte by byte as the system takes them, from the moment that a store is
//! opened for writing. Counting is an addition beside a system call, and in nobody's way.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use milepost_io::{Disk, Meter, Metered};

use crate::{Parts, index::INDEX, manifest::WrittenRow, open::LOG};

/// Bytes that were written to a store's files, of one opening for writing.
///
/// What is counted is what the store gives to the system to write. Not counted: room that is taken without being
/// written (`RESERVE`), the note in `LOCK`, names, what a backup brings elsewhere, and what the file system writes for
/// itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Written {
    /// Bytes of the frames of commits, appended one behind the other: what had to be written. Each with what fills it
    /// up to the next; behind the last one that is not written yet.
    pub frame_bytes: u64,
    /// Bytes written to files of the log: frames, headers and footers, zeros ahead of frames, files that are zeroed to
    /// be used again, and segments that are written anew.
    pub log_bytes: u64,
    /// Bytes written to files of the index: runs, runs merged, runs written anew, and what is put aside meanwhile.
    pub index_bytes: u64,
    /// Bytes written to other files of the store: MANIFEST above all.
    pub other_bytes: u64,
}

impl Written {
    /// All bytes that were written.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        // One that reads is told by a file.
        self.log_bytes.saturating_add(self.index_bytes).saturating_add(self.other_bytes)
    }

    /// Write amplification: how many bytes were written for one of a commit's frame; `None` before the first commit.
    #[must_use]
    pub fn amplification(&self) -> Option<f64> {
        (self.frame_bytes > 0).then(|| self.bytes() as f64 / self.frame_bytes as f64)
    }
}

/// What counts it while a store is open. A clone counts the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Meters {
    frames: Arc<AtomicU64>,
    log: Meter,
    index: Meter,
    other: Meter,
}

impl Meters {
    /// Meters of a store, and the parts by which what is written to it is counted.
    pub(crate) fn of(parts: &Parts, dir: &Path) -> (Parts, Meters) {
        let meters = Meters::default();
        let places = [(dir.join(LOG), &meters.log), (dir.join(INDEX), &meters.index), (dir.to_owned(), &meters.other)];
        let places = places.map(|(dir, meter)| (dir, meter.clone()));
        let disk: Arc<dyn Disk> = Arc::new(Metered::new(Arc::clone(&parts.disk), places.into()));
        (Parts { disk, ..parts.clone() }, meters)
    }

    /// Meters of who only reads, which say what MANIFEST does.
    pub(crate) fn told(row: &WrittenRow) -> Meters {
        let WrittenRow { frame_bytes, log_bytes, index_bytes, other_bytes } = *row;
        Meters {
            frames: Arc::new(AtomicU64::new(frame_bytes)),
            log: Meter::from(log_bytes),
            index: Meter::from(index_bytes),
            other: Meter::from(other_bytes),
        }
    }

    /// Counts frames that were appended.
    pub(crate) fn appended(&self, bytes: usize) {
        self.frames.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn written(&self) -> Written {
        Written {
            frame_bytes: self.frames.load(Ordering::Relaxed),
            log_bytes: self.log.bytes(),
            index_bytes: self.index.bytes(),
            other_bytes: self.other.bytes(),
        }
    }
}

impl WrittenRow {
    pub(crate) fn of(written: &Written) -> WrittenRow {
        let Written { frame_bytes, log_bytes, index_bytes, other_bytes } = *written;
        WrittenRow { frame_bytes, log_bytes, index_bytes, other_bytes }
    }
}
