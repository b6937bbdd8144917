//! The handover file: how commands ended whose marks are still on their way to the log.
//!
//! A mark is durable only some time after its command has ended, and the next command is started meanwhile. A SIGKILL
//! in between would lose the mark of an item that is done, and the item would run again. So the ending is first written
//! here, with one plain write and no sync: what the kernel has survives the process. The next run reads the file and
//! marks what is missing. After a power failure the file may be lost or torn; then the items whose marks were not
//! synced run again, and no others.
//!
//! ```text
//! head     "milepost-each-2\n", u64 seq of the run's first commit, u16 length, job, u32 CRC32 of all before
//! records  u32 length of what follows the CRC, u32 CRC32 seeded with the head's, u32 length, item, mark
//! ```
//!
//! All integers are little-endian.
//!
//! Invariant: a record is written whole before its item's slot starts another command. Once all marks are durable the
//! file is written from its start again, so what follows the newest records may be older ones; they are of items marked
//! in the log already, and the log is asked first.
//!
//! Knows nothing of commands. Beside the store: the log never reads it.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read},
    os::unix::fs::FileExt,
    path::Path,
};

use milepost::Seq;

const MAGIC: &[u8] = b"milepost-each-2\n";
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
        let mut head = Vec::from(MAGIC);
        head.extend_from_slice(&run.0.to_le_bytes());
        head.extend_from_slice(&u16::try_from(job.len()).map_err(io::Error::other)?.to_le_bytes());
        head.extend_from_slice(job.as_bytes());
        let seed = crc32fast::hash(&head);
        head.extend_from_slice(&seed.to_le_bytes());
        let file = OpenOptions::new().write(true).create(true).truncate(true).open(path)?;
        file.write_all_at(&head, 0)?;
        let start = head.len() as u64;
        Ok(Handover { file, seed, start, end: start, record: Vec::new() })
    }

    /// Writes one ending.
    pub(crate) fn push(&mut self, item: &[u8], mark: &[u8]) -> io::Result<()> {
        let record = &mut self.record;
        record.clear();
        record.extend_from_slice(&[0; 8]);
        record.extend_from_slice(&u32::try_from(item.len()).map_err(io::Error::other)?.to_le_bytes());
        record.extend_from_slice(item);
        record.extend_from_slice(mark);
        let bytes = u32::try_from(record.len() - 8).map_err(io::Error::other)?;
        record[..4].copy_from_slice(&bytes.to_le_bytes());
        let crc = checksum(self.seed, &record[8..]);
        record[4..8].copy_from_slice(&crc.to_le_bytes());
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

/// What an earlier run left behind.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Left {
    /// The first commit of that run.
    pub(crate) run: Seq,
    /// Its job.
    pub(crate) job: String,
    /// Items and their marks, in the order of their ends.
    pub(crate) records: Vec<Record>,
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
    Ok(parse(&bytes))
}

fn parse(bytes: &[u8]) -> Option<Left> {
    let rest = bytes.strip_prefix(MAGIC)?;
    let (run, rest) = rest.split_first_chunk::<8>()?;
    let (job_bytes, rest) = rest.split_first_chunk::<2>()?;
    let (job, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes(*job_bytes)))?;
    let seed = crc32fast::hash(&bytes[..bytes.len() - rest.len()]);
    let (crc, mut rest) = rest.split_first_chunk::<4>()?;
    if u32::from_le_bytes(*crc) != seed {
        return None;
    }
    let mut records = Vec::new();
    while let Some((record, after)) = parse_record(rest, seed) {
        records.push(record);
        rest = after;
    }
    Some(Left { run: Seq(u64::from_le_bytes(*run)), job: String::from_utf8(job.to_vec()).ok()?, records })
}

/// An item and its mark.
type Record = (Vec<u8>, Vec<u8>);

fn parse_record(bytes: &[u8], seed: u32) -> Option<(Record, &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (crc, rest) = rest.split_first_chunk::<4>()?;
    let (body, after) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    if u32::from_le_bytes(*crc) != checksum(seed, body) {
        return None;
    }
    let (item_bytes, body) = body.split_first_chunk::<4>()?;
    let (item, mark) = body.split_at_checked(u32::from_le_bytes(*item_bytes) as usize)?;
    Some(((item.to_vec(), mark.to_vec()), after))
}

/// Seeded with the head, so that a record of another run or job never passes.
fn checksum(seed: u32, body: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new_with_initial(seed);
    hasher.update(body);
    hasher.finalize()
}

#[cfg(test)]
mod tests;
