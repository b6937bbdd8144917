//! [`Shard`]: a part of the keys, by hash, with the versions of each.
//!
//! Invariant: the versions of a key stand in order of (`Seq`, place in the commit), so that a read as of any point is a
//! binary search. Entries are only added; an index stays that of its key for good.

use std::sync::Arc;

use hashbrown::HashTable;

use super::ScopeState;

/// What a version says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A value.
    Set,
    /// A value with an expiry, to be read from its record.
    Expiring,
    /// No value any more.
    Delete,
    /// An idempotency key or a fence, said by the commit itself.
    Claim,
}

/// The address of a version: the commit, and where in its body the event's record begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Version {
    pub(crate) seq: u64,
    pub(crate) record: u32,
    pub(crate) kind: Kind,
}

/// The versions of one key, oldest first. Most keys have one: it takes no allocation.
#[derive(Debug)]
pub(crate) enum Versions {
    One(Version),
    Many(Vec<Version>),
}

impl Versions {
    pub(crate) fn all(&self) -> &[Version] {
        match self {
            Versions::One(version) => std::slice::from_ref(version),
            Versions::Many(versions) => versions,
        }
    }

    /// The newest version at or below `seq`.
    #[inline]
    pub(crate) fn as_of(&self, seq: u64) -> Option<Version> {
        let all = self.all();
        match all.last() {
            Some(last) if last.seq <= seq => Some(*last),
            _ => all[..all.partition_point(|version| version.seq <= seq)].last().copied(),
        }
    }

    fn push(&mut self, version: Version) {
        match self {
            Versions::One(first) => *self = Versions::Many(vec![*first, version]),
            Versions::Many(versions) => versions.push(version),
        }
    }

    fn cut(&mut self, last: u64) {
        match self {
            Versions::One(version) if version.seq > last => *self = Versions::Many(Vec::new()),
            Versions::One(_) => {}
            Versions::Many(versions) => versions.truncate(versions.partition_point(|version| version.seq <= last)),
        }
    }
}

/// A key and its versions.
#[derive(Debug)]
pub(crate) struct KeyEntry {
    hash: u64,
    pub(crate) scope: Arc<ScopeState>,
    name_start: u32,
    name_bytes: u16,
    pub(crate) versions: Versions,
}

/// A part of the keys.
#[derive(Debug, Default)]
pub(crate) struct Shard {
    table: HashTable<u32>,
    entries: Vec<KeyEntry>,
    /// The bytes of all keys, one after the other.
    names: Vec<u8>,
}

impl Shard {
    #[inline]
    pub(crate) fn find(&self, hash: u64, scope: &str, key: &str) -> Option<&KeyEntry> {
        let index = self.table.find(hash, |index| self.is(*index, hash, scope, key))?;
        Some(&self.entries[*index as usize])
    }

    pub(crate) fn entry(&self, index: u32) -> &KeyEntry {
        &self.entries[index as usize]
    }

    pub(crate) fn key_of(&self, index: u32) -> Box<str> {
        let name = self.name(&self.entries[index as usize]);
        std::str::from_utf8(name).expect("copied from a str").into()
    }

    /// Adds a version; the index of the entry if the key is new.
    pub(crate) fn put(&mut self, hash: u64, scope: &Arc<ScopeState>, key: &str, version: Version) -> Option<u32> {
        if let Some(&index) = self.table.find(hash, |index| self.is(*index, hash, &scope.name, key)) {
            self.entries[index as usize].versions.push(version);
            return None;
        }
        let index = u32::try_from(self.entries.len()).expect("memory ends before 2^32 keys of one shard");
        let name_start = u32::try_from(self.names.len()).expect("memory ends before 4 GiB of names in each shard");
        self.names.extend_from_slice(key.as_bytes());
        let name_bytes = key.len() as u16;
        let versions = Versions::One(version);
        self.entries.push(KeyEntry { hash, scope: Arc::clone(scope), name_start, name_bytes, versions });
        let entries = &self.entries;
        self.table.insert_unique(hash, index, |index| entries[*index as usize].hash);
        Some(index)
    }

    /// Takes the versions above `last` out.
    pub(crate) fn cut(&mut self, hash: u64, scope: &str, key: &str, last: u64) {
        if let Some(&index) = self.table.find(hash, |index| self.is(*index, hash, scope, key)) {
            self.entries[index as usize].versions.cut(last);
        }
    }

    /// Keys, versions, and about how many bytes they take.
    pub(crate) fn sizes(&self) -> (u64, u64, u64) {
        let versions: usize = self.entries.iter().map(|entry| entry.versions.all().len()).sum();
        let many: usize = self
            .entries
            .iter()
            .map(|entry| match &entry.versions {
                Versions::One(_) => 0,
                Versions::Many(versions) => versions.capacity() * size_of::<Version>(),
            })
            .sum();
        let bytes = self.table.allocation_size()
            + self.entries.capacity() * size_of::<KeyEntry>()
            + self.names.capacity()
            + many;
        (self.entries.len() as u64, versions as u64, bytes as u64)
    }

    #[inline]
    fn is(&self, index: u32, hash: u64, scope: &str, key: &str) -> bool {
        let entry = &self.entries[index as usize];
        entry.hash == hash && self.name(entry) == key.as_bytes() && &*entry.scope.name == scope
    }

    #[inline]
    fn name(&self, entry: &KeyEntry) -> &[u8] {
        &self.names[entry.name_start as usize..entry.name_start as usize + usize::from(entry.name_bytes)]
    }
}
