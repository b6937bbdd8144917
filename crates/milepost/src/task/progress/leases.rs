//! [`Leases`]: which of the leases that stand in the store are a handle's own.
//!
//! Invariant: a lease is known by the commit that took it. One that another worker took over is of another commit, so a
//! late word of the one before takes it from nobody.

use std::collections::VecDeque;

use milepost_types::{Seq, Timestamp};
use parking_lot::Mutex;

/// More are not kept in mind: the oldest end by themselves.
const LEASES_MAX: usize = 1 << 20;

/// The commits with which a handle took leases that may still last, in their order.
#[derive(Default)]
pub(crate) struct Leases(Mutex<VecDeque<Lease>>);

struct Lease {
    seq: Seq,
    expires_at: Timestamp,
}

impl Leases {
    /// Takes up a commit, and forgets those whose leases have ended.
    pub(crate) fn took(&self, seq: Seq, expires_at: Timestamp, now: Timestamp) {
        let mut leases = self.0.lock();
        while leases.front().is_some_and(|first| first.expires_at <= now) {
            leases.pop_front();
        }
        if leases.len() == LEASES_MAX {
            leases.pop_front();
        }
        // Clones of a handle claim at once, and hear of it in any order.
        let place = leases.partition_point(|lease| lease.seq < seq);
        leases.insert(place, Lease { seq, expires_at });
    }

    /// Whether a lease of a commit is one of them.
    pub(crate) fn has(&self, seq: Seq) -> bool {
        self.0.lock().binary_search_by_key(&seq, |lease| lease.seq).is_ok()
    }

    /// Whether nothing was leased lately.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.lock().is_empty()
    }
}
