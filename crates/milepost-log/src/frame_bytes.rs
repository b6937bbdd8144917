//! Frames in memory: [`FrameBytes`] to be appended, [`FrameRef`] and [`FrameView`] as read.

use std::{fmt, sync::Arc};

use milepost_io::{Grown, Held, Spread};
use milepost_types::{Seq, Timestamp};

use crate::{
    SegmentName,
    format::frame::{FRAME_HEADER_BYTES, Frame, frame_bytes},
    segment::{Heap, Met, Sealed},
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

impl<'a> FrameView<'a> {
    /// A frame that was checked, at its place.
    pub(crate) fn of(frame: &Frame<'a>, segment: SegmentName, offset: u64) -> FrameView<'a> {
        FrameView {
            seq: frame.header.seq,
            at: frame.header.at,
            batch_first: frame.header.batch_first(),
            body: frame.body,
            body_crc: frame.header.body_crc,
            epoch: frame.header.epoch,
            segment,
            offset,
        }
    }
}

/// A checked frame that can be kept, or a part of one. It holds the memory or the map that its body lies in.
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
    /// A frame of a cold segment, or a part of one.
    Bytes(Arc<[u8]>),
}

impl FrameRef {
    /// So many bytes of the body of a frame in memory, from a place in it on.
    pub(crate) fn of_heap(heap: &Heap, met: &Met<'_>, (at, bytes): (usize, usize)) -> FrameRef {
        let (chunk, body_at) = heap.hold(met.seq);
        FrameRef::new(Source::Heap(chunk), met, body_at + at as u32, bytes)
    }

    /// The same of a frame in the map of a sealed segment.
    pub(crate) fn of_map(sealed: &Spread<Sealed>, met: &Met<'_>, (at, bytes): (usize, usize)) -> FrameRef {
        let body_at = met.offset as u32 + FRAME_HEADER_BYTES as u32;
        FrameRef::new(Source::Map(sealed.hold()), met, body_at + at as u32, bytes)
    }

    /// So many bytes of memory, from a place in it on.
    pub(crate) fn of_bytes((source, at): (Arc<[u8]>, u32), bytes: usize, met: &Met<'_>) -> FrameRef {
        FrameRef::new(Source::Bytes(source), met, at, bytes)
    }

    fn new(source: Source, met: &Met<'_>, body_at: u32, bytes: usize) -> FrameRef {
        FrameRef { source, seq: met.seq, at: met.at, body_at, body_bytes: bytes as u32 }
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

    /// The commit; of a part of a frame, that part.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        let bytes = match &self.source {
            Source::Heap(chunk) => chunk.bytes(),
            Source::Map(sealed) => sealed.bytes(),
            Source::Bytes(bytes) => bytes,
        };
        &bytes[self.body_at as usize..(self.body_at + self.body_bytes) as usize]
    }
}

impl fmt::Debug for FrameRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FrameRef(seq {}, {} bytes)", self.seq(), self.body().len())
    }
}
