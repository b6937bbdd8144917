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
    FrameView, SealedFacts, SegmentId,
    format::{
        Seed,
        footer::{self, FooterFault, FooterView, TRAILER_BYTES},
        frame::{FRAME_HEADER_BYTES, Frame, frame_bytes},
        header::{SEGMENT_HEADER_BYTES, SegmentHeader},
        u32_at, u64_at,
    },
};

/// Where each frame begins.
pub(crate) enum Offsets {
    /// In the footer, in the map.
    Footer(FooterView),
    /// In memory: there was no room for a footer.
    Memory(Vec<u32>),
}

/// Reads and checks the footer of a segment through its map.
pub(crate) fn read_footer(map: &Map, header: &SegmentHeader) -> Result<Result<FooterView, FooterFault>, Unreadable> {
    map.check_readable(map.len().saturating_sub(TRAILER_BYTES)..map.len())?;
    map.check_readable(footer::begins_at(map).unwrap_or(map.len())..map.len())?;
    Ok(footer::decode(map, header.crc(), header.seed()))
}

/// A sealed segment.
pub(crate) struct Sealed {
    id: SegmentId,
    path: PathBuf,
    map: Map,
    seed: Seed,
    first_seq: Seq,
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
    /// A sealed segment whose first frame is stamped `first_at` and whose last frame ends at `end`.
    pub(crate) fn new(
        header: &SegmentHeader,
        path: PathBuf,
        map: Map,
        offsets: Offsets,
        first_at: Timestamp,
        end: usize,
    ) -> Sealed {
        let frames = match &offsets {
            Offsets::Footer(view) => view.frames(),
            Offsets::Memory(offsets) => offsets.len(),
        };
        let checked = (0..frames.div_ceil(64)).map(|_| AtomicU64::new(0)).collect();
        let (id, seed, first_seq) = (header.id, header.seed(), header.first_seq);
        Sealed { id, path, map, seed, first_seq, frames, first_at, end, offsets, checked }
    }

    pub(crate) fn id(&self) -> SegmentId {
        self.id
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

    pub(crate) fn frames(&self) -> usize {
        self.frames
    }

    /// Bytes from the first frame to the end of the last.
    pub(crate) fn frame_bytes(&self) -> u64 {
        (self.end - SEGMENT_HEADER_BYTES) as u64
    }

    /// What identifies its content; `None` if it has no footer.
    pub(crate) fn facts(&self) -> Option<SealedFacts> {
        match &self.offsets {
            Offsets::Footer(view) => {
                Some(SealedFacts { last_seq: view.last_seq, bytes: self.map.len() as u64, crc: view.archive_crc })
            }
            Offsets::Memory(_) => None,
        }
    }

    /// Notes that a walk has checked the frame with this index.
    pub(crate) fn set_checked(&self, index: usize) {
        self.checked[index / 64].fetch_or(1 << (index % 64), Ordering::Relaxed);
    }

    /// Where the frame with this index begins.
    #[inline]
    fn offset(&self, index: usize) -> Result<u32, Unreadable> {
        match &self.offsets {
            Offsets::Footer(view) => {
                let at = view.offset_at(index);
                self.map.check_readable(at..at + size_of::<u32>())?;
                Ok(view.offset(&self.map, index))
            }
            Offsets::Memory(offsets) => Ok(offsets[index]),
        }
    }

    /// A byte of the body of the frame with this index, unchecked; 0 if it can't be read.
    #[inline]
    pub(crate) fn glance(&self, index: usize, at: usize) -> u8 {
        let Ok(offset) = self.offset(index) else { return 0 };
        let at = offset as usize + FRAME_HEADER_BYTES + at;
        if self.map.check_readable(at..at + 1).is_err() { 0 } else { self.map.get(at).copied().unwrap_or(0) }
    }

    /// The frame with this index, checked; all of it can be read.
    pub(crate) fn view(&self, index: usize) -> Result<FrameView<'_>, Corruption> {
        let view = self.peek(index)?;
        self.check_body_readable(&view, 0..view.body.len())?;
        Ok(view)
    }

    /// The same, but of its body nobody knows yet whether it can be read: see [`Sealed::check_body_readable`].
    #[inline]
    pub(crate) fn peek(&self, index: usize) -> Result<FrameView<'_>, Corruption> {
        let seq = Seq(self.first_seq.0 + index as u64);
        let unreadable = |fault: Unreadable| self.corruption(fault.at as u64, seq, fault.to_string());
        let offset = self.offset(index).map_err(unreadable)?;
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
        Ok(FrameView {
            seq,
            at: Timestamp(u64_at(bytes, 24).cast_signed()),
            batch_first: Seq(seq.0.saturating_sub(u64::from(u32_at(bytes, 32)))),
            body,
            segment: self.id,
            offset: u64::from(offset),
        })
    }

    /// Whether some bytes of a frame's body can be read; `view` is of this segment.
    #[inline]
    pub(crate) fn check_body_readable(&self, view: &FrameView<'_>, range: Range<usize>) -> Result<(), Corruption> {
        let body_at = view.offset as usize + FRAME_HEADER_BYTES;
        let readable = self.map.check_readable(body_at + range.start..body_at + range.end);
        readable.map_err(|fault| self.corruption(fault.at as u64, view.seq, fault.to_string()))
    }

    /// How many frames are stamped at or before a moment.
    pub(crate) fn frames_until(&self, at: Timestamp) -> Result<usize, Corruption> {
        let Range { start: mut low, end: mut high } = match &self.offsets {
            Offsets::Footer(view) => {
                let read = |range: Range<usize>| self.map.check_readable(range.clone()).map(|()| &self.map[range]);
                let unreadable =
                    |fault: Unreadable| self.corruption(fault.at as u64, self.first_seq, fault.to_string());
                view.frames_until(at, read).map_err(unreadable)?
            }
            Offsets::Memory(offsets) => 0..offsets.len(),
        };
        // What is left are those that the footer can't tell apart: few, or none.
        while low < high {
            let middle = low.midpoint(high);
            if self.peek(middle)?.at <= at { low = middle + 1 } else { high = middle }
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
        write!(f, "Sealed(segment {}, {} frames from seq {})", self.id, self.frames, self.first_seq)
    }
}
