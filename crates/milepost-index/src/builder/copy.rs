//! Blocks that are written as they stand in another run.
//!
//! Invariant: a copied block holds what it would hold if its keys had been given one by one; only where blocks begin
//! may differ.

use super::RunBuilder;
use crate::{BuildError, format::varint, source::WholeBlock};

impl RunBuilder {
    /// Whether nothing waits for a block: the one that is copied next leaves none that is short before it.
    pub(crate) fn is_at_block(&self) -> bool {
        !self.is_in_key && self.block.is_empty()
    }

    /// Writes a block of keys that follow those before it; how many keys.
    pub(crate) fn copy_block(&mut self, block: &WholeBlock<'_>) -> Result<u64, BuildError> {
        self.end_key()?;
        while !self.block.is_empty() {
            self.cut_block()?;
        }
        let mut begin = 0;
        for (end, entry) in block.entries {
            let key = &block.keys[begin..*end];
            if begin == 0 {
                assert!(key.as_bytes() > &*self.key, "keys ascend");
            }
            self.hashes.push(self.scope_hash.key(key).0);
            self.check_seq(entry.newest.seq);
            let record = self.scope.as_mut().expect("a key has a scope");
            record.kinds |= 1 << entry.newest.kind;
            record.keys += 1;
            if let Some(collected) = &mut self.collected {
                collected.push(entry.newest);
            }
            begin = *end;
        }
        let keys = block.entries.len();
        let last = keys.checked_sub(2).map_or(0, |before| block.entries[before].0);
        self.key.clear();
        self.key.extend_from_slice(&block.keys.as_bytes()[last..]);
        self.meta.keys += keys as u64;
        self.meta.versions += keys as u64;
        self.copied.clear();
        varint::put(&mut self.copied, u64::from(self.meta.scopes));
        self.copied.extend_from_slice(block.unscoped);
        let bytes = std::mem::take(&mut self.copied);
        let put = self.put_block(&bytes, keys);
        self.copied = bytes;
        put.map(|()| keys as u64)
    }
}
