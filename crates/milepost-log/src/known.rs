//! What is known of a log from outside: its identity, and what the manifest says of its segments.
//!
//! The log never reads a manifest. Whoever keeps one passes what it says as plain values, and gets plain values to
//! write into it.

use std::fmt;

use milepost_types::{Seq, Timestamp};

/// The number of a segment, as in its file's name. Numbers increase and are never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SegmentId(pub u64);

impl SegmentId {
    /// The first segment of a store.
    pub const FIRST: SegmentId = SegmentId(1);
}

impl fmt::Display for SegmentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:010}", self.0)
    }
}

/// One file of a segment: which segment, and which time it was written. A segment that was written anew has a file with
/// another name; generations increase and are never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SegmentName {
    /// Its number. Of several that were written anew as one it is that of the first.
    pub id: SegmentId,
    /// 0 as it was first written.
    pub generation: u32,
}

/// As in its file's name, without the extension.
impl fmt::Display for SegmentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.generation {
            0 => self.id.fmt(f),
            generation => write!(f, "{}-{generation}", self.id),
        }
    }
}

/// Which store a file belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StoreId(pub [u8; 16]);

impl fmt::Display for StoreId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// What the manifest says of a log.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// Which store it is.
    pub store: StoreId,
    /// Its segments, in order. Segments that were begun later are found by their names; none may be missing. Empty if
    /// nothing is known: then the log begins with the first segment that is there.
    pub segments: &'a [KnownSegment],
    /// Where the log ended when it was last closed cleanly, if nothing was appended since.
    pub clean: Option<CleanMark>,
    /// Whether the caller holds the store's lock: then nobody writes the log meanwhile, and it is read once.
    pub is_locked: bool,
}

/// One segment, as the manifest has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownSegment {
    /// Its number.
    pub id: SegmentId,
    /// Which of its files counts; 0 as it was first written.
    pub generation: u32,
    /// `Seq` of its first commit, which may have been removed since.
    pub first_seq: Seq,
    /// What it held when it was sealed, if it was.
    pub sealed: Option<SealedFacts>,
    /// What it was, if it was dropped: then there is no file, and none is missing.
    pub dropped: Option<DroppedFacts>,
}

impl KnownSegment {
    /// One that frames are to be appended to.
    #[must_use]
    pub fn open(id: SegmentId, first_seq: Seq) -> KnownSegment {
        KnownSegment { id, generation: 0, first_seq, sealed: None, dropped: None }
    }

    /// Which file it is.
    #[must_use]
    pub fn name(&self) -> SegmentName {
        SegmentName { id: self.id, generation: self.generation }
    }
}

/// What is still known of commits that were dropped with their segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DroppedFacts {
    /// `Seq` of the last one.
    pub last_seq: Seq,
    /// When the first one was stamped.
    pub first_at: Timestamp,
    /// When the last one was stamped.
    pub last_at: Timestamp,
}

/// What identifies the content of a sealed segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SealedFacts {
    /// `Seq` of its last frame.
    pub last_seq: Seq,
    /// Bytes of its file.
    pub bytes: u64,
    /// Checksum of its footer's archive.
    pub crc: u32,
}

/// Where a log ended when it was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CleanMark {
    /// The open segment.
    pub segment: SegmentId,
    /// Where its last frame ended.
    pub end: u64,
    /// `Seq` of the last commit.
    pub last_seq: Seq,
}

/// How a log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogSettings {
    /// Bytes at which a segment is sealed. One that holds a single larger batch is larger.
    pub segment_bytes: u32,
}
