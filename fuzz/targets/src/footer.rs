//! Footers: what is accepted gives an offset for every frame, each inside the segment and after the one before.

use milepost_log::format::{
    ALIGN_BYTES, Seed,
    footer::{self, TRAILER_BYTES},
    header::SEGMENT_HEADER_BYTES,
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
