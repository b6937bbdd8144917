//! Frames in memory: [`FrameBytes`] to be appended, [`FrameRef`] and [`FrameView`] as read.

use std::fmt;

use milepost_io::{Grown, Held, Spread};
use milepost_types::{Seq, Timestamp};

use crate::{
    SegmentName,
    format::frame::{FRAME_HEADER_BYTES, frame_bytes},
    segment::{Heap, Sealed},
};

/// A commit on its way into the log.
///
/// The thread that made the body computes its checksum; the header is made by [`LogWriter::append`].
///
/// [`LogWriter::append`]: crate::LogWriter::append
#[derive(Clone, PartialEq, Eq)]
pub struct FrameBytes {
    /// The commit.
    pub body: Vec<u8>,
    /// CRC-32 of the body.
    pub body_crc: u32,
    /// Position of the commit.
    pub seq: Seq,
    /// When it was stamped.
    pub at: Timestamp,
}

impl FrameBytes {
    /// Bytes that it takes in a segment.
    #[must_use]
    pub fn frame_bytes(&self) -> usize {
        frame_bytes(self.body.len())
    }
}

impl fmt::Debug for FrameBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FrameBytes(seq {}, {} bytes)", self.seq, self.body.len())
    }
}

/// A frame as met on a walk over the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameView<'a> {
    /// Position of the commit.
    pub seq: Seq,
    /// When it was stamped.
    pub at: Timestamp,
    /// The first `Seq` of its batch.
    pub batch_first: Seq,
    /// The commit.
    pub body: &'a [u8],
    /// CRC-32 of the body.
    pub body_crc: u32,
    /// Epoch of who wrote it.
    pub epoch: u32,
    /// The segment it lies in, and which file of it.
    pub segment: SegmentName,
    /// Where in the segment.
    pub offset: u64,
}

/// A checked frame that can be kept. It holds the memory or the map that its body lies in.
#[derive(Clone)]
pub struct FrameRef {
    source: Source,
    seq: Seq,
    at: Timestamp,
    /// Where the body lies in the source.
    body_at: u32,
    body_bytes: u32,
}

#[derive(Clone)]
enum Source {
    Heap(Held<Grown>),
    Map(Held<Sealed>),
}

impl FrameRef {
    /// A frame in memory; `view` was read from it.
    pub(crate) fn of_heap(heap: &Heap, view: &FrameView<'_>) -> FrameRef {
        let (chunk, body_at) = heap.hold(view.seq);
        FrameRef::new(Source::Heap(chunk), view, body_at)
    }

    /// A frame of a sealed segment; `view` was read from its map.
    pub(crate) fn of_map(sealed: &Spread<Sealed>, view: &FrameView<'_>) -> FrameRef {
        FrameRef::new(Source::Map(sealed.hold()), view, view.offset as u32 + FRAME_HEADER_BYTES as u32)
    }

    fn new(source: Source, view: &FrameView<'_>, body_at: u32) -> FrameRef {
        FrameRef { source, seq: view.seq, at: view.at, body_at, body_bytes: view.body.len() as u32 }
    }

    /// Position of the commit.
    #[must_use]
    pub fn seq(&self) -> Seq {
        self.seq
    }

    /// When it was stamped.
    #[must_use]
    pub fn at(&self) -> Timestamp {
        self.at
    }

    /// The commit.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        let bytes = match &self.source {
            Source::Heap(chunk) => chunk.bytes(),
            Source::Map(sealed) => sealed.bytes(),
        };
        &bytes[self.body_at as usize..(self.body_at + self.body_bytes) as usize]
    }
}

impl fmt::Debug for FrameRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FrameRef(seq {}, {} bytes)", self.seq(), self.body().len())
    }
}
