//! One segment as it is read: [`Sealed`], through a map, or [`Heap`], in memory.
//!
//! Invariant: a frame that comes out of here has had its checksums checked since it was last read from the disk, and
//! stands at the `Seq` it was asked for.
//!
//! Knows nothing of other segments.

mod dropped;
mod heap;
mod sealed;

use std::{ops::Range, path::Path, sync::Arc};

use milepost_io::Spread;
use milepost_types::{Corruption, Seq, Timestamp};

pub(crate) use dropped::DroppedPart;
pub(crate) use heap::{Heap, HeapWriter};
pub(crate) use sealed::{Offsets, Sealed, read_footer};

use crate::{Found, FrameRef, FrameView, KnownSegment, SegmentName};

/// A segment: sealed, in memory, or dropped.
#[derive(Clone, Debug)]
pub(crate) enum Part {
    Sealed(Arc<Spread<Sealed>>),
    Heap(Arc<Heap>),
    Dropped(Arc<DroppedPart>),
}

impl Part {
    pub(crate) fn of_sealed(sealed: Sealed) -> Part {
        Part::Sealed(Arc::new(Spread::new(Arc::new(sealed))))
    }

    pub(crate) fn name(&self) -> SegmentName {
        match self {
            Part::Sealed(sealed) => sealed.name(),
            Part::Heap(heap) => heap.name(),
            Part::Dropped(dropped) => dropped.name(),
        }
    }

    /// Its file; `None` if it has none any more.
    pub(crate) fn path(&self) -> Option<&Path> {
        match self {
            Part::Sealed(sealed) => Some(sealed.path()),
            Part::Heap(heap) => Some(heap.path()),
            Part::Dropped(_) => None,
        }
    }

    pub(crate) fn first_seq(&self) -> Seq {
        match self {
            Part::Sealed(sealed) => sealed.first_seq(),
            Part::Heap(heap) => heap.first_seq(),
            Part::Dropped(dropped) => dropped.first_seq(),
        }
    }

    /// How many commits it is of now, those that were removed included.
    pub(crate) fn frames(&self) -> usize {
        match self {
            Part::Sealed(sealed) => sealed.frames(),
            Part::Heap(heap) => heap.frames(),
            Part::Dropped(dropped) => dropped.frames(),
        }
    }

    /// When its first commit was stamped.
    pub(crate) fn first_at(&self) -> Option<Timestamp> {
        match self {
            Part::Sealed(sealed) => Some(sealed.first_at()),
            Part::Heap(heap) => heap.get(0).map(|frame| frame.at),
            Part::Dropped(dropped) => Some(dropped.facts().first_at),
        }
    }

    /// How many commits are stamped at or before a moment; the first one is.
    pub(crate) fn frames_until(&self, at: Timestamp) -> Result<usize, Corruption> {
        match self {
            Part::Sealed(sealed) => sealed.frames_until(at),
            Part::Heap(heap) => Ok(heap.frames_until(at)),
            // Which one it was is not known. After the last of them nothing is shown that had been replaced by then.
            Part::Dropped(dropped) => Ok(dropped.frames()),
        }
    }

    /// When the commit with this index, which is of this part, was stamped; as near as is known.
    pub(crate) fn stamp(&self, index: usize) -> Result<Timestamp, Corruption> {
        match self {
            Part::Sealed(sealed) => sealed.stamp(index),
            Part::Heap(heap) => Ok(heap.get(index).expect("it is of this part").at),
            Part::Dropped(dropped) if index == 0 => Ok(dropped.facts().first_at),
            Part::Dropped(dropped) => Ok(dropped.facts().last_at),
        }
    }

    /// The first commit from this one on, below `end`, that was not removed.
    pub(crate) fn next_kept(&self, index: usize, end: usize) -> Option<usize> {
        match self {
            Part::Sealed(sealed) => sealed.next_kept(index, end),
            Part::Heap(_) => Some(index).filter(|index| *index < end),
            Part::Dropped(_) => None,
        }
    }

    pub(crate) fn known(&self) -> KnownSegment {
        let SegmentName { id, generation } = self.name();
        let (sealed, dropped) = match self {
            Part::Sealed(sealed) => (sealed.facts(), None),
            Part::Heap(_) => (None, None),
            Part::Dropped(dropped) => (None, Some(dropped.facts())),
        };
        KnownSegment { id, generation, first_seq: self.first_seq(), sealed, dropped }
    }

    /// A byte of a frame's body, unchecked.
    #[inline]
    pub(crate) fn glance(&self, index: usize, at: usize) -> u8 {
        match self {
            Part::Sealed(sealed) if index < sealed.frames() => sealed.glance(index, at),
            Part::Sealed(_) | Part::Dropped(_) => 0,
            Part::Heap(heap) => heap.glance(index, at),
        }
    }

    /// A frame of this part, to keep.
    pub(crate) fn hold(&self, view: &FrameView<'_>) -> FrameRef {
        match self {
            Part::Sealed(sealed) => FrameRef::of_map(sealed, view),
            Part::Heap(heap) => FrameRef::of_heap(heap, view),
            Part::Dropped(_) => unreachable!("no frame is in it"),
        }
    }

    /// The frame with this index, for a look at a part of its body: see [`Part::check_body_readable`].
    #[inline]
    pub(crate) fn peek(&self, index: usize) -> Result<Found<FrameView<'_>>, Corruption> {
        match self {
            Part::Sealed(sealed) if index < sealed.frames() => sealed.peek(index).map(Found::or_removed),
            Part::Heap(heap) => Ok(heap.view(index).map_or(Found::Ahead, Found::Frame)),
            Part::Sealed(_) => Ok(Found::Ahead),
            Part::Dropped(dropped) => Ok(if index < dropped.frames() { Found::Removed } else { Found::Ahead }),
        }
    }

    /// Whether some bytes of a frame's body can be read; `view` is of this part.
    #[inline]
    pub(crate) fn check_body_readable(&self, view: &FrameView<'_>, range: Range<usize>) -> Result<(), Corruption> {
        match self {
            Part::Sealed(sealed) => sealed.check_body_readable(view, range),
            Part::Heap(_) | Part::Dropped(_) => Ok(()),
        }
    }

    /// Whether bodies in it may be thinned.
    #[inline]
    pub(crate) fn is_rewritten(&self) -> bool {
        match self {
            Part::Sealed(sealed) => sealed.is_rewritten(),
            Part::Heap(_) | Part::Dropped(_) => false,
        }
    }

    /// The frame with this index, to look at.
    pub(crate) fn view(&self, index: usize) -> Result<Found<FrameView<'_>>, Corruption> {
        match self {
            Part::Sealed(sealed) if index < sealed.frames() => sealed.view(index).map(Found::or_removed),
            Part::Sealed(_) | Part::Heap(_) | Part::Dropped(_) => self.peek(index),
        }
    }
}
