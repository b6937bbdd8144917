//! [`Turns`]: whose turn it is to change the memtable. [`Unread`]: a batch that is durable, or about to be, and not yet
//! to be read.
//!
//! Invariant: batches are folded and shown in order, each whole. Once one could not be folded, nothing after it is
//! shown:
//! what is durable then, only a new opening can tell.

use std::{ops::ControlFlow, sync::atomic::Ordering};

use milepost_io::Failure;
use milepost_types::{Receipt, Seq, body::Body};
use parking_lot::{Mutex, MutexGuard};

use super::judge::unreachable_body;
use crate::{CommitError, engine::Shared};

/// The turn, which goes from one who leads to the next. What it guards: why the memtable does not hold all that is
/// durable, once it does not.
#[derive(Debug, Default)]
pub(crate) struct Turns(Mutex<Option<Failure>>);

/// The turn to change the memtable, kept until the batch can be read.
#[derive(Debug)]
pub(crate) struct Turn<'a>(MutexGuard<'a, Option<Failure>>);

impl Turns {
    /// Waits for all batches before this one to be shown. Only who leads calls it.
    pub(crate) fn take(&self) -> Turn<'_> {
        Turn(self.0.lock())
    }
}

impl Turn<'_> {
    /// Whether everything before is in the memtable.
    pub(crate) fn check(&self) -> Result<(), CommitError> {
        self.0.clone().map_or(Ok(()), |failure| Err(CommitError::OutcomeUnknown(failure)))
    }
}

/// A batch that is not to be read yet, with the turn to fold it.
#[derive(Debug)]
pub(crate) struct Unread<'a> {
    /// The first commit that is not in the memtable yet.
    pub(crate) first: Seq,
    pub(crate) last: Receipt,
    pub(crate) turn: Turn<'a>,
}

impl Unread<'_> {
    /// Folds what is not in the memtable yet.
    pub(crate) fn fold(&mut self, shared: &Shared) {
        if self.turn.0.is_some() || self.first > self.last.seq {
            return;
        }
        // Until it has ended well: a panic leaves it so.
        *self.turn.0 = Some(Failure::new(&shared.dir, "fold a batch", "the folding thread panicked"));
        let folded = shared.fold(self.first, self.last.seq);
        self.first = Seq(self.last.seq.0 + 1);
        *self.turn.0 = folded.err().map(|error| {
            let failure = Failure::new(&shared.dir, "read back a commit", &error.to_string());
            shared.latch.trip_with(failure.clone());
            failure
        });
    }

    /// Shows the batch, which is durable, to readers.
    pub(crate) fn show(mut self, shared: &Shared) -> Result<(), CommitError> {
        self.fold(shared);
        self.turn.check()?;
        let before = shared.published().0;
        shared.publish(self.last);
        // All that is in the memtable is published, and nobody else changes it: this is the turn's.
        shared.freeze_if_full(self.last.seq);
        if shared.state.load().last_erasure_ever() > before {
            shared.compaction_wanted.store(true, Ordering::Release);
        }
        Ok(())
    }
}

impl Shared {
    /// Folds commits that were appended into the memtable.
    fn fold(&self, first: Seq, last: Seq) -> Result<(), CommitError> {
        let tiers = self.state.load();
        let (mut fault, mut inserter) = (None, tiers.inserter());
        let walked = self.reader.for_each_frame(first, last, &mut |frame| match Body::parse(frame.body)
            .and_then(|body| inserter.insert(frame.seq, &body))
        {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                fault = Some(unreachable_body(frame.seq.prev(), &error));
                ControlFlow::Break(())
            }
        });
        walked.map_err(CommitError::Corrupt)?;
        fault.map_or(Ok(()), Err)
    }
}

#[cfg(test)]
mod tests;
