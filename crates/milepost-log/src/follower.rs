//! [`Follower`]: reads a log that another process writes.
//!
//! Invariant: a commit is shown only when it is whole and durable. The bytes are read, the file is synced (which a
//! reader may do), and they are read again: only what is still the same is shown. A partial frame at the end is a
//! commit that is not there yet.
//!
//! Writes nothing, and knows nothing of the writer but its files.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use milepost_io::{Disk, DiskFile, OpenMode, read_some_at};
use milepost_types::{Corruption, Seq};

use crate::{
    FoundLog, FrameView, LogError, LogReader, SegmentId, StoreId,
    chain::Chain,
    format::{
        footer::{self, TRAILER_BYTES},
        frame::{Frame, FrameFault, frame_bytes},
        header::{SEGMENT_HEADER_BYTES, SegmentHeader},
    },
    names,
    recover::{FoundOpen, Visit, later_batch, read_header, read_to_end},
    segment::{Heap, HeapWriter, Offsets, Part, Sealed, read_footer},
};

/// Bytes read at once.
const READ_BYTES: usize = 256 << 10;

/// Follows a log beside its writer.
#[derive(Debug)]
pub struct Follower {
    disk: Arc<dyn Disk>,
    log_dir: PathBuf,
    store: StoreId,
    reader: LogReader,
    open: FoundOpen,
    /// Headers of segments whose footer was not there when they were left: they are still in memory.
    unsealed: Vec<SegmentHeader>,
}

impl Follower {
    pub(crate) fn new(
        disk: Arc<dyn Disk>,
        dir: PathBuf,
        store: StoreId,
        parts: Vec<Part>,
        open: FoundOpen,
        unsealed: Vec<SegmentHeader>,
    ) -> Follower {
        let log_dir = names::log_dir(&dir);
        Follower { disk, log_dir, store, reader: LogReader::new(parts), open, unsealed }
    }

    /// Reads what was found so far; sees more after a refresh.
    #[must_use]
    pub fn reader(&self) -> LogReader {
        self.reader.clone()
    }

    /// `Seq` of the last commit seen.
    #[must_use]
    pub fn last_seq(&self) -> Seq {
        self.open.chain.next_seq.prev()
    }

    /// Reads the commits that became durable since, calling `visit` for each in order; returns the last one's `Seq`.
    ///
    /// After a break of `visit` the next refresh goes on behind the frame that it was called with.
    pub fn refresh(&mut self, visit: &mut Visit<'_>) -> Result<Seq, LogError> {
        loop {
            self.read_frames(visit)?;
            let next = SegmentId(self.open.header.id.0 + 1);
            let path = names::segment(&self.log_dir, names::first_written(next));
            let Some(file) = self.open_next(&path)? else { break };
            let header = read_header(&*file, &path, names::first_written(next), self.store)?;
            // Its name is there, so the segment before it is whole; read what was appended since.
            self.read_frames(visit)?;
            if self.open.chain.next_seq != header.first_seq {
                return Err(self.corrupt(format!("the next segment begins with seq {}", header.first_seq)));
            }
            self.unsealed.push(self.open.header);
            let heap = HeapWriter::new(&header, path);
            let chain = Chain::begin(&header, self.open.chain.last_at);
            self.reader.change(|parts| parts.push(Part::Heap(Arc::clone(heap.heap()))));
            self.open = FoundOpen { header, file: Arc::from(file), heap, chain, end: SEGMENT_HEADER_BYTES as u64 };
        }
        self.map_sealed();
        Ok(self.last_seq())
    }

    /// Opens the next segment; `None` if it was not begun yet.
    fn open_next(&self, path: &Path) -> Result<Option<Box<dyn DiskFile>>, LogError> {
        let open = || match self.disk.open(path, OpenMode::Read) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            opened => opened.map(Some).map_err(LogError::io("open", path)),
        };
        if let Some(next) = open()? {
            return Ok(Some(next));
        }
        // A segment is sealed when the next one has its name; no other is compacted than one behind a sealed one.
        let bytes = self.open.file.bytes().map_err(self.io("read the size of"))?;
        let mut tail = [0; TRAILER_BYTES];
        let at = bytes.saturating_sub(TRAILER_BYTES as u64);
        let read = read_some_at(&*self.open.file, &mut tail, at).map_err(self.io("read"))?;
        if !footer::is_sealed(&tail[..read], self.open.header.crc()) {
            return Ok(None);
        }
        match open()? {
            Some(next) => Ok(Some(next)),
            None => Err(LogError::Compacted { file: self.open.heap.path().to_owned() }),
        }
    }

    /// Goes on with the same log as it was found anew, after [`LogError::Compacted`]. What was shown stays known.
    ///
    /// # Panics
    ///
    /// If what was found ends before what was shown.
    pub fn go_on_with(&mut self, found: FoundLog) {
        assert!(found.last_seq() >= self.last_seq(), "a log does not get shorter");
        let Follower { reader, open, unsealed, .. } = found.into_follower();
        self.reader.change(|parts| *parts = reader.shape().parts.clone());
        (self.open, self.unsealed) = (open, unsealed);
    }

    /// Reads the whole frames behind the last one seen, until there are no more.
    fn read_frames(&mut self, visit: &mut Visit<'_>) -> Result<(), LogError> {
        loop {
            let (window, frames) = self.window()?;
            if frames == 0 {
                return self.check_end(&window);
            }
            self.open.file.sync().map_err(self.io("sync"))?;
            // The writer may have taken back a write that failed halfway, after its first frames were read.
            let mut again = vec![0; frames];
            let read = read_some_at(&*self.open.file, &mut again, self.open.end).map_err(self.io("read"))?;
            if again[..read] != window[..frames] {
                continue;
            }
            self.take(&window[..frames], visit)?;
        }
    }

    /// Bytes behind the last frame seen, and how many of them are whole frames that continue the log.
    fn window(&self) -> Result<(Vec<u8>, usize), LogError> {
        let (seed, mut chain) = (self.open.header.seed(), self.open.chain);
        let mut window = Vec::new();
        let mut at = 0;
        let mut wanted = READ_BYTES;
        loop {
            let had = window.len();
            window.resize(had.max(wanted), 0);
            let read = read_some_at(&*self.open.file, &mut window[had..], self.open.end + had as u64)
                .map_err(self.io("read"))?;
            window.truncate(had + read);
            let at_end = window.len() < wanted;
            loop {
                match Frame::decode(&window[at..], seed) {
                    Ok(frame) if chain.links(&frame.header) && chain.expects(frame.header.seq) => {
                        at += frame.header.frame_bytes();
                        chain.pass(&frame);
                        if at >= window.len() {
                            // The last padding may not be there: nobody writes it.
                            return Ok((window, at.min(had + read)));
                        }
                    }
                    Err(FrameFault::BodyCut { body_bytes }) if at == 0 && !at_end => {
                        wanted = frame_bytes(body_bytes as usize);
                        break;
                    }
                    _ => return Ok((window, at)),
                }
            }
        }
    }

    /// Shows frames that are durable.
    fn take(&mut self, frames: &[u8], visit: &mut Visit<'_>) -> Result<(), LogError> {
        let mut at = 0;
        while at < frames.len() {
            let frame = Frame::decode(&frames[at..], self.open.header.seed())
                .map_err(|fault| self.corrupt(fault.to_string()))?;
            let offset = self.open.end;
            self.open.heap.push(&frames[at..], frame.header.at, offset as u32);
            self.open.chain.pass(&frame);
            self.open.end += frame.header.frame_bytes() as u64;
            let view = FrameView::of(&frame, self.open.header.name(), offset);
            at += frame.header.frame_bytes();
            if visit(view).is_break() {
                return Err(LogError::Interrupted { seq: view.seq });
            }
        }
        Ok(())
    }

    /// Where no whole frame stands: not there yet, or damage?
    fn check_end(&self, window: &[u8]) -> Result<(), LogError> {
        let seed = self.open.header.seed();
        match Frame::decode(window, seed) {
            Err(FrameFault::Zero) => Ok(()),
            Ok(frame) if frame.header.epoch >= self.open.chain.epoch => {
                // It became whole a moment ago, or it is another one than what was shown here.
                let linked = self.open.chain.links(&frame.header) && self.open.chain.expects(frame.header.seq);
                if linked {
                    Ok(())
                } else {
                    Err(self.corrupt("the frame here does not continue what was read".to_owned()))
                }
            }
            Ok(_) | Err(_) => self.check_damage(),
        }
    }

    /// A later batch behind a bad frame proves that it had been whole. It is read once more after that batch was seen.
    fn check_damage(&self) -> Result<(), LogError> {
        let (seed, chain) = (self.open.header.seed(), self.open.chain);
        let rest = read_to_end(&*self.open.file, self.open.end).map_err(self.io("read"))?;
        if later_batch(&rest, seed, &chain).is_none() {
            return Ok(());
        }
        let rest = read_to_end(&*self.open.file, self.open.end).map_err(self.io("read"))?;
        match Frame::decode(&rest, seed) {
            Ok(frame) if chain.links(&frame.header) && chain.expects(frame.header.seq) => Ok(()),
            Ok(_) => Err(self.corrupt("the frame here does not continue what was read".to_owned())),
            Err(fault) => Err(self.corrupt(format!("{fault}, but a later batch stands behind it"))),
        }
    }

    /// Reads segments through a map from now on whose footer has come. Others stay in memory; an error of the system is
    /// no reason to stop.
    fn map_sealed(&mut self) {
        if self.unsealed.is_empty() {
            return;
        }
        let (disk, unsealed) = (&*self.disk, &mut self.unsealed);
        self.reader.change(|parts| {
            unsealed.retain(|header| {
                let Some(part) = parts.iter_mut().find(|part| part.name() == header.name()) else {
                    return false;
                };
                let Part::Heap(heap) = &*part else {
                    return false;
                };
                let sealed = sealed(disk, header, heap);
                let is_missing = sealed.is_none();
                if let Some(sealed) = sealed {
                    *part = Part::of_sealed(sealed);
                }
                is_missing
            });
        });
    }

    fn corrupt(&self, what: String) -> LogError {
        LogError::Corrupt(Corruption {
            file: self.open.heap.path().to_owned(),
            offset: self.open.end,
            seq: Some(self.open.chain.next_seq),
            what,
        })
    }

    fn io(&self, action: &'static str) -> impl FnOnce(io::Error) -> LogError + '_ {
        LogError::io(action, self.open.heap.path())
    }
}

/// The segment through its map, if its footer is there by now.
fn sealed(disk: &dyn Disk, header: &SegmentHeader, heap: &Heap) -> Option<Sealed> {
    let file = disk.open(heap.path(), OpenMode::Read).ok()?;
    let mut tail = [0; TRAILER_BYTES];
    let read = read_some_at(&*file, &mut tail, file.bytes().ok()?.saturating_sub(TRAILER_BYTES as u64)).ok()?;
    if !footer::ends_with_trailer(&tail[..read]) {
        return None;
    }
    let map = file.map().ok()?;
    let view = read_footer(&map, header).ok()?.ok()?;
    let same = view.first_seq == heap.first_seq() && view.frames() == heap.frames();
    let path = heap.path().to_owned();
    same.then(|| Sealed::new(header, path, map, Offsets::Footer(view), view.first_at, view.begins_at))
}
