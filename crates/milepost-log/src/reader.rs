//! [`LogReader`]: frames by `Seq`, from any thread, without a lock.
//!
//! Invariant: what it returns was checked. It shows every frame that was appended, also one that is not durable yet:
//! whoever publishes commits bounds the reads by what was synced.
//!
//! Knows nothing of who writes the log.

use std::{fmt, hint::black_box, ops::ControlFlow, path::PathBuf, sync::Arc};

use arc_swap::{ArcSwap, Guard};
use milepost_types::{Corruption, Seq, Timestamp};

use crate::{FrameRef, FrameView, SegmentId, format::frame::FRAME_HEADER_BYTES, segment::Part};

/// The smallest page of any system.
const PAGE_BYTES: usize = 4096;

/// Reads frames. Cheap to clone; a clone sees what the original sees.
#[derive(Clone, Debug)]
pub struct LogReader {
    /// The segments, in order; the last one grows. Replaced as a whole by the one who writes or follows the log.
    shape: Arc<ArcSwap<Shape>>,
}

/// The segments as they are, for a look or two: costs no shared count, and is not kept.
pub struct Segments(Guard<Arc<Shape>>);

/// A frame that was found, and is not held yet. Whether its body can be read was not asked.
pub struct FoundFrame<'a> {
    view: FrameView<'a>,
    part: &'a Part,
}

/// The segments at one moment, in order of `Seq`. Never empty, and without a gap.
#[derive(Debug)]
pub(crate) struct Shape {
    pub(crate) parts: Vec<Part>,
    /// The first `Seq` of each, side by side, for the search.
    firsts: Vec<Seq>,
}

/// What `stats` shows of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentStats {
    /// Its number.
    pub id: SegmentId,
    /// Its file.
    pub file: PathBuf,
    /// `Seq` of its first frame.
    pub first_seq: Seq,
    /// How many frames it holds.
    pub frames: u64,
    /// Bytes from the first frame to the end of the last.
    pub frame_bytes: u64,
    /// Whether it is sealed: can't change any more.
    pub sealed: bool,
}

impl Shape {
    fn new(parts: Vec<Part>) -> Shape {
        Shape { firsts: parts.iter().map(Part::first_seq).collect(), parts }
    }

    /// Index of the part that holds `seq`, or would.
    fn part_of(&self, seq: Seq) -> Option<usize> {
        self.firsts.partition_point(|first| *first <= seq).checked_sub(1)
    }

    /// `Seq` of the last frame; that before the first part if there is none.
    fn last_seq(&self) -> Seq {
        let last = self.parts.last().expect("a log has a segment");
        Seq(last.first_seq().0 - 1 + last.frames() as u64)
    }
}

impl LogReader {
    pub(crate) fn new(parts: Vec<Part>) -> LogReader {
        LogReader { shape: Arc::new(ArcSwap::from_pointee(Shape::new(parts))) }
    }

    pub(crate) fn shape(&self) -> Arc<Shape> {
        self.shape.load_full()
    }

    /// Shows other segments from now on. Only the one who writes or follows the log calls it.
    pub(crate) fn replace(&self, parts: Vec<Part>) {
        self.shape.store(Arc::new(Shape::new(parts)));
    }

    /// The first `Seq` that is still there, or will be the first.
    #[must_use]
    pub fn first_seq(&self) -> Seq {
        self.shape.load().parts.first().expect("a log has a segment").first_seq()
    }

    /// `Seq` of the last frame appended; durable or not.
    #[must_use]
    pub fn last_seq(&self) -> Seq {
        self.shape.load().last_seq()
    }

    /// The frame at a `Seq`; `None` if it is not there yet, or not any more.
    pub fn frame(&self, seq: Seq) -> Result<Option<FrameRef>, Corruption> {
        let segments = self.segments();
        let Some(found) = segments.find(seq)? else { return Ok(None) };
        found.part.check_body_readable(&found.view, 0..found.view.body.len())?;
        Ok(Some(found.hold()))
    }

    /// The segments, for a look or two. Whoever is about to look for the `Seq` in other memory takes them before:
    /// taking waits for all that is under way, and the frame is then fetched beside the rest.
    #[inline]
    #[must_use]
    pub fn segments(&self) -> Segments {
        Segments(self.shape.load())
    }

    /// The frames from one `Seq` to another, both included, as far as they are there.
    ///
    /// After damage the iterator goes on with the next frame.
    pub fn frames(&self, from: Seq, to: Seq) -> impl Iterator<Item = Result<FrameRef, Corruption>> + use<> {
        let shape = self.shape();
        let from = from.max(shape.parts.first().map_or(Seq::FIRST, Part::first_seq));
        let part = shape.part_of(from).unwrap_or(0);
        Frames { shape, part, next: from, to }
    }

    /// Calls `visit` for the frames from one `Seq` to another, both included, as far as they are there: the fastest way
    /// to read them all. Ends early when `visit` breaks.
    pub fn for_each_frame(
        &self,
        from: Seq,
        to: Seq,
        visit: &mut dyn FnMut(FrameView<'_>) -> ControlFlow<()>,
    ) -> Result<(), Corruption> {
        let shape = self.shape();
        for part in &shape.parts[shape.part_of(from).unwrap_or(0)..] {
            let first = part.first_seq().0;
            let begin = from.0.saturating_sub(first);
            // One past the last to visit; `to` below the part leaves nothing.
            let end = (to.0.saturating_add(1)).saturating_sub(first).min(part.frames() as u64);
            for index in begin..end {
                let view = part.view(index as usize)?.expect("a frame that was counted is there");
                if visit(view).is_break() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// `Seq` of the last commit stamped at or before a moment; [`Seq::ZERO`], or the one before the first that is still
    /// there, if all are later.
    pub fn seq_at(&self, at: Timestamp) -> Result<Seq, Corruption> {
        let shape = self.shape.load();
        let later = shape.parts.partition_point(|part| part.first_at().is_some_and(|first| first <= at));
        let Some(part) = later.checked_sub(1).map(|index| &shape.parts[index]) else {
            return Ok(shape.parts.first().map_or(Seq::ZERO, |part| part.first_seq().prev()));
        };
        // Its first frame is not later.
        Ok(Seq(part.first_seq().0 + part.frames_until(at)? as u64 - 1))
    }

    /// One line per segment.
    #[must_use]
    pub fn segment_stats(&self) -> Vec<SegmentStats> {
        self.shape().parts.iter().map(stats).collect()
    }
}

impl Segments {
    /// The frame at a `Seq`; `None` if it is not there yet, or not any more.
    #[inline]
    pub fn find(&self, seq: Seq) -> Result<Option<FoundFrame<'_>>, Corruption> {
        let Some(part) = self.0.part_of(seq).map(|index| &self.0.parts[index]) else {
            return Ok(None);
        };
        match usize::try_from(seq.0 - part.first_seq().0) {
            Ok(index) => Ok(part.peek(index)?.map(|view| FoundFrame { view, part })),
            Err(_) => Ok(None),
        }
    }
}

impl Segments {
    /// Looks at a byte of a commit's body and forgets it, so that it is in the cache when it is asked for. Checks
    /// nothing and waits for nothing.
    #[inline]
    pub fn glance(&self, seq: Seq, at: u32) {
        if let Some(part) = self.0.part_of(seq).map(|index| &self.0.parts[index]) {
            black_box(part.glance((seq.0 - part.first_seq().0) as usize, at as usize));
        }
    }
}

impl fmt::Debug for Segments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'a> FoundFrame<'a> {
    /// The beginning of its body, at least up to `count` bytes behind `at` if there are so many: those from `at` on can
    /// be read now. A long body lies in many pages, and whoever wants one record of it shall not wait for all of them.
    #[inline]
    pub fn body_from(&self, at: usize, count: usize) -> Result<&'a [u8], Corruption> {
        let FrameView { body, offset, .. } = self.view;
        let begin = at.min(body.len());
        // What is left of the last page can be read as well.
        let body_at = offset as usize + FRAME_HEADER_BYTES;
        let end = (body_at + begin.saturating_add(count).min(body.len())).next_multiple_of(PAGE_BYTES) - body_at;
        let end = end.min(body.len());
        self.part.check_body_readable(&self.view, begin..end)?;
        Ok(&body[..end])
    }

    /// When it was stamped.
    #[inline]
    #[must_use]
    pub fn at(&self) -> Timestamp {
        self.view.at
    }

    /// Bytes of its body.
    #[inline]
    #[must_use]
    pub fn body_bytes(&self) -> usize {
        self.view.body.len()
    }

    /// The frame, to keep.
    #[inline]
    #[must_use]
    pub fn hold(&self) -> FrameRef {
        self.part.hold(&self.view)
    }
}

impl fmt::Debug for FoundFrame<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.view.fmt(f)
    }
}

fn stats(part: &Part) -> SegmentStats {
    let (frame_bytes, sealed) = match part {
        Part::Sealed(sealed) => (sealed.frame_bytes(), true),
        Part::Heap(heap) => (heap.frame_bytes(), false),
    };
    SegmentStats {
        id: part.id(),
        file: part.path().to_owned(),
        first_seq: part.first_seq(),
        frames: part.frames() as u64,
        frame_bytes,
        sealed,
    }
}

struct Frames {
    shape: Arc<Shape>,
    part: usize,
    next: Seq,
    to: Seq,
}

impl Iterator for Frames {
    type Item = Result<FrameRef, Corruption>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let part = self.shape.parts.get(self.part).filter(|_| self.next <= self.to)?;
            let index = self.next.0.checked_sub(part.first_seq().0)?;
            match part.view(usize::try_from(index).ok()?) {
                Ok(None) => self.part += 1,
                found => {
                    self.next = self.next.next()?;
                    return found.map(|view| view.map(|view| part.hold(&view))).transpose();
                }
            }
        }
    }
}
