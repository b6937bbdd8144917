//! One segment as it is read: [`Sealed`], through a map, or [`Heap`], in memory.
//!
//! Invariant: a frame that comes out of here has had its checksums checked since it was last read from the disk, and
//! stands at the `Seq` it was asked for.
//!
//! Knows nothing of other segments.

mod cache;
mod cold;
mod dropped;
mod heap;
mod met;
mod sealed;

use std::{ops::Range, path::Path, sync::Arc};

use milepost_io::Spread;
use milepost_types::{Corruption, Seq, Timestamp};

pub(crate) use cache::BlockCache;
pub(crate) use dropped::DroppedPart;
pub(crate) use heap::{Heap, HeapWriter};
pub use met::BodyPart;
pub(crate) use met::{Met, MetBody};
pub(crate) use sealed::{Offsets, Sealed, read_footer};

use crate::{Found, FrameRef, FrameView, KnownSegment, SegmentKind, SegmentName, format::unpacked::Unpacked};

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

    /// When its last commit was stamped, of one that is sealed and has a footer.
    pub(crate) fn last_at(&self) -> Option<Timestamp> {
        match self {
            Part::Sealed(sealed) => sealed.last_at(),
            Part::Heap(_) | Part::Dropped(_) => None,
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

    /// Has it fetched where a frame begins.
    #[inline]
    pub(crate) fn aim(&self, index: usize) {
        if let Part::Sealed(sealed) = self
            && index < sealed.frames()
        {
            sealed.aim(index);
        }
    }

    /// Has a frame's header fetched, and a byte of its body.
    #[inline]
    pub(crate) fn glance(&self, index: usize, at: usize) {
        match self {
            Part::Sealed(sealed) if index < sealed.frames() => sealed.glance(index, at),
            Part::Heap(heap) => heap.glance(index, at),
            Part::Sealed(_) | Part::Dropped(_) => {}
        }
    }

    /// Some of the body of a frame of this part, to keep: `range` of `part`, which begins at `at` of it.
    #[inline]
    pub(crate) fn hold(&self, met: &Met<'_>, (at, part): (usize, &BodyPart<'_>), range: Range<usize>) -> FrameRef {
        let place = (at + range.start, range.len());
        match (self, part) {
            (_, BodyPart::Shared { bytes, range: given }) => {
                FrameRef::of_bytes(BodyPart::share((bytes, given), range.clone()), range.len(), met)
            }
            (Part::Sealed(sealed), BodyPart::Borrowed(_)) => FrameRef::of_map(sealed, met, place),
            (Part::Heap(heap), BodyPart::Borrowed(_)) => FrameRef::of_heap(heap, met, place),
            (Part::Dropped(_), BodyPart::Borrowed(_)) => unreachable!("no frame is in it"),
        }
    }

    /// The header of the frame with this index.
    #[inline]
    pub(crate) fn meet(&self, index: usize) -> Result<Found<Met<'_>>, Corruption> {
        match self {
            Part::Sealed(sealed) if index < sealed.frames() => sealed.meet(index).map(Found::or_removed),
            Part::Heap(heap) => Ok(heap.view(index)?.map_or(Found::Ahead, |view| Found::Frame(Met::of_view(view)))),
            Part::Sealed(_) => Ok(Found::Ahead),
            Part::Dropped(dropped) => Ok(if index < dropped.frames() { Found::Removed } else { Found::Ahead }),
        }
    }

    /// At least these bytes of a frame's body, if there are so many: they can be read now. `met` is of this part.
    #[inline]
    pub(crate) fn body<'a>(&'a self, met: &Met<'a>, range: Range<usize>) -> Result<BodyPart<'a>, Corruption> {
        match self {
            Part::Sealed(sealed) => sealed.body(met, range),
            Part::Heap(_) | Part::Dropped(_) => match met.body {
                MetBody::There(body) => Ok(BodyPart::Borrowed(&body[range])),
                MetBody::Packed(_) => unreachable!("only sealed segments are compressed"),
            },
        }
    }

    /// Has a cold segment keep blocks here that values are read from.
    pub(crate) fn set_cache(&self, cache: &Arc<BlockCache>) {
        if let Part::Sealed(sealed) = self {
            sealed.set_cache(cache);
        }
    }

    /// Whether bodies in it may be thinned.
    #[inline]
    pub(crate) fn may_be_thinned(&self) -> bool {
        match self {
            Part::Sealed(sealed) => sealed.may_be_thinned(),
            Part::Heap(_) | Part::Dropped(_) => false,
        }
    }

    /// The frame with this index, checked, to keep. Of a cold segment it is copied out of `unpacked`, so that a walk
    /// fills no cache.
    pub(crate) fn keep(&self, index: usize, unpacked: &mut Unpacked) -> Result<Found<FrameRef>, Corruption> {
        let is_cold = matches!(self, Part::Sealed(sealed) if sealed.kind() == SegmentKind::Cold);
        Ok(self.view(index, unpacked)?.map(|view| {
            let (met, bytes) = (Met::of_view(view), view.body.len());
            if is_cold {
                return FrameRef::of_bytes((view.body.into(), 0), bytes, &met);
            }
            self.hold(&met, (0, &BodyPart::Borrowed(view.body)), 0..bytes)
        }))
    }

    /// The frame with this index, checked. Of a cold segment it lies in `unpacked`, else where the segment is.
    pub(crate) fn view<'a>(
        &'a self,
        index: usize,
        unpacked: &'a mut Unpacked,
    ) -> Result<Found<FrameView<'a>>, Corruption> {
        match self {
            Part::Sealed(sealed) if index < sealed.frames() => sealed.view(index, unpacked).map(Found::or_removed),
            Part::Heap(heap) => Ok(heap.view(index)?.map_or(Found::Ahead, Found::Frame)),
            Part::Sealed(_) => Ok(Found::Ahead),
            Part::Dropped(dropped) => Ok(if index < dropped.frames() { Found::Removed } else { Found::Ahead }),
        }
    }
}
