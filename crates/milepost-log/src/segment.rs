//! One segment as it is read: [`Sealed`], through a map, or [`Heap`], in memory.
//!
//! Invariant: a frame that comes out of here has had its checksums checked since it was last read from the disk, and
//! stands at the `Seq` it was asked for.
//!
//! Knows nothing of other segments.

mod heap;
mod sealed;

use std::{ops::Range, path::Path, sync::Arc};

use milepost_io::Spread;
use milepost_types::{Corruption, Seq, Timestamp};

pub(crate) use heap::{Heap, HeapWriter};
pub(crate) use sealed::{Offsets, Sealed, read_footer};

use crate::{FrameRef, FrameView, KnownSegment, SegmentId};

/// A segment, sealed or in memory.
#[derive(Clone, Debug)]
pub(crate) enum Part {
    Sealed(Arc<Spread<Sealed>>),
    Heap(Arc<Heap>),
}

impl Part {
    pub(crate) fn of_sealed(sealed: Sealed) -> Part {
        Part::Sealed(Arc::new(Spread::new(Arc::new(sealed))))
    }

    pub(crate) fn id(&self) -> SegmentId {
        match self {
            Part::Sealed(sealed) => sealed.id(),
            Part::Heap(heap) => heap.id(),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        match self {
            Part::Sealed(sealed) => sealed.path(),
            Part::Heap(heap) => heap.path(),
        }
    }

    pub(crate) fn first_seq(&self) -> Seq {
        match self {
            Part::Sealed(sealed) => sealed.first_seq(),
            Part::Heap(heap) => heap.first_seq(),
        }
    }

    /// How many frames there are now.
    pub(crate) fn frames(&self) -> usize {
        match self {
            Part::Sealed(sealed) => sealed.frames(),
            Part::Heap(heap) => heap.frames(),
        }
    }

    /// When its first frame was stamped.
    pub(crate) fn first_at(&self) -> Option<Timestamp> {
        match self {
            Part::Sealed(sealed) => Some(sealed.first_at()),
            Part::Heap(heap) => heap.get(0).map(|frame| frame.at),
        }
    }

    /// How many frames are stamped at or before a moment.
    pub(crate) fn frames_until(&self, at: Timestamp) -> Result<usize, Corruption> {
        match self {
            Part::Sealed(sealed) => sealed.frames_until(at),
            Part::Heap(heap) => Ok(heap.frames_until(at)),
        }
    }

    pub(crate) fn known(&self) -> KnownSegment {
        match self {
            Part::Sealed(sealed) => {
                KnownSegment { id: sealed.id(), first_seq: sealed.first_seq(), sealed: sealed.facts() }
            }
            Part::Heap(heap) => KnownSegment { id: heap.id(), first_seq: heap.first_seq(), sealed: None },
        }
    }

    /// A byte of a frame's body, unchecked.
    #[inline]
    pub(crate) fn glance(&self, index: usize, at: usize) -> u8 {
        match self {
            Part::Sealed(sealed) if index < sealed.frames() => sealed.glance(index, at),
            Part::Sealed(_) => 0,
            Part::Heap(heap) => heap.glance(index, at),
        }
    }

    /// A frame of this part, to keep.
    pub(crate) fn hold(&self, view: &FrameView<'_>) -> FrameRef {
        match self {
            Part::Sealed(sealed) => FrameRef::of_map(sealed, view),
            Part::Heap(heap) => FrameRef::of_heap(heap, view),
        }
    }

    /// The frame with this index, for a look at a part of its body: see [`Part::check_body_readable`].
    #[inline]
    pub(crate) fn peek(&self, index: usize) -> Result<Option<FrameView<'_>>, Corruption> {
        match self {
            Part::Sealed(sealed) if index < sealed.frames() => sealed.peek(index).map(Some),
            Part::Sealed(_) => Ok(None),
            Part::Heap(heap) => Ok(heap.view(index)),
        }
    }

    /// Whether some bytes of a frame's body can be read; `view` is of this part.
    #[inline]
    pub(crate) fn check_body_readable(&self, view: &FrameView<'_>, range: Range<usize>) -> Result<(), Corruption> {
        match self {
            Part::Sealed(sealed) => sealed.check_body_readable(view, range),
            Part::Heap(_) => Ok(()),
        }
    }

    /// The frame with this index, to look at.
    pub(crate) fn view(&self, index: usize) -> Result<Option<FrameView<'_>>, Corruption> {
        match self {
            Part::Sealed(sealed) if index < sealed.frames() => sealed.view(index).map(Some),
            Part::Sealed(_) => Ok(None),
            Part::Heap(heap) => Ok(heap.view(index)),
        }
    }
}
