//! [`LogWriter`]: appends batches to the open segment and syncs them. One owner, one thread at a time.
//!
//! Invariant: past the last frame the open segment is all zeros. A write that fails or comes short is taken back,
//! durably, before anything else happens: the file is cut where the batch began, and synced. If that can't be done the
//! log stops: nothing is appended any more, reads go on. So half a frame never stands in the way of the next.
//!
//! A batch never spans segments. All that is appended between two syncs is one batch to recovery, since one sync covers
//! it.
//!
//! Knows nothing of keys, and nothing of who waits for a commit.

mod roll;

use std::{io, path::PathBuf, sync::Arc};

use milepost_io::{Disk, DiskFile as _, Failure, Latch, LatchedFile, write_all_at};
use milepost_types::{Seq, Timestamp};

use crate::{
    AppendError, CleanMark, FrameBytes, KnownSegment, LogReader, LogSettings, SegmentId, StoreId,
    begin::{Begun, Salts, refusal, stopped},
    chain::Chain,
    format::{
        align_up,
        header::{SEGMENT_HEADER_BYTES, SegmentHeader},
    },
    prefill::{Dropped, Prefiller, Shared},
    segment::{Heap, Part},
};

/// A larger buffer is given back after the batch that needed it.
const BUFFER_BYTES_KEPT: usize = 16 << 20;

/// A log that is open for writing.
#[derive(Debug)]
pub struct Log {
    /// Appends; has one owner.
    pub writer: LogWriter,
    /// Reads; cloned at will.
    pub reader: LogReader,
    /// Prepares coming segments; driven by a thread or by a test.
    pub prefiller: Prefiller,
}

/// Appends to a log.
#[derive(Debug)]
pub struct LogWriter {
    disk: Arc<dyn Disk>,
    log_dir: PathBuf,
    store: StoreId,
    /// Raised at every opening for writing.
    epoch: u32,
    latch: Latch,
    settings: LogSettings,
    salts: Salts,
    reader: LogReader,
    shared: Arc<Shared>,
    open: Open,
    /// The frames of a batch, one after the other. Empty between calls; kept for its memory.
    buffer: Vec<u8>,
    /// A write found no room: a spare is the better place now, whatever the open segment holds.
    starved: bool,
}

/// The open segment, as the writer sees it.
#[derive(Debug)]
pub(crate) struct Open {
    pub(crate) header: SegmentHeader,
    pub(crate) file: LatchedFile,
    pub(crate) heap: Arc<Heap>,
    /// The state after the last frame.
    pub(crate) chain: Chain,
    /// Where the last frame ends and the next begins.
    pub(crate) end: u64,
    /// Size of the file. Beyond `end` it was prefilled.
    pub(crate) file_bytes: u64,
    /// The first `Seq` not yet covered by a sync; the next one if there is none.
    pub(crate) unsynced_first: Seq,
    /// Where the last frame covered by a sync ends.
    pub(crate) synced_end: u64,
}

/// What a writer is made of, besides its segments.
pub(crate) struct Parts {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) log_dir: PathBuf,
    pub(crate) store: StoreId,
    pub(crate) epoch: u32,
    pub(crate) latch: Latch,
    pub(crate) settings: LogSettings,
    pub(crate) salts: Salts,
    /// Files of segments that were dropped before this opening.
    pub(crate) retired: Vec<PathBuf>,
}

impl Open {
    /// A segment that was just begun; `last_at` is the timestamp of the last frame before it.
    pub(crate) fn begun(header: SegmentHeader, begun: Begun, last_at: Timestamp) -> Open {
        let Begun { file, path, file_bytes } = begun;
        Open {
            heap: Arc::new(Heap::new(header.id, path, header.first_seq)),
            chain: Chain::begin(&header, last_at),
            end: SEGMENT_HEADER_BYTES as u64,
            file_bytes,
            unsynced_first: header.first_seq,
            synced_end: SEGMENT_HEADER_BYTES as u64,
            header,
            file,
        }
    }
}

impl Log {
    /// A log whose segments before the open one are `parts`.
    pub(crate) fn assemble(parts: Parts, mut segments: Vec<Part>, open: Open) -> Log {
        let Parts { disk, log_dir, store, epoch, latch, settings, salts, retired } = parts;
        segments.push(Part::Heap(Arc::clone(&open.heap)));
        let reader = LogReader::new(segments);
        let logged = reader.segment_stats().iter().map(|segment| segment.frame_bytes).sum();
        let shared = Arc::new(Shared::new(retired));
        let prefiller = Prefiller::new(
            Arc::clone(&disk),
            log_dir.clone(),
            latch.clone(),
            settings.segment_bytes,
            logged,
            Arc::clone(&shared),
        );
        let writer = LogWriter {
            disk,
            log_dir,
            store,
            epoch,
            latch,
            settings,
            salts,
            reader: reader.clone(),
            shared,
            open,
            buffer: Vec::new(),
            starved: false,
        };
        Log { writer, reader, prefiller }
    }
}

impl LogWriter {
    /// `Seq` of the next commit. `Seq::MAX` is never written: at it the log is full.
    #[must_use]
    pub fn next_seq(&self) -> Seq {
        self.open.chain.next_seq
    }

    /// When the last commit was stamped; `Timestamp::MIN` if there is none.
    #[must_use]
    pub fn last_at(&self) -> Timestamp {
        self.open.chain.last_at
    }

    /// Appends commits with one write, after rolling if they do not fit. They are readable at once, and durable after
    /// [`LogWriter::sync`]. On an error nothing was appended, and the batch is given back.
    ///
    /// # Panics
    ///
    /// If the commits do not continue the log: `Seq` dense, timestamps increasing, `Seq::MAX` never.
    pub fn append(&mut self, mut batch: Vec<FrameBytes>) -> Result<(), (AppendError, Vec<FrameBytes>)> {
        if batch.is_empty() {
            return Ok(());
        }
        if let Some(failure) = self.latch.failure() {
            return Err((AppendError::Stopped(failure), batch));
        }
        let bytes = batch.iter().map(FrameBytes::frame_bytes).sum();
        if self.needs_roll(bytes)
            && let Err(error) = self.roll()
        {
            return Err((error, batch));
        }
        let chain = self.fill_headers(&mut batch);
        let written = self.write(&batch);
        match written {
            Ok(bytes) => {
                self.publish(batch, chain, bytes);
                Ok(())
            }
            Err(error) => Err((self.take_back(bytes as u64, &error), batch)),
        }
    }

    /// Has the disk begin with what the next sync waits for. A hint, for who has something else to do meanwhile.
    pub fn begin_sync(&self) {
        let Open { file, synced_end, end, .. } = &self.open;
        file.begin_sync(*synced_end, end - synced_end);
    }

    /// Makes all that was appended durable. An error is final: the log takes nothing more.
    pub fn sync(&mut self) -> Result<(), Failure> {
        if let Some(failure) = self.latch.failure() {
            return Err(failure);
        }
        if self.open.unsynced_first == self.open.chain.next_seq {
            return Ok(());
        }
        if let Err(error) = self.open.file.sync() {
            return Err(self.fail("sync", &error));
        }
        self.open.unsynced_first = self.open.chain.next_seq;
        self.open.synced_end = self.open.end;
        Ok(())
    }

    /// Whether a batch of so many bytes needs another segment. An empty segment takes any batch.
    #[must_use]
    pub fn needs_roll(&self, bytes: usize) -> bool {
        self.open.heap.frames() > 0 && self.open.end + bytes as u64 > u64::from(self.settings.segment_bytes)
    }

    /// Whether to roll would be good, though it is not needed: the open segment grows with every write, and a prefilled
    /// file is ready.
    #[must_use]
    pub fn wants_roll(&self) -> bool {
        let grows = self.open.file_bytes <= self.open.end;
        grows
            && self.shared.is_ready()
            && self.open.heap.frames() > 0
            && (self.starved || self.open.end >= roll::early_bytes_min(self.settings.segment_bytes))
    }

    /// The segments, in order, for the manifest.
    #[must_use]
    pub fn segments(&self) -> Vec<KnownSegment> {
        self.reader.shape().parts.iter().map(Part::known).collect()
    }

    /// Where the log ends, for a manifest written when the log is closed. Only after a sync.
    #[must_use]
    pub fn clean_mark(&self) -> CleanMark {
        assert!(self.open.unsynced_first == self.open.chain.next_seq, "a clean mark promises what was synced");
        CleanMark { segment: self.open.header.id, end: self.open.end, last_seq: self.open.chain.next_seq.prev() }
    }

    /// Drops the first segment from the log, which the manifest no longer lists; `None` if it is the open one. Its file
    /// is kept until [`Prefiller::recycle`].
    pub fn drop_first_segment(&mut self) -> Option<(SegmentId, Dropped)> {
        let mut parts = self.reader.shape().parts.clone();
        let Some(Part::Sealed(sealed)) = parts.first() else {
            return None;
        };
        let dropped = (sealed.id(), Dropped::new(Arc::clone(sealed.shared())));
        parts.remove(0);
        self.reader.replace(parts);
        Some(dropped)
    }

    /// Fills the headers in; returns the state after the batch, which counts only once it was written.
    fn fill_headers(&self, batch: &mut [FrameBytes]) -> Chain {
        let (mut chain, seed) = (self.open.chain, self.open.header.seed());
        for frame in batch {
            assert!(frame.seq == chain.next_seq, "seq {} was appended, expected was {}", frame.seq, chain.next_seq);
            chain.epoch = self.epoch;
            chain.write(&mut frame.bytes, frame.body_crc, frame.at, self.open.unsynced_first, seed);
        }
        chain
    }

    /// Writes the batch at the end of the segment; returns how many bytes, without the padding of the last frame: zeros
    /// stand there already.
    fn write(&mut self, batch: &[FrameBytes]) -> io::Result<u64> {
        let Open { file, end, .. } = &self.open;
        if let [frame] = batch {
            write_all_at(file, &frame.bytes, *end).map_err(|short| short.error)?;
            return Ok(frame.bytes.len() as u64);
        }
        for frame in batch {
            self.buffer.resize(align_up(self.buffer.len()), 0);
            self.buffer.extend_from_slice(&frame.bytes);
        }
        let written = write_all_at(file, &self.buffer, *end).map_err(|short| short.error);
        let bytes = self.buffer.len() as u64;
        self.buffer.clear();
        if self.buffer.capacity() > BUFFER_BYTES_KEPT {
            self.buffer = Vec::new();
        }
        written.map(|()| bytes)
    }

    /// Takes over a batch that was written.
    fn publish(&mut self, batch: Vec<FrameBytes>, chain: Chain, bytes: u64) {
        let begin = self.open.end;
        let mut at = begin as u32;
        for frame in batch {
            let frame_bytes = frame.frame_bytes() as u32;
            self.open.heap.push(Arc::new(frame), at);
            at += frame_bytes;
        }
        self.open.chain = chain;
        self.open.end = u64::from(at);
        self.open.file_bytes = self.open.file_bytes.max(begin + bytes);
        self.starved = false;
        self.shared.count_appended(self.open.end - begin);
    }

    /// Takes back what a failed write may have left, so that zeros follow the last frame again.
    fn take_back(&mut self, need: u64, error: &io::Error) -> AppendError {
        if let Some(failure) = self.latch.failure() {
            return AppendError::Stopped(failure);
        }
        let Open { file, heap, end, file_bytes, .. } = &self.open;
        // Without its padding the last frame may end the file before `end`; to grow it there could need room.
        let kept = (*end).min(*file_bytes);
        if let Err(error) = file.set_bytes(kept) {
            return stopped(&self.latch, heap.path(), "cut", &error);
        }
        if let Err(error) = file.sync() {
            return stopped(&self.latch, heap.path(), "sync", &error);
        }
        let refusal = refusal(&*self.disk, &self.log_dir, heap.path(), "write", error);
        self.open.file_bytes = kept;
        // That sync also covered what was appended before.
        self.open.unsynced_first = self.open.chain.next_seq;
        self.open.synced_end = self.open.end;
        match refusal {
            AppendError::DiskFull { free, .. } => {
                self.starved = true;
                AppendError::DiskFull { need, free }
            }
            refusal @ (AppendError::Write(_) | AppendError::Stopped(_)) => refusal,
        }
    }

    fn fail(&self, operation: &str, error: &io::Error) -> Failure {
        let path = self.open.heap.path();
        self.latch.trip(path, operation, error);
        self.latch.failure().unwrap_or_else(|| Failure::new(path, operation, &error.to_string()))
    }
}
