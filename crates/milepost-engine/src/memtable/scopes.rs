//! [`ScopeTable`]: the scopes by name; [`ScopeState`]: what is known of one.
//!
//! Invariant: a clear is one mark in its scope, whatever it clears; a key is live if its version stands after the last
//! mark. The order of a scope's keys is made when it is first asked for, and then kept up as keys come.

use std::{
    collections::BTreeMap,
    ops::Bound,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use milepost_types::Seq;
use parking_lot::{Mutex, RwLock};

use super::{Version, keys::KeyIndex};

/// Where a clear stands: the commit, and the place of its record in the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) seq: u64,
    pub(crate) record: u32,
}

/// A key in its place in the order of its scope.
#[derive(Clone, Debug)]
pub(crate) struct SortedKey {
    pub(crate) key: Arc<str>,
    pub(crate) index: KeyIndex,
}

/// What is known of a scope.
#[derive(Debug)]
pub(crate) struct ScopeState {
    pub(crate) name: Box<str>,
    /// The last commit that touched the scope. Written by the inserting thread only.
    touched: AtomicU64,
    /// The last commit that set a key. Written by the inserting thread only.
    pub(super) last_set: AtomicU64,
    /// The last commit that cleared the scope, 0 for none: saves readers the lock below.
    last_clear: AtomicU64,
    /// All clears, oldest first.
    clears: RwLock<Vec<Mark>>,
    members: Mutex<Members>,
}

#[derive(Debug, Default)]
struct Members {
    sorted: Arc<Vec<SortedKey>>,
    /// Keys that came since the order was last made.
    unsorted: Vec<KeyIndex>,
}

impl ScopeState {
    fn new(name: &str) -> ScopeState {
        ScopeState {
            name: name.into(),
            touched: AtomicU64::new(0),
            last_set: AtomicU64::new(0),
            last_clear: AtomicU64::new(0),
            clears: RwLock::default(),
            members: Mutex::default(),
        }
    }

    pub(crate) fn touched(&self) -> Seq {
        Seq(self.touched.load(Ordering::Acquire))
    }

    /// Whether nothing was set since the scope was last cleared: then no key of it is live.
    pub(crate) fn is_surely_empty(&self) -> bool {
        self.last_set.load(Ordering::Acquire) < self.last_clear.load(Ordering::Acquire)
    }

    pub(crate) fn marks(&self) -> Vec<Mark> {
        self.clears.read().clone()
    }

    pub(super) fn touch(&self, seq: Seq) {
        self.touched.store(seq.0, Ordering::Release);
    }

    pub(super) fn clear(&self, mark: Mark) {
        self.clears.write().push(mark);
        self.last_clear.store(mark.seq, Ordering::Release);
    }

    pub(super) fn forget(&self, last: Seq) {
        let mut clears = self.clears.write();
        let keep = clears.partition_point(|mark| mark.seq <= last.0);
        clears.truncate(keep);
        self.last_clear.store(clears.last().map_or(0, |mark| mark.seq), Ordering::Release);
    }

    pub(super) fn rewind(&self, touched: Seq, last_set: u64) {
        self.touched.store(touched.0, Ordering::Release);
        self.last_set.store(last_set, Ordering::Release);
    }

    /// Whether a clear at or below `seq` stands after the version.
    #[inline]
    pub(super) fn cleared_after(&self, version: &Version, seq: Seq) -> bool {
        if self.last_clear.load(Ordering::Acquire) < version.seq {
            return false;
        }
        let clears = self.clears.read();
        match clears[..clears.partition_point(|mark| mark.seq <= seq.0)].last() {
            Some(mark) => (mark.seq, mark.record) > (version.seq, version.record),
            None => false,
        }
    }

    pub(super) fn add_member(&self, index: KeyIndex) {
        self.members.lock().unsorted.push(index);
    }

    pub(super) fn sorted(&self, key_of: impl Fn(KeyIndex) -> Arc<str>) -> Arc<Vec<SortedKey>> {
        let mut members = self.members.lock();
        if !members.unsorted.is_empty() {
            let unsorted = std::mem::take(&mut members.unsorted);
            let mut fresh: Vec<SortedKey> =
                unsorted.into_iter().map(|index| SortedKey { key: key_of(index), index }).collect();
            fresh.sort_unstable_by(|a, b| a.key.cmp(&b.key));
            let old = std::mem::take(&mut members.sorted);
            members.sorted = Arc::new(merge(&old, fresh));
        }
        Arc::clone(&members.sorted)
    }
}

fn merge(old: &[SortedKey], fresh: Vec<SortedKey>) -> Vec<SortedKey> {
    let mut merged = Vec::with_capacity(old.len() + fresh.len());
    let mut rest = old;
    for key in fresh {
        let before = rest.partition_point(|other| other.key < key.key);
        merged.extend_from_slice(&rest[..before]);
        rest = &rest[before..];
        merged.push(key);
    }
    merged.extend_from_slice(rest);
    merged
}

/// The scopes by name.
#[derive(Debug, Default)]
pub(crate) struct ScopeTable {
    by_name: RwLock<BTreeMap<Box<str>, Arc<ScopeState>>>,
}

impl ScopeTable {
    pub(super) fn get(&self, name: &str) -> Option<Arc<ScopeState>> {
        self.by_name.read().get(name).map(Arc::clone)
    }

    pub(super) fn get_or_insert(&self, name: &str) -> Arc<ScopeState> {
        if let Some(found) = self.get(name) {
            return found;
        }
        let state = Arc::new(ScopeState::new(name));
        self.by_name.write().insert(name.into(), Arc::clone(&state));
        state
    }

    /// The scopes at and below a prefix, by whole segments, in order of their names.
    pub(super) fn below(&self, prefix: &str) -> Vec<Arc<ScopeState>> {
        let by_name = self.by_name.read();
        if prefix.is_empty() {
            return by_name.values().map(Arc::clone).collect();
        }
        let from = (Bound::Included(prefix), Bound::Unbounded);
        by_name
            .range::<str, _>(from)
            .take_while(|(name, _)| name.starts_with(prefix))
            .filter(|(name, _)| matches!(name.as_bytes().get(prefix.len()), None | Some(b'/')))
            .map(|(_, state)| Arc::clone(state))
            .collect()
    }

    pub(super) fn count(&self) -> u64 {
        self.by_name.read().len() as u64
    }
}
