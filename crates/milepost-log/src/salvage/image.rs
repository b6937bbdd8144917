//! [`Image`]: a cold segment as it is read, as far as its blocks are whole; where they are not, zeros.
//!
//! Blocks are found by what stands in front of them. Where one is damaged the next is looked for, which only the right
//! checksum makes one: nobody else knows the salt.
//!
//! Invariant: what is not zero in it was checked. Pure: the bytes of a file in.

use std::ops::Range;

use milepost_types::limits::{SEGMENT_BYTES_MAX, THINNED_BYTES_MAX};

use crate::format::{
    Seed,
    block::{BLOCK_HEADER_BYTES, BlockHeader, unpack},
    footer::FooterView,
    header::SEGMENT_HEADER_BYTES,
};

/// As much as the offsets of any segment can reach.
const BYTES_MAX: usize = SEGMENT_BYTES_MAX as usize + 2 * THINNED_BYTES_MAX;

/// A cold segment as it is read.
#[derive(Debug, Default)]
pub(super) struct Image {
    /// From the segment's header on.
    pub(super) bytes: Vec<u8>,
    /// What of the file is no block and should be one.
    pub(super) damaged: Vec<Range<usize>>,
}

impl Image {
    /// Of the bytes of a file, with its footer if that is whole.
    pub(super) fn of(file: &[u8], seed: Seed, footer: Option<&FooterView>) -> Image {
        let head = &file[..file.len().min(SEGMENT_HEADER_BYTES)];
        let mut image = Image { bytes: head.to_vec(), damaged: Vec::new() };
        image.bytes.resize(SEGMENT_HEADER_BYTES, 0);
        let end = footer.map_or(file.len(), |footer| footer.begins_at);
        let mut at = SEGMENT_HEADER_BYTES.min(end);
        while at < end {
            match image.block(&file[at..end], seed) {
                Some(header) => at += header.block_bytes(),
                None => {
                    let next = (at + 1..end).find(|next| image.block(&file[*next..end], seed).is_some());
                    // Up to seven zeros stand before the footer.
                    let is_padding = next.is_none() && footer.is_some() && end - at < 8;
                    if !is_padding {
                        image.damaged.push(at..next.unwrap_or(end));
                    }
                    let Some(next) = next else { break };
                    at = next + BlockHeader::peek(&file[next..]).map_or(1, |header| header.block_bytes());
                }
            }
        }
        if let Some(footer) = footer {
            image.bytes.resize(footer.frames_end.max(image.bytes.len()), 0);
        }
        image
    }

    /// Takes in the block at the beginning of some bytes, if there is one.
    fn block(&mut self, bytes: &[u8], seed: Seed) -> Option<BlockHeader> {
        let header = BlockHeader::peek(bytes).ok()?;
        let raw_at = header.raw_at as usize;
        // Blocks stand in order; what is missing before this one stays zeros.
        if raw_at < self.bytes.len()
            || raw_at + header.raw_bytes as usize > BYTES_MAX
            || bytes.len() < BLOCK_HEADER_BYTES
        {
            return None;
        }
        let mut content = Vec::new();
        unpack(bytes, seed, &mut content).ok()?;
        self.bytes.resize(raw_at, 0);
        self.bytes.append(&mut content);
        Some(header)
    }
}

#[cfg(test)]
mod tests;
