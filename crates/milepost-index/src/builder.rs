//! [`RunBuilder`]: writes a run, from the first scope to the last and from the first key of each to the last.
//!
//! The blocks of keys go to the file at once; the other sections wait for their turn, each in memory up to a mebibyte
//! and then in a file of its own, and so do the hashes of keys, up to 16. Slots of keys are made 16 at a time. What
//! grows with the run in memory: 13 bytes for a scope. The versions of one scope take 16 bytes each until it ends,
//! unless its changes are given in order ([`crate::Merge`] of runs does).
//!
//! Invariant: the file has a name that does not count until all of it is durable. A builder that is dropped before
//! removes what it wrote; so drop it after an error, and build again from the beginning.
//!
//! Whatever is out of order or out of range is a mistake of the caller, and panics.

mod copy;
mod files;
mod finish;
mod hashes;
mod output;
mod slots;
mod spill;

use std::{mem, path::Path, sync::Arc};

use milepost_io::Disk;

use crate::{
    BuildError, Mark, RunFacts, RunId, ScopeHash, ScopeSeqs, Version,
    format::{
        NAME_BYTES_MAX,
        block::{BlockEncoder, Older},
        front,
        header::{RUN_HEADER_BYTES, RunHeader},
        list::{ListEncoder, Order},
        meta::{Meta, Section},
        scope::{self, ScopeRecord},
        step::Place,
    },
    sort_nearly,
};
use files::Files;
use finish::Stage;
use hashes::Hashes;
use output::Output;
use slots::KeySlots;
use spill::{Spill, check_room};

/// What a run is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunPlan {
    /// Whose run it is: the store's id.
    pub store: [u8; 16],
    /// Its number. A file of that name that is there already is replaced.
    pub id: RunId,
    /// The first commit that it covers.
    pub first_seq: u64,
    /// The last one.
    pub last_seq: u64,
}

/// A run being built.
#[derive(Debug)]
pub struct RunBuilder {
    plan: RunPlan,
    header: [u8; RUN_HEADER_BYTES],
    out: Output,
    parts: Parts,
    block: BlockEncoder,
    /// Room for a block that is copied.
    copied: Vec<u8>,
    older: ListEncoder,
    changes: ListEncoder,
    /// The scope that was begun; its record so far.
    scope: Option<ScopeRecord>,
    scope_hash: ScopeHash,
    scope_name: Vec<u8>,
    /// Versions of the scope, if nobody gives them in order.
    collected: Option<Vec<Version>>,
    last_change: Option<Version>,
    key: Vec<u8>,
    /// Versions of the key that was begun: the newest, and the last one given.
    key_versions: Option<(Version, Version)>,
    is_in_key: bool,
    scope_hashes: Vec<u64>,
    /// Of all keys, to be put into slots when there are no more.
    hashes: Hashes,
    key_slots: Option<KeySlots>,
    meta: Meta,
    stage: Stage,
    /// Last, so that the files are closed before they are removed.
    files: Files,
}

/// The sections that wait for their turn.
#[derive(Debug)]
struct Parts {
    offsets: Spill,
    versions: Spill,
    changes: Spill,
    clears: Spill,
    scopes: Spill,
    names: Spill,
    restarts: Spill,
}

impl RunBuilder {
    /// Begins a run in the directory of runs.
    pub fn begin(disk: Arc<dyn Disk>, dir: &Path, plan: RunPlan) -> Result<RunBuilder, BuildError> {
        assert!(0 < plan.first_seq && plan.first_seq <= plan.last_seq, "a run covers commits");
        let mut files = Files::new(disk, dir, plan.id);
        let mut out = Output::create(&mut files)?;
        let (id, store) = (plan.id.0, plan.store);
        let header = RunHeader { id, store, first_seq: plan.first_seq, last_seq: plan.last_seq }.encode();
        out.put(&header, &files)?;
        let parts = Parts {
            offsets: Spill::new("offsets"),
            versions: Spill::new("versions"),
            changes: Spill::new("changes"),
            clears: Spill::new("clears"),
            scopes: Spill::new("scopes"),
            names: Spill::new("names"),
            restarts: Spill::new("restarts"),
        };
        let mut meta = Meta::default();
        meta.sections.blocks = Section { at: RUN_HEADER_BYTES as u64, bytes: 0 };
        Ok(RunBuilder {
            plan,
            header,
            out,
            parts,
            block: BlockEncoder::default(),
            copied: Vec::new(),
            older: ListEncoder::new(Order::NewestFirst),
            changes: ListEncoder::new(Order::OldestFirst),
            scope: None,
            scope_hash: ScopeHash(0),
            scope_name: Vec::new(),
            collected: None,
            last_change: None,
            key: Vec::new(),
            key_versions: None,
            is_in_key: false,
            scope_hashes: Vec::new(),
            hashes: Hashes::new(),
            key_slots: None,
            meta,
            stage: Stage::Keys,
            files,
        })
    }

    /// Begins a scope, greater than the one before, with the events that cleared it, oldest first.
    pub fn scope(&mut self, name: &str, seqs: ScopeSeqs, clears: &[Mark]) -> Result<(), BuildError> {
        self.begin_scope(name, seqs)?;
        for mark in clears {
            self.clear(*mark)?;
        }
        Ok(())
    }

    /// Adds a key to the scope, greater than the one before, with its versions, newest first; at least one.
    pub fn key(&mut self, key: &str, versions: impl IntoIterator<Item = Version>) -> Result<(), BuildError> {
        self.begin_key(key)?;
        for version in versions {
            self.version(version)?;
        }
        Ok(())
    }

    /// Ends the run and makes it durable.
    pub fn finish(mut self) -> Result<RunFacts, BuildError> {
        loop {
            if let Some(facts) = self.finish_step(u64::MAX)? {
                return Ok(facts);
            }
        }
    }

    /// Begins a scope; its clears, keys and changes follow.
    pub(crate) fn begin_scope(&mut self, name: &str, seqs: ScopeSeqs) -> Result<(), BuildError> {
        self.end_scope()?;
        let name = name.as_bytes();
        assert!((1..=NAME_BYTES_MAX).contains(&name.len()), "a scope's name of {} bytes", name.len());
        assert!(name > &*self.scope_name, "scopes ascend");
        let ordinal = self.meta.scopes;
        let is_restart = (ordinal as usize).is_multiple_of(front::RESTART_NAMES);
        if is_restart {
            let at = self.parts.names.end();
            self.parts.restarts.buffer.extend_from_slice(&at.to_le_bytes());
        }
        let before = if is_restart { None } else { Some(&*self.scope_name) };
        front::put(&mut self.parts.names.buffer, before, name);
        self.scope_name.clear();
        self.scope_name.extend_from_slice(name);
        let text = std::str::from_utf8(name).expect("it came as text");
        self.scope_hash = ScopeHash::of(ScopeHash::seed(&self.plan.store), text);
        self.scope_hashes.push(self.scope_hash.0);
        self.changes.begin(self.parts.changes.end(), Place { seq: self.plan.first_seq, record: 0 });
        self.collected = Some(Vec::new());
        self.last_change = None;
        self.key.clear();
        self.scope = Some(ScopeRecord {
            first_block: self.meta.blocks,
            blocks: 0,
            keys: 0,
            seqs,
            clears_at: self.parts.clears.end(),
            clears: 0,
            changes: 0,
            changes_at: 0,
            kinds: 0,
        });
        Ok(())
    }

    /// An event that cleared the scope, later than the one before.
    pub(crate) fn clear(&mut self, mark: Mark) -> Result<(), BuildError> {
        self.check_seq(mark.seq);
        let record = self.scope.as_mut().expect("a scope was begun");
        record.clears += 1;
        self.meta.clears += 1;
        scope::put_clear(&mut self.parts.clears.buffer, mark);
        self.parts.clears.settle(&mut self.files)
    }

    /// From now on the changes of the scope are given, oldest first, by [`RunBuilder::change`].
    pub(crate) fn expect_changes(&mut self) {
        self.collected = None;
    }

    /// Whether they are.
    pub(crate) fn expects_changes(&self) -> bool {
        self.collected.is_none()
    }

    /// The next change of the scope; equal ones count once.
    pub(crate) fn change(&mut self, version: Version) -> Result<(), BuildError> {
        if self.last_change == Some(version) {
            return Ok(());
        }
        assert!(self.last_change.is_none_or(|last| Order::OldestFirst.follows(last, version)), "changes ascend");
        self.last_change = Some(version);
        let part = &mut self.parts.changes;
        let at = part.end();
        self.changes.push(&mut part.buffer, at, version);
        part.settle(&mut self.files)
    }

    /// Begins a key; its versions follow.
    pub(crate) fn begin_key(&mut self, key: &str) -> Result<(), BuildError> {
        self.end_key()?;
        let key_bytes = key.as_bytes();
        assert!((1..=NAME_BYTES_MAX).contains(&key.len()), "a key of {} bytes", key.len());
        assert!(key_bytes > &*self.key, "keys ascend");
        assert!(self.scope.is_some(), "a scope was begun");
        self.key.clear();
        self.key.extend_from_slice(key_bytes);
        self.hashes.push(self.scope_hash.key(key).0);
        self.is_in_key = true;
        Ok(())
    }

    /// The next older version of the key; equal ones count once.
    pub(crate) fn version(&mut self, version: Version) -> Result<(), BuildError> {
        assert!(self.is_in_key, "a version belongs to a key");
        self.check_seq(version.seq);
        match &mut self.key_versions {
            none @ None => {
                *none = Some((version, version));
                self.older.begin(self.parts.versions.end(), Place::of(version));
            }
            Some((_, last)) if *last == version => return Ok(()),
            Some((_, last)) => {
                assert!(Order::NewestFirst.follows(*last, version), "versions descend");
                *last = version;
                let part = &mut self.parts.versions;
                let at = part.end();
                self.older.push(&mut part.buffer, at, version);
                part.settle(&mut self.files)?;
            }
        }
        self.meta.versions += 1;
        self.scope.as_mut().expect("a key has a scope").kinds |= 1 << version.kind;
        if let Some(collected) = &mut self.collected {
            collected.push(version);
        }
        Ok(())
    }

    fn check_seq(&self, seq: u64) {
        let range = self.plan.first_seq..=self.plan.last_seq;
        assert!(range.contains(&seq), "seq {seq} in a run of {range:?}");
    }

    fn end_key(&mut self) -> Result<(), BuildError> {
        if !mem::take(&mut self.is_in_key) {
            return Ok(());
        }
        let (newest, _) = self.key_versions.take().expect("a key has a version");
        let count = self.older.count();
        let part = &mut self.parts.versions;
        let older = if count == 0 {
            None
        } else {
            let end = part.end();
            Some(Older { count, at: self.older.finish(&mut part.buffer, end) })
        };
        part.settle(&mut self.files)?;
        if self.block.is_full() {
            self.cut_block()?;
        }
        self.block.push(&self.key, newest, older);
        self.scope.as_mut().expect("a key has a scope").keys += 1;
        self.meta.keys += 1;
        Ok(())
    }

    /// Writes a block of the first keys that wait.
    fn cut_block(&mut self) -> Result<(), BuildError> {
        let mut block = mem::take(&mut self.block);
        let (keys, bytes) = block.cut(self.meta.scopes);
        let put = self.put_block(bytes, keys);
        self.block = block;
        put
    }

    /// Writes a block of so many keys.
    fn put_block(&mut self, bytes: &[u8], keys: usize) -> Result<(), BuildError> {
        let section = &mut self.meta.sections.blocks;
        let at = u32::try_from(section.bytes).expect("checked when the block before was written");
        self.parts.offsets.buffer.extend_from_slice(&at.to_le_bytes());
        self.parts.offsets.settle(&mut self.files)?;
        section.bytes += bytes.len() as u64;
        check_room("blocks", section.bytes)?;
        // Told now, not when all keys are there.
        check_room("slots", self.meta.key_shape().bytes())?;
        self.out.put(bytes, &self.files)?;
        self.hashes.are_in(u64::from(self.meta.blocks), keys, &mut self.files)?;
        self.scope.as_mut().expect("a key has a scope").blocks += 1;
        self.meta.blocks += 1;
        Ok(())
    }

    fn end_scope(&mut self) -> Result<(), BuildError> {
        self.end_key()?;
        while !self.block.is_empty() {
            self.cut_block()?;
        }
        let Some(mut record) = self.scope.take() else {
            return Ok(());
        };
        if let Some(mut collected) = self.collected.take() {
            sort_nearly(&mut collected, Version::number);
            for version in collected {
                self.change(version)?;
            }
        }
        let part = &mut self.parts.changes;
        record.changes = self.changes.count();
        let end = part.end();
        record.changes_at = self.changes.finish(&mut part.buffer, end);
        self.parts.scopes.buffer.extend_from_slice(&record.encode());
        self.meta.scopes += 1;
        let parts = &mut self.parts;
        for part in [&mut parts.changes, &mut parts.scopes, &mut parts.names, &mut parts.restarts] {
            part.settle(&mut self.files)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
