//! Segments written anew, and dropped: what the log needs of MANIFEST for it.
//!
//! Order, and which crash it survives: the new file is durable, MANIFEST lists it, readers see it, the old files are
//! handed over to be recycled. MANIFEST and what readers see change together as far as others who write MANIFEST can
//! tell: its lock is held across both.

use std::{ops::RangeInclusive, sync::Arc};

use milepost_io::Failure;
use milepost_log::{Dropped, Form, Recycler, Rewrite, RewriteError, Rewritten, SegmentId, SegmentStats};

use super::{Engine, Shared};
use crate::{CommitError, OpenError, Threads, manifest};

impl Engine {
    /// One line per segment of the log.
    #[must_use]
    pub fn segments(&self) -> Vec<SegmentStats> {
        self.shared().reader.segment_stats()
    }

    /// Begins to write sealed segments anew, as one. Nothing changes before [`Engine::adopt`].
    pub fn begin_rewrite(&self, ids: RangeInclusive<SegmentId>, form: Form) -> Result<Rewrite, RewriteError> {
        self.shared().begin_rewrite(ids, form)
    }

    /// Has a segment that was written anew stand in the place of those that it was made of.
    pub fn adopt(&self, rewritten: Rewritten) -> Result<(), CommitError> {
        self.shared().adopt(rewritten)
    }

    /// Lets sealed segments go, side by side; whether they were there. Nothing in them is read any more.
    pub fn drop_segments(&self, ids: &RangeInclusive<SegmentId>) -> Result<bool, CommitError> {
        self.shared().drop_segments(ids)
    }
}

impl Shared {
    pub(super) fn waits_for_readers(&self) -> bool {
        self.recycler.lock().as_ref().is_some_and(Recycler::waits_for_readers)
    }

    pub(crate) fn wake_recycle(self: &Arc<Shared>) {
        if self.settings.threads == Threads::Spawned {
            self.workers.wake_recycle(self);
        }
    }

    pub(crate) fn begin_rewrite(&self, ids: RangeInclusive<SegmentId>, form: Form) -> Result<Rewrite, RewriteError> {
        let mut rewriter = self.rewriter.lock();
        let closed =
            || RewriteError::Stopped(Failure::new(&self.dir, "write anew", "the store is closed or read-only"));
        rewriter.as_mut().ok_or_else(closed)?.begin(ids, form)
    }

    /// Has a segment that was written anew stand in the place of those that it was made of.
    pub(crate) fn adopt(self: &Arc<Shared>, rewritten: Rewritten) -> Result<(), CommitError> {
        let guard = self.rewriter.lock();
        let rewriter = guard.as_ref().ok_or(CommitError::Closed)?;
        let changed = self.keeper().change_and(
            |manifest| manifest.segments = manifest::rows(&rewriter.listed_with(&rewritten)),
            || rewriter.replace(&rewritten),
        );
        drop(guard);
        match changed.map_err(|error| self.not_written(error)) {
            Ok(dropped) => {
                self.recycle(dropped);
                Ok(())
            }
            // Which MANIFEST is there is not known: the new file may be listed.
            Err(stopped @ CommitError::Stopped(_)) => Err(stopped),
            Err(refused) => {
                rewritten.discard();
                Err(refused)
            }
        }
    }

    /// Lets sealed segments go, side by side; whether they were there.
    pub(crate) fn drop_segments(self: &Arc<Shared>, ids: &RangeInclusive<SegmentId>) -> Result<bool, CommitError> {
        let guard = self.rewriter.lock();
        let rewriter = guard.as_ref().ok_or(CommitError::Closed)?;
        if rewriter.listed_without(ids).is_none() {
            return Ok(false);
        }
        let dropped = self.keeper().change_and(
            |manifest| manifest.segments = manifest::rows(&rewriter.listed_without(ids).expect("asked above")),
            || rewriter.drop_segments(ids),
        );
        drop(guard);
        self.recycle(dropped.map_err(|error| self.not_written(error))?);
        Ok(true)
    }

    /// Why MANIFEST was not written.
    pub(crate) fn not_written(&self, error: OpenError) -> CommitError {
        match error {
            OpenError::DiskFull { need, free, .. } => CommitError::DiskFull { need, free },
            OpenError::Stopped(failure) => CommitError::Stopped(failure),
            refused @ (OpenError::Permission { .. } | OpenError::Io { .. }) => {
                CommitError::Write(Failure::new(&self.dir, "write MANIFEST", &refused.to_string()))
            }
            // None of these is about writing it.
            other @ (OpenError::Missing { .. }
            | OpenError::NotAStore { .. }
            | OpenError::ManifestMissing { .. }
            | OpenError::NewerFormat { .. }
            | OpenError::NewerCommit(_)
            | OpenError::InUse { .. }
            | OpenError::Corrupt(_)
            | OpenError::NoIndex { .. }
            | OpenError::Limit(_)) => unreachable!("writing MANIFEST: {other}"),
        }
    }

    fn recycle(self: &Arc<Shared>, dropped: Vec<Dropped>) {
        if let Some(recycler) = self.recycler.lock().as_mut() {
            dropped.into_iter().for_each(|dropped| recycler.recycle(dropped));
        }
        self.wake_recycle();
    }
}
