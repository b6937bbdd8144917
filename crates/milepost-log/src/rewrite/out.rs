//! [`Out`]: the new file of segments that are written anew.
//!
//! Invariant: until it is finished it has a name that counts for nothing; if it is not finished it is removed. What is
//! written is synced piece by piece, so that the last sync has no more to do than any other. Compressed or not, frames
//! are the same, at the same offsets.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use milepost_io::{Disk, DiskFile, Failure, Map, Room, write_all_at};
use milepost_types::Timestamp;

use super::{Form, RewriteError, packing::Packing};
use crate::{
    FrameView, SegmentName,
    begin::create,
    format::{
        Seed, cold,
        frame::{FrameHeader, frame_bytes},
        header::{SEGMENT_HEADER_BYTES, SegmentHeader},
        kept::{self, Kept},
    },
    names,
    recover::read_to_end,
    segment::{Offsets, Part, Sealed, read_footer},
};

/// Bytes written and synced at once: a sync of the log that comes meanwhile waits for them.
const PIECE_BYTES: usize = 128 << 10;

/// A new file.
#[derive(Debug)]
pub(super) struct Out {
    disk: Arc<dyn Disk>,
    log_dir: PathBuf,
    /// `None` once it was finished or given up.
    file: Option<Box<dyn DiskFile>>,
    header: SegmentHeader,
    seed: Seed,
    /// What was not written yet, and where it goes.
    pending: Vec<u8>,
    written: u64,
    /// Where the next frame begins, as the segment is read.
    end: u64,
    /// Makes blocks, if they are compressed.
    packing: Option<Packing>,
    /// Whether a body may be thinned.
    is_thinned: bool,
    prev_crc: u32,
    /// When each commit was stamped.
    stamps: Vec<i64>,
    /// Index and offset of those that are kept.
    kept: Vec<(u32, u32)>,
}

impl Out {
    pub(super) fn begin(
        disk: Arc<dyn Disk>,
        log_dir: &Path,
        header: SegmentHeader,
        is_thinned: bool,
    ) -> Result<Out, RewriteError> {
        let path = names::new_segment(log_dir, header.name());
        let failed = |error: io::Error| failure(&*disk, log_dir, &path, "create", &error);
        let file = create(&*disk, &path).map_err(failed)?;
        Ok(Out {
            file: Some(file),
            log_dir: log_dir.to_owned(),
            seed: header.seed(),
            pending: header.encode().to_vec(),
            written: 0,
            end: SEGMENT_HEADER_BYTES as u64,
            packing: (header.form == Form::Compressed).then(Packing::new),
            is_thinned,
            prev_crc: header.crc(),
            stamps: Vec::new(),
            kept: Vec::new(),
            header,
            disk,
        })
    }

    pub(super) fn name(&self) -> SegmentName {
        self.header.name()
    }

    pub(super) fn disk(&self) -> Arc<dyn Disk> {
        Arc::clone(&self.disk)
    }

    /// Leaves a commit out, but for when it was stamped.
    pub(super) fn removed(&mut self, at: Timestamp) {
        // What is known of when an earlier rewrite removed one is a little too early.
        let at = self.stamps.last().map_or(at.0, |before| at.0.max(*before));
        self.stamps.push(at);
    }

    /// Adds a commit with this body.
    pub(super) fn frame(&mut self, view: &FrameView<'_>, body: &[u8]) -> Result<(), RewriteError> {
        let is_same = std::ptr::eq(body, view.body);
        let header = FrameHeader {
            body_bytes: u32::try_from(body.len()).expect("a commit's size is limited"),
            body_crc: if is_same { view.body_crc } else { crc32fast::hash(body) },
            prev_crc: self.prev_crc,
            epoch: view.epoch,
            seq: view.seq,
            at: view.at,
            // Nobody asks any more what one sync had covered.
            batch_offset: 0,
        };
        let (encoded, crc) = header.encode(self.seed);
        let ends = self.end + frame_bytes(body.len()) as u64;
        // What can't be compressed takes a little more than it is.
        let stored_most = self.written + self.pending.len() as u64 + 2 * (ends - self.end);
        let fits = u32::try_from(ends.max(stored_most)).map(|_| self.end as u32);
        let offset = fits.map_err(|_| self.too_large())?;
        if let Some(packing) = &mut self.packing {
            packing.frame((&encoded, body), self.seed, (self.written, &mut self.pending));
        } else {
            let begin = self.pending.len();
            self.pending.extend_from_slice(&encoded);
            self.pending.extend_from_slice(body);
            self.pending.resize(begin + frame_bytes(body.len()), 0);
        }
        self.is_thinned |= !is_same;
        self.kept.push((self.stamps.len() as u32, offset));
        self.stamps.push(view.at.0);
        self.prev_crc = crc;
        self.end = ends;
        self.write(PIECE_BYTES)
    }

    /// Writes and syncs what is pending in pieces, for as long as there are so many bytes.
    fn write(&mut self, bytes_min: usize) -> Result<(), RewriteError> {
        let mut done = 0;
        while self.pending.len() - done >= bytes_min && done < self.pending.len() {
            let piece = &self.pending[done..self.pending.len().min(done + PIECE_BYTES)];
            let file = self.file.as_ref().expect("it is not finished");
            let wrote = write_all_at(&**file, piece, self.written).map_err(|short| short.error);
            wrote.map_err(|error| self.failed("write", &error))?;
            file.sync().map_err(|error| self.failed("sync", &error))?;
            self.written += piece.len() as u64;
            done += piece.len();
        }
        self.pending.drain(..done);
        Ok(())
    }

    /// Gives the file its footer and its name.
    pub(super) fn finish(&mut self) -> Result<(Part, PathBuf), RewriteError> {
        let kept = Kept { last_crc: self.prev_crc, ..Kept::of(self.header.first_seq, &self.stamps, &self.kept) };
        let crc = self.header.crc();
        let (footer, _) = match &mut self.packing {
            None => kept::encode(&kept, crc, self.seed),
            Some(packing) => {
                let cold = packing.finish(kept, self.seed, (self.written, &mut self.pending));
                cold::encode(&cold::Cold { is_thinned: u32::from(self.is_thinned), ..cold }, crc, self.seed)
            }
        };
        self.pending.extend_from_slice(&footer);
        self.write(1)?;
        let (from, to) = (self.path(), names::segment(&self.log_dir, self.name()));
        self.disk.rename(&from, &to).map_err(|error| self.failed("rename", &error))?;
        let named = self.disk.sync_dir(&self.log_dir);
        let part = named.map_err(|error| self.failed("sync", &error)).and_then(|()| self.map(&to));
        if part.is_err() {
            let _ = self.disk.remove(&to);
        }
        self.file = None;
        Ok((part?, to))
    }

    /// The new segment as it is read from now on.
    fn map(&self, path: &Path) -> Result<Part, RewriteError> {
        let file = &**self.file.as_ref().expect("it is not finished");
        let map = file.map().or_else(|_| read_to_end(file, 0).map(Map::of_bytes));
        let map = map.map_err(|error| self.failed("read", &error))?;
        let footer = read_footer(&map, &self.header).map_err(|fault| self.refused(&fault.to_string()))?;
        let view = footer.map_err(|fault| self.refused(&fault.to_string()))?;
        let (first_at, end) = (view.first_at, view.frames_end);
        Ok(Part::of_sealed(Sealed::new(&self.header, path.to_owned(), map, Offsets::of_footer(view), first_at, end)))
    }

    /// Removes what there is of the file.
    pub(super) fn discard(&mut self) {
        if self.file.take().is_some() {
            // One that can't be removed counts for nothing, and is met by the next opening.
            let _ = self.disk.remove(&self.path());
        }
    }

    fn path(&self) -> PathBuf {
        names::new_segment(&self.log_dir, self.name())
    }

    fn failed(&self, operation: &'static str, error: &io::Error) -> RewriteError {
        failure(&*self.disk, &self.log_dir, &self.path(), operation, error)
    }

    fn refused(&self, what: &str) -> RewriteError {
        RewriteError::Failed(Failure::new(&self.path(), "read", what))
    }

    fn too_large(&self) -> RewriteError {
        RewriteError::Failed(Failure::new(
            &self.path(),
            "write",
            "offsets have 32 bits; write fewer segments anew as one",
        ))
    }
}

impl Drop for Out {
    fn drop(&mut self) {
        self.discard();
    }
}

fn failure(disk: &dyn Disk, dir: &Path, file: &Path, operation: &'static str, error: &io::Error) -> RewriteError {
    match Room::lacking(disk, dir, error) {
        Some(free) => RewriteError::DiskFull { need: PIECE_BYTES as u64, free },
        None => RewriteError::Failed(Failure::new(file, operation, &error.to_string())),
    }
}

#[cfg(test)]
mod tests;
