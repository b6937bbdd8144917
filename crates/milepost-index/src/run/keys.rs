//! The keys of a scope, in order.
//!
//! Invariant: keys ascend within and across blocks, and every block read is of the scope asked for; else it is damaged.

use milepost_types::Corruption;

use super::{Run, ScopeView, Versions};
use crate::{
    Version,
    format::{
        block::{Entries, Entry, Older},
        front::Spelled,
    },
    pages::Damage,
};

impl Run {
    /// The keys of a scope in order, from the first that is not less than `key` on.
    pub fn keys_from(&self, scope: &ScopeView, key: &str) -> Result<KeyCursor<'_>, Corruption> {
        let mut place = KeyPlace::new(scope);
        place.seek(self, key.as_bytes()).map_err(|damage| self.corrupt(damage))?;
        Ok(KeyCursor { run: self, place, entries: None })
    }
}

/// A walk over the keys of a scope, in the form that one that owns its run can keep.
#[derive(Clone, Debug)]
pub(crate) struct KeyPlace {
    scope: u32,
    /// The next block to be read, and the end of the scope's.
    next_block: u32,
    end_block: u32,
    key: Spelled,
    /// Where the block stands in the file, for errors.
    block_at: u64,
    newest: Version,
    older: Option<Older>,
    /// Keys of the block that were read.
    read: usize,
    /// Whether a search has read the next key already.
    is_ahead: bool,
}

impl KeyPlace {
    pub(crate) fn new(scope: &ScopeView) -> KeyPlace {
        let record = &scope.record;
        KeyPlace {
            scope: scope.ordinal,
            next_block: record.first_block,
            // The record was checked: its blocks are among those of the run.
            end_block: record.first_block + record.blocks,
            key: Spelled::default(),
            block_at: 0,
            newest: Version { seq: 0, record: 0, kind: 0 },
            older: None,
            read: 0,
            is_ahead: false,
        }
    }

    /// Goes to the first key that is not less than `key`.
    fn seek(&mut self, run: &Run, key: &[u8]) -> Result<(), Damage> {
        let (mut low, mut high) = (self.next_block, self.end_block);
        while low < high {
            let middle = u32::midpoint(low, high);
            let (_, first) = self.first_of(run, middle)?;
            if first.rest <= key {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        // Its place, if it is there, is in the block before the first that begins above it.
        self.next_block = self.next_block.max(low.saturating_sub(1));
        let mut entries = None;
        while self.advance(run, &mut entries)? {
            if self.key.bytes() >= key {
                self.is_ahead = true;
                break;
            }
        }
        Ok(())
    }

    fn first_of<'a>(&self, run: &'a Run, block: u32) -> Result<(Entries<'a>, Entry<'a>), Damage> {
        let (bytes, at) = run.block(block)?;
        let mut entries = Entries::new(bytes, run.facts.first_seq).map_err(Damage::at(at))?;
        let first = entries.read_entry().map_err(Damage::at(at))?;
        match first {
            Some(first) if entries.scope() == self.scope => Ok((entries, first)),
            Some(_) => Err(Damage { at, what: "a block is of another scope" }),
            None => Err(Damage { at, what: "a block without a key" }),
        }
    }

    /// Goes to the next key; whether there is one. `entries` is where the walk stands in its block: without, it is
    /// found again.
    fn advance<'a>(&mut self, run: &'a Run, entries: &mut Option<Entries<'a>>) -> Result<bool, Damage> {
        if std::mem::take(&mut self.is_ahead) {
            return Ok(true);
        }
        if entries.is_none() && self.read > 0 {
            *entries = Some(self.found_again(run)?);
        }
        if let Some(open) = entries
            && let Some(entry) = open.read_entry().map_err(Damage::at(self.block_at))?
        {
            self.key.next(entry.shared, entry.rest).map_err(Damage::at(self.block_at))?;
            return self.take(run, &entry).map(|()| true);
        }
        (*entries, self.read) = (None, 0);
        if self.next_block == self.end_block {
            return Ok(false);
        }
        let (open, first) = self.first_of(run, self.next_block)?;
        self.block_at = run.block(self.next_block)?.1;
        self.next_block += 1;
        if first.rest <= self.key.bytes() {
            return Err(Damage { at: self.block_at, what: "keys are not in order" });
        }
        self.key.clear();
        self.key.next(first.shared, first.rest).map_err(Damage::at(self.block_at))?;
        self.take(run, &first)?;
        *entries = Some(open);
        Ok(true)
    }

    fn take(&mut self, run: &Run, entry: &Entry<'_>) -> Result<(), Damage> {
        run.check_seq(entry.newest.seq, self.block_at)?;
        (self.newest, self.older) = (entry.newest, entry.older);
        self.read += 1;
        Ok(())
    }

    /// The block behind the keys that were read.
    fn found_again<'a>(&self, run: &'a Run) -> Result<Entries<'a>, Damage> {
        let (mut entries, _) = self.first_of(run, self.next_block - 1)?;
        for _ in 1..self.read {
            entries.read_entry().map_err(Damage::at(self.block_at))?;
        }
        Ok(entries)
    }

    /// The next key and its versions, for a walk that does not keep where it stands in its block.
    pub(crate) fn read_key<'a>(&mut self, run: &'a Run) -> Result<Option<(&str, Versions<'a>)>, Corruption> {
        self.read_next(run, &mut None).map_err(|damage| run.corrupt(damage))
    }

    fn read_next<'a>(
        &mut self,
        run: &'a Run,
        entries: &mut Option<Entries<'a>>,
    ) -> Result<Option<(&str, Versions<'a>)>, Damage> {
        if !self.advance(run, entries)? {
            return Ok(None);
        }
        let versions = Versions::new(run, self.newest, self.older);
        let key = self.key.text().map_err(Damage::at(self.block_at))?;
        Ok(Some((key, versions)))
    }
}

/// Keys in order.
#[derive(Clone, Debug)]
pub struct KeyCursor<'a> {
    run: &'a Run,
    place: KeyPlace,
    entries: Option<Entries<'a>>,
}

impl<'a> KeyCursor<'a> {
    /// The next key and its versions; `None` behind the last.
    pub fn read_next(&mut self) -> Result<Option<(&str, Versions<'a>)>, Corruption> {
        let run = self.run;
        self.place.read_next(run, &mut self.entries).map_err(|damage| run.corrupt(damage))
    }
}

impl Run {
    /// How many keys a block has.
    pub(super) fn keys_of_block(&self, block: u32) -> Result<u64, Damage> {
        let (bytes, at) = self.block(block)?;
        let mut entries = Entries::new(bytes, self.facts.first_seq).map_err(Damage::at(at))?;
        let mut keys = 0;
        while entries.read_entry().map_err(Damage::at(at))?.is_some() {
            keys += 1;
        }
        Ok(keys)
    }
}
