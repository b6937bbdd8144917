//! The ways to share one sync among threads.
//!
//! Invariant: whoever syncs took the whole batch before, and marks it done after; callers wait for the mark of the
//! batch their frame is in. Batches are written and synced strictly one after the other, because a recovery that
//! takes "a later batch" for proof of an earlier sync needs that of a real log too.

mod batch;
mod condvar;
mod dedicated;
mod leader;

pub(crate) use condvar::CondvarLeader;
pub(crate) use dedicated::Dedicated;
pub(crate) use leader::{FutexLeader, Successor};
