//! [`Heap`]: the frames of a segment in memory. The open segment is one; so is a segment that could not be mapped.
//!
//! Invariant: one thread pushes, in order of `Seq` without a gap; any number read, without a lock.

use std::{
    fmt,
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

use milepost_types::{Seq, Timestamp};

use crate::{
    FrameBytes, FrameView, SegmentId,
    format::{header::SEGMENT_HEADER_BYTES, times::BLOCK_FRAMES},
};

/// A frame and where it lies in the file.
pub(crate) struct HeapFrame {
    pub(crate) bytes: Arc<FrameBytes>,
    pub(crate) offset: u32,
    /// The same as in `bytes`, which is a step further away for a search.
    at: Timestamp,
}

/// Frames in memory.
pub(crate) struct Heap {
    id: SegmentId,
    path: PathBuf,
    first_seq: Seq,
    frames: boxcar::Vec<HeapFrame>,
    /// Timestamp of the first frame of each block; pushed after that frame.
    block_firsts: boxcar::Vec<Timestamp>,
}

impl Heap {
    pub(crate) fn new(id: SegmentId, path: PathBuf, first_seq: Seq) -> Heap {
        Heap { id, path, first_seq, frames: boxcar::Vec::new(), block_firsts: boxcar::Vec::new() }
    }

    pub(crate) fn id(&self) -> SegmentId {
        self.id
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn first_seq(&self) -> Seq {
        self.first_seq
    }

    pub(crate) fn frames(&self) -> usize {
        self.frames.count()
    }

    /// Adds the next frame. Only the one who writes or follows the segment calls it.
    pub(crate) fn push(&self, bytes: Arc<FrameBytes>, offset: u32) {
        let at = bytes.at;
        let index = self.frames.push(HeapFrame { bytes, offset, at });
        if index.is_multiple_of(BLOCK_FRAMES) {
            self.block_firsts.push(at);
        }
    }

    pub(crate) fn get(&self, index: usize) -> Option<&HeapFrame> {
        self.frames.get(index)
    }

    /// A frame that was seen here, to keep.
    pub(crate) fn hold(&self, seq: Seq) -> Arc<FrameBytes> {
        let frame = self.get((seq.0 - self.first_seq.0) as usize).expect("a frame that was seen stays");
        Arc::clone(&frame.bytes)
    }

    pub(crate) fn view(&self, index: usize) -> Option<FrameView<'_>> {
        let HeapFrame { bytes, offset, .. } = self.frames.get(index)?;
        Some(FrameView {
            seq: bytes.seq,
            at: bytes.at,
            batch_first: bytes.batch_first(),
            body: bytes.body(),
            segment: self.id,
            offset: u64::from(*offset),
        })
    }

    /// Bytes from the first frame to the end of the last.
    pub(crate) fn frame_bytes(&self) -> u64 {
        let last = self.frames().checked_sub(1).and_then(|last| self.get(last));
        last.map_or(0, |frame| u64::from(frame.offset) + frame.bytes.frame_bytes() as u64 - SEGMENT_HEADER_BYTES as u64)
    }

    /// How many frames are stamped at or before a moment.
    pub(crate) fn frames_until(&self, at: Timestamp) -> usize {
        let is_before = |stamp: Option<Timestamp>| stamp.is_some_and(|stamp| stamp <= at);
        let blocks = self.block_firsts.count();
        let later = partition_point(0..blocks, |block| is_before(self.block_firsts.get(block).copied()));
        let Some(block) = later.checked_sub(1) else { return 0 };
        let end = if later < blocks { later * BLOCK_FRAMES } else { self.frames() };
        partition_point(block * BLOCK_FRAMES..end, |index| is_before(self.get(index).map(|frame| frame.at)))
    }

    /// When each frame was stamped.
    pub(crate) fn stamps(&self) -> Vec<i64> {
        self.frames.iter().map(|(_, frame)| frame.at.0).collect()
    }

    /// Where each frame begins.
    pub(crate) fn offsets(&self) -> Vec<u32> {
        self.frames.iter().map(|(_, frame)| frame.offset).collect()
    }
}

/// The first index of which `is_before` does not hold; before it, it holds of all.
fn partition_point(range: Range<usize>, is_before: impl Fn(usize) -> bool) -> usize {
    let Range { start: mut low, end: mut high } = range;
    while low < high {
        let middle = low.midpoint(high);
        if is_before(middle) { low = middle + 1 } else { high = middle }
    }
    low
}

impl fmt::Debug for Heap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Heap(segment {}, {} frames from seq {})", self.id, self.frames(), self.first_seq)
    }
}
