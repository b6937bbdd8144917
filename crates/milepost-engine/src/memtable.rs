//! [`Memtable`]: the versions of every key, in memory. Values stay in the log; a version is the address of one.
//!
//! Invariant: one thread inserts (the leader, or whoever replays the log), many read. A version that is not durable yet
//! may stand here already: readers ask with the highest `Seq` they may see, so it does not exist for them. What a
//! failed write leaves behind is taken out again with [`Memtable::forget`] before its `Seq` is given to another commit.
//!
//! Knows nothing of files. A lock here is held for one look-up or one insertion, never across IO.

mod keys;
mod scopes;

use std::sync::{Arc, atomic::Ordering};

use foldhash::fast::FixedState;
use milepost_types::{
    EventRef, ScopePrefix, Seq,
    body::{Body, BodyError},
    scope::is_reserved,
};

use keys::{KeyEntry, Keys};
pub(crate) use keys::{Kind, Version};
use scopes::ScopeTable;
pub(crate) use scopes::{Mark, ScopeState, SortedKey};

/// Where the engine keeps idempotency keys: key → the commit that used it first.
pub(crate) const IDEMPOTENCY: &str = "$/idempotency";
/// Where the engine keeps fences: scope → the commits that claimed it.
pub(crate) const FENCE: &str = "$/fence";

/// The versions of every key.
#[derive(Debug)]
pub(crate) struct Memtable {
    keys: Keys,
    scopes: ScopeTable,
    hasher: FixedState,
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
        Memtable { keys: Keys::new(), scopes: ScopeTable::default(), hasher: FixedState::default() }
    }

    /// Folds the events of the commit at `seq` in.
    pub(crate) fn insert(&self, seq: Seq, body: &Body<'_>) -> Result<(), BodyError> {
        let mut current: Option<Arc<ScopeState>> = None;
        let mut events = body.events();
        while let Some(found) = events.next()? {
            let record = found.offset;
            match found.event {
                EventRef::Set { scope, key, expires_at, .. } => {
                    let kind = if expires_at.is_some() { Kind::Expiring } else { Kind::Set };
                    let state = self.scope_of(&mut current, scope);
                    state.last_set.store(seq.0, Ordering::Release);
                    self.put(state, seq, key, Version { seq: seq.0, record, kind });
                }
                EventRef::Delete { scope, key } => {
                    let state = self.scope_of(&mut current, scope);
                    self.put(state, seq, key, Version { seq: seq.0, record, kind: Kind::Delete });
                }
                EventRef::Clear { scope } => {
                    let state = self.scope_of(&mut current, scope);
                    state.touch(seq);
                    state.clear(Mark { seq: seq.0, record });
                }
                EventRef::ClearPrefix { prefix } => {
                    for state in self.scopes_below(prefix) {
                        // One that only a commit which failed had named is not there.
                        if state.touched() == Seq::ZERO {
                            continue;
                        }
                        state.touch(seq);
                        state.clear(Mark { seq: seq.0, record });
                    }
                }
                _ => {}
            }
        }
        if body.has_claims() {
            let meta = body.meta()?;
            let version = Version { seq: seq.0, record: 0, kind: Kind::Claim };
            if let Some(key) = &meta.idempotency_key {
                self.put(&self.scopes.get_or_insert(IDEMPOTENCY), seq, key, version);
            }
            for fence in &meta.fences {
                self.put(&self.scopes.get_or_insert(FENCE), seq, fence.scope.as_str(), version);
            }
        }
        Ok(())
    }

    /// Takes everything above `last` out that the commit with this body put in.
    pub(crate) fn forget(&self, last: Seq, body: &Body<'_>) -> Result<(), BodyError> {
        let mut touched: Vec<Arc<ScopeState>> = Vec::new();
        let mut note = |state: Arc<ScopeState>| {
            if !touched.iter().any(|known| Arc::ptr_eq(known, &state)) {
                touched.push(state);
            }
        };
        let mut events = body.events();
        while let Some(found) = events.next()? {
            match found.event {
                EventRef::Set { scope, key, .. } | EventRef::Delete { scope, key } => {
                    self.cut(scope, key, last);
                    self.scopes.get(scope).into_iter().for_each(&mut note);
                }
                EventRef::Clear { scope } => self.scopes.get(scope).into_iter().for_each(&mut note),
                EventRef::ClearPrefix { prefix } => self.scopes_below(prefix).into_iter().for_each(&mut note),
                _ => {}
            }
        }
        let meta = body.meta()?;
        if let Some(key) = &meta.idempotency_key {
            self.cut(IDEMPOTENCY, key, last);
        }
        meta.fences.iter().for_each(|fence| self.cut(FENCE, fence.scope.as_str(), last));
        touched.iter().for_each(|state| self.rewind(state, last));
        Ok(())
    }

    /// The version that a read as of `seq` meets: the newest at or below it, unless that is a delete or was cleared.
    /// Whether it has expired is for the caller to see.
    #[inline]
    pub(crate) fn find(&self, scope: &str, key: &str, seq: Seq) -> Option<Version> {
        seen(self.keys.find(self.hash(scope, key), scope, key)?, seq)
    }

    /// The newest claim on an idempotency key or a fence.
    pub(crate) fn claim(&self, scope: &str, key: &str, seq: Seq) -> Option<Version> {
        self.find(scope, key, seq).filter(|version| version.kind == Kind::Claim)
    }

    /// The first claim: of an idempotency key, the commit whose outcome counts.
    pub(crate) fn first_claim(&self, scope: &str, key: &str) -> Option<Seq> {
        let entry = self.keys.find(self.hash(scope, key), scope, key)?;
        entry.versions.read().all().first().map(|version| Seq(version.seq))
    }

    /// Every version of a key, oldest first.
    pub(crate) fn versions(&self, scope: &str, key: &str) -> Vec<Version> {
        let entry = self.keys.find(self.hash(scope, key), scope, key);
        entry.map(|entry| entry.versions.read().all().to_vec()).unwrap_or_default()
    }

    pub(crate) fn scope(&self, scope: &str) -> Option<Arc<ScopeState>> {
        self.scopes.get(scope)
    }

    /// The scopes at and below a prefix, in order. Only a prefix that names the reserved root sees what is in it.
    pub(crate) fn scopes_at(&self, prefix: &ScopePrefix) -> Vec<Arc<ScopeState>> {
        self.scopes_below(prefix.as_str())
    }

    /// The keys that a scope ever had, in order.
    pub(crate) fn sorted(&self, state: &ScopeState) -> Arc<Vec<SortedKey>> {
        state.sorted(|index| Arc::clone(&self.keys.entry(index).key))
    }

    /// The version of a listed key as of `seq`, without another look-up by name.
    pub(crate) fn find_listed(&self, key: &SortedKey, seq: Seq) -> Option<Version> {
        seen(self.keys.entry(key.index), seq)
    }

    /// Every version of a listed key, oldest first.
    pub(crate) fn versions_listed(&self, key: &SortedKey) -> Vec<Version> {
        self.keys.entry(key.index).versions.read().all().to_vec()
    }

    /// The last commit at or below `seq` that touched the scope.
    pub(crate) fn scope_version(&self, scope: &str, seq: Seq) -> Seq {
        let Some(state) = self.scopes.get(scope) else { return Seq::ZERO };
        let touched = state.touched();
        if touched <= seq {
            return touched;
        }
        let mut newest = state.marks().iter().rev().map(|mark| mark.seq).find(|s| *s <= seq.0).unwrap_or(0);
        for key in self.sorted(&state).iter() {
            if let Some(version) = self.keys.entry(key.index).versions.read().as_of(seq.0) {
                newest = newest.max(version.seq);
            }
        }
        Seq(newest)
    }

    pub(crate) fn sizes(&self) -> Sizes {
        let (keys, versions, bytes) = self.keys.sizes();
        Sizes { scopes: self.scopes.count(), keys, versions, bytes }
    }

    fn put(&self, state: &Arc<ScopeState>, seq: Seq, key: &str, version: Version) {
        state.touch(seq);
        if let Some(index) = self.keys.put(self.hash(&state.name, key), state, key, version) {
            state.add_member(index);
        }
    }

    fn cut(&self, scope: &str, key: &str, last: Seq) {
        self.keys.cut(self.hash(scope, key), scope, key, last.0);
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
        state.rewind(Seq(touched), set);
    }

    fn scopes_below(&self, prefix: &str) -> Vec<Arc<ScopeState>> {
        let mut found = self.scopes.below(prefix);
        if prefix.is_empty() {
            found.retain(|state| !is_reserved(&state.name));
        }
        found
    }

    /// The state of a scope, looked up once for a run of events of the same scope.
    fn scope_of<'c>(&self, current: &'c mut Option<Arc<ScopeState>>, scope: &str) -> &'c Arc<ScopeState> {
        if current.as_ref().is_none_or(|state| &*state.name != scope) {
            *current = None;
        }
        current.get_or_insert_with(|| self.scopes.get_or_insert(scope))
    }

    #[inline]
    fn hash(&self, scope: &str, key: &str) -> u64 {
        use std::hash::{BuildHasher, Hasher};
        let mut hasher = self.hasher.build_hasher();
        hasher.write(scope.as_bytes());
        hasher.write_u8(0);
        hasher.write(key.as_bytes());
        hasher.finish()
    }
}

/// The version of a key that a read as of `seq` meets.
#[inline]
fn seen(entry: &KeyEntry, seq: Seq) -> Option<Version> {
    let version = entry.versions.read().as_of(seq.0)?;
    if version.kind == Kind::Delete || entry.scope.cleared_after(&version, seq) { None } else { Some(version) }
}
