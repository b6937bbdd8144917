//! [`Pipeline`]: commits of one caller, sent ahead of their outcomes, of which none is made behind one that was
//! refused.
//!
//! Invariant: what a pipeline has made durable is what it was sent first. Who leads says which commit was refused
//! before it lets go of the lead, so that whoever leads next knows.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// Sends commits ahead, in order. Once one of them is refused, for whatever reason, so are all that were sent behind
/// it.
#[derive(Debug)]
pub struct Pipeline {
    /// The number of the first commit that was refused; the highest number while none was.
    refused: Arc<AtomicU64>,
    /// How many were sent.
    sent: u64,
}

impl Default for Pipeline {
    fn default() -> Pipeline {
        Pipeline { refused: Arc::new(AtomicU64::new(u64::MAX)), sent: 0 }
    }
}

impl Pipeline {
    /// The next commit's place. It is taken by [`Pipeline::took`], once the commit was let into the queue.
    pub(crate) fn next_place(&self) -> InPipeline {
        InPipeline { refused: Arc::clone(&self.refused), number: self.sent }
    }

    pub(crate) fn took(&mut self) {
        self.sent += 1;
    }
}

/// A commit's place in a pipeline.
#[derive(Clone, Debug)]
pub(crate) struct InPipeline {
    refused: Arc<AtomicU64>,
    number: u64,
}

impl InPipeline {
    /// Whether it is known that a commit before it was refused. Asked and said under the lock of the leader.
    pub(crate) fn is_behind_refused(&self) -> bool {
        self.refused.load(Ordering::Relaxed) < self.number
    }

    /// Whether it was sent behind `other` through the same pipeline.
    pub(crate) fn is_behind(&self, other: &InPipeline) -> bool {
        Arc::ptr_eq(&self.refused, &other.refused) && other.number < self.number
    }

    /// Says that this one was refused.
    pub(crate) fn refuse(&self) {
        self.refused.fetch_min(self.number, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
