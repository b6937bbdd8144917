//! [`Memtable`]: the versions of every key, in memory. Values stay in the log; a version is the address of one.
//!
//! Invariant: one thread inserts (the leader, or whoever replays the log), many read. A version that is not durable yet
//! may stand here already: readers ask with the highest `Seq` they may see, so it does not exist for them. What a
//! failed write leaves behind is taken out again with [`Memtable::forget`] before its `Seq` is given to another commit.
//!
//! Knows nothing of files. Look-ups take no lock; orders and clears take one for a few instructions, never across IO.

mod arena;
mod insert;
mod keys;
mod scopes;
mod slots;

use std::{
    borrow::Cow,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use foldhash::fast::FixedState;
use milepost_types::{
    EventRef, Seq,
    body::{Body, BodyError},
    scope::is_reserved,
};

pub(crate) use insert::Inserter;
use keys::{KeyEntry, Keys};
pub(crate) use keys::{Kind, Version};
pub(crate) use scopes::{Mark, SortedKey, SortedScope, is_prefix};
use scopes::{ScopeState, Scopes};

/// Where the engine keeps idempotency keys: key → the commit that used it first.
pub(crate) const IDEMPOTENCY: &str = "$/idempotency";
/// Where the engine keeps fences: scope → the commits that claimed it.
pub(crate) const FENCE: &str = "$/fence";

/// Where the engine keeps forks: the scope that began → the event.
pub(crate) const FORK: &str = "$/fork";
/// Where the engine keeps checkpoints, each scope's under its own name.
pub(crate) const CHECKPOINT: &str = "$/checkpoint";

/// Where the engine keeps the checkpoints of a scope: name → the events that gave it and let it go.
pub(crate) fn checkpoints_of(scope: &str) -> String {
    format!("{CHECKPOINT}/{scope}")
}

/// The versions of every key.
#[derive(Debug)]
pub(crate) struct Memtable {
    keys: Keys,
    scopes: Scopes,
    /// Whether a fork was ever inserted. Set by the inserting thread, before the fork.
    has_forks: AtomicBool,
}

/// Sizes, for `stats`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sizes {
    pub(crate) scopes: u64,
    pub(crate) keys: u64,
    pub(crate) versions: u64,
    pub(crate) bytes: u64,
}

impl Memtable {
    pub(crate) fn new() -> Memtable {
        Memtable { keys: Keys::new(), scopes: Scopes::new(), has_forks: AtomicBool::new(false) }
    }

    /// Folds the events of the commit at `seq` in.
    pub(crate) fn insert(&self, seq: Seq, body: &Body<'_>) -> Result<(), BodyError> {
        self.inserter().insert(seq, body)
    }

    /// For folding many commits in a row. One at a time, held by the one who inserts.
    pub(crate) fn inserter(&self) -> Inserter<'_> {
        Inserter::new(self)
    }

    /// Takes everything above `last` out that the commit with this body put in.
    pub(crate) fn forget(&self, last: Seq, body: &Body<'_>) -> Result<(), BodyError> {
        let mut touched: Vec<&str> = Vec::new();
        let mut events = body.events();
        while let Some(found) = events.next()? {
            let scope = match found.event {
                EventRef::Set { scope, key, .. } | EventRef::Delete { scope, key } => {
                    self.cut(scope, key, last);
                    scope
                }
                EventRef::Clear { scope } => scope,
                EventRef::ClearPrefix { prefix } => {
                    self.scope(&format!("{prefix}/")).into_iter().for_each(|state| state.forget(last));
                    continue;
                }
                EventRef::Checkpoint { scope, name, .. } | EventRef::Release { scope, name } => {
                    self.cut(&checkpoints_of(scope), name, last);
                    continue;
                }
                EventRef::Fork { scope, .. } => {
                    self.cut(FORK, scope, last);
                    continue;
                }
            };
            if let Some(state) = self.scope(scope)
                && !touched.contains(&&*state.name)
            {
                touched.push(&state.name);
            }
        }
        let meta = body.meta()?;
        if let Some(key) = &meta.idempotency_key {
            self.cut(IDEMPOTENCY, key, last);
        }
        meta.fences.iter().for_each(|fence| self.cut(FENCE, fence.scope.as_str(), last));
        touched.into_iter().filter_map(|scope| self.scope(scope)).for_each(|state| self.rewind(state, last));
        Ok(())
    }

    /// The version that a read as of `seq` meets: the newest at or below it, unless that is a delete or was cleared.
    /// Whether it has expired is for the caller to see.
    #[inline]
    pub(crate) fn find(&self, scope: &str, key: &str, seq: Seq) -> Option<Version> {
        let state = self.scope(scope)?;
        self.seen(state, self.entry(state, key)?, seq)
    }

    /// The newest version at or below `seq`, whether or not it was deleted or cleared.
    pub(crate) fn newest(&self, scope: &str, key: &str, seq: Seq) -> Option<Version> {
        self.entry(self.scope(scope)?, key)?.as_of(seq.0)
    }

    /// Whether a fork was ever inserted.
    #[inline]
    pub(crate) fn has_forks(&self) -> bool {
        // Pairs with the store in `Inserter::insert`: who may see the fork sees the flag.
        self.has_forks.load(Ordering::Acquire)
    }

    /// Every version of a key, oldest first.
    pub(crate) fn versions(&self, scope: &str, key: &str) -> Vec<Version> {
        let entry = self.scope(scope).and_then(|state| self.entry(state, key));
        entry.map(|entry| entry.versions()).unwrap_or_default()
    }

    #[inline]
    pub(crate) fn scope(&self, scope: &str) -> Option<&ScopeState> {
        self.scopes.find(hash_scope(scope), scope)
    }

    /// All scopes, and cleared prefixes, in order of their names.
    pub(crate) fn sorted_scopes(&self) -> Arc<Vec<SortedScope>> {
        self.scopes.sorted()
    }

    /// The keys that a scope ever had, in order.
    pub(crate) fn sorted(&self, state: &ScopeState) -> Arc<Vec<SortedKey>> {
        state.sorted(self.keys.newest(&state.newest_key))
    }

    /// The newest version at or below `seq` of a listed key, without another look-up by name.
    pub(crate) fn as_of(&self, key: &SortedKey, seq: Seq) -> Option<Version> {
        self.keys.entry(key.index).as_of(seq.0)
    }

    /// Every version of a listed key, oldest first.
    pub(crate) fn versions_listed(&self, key: &SortedKey) -> Vec<Version> {
        self.keys.entry(key.index).versions()
    }

    /// Every clear that meets the scope, oldest first.
    pub(crate) fn marks(&self, scope: &str) -> Vec<Mark> {
        let mut marks = self.scope(scope).map(ScopeState::marks).unwrap_or_default();
        for prefix in self.prefixes_of(scope) {
            marks.extend(prefix.marks());
        }
        marks.sort_unstable();
        marks
    }

    /// The last clear at or below `seq` that meets the scope.
    pub(crate) fn last_clear(&self, scope: &str, seq: Seq) -> Option<Mark> {
        self.prefixes_of(scope).chain(self.scope(scope)).filter_map(|clears| clears.last_clear(0, seq)).max()
    }

    /// The last commit at or below `seq` that touched the scope.
    pub(crate) fn scope_version(&self, scope: &str, seq: Seq) -> Seq {
        let Some(state) = self.scope(scope) else { return Seq::ZERO };
        let mut newest = state.touched();
        if newest > seq.0 {
            newest = state.marks().iter().rev().map(|mark| mark.seq).find(|mark| *mark <= seq.0).unwrap_or(0);
            for key in self.sorted(state).iter() {
                let version = self.keys.entry(key.index).as_of(seq.0);
                newest = newest.max(version.map_or(0, |version| version.seq));
            }
        }
        // A prefix that was cleared touched what was there.
        if newest > 0 {
            let marks = self.prefixes_of(scope).filter_map(|prefix| prefix.last_clear(newest, seq));
            newest = marks.map(|mark| mark.seq).fold(newest, u64::max);
        }
        Seq(newest)
    }

    /// Whether nothing was set since the scope was last cleared: then no key of it is live.
    pub(crate) fn is_surely_empty(&self, scope: &str) -> bool {
        let state = self.scope(scope);
        let last_set = state.map_or(0, ScopeState::last_set);
        let mut clears = self.prefixes_of(scope).chain(state);
        clears.any(|clears| clears.last_clear(last_set, Seq::MAX).is_some_and(|mark| mark.seq > last_set))
    }

    pub(crate) fn sizes(&self) -> Sizes {
        let (keys, versions, bytes) = self.keys.sizes();
        Sizes { scopes: self.scopes.count(), keys, versions, bytes: bytes + self.scopes.bytes() }
    }

    /// The version of a key that a read as of `seq` meets.
    #[inline]
    fn seen(&self, state: &ScopeState, entry: KeyEntry<'_>, seq: Seq) -> Option<Version> {
        let version = entry.as_of(seq.0)?;
        if version.kind == Kind::Delete || self.is_cleared(state, &version, seq) { None } else { Some(version) }
    }

    /// Whether a clear at or below `seq` stands after the version.
    #[inline]
    fn is_cleared(&self, state: &ScopeState, version: &Version, seq: Seq) -> bool {
        let after =
            |clears: &ScopeState| clears.last_clear(version.seq, seq).is_some_and(|mark| mark.stands_after(version));
        after(state) || (!self.scopes.have_no_prefix() && self.prefixes_of(&state.name).any(after))
    }

    /// The prefixes that were ever cleared and that a scope lies at or below.
    fn prefixes_of<'a>(&'a self, scope: &'a str) -> impl Iterator<Item = &'a ScopeState> {
        let none = self.scopes.have_no_prefix();
        let slashes = scope.match_indices('/').map(|(at, _)| Cow::Borrowed(&scope[..=at]));
        // What the store keeps for itself is out of reach of the root's.
        let root = (!is_reserved(scope)).then_some(Cow::Borrowed("/"));
        let itself = std::iter::once_with(move || Cow::Owned(format!("{scope}/")));
        let names = root.into_iter().chain(slashes).chain(itself);
        names.take_while(move |_| !none).filter_map(|name: Cow<'_, str>| self.scope(&name))
    }

    fn cut(&self, scope: &str, key: &str, last: Seq) {
        if let Some(state) = self.scope(scope) {
            self.keys.cut(hash_key(state.hash, key), state.index, key, last.0);
        }
    }

    /// Finds again, from what is left of a scope, what the inserting thread keeps of it.
    fn rewind(&self, state: &ScopeState, last: Seq) {
        state.forget(last);
        let (mut set, mut touched) = (0, state.marks().last().map_or(0, |mark| mark.seq));
        for listed in self.sorted(state).iter() {
            for version in self.versions_listed(listed) {
                touched = touched.max(version.seq);
                if matches!(version.kind, Kind::Set | Kind::Expiring) {
                    set = set.max(version.seq);
                }
            }
        }
        state.rewind(touched, set);
    }

    #[inline]
    fn entry(&self, state: &ScopeState, key: &str) -> Option<KeyEntry<'_>> {
        self.keys.find(hash_key(state.hash, key), state.index, key)
    }
}

#[inline]
fn hash_scope(scope: &str) -> u64 {
    hash(0, scope)
}

#[inline]
fn hash_key(scope_hash: u64, key: &str) -> u64 {
    hash(scope_hash, key)
}

#[inline]
fn hash(seed: u64, text: &str) -> u64 {
    use std::hash::{BuildHasher, Hasher};
    let mut hasher = FixedState::with_seed(seed).build_hasher();
    hasher.write(text.as_bytes());
    hasher.finish()
}

#[cfg(test)]
mod tests;
