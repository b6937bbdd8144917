//! [`Sealed`]: a segment that can't change any more, read through a map.
//!
//! Invariant: a frame is checked (header, body, padding, `Seq`) the first time it is read from the map. A bit remembers
//! that it was; so later reads cost no checksum, and a flipped bit is met by the first read. Whether its pages can be
//! read is asked every time: they may have left memory since.

use std::{
    fmt,
    ops::Range,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use milepost_io::{Map, Unreadable};
use milepost_types::{Corruption, Seq, Timestamp};

use crate::{
    FrameView, SealedFacts, SegmentKind, SegmentName,
    format::{
        Seed,
        footer::{self, FooterFault, FooterView, TRAILER_BYTES},
        frame::{FRAME_HEADER_BYTES, Frame, frame_bytes},
        header::{SEGMENT_HEADER_BYTES, SegmentHeader},
        kept::KeptTable,
        u32_at, u64_at,
    },
};

/// Where each frame begins.
pub(crate) enum Offsets {
    /// In the footer, in the map.
    Footer(FooterView),
    /// In the footer of one that was written anew, which says first whether there is a frame.
    Kept(FooterView, KeptTable),
    /// In memory: there was no room for a footer.
    Memory(Vec<u32>),
}

impl Offsets {
    pub(crate) fn of_footer(view: FooterView) -> Offsets {
        match view.kept() {
            Some(kept) => Offsets::Kept(view, *kept),
            None => Offsets::Footer(view),
        }
    }
}

/// Reads and checks the footer of a segment through its map.
pub(crate) fn read_footer(map: &Map, header: &SegmentHeader) -> Result<Result<FooterView, FooterFault>, Unreadable> {
    map.check_readable(map.len().saturating_sub(TRAILER_BYTES)..map.len())?;
    map.check_readable(footer::begins_at(map).unwrap_or(map.len())..map.len())?;
    Ok(footer::decode_of(header, map))
}

/// A sealed segment.
pub(crate) struct Sealed {
    name: SegmentName,
    /// Epoch of who began it.
    epoch: u32,
    path: PathBuf,
    map: Map,
    seed: Seed,
    first_seq: Seq,
    /// How many commits it is of, those that were removed included.
    frames: usize,
    first_at: Timestamp,
    /// Where the last frame ends.
    end: usize,
    offsets: Offsets,
    /// One bit per frame: whether it was checked since the map was made. Set by any reader, never cleared. The map does
    /// not change, so the order in which threads see the bits does not matter: relaxed.
    checked: Box<[AtomicU64]>,
}

impl Sealed {
    /// A sealed segment whose first commit is stamped `first_at` and whose last frame ends at `end`.
    pub(crate) fn new(
        header: &SegmentHeader,
        path: PathBuf,
        map: Map,
        offsets: Offsets,
        first_at: Timestamp,
        end: usize,
    ) -> Sealed {
        let frames = match &offsets {
            Offsets::Footer(view) | Offsets::Kept(view, _) => view.frames(),
            Offsets::Memory(offsets) => offsets.len(),
        };
        let checked = (0..frames.div_ceil(64)).map(|_| AtomicU64::new(0)).collect();
        let (name, epoch, seed, first_seq) = (header.name(), header.epoch, header.seed(), header.first_seq);
        Sealed { name, epoch, path, map, seed, first_seq, frames, first_at, end, offsets, checked }
    }

    pub(crate) fn name(&self) -> SegmentName {
        self.name
    }

    pub(crate) fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Whether bodies in it may be thinned.
    #[inline]
    pub(crate) fn is_rewritten(&self) -> bool {
        self.name.generation > 0
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.map
    }

    /// Bytes of the file that can be read now.
    pub(crate) fn readable(&self, range: Range<usize>) -> Result<&[u8], Corruption> {
        let readable = self.map.check_readable(range.clone());
        readable.map_err(|fault| self.corruption(fault.at as u64, self.first_seq, fault.to_string()))?;
        Ok(&self.map[range])
    }

    pub(crate) fn first_seq(&self) -> Seq {
        self.first_seq
    }

    pub(crate) fn first_at(&self) -> Timestamp {
        self.first_at
    }

    /// When its last commit was stamped; `None` if it has no footer.
    pub(crate) fn last_at(&self) -> Option<Timestamp> {
        match &self.offsets {
            Offsets::Footer(view) | Offsets::Kept(view, _) => Some(view.last_at),
            Offsets::Memory(_) => None,
        }
    }

    pub(crate) fn frames(&self) -> usize {
        self.frames
    }

    /// How many frames it holds.
    pub(crate) fn kept(&self) -> usize {
        match &self.offsets {
            Offsets::Kept(_, kept) => kept.count,
            Offsets::Footer(_) | Offsets::Memory(_) => self.frames,
        }
    }

    pub(crate) fn kind(&self) -> SegmentKind {
        match &self.offsets {
            Offsets::Kept(..) => SegmentKind::Rewritten,
            Offsets::Footer(_) => SegmentKind::Sealed,
            Offsets::Memory(_) => SegmentKind::Open,
        }
    }

    /// Bytes from the first frame to the end of the last.
    pub(crate) fn frame_bytes(&self) -> u64 {
        (self.end - SEGMENT_HEADER_BYTES) as u64
    }

    /// What identifies its content; `None` if it has no footer.
    pub(crate) fn facts(&self) -> Option<SealedFacts> {
        match &self.offsets {
            Offsets::Footer(view) | Offsets::Kept(view, _) => {
                Some(SealedFacts { last_seq: view.last_seq, bytes: self.map.len() as u64, crc: view.archive_crc })
            }
            Offsets::Memory(_) => None,
        }
    }

    /// Notes that a walk has checked the frame with this index.
    pub(crate) fn set_checked(&self, index: usize) {
        self.checked[index / 64].fetch_or(1 << (index % 64), Ordering::Relaxed);
    }

    /// Where the frame with this index begins; `None` if it was removed.
    #[inline]
    fn offset(&self, index: usize) -> Result<Option<u32>, Unreadable> {
        match &self.offsets {
            Offsets::Footer(view) => self.offset_of(view, index).map(Some),
            Offsets::Kept(view, kept) => {
                let (bits_at, ranks_at) = kept.places(index);
                self.map.check_readable(bits_at..bits_at + size_of::<u64>())?;
                self.map.check_readable(ranks_at..ranks_at + size_of::<u32>())?;
                kept.rank(&self.map, index).map(|rank| self.offset_of(view, rank)).transpose()
            }
            Offsets::Memory(offsets) => Ok(Some(offsets[index])),
        }
    }

    #[inline]
    fn offset_of(&self, view: &FooterView, rank: usize) -> Result<u32, Unreadable> {
        let at = view.offset_at(rank);
        self.map.check_readable(at..at + size_of::<u32>())?;
        Ok(u32_at(&self.map, at))
    }

    /// The first commit from this one on, below `end`, that was not removed.
    pub(crate) fn next_kept(&self, index: usize, end: usize) -> Option<usize> {
        match &self.offsets {
            // What can't be read is met by whoever asks for the next frame.
            Offsets::Kept(_, kept) if self.map.check_readable(kept.bits(self.frames)).is_ok() => {
                kept.next_kept(&self.map, index, end)
            }
            Offsets::Footer(_) | Offsets::Kept(..) | Offsets::Memory(_) => Some(index).filter(|index| *index < end),
        }
    }

    /// When the commit with this index was stamped: exactly if it is there, else as near as the footer knows.
    pub(crate) fn stamp(&self, index: usize) -> Result<Timestamp, Corruption> {
        match (self.peek(index)?, &self.offsets) {
            (Some(view), _) => Ok(view.at),
            (None, Offsets::Footer(view) | Offsets::Kept(view, _)) => Ok(view.stamp(&self.map, index)),
            (None, Offsets::Memory(_)) => unreachable!("nothing was removed from what has no footer"),
        }
    }

    /// A byte of the body of the frame with this index, unchecked; 0 if it can't be read.
    #[inline]
    pub(crate) fn glance(&self, index: usize, at: usize) -> u8 {
        let Ok(Some(offset)) = self.offset(index) else { return 0 };
        let at = offset as usize + FRAME_HEADER_BYTES + at;
        if self.map.check_readable(at..at + 1).is_err() { 0 } else { self.map.get(at).copied().unwrap_or(0) }
    }

    /// The frame with this index, checked; all of it can be read. `None` if it was removed.
    pub(crate) fn view(&self, index: usize) -> Result<Option<FrameView<'_>>, Corruption> {
        let Some(view) = self.peek(index)? else { return Ok(None) };
        self.check_body_readable(&view, 0..view.body.len())?;
        Ok(Some(view))
    }

    /// The same, but of its body nobody knows yet whether it can be read: see [`Sealed::check_body_readable`].
    #[inline]
    pub(crate) fn peek(&self, index: usize) -> Result<Option<FrameView<'_>>, Corruption> {
        let seq = Seq(self.first_seq.0 + index as u64);
        let unreadable = |fault: Unreadable| self.corruption(fault.at as u64, seq, fault.to_string());
        let Some(offset) = self.offset(index).map_err(unreadable)? else { return Ok(None) };
        let corrupt = |what| self.corruption(u64::from(offset), seq, what);
        // Bounds are checked at every read, not only the first: a page may come back from the disk as another one.
        let bytes = self.map.get(offset as usize..self.end).unwrap_or_default();
        self.map.check_readable(offset as usize..offset as usize + FRAME_HEADER_BYTES).map_err(unreadable)?;
        if self.checked[index / 64].load(Ordering::Relaxed) & 1 << (index % 64) == 0 {
            self.check_frame_readable(offset as usize, bytes).map_err(unreadable)?;
            self.check(bytes, seq).map_err(corrupt)?;
            self.set_checked(index);
        }
        let body = bytes
            .get(FRAME_HEADER_BYTES..)
            .and_then(|rest| rest.get(..u32_at(bytes, 0) as usize))
            .ok_or_else(|| corrupt("the frame changed since it was checked".to_owned()))?;
        Ok(Some(FrameView {
            seq,
            at: Timestamp(u64_at(bytes, 24).cast_signed()),
            batch_first: Seq(seq.0.saturating_sub(u64::from(u32_at(bytes, 32)))),
            body,
            body_crc: u32_at(bytes, 4),
            epoch: u32_at(bytes, 12),
            segment: self.name,
            offset: u64::from(offset),
        }))
    }

    /// Whether some bytes of a frame's body can be read; `view` is of this segment.
    #[inline]
    pub(crate) fn check_body_readable(&self, view: &FrameView<'_>, range: Range<usize>) -> Result<(), Corruption> {
        let body_at = view.offset as usize + FRAME_HEADER_BYTES;
        let readable = self.map.check_readable(body_at + range.start..body_at + range.end);
        readable.map_err(|fault| self.corruption(fault.at as u64, view.seq, fault.to_string()))
    }

    /// How many commits are stamped at or before a moment. Of those that were removed, and share a step of the footer
    /// with it, all count that stand before the next frame.
    pub(crate) fn frames_until(&self, at: Timestamp) -> Result<usize, Corruption> {
        let Range { start: mut low, end: mut high } = match &self.offsets {
            Offsets::Footer(view) | Offsets::Kept(view, _) => {
                let read = |range: Range<usize>| self.map.check_readable(range.clone()).map(|()| &self.map[range]);
                let unreadable =
                    |fault: Unreadable| self.corruption(fault.at as u64, self.first_seq, fault.to_string());
                view.frames_until(at, read).map_err(unreadable)?
            }
            Offsets::Memory(offsets) => 0..offsets.len(),
        };
        // What is left are those that the footer can't tell apart: few, or none.
        if let Offsets::Kept(..) = &self.offsets {
            while let Some(index) = self.next_kept(low, high) {
                if self.peek(index)?.is_some_and(|frame| frame.at > at) {
                    return Ok(index);
                }
                low = index + 1;
            }
            return Ok(high);
        }
        while low < high {
            let middle = low.midpoint(high);
            let is_before = self.peek(middle)?.is_some_and(|frame| frame.at <= at);
            if is_before { low = middle + 1 } else { high = middle }
        }
        Ok(low)
    }

    /// Whether all of the frame at the beginning of `bytes` can be read.
    #[inline]
    fn check_frame_readable(&self, offset: usize, bytes: &[u8]) -> Result<(), Unreadable> {
        let body_at = offset + FRAME_HEADER_BYTES;
        self.map.check_readable(offset..body_at)?;
        let body_bytes = if bytes.len() < FRAME_HEADER_BYTES { 0 } else { u32_at(bytes, 0) as usize };
        self.map.check_readable_beyond(body_at - 1, frame_bytes(body_bytes).saturating_add(offset).min(self.end))
    }

    fn corruption(&self, offset: u64, seq: Seq, what: String) -> Corruption {
        Corruption { file: self.path.clone(), offset, seq: Some(seq), what }
    }

    fn check(&self, bytes: &[u8], seq: Seq) -> Result<(), String> {
        let frame = Frame::decode(bytes, self.seed).map_err(|fault| fault.to_string())?;
        if frame.header.seq != seq {
            return Err(format!("the frame of seq {} stands here, expected was seq {seq}", frame.header.seq));
        }
        Ok(())
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed(segment {}, {} frames from seq {})", self.name, self.frames, self.first_seq)
    }
}
