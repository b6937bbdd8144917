//! [`MemtableSource`]: the versions of a frozen memtable in order, to make a run of.
//!
//! Invariant: gives all that the memtable holds, each version once, but for claims of
//! one commit, which a run counts once. A scope or a key of which a failed commit left
//! nothing but the name is no part of it.

use std::sync::Arc;

use milepost_index::{Mark, ScopeSeqs, Source, Version};
use milepost_types::Corruption;

use super::Frozen;
use crate::memtable::{Descent, KeyIndex, SortedScope, kind_in_run};

/// Keys whose memory is fetched at once.
const AHEAD: usize = 32;

/// A walk over a frozen memtable.
#[derive(Debug)]
pub(crate) struct MemtableSource {
    frozen: Arc<Frozen>,
    scopes: Arc<Vec<SortedScope>>,
    /// Scopes that were read; the last of them is the one it stands at.
    scopes_read: usize,
    seqs: ScopeSeqs,
    clears: std::vec::IntoIter<Mark>,
    keys: Vec<KeyIndex>,
    keys_read: usize,
    /// The key that it stands at, and those of its versions that are still to be given.
    key: String,
    versions: Descent,
}

impl MemtableSource {
    pub(crate) fn new(frozen: Arc<Frozen>) -> MemtableSource {
        let scopes = frozen.memtable.sorted_scopes();
        MemtableSource {
            frozen,
            scopes,
            scopes_read: 0,
            seqs: ScopeSeqs::default(),
            clears: Vec::new().into_iter(),
            keys: Vec::new(),
            keys_read: 0,
            key: String::new(),
            versions: Descent::default(),
        }
    }

    /// Goes to the next key that has a version; whether there is one.
    fn advance(&mut self) -> bool {
        let memtable = &self.frozen.memtable;
        while let Some(index) = self.keys.get(self.keys_read) {
            if self.keys_read.is_multiple_of(AHEAD) {
                memtable.touch_keys(&self.keys[self.keys_read..self.keys.len().min(self.keys_read + AHEAD)]);
            }
            self.keys_read += 1;
            if let Some(versions) = memtable.read_key(*index, &mut self.key) {
                self.versions = versions;
                return true;
            }
        }
        false
    }
}

impl Source for MemtableSource {
    fn next_scope(&mut self) -> Result<bool, Corruption> {
        while let Some((_, index)) = self.scopes.get(self.scopes_read) {
            self.scopes_read += 1;
            let memtable = &self.frozen.memtable;
            let parts = memtable.parts(*index);
            (self.seqs, self.keys, self.keys_read) = (parts.seqs, parts.keys, 0);
            let has_clears = !parts.clears.is_empty();
            self.clears = parts.clears.into_iter();
            let has_keys = self.advance();
            // The key is read again when it is asked for.
            self.keys_read -= usize::from(has_keys);
            if has_clears || has_keys {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn scope(&self) -> &str {
        &self.scopes[self.scopes_read - 1].0
    }

    fn seqs(&self) -> ScopeSeqs {
        self.seqs
    }

    fn next_clear(&mut self) -> Result<Option<Mark>, Corruption> {
        Ok(self.clears.next())
    }

    fn next_key(&mut self) -> Result<bool, Corruption> {
        Ok(self.advance())
    }

    fn key(&self) -> &str {
        &self.key
    }

    fn next_version(&mut self) -> Result<Option<Version>, Corruption> {
        let version = self.frozen.memtable.descend(&mut self.versions);
        Ok(version.map(|version| Version { seq: version.seq, record: version.record, kind: kind_in_run(version.kind) }))
    }
}
