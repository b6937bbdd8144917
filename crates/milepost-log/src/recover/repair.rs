//! [`FoundLog::repair`]: makes a log that was read ready for writing. Every step may crash; see `recover.rs`.

use std::{io, path::Path, sync::Arc};

use milepost_io::{Disk, DiskFile as _, Entropy, Latch, LatchedFile, OpenMode, Room, read_exact_at, write_all_at};
use milepost_types::Corruption;

use super::{FoundLog, FoundOpen, Tail, Unsealed};
use crate::{
    Log, LogError, LogSettings,
    append::{Open, Parts},
    begin::Salts,
    names,
    seal::{footer_of, seal},
    segment::{Heap, Part},
};

impl FoundLog {
    /// Makes the log ready for writing, in a new epoch: cuts a torn tail, after a copy of it went to `quarantine/`,
    /// seals segments whose sealing was not finished, and removes files that never became a segment.
    ///
    /// The caller holds the store's lock since before [`find`](crate::find). The epoch is durable in its manifest, and
    /// the manifest no longer has a clean mark.
    pub fn repair(
        mut self,
        epoch: u32,
        entropy: &dyn Entropy,
        latch: Latch,
        settings: LogSettings,
    ) -> Result<Log, LogError> {
        if epoch <= self.last_epoch() {
            return Err(LogError::EpochNotRaised { epoch, last: self.last_epoch() });
        }
        let disk = Arc::clone(&self.disk);
        let repair = Repair { disk: &*disk, dir: &self.dir, latch: &latch, epoch };
        let file = repair.open(self.open.heap.path())?;
        if let Tail::Torn { offset, bytes, .. } = &self.tail {
            repair.cut_torn_tail(&file, &self.open, *offset, *bytes)?;
        }
        if !self.closed_cleanly {
            repair.rewrite_last_batch(&file, &self.open)?;
        }
        // A segment is sealed only after the name of the next one is durable, here too: the roll may have stopped
        // before.
        let log_dir = names::log_dir(&self.dir);
        disk.sync_dir(&log_dir).map_err(|error| repair.stopped(&log_dir, &error))?;
        for unsealed in &self.unsealed {
            let sealed = repair.seal(unsealed, &self.parts[unsealed.index])?;
            self.parts[unsealed.index] = sealed;
        }
        for path in &self.unfinished {
            // One that can't be removed does no harm, and is met again by the next opening.
            let _ = disk.remove(path);
        }
        let file_bytes = file.bytes().map_err(LogError::io("read the size of", self.open.heap.path()))?;
        let FoundOpen { header, heap, chain, end, .. } = self.open;
        let (unsynced_first, synced_end) = (chain.next_seq, end);
        let open = Open { header, file, heap, chain, end, file_bytes, ahead_from: 0, unsynced_first, synced_end };
        let parts = Parts {
            disk: self.disk,
            log_dir,
            store: self.store,
            epoch,
            latch: latch.clone(),
            settings,
            salts: Salts::new(entropy),
            retired: self.retired,
            generation: self.generation,
        };
        Ok(Log::assemble(parts, self.parts, open))
    }
}

struct Repair<'a> {
    disk: &'a dyn Disk,
    dir: &'a Path,
    latch: &'a Latch,
    epoch: u32,
}

impl Repair<'_> {
    fn open(&self, path: &Path) -> Result<LatchedFile, LogError> {
        let file = self.disk.open(path, OpenMode::Write).map_err(LogError::io("open for writing", path))?;
        Ok(LatchedFile::new(file, path, self.latch))
    }

    /// Moves what stands behind the last frame to the quarantine, and cuts the file.
    fn cut_torn_tail(&self, file: &LatchedFile, open: &FoundOpen, offset: u64, bytes: u64) -> Result<(), LogError> {
        let path = open.heap.path();
        let mut torn = vec![0; bytes as usize];
        read_exact_at(file, &mut torn, offset).map_err(LogError::io("read", path))?;
        let kept = names::quarantined(self.dir, open.header.id, offset, self.epoch);
        if let Err(error) = self.quarantine(&kept, &torn) {
            // On a full disk the store must open all the same, or nothing in it could be removed. What is cut was never
            // acknowledged.
            if !Room::is_lacking(&error) || self.latch.failure().is_some() {
                return Err(self.failed("write", &kept, error, bytes));
            }
            let _ = self.disk.remove(&kept);
        }
        file.set_bytes(offset).map_err(|error| self.failed("cut", path, error, 0))?;
        file.sync().map_err(|error| self.stopped(path, &error))
    }

    /// Writes a file in the quarantine, durably, in place of one that a repair which crashed has left.
    fn quarantine(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let dir = names::quarantine_dir(self.dir);
        self.disk.create_dir(&dir)?;
        self.disk.sync_dir(self.dir)?;
        if let Err(error) = self.disk.remove(path)
            && error.kind() != io::ErrorKind::NotFound
        {
            return Err(error);
        }
        let file = self.disk.open(path, OpenMode::CreateNew)?;
        write_all_at(&*file, bytes, 0).map_err(|short| short.error)?;
        file.sync()?;
        self.disk.sync_dir(&dir)
    }

    /// Writes the last batch again and syncs it: it may be in the cache only, on pages that an earlier sync gave up.
    fn rewrite_last_batch(&self, file: &LatchedFile, open: &FoundOpen) -> Result<(), LogError> {
        let path = open.heap.path();
        let (offset, bytes) = last_batch(&open.heap, open)?;
        write_all_at(file, &bytes, offset)
            .map_err(|short| self.failed("write", path, short.error, bytes.len() as u64))?;
        file.sync().map_err(|error| self.stopped(path, &error))
    }

    fn seal(&self, unsealed: &Unsealed, part: &Part) -> Result<Part, LogError> {
        let Part::Heap(heap) = part else {
            return Ok(part.clone());
        };
        let path = heap.path();
        let file = self.open(path)?;
        let last = heap.last().expect("a segment that another one follows has a frame");
        let footer = footer_of(&unsealed.header, heap, (unsealed.last_crc, last.at));
        seal(&file, &unsealed.header, heap, &footer, unsealed.end).map_err(|error| self.failed("seal", path, error, 0))
    }

    fn failed(&self, action: &'static str, path: &Path, source: io::Error, need: u64) -> LogError {
        if let Some(failure) = self.latch.failure() {
            return LogError::Stopped(failure);
        }
        match Room::lacking(self.disk, self.dir, &source) {
            Some(free) => LogError::DiskFull { need, free },
            None => LogError::Io { action, path: path.to_owned(), source },
        }
    }

    fn stopped(&self, path: &Path, error: &io::Error) -> LogError {
        self.latch.trip(path, "sync", error);
        LogError::Stopped(self.latch.failure().expect("the latch was tripped"))
    }
}

/// The frames of the last batch as they stand in the file, and where they begin.
fn last_batch(heap: &Heap, open: &FoundOpen) -> Result<(u64, Vec<u8>), Corruption> {
    let frames = heap.frames();
    let first = open.chain.batch_first.0.saturating_sub(heap.first_seq().0) as usize;
    let Some(begin) = heap.get(first).map(|frame| u64::from(frame.offset)) else {
        return Ok((open.end, Vec::new()));
    };
    let mut bytes = Vec::new();
    for frame in (first..frames).filter_map(|index| heap.get(index)) {
        bytes.resize((u64::from(frame.offset) - begin) as usize, 0);
        bytes.extend_from_slice(heap.bytes(frame)?);
    }
    Ok((begin, bytes))
}
