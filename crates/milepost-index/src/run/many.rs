//! Looking many keys of a scope up at once.
//!
//! A look-up is a chain of cache misses, but those of two keys do not wait for each other. So it is made step by step
//! for all of them, and each step asks the processor for what the next one reads:
//!
//! ```text
//! aim      the line of slots of each key, in all runs before the first is looked at
//! lines    which block each leads to: where it begins
//! bounds   where it begins: the block
//! entries  the key in its block: of one whose newest version is too new, the list of its older ones
//! lists    the version in its list
//! ```
//!
//! Invariant: each key is answered as [`Run::find`] answers it. Whatever is not the plain case is left to that. Of a
//! run that is damaged it may be an error where that does not come to the damage.

use milepost_types::Corruption;

use super::{Run, Versions, find::block_of};
use crate::{
    KeyHash, Version,
    format::{
        block::{Block, Entry, Older},
        slots,
    },
    pages::{CACHE_LINE_BYTES, Damage},
};

/// Bytes of a line of the processor's cache.
const LINE_BYTES: u64 = CACHE_LINE_BYTES as u64;
/// Lines of a block that are asked for: most blocks have no more.
const LINES_MAX: usize = 8;

/// A look-up of one of many keys, as far as it has come.
#[derive(Clone, Copy)]
enum Step {
    /// It is answered.
    Answered,
    /// The key is in this block, if its hash is that of no other.
    InBlock(u32),
    /// It was found, and an older version of it is asked for.
    InList(Entry),
    /// This is not the plain case.
    Alone,
}

impl Run {
    /// Asks the processor for the line of slots where the search for a key begins.
    #[inline]
    pub fn aim(&self, hash: KeyHash) {
        let line = self.key_shape.home(hash.0);
        self.pages.aim(self.meta.sections.key_slots, line * slots::LINE_BYTES as u64, 1);
    }

    /// Puts the newest version at or before `seq` of each of these keys of a scope into `found`, in their order. With
    /// each key comes its hash, which was aimed at before.
    pub fn find_each(
        &self,
        scope: &str,
        keys: &[(KeyHash, &str)],
        seq: u64,
        found: &mut Vec<Option<Version>>,
    ) -> Result<(), Corruption> {
        found.clear();
        found.resize(keys.len(), None);
        // A run of clears alone has no line to look at.
        if seq < self.facts.first_seq || self.key_shape.lines() == 0 {
            return Ok(());
        }
        self.find_in_steps(scope, keys, seq, found).map_err(|damage| self.corrupt(damage))
    }

    fn find_in_steps(
        &self,
        scope: &str,
        keys: &[(KeyHash, &str)],
        seq: u64,
        found: &mut [Option<Version>],
    ) -> Result<(), Damage> {
        let mut steps = Vec::with_capacity(keys.len());
        for (hash, _) in keys {
            steps.push(self.step_at_line(*hash)?);
        }
        for step in &steps {
            if let Step::InBlock(block) = step {
                let (begin, end) = self.bounds(self.meta.sections.block_offsets, u64::from(*block))?;
                let lines = (u64::from(end.saturating_sub(begin)) / LINE_BYTES) as usize + 1;
                self.pages.aim(self.meta.sections.blocks, u64::from(begin), lines.min(LINES_MAX));
            }
        }
        let mut ordinal = None;
        for ((step, (_, key)), found) in steps.iter_mut().zip(keys).zip(&mut *found) {
            if let Step::InBlock(block) = *step {
                (*step, *found) = self.step_in_block(block, scope, &mut ordinal, key, seq)?;
            }
        }
        for ((step, (hash, key)), found) in steps.iter().zip(keys).zip(found) {
            match step {
                Step::InList(entry) => *found = Versions::new(self, *entry).find_as_of(seq)?,
                Step::Alone => *found = self.find_alone(*hash, scope, key, seq)?,
                Step::InBlock(_) | Step::Answered => {}
            }
        }
        Ok(())
    }

    /// Where the line of slots of a key leads to.
    #[inline]
    fn step_at_line(&self, hash: KeyHash) -> Result<Step, Damage> {
        let line = self.line(self.meta.sections.key_slots, self.key_shape.home(hash.0))?;
        let hits = self.key_shape.look(line, hash.0);
        if hits.slots == 0 {
            return Ok(if hits.ends { Step::Answered } else { Step::Alone });
        }
        let block = block_of(self.key_shape.number(line, hits.slots.trailing_zeros()), self.meta.blocks);
        if let Some(block) = block {
            self.pages.aim(self.meta.sections.block_offsets, u64::from(block) * 4, 1);
        }
        Ok(block.map_or(Step::Alone, Step::InBlock))
    }

    /// What the block that a line of slots led to says of a key. `ordinal` is the number of the scope, once known.
    #[inline]
    fn step_in_block(
        &self,
        block: u32,
        scope: &str,
        ordinal: &mut Option<u32>,
        key: &str,
        seq: u64,
    ) -> Result<(Step, Option<Version>), Damage> {
        let (bytes, at) = self.block(block)?;
        let block = Block::read(bytes).map_err(Damage::at(at))?;
        if ordinal.is_none() && self.scope_is(block.scope(), scope)? {
            *ordinal = Some(block.scope());
        }
        if *ordinal != Some(block.scope()) {
            return Ok((Step::Alone, None));
        }
        let Some(entry) = block.find(key.as_bytes()).map_err(Damage::at(at))? else { return Ok((Step::Alone, None)) };
        self.check_seq(entry.newest.seq, at)?;
        if entry.newest.seq <= seq {
            return Ok((Step::Answered, Some(entry.newest)));
        }
        let Some(Older { at, .. }) = entry.older else { return Ok((Step::Answered, None)) };
        // Where a list of one group begins, or the index behind the groups of a longer one: the last of them, too.
        let before = u64::from(at).saturating_sub(LINE_BYTES);
        self.pages.aim(self.meta.sections.versions, before, 2);
        Ok((Step::InList(entry), None))
    }
}
