//! [`Tiers`]: what versions are kept in, and the questions that it answers.
//!
//! ```text
//! active    the memtable that is folded into
//! frozen    the one before it, while its run is being written
//! runs      files, newest first
//! ```
//!
//! Invariant: each covers a range of commits, the ranges adjoin, and the first begins with the first commit. So a
//! version of a newer tier, and a clear, stands after all versions of an older one.

use std::sync::{Arc, atomic::AtomicU64};

use milepost_index::Run;
use milepost_types::{
    Corruption, ScopePrefix, Seq,
    body::{Body, BodyError},
};

use super::{
    FORK, Inserter, Kind, LOST, Mark, Version,
    changes::Changes,
    keys::{KeyCursor, KeyOrders},
    look, lost_key,
    scopes::ScopeCursor,
};
use crate::memtable::{Memtable, Met, Name, kind_in_run};

/// What versions are kept in.
#[derive(Clone, Debug)]
pub(crate) struct Tiers {
    pub(super) active: Arc<Memtable>,
    /// The first commit that the active memtable covers, if it covers any.
    pub(super) active_first: Seq,
    pub(super) frozen: Option<Arc<Frozen>>,
    /// Newest first.
    pub(super) runs: Vec<Arc<Run>>,
    /// Whether a run may hold a fork.
    pub(super) runs_have_forks: bool,
    /// No run holds an erasure by a commit behind it: 0 if none holds any.
    pub(super) runs_last_erasure: u64,
    /// The last commit that reads may see. What is above it may be undone yet.
    pub(super) published: Arc<AtomicU64>,
    pub(super) seed: u64,
}

/// A memtable that nothing is folded into any more. All of it is published.
#[derive(Debug)]
pub(crate) struct Frozen {
    pub(crate) memtable: Arc<Memtable>,
    /// The commits that it covers.
    pub(crate) first: Seq,
    pub(crate) last: Seq,
}

/// Sizes, for `stats`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TierSizes {
    pub(crate) scopes: u64,
    pub(crate) keys: u64,
    pub(crate) versions: u64,
    pub(crate) active_bytes: u64,
    pub(crate) frozen_bytes: u64,
    pub(crate) runs: u64,
    pub(crate) run_bytes: u64,
}

impl Tiers {
    pub(super) fn new(seed: u64, mut runs: Vec<Arc<Run>>, published: Arc<AtomicU64>) -> Tiers {
        let mut next = 1;
        for run in &runs {
            assert_eq!(run.facts().first_seq, next, "runs adjoin, from the first commit on");
            next = run.facts().last_seq + 1;
        }
        runs.reverse();
        let (runs_have_forks, runs_last_erasure) = (any_forks(&runs, seed), last_erasure(&runs));
        let active = Arc::new(Memtable::new(seed));
        let active_first = Seq(next);
        Tiers { active, active_first, frozen: None, runs, runs_have_forks, runs_last_erasure, published, seed }
    }

    /// The same with another frozen memtable and other runs.
    pub(super) fn with(&self, frozen: Option<Arc<Frozen>>, runs: Vec<Arc<Run>>) -> Tiers {
        let (active, active_first) = (Arc::clone(&self.active), self.active_first);
        let (runs_have_forks, runs_last_erasure) = (any_forks(&runs, self.seed), last_erasure(&runs));
        let published = Arc::clone(&self.published);
        Tiers { active, active_first, frozen, runs, runs_have_forks, runs_last_erasure, published, seed: self.seed }
    }

    /// Those in memory, newest first.
    pub(super) fn memtables(&self) -> impl Iterator<Item = &Memtable> {
        std::iter::once(&*self.active).chain(self.frozen.iter().map(|frozen| &*frozen.memtable))
    }

    /// The version that a read as of `seq` meets: the newest at or below it, unless that is a delete or was cleared.
    /// Whether it has expired is for the caller to see.
    #[inline]
    pub(crate) fn find(&self, scope: &str, key: &str, seq: Seq) -> Result<Option<Version>, Corruption> {
        self.find_glancing(scope, key, seq, |_| {})
    }

    /// The same. `glance` is called with a version that it most likely is, as early as can be: for whoever wants the
    /// value, to have it fetched from memory while the key is still compared.
    #[inline]
    pub(crate) fn find_glancing(
        &self,
        scope: &str,
        key: &str,
        seq: Seq,
        glance: impl Fn(Version),
    ) -> Result<Option<Version>, Corruption> {
        let name = Name::new(self.seed, scope, key);
        let found = self.find_ever(&name, seq, glance)?;
        if seq.0 >= self.last_erasure() {
            return Ok(found);
        }
        self.unless_erased(scope, key, found)
    }

    /// The same, erased or not.
    #[inline]
    fn find_ever(&self, name: &Name<'_>, seq: Seq, glance: impl Fn(Version)) -> Result<Option<Version>, Corruption> {
        if seq < self.active_first {
            return self.find_below(name, seq, &glance);
        }
        match self.active.look(name, seq, &glance) {
            Met::Version(version) => Ok(Some(version)),
            Met::Gone => Ok(None),
            Met::Nothing => self.find_below(name, seq, &glance),
        }
    }

    /// The same, below the active memtable.
    fn find_below(&self, name: &Name<'_>, seq: Seq, glance: impl Fn(Version)) -> Result<Option<Version>, Corruption> {
        if let Some(decided) = self.find_in_frozen(name, seq, &glance) {
            return Ok(decided);
        }
        for runs in self.runs.chunks(u32::BITS as usize) {
            let mut which = look::which(runs, name, seq);
            while which != 0 {
                let run = &runs[which.trailing_zeros() as usize];
                which &= which - 1;
                if let Some(decided) = decided(look::look(run, name, self.seed, seq, &glance)?) {
                    return Ok(decided);
                }
            }
        }
        Ok(None)
    }

    /// What memory decides about a key; `None` if that is for the runs to say.
    pub(super) fn find_in_memory(&self, name: &Name<'_>, seq: Seq) -> Option<Option<Version>> {
        let met = if seq < self.active_first { Met::Nothing } else { self.active.look(name, seq, |_| {}) };
        decided(met).or_else(|| self.find_in_frozen(name, seq, |_| {}))
    }

    fn find_in_frozen(&self, name: &Name<'_>, seq: Seq, glance: impl Fn(Version)) -> Option<Option<Version>> {
        let frozen = self.frozen.as_ref().filter(|frozen| seq >= frozen.first)?;
        decided(frozen.memtable.look(name, seq, glance))
    }

    /// Touches what is read of these keys in memory.
    pub(super) fn touch_in_memory(&self, names: &[Name<'_>], seq: Seq) {
        if seq >= self.active_first {
            self.active.touch_each(names);
        }
        if let Some(frozen) = self.frozen.as_ref().filter(|frozen| seq >= frozen.first) {
            frozen.memtable.touch_each(names);
        }
    }

    /// The newest version at or below `seq`, whether or not it was deleted or cleared.
    pub(crate) fn newest(&self, scope: &str, key: &str, seq: Seq) -> Result<Option<Version>, Corruption> {
        if let Some(version) = self.memtables().find_map(|memtable| memtable.newest(scope, key, seq)) {
            return Ok(Some(version));
        }
        let name = Name::new(self.seed, scope, key);
        for run in self.runs.iter().filter(|run| run.facts().first_seq <= seq.0) {
            if let Some(found) = run.find(name.key_hash, scope, key, seq.0)? {
                return look::version(run, found).map(Some);
            }
        }
        Ok(None)
    }

    /// The last commit that may have erased anything: 0 for none.
    pub(crate) fn last_erasure_ever(&self) -> u64 {
        self.last_erasure()
    }

    /// The last commit since the opening that told retention anything; 0 for none.
    pub(crate) fn last_told(&self) -> u64 {
        self.memtables().map(Memtable::last_told).max().unwrap_or(0)
    }

    /// Whether any scope may have begun as a fork.
    #[inline]
    pub(crate) fn has_forks(&self) -> bool {
        self.runs_have_forks || self.memtables().any(Memtable::has_forks)
    }

    /// The newest claim on an idempotency key, a fence, a checkpoint's name or a fork's scope.
    pub(crate) fn claim(&self, scope: &str, key: &str, seq: Seq) -> Result<Option<Version>, Corruption> {
        Ok(self.find(scope, key, seq)?.filter(|version| version.kind == Kind::Claim))
    }

    /// Every version of a key that was not erased since, oldest first.
    pub(crate) fn versions(&self, scope: &str, key: &str) -> Result<Vec<Version>, Corruption> {
        let mut versions = self.versions_ever(scope, key)?;
        self.drop_erased(scope, key, &mut versions)?;
        Ok(versions)
    }

    /// Every version of a key, erased or not, oldest first.
    pub(crate) fn versions_ever(&self, scope: &str, key: &str) -> Result<Vec<Version>, Corruption> {
        let name = Name::new(self.seed, scope, key);
        let mut versions = Vec::new();
        for run in self.runs.iter().rev() {
            if let Some(found) = run.versions(name.key_hash, scope, key)? {
                look::append(run, found, &mut versions)?;
            }
        }
        let mut in_memory: Vec<Vec<Version>> = self.memtables().map(|memtable| memtable.versions(scope, key)).collect();
        versions.extend(in_memory.drain(..).rev().flatten());
        Ok(versions)
    }

    /// Every clear that meets the scope, oldest first.
    pub(crate) fn marks(&self, scope: &str) -> Result<Vec<Mark>, Corruption> {
        let mut marks = Vec::new();
        for run in self.runs.iter().rev() {
            marks.extend(look::marks(run, self.seed, scope)?);
        }
        if let Some(frozen) = &self.frozen {
            marks.extend(frozen.memtable.marks(scope));
        }
        marks.extend(self.active.marks(scope));
        Ok(marks)
    }

    /// The clears that are named like this, oldest first: of a scope, or of a prefix and all below it.
    pub(crate) fn own_marks(&self, name: &str) -> Result<Vec<Mark>, Corruption> {
        let mut marks = Vec::new();
        for run in self.runs.iter().rev() {
            marks.extend(look::own_marks(run, self.seed, name)?);
        }
        let mut in_memory: Vec<Vec<Mark>> = self.memtables().map(|memtable| memtable.own_marks(name)).collect();
        marks.extend(in_memory.drain(..).rev().flatten());
        Ok(marks)
    }

    /// The last clear at or below `seq` that meets the scope.
    pub(crate) fn last_clear(&self, scope: &str, seq: Seq) -> Result<Option<Mark>, Corruption> {
        if let Some(mark) = self.memtables().find_map(|memtable| memtable.last_clear(scope, seq)) {
            return Ok(Some(mark));
        }
        for run in &self.runs {
            if let Some(mark) = look::last_clear(run, self.seed, scope, seq)? {
                return Ok(Some(mark));
            }
        }
        Ok(None)
    }

    /// The last commit at or below `seq` that touched the scope.
    pub(crate) fn scope_version(&self, scope: &str, seq: Seq) -> Result<Seq, Corruption> {
        let touched = self.touched(scope, seq)?;
        if touched == 0 {
            return Ok(Seq::ZERO);
        }
        // A prefix that was cleared touched what was there.
        let cleared = self.last_clear(scope, seq)?.map_or(0, |mark| mark.seq);
        Ok(Seq(touched.max(cleared)))
    }

    /// The last commit at or below `seq` that named the scope: 0 for none.
    fn touched(&self, scope: &str, seq: Seq) -> Result<u64, Corruption> {
        for memtable in self.memtables() {
            let touched = memtable.touched(scope, seq);
            if touched > 0 {
                return Ok(touched);
            }
        }
        for run in &self.runs {
            let touched = look::touched(run, self.seed, scope, seq)?;
            if touched > 0 {
                return Ok(touched);
            }
        }
        Ok(0)
    }

    /// Whether nothing was set since the scope was last cleared: then no key of it is live.
    pub(crate) fn is_surely_empty(&self, scope: &str) -> Result<bool, Corruption> {
        let Some(mark) = self.last_clear(scope, Seq::MAX)? else { return Ok(false) };
        if self.memtables().any(|memtable| memtable.last_set(scope) >= mark.seq) {
            return Ok(false);
        }
        for run in self.runs.iter().filter(|run| run.facts().last_seq >= mark.seq) {
            if look::scope(run, self.seed, scope)?.is_some_and(|view| view.seqs().last_set >= mark.seq) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether a value of the scope that a read as of `seq` meets may expire.
    pub(crate) fn may_expire(&self, scope: &str, seq: Seq) -> Result<bool, Corruption> {
        if self.memtables().any(|memtable| memtable.may_expire(scope)) {
            return Ok(true);
        }
        for run in self.runs.iter().filter(|run| run.facts().first_seq <= seq.0) {
            let expiring = kind_in_run(Kind::Expiring);
            if look::scope(run, self.seed, scope)?.is_some_and(|view| view.has_kind(expiring)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// How many keys a walk over a scope meets at most.
    pub(crate) fn keys_at_most(&self, scope: &str) -> Result<u64, Corruption> {
        let mut keys = self.memtables().map(Memtable::key_count).sum();
        for run in &self.runs {
            keys += look::scope(run, self.seed, scope)?.map_or(0, |view| view.keys());
        }
        Ok(keys)
    }

    /// What is known of the changes of a scope's keys behind one commit and through another. Of what runs list no more
    /// than is `left` is gone through, which then is less by so many; `None` if there is more.
    pub(crate) fn changes(
        &self,
        scope: &str,
        (before, last): (Seq, Seq),
        left: &mut u64,
    ) -> Result<Option<Changes>, Corruption> {
        Changes::new(self, scope, (before, last), left)
    }

    /// Whether a salvage had to put up with the loss of a commit behind this one.
    pub(crate) fn is_any_lost_since(&self, seq: Seq) -> Result<bool, Corruption> {
        let orders = self.key_orders(LOST);
        let mut keys = self.keys(LOST, &orders, &lost_key(Seq(seq.0.saturating_add(1))))?;
        Ok(keys.read_next()?.is_some())
    }

    /// The orders of a scope's keys in memory, to be made once for a walk in pieces.
    pub(crate) fn key_orders(&self, scope: &str) -> KeyOrders {
        KeyOrders::new(self, scope)
    }

    /// The keys that a scope ever had, in order, from the first that is not less than `from` on. `orders` are those of
    /// this scope in these tiers.
    pub(crate) fn keys<'t>(
        &'t self,
        scope: &str,
        orders: &'t KeyOrders,
        from: &str,
    ) -> Result<KeyCursor<'t>, Corruption> {
        KeyCursor::new(self, scope, orders, from)
    }

    /// Whether `is_wanted` says so of any key that a scope has a version of, as of `seq` or, in runs, at all. They come
    /// in no order: none has to be made of those in memory.
    pub(crate) fn any_key<E: From<Corruption>>(
        &self,
        scope: &str,
        seq: Seq,
        is_wanted: &mut dyn FnMut(&str) -> Result<bool, E>,
    ) -> Result<bool, E> {
        let in_runs = KeyOrders::of_runs();
        let mut keys = self.keys(scope, &in_runs, "")?;
        while let Some(key) = keys.read_next()? {
            if is_wanted(key)? {
                return Ok(true);
            }
        }
        for key in self.memtables().flat_map(|memtable| memtable.keys_as_of(scope, seq)) {
            if is_wanted(&key)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The scopes at and below a prefix, in order. Only a prefix that names the reserved root sees what is in it.
    pub(crate) fn scopes(&self, prefix: &ScopePrefix) -> Result<ScopeCursor<'_>, Corruption> {
        ScopeCursor::new(self, prefix)
    }

    /// Whatever has a name, from one on, in order: scopes, cleared prefixes, and what the engine keeps for itself.
    pub(crate) fn every_scope(&self, from: &str) -> Result<ScopeCursor<'_>, Corruption> {
        ScopeCursor::every(self, from)
    }

    /// For folding many commits in a row. One at a time, held by the one who inserts.
    pub(crate) fn inserter(&self) -> Inserter<&Memtable> {
        self.active.inserter()
    }

    /// The memtable that is folded into, for whoever folds for long.
    pub(crate) fn active(&self) -> &Arc<Memtable> {
        &self.active
    }

    /// The first commit that the active memtable covers, if it covers any.
    pub(crate) fn active_first(&self) -> Seq {
        self.active_first
    }

    pub(crate) fn frozen(&self) -> Option<&Arc<Frozen>> {
        self.frozen.as_ref()
    }

    /// The runs, newest first.
    pub(crate) fn runs(&self) -> &[Arc<Run>] {
        &self.runs
    }

    /// Folds the events of the commit at `seq` in.
    pub(crate) fn insert(&self, seq: Seq, body: &Body<'_>) -> Result<(), BodyError> {
        self.active.insert(seq, body)
    }

    /// Takes everything above `last` out that the commit with this body put in.
    pub(crate) fn forget(&self, last: Seq, body: &Body<'_>) -> Result<(), BodyError> {
        self.active.forget(last, body)
    }

    /// Sizes of what users have, and of all that it takes. Not all of it is exact: see [`crate::Stats`].
    pub(crate) fn sizes(&self) -> TierSizes {
        let mut sizes = TierSizes { active_bytes: self.active.bytes(), ..TierSizes::default() };
        for memtable in self.memtables().map(Memtable::sizes) {
            sizes.scopes += memtable.scopes;
            sizes.keys += memtable.keys;
            sizes.versions += memtable.versions;
        }
        sizes.frozen_bytes = self.frozen.as_ref().map_or(0, |frozen| frozen.memtable.bytes());
        for run in &self.runs {
            sizes.runs += 1;
            sizes.run_bytes += run.facts().bytes;
            sizes.scopes += u64::from(run.scope_count());
            sizes.keys += run.key_count();
            sizes.versions += run.version_count();
            // A damaged run is told by whoever reads it.
            if let Ok((scopes, keys, versions)) = look::reserved(run) {
                sizes.scopes -= scopes;
                sizes.keys -= keys;
                sizes.versions -= versions;
            }
        }
        sizes
    }
}

/// The last commit that may have erased anything, by what the runs say: their last commit, if they hold an erasure. One
/// that can't be asked may.
fn last_erasure(runs: &[Arc<Run>]) -> u64 {
    let may_hold = |run: &&Arc<Run>| !matches!(look::has_erasures(run), Ok(false));
    runs.iter().filter(may_hold).map(|run| run.facts().last_seq).max().unwrap_or(0)
}

/// What was met, if it decides.
#[inline]
pub(super) fn decided(met: Met) -> Option<Option<Version>> {
    match met {
        Met::Version(version) => Some(Some(version)),
        Met::Gone => Some(None),
        Met::Nothing => None,
    }
}

/// Whether a run may hold a fork. One that can't be asked may: whoever then looks for it is told what is wrong.
fn any_forks(runs: &[Arc<Run>], seed: u64) -> bool {
    runs.iter().any(|run| !matches!(look::scope(run, seed, FORK), Ok(None)))
}
