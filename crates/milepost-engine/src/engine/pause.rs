//! [`CompactionPause`]: for as long as one is held, nothing is compacted but by hand.
//!
//! A guard, and no pair of calls: what is paused by one part of a program and by another is paused for both, and a part
//! that fails or forgets does not leave a store whose disk fills up.
//!
//! Invariant: what the thread does is asked for under the compactor's lock; so once a pause is there, nothing of it is
//! under way, and nothing begins.

use std::{
    fmt,
    sync::{Arc, atomic::Ordering},
};

use super::{Engine, Shared};

/// Keeps compaction from running by itself, until it is dropped; several do so until the last one is.
#[must_use = "compaction goes on as soon as this is dropped"]
pub struct CompactionPause {
    shared: Arc<Shared>,
}

impl Engine {
    /// Pauses what compaction does by itself. A pass that is under way is given up: waits for the step that it is in.
    pub fn pause_compaction(&self) -> CompactionPause {
        let shared = Arc::clone(self.shared());
        let mut compactor = shared.compactor.lock();
        shared.compaction_pauses.fetch_add(1, Ordering::AcqRel);
        // What it has begun to write would take room, and what it looks at could not go, for as long as this lasts.
        // A pass by hand begins again.
        compactor.give_up();
        drop(compactor);
        CompactionPause { shared }
    }
}

impl Shared {
    pub(super) fn is_compaction_paused(&self) -> bool {
        self.compaction_pauses.load(Ordering::Acquire) > 0
    }
}

impl Drop for CompactionPause {
    fn drop(&mut self) {
        let is_last = self.shared.compaction_pauses.fetch_sub(1, Ordering::AcqRel) == 1;
        if is_last && !self.shared.is_child() && !self.shared.is_closed() {
            // What came meanwhile has woken nobody.
            self.shared.compaction_wanted.store(true, Ordering::Release);
            self.shared.wake_compact_if_wanted();
        }
    }
}

impl fmt::Debug for CompactionPause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CompactionPause({})", self.shared.dir.display())
    }
}
