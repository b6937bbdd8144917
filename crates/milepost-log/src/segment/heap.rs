//! [`Heap`]: the frames of a segment in memory. The open segment is one; so is a segment that could not be mapped.
//!
//! Invariant: one thread pushes, in order of `Seq` without a gap; any number read, without a lock.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use milepost_types::Seq;

use crate::{FrameBytes, FrameView, SegmentId, format::header::SEGMENT_HEADER_BYTES};

/// A frame and where it lies in the file.
pub(crate) struct HeapFrame {
    pub(crate) bytes: Arc<FrameBytes>,
    pub(crate) offset: u32,
}

/// Frames in memory.
pub(crate) struct Heap {
    id: SegmentId,
    path: PathBuf,
    first_seq: Seq,
    frames: boxcar::Vec<HeapFrame>,
}

impl Heap {
    pub(crate) fn new(id: SegmentId, path: PathBuf, first_seq: Seq) -> Heap {
        Heap { id, path, first_seq, frames: boxcar::Vec::new() }
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
        self.frames.push(HeapFrame { bytes, offset });
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
        let HeapFrame { bytes, offset } = self.frames.get(index)?;
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

    /// Where each frame begins.
    pub(crate) fn offsets(&self) -> Vec<u32> {
        self.frames.iter().map(|(_, frame)| frame.offset).collect()
    }
}

impl fmt::Debug for Heap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Heap(segment {}, {} frames from seq {})", self.id, self.frames(), self.first_seq)
    }
}
