//! The archive in the footer of a cold segment: what any segment that was written anew says, and where its blocks
//! stand (`format/block.rs`).
//!
//! Offsets of frames are those of the segment as it is read: as if no block were compressed.
//!
//! Invariant: blocks follow one another without a gap, in the file from byte 64 to the footer, and as they are read
//! from byte 64 to the end of the last frame. So the block of any byte is found, and its lengths are known before it is
//! looked at.

use std::ops::Range;

use rkyv::{Archive, Serialize, rancor, util::AlignedVec};
use thiserror::Error;

use super::{
    Seed, align_up,
    block::{self, BLOCK_BYTES_MAX, BLOCK_HEADER_BYTES, BlockFault},
    footer::{self, FooterFault, FooterView},
    header::SEGMENT_HEADER_BYTES,
    is_zero,
    kept::{self, Kept},
    u32_at,
};

/// What the footer of a cold segment says.
#[derive(Archive, Serialize, Clone, Debug, Default, PartialEq, Eq)]
pub struct Cold {
    /// As of any segment that was written anew.
    pub kept: Kept,
    /// 1 if a body in it may be thinned, else 0.
    pub is_thinned: u32,
    /// Zero.
    pub reserved: u32,
    /// Where each block begins as it is read, and where the last one ends.
    pub raw_starts: Vec<u32>,
    /// Where each block begins in the file, and where the last one ends.
    pub stored_starts: Vec<u32>,
}

const _: () = assert!(size_of::<ArchivedCold>() == 112);

/// Where in the file of a footer it stands where the blocks are. It was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockTable {
    raw_starts_at: usize,
    stored_starts_at: usize,
    count: usize,
}

/// Where a block stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockPlace {
    /// Its place among the blocks.
    pub index: usize,
    /// As it is read.
    pub raw: Range<usize>,
    /// In the file.
    pub stored: Range<usize>,
}

/// Why bytes of a cold segment are not to be had.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Unfit<E> {
    /// The file can't be read there.
    #[error("{0}")]
    Unreadable(E),
    /// A block is not what was written.
    #[error("{what}")]
    Block {
        /// Where it begins in the file.
        at: usize,
        /// What is wrong.
        what: BlockFault,
    },
}

/// The bytes of footer and trailer, and the checksum of the archive.
#[must_use]
pub fn encode(cold: &Cold, segment_crc: u32, seed: Seed) -> (Vec<u8>, u32) {
    let archive = rkyv::to_bytes::<rancor::Error>(cold).expect("an archive in memory can only fail to allocate");
    footer::with_trailer(&archive, segment_crc, seed)
}

/// Reads and checks the footer of the whole file of a cold segment. Its blocks are not looked at.
pub fn decode(file: &[u8], segment_crc: u32, seed: Seed) -> Result<FooterView, FooterFault> {
    let (archive, begins_at, archive_crc) = footer::archive_of(file, segment_crc, seed)?;
    let mut copy = AlignedVec::<16>::with_capacity(archive.len());
    copy.extend_from_slice(archive);
    let cold = rkyv::access::<ArchivedCold, rancor::Error>(&copy).map_err(|_| FooterFault::Content)?;
    let place = |table: *const u8| begins_at + (table.addr() - copy.as_ptr().addr());
    let Some(count) = cold.raw_starts.len().checked_sub(1) else { return Err(FooterFault::Content) };
    let blocks = BlockTable {
        raw_starts_at: place(cold.raw_starts.as_ptr().cast()),
        stored_starts_at: place(cold.stored_starts.as_ptr().cast()),
        count,
    };
    let (raw_end, stored_end) = ends(cold).ok_or(FooterFault::Content)?;
    let is_sound = align_up(stored_end) == begins_at
        && is_zero(&file[stored_end..begins_at])
        && cold.is_thinned.to_native() <= 1
        && cold.reserved.to_native() == 0;
    if !is_sound {
        return Err(FooterFault::Content);
    }
    let view = kept::view_of(&cold.kept, place, (begins_at, raw_end), archive_crc)?;
    Ok(FooterView { blocks: Some(blocks), is_thinned: cold.is_thinned.to_native() == 1, ..view })
}

/// Where the last block ends, as it is read and in the file; `None` if the blocks can't stand where the table says.
fn ends(cold: &ArchivedCold) -> Option<(usize, usize)> {
    let mut raw = cold.raw_starts.iter().map(|start| start.to_native() as usize);
    let mut stored = cold.stored_starts.iter().map(|start| start.to_native() as usize);
    if raw.len() != stored.len() {
        return None;
    }
    let (mut raw_end, mut stored_end) = (raw.next()?, stored.next()?);
    if (raw_end, stored_end) != (SEGMENT_HEADER_BYTES, SEGMENT_HEADER_BYTES) {
        return None;
    }
    for (raw, stored) in raw.zip(stored) {
        let raw_bytes = raw.checked_sub(raw_end)?;
        let stored_bytes = stored.checked_sub(stored_end)?.checked_sub(BLOCK_HEADER_BYTES)?;
        if !(1..=BLOCK_BYTES_MAX).contains(&raw_bytes) || !(1..=raw_bytes).contains(&stored_bytes) {
            return None;
        }
        (raw_end, stored_end) = (raw, stored);
    }
    Some((raw_end, stored_end))
}

impl BlockTable {
    /// The block that holds a byte of the segment as it is read. `read` gives bytes of the file.
    pub fn find<'f, E>(
        &self,
        raw_at: usize,
        read: impl Fn(Range<usize>) -> Result<&'f [u8], E>,
    ) -> Result<Option<BlockPlace>, E> {
        let start = |index: usize| {
            let at = self.raw_starts_at + 4 * index;
            read(at..at + 4).map(|bytes| u32_at(bytes, 0) as usize)
        };
        // Blocks that begin at or before it; the end of the last one counts as a beginning.
        let (mut low, mut high) = (0, self.count + 1);
        while low < high {
            let middle = low.midpoint(high);
            if start(middle)? <= raw_at { low = middle + 1 } else { high = middle }
        }
        match low.checked_sub(1) {
            Some(index) if index < self.count => self.place(index, read).map(Some),
            Some(_) | None => Ok(None),
        }
    }

    /// Where the block with this index stands.
    pub fn place<'f, E>(
        &self,
        index: usize,
        read: impl Fn(Range<usize>) -> Result<&'f [u8], E>,
    ) -> Result<BlockPlace, E> {
        assert!(index < self.count, "block {index} of {}", self.count);
        let pair = |at: usize| read(at..at + 8).map(|bytes| u32_at(bytes, 0) as usize..u32_at(bytes, 4) as usize);
        let (raw, stored) = (pair(self.raw_starts_at + 4 * index)?, pair(self.stored_starts_at + 4 * index)?);
        Ok(BlockPlace { index, raw, stored })
    }

    /// How many blocks there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }
}

impl BlockPlace {
    /// Checks the block, whose bytes in the file are `stored`, and appends what it is made of.
    pub fn unpack(&self, stored: &[u8], seed: Seed, out: &mut Vec<u8>) -> Result<(), BlockFault> {
        let header = block::BlockHeader::peek(stored)?;
        // A page may have come back from the disk as another one.
        if header.raw_at as usize != self.raw.start
            || header.raw_bytes as usize != self.raw.len()
            || header.block_bytes() != stored.len()
        {
            return Err(BlockFault::Other);
        }
        block::unpack(stored, seed, out).map(drop)
    }
}

#[cfg(test)]
mod tests;
