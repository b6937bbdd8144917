//! The keys of a scope, in order.
//!
//! Invariant: keys ascend within and across blocks, and every block read is of the scope asked for; else it is damaged.

use milepost_types::Corruption;

use super::{Run, ScopeView, Versions};
use crate::{
    format::block::{Block, Entry},
    pages::Damage,
    source::WholeBlock,
};

impl Run {
    /// The keys of a scope in order, from the first that is not less than `key` on.
    pub fn keys_from(&self, scope: &ScopeView, key: &str) -> Result<KeyCursor<'_>, Corruption> {
        let mut place = KeyPlace::new(scope);
        place.seek(self, key.as_bytes()).map_err(|damage| self.corrupt(damage))?;
        Ok(KeyCursor { run: self, place })
    }
}

/// A walk over the keys of a scope, in the form that one that owns its run can keep. It reads a block at a time.
#[derive(Clone, Debug)]
pub(crate) struct KeyPlace {
    scope: u32,
    /// The next block to be read, and the end of the scope's.
    next_block: u32,
    end_block: u32,
    /// Where the block that was read stands in the file, for errors.
    block_at: u64,
    /// Its keys, one behind the other, and where each ends.
    keys: String,
    entries: Vec<(usize, Entry)>,
    /// Keys of the block that were passed.
    passed: usize,
    /// Room for the last key of the block before.
    before: Vec<u8>,
}

impl KeyPlace {
    pub(crate) fn new(scope: &ScopeView) -> KeyPlace {
        let record = &scope.record;
        KeyPlace {
            scope: scope.ordinal,
            next_block: record.first_block,
            // The record was checked: its blocks are among those of the run.
            end_block: record.first_block + record.blocks,
            block_at: 0,
            keys: String::new(),
            entries: Vec::new(),
            passed: 0,
            before: Vec::new(),
        }
    }

    /// Goes to the first key that is not less than `key`.
    pub(crate) fn seek(&mut self, run: &Run, key: &[u8]) -> Result<(), Damage> {
        let (mut low, mut high) = (self.next_block, self.end_block);
        let mut first = Vec::new();
        while low < high {
            let middle = u32::midpoint(low, high);
            let (block, at) = self.block(run, middle)?;
            first.clear();
            block.put_first_key(&mut first).map_err(Damage::at(at))?;
            if *first <= *key {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        // Its place, if it is there, is in the block before the first that begins above it.
        self.next_block = self.next_block.max(low.saturating_sub(1));
        while self.advance(run)? {
            if self.key()?.as_bytes() >= key {
                self.passed -= 1;
                break;
            }
        }
        Ok(())
    }

    fn block<'a>(&self, run: &'a Run, block: u32) -> Result<(Block<'a>, u64), Damage> {
        let (bytes, at) = run.block(block)?;
        Ok((self.head(bytes, at)?, at))
    }

    fn head<'a>(&self, bytes: &'a [u8], at: u64) -> Result<Block<'a>, Damage> {
        let block = Block::read(bytes).map_err(Damage::at(at))?;
        if block.scope() == self.scope { Ok(block) } else { Err(Damage { at, what: "a block is of another scope" }) }
    }

    /// Goes to the next key; whether there is one.
    fn advance(&mut self, run: &Run) -> Result<bool, Damage> {
        if self.passed == self.entries.len() && !self.read_block(run)? {
            return Ok(false);
        }
        self.passed += 1;
        run.check_seq(self.entry().newest.seq, self.block_at)?;
        Ok(true)
    }

    /// Reads the next block; whether there is one.
    fn read_block(&mut self, run: &Run) -> Result<bool, Damage> {
        if self.next_block == self.end_block {
            return Ok(false);
        }
        self.before.clear();
        if self.passed > 0 {
            self.before.extend_from_slice(&self.keys.as_bytes()[self.begin(self.passed - 1)..]);
        }
        let (bytes, at) = run.block(self.next_block)?;
        run.pages.will_read_on(at, bytes);
        let block = self.head(bytes, at)?;
        (self.block_at, self.passed) = (at, 0);
        let mut keys = std::mem::take(&mut self.keys).into_bytes();
        let read = block.read_all(&mut keys, &mut self.entries);
        // Nothing of a block that can't be read is kept.
        let text = read.and_then(|()| String::from_utf8(keys).map_err(|_| NOT_TEXT));
        if text.is_err() {
            self.entries.clear();
        }
        self.keys = text.map_err(Damage::at(at))?;
        self.next_block += 1;
        let first = &self.keys.as_bytes()[..self.entries[0].0];
        if first <= &*self.before {
            return Err(Damage { at, what: "keys are not in order" });
        }
        Ok(true)
    }

    fn begin(&self, index: usize) -> usize {
        index.checked_sub(1).map_or(0, |before| self.entries[before].0)
    }

    /// The versions of the key that was passed last.
    fn entry(&self) -> Entry {
        self.entries[self.passed - 1].1
    }

    /// The key that was passed last.
    fn key(&self) -> Result<&str, Damage> {
        let at = self.passed - 1;
        self.keys.get(self.begin(at)..self.entries[at].0).ok_or(NOT_TEXT).map_err(Damage::at(self.block_at))
    }

    /// The next key and its versions.
    pub(crate) fn read_key<'a>(&mut self, run: &'a Run) -> Result<Option<(&str, Versions<'a>)>, Corruption> {
        self.read_next(run).map_err(|damage| run.corrupt(damage))
    }

    /// Whether the key that was passed last is the first of its block.
    pub(crate) fn is_at_block(&self) -> bool {
        self.passed == 1
    }

    /// The block that the key that was passed last is the first of: see [`crate::Source::take_block`].
    pub(crate) fn take_block<'a>(
        &'a mut self,
        run: &'a Run,
        bound: Option<&str>,
        blocks: u32,
    ) -> Result<Option<WholeBlock<'a>>, Corruption> {
        self.take_whole(run, bound, blocks).map_err(|damage| run.corrupt(damage))
    }

    fn take_whole<'a>(
        &'a mut self,
        run: &'a Run,
        bound: Option<&str>,
        blocks: u32,
    ) -> Result<Option<WholeBlock<'a>>, Damage> {
        let block = self.next_block - 1;
        let is_alone = self.is_at_block() && self.is_below(run, block, bound, blocks)?;
        if !is_alone || self.entries.iter().any(|(_, entry)| entry.older.is_some()) {
            return Ok(None);
        }
        for (_, entry) in &self.entries {
            run.check_seq(entry.newest.seq, self.block_at)?;
        }
        let (bytes, at) = run.block(block)?;
        let unscoped = Block::unscoped(bytes).map_err(Damage::at(at))?;
        self.passed = self.entries.len();
        Ok(Some(WholeBlock { unscoped, keys: &self.keys, entries: &self.entries }))
    }

    /// Whether so many blocks of the scope from this one on are there, and their keys are below `bound`: known by the
    /// first key of the one behind them.
    fn is_below(&self, run: &Run, block: u32, bound: Option<&str>, blocks: u32) -> Result<bool, Damage> {
        let left = self.end_block - block;
        let Some(bound) = bound else { return Ok(blocks <= left) };
        if blocks >= left {
            return Ok(false);
        }
        let (behind, at) = self.block(run, block + blocks)?;
        let mut first = Vec::new();
        behind.put_first_key(&mut first).map_err(Damage::at(at))?;
        Ok(*first <= *bound.as_bytes())
    }

    fn read_next<'a>(&mut self, run: &'a Run) -> Result<Option<(&str, Versions<'a>)>, Damage> {
        if !self.advance(run)? {
            return Ok(None);
        }
        Ok(Some((self.key()?, Versions::new(run, self.entry()))))
    }
}

const NOT_TEXT: crate::format::Malformed = crate::format::Malformed("a name is not UTF-8");

/// Keys in order.
#[derive(Clone, Debug)]
pub struct KeyCursor<'a> {
    run: &'a Run,
    place: KeyPlace,
}

impl<'a> KeyCursor<'a> {
    /// The next key and its versions; `None` behind the last.
    pub fn read_next(&mut self) -> Result<Option<(&str, Versions<'a>)>, Corruption> {
        self.place.read_key(self.run)
    }
}
