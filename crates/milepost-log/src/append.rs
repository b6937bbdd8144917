//! [`LogWriter`]: appends batches to the open segment and syncs them. One owner, one thread at a time.
//!
//! Invariant: past the last frame the open segment is all zeros, and its file goes on with zeros where there is room
//! (`append/ahead.rs`). A write that fails or comes short is taken back, durably, before anything else happens: the
//! file is cut where the batch began, and synced. If that can't be done the log stops: nothing is appended any more,
//! reads go on. So half a frame never stands in the way of the next.
//!
//! A batch never spans segments. All that is appended between two syncs is one batch to recovery, since one sync covers
//! it.
//!
//! Knows nothing of keys, and nothing of who waits for a commit.

mod ahead;
mod pass;
mod roll;

use std::{io, path::PathBuf, sync::Arc};

use milepost_io::{Disk, DiskFile as _, Failure, Latch, LatchedFile, write_all_at};
use milepost_types::{Seq, Timestamp};

use crate::{
    AppendError, CleanMark, FrameBytes, KnownSegment, LogReader, LogSettings, StoreId,
    begin::{Begun, Salts, refusal, stopped},
    chain::Chain,
    format::{
        frame::FRAME_HEADER_BYTES,
        header::{SEGMENT_HEADER_BYTES, SegmentHeader},
    },
    recycle::{Recycler, Shared},
    rewrite::Rewriter,
    segment::{HeapWriter, Part},
};

/// A log that is open for writing.
#[derive(Debug)]
pub struct Log {
    /// Appends; has one owner.
    pub writer: LogWriter,
    /// Reads; cloned at will.
    pub reader: LogReader,
    /// Sees to what segments leave behind; driven by a thread or by a test.
    pub recycler: Recycler,
    /// Writes sealed segments anew and drops them, beside the writer.
    pub rewriter: Rewriter,
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
    /// A write found no room: a spare is the better place now, whatever the open segment holds.
    starved: bool,
    /// Whether the names of all segments are durable, and the header of the open one. Not so only in a store that is
    /// being filled: see `append/pass.rs`.
    is_named: bool,
}

/// The open segment, as the writer sees it.
#[derive(Debug)]
pub(crate) struct Open {
    pub(crate) header: SegmentHeader,
    pub(crate) file: LatchedFile,
    pub(crate) heap: HeapWriter,
    /// The state after the last frame.
    pub(crate) chain: Chain,
    /// Where the last frame ends and the next begins.
    pub(crate) end: u64,
    /// Size of the file. Beyond `end` it is zeros.
    pub(crate) file_bytes: u64,
    /// No zeros are written ahead before the frames end here.
    pub(crate) ahead_from: u64,
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
    /// The highest generation of any segment, in the log or left over.
    pub(crate) generation: u32,
}

impl Open {
    /// A segment that was just begun; `last_at` is the timestamp of the last frame before it.
    pub(crate) fn begun(header: SegmentHeader, begun: Begun, last_at: Timestamp) -> Open {
        let Begun { file, path, file_bytes } = begun;
        Open {
            heap: HeapWriter::new(&header, path),
            chain: Chain::begin(&header, last_at),
            end: SEGMENT_HEADER_BYTES as u64,
            file_bytes,
            ahead_from: 0,
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
        let Parts { disk, log_dir, store, epoch, latch, settings, mut salts, retired, generation } = parts;
        segments.push(Part::Heap(Arc::clone(open.heap.heap())));
        let reader = LogReader::new(segments);
        let shared = Arc::new(Shared::new(retired));
        let recycler = Recycler::new(
            Arc::clone(&disk),
            log_dir.clone(),
            latch.clone(),
            settings.segment_bytes,
            Arc::clone(&shared),
        );
        let rewriter = Rewriter::new(
            Arc::clone(&disk),
            (log_dir.clone(), store),
            latch.clone(),
            (salts.apart(), generation),
            reader.clone(),
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
            starved: false,
            is_named: true,
        };
        Log { writer, reader, recycler, rewriter }
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
    pub fn append(&mut self, batch: Vec<FrameBytes>) -> Result<(), (AppendError, Vec<FrameBytes>)> {
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
        let (chain, written) = self.write(&batch, bytes);
        match written {
            Ok(()) => {
                self.publish(&batch, chain, bytes);
                self.write_ahead(bytes);
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
        // Left out on purpose in a build that must be found out: docs/reliability.md.
        if !cfg!(milepost_without = "ack_sync")
            && let Err(error) = self.open.file.sync()
        {
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

    /// Whether to roll would be good, though it is not needed: a write found no room, and a spare is ready.
    #[must_use]
    pub fn wants_roll(&self) -> bool {
        self.starved && self.shared.is_ready() && self.open.heap.frames() > 0
    }

    /// Bytes of the open segment that are in use.
    #[must_use]
    pub fn open_bytes(&self) -> u64 {
        self.open.end
    }

    /// Whether something was left for the [`Recycler`]; once asked, it is seen to.
    #[must_use]
    pub fn take_recycling_wanted(&self) -> bool {
        self.shared.take_wanted()
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

    /// Puts the frames side by side into memory and writes them at the end of the segment, without the padding of the
    /// last one: zeros stand there already. Returns the state after the batch, which counts only once it was written.
    fn write(&mut self, batch: &[FrameBytes], bytes: usize) -> (Chain, io::Result<()>) {
        let Open { header, file, heap, chain, end, unsynced_first, .. } = &mut self.open;
        let (mut chain, seed) = (*chain, header.seed());
        let room = heap.room(bytes);
        let (mut at, mut written) = (0, 0);
        for frame in batch {
            assert!(frame.seq == chain.next_seq, "seq {} was appended, expected was {}", frame.seq, chain.next_seq);
            chain.epoch = self.epoch;
            written = at + FRAME_HEADER_BYTES + frame.body.len();
            room[at + FRAME_HEADER_BYTES..written].copy_from_slice(&frame.body);
            chain.write(&mut room[at..written], frame.body_crc, frame.at, *unsynced_first, seed);
            at += frame.frame_bytes();
            room[written..at].fill(0);
        }
        (chain, write_all_at(file, &room[..written], *end).map_err(|short| short.error))
    }

    /// Takes over a batch of so many bytes that was written.
    fn publish(&mut self, batch: &[FrameBytes], chain: Chain, bytes: usize) {
        let Open { heap, end, file_bytes, .. } = &mut self.open;
        let mut at = 0;
        let frames = batch.iter().map(|frame| {
            let in_room = (frame.at, at, frame.body.len() as u32);
            at += frame.frame_bytes() as u32;
            in_room
        });
        heap.publish(bytes, *end as u32, frames);
        let padding = batch.last().map_or(0, |last| last.frame_bytes() - FRAME_HEADER_BYTES - last.body.len());
        *file_bytes = (*file_bytes).max(*end + (bytes - padding) as u64);
        *end += bytes as u64;
        self.open.chain = chain;
        self.starved = false;
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
