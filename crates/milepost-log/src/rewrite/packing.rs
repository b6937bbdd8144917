//! [`Packing`]: frames on their way into compressed blocks.
//!
//! Invariant: a frame that fits into a block lies in one block. Of a larger one the header is a block of its own, and
//! the rest is divided evenly: so whoever wants a record of it decompresses the block of that record alone.
//!
//! Knows nothing of files.

use crate::format::{
    Seed,
    block::{BLOCK_BYTES, Packer},
    cold::Cold,
    frame::{FRAME_HEADER_BYTES, frame_bytes},
    header::SEGMENT_HEADER_BYTES,
    kept::Kept,
};

/// Where blocks go: what was written to the file before, and what follows.
type Pending<'a> = (u64, &'a mut Vec<u8>);

/// Blocks in the making.
#[derive(Debug)]
pub(super) struct Packing {
    packer: Packer,
    /// Frames that are in no block yet.
    gathered: Vec<u8>,
    /// Where those begin, as the segment is read.
    raw_at: u32,
    raw_starts: Vec<u32>,
    stored_starts: Vec<u32>,
}

impl Packing {
    pub(super) fn new() -> Packing {
        let (gathered, raw_at) = (Vec::with_capacity(BLOCK_BYTES), SEGMENT_HEADER_BYTES as u32);
        Packing { packer: Packer::new(), gathered, raw_at, raw_starts: Vec::new(), stored_starts: Vec::new() }
    }

    /// Adds a frame.
    pub(super) fn frame(&mut self, (header, body): (&[u8], &[u8]), seed: Seed, pending: Pending<'_>) {
        let (written, pending) = pending;
        let bytes = frame_bytes(body.len());
        if self.gathered.len() + bytes > BLOCK_BYTES {
            self.flush(seed, (written, pending));
        }
        if bytes <= BLOCK_BYTES {
            let begin = self.gathered.len();
            self.gathered.extend_from_slice(header);
            self.gathered.extend_from_slice(body);
            self.gathered.resize(begin + bytes, 0);
            return;
        }
        self.block(header, seed, (written, pending));
        let mut rest = body.to_vec();
        rest.resize(bytes - FRAME_HEADER_BYTES, 0);
        let each = rest.len().div_ceil(rest.len().div_ceil(BLOCK_BYTES));
        for part in rest.chunks(each) {
            self.block(part, seed, (written, pending));
        }
    }

    /// Ends the last block; what the footer is to say.
    pub(super) fn finish(&mut self, kept: Kept, seed: Seed, (written, pending): Pending<'_>) -> Cold {
        self.flush(seed, (written, pending));
        self.raw_starts.push(self.raw_at);
        self.stored_starts.push((written + pending.len() as u64) as u32);
        let aligned = (written as usize + pending.len()).next_multiple_of(crate::format::ALIGN_BYTES);
        pending.resize(aligned - written as usize, 0);
        let (raw_starts, stored_starts) =
            (std::mem::take(&mut self.raw_starts), std::mem::take(&mut self.stored_starts));
        Cold { kept, raw_starts, stored_starts, ..Cold::default() }
    }

    fn flush(&mut self, seed: Seed, pending: Pending<'_>) {
        if !self.gathered.is_empty() {
            let gathered = std::mem::take(&mut self.gathered);
            self.block(&gathered, seed, pending);
            self.gathered = gathered;
            self.gathered.clear();
        }
    }

    fn block(&mut self, raw: &[u8], seed: Seed, (written, pending): Pending<'_>) {
        self.raw_starts.push(self.raw_at);
        self.stored_starts.push((written + pending.len() as u64) as u32);
        self.packer.pack(self.raw_at, raw, seed, pending);
        self.raw_at += raw.len() as u32;
    }
}
