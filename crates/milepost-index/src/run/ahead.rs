//! Looking ahead: touching what a look-up will read, so that the processor fetches it while it looks at other keys.
//!
//! Invariant: nothing here answers a question. What is damaged is told by the look-up itself.

use super::{Run, find::block_of};
use crate::KeyHash;

/// Bytes of a line of the processor's cache.
const CACHE_LINE_BYTES: usize = 64;
/// Lines of a block that are touched: most blocks have no more.
const LINES_MAX: usize = 8;

impl Run {
    /// Touches the line of slots where the search for a key begins; what comes back depends on it.
    #[inline]
    #[must_use]
    pub fn touch_slots(&self, hash: KeyHash) -> u8 {
        let section = self.meta.sections.key_slots;
        self.line(section, self.key_shape.home(hash.0)).map_or(0, |line| line[0])
    }

    /// The block that the search for a key looks at first, if its line of slots leads to one.
    #[inline]
    #[must_use]
    pub fn first_block(&self, hash: KeyHash) -> Option<u32> {
        let section = self.meta.sections.key_slots;
        let line = self.line(section, self.key_shape.home(hash.0)).ok()?;
        let hits = self.key_shape.look(line, hash.0);
        if hits.slots == 0 {
            return None;
        }
        block_of(self.key_shape.number(line, hits.slots.trailing_zeros()), self.meta.blocks)
    }

    /// Touches where it is said where a block begins.
    #[inline]
    #[must_use]
    pub fn touch_bounds(&self, block: u32) -> u32 {
        self.bounds(self.meta.sections.block_offsets, u64::from(block)).map_or(0, |(begin, _)| begin)
    }

    /// Touches a block.
    #[inline]
    #[must_use]
    pub fn touch_block(&self, block: u32) -> u8 {
        let Ok((bytes, _)) = self.block(block) else { return 0 };
        bytes.iter().step_by(CACHE_LINE_BYTES).take(LINES_MAX).fold(0, |all, byte| all ^ byte)
    }
}
