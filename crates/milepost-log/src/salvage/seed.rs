//! The seed of a segment whose header is lost.
//!
//! A frame's header is 36 bytes and their checksum, which begins with the seed. A CRC can be run backwards: so each
//! frame gives the one seed under which its header is right. Whether it is a frame is then said by its body, whose
//! checksum has no seed.

use crate::format::{
    ALIGN_BYTES, Seed,
    footer::{self, TRAILER_BYTES},
    frame::{CheckedHeader, FRAME_HEADER_BYTES},
    header::SEGMENT_HEADER_BYTES,
    u32_at, u64_at,
};
use milepost_types::limits::COMMIT_BYTES_MAX;

/// The remainders of CRC-32, by byte.
const TABLE: [u32; 256] = table();

const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let mut value = index as u32;
        let mut bit = 0;
        while bit < 8 {
            value = if value & 1 == 1 { 0xedb8_8320 ^ (value >> 1) } else { value >> 1 };
            bit += 1;
        }
        table[index] = value;
        index += 1;
    }
    table
}

/// The seed under which `bytes` have this checksum.
fn solve(bytes: &[u8], crc: u32) -> Seed {
    let mut state = !crc;
    for byte in bytes.iter().rev() {
        let index = TABLE.iter().position(|entry| entry >> 24 == state >> 24).expect("each highest byte stands once");
        state = ((state ^ TABLE[index]) << 8) | (index as u32 ^ u32::from(*byte));
    }
    Seed(!state)
}

/// The seed of a segment, told by the archive in its footer, if nothing of that is damaged.
pub(super) fn of_footer(bytes: &[u8]) -> Option<Seed> {
    let trailer_at = bytes.len().checked_sub(TRAILER_BYTES)?;
    let archive = bytes.get(footer::begins_at(bytes)?..trailer_at)?;
    Some(solve(archive, u32_at(&bytes[trailer_at..], 4)))
}

/// The seed of a segment, told by its salt if a frame agrees, else by the first frame that is whole.
pub(super) fn of(bytes: &[u8]) -> Option<Seed> {
    let frames = bytes.get(SEGMENT_HEADER_BYTES..)?;
    let by_salt = Seed::of_salt(u64_at(bytes, 40));
    let (mut at, mut summed) = (0, 0);
    while at + FRAME_HEADER_BYTES <= frames.len() {
        let rest = &frames[at..];
        if let Ok(header) = CheckedHeader::decode(rest, by_salt)
            && header.with_body(rest).is_ok()
        {
            return Some(by_salt);
        }
        let body_bytes = u32_at(rest, 0) as usize;
        let is_likely = (1..=COMMIT_BYTES_MAX.min(rest.len() - FRAME_HEADER_BYTES)).contains(&body_bytes)
            && u64_at(rest, 16) > u64::from(u32_at(rest, 32));
        // Sums over bytes that only look like a frame must not take forever.
        if is_likely && summed <= 4 * bytes.len() {
            summed += body_bytes;
            let seed = solve(&rest[..FRAME_HEADER_BYTES - 4], u32_at(rest, FRAME_HEADER_BYTES - 4));
            if CheckedHeader::decode(rest, seed).is_ok_and(|header| header.with_body(rest).is_ok()) {
                return Some(seed);
            }
        }
        at += ALIGN_BYTES;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checksum_leads_back_to_its_seed() {
        for salt in [0, 1, 77, u64::MAX] {
            let seed = Seed::of_salt(salt);
            for bytes in [&b""[..], b"a", b"milepost", &[0xff; 36]] {
                assert_eq!(solve(bytes, seed.crc(bytes)), seed);
            }
        }
    }
}
