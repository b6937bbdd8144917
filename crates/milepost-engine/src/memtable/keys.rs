//! [`Keys`]: every key with the versions of each, found by hash.
//!
//! Entries stand in one list that only grows, so that new ones are written side by side and never moved; the tables,
//! split into shards by hash, hold their numbers. (With a list and the names in each shard, every new key touched a
//! handful of cold pages: 0.5 µs instead of 0.2.)
//!
//! Invariant: the versions of a key stand in order of (`Seq`, place in the commit), so that a read as of any point is a
//! binary search. An entry's number stays that of its key for good.

use std::sync::Arc;

use crossbeam::utils::CachePadded;
use hashbrown::HashTable;
use parking_lot::RwLock;

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
    pub(crate) key: Arc<str>,
    /// Held for one look-up or one push.
    pub(crate) versions: RwLock<Versions>,
}

impl KeyEntry {
    #[inline]
    fn is(&self, hash: u64, scope: &str, key: &str) -> bool {
        self.hash == hash && &*self.key == key && &*self.scope.name == scope
    }
}

/// Which entry: its number.
pub(crate) type KeyIndex = u32;

const SHARDS: usize = 256;
/// The bits of a hash that choose its shard: none that the table in it uses for the place (the lowest) or for the tag
/// by which it tells entries apart at a glance (the highest seven). By the highest, all entries of a shard had the
/// same tag, and every look-up compared them all.
const SHARD_SHIFT: u32 = 44;
const _: () = assert!(SHARDS.is_power_of_two() && SHARDS.ilog2() + SHARD_SHIFT <= 57);

/// Every key.
#[derive(Debug)]
pub(crate) struct Keys {
    entries: boxcar::Vec<KeyEntry>,
    /// Numbers of entries, by hash. Locked for one look-up or one insertion.
    shards: Box<[CachePadded<RwLock<HashTable<KeyIndex>>>]>,
}

impl Keys {
    pub(crate) fn new() -> Keys {
        let shards = (0..SHARDS).map(|_| CachePadded::default()).collect();
        Keys { entries: boxcar::Vec::new(), shards }
    }

    #[inline]
    pub(crate) fn find(&self, hash: u64, scope: &str, key: &str) -> Option<&KeyEntry> {
        let shard = self.shard(hash).read();
        let index = shard.find(hash, |index| self.entry(*index).is(hash, scope, key))?;
        Some(self.entry(*index))
    }

    #[inline]
    pub(crate) fn entry(&self, index: KeyIndex) -> &KeyEntry {
        self.entries.get(index as usize).expect("an index is given out once its entry is there")
    }

    /// Adds a version; the entry's number if the key is new. Only the inserting thread calls it.
    pub(crate) fn put(&self, hash: u64, scope: &Arc<ScopeState>, key: &str, version: Version) -> Option<KeyIndex> {
        let mut shard = self.shard(hash).write();
        let found = shard.find(hash, |index| self.entry(*index).is(hash, &scope.name, key)).copied();
        if let Some(index) = found {
            self.entry(index).versions.write().push(version);
            return None;
        }
        let versions = RwLock::new(Versions::One(version));
        let index = self.entries.push(KeyEntry { hash, scope: Arc::clone(scope), key: key.into(), versions });
        let index = KeyIndex::try_from(index).expect("memory ends before 2^32 keys");
        shard.insert_unique(hash, index, |index| self.entry(*index).hash);
        Some(index)
    }

    /// Takes the versions of a key above `last` out.
    pub(crate) fn cut(&self, hash: u64, scope: &str, key: &str, last: u64) {
        if let Some(entry) = self.find(hash, scope, key) {
            entry.versions.write().cut(last);
        }
    }

    /// Keys, versions, and about how many bytes they take.
    pub(crate) fn sizes(&self) -> (u64, u64, u64) {
        let (mut keys, mut versions, mut bytes) = (0, 0, 0);
        for (_, entry) in &self.entries {
            let list = entry.versions.read();
            keys += 1;
            versions += list.all().len();
            bytes += size_of::<KeyEntry>() + entry.key.len();
            if let Versions::Many(list) = &*list {
                bytes += list.capacity() * size_of::<Version>();
            }
        }
        bytes += self.shards.iter().map(|shard| shard.read().allocation_size()).sum::<usize>();
        (keys, versions as u64, bytes as u64)
    }

    #[inline]
    fn shard(&self, hash: u64) -> &RwLock<HashTable<KeyIndex>> {
        &self.shards[(hash >> SHARD_SHIFT) as usize & (SHARDS - 1)]
    }
}
