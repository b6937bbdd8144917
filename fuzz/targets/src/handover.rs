//! Handover files of `milepost each`: what is read was written so, and what is cut off takes no other record along.
//!
//! The program has no library to be called: its own file is compiled here once more.

#[path = "../../../crates/milepost-cli/src/each/handover/format.rs"]
mod format;

use milepost::Seq;

/// Of the head before its job: magic, `Seq`, length.
const HEAD_BYTES: usize = 26;

/// A file of these records.
pub(crate) fn file(run: u64, job: &str, records: &[(&[u8], &[u8])]) -> Vec<u8> {
    let (mut file, seed) = format::head(Seq(run), job).unwrap();
    let mut one = Vec::new();
    for (item, mark) in records {
        format::write_record(&mut one, seed, item, mark).unwrap();
        file.extend_from_slice(&one);
    }
    file
}

/// Any bytes as a handover file, as they are and with the checksums made right.
pub fn check(bytes: &[u8]) {
    read(bytes);
    read(&mended(bytes));
}

fn read(bytes: &[u8]) {
    let Some(left) = format::parse(bytes) else { return };
    let records: Vec<(&[u8], &[u8])> = left.records.iter().map(|(item, mark)| (&item[..], &mark[..])).collect();
    let written = file(left.run.0, &left.job, &records);
    assert!(bytes.starts_with(&written), "read and never written");
    assert_eq!(format::parse(&written).as_ref(), Some(&left));
    if let Some(cut) = format::parse(&bytes[..written.len() - 1]) {
        assert_eq!(cut.records[..], left.records[..left.records.len() - 1], "a cut takes the last record, no other");
    } else {
        assert!(left.records.is_empty(), "a cut behind the head leaves the head");
    }
}

/// The bytes with every checksum made right that can be reached.
fn mended(bytes: &[u8]) -> Vec<u8> {
    let mut mended = bytes.to_vec();
    let Some(job) = mended.get(HEAD_BYTES - 2..HEAD_BYTES) else { return mended };
    let mut at = HEAD_BYTES + usize::from(u16::from_le_bytes([job[0], job[1]]));
    let Some(seed) = mended.get(..at).map(crc32fast::hash) else { return mended };
    put(&mut mended, at, seed);
    at += 4;
    while let Some(length) = mended.get(at..at + 4) {
        let end = at + 8 + u32::from_le_bytes(length.try_into().unwrap()) as usize;
        let Some(body) = mended.get(at + 8..end) else { break };
        let mut hasher = crc32fast::Hasher::new_with_initial(seed);
        hasher.update(body);
        put(&mut mended, at + 4, hasher.finalize());
        at = end;
    }
    mended
}

fn put(bytes: &mut [u8], at: usize, crc: u32) {
    if let Some(place) = bytes.get_mut(at..at + 4) {
        place.copy_from_slice(&crc.to_le_bytes());
    }
}
