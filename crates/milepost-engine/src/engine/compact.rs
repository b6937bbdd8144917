//! Compaction of an open store: what [`Compactor`]'s steps do to it.
//!
//! Order of a pass, and which crash it survives: the horizons are durable in MANIFEST and in force; whoever commits
//! then knows them; what was judged before is folded; only then it is looked at what may go. What is written anew is
//! as [`super::segments`] has it.
//!
//! Invariant: one pass at a time. Commits wait for a pass once, for as long as it takes to take the lead and to fold;
//! reads never do.

use std::{collections::VecDeque, sync::Arc};

use milepost_log::{Form, Rewritten, Rewrote, SegmentId};
use milepost_types::Receipt;

use super::{Engine, Leading, Relay, Shared};
use crate::{
    CommitError, Compacted,
    compaction::{CompactError, Compactor, Keeping, Stage, Survey, Task, Worth, plan},
    manifest,
    retention::{Horizons, Judging, Rules},
};

/// Versions that a step of the survey counts.
const SURVEY_VERSIONS: usize = 10_000;
/// Bytes that a step of a rewrite reads.
const REWRITE_BYTES: usize = 256 << 10;

impl Engine {
    /// Takes out of the log what retention does not keep any more, all of it, now. `progress` is told the bytes of
    /// segments that were seen to and of all that are.
    pub fn compact(&self, progress: &mut dyn FnMut(u64, u64)) -> Result<Compacted, CompactError> {
        let shared = self.shared();
        let before = shared.compactor.lock().done;
        shared.seal_open()?;
        loop {
            let changed = shared.compact_once(progress)?;
            if !changed {
                return Ok(shared.compactor.lock().done.since(&before));
            }
        }
    }

    /// Does a piece of compaction that is worth its while; whether there was anything to do.
    pub fn step_compact(&self) -> Result<bool, CompactError> {
        self.shared().step_compact(Worth::AThird)
    }

    /// What compaction has done since the store was opened.
    #[must_use]
    pub fn compacted(&self) -> Compacted {
        self.shared().compactor.lock().done
    }
}

impl Shared {
    /// A pass of its own from its beginning to its end; whether it changed anything.
    fn compact_once(self: &Arc<Shared>, progress: &mut dyn FnMut(u64, u64)) -> Result<bool, CompactError> {
        let before = {
            // One that was under way began before now: what is asked for may be newer.
            let mut compactor = self.compactor.lock();
            compactor.stage = Stage::Idle;
            compactor.done
        };
        while self.step_compact(Worth::Anything)? {
            let compactor = self.compactor.lock();
            progress(compactor.seen_bytes, compactor.task_bytes);
            if compactor.done.passes > before.passes {
                break;
            }
        }
        let done = self.compactor.lock().done;
        Ok((done.dropped, done.rewritten) != (before.dropped, before.rewritten))
    }

    /// Does a piece; whether there is more to do of the same pass. With none under way, begins one if anything could
    /// come of it.
    pub(crate) fn step_compact(self: &Arc<Shared>, worth: Worth) -> Result<bool, CompactError> {
        if self.is_child() || self.is_closed() || self.keeper.is_none() {
            return Ok(false);
        }
        if let Some(failure) = self.latch.failure() {
            return Err(CommitError::Stopped(failure).into());
        }
        let mut compactor = self.compactor.lock();
        let stepped = self.step_of(&mut compactor, worth);
        if stepped.is_err() {
            // What was under way is begun anew by the next attempt.
            compactor.stage = Stage::Idle;
        }
        stepped
    }

    fn step_of(self: &Arc<Shared>, compactor: &mut Compactor, worth: Worth) -> Result<bool, CompactError> {
        match &mut compactor.stage {
            Stage::Idle => {
                let Some(survey) = self.begin_pass()? else { return Ok(false) };
                compactor.begin(survey, worth);
                Ok(true)
            }
            Stage::Survey(survey) => {
                if !survey.step(self, SURVEY_VERSIONS)? {
                    let tasks = plan(survey.tallies(), compactor.worth, u64::from(self.settings.segment_bytes));
                    compactor.work(tasks.into(), &self.reader.segment_stats());
                }
                Ok(true)
            }
            Stage::Work { .. } => self.step_work(compactor),
        }
    }

    /// Moves the horizons, and begins to look at what may go then; `None` if nothing can.
    fn begin_pass(self: &Arc<Shared>) -> Result<Option<Survey>, CompactError> {
        let rules = {
            let tiers = self.state.pin();
            let rules = Rules::read(&tiers, &**self, self.published())?;
            if rules.policies.is_empty() && self.retention.horizons().rows().is_empty() && !tiers.has_erasures() {
                return Ok(None);
            }
            rules
        };
        let last = Receipt { seq: self.published(), at: self.published_at() };
        self.move_horizons(self.next_horizons(&rules, last)?)?;
        self.see_judged_folded();
        let segments = self.reader.segment_stats();
        Ok(Some(Survey::new(self.state.pin(), &segments)))
    }

    /// Puts horizons in force, durably first.
    fn move_horizons(&self, horizons: Horizons) -> Result<(), CompactError> {
        if *self.retention.horizons() == horizons {
            return Ok(());
        }
        self.keeper().change(|manifest| manifest.horizons = manifest::horizon_rows(&horizons))?;
        self.retention.set(horizons);
        Ok(())
    }

    /// Comes back when all that was judged before is folded: what is judged later is judged by the horizons in force.
    fn see_judged_folded(self: &Arc<Shared>) {
        let _leading = Leading { guard: self.leader.lock(), _relay: Relay { shared: self } };
        drop(self.turn.take());
    }

    fn step_work(self: &Arc<Shared>, compactor: &mut Compactor) -> Result<bool, CompactError> {
        let Stage::Work { tasks, current } = &mut compactor.stage else { unreachable!("asked by the stage") };
        if let Some((rewrite, task)) = current {
            let tiers = self.state.pin();
            let mut keeping = Keeping::new(Judging::now(self, &tiers)?);
            let rewrote = rewrite.step(REWRITE_BYTES, &mut |frame| keeping.verdict(frame))?;
            let ended = keeping.end();
            match rewrote {
                Rewrote::More => ended?,
                Rewrote::Done(rewritten) => {
                    if let Err(error) = ended {
                        rewritten.discard();
                        return Err(error.into());
                    }
                    let task = task.clone();
                    *current = None;
                    self.finish(compactor, &task, rewritten)?;
                }
            }
            return Ok(true);
        }
        match tasks.pop_front() {
            None => {
                compactor.stage = Stage::Idle;
                compactor.done.passes += 1;
                Ok(false)
            }
            Some(Task::Drop(ids)) => {
                let bytes = self.file_bytes(ids.start(), ids.end());
                if self.drop_segments(&ids)? {
                    compactor.done.dropped += 1;
                    compactor.done.bytes_before += bytes;
                }
                compactor.seen_bytes += bytes;
                Ok(true)
            }
            Some(task) => {
                let (Task::Drop(ids) | Task::Rewrite(ids)) = &task;
                *current = Some((Box::new(self.begin_rewrite(ids.clone(), Form::Raw)?), task));
                Ok(true)
            }
        }
    }

    /// Has what was written anew count; or drops what it would stand for, if nothing is in it.
    fn finish(
        self: &Arc<Shared>,
        compactor: &mut Compactor,
        task: &Task,
        rewritten: Rewritten,
    ) -> Result<(), CompactError> {
        let (Task::Drop(ids) | Task::Rewrite(ids)) = task;
        let (before, after) = (self.file_bytes(ids.start(), ids.end()), rewritten.bytes());
        if rewritten.frames() == 0 {
            rewritten.discard();
            self.drop_segments(ids)?;
            compactor.done.dropped += 1;
        } else {
            self.adopt(rewritten)?;
            compactor.done.rewritten += 1;
            compactor.done.bytes_after += after;
        }
        compactor.done.bytes_before += before;
        compactor.seen_bytes += before;
        Ok(())
    }

    fn file_bytes(&self, first: &SegmentId, last: &SegmentId) -> u64 {
        let segments = self.reader.segment_stats();
        let within = |id: SegmentId| *first <= id && id <= *last;
        segments.iter().filter(|segment| within(segment.name.id)).map(|segment| segment.file_bytes).sum()
    }

    /// Seals the open segment, so that what is in it can be taken out.
    fn seal_open(self: &Arc<Shared>) -> Result<(), CommitError> {
        let mut leading = Leading { guard: self.leader.lock(), _relay: Relay { shared: self } };
        match leading.guard.as_mut() {
            Some(leader) => leader.roll(self),
            None => Err(CommitError::Closed),
        }
    }
}

impl Compactor {
    fn begin(&mut self, survey: Survey, worth: Worth) {
        (self.stage, self.worth) = (Stage::Survey(Box::new(survey)), worth);
        (self.seen_bytes, self.task_bytes) = (0, 0);
    }

    fn work(&mut self, tasks: VecDeque<Task>, segments: &[milepost_log::SegmentStats]) {
        let is_of = |id: SegmentId| {
            tasks.iter().any(|task| {
                let (Task::Drop(ids) | Task::Rewrite(ids)) = task;
                ids.contains(&id)
            })
        };
        self.task_bytes =
            segments.iter().filter(|segment| is_of(segment.name.id)).map(|segment| segment.file_bytes).sum();
        self.stage = Stage::Work { tasks, current: None };
    }
}
