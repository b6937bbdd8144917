//! One segment of a log on its way through a walk.

use std::{io, ops::ControlFlow, path::PathBuf, sync::Arc};

use milepost_io::DiskFile;
use milepost_types::Corruption;

use super::ends_at;
use crate::{
    CleanMark, LogError,
    format::header::SegmentHeader,
    recover::{
        scan::{Expected, Position, Stop, VisitFrame, walk},
        windows::walk_file,
    },
    segment::HeapWriter,
};

/// How often a place that looks damaged is read again.
const REREADS_MAX: usize = 3;

/// Bytes of a segment's file that are read at once.
const WINDOW_BYTES: usize = 1 << 20;

/// One segment on its way through a walk.
pub(super) struct Segment {
    pub(super) header: SegmentHeader,
    pub(super) path: PathBuf,
    pub(super) file: Arc<dyn DiskFile>,
    pub(super) expected: Expected,
    pub(super) position: Position,
}

impl Segment {
    /// Walks on from where the last walk stopped, checking that the log was closed where the mark says.
    pub(super) fn walk(
        &mut self,
        bytes: &[u8],
        clean: Option<CleanMark>,
        visit: &mut VisitFrame<'_>,
    ) -> Result<Stop, LogError> {
        let (seed, expected) = (self.header.seed(), self.expected);
        self.walk_by(clean, visit, &mut |position, visit| Ok(walk(bytes, seed, position, &expected, visit)))
    }

    /// The same through its file.
    pub(super) fn walk_file(&mut self, clean: Option<CleanMark>, visit: &mut VisitFrame<'_>) -> Result<Stop, LogError> {
        let (file, seed, expected) = (Arc::clone(&self.file), self.header.seed(), self.expected);
        self.walk_by(clean, visit, &mut |position, visit| {
            walk_file(&*file, WINDOW_BYTES, seed, position, &expected, visit)
        })
    }

    /// The same while a writer may be at work. Frames are read, the file is synced, and they are read again: only what
    /// is still the same is visited, since what the writer takes back of a write that failed was never durable.
    pub(super) fn walk_beside_writer(
        &mut self,
        clean: Option<CleanMark>,
        visit: &mut VisitFrame<'_>,
    ) -> Result<Stop, LogError> {
        let mut rereads = 0;
        loop {
            let (begin, mut seen) = (self.position, Vec::new());
            let stop = self.walk_file(clean, &mut |frame, _| {
                seen.push(frame.crc);
                ControlFlow::Continue(())
            });
            let end = std::mem::replace(&mut self.position, begin);
            self.sync()?;
            let mut seen = seen.into_iter();
            // One frame more than were seen ends it, too.
            let mut is_ended = false;
            let again = self.walk_file(clean, &mut |frame, at| {
                is_ended = seen.next() != Some(frame.crc);
                if is_ended { ControlFlow::Break(()) } else { visit(frame, at) }
            });
            match again {
                Ok(_) | Err(LogError::Corrupt(_)) => {}
                Err(LogError::Interrupted { .. }) if is_ended => {}
                Err(error) => return Err(error),
            }
            match stop {
                // Not counted: each time another write of the writer must have failed.
                _ if self.position.at != end.at || self.position.chain != end.chain => {}
                Err(LogError::Corrupt(_)) if rereads < REREADS_MAX => rereads += 1,
                stop => return stop,
            }
        }
    }

    fn walk_by(
        &mut self,
        clean: Option<CleanMark>,
        visit: &mut VisitFrame<'_>,
        walk: &mut dyn FnMut(&mut Position, &mut VisitFrame<'_>) -> io::Result<Stop>,
    ) -> Result<Stop, LogError> {
        let id = self.header.id;
        let mut misplaced = None;
        let stop = walk(&mut self.position, &mut |frame, at| {
            let end = (at + frame.header.frame_bytes()) as u64;
            if clean.is_some_and(|mark| mark.last_seq == frame.header.seq && !ends_at(mark, id, end)) {
                misplaced = Some(at);
                return ControlFlow::Break(());
            }
            visit(frame, at)
        });
        match (stop.map_err(LogError::io("read", &self.path))?, misplaced) {
            (_, Some(at)) => {
                Err(self
                    .corrupt(at, "the manifest says that the last commit before closing ended elsewhere".to_owned()))
            }
            (Stop::Interrupted, None) => Err(LogError::Interrupted { seq: self.position.chain.next_seq }),
            (Stop::Corrupt(what), None) => Err(self.corrupt(self.position.at, what)),
            (stop @ (Stop::End | Stop::Torn(_) | Stop::Sealed | Stop::UnfinishedSeal), None) => Ok(stop),
        }
    }

    pub(super) fn corrupt(&self, at: usize, what: String) -> LogError {
        let seq = Some(self.position.chain.next_seq);
        LogError::Corrupt(Corruption { file: self.path.clone(), offset: at as u64, seq, what })
    }

    pub(super) fn sync(&self) -> Result<(), LogError> {
        self.file.sync().map_err(LogError::io("sync", &self.path))
    }

    pub(super) fn heap(&self) -> HeapWriter {
        HeapWriter::leaving(&self.header, self.path.clone(), &self.file)
    }
}
