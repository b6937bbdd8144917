//! The bytes of a handover file. Pure.
//!
//! ```text
//! head     "milepost-each-2\n", u64 seq of the run's first commit, u16 length, job, u32 CRC32 of all before
//! records  u32 length of what follows the CRC, u32 CRC32 of what the head's is of and of that, u32 length, item, mark
//! ```
//!
//! All integers are little-endian. `docs/format.md` draws the same.
//!
//! Invariant: what is read was written so, by one run: a record of another run or job never passes.
//!
//! Compiled a second time by `fuzz/targets`, so it uses nothing of this crate.

use std::num::TryFromIntError;

use milepost::Seq;

const MAGIC: &[u8] = b"milepost-each-2\n";

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

/// An item and its mark.
pub(crate) type Record = (Vec<u8>, Vec<u8>);

/// The head of a run's file, and what its records' checksums begin from.
pub(crate) fn head(run: Seq, job: &str) -> Result<(Vec<u8>, u32), TryFromIntError> {
    let mut head = Vec::from(MAGIC);
    head.extend_from_slice(&run.0.to_le_bytes());
    head.extend_from_slice(&u16::try_from(job.len())?.to_le_bytes());
    head.extend_from_slice(job.as_bytes());
    let seed = crc32fast::hash(&head);
    head.extend_from_slice(&seed.to_le_bytes());
    Ok((head, seed))
}

/// Puts a record in place of what `record` holds.
pub(crate) fn write_record(record: &mut Vec<u8>, seed: u32, item: &[u8], mark: &[u8]) -> Result<(), TryFromIntError> {
    record.clear();
    record.extend_from_slice(&[0; 8]);
    record.extend_from_slice(&u32::try_from(item.len())?.to_le_bytes());
    record.extend_from_slice(item);
    record.extend_from_slice(mark);
    let bytes = u32::try_from(record.len() - 8)?;
    record[..4].copy_from_slice(&bytes.to_le_bytes());
    let crc = checksum(seed, &record[8..]);
    record[4..8].copy_from_slice(&crc.to_le_bytes());
    Ok(())
}

/// What a file holds: its records up to the first that is none. `None` if its head is no head.
pub(crate) fn parse(bytes: &[u8]) -> Option<Left> {
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
