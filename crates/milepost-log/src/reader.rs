//! [`LogReader`]: frames by `Seq`, from any thread, without a lock.
//!
//! Invariant: what it returns was checked. It shows every frame that was appended, also one that is not durable yet:
//! whoever publishes commits bounds the reads by what was synced.
//!
//! Knows nothing of who writes the log.

use std::{
    fmt,
    ops::{ControlFlow, Range},
    path::{Path, PathBuf},
    sync::Arc,
};

use arc_swap::{ArcSwap, Guard};
use milepost_types::{Corruption, Seq, Timestamp};
use parking_lot::Mutex;

use crate::{
    FrameRef, FrameView, SegmentName,
    format::{frame::FRAME_HEADER_BYTES, header::SEGMENT_HEADER_BYTES, unpacked::Unpacked},
    segment::{BlockCache, BodyPart, Met, MetBody, Part},
};

/// The smallest page of any system.
const PAGE_BYTES: usize = 4096;

/// Reads frames. Cheap to clone; a clone sees what the original sees.
#[derive(Clone, Debug)]
pub struct LogReader {
    /// The segments, in order; the last one grows. Replaced as a whole, by those who write or follow the log.
    shape: Arc<ArcSwap<Shape>>,
    /// Held by whoever replaces them, for no longer than that takes: one rolls while another one compacts.
    replacing: Arc<Mutex<()>>,
    /// Blocks of cold segments that values were read from.
    cache: Arc<BlockCache>,
}

/// What stands at a `Seq`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found<T> {
    /// This.
    Frame(T),
    /// A commit was there, and is not any more.
    Removed,
    /// Nothing yet.
    Ahead,
}

impl<T> Found<T> {
    pub(crate) fn or_removed(found: Option<T>) -> Found<T> {
        found.map_or(Found::Removed, Found::Frame)
    }

    /// The frame, if there is one.
    #[inline]
    pub fn frame(self) -> Option<T> {
        match self {
            Found::Frame(frame) => Some(frame),
            Found::Removed | Found::Ahead => None,
        }
    }

    /// The same of something made of the frame.
    #[inline]
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Found<U> {
        match self {
            Found::Frame(frame) => Found::Frame(change(frame)),
            Found::Removed => Found::Removed,
            Found::Ahead => Found::Ahead,
        }
    }
}

/// The segments as they are, for a look or two: costs no shared count, and is not kept; see [`Segments::again`].
pub struct Segments(Guard<Arc<Shape>>);

/// A frame that was found, and is not held yet. Whether its body can be read was not asked.
pub struct FoundFrame<'a> {
    met: Met<'a>,
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
    /// Its number, and which of its files counts.
    pub name: SegmentName,
    /// Its file; `None` if it was dropped.
    pub file: Option<PathBuf>,
    /// `Seq` of its first commit.
    pub first_seq: Seq,
    /// How many commits it is of.
    pub commits: u64,
    /// How many of them it holds a frame of.
    pub frames: u64,
    /// Bytes from the first frame to the end of the last, as they are read.
    pub frame_bytes: u64,
    /// When its last commit was stamped, of one that is sealed.
    pub last_at: Option<Timestamp>,
    /// Whether something may have been taken out of it.
    pub is_thinned: bool,
    /// Bytes of its file that are in use.
    pub file_bytes: u64,
    /// How it stands there.
    pub kind: SegmentKind,
}

/// How a segment stands in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SegmentKind {
    /// Frames are appended to it, or it could not be sealed.
    Open,
    /// It can't change any more.
    Sealed,
    /// It was written anew.
    Rewritten,
    /// The same, compressed.
    Cold,
    /// It is gone.
    Dropped,
}

impl Shape {
    fn new(parts: Vec<Part>, cache: &Arc<BlockCache>) -> Shape {
        parts.iter().for_each(|part| part.set_cache(cache));
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
        let cache = Arc::default();
        let shape = Arc::new(ArcSwap::from_pointee(Shape::new(parts, &cache)));
        LogReader { shape, replacing: Arc::default(), cache }
    }

    /// Bytes of blocks of cold segments that are kept decompressed at most; 0 for none.
    pub fn set_cold_cache_bytes(&self, bytes: u64) {
        self.cache.set_bytes_max(bytes);
    }

    /// Bytes of them that are kept now.
    #[must_use]
    pub fn cold_cache_bytes(&self) -> u64 {
        self.cache.bytes()
    }

    pub(crate) fn shape(&self) -> Arc<Shape> {
        self.shape.load_full()
    }

    /// Shows other segments from now on: those that there are, changed.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut Vec<Part>) -> T) -> T {
        let _alone = self.replacing.lock();
        let mut parts = self.shape.load().parts.clone();
        let changed = change(&mut parts);
        self.shape.store(Arc::new(Shape::new(parts, &self.cache)));
        changed
    }

    /// The first `Seq` of the log: all before it are gone, and some behind it may be.
    #[must_use]
    pub fn first_seq(&self) -> Seq {
        self.shape.load().parts.first().expect("a log has a segment").first_seq()
    }

    /// Whether all commits from one `Seq` to another, both included, surely stand as they were first written: none of
    /// their segments was written anew, or dropped.
    #[must_use]
    pub fn is_as_written(&self, from: Seq, to: Seq) -> bool {
        let shape = self.shape.load();
        let parts = &shape.parts[shape.part_of(from).unwrap_or(0)..];
        let asked = parts.iter().take_while(|part| part.first_seq() <= to);
        asked.into_iter().all(|part| match part {
            Part::Sealed(sealed) => !part.may_be_thinned() && sealed.kept() == part.frames(),
            Part::Heap(_) => true,
            Part::Dropped(_) => false,
        })
    }

    /// When the first commit of the log was stamped, there still or not; `None` of a log without commits.
    #[must_use]
    pub fn first_at(&self) -> Option<Timestamp> {
        self.shape.load().parts.first().and_then(Part::first_at)
    }

    /// `Seq` of the last frame appended; durable or not.
    #[must_use]
    pub fn last_seq(&self) -> Seq {
        self.shape.load().last_seq()
    }

    /// The frame at a `Seq`.
    pub fn frame(&self, seq: Seq) -> Result<Found<FrameRef>, Corruption> {
        match self.segments().find(seq)? {
            Found::Frame(found) => found.hold().map(Found::Frame),
            Found::Removed => Ok(Found::Removed),
            Found::Ahead => Ok(Found::Ahead),
        }
    }

    /// The segments, for a look or two. Whoever is about to look for the `Seq` in other memory takes them before:
    /// taking waits for all that is under way, and the frame is then fetched beside the rest.
    #[inline]
    #[must_use]
    pub fn segments(&self) -> Segments {
        Segments(self.shape.load())
    }

    /// The frames from one `Seq` to another, both included, as far as they are there; those that were removed are left
    /// out.
    ///
    /// After damage the iterator goes on with the next frame.
    pub fn frames(&self, from: Seq, to: Seq) -> impl Iterator<Item = Result<FrameRef, Corruption>> + use<> {
        let shape = self.shape();
        let from = from.max(shape.parts.first().map_or(Seq::FIRST, Part::first_seq));
        let part = shape.part_of(from).unwrap_or(0);
        Frames { shape, part, next: from, to, unpacked: Unpacked::default() }
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
        let mut unpacked = Unpacked::default();
        for part in &shape.parts[shape.part_of(from).unwrap_or(0)..] {
            unpacked.clear();
            let first = part.first_seq().0;
            let begin = from.0.saturating_sub(first);
            // One past the last to visit; `to` below the part leaves nothing.
            let end = (to.0.saturating_add(1)).saturating_sub(first).min(part.frames() as u64);
            let (mut index, end) = (begin as usize, end as usize);
            while let Some(kept) = part.next_kept(index, end) {
                index = kept + 1;
                if let Found::Frame(view) = part.view(kept, &mut unpacked)?
                    && visit(view).is_break()
                {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// When the commit at a `Seq` was stamped; as near as is known if it was removed. `None` if it is not there yet, or
    /// is from before the first.
    pub fn stamp(&self, seq: Seq) -> Result<Option<Timestamp>, Corruption> {
        let shape = self.shape.load();
        let Some(part) = shape.part_of(seq).map(|index| &shape.parts[index]) else { return Ok(None) };
        match usize::try_from(seq.0 - part.first_seq().0) {
            Ok(index) if index < part.frames() => part.stamp(index).map(Some),
            Ok(_) | Err(_) => Ok(None),
        }
    }

    /// The same, but no later than it was: of one in a segment that was dropped only the first time of all is sure.
    pub fn stamp_at_least(&self, seq: Seq) -> Result<Option<Timestamp>, Corruption> {
        let shape = self.shape.load();
        match shape.part_of(seq).map(|index| &shape.parts[index]) {
            Some(Part::Dropped(dropped)) => Ok(Some(dropped.facts().first_at)),
            Some(Part::Sealed(_) | Part::Heap(_)) | None => self.stamp(seq),
        }
    }

    /// The epoch that the commit at a `Seq` was written in; `None` if it is not there.
    pub fn epoch(&self, seq: Seq) -> Result<Option<u32>, Corruption> {
        let shape = self.shape.load();
        let Some(part) = shape.part_of(seq).map(|index| &shape.parts[index]) else { return Ok(None) };
        let Ok(index) = usize::try_from(seq.0 - part.first_seq().0) else { return Ok(None) };
        match part.view(index, &mut Unpacked::default())? {
            Found::Frame(view) => Ok(Some(view.epoch)),
            Found::Removed | Found::Ahead => Ok(None),
        }
    }

    /// `Seq` of the last commit stamped at or before a moment; [`Seq::ZERO`], or the one before the first that is still
    /// there, if all are later.
    pub fn seq_at(&self, at: Timestamp) -> Result<Seq, Corruption> {
        let shape = self.shape.load();
        let later = shape.parts.partition_point(|part| part.first_at().is_some_and(|first| first <= at));
        let Some(part) = later.checked_sub(1).map(|index| &shape.parts[index]) else {
            return Ok(shape.parts.first().map_or(Seq::ZERO, |part| part.first_seq().prev()));
        };
        // Its first commit is not later.
        Ok(Seq(part.first_seq().0 + part.frames_until(at)? as u64 - 1))
    }

    /// One line per segment.
    #[must_use]
    pub fn segment_stats(&self) -> Vec<SegmentStats> {
        self.shape().parts.iter().map(stats).collect()
    }
}

impl Segments {
    /// The same segments once more, at the price of a shared count: these may be kept.
    #[must_use]
    pub fn again(&self) -> Segments {
        Segments(Guard::from_inner(Arc::clone(&self.0)))
    }

    /// The frame at a `Seq`.
    #[inline]
    pub fn find(&self, seq: Seq) -> Result<Found<FoundFrame<'_>>, Corruption> {
        let Some(part) = self.0.part_of(seq).map(|index| &self.0.parts[index]) else {
            return Ok(if seq == Seq::ZERO { Found::Ahead } else { Found::Removed });
        };
        match usize::try_from(seq.0 - part.first_seq().0) {
            Ok(index) => Ok(part.meet(index)?.map(|met| FoundFrame { met, part })),
            Err(_) => Ok(Found::Ahead),
        }
    }
}

impl Segments {
    /// Has it fetched where a commit lies, for a [`Segments::glance`] to come that has no need to wait for that.
    #[inline]
    pub fn aim(&self, seq: Seq) {
        if let Some(part) = self.0.part_of(seq).map(|index| &self.0.parts[index]) {
            part.aim((seq.0 - part.first_seq().0) as usize);
        }
    }

    /// Has the beginning of a commit fetched, and a byte of its body, so that they are in the cache when they are asked
    /// for. Checks nothing, and waits for nothing but where the commit lies.
    #[inline]
    pub fn glance(&self, seq: Seq, at: u32) {
        if let Some(part) = self.0.part_of(seq).map(|index| &self.0.parts[index]) {
            part.glance((seq.0 - part.first_seq().0) as usize, at as usize);
        }
    }
}

impl fmt::Debug for Segments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'a> FoundFrame<'a> {
    /// At least `count` bytes of its body from `at` on, if there are so many: they can be read now. A long body lies in
    /// many pages or blocks, and whoever wants one record of it shall not wait for all of them.
    #[inline]
    pub fn body_from(&self, at: usize, count: usize) -> Result<BodyPart<'a>, Corruption> {
        let all = self.met.body.len();
        let begin = at.min(all);
        let mut end = begin.saturating_add(count).min(all);
        if let MetBody::There(_) = self.met.body {
            // What is left of the last page can be read as well.
            let body_at = self.met.offset as usize + FRAME_HEADER_BYTES;
            end = ((body_at + end).next_multiple_of(PAGE_BYTES) - body_at).min(all);
        }
        self.part.body(&self.met, begin..end)
    }

    /// Whether its body may be thinned: then a record has to be looked for first.
    #[inline]
    #[must_use]
    pub fn may_be_thinned(&self) -> bool {
        self.part.may_be_thinned()
    }

    /// When it was stamped.
    #[inline]
    #[must_use]
    pub fn at(&self) -> Timestamp {
        self.met.at
    }

    /// Bytes of its body.
    #[inline]
    #[must_use]
    pub fn body_bytes(&self) -> usize {
        self.met.body.len()
    }

    /// The frame, to keep.
    #[inline]
    pub fn hold(&self) -> Result<FrameRef, Corruption> {
        let body = self.part.body(&self.met, 0..self.met.body.len())?;
        Ok(self.hold_part((0, &body), 0..self.met.body.len()))
    }

    /// Some of its body, to keep: `range` of `part`, which was read from `at` on.
    #[inline]
    #[must_use]
    pub fn hold_part(&self, part: (usize, &BodyPart<'_>), range: Range<usize>) -> FrameRef {
        self.part.hold(&self.met, part, range)
    }
}

impl fmt::Debug for FoundFrame<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.met.fmt(f)
    }
}

fn stats(part: &Part) -> SegmentStats {
    let (frames, frame_bytes, file_bytes, kind) = match part {
        Part::Sealed(sealed) => (sealed.kept(), sealed.frame_bytes(), sealed.bytes().len() as u64, sealed.kind()),
        Part::Heap(heap) => {
            (heap.frames(), heap.frame_bytes(), SEGMENT_HEADER_BYTES as u64 + heap.frame_bytes(), SegmentKind::Open)
        }
        Part::Dropped(_) => (0, 0, 0, SegmentKind::Dropped),
    };
    SegmentStats {
        name: part.name(),
        file: part.path().map(Path::to_owned),
        first_seq: part.first_seq(),
        commits: part.frames() as u64,
        frames: frames as u64,
        frame_bytes,
        last_at: part.last_at(),
        is_thinned: part.may_be_thinned() || frames < part.frames(),
        file_bytes,
        kind,
    }
}

struct Frames {
    shape: Arc<Shape>,
    part: usize,
    next: Seq,
    to: Seq,
    unpacked: Unpacked,
}

impl Iterator for Frames {
    type Item = Result<FrameRef, Corruption>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let part = self.shape.parts.get(self.part).filter(|_| self.next <= self.to)?;
            let (first, frames) = (part.first_seq(), part.frames());
            let index = usize::try_from(self.next.0.checked_sub(first.0)?).ok()?;
            let Some(kept) = part.next_kept(index, frames) else {
                self.next = self.next.max(Seq(first.0 + frames as u64));
                self.part += 1;
                self.unpacked.clear();
                continue;
            };
            let seq = Seq(first.0 + kept as u64);
            self.next = seq.next()?;
            if seq > self.to {
                return None;
            }
            match part.keep(kept, &mut self.unpacked) {
                Ok(Found::Frame(frame)) => return Some(Ok(frame)),
                Ok(Found::Removed | Found::Ahead) => {}
                Err(corruption) => return Some(Err(corruption)),
            }
        }
    }
}
