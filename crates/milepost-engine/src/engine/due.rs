//! When compaction begins by itself, and when it has the open segment sealed for it.
//!
//! Invariant: what passes cost stays in proportion to what is written and told, or to the time that has gone by; and
//! what goes by the clock goes without a commit. A process of one commit begins no thread for it, where nothing was
//! ever said of what is kept.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use milepost_types::Timestamp;

use super::{Shared, compact::Asked};
use crate::{
    CommitError, Threads,
    compaction::{CompactError, Compactor, LastPass, Stage, Worth},
};

/// So long is rested after a step beside commits: with the bytes of a step, a bound on the share of the disk.
const REST: Duration = Duration::from_millis(5);
/// What a policy keeps for a time goes without anything being written.
const PASS_AT_LEAST_EVERY_US: i64 = 3_600_000_000;

impl Shared {
    /// Has a thread look from now on whether a pass is due, where one may ever be.
    pub(super) fn look_after_compaction(self: &Arc<Shared>) {
        self.compactor.lock().since = self.parts.clock.now();
        let may_be_due = || self.rules().map_or(true, |rules| self.can_anything_go(&rules));
        if self.compacts_by_itself() && may_be_due() {
            self.workers.begin_compact(self);
        }
    }

    /// After a batch. What was said of what is kept waits for the thread's next look: whoever says it by mistake has
    /// that long to take it back, and a process that does nothing else leaves no half a pass behind.
    pub(super) fn wake_compact_if_wanted(self: &Arc<Shared>) {
        if !self.compacts_by_itself() {
            return;
        }
        if self.compaction_wanted.load(Ordering::Acquire) && self.compaction_wanted.swap(false, Ordering::AcqRel) {
            self.workers.wake_compact(self);
        } else if self.state.load().last_told() > 0 {
            self.workers.begin_compact(self);
        }
    }

    fn compacts_by_itself(&self) -> bool {
        self.settings.compaction && self.settings.threads == Threads::Spawned && self.keeper.is_some()
    }

    /// Does a piece of a pass that is due, and then nothing for a while; whether there is more to do. For a thread.
    pub(super) fn compact_gently(self: &Arc<Shared>) -> bool {
        if self.is_compaction_paused() {
            return false;
        }
        let (is_idle, passes) = {
            let compactor = self.compactor.lock();
            (matches!(compactor.stage, Stage::Idle), compactor.done.passes)
        };
        let is_room_wanted = is_idle && self.take_room_wanted();
        if !is_room_wanted && !self.is_compaction_due() {
            return false;
        }
        let before = self.batches.load(Ordering::Relaxed);
        let worth = if is_room_wanted { Worth::Anything } else { Worth::AThird };
        match self.step_compact(worth, Asked::ByNobody) {
            Ok(is_more) => {
                // The disk and a core are for those who commit.
                if self.batches.load(Ordering::Relaxed) != before {
                    milepost_io::sleep(REST);
                }
                // What came while a pass was under way is for the next one.
                is_more || self.compactor.lock().done.passes > passes
            }
            Err(error) => {
                tracing::warn!(dir = %self.dir.display(), %error, "not compacted; it is tried again");
                false
            }
        }
    }

    /// Whether a pass of its own accord is due: the log has grown by an eighth, something was erased or said of what is
    /// kept, or an hour has gone by, or the clock was ahead at the last one. So what passes cost stays in proportion to
    /// what is written.
    fn is_compaction_due(&self) -> bool {
        let compactor = self.compactor.lock();
        if !matches!(compactor.stage, Stage::Idle) {
            return true;
        }
        let Some(last) = compactor.last else { return true };
        let now = self.as_it_is();
        now.told > last.told
            // The clock was ahead then.
            || now.at < last.at
            || (compactor.open_has_erased && self.is_sealing_due(&compactor))
            || now.log_bytes >= last.log_bytes + u64::from(self.settings.segment_bytes).max(last.log_bytes / 8)
            || now.at.0.saturating_sub(last.at.0) >= PASS_AT_LEAST_EVERY_US
    }

    /// Whether a pass of its own accord seals the open segment, without which nothing of it can go: soon if it holds
    /// what was erased; if a third of it goes, once in an hour in which it was not full.
    pub(super) fn is_sealing_due(&self, compactor: &Compactor) -> bool {
        let ended = compactor.last.map_or(compactor.since, |last| last.at);
        let now = self.parts.clock.now();
        // Or the clock was ahead then.
        let have_gone_by = |since: Timestamp, us: i64| now < since || now.0.saturating_sub(since.0) >= us;
        let soon_us = i64::try_from(self.settings.look_every.as_micros()).unwrap_or(i64::MAX);
        (compactor.open_has_erased && have_gone_by(compactor.since, soon_us))
            || (compactor.is_open_worth_it && have_gone_by(ended.max(compactor.since), PASS_AT_LEAST_EVERY_US))
    }

    /// Seals the open segment for a pass of its own accord, if there is room; whether it did.
    pub(super) fn seal_for(self: &Arc<Shared>, compactor: &mut Compactor) -> Result<bool, CompactError> {
        // Also where there is no room: it is tried again after as long.
        compactor.since = self.parts.clock.now();
        match self.seal_open() {
            Ok(()) => Ok(true),
            Err(CommitError::DiskFull { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// The last commit that erased anything, or said what is kept since the store was opened.
    pub(super) fn last_told(&self) -> u64 {
        let tiers = self.state.load();
        tiers.last_told().max(tiers.last_erasure_ever())
    }

    /// What the next pass is compared with.
    pub(super) fn as_it_is(&self) -> LastPass {
        let segments = self.reader.segment_stats();
        LastPass {
            log_bytes: segments.iter().map(|segment| segment.file_bytes).sum(),
            told: self.last_told(),
            at: self.parts.clock.now(),
        }
    }
}

#[cfg(test)]
mod tests;
