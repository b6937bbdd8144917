//! [`Heap`]: the frames of a segment in memory, as they stand in its file. The open segment is one; so is a segment
//! that could not be mapped. [`HeapWriter`] adds frames.
//!
//! What an opening walked over it leaves in the file: memory is taken for it chunk by chunk, when a frame of it is
//! asked for. An opening that took memory for a whole segment at once spent most of its time on the pages of it.
//!
//! Invariant: one adds, in order of `Seq` without a gap; any number read, without a lock. A frame that is in use keeps
//! the chunk of memory that it lies in, and no other. A chunk that is read from the file has its checksums checked.

use std::{
    fmt, iter,
    ops::{Deref, Range},
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use milepost_io::{DiskFile, Grower, Grown, Held, Spread, prefetch, read_some_at};
use milepost_types::{Corruption, Seq, Timestamp};

use super::Sealed;
use crate::{
    FrameView, SegmentName,
    format::{
        frame::{FRAME_HEADER_BYTES, Frame, FrameHeader, frame_bytes},
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
/// Frames that are left in the file are read by so many bytes; a larger frame by itself.
const LEFT_BYTES_MAX: usize = 256 << 10;

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
    /// Empty where the frames are left in the file.
    chunks: boxcar::Vec<OnceLock<Spread<Grown>>>,
    /// What is left is read from it.
    file: Option<Arc<dyn DiskFile>>,
    /// The same segment, once it was sealed: its file is not used again while a frame may be read from it here.
    sealed: OnceLock<Arc<Sealed>>,
}

/// Adds frames to a heap. One owner.
pub(crate) struct HeapWriter {
    heap: Arc<Heap>,
    /// Fills the last chunk. `None` while there is none.
    grower: Option<Grower>,
    /// Bytes of all chunks in memory.
    chunk_bytes: usize,
    /// Where in the file the last chunk begins, if it is left there.
    left_at: Option<u32>,
}

impl HeapWriter {
    /// Without frames.
    pub(crate) fn new(header: &SegmentHeader, path: PathBuf) -> HeapWriter {
        HeapWriter::reading(header, path, None)
    }

    /// The same, for frames that may be left in a file.
    pub(crate) fn leaving(header: &SegmentHeader, path: PathBuf, file: &Arc<dyn DiskFile>) -> HeapWriter {
        HeapWriter::reading(header, path, Some(Arc::clone(file)))
    }

    fn reading(header: &SegmentHeader, path: PathBuf, file: Option<Arc<dyn DiskFile>>) -> HeapWriter {
        let heap = Heap {
            header: *header,
            path,
            frames: boxcar::Vec::new(),
            block_firsts: boxcar::Vec::new(),
            chunks: boxcar::Vec::new(),
            file,
            sealed: OnceLock::new(),
        };
        HeapWriter { heap: Arc::new(heap), grower: None, chunk_bytes: 0, left_at: None }
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
            self.heap.chunks.push(OnceLock::from(Spread::new(Arc::clone(grower.grown()))));
            self.left_at = None;
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
            self.add(HeapFrame { at, offset: offset + in_room, chunk, place: begin + in_room, body_bytes });
        }
    }

    fn add(&self, frame: HeapFrame) {
        let index = self.heap.frames.push(frame);
        if index.is_multiple_of(BLOCK_FRAMES) {
            self.heap.block_firsts.push(frame.at);
        }
    }

    /// Adds a frame that was checked, and leaves it in the file, where it stands at `offset`.
    pub(crate) fn leave(&mut self, header: &FrameHeader, offset: u32) {
        let end = offset as usize + header.frame_bytes();
        let begin = match self.left_at {
            Some(begin) if end - begin as usize <= LEFT_BYTES_MAX => begin,
            _ => {
                self.heap.chunks.push(OnceLock::new());
                (self.grower, self.left_at) = (None, Some(offset));
                offset
            }
        };
        let chunk = self.heap.chunks.count() as u32 - 1;
        let (at, body_bytes) = (header.at, header.body_bytes);
        self.add(HeapFrame { at, offset, chunk, place: offset - begin, body_bytes });
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
    pub(crate) fn bytes(&self, frame: &HeapFrame) -> Result<&[u8], Corruption> {
        let chunk = match self.chunks[frame.chunk as usize].get() {
            Some(chunk) => chunk,
            None => self.read(frame.chunk)?,
        };
        Ok(&chunk.bytes()[frame.place as usize..][..FRAME_HEADER_BYTES + frame.body_bytes as usize])
    }

    /// The memory that a frame lies in, to keep, and where in it the body begins.
    pub(crate) fn hold(&self, seq: Seq) -> (Held<Grown>, u32) {
        let frame = self.get(self.index_of(seq)).expect("a frame that was seen stays");
        let chunk = self.chunks[frame.chunk as usize].get().expect("its bytes were asked for before");
        (chunk.hold(), frame.place + FRAME_HEADER_BYTES as u32)
    }

    fn index_of(&self, seq: Seq) -> usize {
        (seq.0 - self.header.first_seq.0) as usize
    }

    fn seq_of(&self, index: usize) -> Seq {
        Seq(self.header.first_seq.0 + index as u64)
    }

    /// Reads a chunk that was left in the file, and checks its frames.
    #[cold]
    fn read(&self, chunk: u32) -> Result<&Spread<Grown>, Corruption> {
        let chunk_of = |index: usize| self.get(index).expect("it is one of the frames").chunk;
        let first = partition_point(0..self.frames(), |index| chunk_of(index) < chunk);
        let end = partition_point(first..self.frames(), |index| chunk_of(index) <= chunk);
        let frames = || (first..end).map(|index| (index, self.get(index).expect("it is one of the frames")));
        let bytes = frames().map(|(_, frame)| frame_bytes(frame.body_bytes as usize)).sum();
        let mut grower = Grower::new(bytes);
        let room = grower.room(bytes);
        let file = self.file.as_ref().expect("only what a file has is left in it");
        for (index, frame) in frames() {
            let (from, to) = (frame.place as usize, frame.place as usize + frame_bytes(frame.body_bytes as usize));
            let corrupt = |what: String| Corruption {
                file: self.path.clone(),
                offset: u64::from(frame.offset),
                seq: Some(self.seq_of(index)),
                what,
            };
            if index == first {
                read_some_at(&**file, room, u64::from(frame.offset))
                    .map_err(|error| corrupt(format!("it can't be read: {error}")))?;
            }
            let read =
                Frame::decode(&room[from..to], self.header.seed()).map_err(|fault| corrupt(fault.to_string()))?;
            let FrameHeader { seq, at, body_bytes, .. } = read.header;
            if (seq, at, body_bytes) != (self.seq_of(index), frame.at, frame.body_bytes) {
                return Err(corrupt("another frame stands there than was there before".to_owned()));
            }
        }
        grower.show(bytes);
        // Somebody else may have read it meanwhile: the same.
        let _ = self.chunks[chunk as usize].set(Spread::new(Arc::clone(grower.grown())));
        Ok(self.chunks[chunk as usize].get().expect("it was set just now, if not before"))
    }

    /// Says that the segment was sealed.
    pub(crate) fn keep_file_of(&self, sealed: &Arc<Sealed>) {
        if self.file.is_some() {
            let _ = self.sealed.set(Arc::clone(sealed));
        }
    }

    #[inline]
    pub(crate) fn view(&self, index: usize) -> Result<Option<FrameView<'_>>, Corruption> {
        let Some(frame) = self.frames.get(index) else { return Ok(None) };
        let (seq, bytes) = (self.seq_of(index), self.bytes(frame)?);
        Ok(Some(FrameView {
            seq,
            at: frame.at,
            batch_first: Seq(seq.0 - u64::from(u32_at(bytes, 32))),
            body: &bytes[FRAME_HEADER_BYTES..],
            body_crc: u32_at(bytes, 4),
            epoch: u32_at(bytes, 12),
            segment: self.name(),
            offset: u64::from(frame.offset),
        }))
    }

    /// Has the header of the frame with this index fetched, and a byte of its body, if they are in memory.
    #[inline]
    pub(crate) fn glance(&self, index: usize, at: usize) {
        if let Some(frame) = self.frames.get(index)
            && let Some(chunk) = self.chunks[frame.chunk as usize].get()
        {
            prefetch(chunk.bytes(), frame.place as usize);
            prefetch(chunk.bytes(), frame.place as usize + FRAME_HEADER_BYTES + at);
        }
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
