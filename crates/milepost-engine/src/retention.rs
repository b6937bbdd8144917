//! Retention: what of the past is kept, what may go, and what is being read meanwhile.
//!
//! Invariant: nothing goes that a read can still ask for. A read can ask for what its scope's horizon allows, for a
//! checkpoint, for what a fork reads through to, and, while it lasts, for what it could when it began.
//!
//! Knows which versions may go, and nothing of files.

mod ended;
mod explain;
mod horizon;
mod judging;
mod pins;
mod rule;
mod rules;
mod void;

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use arc_swap::ArcSwap;
use milepost_types::Seq;

pub use ended::ENDED_KEY;
pub(crate) use ended::ExpiryError;
pub use explain::{EndedAbove, Explanation};
pub use horizon::Horizon;
pub(crate) use horizon::Horizons;
pub(crate) use judging::{Judging, OfScope};
pub(crate) use pins::{Needs, Pin, Pins};
pub(crate) use rule::Fate;
pub use rules::{HoldSet, PolicySet};
pub(crate) use rules::{Rules, idempotency_for_us, root_policy};

/// What an open store knows of its retention.
#[derive(Debug)]
pub(crate) struct Retaining {
    /// Durable in MANIFEST before they are here.
    horizons: ArcSwap<Horizons>,
    /// The last of them: stored after them.
    last_horizon: AtomicU64,
    /// The last of those that were in force when runs were taken up that another process has made: they may have been
    /// made of what compaction had left. 0 where that never happens.
    taken_up: AtomicU64,
}

impl Retaining {
    pub(crate) fn new(horizons: Horizons) -> Retaining {
        let last = horizons.last().0;
        let (last_horizon, taken_up) = (AtomicU64::new(last), AtomicU64::new(0));
        Retaining { horizons: ArcSwap::from_pointee(horizons), last_horizon, taken_up }
    }

    /// Puts horizons in force, which are durable in MANIFEST.
    pub(crate) fn set(&self, horizons: Horizons) {
        let last = horizons.last().0;
        self.horizons.store(Arc::new(horizons));
        self.last_horizon.store(last, Ordering::Release);
    }

    /// Says that the index is going to be one that was made with these horizons in force.
    pub(crate) fn take_up(&self, horizons: Horizons) {
        let last = horizons.last().0;
        self.set(horizons);
        self.taken_up.store(last, Ordering::Release);
    }

    /// The index may not know any more what a view saw that is older than this.
    #[inline]
    pub(crate) fn taken_up(&self) -> Seq {
        Seq(self.taken_up.load(Ordering::Acquire))
    }

    pub(crate) fn horizons(&self) -> Arc<Horizons> {
        self.horizons.load_full()
    }

    /// The last horizon of any place.
    #[inline]
    pub(crate) fn last_horizon(&self) -> Seq {
        Seq(self.last_horizon.load(Ordering::Acquire))
    }
}
