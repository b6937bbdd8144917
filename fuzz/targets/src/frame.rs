//! Frames: what is accepted is made again from its parts to the byte.

use milepost_log::format::{
    Seed,
    frame::{self, CheckedHeader, FRAME_HEADER_BYTES, Frame},
};
use milepost_types::Seq;

const CRC_AT: usize = FRAME_HEADER_BYTES - 4;

/// Eight bytes of salt, then bytes as they would stand at the end of a segment.
pub fn check(bytes: &[u8]) {
    let Some((salt, bytes)) = bytes.split_first_chunk::<8>() else {
        return;
    };
    let salt = u64::from_le_bytes(*salt);
    decode(bytes, salt);
    if let Some(repaired) = repaired(bytes, Seed::of_salt(salt)) {
        decode(&repaired, salt);
    }
}

fn decode(bytes: &[u8], salt: u64) {
    let seed = Seed::of_salt(salt);
    let header = CheckedHeader::decode(bytes, seed);
    let found = Frame::decode(bytes, seed);
    let Ok(found) = found else {
        return;
    };
    assert_eq!(header.unwrap().header(), found.header);
    let (again, crc) = found.header.encode(seed);
    assert_eq!(again, bytes[..FRAME_HEADER_BYTES]);
    assert_eq!(crc, found.crc);
    let body_end = FRAME_HEADER_BYTES + found.body.len();
    assert_eq!(found.body, &bytes[FRAME_HEADER_BYTES..body_end]);
    // What stands before the next frame is zero, or beyond the file's end.
    let frame_end = found.header.frame_bytes();
    assert_eq!(frame_end, frame::frame_bytes(found.body.len()));
    assert!(bytes[body_end..frame_end.min(bytes.len())].iter().all(|byte| *byte == 0));
    assert!(found.header.batch_first() > Seq::ZERO && found.header.batch_first() <= found.header.seq);
    // The cheap question never says no to a frame that is one.
    let before = Seq(found.header.batch_first().0 - 1);
    assert!(frame::may_begin_later_batch(bytes, before, found.header.epoch));
    // Salts that differ in one bit never have the same checksum.
    assert!(Frame::decode(bytes, Seed::of_salt(salt ^ 1)).is_err(), "passes under another salt");
}

/// The same bytes with both checksums made right.
pub(crate) fn repaired(bytes: &[u8], seed: Seed) -> Option<Vec<u8>> {
    let mut bytes = bytes.to_vec();
    let length = u32::from_le_bytes(*bytes.first_chunk::<4>()?);
    let body = bytes.get(FRAME_HEADER_BYTES..)?.get(..length as usize)?;
    let body_crc = crc32fast::hash(body);
    bytes[4..8].copy_from_slice(&body_crc.to_le_bytes());
    let crc = seed.crc(&bytes[..CRC_AT]);
    bytes[CRC_AT..FRAME_HEADER_BYTES].copy_from_slice(&crc.to_le_bytes());
    Some(bytes)
}
