//! Frames in memory: [`FrameBytes`] to be appended, [`FrameRef`] and [`FrameView`] as read.

use std::{fmt, sync::Arc};

use milepost_io::{Held, Spread};
use milepost_types::{Seq, Timestamp};

use crate::{
    SegmentId,
    format::{
        frame::{FRAME_HEADER_BYTES, frame_bytes},
        u32_at,
    },
    segment::Sealed,
};

/// A commit on its way into the log: room for the header, then the body.
///
/// The thread that made the body computes its checksum; the header is filled in by [`LogWriter::append`].
///
/// [`LogWriter::append`]: crate::LogWriter::append
#[derive(Clone, PartialEq, Eq)]
pub struct FrameBytes {
    /// [`FRAME_HEADER_BYTES`] free bytes, then the body.
    pub bytes: Vec<u8>,
    /// CRC-32 of the body.
    pub body_crc: u32,
    /// Position of the commit.
    pub seq: Seq,
    /// When it was stamped.
    pub at: Timestamp,
}

impl FrameBytes {
    /// The commit.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.bytes[FRAME_HEADER_BYTES..]
    }

    /// Bytes that it takes in a segment.
    #[must_use]
    pub fn frame_bytes(&self) -> usize {
        frame_bytes(self.bytes.len() - FRAME_HEADER_BYTES)
    }

    /// The first `Seq` of its batch; true only once it was appended.
    pub(crate) fn batch_first(&self) -> Seq {
        Seq(self.seq.0 - u64::from(u32_at(&self.bytes, 32)))
    }
}

impl fmt::Debug for FrameBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FrameBytes(seq {}, {} bytes)", self.seq, self.bytes.len())
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
    /// The segment it lies in.
    pub segment: SegmentId,
    /// Where in the segment.
    pub offset: u64,
}

/// A checked frame that can be kept. It holds the memory or the map that its body lies in.
#[derive(Clone)]
pub struct FrameRef(Source);

#[derive(Clone)]
enum Source {
    Heap(Arc<FrameBytes>),
    Mapped { sealed: Held<Sealed>, seq: Seq, at: Timestamp, body_at: u32, body_bytes: u32 },
}

impl FrameRef {
    pub(crate) fn of_heap(frame: Arc<FrameBytes>) -> FrameRef {
        FrameRef(Source::Heap(frame))
    }

    /// A frame of a sealed segment; `view` was read from its map.
    pub(crate) fn of_map(sealed: &Spread<Sealed>, view: &FrameView<'_>) -> FrameRef {
        FrameRef(Source::Mapped {
            sealed: sealed.hold(),
            seq: view.seq,
            at: view.at,
            body_at: view.offset as u32 + FRAME_HEADER_BYTES as u32,
            body_bytes: view.body.len() as u32,
        })
    }

    /// Position of the commit.
    #[must_use]
    pub fn seq(&self) -> Seq {
        match &self.0 {
            Source::Heap(frame) => frame.seq,
            Source::Mapped { seq, .. } => *seq,
        }
    }

    /// When it was stamped.
    #[must_use]
    pub fn at(&self) -> Timestamp {
        match &self.0 {
            Source::Heap(frame) => frame.at,
            Source::Mapped { at, .. } => *at,
        }
    }

    /// The commit.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        match &self.0 {
            Source::Heap(frame) => frame.body(),
            Source::Mapped { sealed, body_at, body_bytes, .. } => {
                &sealed.bytes()[*body_at as usize..(*body_at + *body_bytes) as usize]
            }
        }
    }
}

impl fmt::Debug for FrameRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FrameRef(seq {}, {} bytes)", self.seq(), self.body().len())
    }
}
