//! [`State`]: the versions of all keys, for whoever asks what a key, a scope or a prefix holds as of some `Seq`.
//!
//! Invariant: what was loaded answers for every commit that was published before it was loaded, whatever happens to
//! the tiers meanwhile. So whoever wants the newest asks for the published `Seq` first, and loads then. A tier is
//! replaced only by one that holds the same versions.
//!
//! Knows where versions are kept; nothing of values, of judging, of who may read what, or of when a tier is replaced.

mod changes;
mod each;
mod erased;
mod keys;
mod look;
mod scopes;
mod source;
mod tiers;

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use arc_swap::{ArcSwap, Guard};
use milepost_index::Run;
use milepost_types::Seq;
use parking_lot::Mutex;

use crate::memtable::Memtable;
pub(crate) use crate::memtable::{
    CHECKPOINT, ERASED, ERASED_BELOW, FENCE, FORK, HOLD, IDEMPOTENCY, Inserter, Kind, LOST, Mark, POLICY, Version,
    checkpoints_of, erased_keys_of, erased_scope, held_prefix, holds_of, key_prefix, lost_key, prefix_key,
};
pub(crate) use changes::{Changes, Wanted};
pub(crate) use each::GROUP;
pub(crate) use erased::{ErasedOf, prefixes_of};
pub(crate) use keys::{KeyCursor, KeyOrders};
pub(crate) use source::MemtableSource;
pub(crate) use tiers::{Frozen, Tiers};

/// The tiers as they are, for one question: costs no shared count, and is not kept.
pub(crate) type Loaded = Guard<Arc<Tiers>>;

/// The versions of all keys.
#[derive(Debug)]
pub(crate) struct State {
    /// What the hashes of the store's scopes begin with.
    seed: u64,
    /// Replaced as a whole: by whoever has the turn to fold, who freezes, and by whoever makes runs.
    tiers: ArcSwap<Tiers>,
    /// The last commit that reads may see.
    published: Arc<AtomicU64>,
    /// The memtable after the next freeze, made by who does not keep a commit waiting.
    spare: Mutex<Option<Arc<Memtable>>>,
}

impl State {
    /// Runs in the order of the commits that they cover, from the first commit on without a gap. What comes after them
    /// is folded into memory.
    pub(crate) fn new(seed: u64, runs: Vec<Arc<Run>>) -> State {
        let published = Arc::new(AtomicU64::new(0));
        let tiers = ArcSwap::from_pointee(Tiers::new(seed, runs, Arc::clone(&published)));
        State { seed, tiers, published, spare: Mutex::new(None) }
    }

    /// Shows a commit that was folded, and all before it, to readers.
    pub(crate) fn publish(&self, last: Seq) {
        self.published.store(last.0, Ordering::SeqCst);
    }

    /// The last commit that reads may see.
    #[inline]
    pub(crate) fn published(&self) -> Seq {
        Seq(self.published.load(Ordering::SeqCst))
    }

    /// The tiers, for a question or two.
    #[inline]
    pub(crate) fn load(&self) -> Loaded {
        self.tiers.load()
    }

    /// Tiers that are kept, in the form of those that were just looked up.
    pub(crate) fn loaded(tiers: &Arc<Tiers>) -> Loaded {
        Loaded::from_inner(Arc::clone(tiers))
    }

    /// The tiers, for a walk that takes its time.
    pub(crate) fn pin(&self) -> Arc<Tiers> {
        self.tiers.load_full()
    }

    /// Puts an empty memtable in the place of the one that is folded into, which covers the commits through `last` and
    /// no others. Only whoever has the turn to fold calls it, and only if nothing is frozen.
    pub(crate) fn freeze(&self, last: Seq) {
        let spare = self.spare.lock().take();
        let fresh = spare.unwrap_or_else(|| Arc::new(Memtable::after(self.tiers.load().active())));
        fresh.told_before(self.tiers.load().active().last_told());
        self.tiers.rcu(|tiers| {
            assert!(tiers.frozen.is_none() && tiers.active_first <= last, "a memtable of commits, and one at a time");
            let frozen = Frozen { memtable: Arc::clone(&tiers.active), first: tiers.active_first, last };
            Tiers {
                active: Arc::clone(&fresh),
                active_first: Seq(last.0 + 1),
                frozen: Some(Arc::new(frozen)),
                runs: tiers.runs.clone(),
                runs_have_forks: tiers.runs_have_forks,
                runs_last_erasure: tiers.runs_last_erasure,
                published: Arc::clone(&self.published),
                seed: self.seed,
            }
        });
    }

    /// Makes the memtable after the next freeze, for about as many keys as another had: its tables are megabytes that
    /// are touched here, and not by who leads.
    pub(crate) fn prepare(&self, like: &Memtable) {
        let fresh = Arc::new(Memtable::after(like));
        *self.spare.lock() = Some(fresh);
    }

    /// Puts a run in the place of what is frozen.
    pub(crate) fn flushed(&self, run: &Arc<Run>) {
        self.tiers.rcu(|tiers| {
            let frozen = tiers.frozen.as_ref().expect("what was frozen stays so until its run is there");
            assert_eq!((frozen.first.0, frozen.last.0), range(run), "a run holds what was frozen");
            let runs = std::iter::once(run).chain(&tiers.runs).map(Arc::clone).collect();
            tiers.with(None, runs)
        });
    }

    /// Puts a run in the place of those that it was merged of.
    pub(crate) fn merged(&self, parts: &[Arc<Run>], run: &Arc<Run>) {
        let is_part = |run: &Arc<Run>| parts.iter().any(|part| part.facts().id == run.facts().id);
        self.tiers.rcu(|tiers| {
            let place = tiers.runs.iter().position(is_part).expect("the parts are there");
            let mut runs: Vec<Arc<Run>> = tiers.runs.iter().filter(|run| !is_part(run)).map(Arc::clone).collect();
            assert_eq!(runs.len() + parts.len(), tiers.runs.len(), "all parts are there");
            runs.insert(place, Arc::clone(run));
            tiers.with(tiers.frozen.clone(), runs)
        });
    }

    /// Puts the tiers of another state of this store in the place of all: of the same commits, and maybe of newer ones,
    /// which are not shown yet. Only whoever has the turn to fold calls it.
    pub(crate) fn replace(&self, by: &State) {
        let published = Arc::clone(&self.published);
        self.tiers.store(Arc::new(Tiers { published, ..Tiers::clone(&by.tiers.load()) }));
    }
}

fn range(run: &Run) -> (u64, u64) {
    (run.facts().first_seq, run.facts().last_seq)
}

#[cfg(test)]
mod tests;
