//! [`Scopes`]: the scopes by name; [`ScopeState`]: what is known of one.
//!
//! Invariant: a clear is one mark, whatever it clears: in its scope, or, of a prefix, under the prefix with a slash
//! behind it, which is no scope's name. A key is live if its version stands after the last mark that meets it. Orders
//! of scopes and of keys are made when they are first asked for, and then kept up as new ones come.

use std::{
    borrow::Cow,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
};

use milepost_types::{Seq, scope::is_reserved};
use parking_lot::{Mutex, RwLock};

use super::{
    Version,
    keys::{KeyEntry, KeyIndex, Keys},
    slots::Slots,
};

/// Where a clear stands: the commit, and the place of its record in the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Mark {
    pub(crate) seq: u64,
    pub(crate) record: u32,
}

impl Mark {
    /// Whether what it clears held the version.
    pub(crate) fn stands_after(&self, version: &Version) -> bool {
        (self.seq, self.record) > (version.seq, version.record)
    }
}

/// A key in its place in the order of its scope.
#[derive(Clone, Debug)]
pub(crate) struct SortedKey {
    pub(crate) key: Box<str>,
    pub(crate) index: KeyIndex,
}

/// Which scope: its number, from 1 in the order in which they came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ScopeIndex(pub(super) u32);

/// What is known of a scope.
#[derive(Debug)]
pub(crate) struct ScopeState {
    pub(crate) name: Arc<str>,
    pub(super) index: ScopeIndex,
    /// Hash of the name: the seed of its keys' hashes.
    pub(super) hash: u64,
    /// The last commit that touched the scope. Written by the inserting thread only.
    touched: AtomicU64,
    /// The last commit that set a key. Written by the inserting thread only.
    last_set: AtomicU64,
    /// Whether a value with an expiry was ever set, be it by a commit that failed. Written by the inserting thread
    /// only.
    may_expire: AtomicBool,
    /// The last commit that cleared the scope, 0 for none: saves readers the lock below.
    last_clear: AtomicU64,
    /// All clears, oldest first.
    clears: RwLock<Vec<Mark>>,
    /// The key that came last, from which the others are reached; 0 for none. Written by the inserting thread only.
    pub(super) newest_key: AtomicU32,
    members: Mutex<Members>,
}

#[derive(Debug, Default)]
struct Members {
    sorted: Arc<Vec<SortedKey>>,
    /// The key that had come last when the order was made.
    newest: Option<KeyIndex>,
}

impl ScopeState {
    fn new(name: &str, hash: u64, index: ScopeIndex) -> ScopeState {
        ScopeState {
            name: name.into(),
            index,
            hash,
            touched: AtomicU64::new(0),
            last_set: AtomicU64::new(0),
            may_expire: AtomicBool::new(false),
            last_clear: AtomicU64::new(0),
            clears: RwLock::default(),
            newest_key: AtomicU32::new(0),
            members: Mutex::default(),
        }
    }

    pub(super) fn touched(&self) -> u64 {
        self.touched.load(Ordering::Acquire)
    }

    /// The last commit that set a key.
    pub(super) fn last_set(&self) -> u64 {
        self.last_set.load(Ordering::Acquire)
    }

    pub(super) fn marks(&self) -> Vec<Mark> {
        self.clears.read().clone()
    }

    pub(super) fn touch(&self, seq: Seq) {
        self.touched.store(seq.0, Ordering::Release);
    }

    pub(super) fn set(&self, seq: Seq) {
        self.last_set.store(seq.0, Ordering::Release);
    }

    /// A value with an expiry comes.
    pub(super) fn expires(&self) {
        // Pairs with the load in `may_expire`: who may see the value sees that it may expire.
        self.may_expire.store(true, Ordering::Release);
    }

    pub(super) fn may_expire(&self) -> bool {
        self.may_expire.load(Ordering::Acquire)
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

    pub(super) fn rewind(&self, touched: u64, last_set: u64) {
        self.touched.store(touched, Ordering::Release);
        self.last_set.store(last_set, Ordering::Release);
    }

    /// The last clear at or below `seq`, if one may stand after a version at `version_seq`.
    #[inline]
    pub(super) fn last_clear(&self, version_seq: u64, seq: Seq) -> Option<Mark> {
        let last = self.last_clear.load(Ordering::Acquire);
        if last == 0 || last < version_seq {
            return None;
        }
        let clears = self.clears.read();
        clears[..clears.partition_point(|mark| mark.seq <= seq.0)].last().copied()
    }

    /// The scope's keys in order.
    pub(super) fn sorted(&self, keys: &Keys) -> Arc<Vec<SortedKey>> {
        let mut members = self.members.lock();
        // Under the lock: with one that came before those that are known, all would be taken for new.
        let newest = keys.newest(&self.newest_key);
        let known = members.newest;
        let came = std::iter::successors(newest, KeyEntry::before).take_while(|entry| Some(entry.index()) != known);
        let mut fresh: Vec<SortedKey> =
            came.map(|entry| SortedKey { key: entry.key(), index: entry.index() }).collect();
        if !fresh.is_empty() {
            sort(&mut fresh);
            let old = std::mem::take(&mut members.sorted);
            members.sorted = Arc::new(merged(&old, fresh, |a, b| a.key <= b.key));
            members.newest = newest.map(|entry| entry.index());
        }
        Arc::clone(&members.sorted)
    }
}

/// Sorts keys by what they have behind the beginning that all of them share: a look at a number of each tells most
/// apart, where a comparison of texts would wait for the memory of both.
fn sort(keys: &mut [SortedKey]) {
    let Some((first, rest)) = keys.split_first() else { return };
    let first = first.key.as_bytes();
    let shared_with_first = |most: usize, other: &SortedKey| {
        first[..most].iter().zip(other.key.as_bytes()).take_while(|(a, b)| a == b).count()
    };
    let shared = rest.iter().fold(first.len(), shared_with_first);
    keys.sort_by_cached_key(|listed| {
        let mut begin = [0; size_of::<u128>()];
        let rest = &listed.key.as_bytes()[shared..];
        let length = rest.len().min(begin.len());
        begin[..length].copy_from_slice(&rest[..length]);
        u128::from_be_bytes(begin)
    });
    // Those of one number, which are few, or longer than it.
    let same = |a: &SortedKey, b: &SortedKey| a.key <= b.key;
    if !keys.is_sorted_by(same) {
        keys.sort_by(|a, b| a.key.cmp(&b.key));
    }
}

/// Two lists in order, as one.
fn merged<T: Clone>(old: &[T], fresh: Vec<T>, in_order: impl Fn(&T, &T) -> bool) -> Vec<T> {
    let mut merged = Vec::with_capacity(old.len() + fresh.len());
    let mut rest = old;
    for item in fresh {
        let before = rest.partition_point(|other| in_order(other, &item));
        merged.extend_from_slice(&rest[..before]);
        rest = &rest[before..];
        merged.push(item);
    }
    merged.extend_from_slice(rest);
    merged
}

/// A scope's name, in its place in the order of names.
pub(crate) type SortedScope = (Arc<str>, ScopeIndex);

/// The scopes by name.
#[derive(Debug)]
pub(crate) struct Scopes {
    states: boxcar::Vec<ScopeState>,
    slots: Slots<1>,
    /// How many prefixes were ever cleared. Written by the inserting thread only.
    prefixes: AtomicU32,
    /// In order of their names, those that were there when the order was last asked for.
    sorted: Mutex<Arc<Vec<SortedScope>>>,
}

impl Scopes {
    pub(super) fn new() -> Scopes {
        Scopes {
            states: boxcar::Vec::new(),
            slots: Slots::new(),
            prefixes: AtomicU32::new(0),
            sorted: Mutex::default(),
        }
    }

    #[inline]
    pub(super) fn find(&self, hash: u64, name: &str) -> Option<&ScopeState> {
        let slot = self.slots.find(hash, |number, _| &*self.at(ScopeIndex(number)).name == name)?;
        Some(self.at(ScopeIndex(slot[0].load(Ordering::Relaxed) as u32)))
    }

    /// Finds a scope, or adds it. Only the inserting thread calls it.
    pub(super) fn find_or_add(&self, hash: u64, name: &str) -> &ScopeState {
        if let Some(found) = self.find(hash, name) {
            return found;
        }
        let number = u32::try_from(self.states.count() + 1).expect("memory ends before 2^32 scopes");
        self.states.push(ScopeState::new(name, hash, ScopeIndex(number)));
        self.slots.insert(hash, number, &[]);
        if is_prefix(name) {
            self.prefixes.store(self.prefixes.load(Ordering::Relaxed) + 1, Ordering::Release);
        }
        self.at(ScopeIndex(number))
    }

    #[inline]
    pub(super) fn at(&self, index: ScopeIndex) -> &ScopeState {
        self.states.get(index.0 as usize - 1).expect("an index is given out once its scope is there")
    }

    /// Whether no prefix was ever cleared.
    #[inline]
    pub(super) fn have_no_prefix(&self) -> bool {
        self.prefixes.load(Ordering::Acquire) == 0
    }

    /// All scopes, and cleared prefixes, in order of their names.
    pub(super) fn sorted(&self) -> Arc<Vec<SortedScope>> {
        let mut sorted = self.sorted.lock();
        let count = self.states.count();
        if sorted.len() < count {
            let came = (sorted.len() + 1..=count).map(|number| ScopeIndex(number as u32));
            let mut fresh: Vec<_> = came.map(|index| (Arc::clone(&self.at(index).name), index)).collect();
            fresh.sort_unstable_by(|a, b| a.0.cmp(&b.0));
            *sorted = Arc::new(merged(&sorted, fresh, |a, b| a.0 <= b.0));
        }
        Arc::clone(&sorted)
    }

    pub(super) fn count(&self) -> u64 {
        self.slots.count() - u64::from(self.prefixes.load(Ordering::Relaxed))
    }

    /// About how many bytes they take.
    pub(super) fn bytes(&self) -> u64 {
        self.states.count() as u64 * (size_of::<ScopeState>() as u64 + 64) + self.slots.bytes()
    }
}

/// The names of the prefixes that a scope lies at or below: what a clear of one is kept under.
pub(crate) fn prefix_names(scope: &str) -> impl Iterator<Item = Cow<'_, str>> {
    let slashes = scope.match_indices('/').map(|(at, _)| Cow::Borrowed(&scope[..=at]));
    // What the store keeps for itself is out of reach of the root's.
    let root = (!is_reserved(scope)).then_some(Cow::Borrowed("/"));
    let itself = std::iter::once_with(move || Cow::Owned(format!("{scope}/")));
    root.into_iter().chain(slashes).chain(itself)
}

/// Whether the name stands for a prefix and all below it.
pub(crate) fn is_prefix(name: &str) -> bool {
    name.ends_with('/')
}
