//! Opening a log: [`find`] reads it to its end, [`FoundLog::repair`] makes it ready for writing.
//!
//! Finding only reads. Repairing only does what can be done again: a crash at any of its operations leaves a log for
//! which the next opening finds the same commits.
//!
//! What repairing does, in this order, and why each step may crash:
//!
//! 1. **Torn tail**: its bytes go to `quarantine/`, synced; only then the file is cut where the last good frame ends,
//!    and synced. After a crash in between, the tail is still there and is found torn again.
//! 2. **The last batch is written again**, byte by byte the same, and synced, unless the log was closed cleanly. It may
//!    never have reached the disk although it is read from the cache: after a kill, or after a sync that failed and
//!    dropped its pages. Batches before it are on the disk: a later one was written only after their sync.
//! 3. **The directory is synced**: after a kill the name of the open segment may not be durable yet. It has to be
//!    before anything is appended to it, and before the segment before it is sealed.
//! 4. **Segments that miss their footer** are sealed: footer, cut behind it, sync. So is the one before an empty last
//!    segment, if the manifest does not know that it was sealed: its footer may be in the cache only.
//! 5. **Files that never became a segment** are removed.
//!
//! What stands at a place of a segment is decided in `recover/table.rs`, and nowhere else.

mod find;
mod kept;
mod listing;
mod repair;
mod scan;
mod table;
mod windows;

use std::{
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::Arc,
};

use milepost_io::{Disk, DiskFile};
use milepost_types::{Seq, Timestamp};

pub use find::{find, find_from};
pub(crate) use find::{newer, read_header, read_to_end};
pub(crate) use kept::walk_kept;
pub(crate) use listing::list;
pub(crate) use scan::{Expected, Position, Stop, later_batch, nonzero_bytes, walk};

use crate::{
    Follower, FrameView, KnownSegment, StoreId,
    chain::Chain,
    format::header::SegmentHeader,
    segment::{HeapWriter, Part},
};

/// What is called for every frame on a walk; a break ends the walk with an error.
pub type Visit<'a> = dyn FnMut(FrameView<'_>) -> ControlFlow<()> + 'a;

/// How a log ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tail {
    /// After a whole commit.
    Clean,
    /// In what a crash left of a batch that was not acknowledged.
    Torn {
        /// The segment.
        file: PathBuf,
        /// Where the last whole frame ends.
        offset: u64,
        /// From there to the last byte that is not zero.
        bytes: u64,
    },
    /// Without a single commit.
    Empty,
}

/// A log that was read to its end. Nothing was changed.
#[derive(Debug)]
pub struct FoundLog {
    disk: Arc<dyn Disk>,
    /// Directory of the store.
    dir: PathBuf,
    store: StoreId,
    /// The segments before the open one.
    parts: Vec<Part>,
    /// Those of `parts` that have no footer.
    unsealed: Vec<Unsealed>,
    open: FoundOpen,
    tail: Tail,
    /// Whether it ends where the manifest says that it was closed.
    closed_cleanly: bool,
    /// Files that never became a segment.
    unfinished: Vec<PathBuf>,
    /// Segments of this store that the manifest does not list any more, or not yet.
    retired: Vec<PathBuf>,
    /// The highest generation met of any segment.
    generation: u32,
    strays: Vec<String>,
}

/// A whole segment that misses its footer, or whose footer may not be durable.
#[derive(Debug)]
struct Unsealed {
    /// Its index among the parts.
    index: usize,
    header: SegmentHeader,
    /// Header checksum of its last frame.
    last_crc: u32,
    /// Where its last frame ends.
    end: u64,
}

/// The segment that frames are appended to.
#[derive(Debug)]
pub(crate) struct FoundOpen {
    pub(crate) header: SegmentHeader,
    /// Open for reading.
    pub(crate) file: Arc<dyn DiskFile>,
    pub(crate) heap: HeapWriter,
    /// The state after the last whole frame.
    pub(crate) chain: Chain,
    /// Where the last whole frame ends.
    pub(crate) end: u64,
}

impl FoundLog {
    /// How the log ends.
    #[must_use]
    pub fn tail(&self) -> Tail {
        self.tail.clone()
    }

    /// The segment in which it ends, and where.
    #[must_use]
    pub fn end(&self) -> (&Path, u64) {
        (self.open.heap.path(), self.open.end)
    }

    /// `Seq` of the last whole commit.
    #[must_use]
    pub fn last_seq(&self) -> Seq {
        self.open.chain.next_seq.prev()
    }

    /// When the last whole commit was stamped; `Timestamp::MIN` if there is none.
    #[must_use]
    pub fn last_at(&self) -> Timestamp {
        self.open.chain.last_at
    }

    /// The highest epoch met. The next one for writing has to be above it.
    #[must_use]
    pub fn last_epoch(&self) -> u32 {
        self.open.chain.epoch
    }

    /// The segments, in order.
    #[must_use]
    pub fn segments(&self) -> Vec<KnownSegment> {
        self.all_parts().iter().map(Part::known).collect()
    }

    /// Names in the log's directory that are not the log's. They are left alone.
    #[must_use]
    pub fn strays(&self) -> &[String] {
        &self.strays
    }

    fn all_parts(&self) -> Vec<Part> {
        let mut parts = self.parts.clone();
        parts.push(Part::Heap(Arc::clone(self.open.heap.heap())));
        parts
    }

    /// Reads the log, and what another process goes on to append.
    #[must_use]
    pub fn into_follower(self) -> Follower {
        let parts = self.all_parts();
        let unsealed = self.unsealed.iter().map(|unsealed| unsealed.header).collect();
        Follower::new(self.disk, self.dir, self.store, parts, self.open, unsealed)
    }
}
