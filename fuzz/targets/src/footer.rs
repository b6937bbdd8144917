//! Footers: what is accepted gives an offset for every frame, each inside the segment and after the one before.

use milepost_log::format::{
    ALIGN_BYTES, Seed,
    footer::{self, TRAILER_BYTES},
    header::SEGMENT_HEADER_BYTES,
    kept,
};

const MAGIC: [u8; 8] = *b"MPSTFTR\0";

/// Eight bytes of salt, four of the segment's checksum, then the bytes of a whole segment file.
pub fn check(bytes: &[u8]) {
    let Some((salt, rest)) = bytes.split_first_chunk::<8>() else {
        return;
    };
    let Some((crc, file)) = rest.split_first_chunk::<4>() else {
        return;
    };
    let (seed, segment_crc) = (Seed::of_salt(u64::from_le_bytes(*salt)), u32::from_le_bytes(*crc));
    decode(file, segment_crc, seed);
    if let Some(repaired) = repaired(file, segment_crc, seed) {
        assert!(footer::ends_with_trailer(&repaired));
        decode(&repaired, segment_crc, seed);
    }
}

fn decode(file: &[u8], segment_crc: u32, seed: Seed) {
    decode_kept(file, segment_crc, seed);
    let Ok(view) = footer::decode(file, segment_crc, seed) else {
        return;
    };
    assert_eq!(view.frames() as u64, view.last_seq.0 - view.first_seq.0 + 1);
    assert!(view.begins_at >= SEGMENT_HEADER_BYTES && view.begins_at <= file.len() - TRAILER_BYTES);
    assert!(view.first_at <= view.last_at);
    let mut end = SEGMENT_HEADER_BYTES;
    for index in 0..view.frames() {
        let offset = view.offset(file, index) as usize;
        assert!(offset >= end && offset < view.begins_at && offset.is_multiple_of(ALIGN_BYTES));
        end = offset + 1;
    }
}

/// The same bytes as the footer of a segment that was written anew: an offset for every commit that is kept, in order.
fn decode_kept(file: &[u8], segment_crc: u32, seed: Seed) {
    let Ok(view) = kept::decode(file, segment_crc, seed) else {
        return;
    };
    assert_eq!(view.frames() as u64, view.last_seq.0 - view.first_seq.0 + 1);
    let table = view.kept().unwrap();
    let (mut end, mut rank, mut next) = (SEGMENT_HEADER_BYTES, 0, 0);
    while let Some(index) = table.next_kept(file, next, view.frames()) {
        assert!((next..index).all(|removed| table.rank(file, removed).is_none()));
        assert_eq!(table.rank(file, index), Some(rank));
        let at = view.offset_at(rank);
        let offset = u32::from_le_bytes(*file[at..].first_chunk().unwrap()) as usize;
        assert!(offset >= end && offset < view.begins_at && offset.is_multiple_of(ALIGN_BYTES));
        (end, rank, next) = (offset + 1, rank + 1, index + 1);
    }
    assert_eq!(rank, table.count);
}

/// The same file with a trailer that fits: the length of the archive is the one given, all checksums are right.
pub(crate) fn repaired(file: &[u8], segment_crc: u32, seed: Seed) -> Option<Vec<u8>> {
    let mut file = file.to_vec();
    let trailer_at = file.len().checked_sub(TRAILER_BYTES)?;
    let length = u32::from_le_bytes(*file[trailer_at..].first_chunk::<4>()?);
    let begins_at = trailer_at.checked_sub(length as usize)?;
    let archive_crc = seed.crc(&file[begins_at..trailer_at]);
    let trailer = &mut file[trailer_at..];
    trailer[4..8].copy_from_slice(&archive_crc.to_le_bytes());
    trailer[8..12].copy_from_slice(&segment_crc.to_le_bytes());
    let crc = crc32fast::hash(&trailer[..12]);
    trailer[12..16].copy_from_slice(&crc.to_le_bytes());
    trailer[16..].copy_from_slice(&MAGIC);
    Some(file)
}
