//! Compaction of an open store: what [`Compactor`]'s steps do to it.
//!
//! Order of a pass, and which crash it survives: the horizons are durable in MANIFEST and in force; whoever commits
//! then knows them; what was judged before is folded; only then it is looked at what may go. What is written anew is
//! as [`super::segments`] and [`super::thinning`] have it.
//!
//! Invariant: one pass at a time. Commits wait for a pass once, for as long as it takes to take the lead and to fold;
//! reads never do.

use std::{collections::VecDeque, ops::RangeInclusive, sync::Arc};

use milepost_io::Room;
use milepost_log::{Form, RewriteError, Rewritten, Rewrote, SegmentId};
use milepost_types::{Policy, Receipt, Timestamp};

use super::{Engine, Leading, Relay, Shared};
use crate::{
    CommitError, Compacted, ReadError,
    compaction::{
        ColdFrom, CompactError, Compactor, Keeping, LastPass, PutOff, Stage, Survey, Sweep, Tally, Task, Worth, plan,
    },
    manifest,
    retention::{Horizons, Judging, Rules},
};

/// Versions that a step of the survey counts.
pub(super) const SURVEY_VERSIONS: usize = 10_000;
/// Bytes that a step of a rewrite reads.
const REWRITE_BYTES: usize = 256 << 10;

/// Who has a step done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// Somebody who waits for it.
    ByHand,
    /// The store itself: not while it is paused.
    ByNobody,
}

impl Engine {
    /// Takes out of the log what retention does not keep any more, all of it, now. `progress` is told the bytes of
    /// segments that were seen to and of all that are.
    pub fn compact(&self, progress: &mut dyn FnMut(u64, u64)) -> Result<Compacted, CompactError> {
        self.compact_all(Worth::Anything, progress)
    }

    /// The same, and compresses all that is there, whatever its age.
    pub fn compact_cold(&self, progress: &mut dyn FnMut(u64, u64)) -> Result<Compacted, CompactError> {
        self.compact_all(Worth::Cold, progress)
    }

    fn compact_all(&self, worth: Worth, progress: &mut dyn FnMut(u64, u64)) -> Result<Compacted, CompactError> {
        let shared = self.shared();
        let before = shared.compactor.lock().done;
        let mut is_sealed = false;
        if worth == Worth::Cold {
            shared.seal_open()?;
            is_sealed = true;
        }
        loop {
            let changed = shared.compact_once(worth, progress)?;
            if !is_sealed && shared.compactor.lock().open_has_dead {
                // Only what is sealed can be written anew.
                shared.seal_open()?;
                is_sealed = true;
            } else if !changed {
                // What was taken out is on the disk until its file is overwritten or gone.
                while shared.step_recycle() {}
                let compactor = shared.compactor.lock();
                return compactor.stuck.map_or_else(
                    || Ok(compactor.done.since(&before)),
                    |segment| Err(CompactError::NotSealed(segment)),
                );
            }
        }
    }

    /// Does a piece of compaction that is worth its while, if it is not paused; whether there was anything to do.
    pub fn step_compact(&self) -> Result<bool, CompactError> {
        self.shared().step_compact(Worth::AThird, Asked::ByNobody)
    }

    /// What compaction has done since the store was opened.
    #[must_use]
    pub fn compacted(&self) -> Compacted {
        self.shared().compactor.lock().done
    }
}

impl Shared {
    /// A pass of its own from its beginning to its end; whether anything is less than it was.
    fn compact_once(
        self: &Arc<Shared>,
        worth: Worth,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<bool, CompactError> {
        let before = {
            // One that was under way began before now: what is asked for may be newer.
            let mut compactor = self.compactor.lock();
            compactor.give_up();
            compactor.done
        };
        while self.step_compact(worth, Asked::ByHand)? {
            let (seen_bytes, task_bytes, passes) = {
                let compactor = self.compactor.lock();
                (compactor.seen_bytes, compactor.task_bytes, compactor.done.passes)
            };
            // Without the lock: it may ask how far compaction is, or pause it.
            progress(seen_bytes, task_bytes);
            if passes > before.passes {
                break;
            }
        }
        let compactor = self.compactor.lock();
        let done = compactor.done.since(&before);
        // A thread may have begun a pass of its own, for less.
        let is_another = done.passes > 0 && compactor.worth != worth;
        Ok(is_another || done.dropped > 0 || done.bytes_after < done.bytes_before || done.runs > 0)
    }

    /// Does a piece; whether there is more to do of the same pass. With none under way, begins one if anything could
    /// come of it.
    pub(super) fn step_compact(self: &Arc<Shared>, worth: Worth, asked: Asked) -> Result<bool, CompactError> {
        if self.is_child() || self.is_closed() || self.keeper.is_none() {
            return Ok(false);
        }
        if let Some(failure) = self.latch.failure() {
            return Err(CommitError::Stopped(failure).into());
        }
        let mut compactor = self.compactor.lock();
        if asked == Asked::ByNobody && self.is_compaction_paused() {
            return Ok(false);
        }
        let stepped = self.step_of(&mut compactor, worth);
        if stepped.is_err() {
            // What was under way is begun anew by the next attempt.
            compactor.give_up();
        }
        stepped
    }

    fn step_of(self: &Arc<Shared>, compactor: &mut Compactor, worth: Worth) -> Result<bool, CompactError> {
        compactor.now = compactor.now.min(self.now());
        match &mut compactor.stage {
            Stage::Idle => {
                // What is told from now on is for another pass, however much of it this one sees.
                compactor.told = self.last_told();
                compactor.now = self.now();
                let policies = self.rules()?.policies;
                let is_any = |of: fn(&Policy) -> Option<u64>| policies.iter().any(|set| of(&set.policy).is_some());
                let is_due = is_any(|policy| policy.expire_ended_us);
                compactor.begin(Stage::Expire(Sweep { is_due, next: String::new(), has_gone: false }), worth);
                // For what goes by the clock it is looked at once more.
                if is_due || is_any(|policy| policy.keep_for_us) {
                    return Ok(true);
                }
                self.begin_survey(compactor)
            }
            Stage::Expire(Sweep { is_due: false, .. }) => self.begin_survey(compactor),
            Stage::Expire(sweep) => {
                let swept = self.expire_ended(&sweep.next, compactor.now)?;
                sweep.has_gone |= swept.has_gone;
                match swept.next {
                    Some(next) => sweep.next = next,
                    None if sweep.has_gone => (sweep.next, sweep.has_gone) = (String::new(), false),
                    None => return self.begin_survey(compactor),
                }
                Ok(true)
            }
            Stage::Survey(survey) => match survey.step(self, SURVEY_VERSIONS)? {
                true => Ok(true),
                false => self.end_survey(compactor),
            },
            Stage::Work { .. } => self.step_work(compactor),
            Stage::Index { .. } => self.step_thinning(compactor),
        }
    }

    fn begin_survey(self: &Arc<Shared>, compactor: &mut Compactor) -> Result<bool, CompactError> {
        let rules = self.rules()?;
        let Some(survey) = self.begin_pass(&rules, compactor.worth, compactor.now)? else {
            compactor.give_up();
            return Ok(false);
        };
        compactor.rules = rules;
        compactor.stage = Stage::Survey(Box::new(survey));
        Ok(true)
    }

    /// Plans what is to be done about what was counted.
    fn end_survey(self: &Arc<Shared>, compactor: &mut Compactor) -> Result<bool, CompactError> {
        let Stage::Survey(mut survey) = std::mem::take(&mut compactor.stage) else {
            unreachable!("asked by the stage")
        };
        compactor.look_at_open(survey.tallies().last());
        // By hand it is sealed when all else is done.
        if compactor.worth == Worth::AThird && self.is_sealing_due(compactor) && self.seal_for(compactor)? {
            return self.begin_survey(compactor);
        }
        let tasks = plan(survey.tallies(), compactor.worth, u64::from(self.settings.segment_bytes));
        let runs_to_thin = survey.runs_to_thin(&tasks, compactor.worth);
        compactor.stuck = survey.stuck(compactor.worth);
        compactor.work(tasks.into(), &self.reader.segment_stats());
        (compactor.runs_to_thin, compactor.voids) = (runs_to_thin, survey.take_voids());
        Ok(true)
    }

    /// Moves the horizons, and begins to look at what may go then; `None` if nothing can.
    fn begin_pass(
        self: &Arc<Shared>,
        rules: &Rules,
        worth: Worth,
        now: Timestamp,
    ) -> Result<Option<Survey>, CompactError> {
        if worth != Worth::Cold && !self.can_anything_go(rules) {
            return Ok(None);
        }
        let last = Receipt { seq: self.published(), at: self.published_at() };
        self.move_horizons(self.next_horizons(rules, last, now)?)?;
        self.see_judged_folded();
        let cold = if worth == Worth::Cold { ColdFrom::ALL } else { ColdFrom::by(rules, now) };
        let segments = self.reader.segment_stats();
        Ok(Some(Survey::new(self.state.pin(), &segments, cold)))
    }

    pub(super) fn can_anything_go(&self, rules: &Rules) -> bool {
        !rules.policies.is_empty()
            || !self.retention.horizons().rows().is_empty()
            || self.state.pin().last_erasure_ever() > 0
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

    /// What is wanted by all that was acknowledged.
    pub(super) fn rules(&self) -> Result<Rules, ReadError> {
        Rules::read(&self.state.pin(), self, self.published())
    }

    /// Keeps what comes from being judged, for as long as it is held.
    fn take_lead(self: &Arc<Shared>) -> Leading<'_> {
        Leading { guard: self.leader.lock(), _relay: Relay { shared: self } }
    }

    /// Comes back when all that was judged before is folded: what is judged later is judged by the horizons in force.
    fn see_judged_folded(self: &Arc<Shared>) {
        let _leading = self.take_lead();
        drop(self.turn.take());
    }

    fn step_work(self: &Arc<Shared>, compactor: &mut Compactor) -> Result<bool, CompactError> {
        let Stage::Work { tasks, current } = &mut compactor.stage else { unreachable!("asked by the stage") };
        if let Some((rewrite, task)) = current {
            let tiers = self.state.pin();
            let mut keeping = Keeping::new(Judging::now(self, &tiers)?, &compactor.voids);
            let rewrote = match rewrite.step(REWRITE_BYTES, &mut |frame| keeping.verdict(frame)) {
                Err(RewriteError::DiskFull { need, free }) => {
                    let task = task.clone();
                    self.without_room(compactor, task, (need, free));
                    return Ok(true);
                }
                rewrote => rewrote?,
            };
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
                    let finished = self.finish(compactor, &task, rewritten);
                    compactor.put_off.is_worth_retrying |= finished.is_ok();
                    (compactor.put_off.lent, compactor.put_off.is_retried) = (None, false);
                    finished?;
                }
            }
            return Ok(true);
        }
        match tasks.pop_front() {
            None if !compactor.put_off.tasks.is_empty() => {
                if let Some((need, free)) = compactor.put_off.lacked
                    && !std::mem::take(&mut compactor.put_off.is_worth_retrying)
                {
                    return Err(CompactError::DiskFull { need, free });
                }
                tasks.append(&mut compactor.put_off.tasks);
                Ok(true)
            }
            None => {
                let ranges = std::mem::take(&mut compactor.runs_to_thin).into();
                compactor.stage = Stage::Index { ranges, current: None };
                Ok(true)
            }
            Some(Task::Drop(ids)) => self.drop_whole(compactor, &ids),
            Some(Task::Rewrite(ids, form)) => {
                let task = Task::Rewrite(ids.clone(), form);
                match self.begin_rewrite(ids, form) {
                    Ok(rewrite) => *current = Some((Box::new(rewrite), task)),
                    Err(RewriteError::DiskFull { need, free }) => self.without_room(compactor, task, (need, free)),
                    Err(error) => return Err(error.into()),
                }
                Ok(true)
            }
        }
    }

    /// Lets segments go of which nothing stays; not if a policy or a hold was set or taken back since the pass began.
    fn drop_whole(
        self: &Arc<Shared>,
        compactor: &mut Compactor,
        ids: &RangeInclusive<SegmentId>,
    ) -> Result<bool, CompactError> {
        let _leading = self.take_lead();
        if self.rules()? != compactor.rules {
            compactor.give_up();
            return Ok(true);
        }
        let bytes = self.file_bytes(ids.start(), ids.end());
        if self.drop_segments(ids)? {
            compactor.done.dropped += 1;
            compactor.done.bytes_before += bytes;
            compactor.put_off.is_worth_retrying = true;
        }
        compactor.seen_bytes += bytes;
        Ok(true)
    }

    /// A task that there was no room for is tried once more with what room there can be; then it is put off behind the
    /// others, which may give some back, each of its segments by itself.
    fn without_room(self: &Arc<Shared>, compactor: &mut Compactor, task: Task, lacked: (u64, Room)) {
        let Stage::Work { tasks, current } = &mut compactor.stage else { unreachable!("its caller is at work") };
        *current = None;
        let put_off = &mut compactor.put_off;
        put_off.lent = None;
        if !std::mem::replace(&mut put_off.is_retried, true) {
            put_off.lent = self.room_for_rewrite();
            tasks.push_front(task);
            return;
        }
        (put_off.is_retried, put_off.lacked) = (false, Some(lacked));
        let ids = task.ids();
        let within = |id: &SegmentId| ids.contains(id);
        let form = if let Task::Rewrite(_, form) = &task { *form } else { Form::Raw };
        let each = self.reader.segment_stats().into_iter().map(|segment| segment.name.id).filter(within);
        let each: Vec<Task> = each.map(|id| Task::Rewrite(id..=id, form)).collect();
        if each.len() > 1 {
            tasks.extend(each);
        } else {
            put_off.tasks.push_back(task);
        }
    }

    /// Has what was written anew count; or drops what it would stand for, if nothing is in it. Not if a policy or a
    /// hold was set or taken back since the pass began: then all is judged anew.
    fn finish(
        self: &Arc<Shared>,
        compactor: &mut Compactor,
        task: &Task,
        rewritten: Rewritten,
    ) -> Result<(), CompactError> {
        let _leading = self.take_lead();
        if self.rules()? != compactor.rules {
            rewritten.discard();
            compactor.give_up();
            return Ok(());
        }
        let ids = task.ids();
        let (before, after) = (self.file_bytes(ids.start(), ids.end()), rewritten.bytes());
        if rewritten.frames() == 0 {
            rewritten.discard();
            self.drop_segments(ids)?;
            compactor.done.dropped += 1;
        } else {
            self.adopt(rewritten)?;
            compactor.done.rewritten += 1;
            compactor.done.made_cold += u64::from(matches!(task, Task::Rewrite(_, Form::Compressed)));
            compactor.done.bytes_after += after;
        }
        compactor.done.bytes_before += before;
        compactor.seen_bytes += before;
        Ok(())
    }

    /// Ends a pass.
    pub(super) fn end_pass(&self, compactor: &mut Compactor) {
        compactor.stage = Stage::Idle;
        compactor.done.passes += 1;
        compactor.last = Some(LastPass { told: compactor.told, ..self.as_it_is() });
    }

    fn file_bytes(&self, first: &SegmentId, last: &SegmentId) -> u64 {
        let segments = self.reader.segment_stats();
        let within = |id: SegmentId| *first <= id && id <= *last;
        segments.iter().filter(|segment| within(segment.name.id)).map(|segment| segment.file_bytes).sum()
    }

    /// Seals the open segment, so that what is in it can be taken out.
    pub(super) fn seal_open(self: &Arc<Shared>) -> Result<(), CommitError> {
        let mut leading = Leading { guard: self.leader.lock(), _relay: Relay { shared: self } };
        match leading.guard.as_mut() {
            Some(leader) => leader.roll(self),
            None => Err(CommitError::Closed),
        }
    }
}

impl Compactor {
    /// Forgets what was under way.
    pub(super) fn give_up(&mut self) {
        (self.stage, self.put_off) = (Stage::Idle, PutOff::default());
    }

    fn begin(&mut self, stage: Stage, worth: Worth) {
        self.put_off = PutOff::default();
        (self.stage, self.worth) = (stage, worth);
        (self.seen_bytes, self.task_bytes) = (0, 0);
    }

    /// What of the open segment goes, which is the last that was counted.
    fn look_at_open(&mut self, last: Option<&Tally>) {
        let open = last.filter(|tally| !tally.is_sealed && tally.goes > 0);
        self.open_has_dead = open.is_some();
        self.open_has_erased = open.is_some_and(|tally| tally.is_erased);
        self.is_open_worth_it = open.is_some_and(|tally| 3 * tally.goes >= tally.stays + tally.goes);
    }

    fn work(&mut self, tasks: VecDeque<Task>, segments: &[milepost_log::SegmentStats]) {
        let is_of = |id: SegmentId| tasks.iter().any(|task| task.ids().contains(&id));
        self.task_bytes =
            segments.iter().filter(|segment| is_of(segment.name.id)).map(|segment| segment.file_bytes).sum();
        self.stage = Stage::Work { tasks, current: None };
    }
}
