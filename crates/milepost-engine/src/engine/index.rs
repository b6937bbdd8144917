//! Freezing a memtable that is full, and making runs of it: what the open store does for [`crate::index::Indexer`].
//!
//! Invariant: never blocks a read, or a commit that is small. While a run is being written, what comes meanwhile is
//! folded into the one memtable that is there, however large it gets; the callers of large commits then help to write
//! the run, so it gets no larger than one of them makes it.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use milepost_index::RunFacts;
use milepost_types::Seq;
use parking_lot::Mutex;

use super::Shared;
use crate::{
    OpenError, Threads,
    commit::Sealed,
    manifest::{self, Keeper},
};

/// A memtable grows by this part of its limit before its run is tried again.
const RETRY_PARTS: u64 = 16;

/// Callers of commits of so many events and more help to make runs.
const HELPING_EVENTS: usize = 256;
/// They do a piece, and one more for each so many events: fewer than the keys of a piece, so that memory stops growing.
const EVENTS_PER_PIECE: usize = 1024;

/// How the making of runs goes.
#[derive(Debug, Default)]
pub(crate) struct Indexing {
    /// Whether there is something to do that nobody was woken for.
    wanted: AtomicBool,
    /// Batches that found memory full while a run was being written.
    late: AtomicU64,
    /// Bytes of the memtable at which a run that was not made is tried again. Whoever has the turn to fold changes it.
    retry_bytes: AtomicU64,
    /// Why the last attempt failed.
    failure: Mutex<Option<String>>,
}

impl Indexing {
    pub(super) fn late(&self) -> u64 {
        self.late.load(Ordering::Relaxed)
    }

    pub(super) fn failure(&self) -> Option<String> {
        self.failure.lock().clone()
    }
}

impl Shared {
    /// MANIFEST of a store that is open for writing.
    pub(crate) fn keeper(&self) -> &Keeper {
        self.keeper.as_ref().expect("whoever leads or makes runs has the store open for writing")
    }

    /// Puts an empty memtable in the place of a full one, which holds the commits through `last`, all published. Only
    /// whoever has the turn to fold calls it.
    pub(crate) fn freeze_if_full(&self, last: Seq) {
        let max = self.settings.memtable_bytes_max();
        let (bytes, is_far, is_busy) = {
            let tiers = self.state.load();
            (tiers.active().bytes(), tiers.active().is_far(last), tiers.frozen().is_some())
        };
        if bytes < max && !is_far {
            return;
        }
        if is_busy {
            self.indexing.late.fetch_add(1, Ordering::Relaxed);
            if bytes < self.indexing.retry_bytes.load(Ordering::Relaxed) {
                return;
            }
        } else {
            self.state.freeze(last);
        }
        let retry = if is_busy { bytes + max / RETRY_PARTS } else { max + max / RETRY_PARTS };
        self.indexing.retry_bytes.store(retry, Ordering::Relaxed);
        self.indexing.wanted.store(true, Ordering::Release);
    }

    /// Before a large commit is put into the queue, while memory for versions is full and the run of what is frozen is
    /// not there yet: its caller does a part of making that run, in proportion to what it brings. So whoever fills
    /// memory faster than it can be emptied is slowed down to that, and nobody else is. Not where the caller drives the
    /// steps.
    pub(super) fn help_index(&self, commit: &Sealed) {
        if commit.events < HELPING_EVENTS || self.settings.threads == Threads::Stepped {
            return;
        }
        for _ in 0..=commit.events / EVENTS_PER_PIECE {
            let is_full = {
                let tiers = self.state.load();
                tiers.frozen().is_some() && tiers.active().bytes() >= self.settings.memtable_bytes_max()
            };
            // What can't be written now does not get better by being tried by all.
            if !is_full || self.indexing.failure.lock().is_some() || !self.step_index() {
                return;
            }
        }
    }

    /// Does a piece of making runs; whether there was anything to do.
    pub(super) fn step_index(&self) -> bool {
        if self.is_child() || self.latch.failure().is_some() {
            return false;
        }
        let mut indexer = self.indexer.lock();
        let Some(indexer) = indexer.as_mut() else { return false };
        let stepped = indexer.step(&self.state, &mut |runs| self.list_runs(runs));
        match stepped {
            Ok(did) => {
                if did {
                    *self.indexing.failure.lock() = None;
                }
                did
            }
            Err(error) => {
                tracing::warn!(dir = %self.dir.display(), %error, "no run was made; it is tried again");
                *self.indexing.failure.lock() = Some(error.to_string());
                false
            }
        }
    }

    /// Makes a run of what memory holds, if the next opening would take long to fold it, and ends the making of runs.
    /// For closing: nobody commits any more. What fails is folded by the next opening. What was being merged is begun
    /// anew when something is; but where processes end sooner than that is done, runs do not pile up.
    pub(super) fn flush_last(&self) {
        let Some(mut indexer) = self.indexer.lock().take() else { return };
        let mut list = |runs: &[RunFacts]| self.list_runs(runs);
        for is_last in [false, true] {
            while self.latch.failure().is_none() && self.state.load().frozen().is_some() {
                if let Err(error) = indexer.step(&self.state, &mut list) {
                    tracing::warn!(dir = %self.dir.display(), %error, "no run was made; the next opening takes longer");
                    return;
                }
            }
            let (bytes, last) = (self.state.load().active().bytes(), self.published());
            // What is not published is not known to be durable: a sync has failed.
            let is_whole = self.latch.failure().is_none() && self.state.load().active_first() <= last;
            if !is_last && is_whole && bytes >= self.settings.folded_bytes_max() {
                self.state.freeze(last);
            }
        }
        if self.latch.failure().is_none()
            && let Err(error) = indexer.catch_up(&self.state, &mut list)
        {
            tracing::warn!(dir = %self.dir.display(), %error, "runs were not merged; the next opening begins anew");
        }
    }

    /// Says durably which runs count.
    pub(super) fn list_runs(&self, runs: &[RunFacts]) -> Result<(), OpenError> {
        self.keeper().change(|manifest| manifest.runs = manifest::run_rows(runs))
    }

    /// For a reader beside a writer: whether its memory is full of what the writer has made runs of. Looked at again
    /// only when memory has grown by some more.
    pub(super) fn has_runs_to_take_up(&self) -> bool {
        let max = self.settings.memtable_bytes_max();
        let (bytes, first) = {
            let tiers = self.state.load();
            (tiers.active().bytes(), tiers.active_first())
        };
        if bytes < max.max(self.indexing.retry_bytes.load(Ordering::Relaxed)) {
            return false;
        }
        self.indexing.retry_bytes.store(bytes + max / RETRY_PARTS, Ordering::Relaxed);
        let Ok(Some(manifest)) = manifest::read(&*self.parts.disk, &self.dir) else { return false };
        manifest::known_runs(&manifest).last().is_some_and(|run| run.last_seq >= first.0)
    }

    /// Says that memory holds less.
    pub(super) fn took_up_runs(&self) {
        self.indexing.retry_bytes.store(0, Ordering::Relaxed);
    }

    pub(super) fn wake_index_if_wanted(self: &Arc<Shared>) {
        if self.indexing.wanted.load(Ordering::Acquire)
            && self.settings.threads == Threads::Spawned
            && self.indexing.wanted.swap(false, Ordering::AcqRel)
        {
            self.workers.wake_index(self);
        }
    }
}

#[cfg(test)]
mod tests;
