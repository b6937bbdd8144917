//! [`Memtable`]: the versions of every key, in memory. Values stay in the log; a version is the address of one.
//!
//! Invariant: one thread inserts (the leader, or whoever replays the log), many read. A version that is not durable yet
//! may stand here already: readers ask with the highest `Seq` they may see, so it does not exist for them. What a
//! failed write leaves behind is taken out again with [`Memtable::forget`] before its `Seq` is given to another commit.
//!
//! A scope and a key have the same hash here as in a run, so whoever looks in both makes it once.
//!
//! Knows nothing of files. Look-ups take no lock; orders and clears take one for a few instructions, never across IO.

mod arena;
mod insert;
mod keys;
mod order;
mod own;
mod scopes;
mod shared;
mod slots;

use std::{
    hint::black_box,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use milepost_index::{KeyHash, ScopeHash, ScopeSeqs};
use milepost_types::{
    EventRef, Seq,
    body::{Body, BodyError},
    scope::is_reserved,
};

pub(crate) use insert::Inserter;
pub(crate) use keys::KeyIndex;
use keys::{KeyEntry, Keys};
pub(crate) use keys::{Kind, Version, kind_in_run};
pub(crate) use order::Descent;
pub(crate) use own::{
    CHECKPOINT, ERASED, ERASED_BELOW, FENCE, FORK, HOLD, IDEMPOTENCY, LOST, POLICY, RESERVED, checkpoints_of,
    erased_keys_of, erased_scope, held_prefix, holds_of, key_prefix, lost_key, prefix_key,
};
pub(crate) use scopes::{Mark, SortedKey, SortedScope, is_prefix, prefix_names};
use scopes::{ScopeIndex, ScopeState, Scopes};

/// Commits that one memtable spans before another one begins.
const FAR_COMMITS: u64 = 1 << 31;
/// Commits that it spans where none can begin: a writer leaves no more than the above to be folded by others, unless
/// its index is lost. As many as come before that is noticed fit into 32 bits as well.
const REACHED_COMMITS: u64 = 3 << 30;
const _: () = assert!(FAR_COMMITS + (1 << 30) <= REACHED_COMMITS && REACHED_COMMITS + (1 << 29) < u32::MAX as u64);

/// The versions of every key.
#[derive(Debug)]
pub(crate) struct Memtable {
    keys: Keys,
    scopes: Scopes,
    /// What the hashes of the store's scopes begin with.
    seed: u64,
    /// Whether a fork was ever inserted. Set by the inserting thread, before the fork.
    has_forks: AtomicBool,
    /// The last commit that erased anything, be it one that failed; 0 for none. Set by the inserting thread, before the
    /// erasure.
    last_erasure: AtomicU64,
    /// The last commit that told retention anything, be it one that failed; 0 for none.
    last_told: AtomicU64,
}

/// A key by its names and their hashes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Name<'a> {
    pub(crate) scope: &'a str,
    pub(crate) key: &'a str,
    pub(crate) scope_hash: ScopeHash,
    pub(crate) key_hash: KeyHash,
}

impl<'a> Name<'a> {
    #[inline]
    pub(crate) fn new(seed: u64, scope: &'a str, key: &'a str) -> Name<'a> {
        let scope_hash = ScopeHash::of(seed, scope);
        Name { scope, key, scope_hash, key_hash: scope_hash.key(key) }
    }
}

/// What a look for the newest version at or below some `Seq` came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Met {
    /// There is none here: an older tier may have one.
    Nothing,
    /// This one.
    Version(Version),
    /// It was deleted or cleared here: what older tiers have is gone.
    Gone,
}

/// A scope as a run is made of it.
#[derive(Debug)]
pub(crate) struct ScopeParts {
    pub(crate) seqs: ScopeSeqs,
    /// Oldest first.
    pub(crate) clears: Vec<milepost_index::Mark>,
    /// In order.
    pub(crate) keys: Vec<KeyIndex>,
}

/// Sizes, for `stats`: all that was ever there, whether it lives or not.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sizes {
    pub(crate) scopes: u64,
    pub(crate) keys: u64,
    pub(crate) versions: u64,
}

impl Memtable {
    pub(crate) fn new(seed: u64) -> Memtable {
        Memtable {
            keys: Keys::new(),
            scopes: Scopes::new(),
            seed,
            has_forks: AtomicBool::new(false),
            last_erasure: AtomicU64::new(0),
            last_told: AtomicU64::new(0),
        }
    }

    /// An empty one in the place of another: the next are about as many keys, and find a table of that size.
    pub(crate) fn after(other: &Memtable) -> Memtable {
        Memtable { keys: Keys::sized_like(&other.keys), ..Memtable::new(other.seed) }
    }

    /// Folds the events of the commit at `seq` in.
    pub(crate) fn insert(&self, seq: Seq, body: &Body<'_>) -> Result<(), BodyError> {
        self.inserter().insert(seq, body)
    }

    /// For folding many commits in a row. One at a time, held by the one who inserts.
    pub(crate) fn inserter(&self) -> Inserter<&Memtable> {
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
                EventRef::Retain { prefix, .. } | EventRef::Unretain { prefix } => {
                    self.cut(POLICY, prefix_key(prefix), last);
                    continue;
                }
                EventRef::Hold { prefix, name, .. } | EventRef::Unhold { prefix, name } => {
                    self.cut(&holds_of(prefix), name, last);
                    continue;
                }
                EventRef::Erase { scope, key, .. } => {
                    self.cut(&erased_keys_of(scope), key, last);
                    self.cut(scope, key, last);
                    scope
                }
                EventRef::EraseScope { scope, .. } => {
                    self.cut(ERASED, scope, last);
                    scope
                }
                EventRef::ErasePrefix { prefix, .. } => {
                    self.cut(ERASED_BELOW, prefix_key(prefix), last);
                    self.scope(&format!("{prefix}/")).into_iter().for_each(|state| state.forget(last));
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

    /// The version that a read as of `seq` meets. Whether it has expired is for the caller to see. `glance` is called
    /// with a version that it most likely is, as early as can be.
    #[inline]
    pub(crate) fn look(&self, name: &Name<'_>, seq: Seq, glance: impl Fn(Version)) -> Met {
        let state = self.scopes.find(name.scope_hash.0, name.scope);
        let found = |state: &ScopeState| self.keys.find_as_of(name.key_hash.0, state.index, name.key, seq.0, glance);
        match state.and_then(found) {
            Some(version) if version.kind == Kind::Delete => Met::Gone,
            Some(version) if self.is_cleared(name.scope, state, &version, seq) => Met::Gone,
            Some(version) => Met::Version(version),
            None if self.clear_of(name.scope, state, seq).is_some() => Met::Gone,
            None => Met::Nothing,
        }
    }

    /// Touches what looks at these keys will read: first the slots of all, then their lines.
    pub(crate) fn touch_each(&self, names: &[Name<'_>]) {
        let places = names.iter().map(|name| self.keys.touch_slot(name.key_hash.0));
        black_box(places.fold(0, |all, place| all ^ place));
        let lines = names.iter().map(|name| self.keys.touch_line(self.keys.touch_slot(name.key_hash.0)));
        black_box(lines.fold(0, |all, line| all ^ line));
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

    /// The last commit that may have erased anything: 0 for none.
    #[inline]
    pub(crate) fn last_erasure(&self) -> u64 {
        // Pairs with the store in `Inserter::insert`: who may see the erasure sees that there is one.
        self.last_erasure.load(Ordering::Acquire)
    }

    /// The last commit that set or took back a policy or a hold, or erased anything: 0 for none.
    pub(crate) fn last_told(&self) -> u64 {
        self.last_told.load(Ordering::Relaxed)
    }

    /// Takes over what the one before it knew of that.
    pub(crate) fn told_before(&self, seq: u64) {
        self.last_told.fetch_max(seq, Ordering::Relaxed);
    }

    /// Every version of a key, oldest first.
    pub(crate) fn versions(&self, scope: &str, key: &str) -> Vec<Version> {
        let entry = self.scope(scope).and_then(|state| self.entry(state, key));
        entry.map(|entry| entry.versions()).unwrap_or_default()
    }

    #[inline]
    pub(crate) fn scope(&self, scope: &str) -> Option<&ScopeState> {
        self.scopes.find(ScopeHash::of(self.seed, scope).0, scope)
    }

    /// All scopes, and cleared prefixes, in order of their names.
    pub(crate) fn sorted_scopes(&self) -> Arc<Vec<SortedScope>> {
        self.scopes.sorted()
    }

    /// The keys that a scope ever had, in order.
    pub(crate) fn sorted(&self, state: &ScopeState) -> Arc<Vec<SortedKey>> {
        state.sorted(&self.keys)
    }

    /// The newest version at or below `seq` of a listed key, without another look-up by name.
    pub(crate) fn as_of(&self, key: &SortedKey, seq: Seq) -> Option<Version> {
        self.keys.entry(key.index).as_of(seq.0)
    }

    /// Every version of a listed key, oldest first.
    pub(crate) fn versions_listed(&self, key: &SortedKey) -> Vec<Version> {
        self.keys.entry(key.index).versions()
    }

    /// All that is known of a scope but the versions of its keys.
    pub(crate) fn parts(&self, index: ScopeIndex) -> ScopeParts {
        let state = self.scopes.at(index);
        let clears = state.marks().into_iter().map(|mark| milepost_index::Mark { seq: mark.seq, record: mark.record });
        let seqs = ScopeSeqs { touched: state.touched(), last_set: state.last_set() };
        ScopeParts { seqs, clears: clears.collect(), keys: self.keys.in_order(&state.newest_key) }
    }

    /// Touches what is read of these keys next.
    pub(crate) fn touch_keys(&self, keys: &[KeyIndex]) {
        self.keys.touch_keys(keys);
    }

    /// Reads a key, and gives its versions from the newest on; `None`, and nothing read, if a failed commit left
    /// nothing but its name.
    #[inline]
    pub(crate) fn read_key(&self, index: KeyIndex, key: &mut String) -> Option<Descent> {
        let entry = self.keys.entry(index);
        let descent = entry.descent()?;
        entry.read_key(key);
        Some(descent)
    }

    /// The next older version of a key.
    pub(crate) fn descend(&self, descent: &mut Descent) -> Option<Version> {
        self.keys.descend(descent)
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

    /// The clears that are named like this, oldest first.
    pub(crate) fn own_marks(&self, name: &str) -> Vec<Mark> {
        self.scope(name).map(ScopeState::marks).unwrap_or_default()
    }

    /// The last clear at or below `seq` that meets the scope.
    pub(crate) fn last_clear(&self, scope: &str, seq: Seq) -> Option<Mark> {
        self.clear_of(scope, self.scope(scope), seq)
    }

    /// The last commit at or below `seq` that named the scope: 0 for none here.
    pub(crate) fn touched(&self, scope: &str, seq: Seq) -> u64 {
        let Some(state) = self.scope(scope) else { return 0 };
        let touched = state.touched();
        if touched <= seq.0 {
            return touched;
        }
        let mut newest = state.last_clear(0, seq).map_or(0, |mark| mark.seq);
        for key in self.sorted(state).iter() {
            newest = newest.max(self.as_of(key, seq).map_or(0, |version| version.seq));
        }
        newest
    }

    /// The last clear at or below `seq` of a prefix that the scope lies at or below.
    pub(crate) fn last_prefix_clear(&self, scope: &str, seq: Seq) -> Option<Mark> {
        self.prefixes_of(scope).filter_map(|prefix| prefix.last_clear(0, seq)).max()
    }

    /// The last commit that set a key of the scope: 0 for none here.
    pub(crate) fn last_set(&self, scope: &str) -> u64 {
        self.scope(scope).map_or(0, ScopeState::last_set)
    }

    /// Whether a value of the scope may expire.
    pub(crate) fn may_expire(&self, scope: &str) -> bool {
        self.scope(scope).is_some_and(ScopeState::may_expire)
    }

    /// How many keys it holds, of all scopes.
    pub(crate) fn key_count(&self) -> u64 {
        self.keys.sizes().0
    }

    /// The keys of a scope with a version at or below `last`, in no order.
    pub(crate) fn keys_as_of(&self, scope: &str, last: Seq) -> impl Iterator<Item = Box<str>> {
        let newest = self.scope(scope).and_then(|state| self.keys.newest(&state.newest_key));
        let entries = std::iter::successors(newest, KeyEntry::before);
        entries.filter(move |entry| entry.as_of(last.0).is_some()).map(|entry| entry.key())
    }

    /// The keys of a scope with a version behind `before` and not above `last`, in no order; `None` if it has more than
    /// `keys_max` keys to be asked.
    pub(crate) fn changed(&self, scope: &str, before: Seq, last: Seq, keys_max: u64) -> Option<Vec<Box<str>>> {
        let Some(state) = self.scope(scope).filter(|state| state.touched() > before.0) else { return Some(Vec::new()) };
        let mut changed = Vec::new();
        let entries = std::iter::successors(self.keys.newest(&state.newest_key), KeyEntry::before);
        for (entry, number) in entries.zip(1..) {
            if number > keys_max {
                return None;
            }
            if entry.as_of(last.0).is_some_and(|version| version.seq > before.0) {
                changed.push(entry.key());
            }
        }
        Some(changed)
    }

    /// Whether a commit lies so far behind the first one here that another memtable should begin: memory counts commits
    /// in 32 bits. Only a gap that compaction left brings that about.
    pub(crate) fn is_far(&self, seq: Seq) -> bool {
        self.keys.span(seq.0) > FAR_COMMITS
    }

    /// Whether it lies so far that it can't be told from others here.
    pub(crate) fn is_out_of_reach(&self, seq: Seq) -> bool {
        self.keys.span(seq.0) > REACHED_COMMITS
    }

    /// About how many bytes of memory it takes; costs nothing.
    pub(crate) fn bytes(&self) -> u64 {
        self.keys.sizes().2 + self.scopes.bytes()
    }

    /// Sizes of what users have.
    pub(crate) fn sizes(&self) -> Sizes {
        let (keys, versions, _) = self.keys.sizes();
        let mut sizes = Sizes { scopes: self.scopes.count(), keys, versions };
        for own in self.reserved_scopes().filter_map(|name| self.scope(&name)) {
            let entries = std::iter::successors(self.keys.newest(&own.newest_key), KeyEntry::before);
            let (keys, versions) = entries.fold((0, 0), |(k, v), entry| (k + 1, v + entry.versions().len() as u64));
            // Claims may come between the counts.
            sizes.scopes = sizes.scopes.saturating_sub(1);
            sizes.keys = sizes.keys.saturating_sub(keys);
            sizes.versions = sizes.versions.saturating_sub(versions);
        }
        sizes
    }

    /// The scopes that the engine keeps for itself.
    fn reserved_scopes(&self) -> impl Iterator<Item = Arc<str>> {
        let sorted = self.scopes.sorted();
        let begin = sorted.partition_point(|(name, _)| **name < *RESERVED);
        let names = sorted[begin..].iter().map(|(name, _)| Arc::clone(name));
        names.take_while(|name| is_reserved(name)).collect::<Vec<_>>().into_iter()
    }

    /// Whether a clear at or below `seq` stands after the version.
    #[inline]
    fn is_cleared(&self, scope: &str, state: Option<&ScopeState>, version: &Version, seq: Seq) -> bool {
        let after =
            |clears: &ScopeState| clears.last_clear(version.seq, seq).is_some_and(|mark| mark.stands_after(version));
        state.is_some_and(after) || (!self.scopes.have_no_prefix() && self.prefixes_of(scope).any(after))
    }

    #[inline]
    fn clear_of(&self, scope: &str, state: Option<&ScopeState>, seq: Seq) -> Option<Mark> {
        let own = state.and_then(|state| state.last_clear(0, seq));
        if self.scopes.have_no_prefix() { own } else { own.max(self.last_prefix_clear(scope, seq)) }
    }

    /// The prefixes that were ever cleared and that a scope lies at or below.
    fn prefixes_of<'a>(&'a self, scope: &'a str) -> impl Iterator<Item = &'a ScopeState> {
        let none = self.scopes.have_no_prefix();
        prefix_names(scope).take_while(move |_| !none).filter_map(|name| self.scope(&name))
    }

    fn cut(&self, scope: &str, key: &str, last: Seq) {
        if let Some(state) = self.scope(scope) {
            self.keys.cut(ScopeHash(state.hash).key(key).0, state.index, key, last.0);
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
        self.keys.find(ScopeHash(state.hash).key(key).0, state.index, key)
    }
}

#[cfg(test)]
mod tests;
