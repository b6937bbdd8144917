//! The handover file: how commands ended whose marks are still on their way to the log.
//!
//! A mark is durable only some time after its command has ended, and the next command is started meanwhile. A SIGKILL
//! in between would lose the mark of an item that is done, and the item would run again. So the ending is first written
//! here, with one plain write and no sync: what the kernel has survives the process. The next run reads the file and
//! marks what is missing. After a power failure the file may be lost or torn; then the items whose marks were not
//! synced run again, and no others.
//!
//! Invariant: a record is written whole before its item's slot starts another command. Once all marks are durable the
//! file is written from its start again, so what follows the newest records may be older ones; they are of items marked
//! in the log already, and the log is asked first.
//!
//! Knows nothing of commands, nor of bytes: those are `format`'s. Beside the store: the log never reads it.

mod format;

use std::{
    fs::{File, OpenOptions},
    io::{self, Read},
    os::unix::fs::FileExt,
    path::Path,
};

use milepost::Seq;

pub(crate) use self::format::Left;

/// The file starts anew when all is durable; a job that never comes to that moment waits for it at this size.
pub(crate) const HANDOVER_BYTES_MAX: u64 = 64 << 20;

/// The file of a running job.
#[derive(Debug)]
pub(crate) struct Handover {
    file: File,
    seed: u32,
    start: u64,
    /// Where the next record goes. Everything between `start` and here was written by this run.
    end: u64,
    record: Vec<u8>,
}

impl Handover {
    /// Begins the file of a run, in place of an earlier one, which must have been taken over.
    pub(crate) fn create(path: &Path, run: Seq, job: &str) -> io::Result<Handover> {
        let (head, seed) = format::head(run, job).map_err(io::Error::other)?;
        let file = OpenOptions::new().write(true).create(true).truncate(true).open(path)?;
        file.write_all_at(&head, 0)?;
        let start = head.len() as u64;
        Ok(Handover { file, seed, start, end: start, record: Vec::new() })
    }

    /// Writes one ending.
    pub(crate) fn push(&mut self, item: &[u8], mark: &[u8]) -> io::Result<()> {
        let record = &mut self.record;
        format::write_record(record, self.seed, item, mark).map_err(io::Error::other)?;
        self.file.write_all_at(record, self.end)?;
        self.end += record.len() as u64;
        Ok(())
    }

    /// One that has no room for any record.
    #[cfg(test)]
    pub(crate) fn full() -> Handover {
        let file = OpenOptions::new().write(true).open("/dev/full").expect("every Linux has it");
        Handover { file, seed: 0, start: 0, end: 0, record: Vec::new() }
    }

    /// Says that every mark of the records so far is durable: the next record goes to the start again.
    pub(crate) fn all_durable(&mut self) {
        self.end = self.start;
    }

    /// Whether it has grown so far that its marks should be waited for.
    pub(crate) fn is_long(&self) -> bool {
        self.end > HANDOVER_BYTES_MAX
    }
}

/// Reads what an earlier run left; `None` if there is nothing that can be made use of.
pub(crate) fn read(path: &Path) -> io::Result<Option<Left>> {
    let mut bytes = Vec::new();
    match File::open(path) {
        // What one write can add beyond the limit is far less than the limit.
        Ok(file) => file.take(2 * HANDOVER_BYTES_MAX).read_to_end(&mut bytes)?,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e),
    };
    Ok(format::parse(&bytes))
}

#[cfg(test)]
mod tests;
