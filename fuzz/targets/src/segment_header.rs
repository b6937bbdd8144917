//! Headers of segments: what is accepted is made again from its parts to the byte.

use milepost_log::format::header::{FORMAT_VERSION, HeaderFault, SEGMENT_HEADER_BYTES, SegmentHeader};

const CRC_AT: usize = SEGMENT_HEADER_BYTES - 4;

/// Any bytes as the beginning of a segment.
pub fn check(bytes: &[u8]) {
    decode(bytes);
    let mut repaired = bytes.to_vec();
    if let Some(head) = repaired.get_mut(..SEGMENT_HEADER_BYTES) {
        let crc = crc32fast::hash(&head[..CRC_AT]);
        head[CRC_AT..].copy_from_slice(&crc.to_le_bytes());
        decode(&repaired);
    }
}

fn decode(bytes: &[u8]) {
    match SegmentHeader::decode(bytes) {
        Ok(header) => {
            assert_eq!(header.encode(), bytes[..SEGMENT_HEADER_BYTES]);
            assert_eq!(header.crc().to_le_bytes(), bytes[CRC_AT..SEGMENT_HEADER_BYTES]);
        }
        Err(HeaderFault::Newer { found }) => assert!(found > FORMAT_VERSION),
        Err(HeaderFault::Short) => assert!(bytes.len() < SEGMENT_HEADER_BYTES),
        Err(HeaderFault::Magic | HeaderFault::Crc | HeaderFault::Content) => {}
    }
}
