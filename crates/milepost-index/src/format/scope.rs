//! What a run keeps of a scope, and of an event that cleared it.
//!
//! ```text
//! scope   0  first block    u32   number of its first block of keys
//!         4  blocks         u32
//!         8  keys           u64
//!        16  touched        u64   Seq of the last commit that touched it
//!        24  last set       u64   Seq of the last commit that set one of its keys; 0 if none did
//!        32  clears at      u32   in the section of clears
//!        36  clears         u32   how many
//!        40  changes        u64   versions of all its keys; equal ones count once
//!        48  changes at     u32   by what the list is known
//!        52  kinds          u32   of its versions: bit k for kind k
//!
//! clear   0  Seq            u64
//!         8  record         u32
//! ```
//!
//! Invariant: a scope's blocks follow those of the scope before it.

use super::{Malformed, block::BLOCK_KEYS, u32_at, u64_at};
use crate::{Mark, ScopeSeqs, version::KIND_MAX};

/// Bytes of a scope.
pub const SCOPE_BYTES: usize = 56;
/// A bit for every kind that there may be.
const KINDS: u32 = (1 << (KIND_MAX + 1)) - 1;
/// Bytes of a clear.
pub const CLEAR_BYTES: usize = 12;

/// What stands in a scope's record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScopeRecord {
    /// Number of its first block.
    pub first_block: u32,
    /// How many blocks it has.
    pub blocks: u32,
    /// How many keys.
    pub keys: u64,
    /// When it was changed.
    pub seqs: ScopeSeqs,
    /// Where its clears begin in their section.
    pub clears_at: u32,
    /// How many clears.
    pub clears: u32,
    /// How many different versions its keys have.
    pub changes: u64,
    /// By what the list of changes is known.
    pub changes_at: u32,
    /// Which kinds its versions are of: bit k for kind k.
    pub kinds: u32,
}

impl ScopeRecord {
    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; SCOPE_BYTES] {
        let mut bytes = [0; SCOPE_BYTES];
        bytes[..4].copy_from_slice(&self.first_block.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.blocks.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.keys.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.seqs.touched.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.seqs.last_set.to_le_bytes());
        bytes[32..36].copy_from_slice(&self.clears_at.to_le_bytes());
        bytes[36..40].copy_from_slice(&self.clears.to_le_bytes());
        bytes[40..48].copy_from_slice(&self.changes.to_le_bytes());
        bytes[48..52].copy_from_slice(&self.changes_at.to_le_bytes());
        bytes[52..56].copy_from_slice(&self.kinds.to_le_bytes());
        bytes
    }

    /// Reads the record of a scope in a run with so many blocks.
    pub fn decode(bytes: &[u8], blocks: u32) -> Result<ScopeRecord, Malformed> {
        if bytes.len() != SCOPE_BYTES {
            return Err(Malformed("a scope's record is cut"));
        }
        let record = ScopeRecord {
            first_block: u32_at(bytes, 0),
            blocks: u32_at(bytes, 4),
            keys: u64_at(bytes, 8),
            seqs: ScopeSeqs { touched: u64_at(bytes, 16), last_set: u64_at(bytes, 24) },
            clears_at: u32_at(bytes, 32),
            clears: u32_at(bytes, 36),
            changes: u64_at(bytes, 40),
            changes_at: u32_at(bytes, 48),
            kinds: u32_at(bytes, 52),
        };
        let end = record.first_block.checked_add(record.blocks);
        let own = u64::from(record.blocks);
        let fits = own <= record.keys && record.keys <= own * BLOCK_KEYS as u64;
        let is_empty = [record.changes == 0, record.kinds == 0].map(|nothing| nothing == (record.keys == 0));
        let is_sound = is_empty == [true; 2] && record.changes <= u64::from(u32::MAX) && record.kinds <= KINDS;
        if end.is_none_or(|end| end > blocks) || !fits || !is_sound {
            return Err(Malformed("a scope's record can't be"));
        }
        Ok(record)
    }
}

/// Appends a clear.
pub fn put_clear(out: &mut Vec<u8>, mark: Mark) {
    out.extend_from_slice(&mark.seq.to_le_bytes());
    out.extend_from_slice(&mark.record.to_le_bytes());
}

/// The clear with this index.
#[must_use]
pub fn clear_at(clears: &[u8], index: usize) -> Mark {
    Mark { seq: u64_at(clears, index * CLEAR_BYTES), record: u32_at(clears, index * CLEAR_BYTES + 8) }
}

#[cfg(test)]
mod tests;
