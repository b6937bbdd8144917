//! A block: some of the frames' bytes of a cold segment, compressed.
//!
//! ```text
//!  0  raw offset    u32  where its bytes stand in the segment as it is read
//!  4  raw bytes     u32  1 to 65536
//!  8  stored bytes  u32  as many as raw bytes: as they are; fewer: a zstd frame
//! 12  crc           u32  over the segment's salt, bytes 0 to 11 and the stored bytes
//! 16  stored bytes
//! ```
//!
//! Blocks stand one behind the other where a raw segment has its frames. The footer has a table of them
//! (`format/cold.rs`); what is in front of each says the same, so that they are found without it.
//!
//! Invariant: nothing is decompressed before its checksum was right, and nothing into more memory than it may have.

use std::cell::RefCell;

use thiserror::Error;
use zstd::{bulk::Compressor, zstd_safe::DCtx};

use super::{Seed, u32_at};

/// Bytes in front of what is stored.
pub const BLOCK_HEADER_BYTES: usize = 16;
/// Most bytes that a block is made of: what a read of one value decompresses.
pub const BLOCK_BYTES: usize = 4 << 10;
/// Most bytes of a block that is read.
pub const BLOCK_BYTES_MAX: usize = 64 << 10;
/// How hard zstd tries: its own default.
const LEVEL: i32 = 3;

const CRC_AT: usize = BLOCK_HEADER_BYTES - 4;

const _: () = assert!(BLOCK_BYTES <= BLOCK_BYTES_MAX);

/// What stands in front of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockHeader {
    /// Where its bytes stand in the segment as it is read.
    pub raw_at: u32,
    /// How many they are.
    pub raw_bytes: u32,
    /// How many are stored for them.
    pub stored_bytes: u32,
}

/// Bytes that are no block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BlockFault {
    /// The file ends in it.
    #[error("the block is cut")]
    Cut,
    /// A length that no block has.
    #[error("the block says that it is made of {raw_bytes} bytes and stored as {stored_bytes}")]
    Length {
        /// What it claims to be made of.
        raw_bytes: u32,
        /// What it claims to be stored as.
        stored_bytes: u32,
    },
    /// A flipped bit or worse.
    #[error("block checksum mismatch")]
    Crc,
    /// The checksum is right, and what is stored is no zstd frame of so many bytes.
    #[error("the block does not decompress to {raw_bytes} bytes")]
    Content {
        /// How many are expected.
        raw_bytes: u32,
    },
    /// The checksum is right, and the footer says something else.
    #[error("the block is not the one that the footer lists")]
    Other,
}

/// Makes blocks. It holds the compressor's tables.
pub struct Packer(Compressor<'static>);

impl Packer {
    /// Ready to make blocks.
    #[must_use]
    pub fn new() -> Packer {
        Packer(Compressor::new(LEVEL).expect("a compressor of a valid level can only fail to allocate"))
    }

    /// Appends the block of some bytes, which stand at `raw_at`.
    pub fn pack(&mut self, raw_at: u32, raw: &[u8], seed: Seed, out: &mut Vec<u8>) {
        assert!((1..=BLOCK_BYTES_MAX).contains(&raw.len()), "a block of {} bytes", raw.len());
        let packed = self.0.compress(raw).ok().filter(|packed| packed.len() < raw.len() && unpacks_to(packed, raw));
        let stored = packed.as_deref().unwrap_or(raw);
        let begin = out.len();
        for field in [raw_at, raw.len() as u32, stored.len() as u32] {
            out.extend_from_slice(&field.to_le_bytes());
        }
        let crc = crc(&out[begin..], stored, seed);
        out.extend_from_slice(&crc.to_le_bytes());
        out.extend_from_slice(stored);
    }
}

impl Default for Packer {
    fn default() -> Packer {
        Packer::new()
    }
}

impl std::fmt::Debug for Packer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Packer")
    }
}

/// The only copy of these bytes is about to go: they are seen to come back.
fn unpacks_to(packed: &[u8], raw: &[u8]) -> bool {
    let mut again = vec![0; raw.len()];
    decompress(packed, &mut again) && again == raw
}

fn crc(header: &[u8], stored: &[u8], seed: Seed) -> u32 {
    let mut hasher = crc32fast::Hasher::new_with_initial(seed.crc(header));
    hasher.update(stored);
    hasher.finalize()
}

/// Whether `packed` is a zstd frame of exactly the bytes that `out` has room for.
fn decompress(packed: &[u8], out: &mut [u8]) -> bool {
    thread_local!(static DECODER: RefCell<DCtx<'static>> = RefCell::new(DCtx::create()));
    DECODER.with_borrow_mut(|decoder| decoder.decompress(out, packed)) == Ok(out.len())
}

impl BlockHeader {
    /// Reads what stands in front of a block, and judges its lengths. Nothing is known yet of the checksum.
    pub fn peek(bytes: &[u8]) -> Result<BlockHeader, BlockFault> {
        let bytes = bytes.get(..BLOCK_HEADER_BYTES).ok_or(BlockFault::Cut)?;
        let header =
            BlockHeader { raw_at: u32_at(bytes, 0), raw_bytes: u32_at(bytes, 4), stored_bytes: u32_at(bytes, 8) };
        let BlockHeader { raw_bytes, stored_bytes, .. } = header;
        let is_sound = (1..=BLOCK_BYTES_MAX).contains(&(raw_bytes as usize)) && (1..=raw_bytes).contains(&stored_bytes);
        if is_sound { Ok(header) } else { Err(BlockFault::Length { raw_bytes, stored_bytes }) }
    }

    /// Bytes of the block in its file.
    #[must_use]
    pub fn block_bytes(&self) -> usize {
        BLOCK_HEADER_BYTES + self.stored_bytes as usize
    }
}

/// Checks the block at the beginning of `bytes` and appends what it is made of.
pub fn unpack(bytes: &[u8], seed: Seed, out: &mut Vec<u8>) -> Result<BlockHeader, BlockFault> {
    let header = BlockHeader::peek(bytes)?;
    let stored = bytes.get(BLOCK_HEADER_BYTES..header.block_bytes()).ok_or(BlockFault::Cut)?;
    if crc(&bytes[..CRC_AT], stored, seed) != u32_at(bytes, CRC_AT) {
        return Err(BlockFault::Crc);
    }
    if header.stored_bytes == header.raw_bytes {
        out.extend_from_slice(stored);
        return Ok(header);
    }
    let begin = out.len();
    out.resize(begin + header.raw_bytes as usize, 0);
    if decompress(stored, &mut out[begin..]) {
        return Ok(header);
    }
    out.truncate(begin);
    Err(BlockFault::Content { raw_bytes: header.raw_bytes })
}

#[cfg(test)]
mod tests;
