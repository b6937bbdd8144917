//! [`Heap`]: the frames of a segment in memory, as they stand in its file. The open segment is one; so is a segment
//! that could not be mapped. [`HeapWriter`] adds frames.
//!
//! Invariant: one adds, in order of `Seq` without a gap; any number read, without a lock. A frame that is in use keeps
//! the chunk of memory that it lies in, and no other.

use std::{
    fmt, iter,
    ops::{Deref, Range},
    path::{Path, PathBuf},
    sync::Arc,
};

use milepost_io::{Grower, Grown, Held, Spread};
use milepost_types::{Seq, Timestamp};

use crate::{
    FrameView, SegmentName,
    format::{
        frame::{FRAME_HEADER_BYTES, frame_bytes},
        header::{SEGMENT_HEADER_BYTES, SegmentHeader},
        times::BLOCK_FRAMES,
        u32_at,
    },
    names,
};

/// Memory is taken in chunks as large as all that is there already, from this size
const CHUNK_BYTES_MIN: usize = 64 << 10;
/// up to this one; a larger batch gets a chunk of its own.
const CHUNK_BYTES_MAX: usize = 1 << 20;

/// Where a frame lies, in the file and in memory.
#[derive(Clone, Copy)]
pub(crate) struct HeapFrame {
    pub(crate) at: Timestamp,
    /// In the file.
    pub(crate) offset: u32,
    chunk: u32,
    /// In the chunk.
    place: u32,
    body_bytes: u32,
}

/// A frame that was written into the room: when it was stamped, where in the room, and the size of its body.
pub(crate) type InRoom = (Timestamp, u32, u32);

/// Frames in memory.
pub(crate) struct Heap {
    header: SegmentHeader,
    path: PathBuf,
    frames: boxcar::Vec<HeapFrame>,
    /// Timestamp of the first frame of each block; pushed after that frame.
    block_firsts: boxcar::Vec<Timestamp>,
    chunks: boxcar::Vec<Spread<Grown>>,
}

/// Adds frames to a heap. One owner.
pub(crate) struct HeapWriter {
    heap: Arc<Heap>,
    /// Fills the last chunk. `None` while there is none.
    grower: Option<Grower>,
    /// Bytes of all chunks.
    chunk_bytes: usize,
}

impl HeapWriter {
    pub(crate) fn new(header: &SegmentHeader, path: PathBuf) -> HeapWriter {
        let heap = Heap {
            header: *header,
            path,
            frames: boxcar::Vec::new(),
            block_firsts: boxcar::Vec::new(),
            chunks: boxcar::Vec::new(),
        };
        HeapWriter { heap: Arc::new(heap), grower: None, chunk_bytes: 0 }
    }

    /// The frames, to read.
    pub(crate) fn heap(&self) -> &Arc<Heap> {
        &self.heap
    }

    /// Room for frames of so many bytes in all, side by side. Nobody sees it before it is published.
    pub(crate) fn room(&mut self, bytes: usize) -> &mut [u8] {
        if self.grower.as_ref().is_none_or(|grower| grower.free_bytes() < bytes) {
            let chunk = self.chunk_bytes.clamp(CHUNK_BYTES_MIN, CHUNK_BYTES_MAX).max(bytes);
            let grower = Grower::new(chunk);
            self.heap.chunks.push(Spread::new(Arc::clone(grower.grown())));
            self.chunk_bytes += chunk;
            self.grower = Some(grower);
        }
        self.grower.as_mut().expect("made just above if there was none").room(bytes)
    }

    /// Takes over frames that stand in the first `bytes` of the room, which begins at `offset` in the file.
    pub(crate) fn publish(&mut self, bytes: usize, offset: u32, frames: impl IntoIterator<Item = InRoom>) {
        let grower = self.grower.as_mut().expect("the frames are in its room");
        let begin = grower.grown().bytes().len() as u32;
        grower.show(bytes);
        let chunk = self.heap.chunks.count() as u32 - 1;
        for (at, in_room, body_bytes) in frames {
            let frame = HeapFrame { at, offset: offset + in_room, chunk, place: begin + in_room, body_bytes };
            let index = self.heap.frames.push(frame);
            if index.is_multiple_of(BLOCK_FRAMES) {
                self.heap.block_firsts.push(at);
            }
        }
    }

    /// Adds a frame as it stands in the file at `offset`, with or without its padding.
    pub(crate) fn push(&mut self, frame: &[u8], at: Timestamp, offset: u32) {
        let body_bytes = u32_at(frame, 0);
        let (whole, bytes) = (FRAME_HEADER_BYTES + body_bytes as usize, frame_bytes(body_bytes as usize));
        let room = self.room(bytes);
        room[..whole].copy_from_slice(&frame[..whole]);
        room[whole..].fill(0);
        self.publish(bytes, offset, iter::once((at, 0, body_bytes)));
    }
}

impl Deref for HeapWriter {
    type Target = Heap;

    fn deref(&self) -> &Heap {
        &self.heap
    }
}

impl Heap {
    pub(crate) fn header(&self) -> &SegmentHeader {
        &self.header
    }

    pub(crate) fn name(&self) -> SegmentName {
        names::first_written(self.header.id)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn first_seq(&self) -> Seq {
        self.header.first_seq
    }

    pub(crate) fn frames(&self) -> usize {
        self.frames.count()
    }

    pub(crate) fn get(&self, index: usize) -> Option<&HeapFrame> {
        self.frames.get(index)
    }

    /// The last frame.
    pub(crate) fn last(&self) -> Option<&HeapFrame> {
        self.get(self.frames().checked_sub(1)?)
    }

    /// A frame's header and body, without its padding.
    #[inline]
    pub(crate) fn bytes(&self, frame: &HeapFrame) -> &[u8] {
        let begin = frame.place as usize;
        &self.chunks[frame.chunk as usize].bytes()[begin..begin + FRAME_HEADER_BYTES + frame.body_bytes as usize]
    }

    /// The memory that a frame lies in, to keep, and where in it the body begins.
    pub(crate) fn hold(&self, seq: Seq) -> (Held<Grown>, u32) {
        let frame = self.get((seq.0 - self.header.first_seq.0) as usize).expect("a frame that was seen stays");
        (self.chunks[frame.chunk as usize].hold(), frame.place + FRAME_HEADER_BYTES as u32)
    }

    #[inline]
    pub(crate) fn view(&self, index: usize) -> Option<FrameView<'_>> {
        let frame = self.frames.get(index)?;
        let (seq, bytes) = (Seq(self.header.first_seq.0 + index as u64), self.bytes(frame));
        Some(FrameView {
            seq,
            at: frame.at,
            batch_first: Seq(seq.0 - u64::from(u32_at(bytes, 32))),
            body: &bytes[FRAME_HEADER_BYTES..],
            body_crc: u32_at(bytes, 4),
            epoch: u32_at(bytes, 12),
            segment: self.name(),
            offset: u64::from(frame.offset),
        })
    }

    /// A byte of the body of the frame with this index.
    #[inline]
    pub(crate) fn glance(&self, index: usize, at: usize) -> u8 {
        let body = self.frames.get(index).map(|frame| &self.bytes(frame)[FRAME_HEADER_BYTES..]);
        body.and_then(|body| body.get(at)).copied().unwrap_or(0)
    }

    /// Bytes from the first frame to the end of the last.
    pub(crate) fn frame_bytes(&self) -> u64 {
        let end = |frame: &HeapFrame| u64::from(frame.offset) + frame_bytes(frame.body_bytes as usize) as u64;
        self.last().map_or(0, |last| end(last) - SEGMENT_HEADER_BYTES as u64)
    }

    /// How many frames are stamped at or before a moment.
    pub(crate) fn frames_until(&self, at: Timestamp) -> usize {
        let is_before = |stamp: Option<Timestamp>| stamp.is_some_and(|stamp| stamp <= at);
        let blocks = self.block_firsts.count();
        let later = partition_point(0..blocks, |block| is_before(self.block_firsts.get(block).copied()));
        let Some(block) = later.checked_sub(1) else { return 0 };
        let end = if later < blocks { later * BLOCK_FRAMES } else { self.frames() };
        partition_point(block * BLOCK_FRAMES..end, |index| is_before(self.get(index).map(|frame| frame.at)))
    }

    /// When each frame was stamped.
    pub(crate) fn stamps(&self) -> Vec<i64> {
        self.frames.iter().map(|(_, frame)| frame.at.0).collect()
    }

    /// Where each frame begins.
    pub(crate) fn offsets(&self) -> Vec<u32> {
        self.frames.iter().map(|(_, frame)| frame.offset).collect()
    }
}

/// The first index of which `is_before` does not hold; before it, it holds of all.
fn partition_point(range: Range<usize>, is_before: impl Fn(usize) -> bool) -> usize {
    let Range { start: mut low, end: mut high } = range;
    while low < high {
        let middle = low.midpoint(high);
        if is_before(middle) { low = middle + 1 } else { high = middle }
    }
    low
}

impl fmt::Debug for Heap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Heap(segment {}, {} frames from seq {})", self.header.id, self.frames(), self.header.first_seq)
    }
}

impl fmt::Debug for HeapWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.heap.fmt(f)
    }
}
