//! [`State`]: the versions of all keys, for whoever asks what a key, a scope or a prefix holds as of some `Seq`.
//!
//! Invariant: what was loaded answers for every commit that was published before it was loaded, whatever happens to
//! the tiers meanwhile. So whoever wants the newest asks for the published `Seq` first, and loads then.
//!
//! Knows where versions are kept; nothing of values, of judging, or of who may read what.

mod keys;
mod scopes;
mod tiers;

use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};

pub(crate) use crate::memtable::{CHECKPOINT, FENCE, FORK, IDEMPOTENCY, Inserter, Kind, Mark, Version, checkpoints_of};
pub(crate) use keys::{KeyCursor, KeyOrders};
pub(crate) use tiers::Tiers;

/// The tiers as they are, for one question: costs no shared count, and is not kept.
pub(crate) type Loaded = Guard<Arc<Tiers>>;

/// The versions of all keys.
#[derive(Debug)]
pub(crate) struct State {
    tiers: ArcSwap<Tiers>,
}

impl State {
    pub(crate) fn new() -> State {
        State { tiers: ArcSwap::from_pointee(Tiers::new()) }
    }

    /// The tiers, for a question or two.
    #[inline]
    pub(crate) fn load(&self) -> Loaded {
        self.tiers.load()
    }

    /// The tiers, for a walk that takes its time.
    pub(crate) fn pin(&self) -> Arc<Tiers> {
        self.tiers.load_full()
    }
}
