//! Files of cold segments: what is accepted has blocks side by side of no more bytes than one may have; each of them
//! decompresses to as many as the table says or is refused, and nothing takes memory beyond that.

use std::{convert::Infallible, ops::Range, path::Path};

use milepost_log::{
    SealedFile,
    format::{
        Seed,
        block::{BLOCK_BYTES_MAX, BLOCK_HEADER_BYTES, BlockHeader, unpack},
        cold::{self, BlockTable},
        header::SEGMENT_HEADER_BYTES,
        unpacked::Unpacked,
    },
};

use crate::footer::repaired;

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
    let with_blocks = summed(file, seed);
    for file in [file, &with_blocks] {
        if let Some(repaired) = repaired(file, segment_crc, seed) {
            decode(&repaired, segment_crc, seed);
            let _ = SealedFile::check(&repaired, Path::new("cold.seg"));
        }
    }
}

fn read<'f>(file: &'f [u8]) -> impl Fn(Range<usize>) -> Result<&'f [u8], Infallible> + Copy {
    move |range| Ok(file.get(range).unwrap_or_default())
}

fn decode(file: &[u8], segment_crc: u32, seed: Seed) {
    let Ok(view) = cold::decode(file, segment_crc, seed) else {
        return;
    };
    let blocks = view.blocks().unwrap();
    let (mut raw, mut stored) = (SEGMENT_HEADER_BYTES, SEGMENT_HEADER_BYTES);
    for index in 0..blocks.count() {
        let place = blocks.place(index, read(file)).unwrap();
        assert_eq!((place.raw.start, place.stored.start), (raw, stored));
        assert!((1..=BLOCK_BYTES_MAX).contains(&place.raw.len()) && place.stored.len() > BLOCK_HEADER_BYTES);
        assert_eq!(blocks.find(place.raw.end - 1, read(file)).unwrap().as_ref(), Some(&place));
        let mut content = Vec::new();
        if place.unpack(&file[place.stored.clone()], seed, &mut content).is_ok() {
            assert_eq!(content.len(), place.raw.len());
        }
        assert!(content.capacity() <= BLOCK_BYTES_MAX);
        (raw, stored) = (place.raw.end, place.stored.end);
    }
    assert!(raw == view.frames_end && stored <= view.begins_at);
    walked(file, blocks, seed, raw);
}

/// Bytes that were given once are given again, whatever was read in between.
fn walked(file: &[u8], blocks: &BlockTable, seed: Seed, end: usize) {
    let mut unpacked = Unpacked::default();
    let half = (SEGMENT_HEADER_BYTES + end) / 2;
    let first = unpacked.range(blocks, seed, SEGMENT_HEADER_BYTES..half, read(file)).map(<[u8]>::to_vec);
    let _ = unpacked.range(blocks, seed, half..end, read(file));
    let again = unpacked.range(blocks, seed, SEGMENT_HEADER_BYTES..half, read(file)).map(<[u8]>::to_vec);
    if half > SEGMENT_HEADER_BYTES {
        assert_eq!(first.is_ok(), again.is_ok());
        assert!(first.is_err() || first == again);
    }
}

/// The same file with a right checksum for each block, as far as they follow one another.
fn summed(file: &[u8], seed: Seed) -> Vec<u8> {
    let (mut file, mut at) = (file.to_vec(), SEGMENT_HEADER_BYTES);
    while let Some(Ok(header)) = file.get(at..).map(BlockHeader::peek) {
        let Some(block) = file.get(at..at + header.block_bytes()) else { break };
        let crc = seed.crc(&[&block[..BLOCK_HEADER_BYTES - 4], &block[BLOCK_HEADER_BYTES..]].concat());
        file[at + BLOCK_HEADER_BYTES - 4..at + BLOCK_HEADER_BYTES].copy_from_slice(&crc.to_le_bytes());
        let _ = unpack(&file[at..], seed, &mut Vec::new());
        at += header.block_bytes();
    }
    file
}
