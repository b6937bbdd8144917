//! [`Sealed`]: a segment that can't change any more, read through a map.
//!
//! Invariant: a frame is checked (header, body, padding, `Seq`) the first time it is read from the map. A bit remembers
//! that it was; so later reads cost no checksum, and a flipped bit is met by the first read. Whether its pages can be
//! read is asked every time: they may have left memory since. Of a cold segment the checksums are those of blocks, and
//! made whenever one is decompressed ([`super::cold`]).

use std::{
    fmt,
    ops::Range,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use milepost_io::{Map, Unreadable, prefetch};
use milepost_types::{Corruption, Seq, Timestamp};

use super::{BlockCache, BodyPart, Met, MetBody, cold::Cold};
use crate::{
    FrameView, SealedFacts, SegmentKind, SegmentName,
    format::{
        Seed,
        footer::{self, FooterFault, FooterView, TRAILER_BYTES},
        frame::{FRAME_HEADER_BYTES, Frame, frame_bytes},
        header::{SEGMENT_HEADER_BYTES, SegmentHeader},
        kept::KeptTable,
        u32_at, u64_at,
        unpacked::Unpacked,
    },
};

/// Bytes from which on a frame that is read for the first time is asked for as a whole: some pages, each of which would
/// be a read of the disk.
const FIRST_READ_BYTES_MIN: usize = 2 << 12;
/// The same of a part of a frame that was read before, and is mostly in memory.
const ASKED_FOR_BYTES_MIN: usize = 16 << 12;

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

/// Reads and checks the footer of a segment through its map, which is then read here and there: nothing of it is read
/// from the disk that nobody asked for.
pub(crate) fn read_footer(map: &Map, header: &SegmentHeader) -> Result<Result<FooterView, FooterFault>, Unreadable> {
    map.is_read_at_random();
    map.check_readable(map.len().saturating_sub(TRAILER_BYTES)..map.len())?;
    let footer = footer::begins_at(map).unwrap_or(map.len())..map.len();
    map.will_need(footer.clone());
    map.check_readable(footer)?;
    Ok(footer::decode_of(header, map))
}

/// A sealed segment.
pub(crate) struct Sealed {
    name: SegmentName,
    /// Epoch of who began it.
    epoch: u32,
    path: PathBuf,
    pub(super) map: Map,
    pub(super) seed: Seed,
    first_seq: Seq,
    /// How many commits it is of, those that were removed included.
    frames: usize,
    first_at: Timestamp,
    /// Where the last frame ends.
    pub(super) end: usize,
    offsets: Offsets,
    /// Set if its frames are compressed: then offsets are those of the segment as it is read.
    cold: Option<Cold>,
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
        let cold = match &offsets {
            Offsets::Footer(view) | Offsets::Kept(view, _) => {
                view.blocks().map(|blocks| Cold::new(*blocks, view.is_thinned()))
            }
            Offsets::Memory(_) => None,
        };
        let (name, epoch, seed, first_seq) = (header.name(), header.epoch, header.seed(), header.first_seq);
        Sealed { name, epoch, path, map, seed, first_seq, frames, first_at, end, offsets, cold, checked }
    }

    pub(crate) fn name(&self) -> SegmentName {
        self.name
    }

    pub(crate) fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Whether bodies in it may be thinned.
    #[inline]
    pub(crate) fn may_be_thinned(&self) -> bool {
        self.name.generation > 0 && self.cold.as_ref().is_none_or(|cold| cold.is_thinned)
    }

    pub(crate) fn set_cache(&self, cache: &Arc<BlockCache>) {
        if let Some(cold) = &self.cold {
            cold.set_cache(cache);
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.map
    }

    /// Bytes of the file that can be read now.
    pub(crate) fn readable(&self, range: Range<usize>) -> Result<&[u8], Corruption> {
        self.map.will_need(range.clone());
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
            Offsets::Kept(..) if self.cold.is_some() => SegmentKind::Cold,
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
    pub(super) fn offset(&self, index: usize) -> Result<Option<u32>, Unreadable> {
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
        match (self.meet(index)?, &self.offsets) {
            (Some(view), _) => Ok(view.at),
            // Of the last one the footer says exactly when, and what comes after it is compared with that.
            (None, Offsets::Footer(view) | Offsets::Kept(view, _)) if index + 1 == self.frames() => Ok(view.last_at),
            (None, Offsets::Footer(view) | Offsets::Kept(view, _)) => Ok(view.stamp(&self.map, index)),
            (None, Offsets::Memory(_)) => unreachable!("nothing was removed from what has no footer"),
        }
    }

    /// Has it fetched where the frame with this index begins.
    #[inline]
    pub(crate) fn aim(&self, index: usize) {
        match &self.offsets {
            Offsets::Footer(view) => prefetch(&self.map, view.offset_at(index)),
            Offsets::Kept(_, kept) => {
                let (bits_at, ranks_at) = kept.places(index);
                prefetch(&self.map, bits_at);
                prefetch(&self.map, ranks_at);
            }
            Offsets::Memory(_) => {}
        }
    }

    /// Has the header of the frame with this index fetched, and a byte of its body.
    #[inline]
    pub(crate) fn glance(&self, index: usize, at: usize) {
        if self.cold.is_none()
            && let Ok(Some(offset)) = self.offset(index)
        {
            prefetch(&self.map, offset as usize);
            prefetch(&self.map, offset as usize + FRAME_HEADER_BYTES + at);
        }
    }

    /// The frame with this index, checked; all of it can be read. `None` if it was removed. Whoever wants a whole frame
    /// mostly wants the next one too: it is asked for ahead.
    pub(crate) fn view<'a>(
        &'a self,
        index: usize,
        unpacked: &'a mut Unpacked,
    ) -> Result<Option<FrameView<'a>>, Corruption> {
        if let Some(cold) = &self.cold {
            return self.view_cold(cold, index, unpacked);
        }
        let Some(view) = self.peek(index)? else { return Ok(None) };
        let at = view.offset as usize;
        if at == SEGMENT_HEADER_BYTES {
            self.map.will_read_from(at);
        }
        self.map.will_read_on(at..at + frame_bytes(view.body.len()));
        self.check_body_readable((view.seq, view.offset), 0..view.body.len())?;
        Ok(Some(view))
    }

    /// The checksum of the header of the frame with this index, which the next one repeats; `None` if it was removed.
    pub(crate) fn header_crc(&self, index: usize, unpacked: &mut Unpacked) -> Result<Option<u32>, Corruption> {
        if let Some(cold) = &self.cold {
            return self.cold_header_crc(cold, index);
        }
        let found = self.view(index, unpacked)?.map(|view| view.offset as usize + FRAME_HEADER_BYTES - 4);
        Ok(found.map(|at| u32_at(&self.map, at)))
    }

    /// The header of the frame with this index.
    #[inline]
    pub(crate) fn meet(&self, index: usize) -> Result<Option<Met<'_>>, Corruption> {
        match &self.cold {
            None => Ok(self.peek(index)?.map(Met::of_view)),
            Some(cold) => self.meet_cold(cold, index),
        }
    }

    /// At least these bytes of a frame's body: they can be read now. `met` is of this segment.
    #[inline]
    pub(crate) fn body<'a>(&'a self, met: &Met<'a>, range: Range<usize>) -> Result<BodyPart<'a>, Corruption> {
        match (met.body, &self.cold) {
            (MetBody::There(body), _) => {
                if range.len() >= ASKED_FOR_BYTES_MIN {
                    let body_at = met.offset as usize + FRAME_HEADER_BYTES;
                    self.map.will_need(body_at + range.start..body_at + range.end);
                }
                self.check_body_readable((met.seq, met.offset), range.clone())?;
                Ok(BodyPart::Borrowed(&body[range]))
            }
            (MetBody::Packed(_), Some(cold)) => self.cold_body(cold, met, range),
            (MetBody::Packed(_), None) => unreachable!("the frame is of another segment"),
        }
    }

    /// The frame with this index of a segment that is not cold. Of its body nobody knows yet whether it can be read.
    #[inline]
    fn peek(&self, index: usize) -> Result<Option<FrameView<'_>>, Corruption> {
        let seq = self.seq_of(index);
        let unreadable = |fault: Unreadable| self.unreadable(seq, fault);
        let Some(offset) = self.offset(index).map_err(unreadable)? else { return Ok(None) };
        let corrupt = |what| self.corruption(u64::from(offset), seq, what);
        // Bounds are checked at every read, not only the first: a page may come back from the disk as another one.
        let bytes = self.map.get(offset as usize..self.end).unwrap_or_default();
        let is_checked = self.checked[index / 64].load(Ordering::Relaxed) & 1 << (index % 64) != 0;
        if !is_checked {
            self.ask_for(offset as usize, index);
        }
        self.map.check_readable(offset as usize..offset as usize + FRAME_HEADER_BYTES).map_err(unreadable)?;
        if !is_checked {
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

    /// Whether some bytes of the body of the frame at an offset can be read.
    #[inline]
    fn check_body_readable(&self, (seq, offset): (Seq, u64), range: Range<usize>) -> Result<(), Corruption> {
        let body_at = offset as usize + FRAME_HEADER_BYTES;
        let readable = self.map.check_readable(body_at + range.start..body_at + range.end);
        readable.map_err(|fault| self.unreadable(seq, fault))
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
                if self.meet(index)?.is_some_and(|frame| frame.at > at) {
                    return Ok(index);
                }
                low = index + 1;
            }
            return Ok(high);
        }
        while low < high {
            let middle = low.midpoint(high);
            let is_before = self.meet(middle)?.is_some_and(|frame| frame.at <= at);
            if is_before { low = middle + 1 } else { high = middle }
        }
        Ok(low)
    }

    /// Has the whole frame at an offset read, in one read of the disk where two would be one for its header and one for
    /// the rest: where the next one begins is known before either is touched.
    #[cold]
    fn ask_for(&self, offset: usize, index: usize) {
        // Where that can't be read, whoever wants the next frame is told.
        let end = self.next_offset(index).unwrap_or(offset);
        if end.saturating_sub(offset) >= FIRST_READ_BYTES_MIN {
            self.map.will_need(offset..end);
        }
    }

    /// Where the frame behind the one with this index begins, or the last one ends.
    fn next_offset(&self, index: usize) -> Result<usize, Unreadable> {
        let (view, rank, count) = match &self.offsets {
            Offsets::Footer(view) => (view, index, self.frames),
            Offsets::Kept(view, kept) => {
                // It stands there: `offset` has found it, and read where these numbers are.
                let rank = kept.rank(&self.map, index);
                (view, rank.unwrap_or(kept.count), kept.count)
            }
            Offsets::Memory(offsets) => return Ok(offsets.get(index + 1).map_or(self.end, |next| *next as usize)),
        };
        if rank + 1 < count { Ok(self.offset_of(view, rank + 1)? as usize) } else { Ok(self.end) }
    }

    /// Whether all of the frame at the beginning of `bytes` can be read.
    #[inline]
    fn check_frame_readable(&self, offset: usize, bytes: &[u8]) -> Result<(), Unreadable> {
        let body_at = offset + FRAME_HEADER_BYTES;
        let body_bytes = if bytes.len() < FRAME_HEADER_BYTES { 0 } else { u32_at(bytes, 0) as usize };
        let end = frame_bytes(body_bytes).saturating_add(offset).min(self.end);
        self.map.check_readable_beyond(body_at - 1, end)
    }

    pub(super) fn seq_of(&self, index: usize) -> Seq {
        Seq(self.first_seq.0 + index as u64)
    }

    pub(super) fn unreadable(&self, seq: Seq, fault: Unreadable) -> Corruption {
        self.corruption(fault.at as u64, seq, fault.to_string())
    }

    pub(super) fn corruption(&self, offset: u64, seq: Seq, what: String) -> Corruption {
        Corruption { file: self.path.clone(), offset, seq: Some(seq), what }
    }

    fn check(&self, bytes: &[u8], seq: Seq) -> Result<(), String> {
        let frame = Frame::decode(bytes, self.seed).map_err(|fault| fault.to_string())?;
        check_seq(frame.header.seq, seq)
    }
}

pub(super) fn check_seq(found: Seq, expected: Seq) -> Result<(), String> {
    if found != expected {
        return Err(format!("the frame of seq {found} stands here, expected was seq {expected}"));
    }
    Ok(())
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed(segment {}, {} frames from seq {})", self.name, self.frames, self.first_seq)
    }
}
