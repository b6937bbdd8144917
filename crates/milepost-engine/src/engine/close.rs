//! The end of an open store: what waits is led, what memory holds is left so that the next opening has little to do.
//!
//! Invariant: each commit that came into the queue is told its outcome. The lock of the directory is let go after
//! MANIFEST was written.

use std::sync::{Arc, atomic::Ordering};

use milepost_log::LogWriter;

use super::Shared;
use crate::{CommitError, commit::Outcome, manifest};

impl Shared {
    pub(super) fn close(self: &Arc<Shared>) -> Result<(), CommitError> {
        if self.fork.is_child() {
            return Err(CommitError::Forked);
        }
        if self.closed.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        self.workers.stop();
        let mut guard = self.leader.lock();
        let Some(mut leader) = guard.take() else { return Ok(()) };
        while let Some(generation) = self.queue.take() {
            leader.lead(self, generation).tell();
        }
        drop(guard);
        self.refuse_waiting();
        self.flush_last();
        if let Some(mut recycler) = self.recycler.lock().take() {
            recycler.discard();
        }
        *self.rewriter.lock() = None;
        self.seal_last(&mut leader.writer);
        let closed = if self.latch.failure().is_none() {
            let clean = manifest::clean_row(&leader.writer.clean_mark());
            self.write_manifest(&leader.writer, Some(clean))
        } else {
            Ok(())
        };
        *self.dir_lock.lock() = None;
        self.watch_bell.notify_all();
        closed
    }

    /// Seals the open segment if it is large: what is sealed is mapped by the next opening, what is open is read. No
    /// spare is left that the next one would begin in: it stays as small as it is.
    fn seal_last(&self, writer: &mut LogWriter) {
        let open_bytes = self.reader.segment_stats().last().map_or(0, |open| open.frame_bytes);
        if self.latch.failure().is_some() || open_bytes < self.settings.unsealed_bytes_max() {
            return;
        }
        if let Err(error) = writer.roll() {
            tracing::warn!(dir = %self.dir.display(), %error, "not sealed; the next opening takes longer");
        }
    }

    /// After closing nobody leads: what came into the queue too late is told so.
    pub(super) fn refuse_if_closed(&self) {
        if self.is_closed() && self.leader.lock().is_none() {
            self.refuse_waiting();
        }
    }

    /// Tells what waits, after the leader has gone, that the store is closed.
    fn refuse_waiting(&self) {
        while let Some(generation) = self.queue.take() {
            let outcomes: Vec<Outcome> = vec![Err(CommitError::Closed); generation.commits.len()];
            generation.fate.complete(outcomes);
        }
    }
}
