//! [`Task::replay_from`]: steps run again, from a moment on.

use milepost_types::{At, CheckpointName, Receipt, Seq};

use super::{STEP, Step, StepRecord, StepState, path, same_input, within};
use crate::{
    Restore, Result,
    task::{Task, TaskError},
};

/// From where a task is replayed: a checkpoint of its scope, or a step, which runs again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplayPoint {
    /// As it was when the checkpoint was made.
    Checkpoint(CheckpointName),
    /// As it was before the step began for the first time. Of a loop's steps, as it was before the first of them.
    Step(Step),
}

impl From<CheckpointName> for ReplayPoint {
    fn from(name: CheckpointName) -> ReplayPoint {
        ReplayPoint::Checkpoint(name)
    }
}

impl From<Step> for ReplayPoint {
    fn from(step: Step) -> ReplayPoint {
        ReplayPoint::Step(step)
    }
}

impl Task {
    /// Makes the steps after a point run again: puts the whole scope back to what it was then, by one durable commit.
    /// What they said before stays in the history. Nothing is appended where nothing has changed since.
    ///
    /// Watermarks, jobs and keys of the same scope go back with it; what the task wrote to other scopes does not. Marks
    /// of a [`Progress`](crate::task::Progress) are in scopes below: what is marked stays so, and a step that is to do
    /// its items again begins with [`Progress::reset_all`](crate::task::Progress::reset_all).
    ///
    /// ```
    /// use milepost::{Scope, Store, Writer, task::Step};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("task/load")?);
    /// let run = |prices: &'static str| {
    ///     let task = store.task(&scope, Writer::new("worker-7")?)?;
    ///     task.step("extract", || Ok::<_, String>(12))?;
    ///     task.step("price", || Ok::<_, String>(prices.to_owned()))
    /// };
    /// assert_eq!(run("old")?, "old");
    /// assert_eq!(run("new")?, "old");
    /// store.task(&scope, Writer::new("ann")?)?.replay_from(Step::new("price"))?;
    /// assert_eq!(run("new")?, "new");
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn replay_from(&self, point: impl Into<ReplayPoint>) -> Result<Receipt> {
        let restored = match self.plan_replay(point)?.commit() {
            Some(commit) => self.sign(commit).durable()?,
            None => {
                self.is_ours()?;
                self.store.last()
            }
        };
        self.places.begin_anew();
        Ok(restored)
    }

    /// What [`Task::replay_from`] would put back. To look at it is a dry run.
    ///
    /// ```
    /// # use milepost::{Scope, Store, Writer, task::Step};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("task/load")?);
    /// let task = store.task(&scope, Writer::new("worker-7")?)?;
    /// task.step(Step::new("extract").in_any_order(), || Ok::<_, String>(12))?;
    /// task.step(Step::new("price").in_any_order(), || Ok::<_, String>(7))?;
    /// let plan = task.plan_replay(Step::new("extract"))?;
    /// let keys: Vec<_> = plan.differences().iter().map(|difference| difference.key.as_str()).collect();
    /// assert_eq!(keys, [".step/extract", ".step/price"]);
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn plan_replay(&self, point: impl Into<ReplayPoint>) -> Result<Restore> {
        self.store.restore(&self.scope, self.moment(point.into())?)
    }

    /// Refuses what a step would be refused for after a replay from a point: that there it has finished on another
    /// input. Appends nothing: ask before a replay that is made for the sake of one step.
    ///
    /// ```
    /// # use milepost::{ErrorKind, Scope, Store, Writer, task::Step};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("task/load")?);
    /// let task = store.task(&scope, Writer::new("worker-7")?)?;
    /// task.step(Step::new("extract").input("a"), || Ok::<_, String>(12))?;
    /// task.step("price", || Ok::<_, String>(7))?;
    /// let other = Step::new("extract").input("b");
    /// let refused = task.check_replay(Step::new("price"), &other).unwrap_err();
    /// assert_eq!(refused.kind(), ErrorKind::Changed);
    /// task.check_replay(Step::new("extract"), &other)?;
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn check_replay(&self, point: impl Into<ReplayPoint>, step: &Step) -> Result<()> {
        let path = path(&within::parent(self), step);
        let key = self.key(STEP, "name of a step", &path)?;
        let then = self.store.view(self.moment(point.into())?)?;
        let Some(value) = then.get(&self.scope, key.as_str())? else { return Ok(()) };
        match self.read_record::<StepRecord>(STEP, &key, &value)?.record {
            Some(record) if record.state == StepState::Done => same_input(&path, step, &record),
            Some(_) | None => Ok(()),
        }
    }

    fn moment(&self, point: ReplayPoint) -> Result<At> {
        Ok(match point {
            ReplayPoint::Checkpoint(name) => At::checkpoint(&self.scope, name.as_str()),
            ReplayPoint::Step(step) => At::Seq(self.before(&step)?),
        })
    }

    /// The last commit before a step began.
    fn before(&self, step: &Step) -> Result<Seq> {
        let path = path(&within::parent(self), step);
        let key = self.key(STEP, "name of a step", &path)?;
        let mut began = self.began(key.as_str())?;
        if began.is_none() && step.index.is_none() {
            began = self.loop_began(&path)?;
        }
        match began {
            Some(seq) => Ok(Seq(seq.0 - 1)),
            None => Err(TaskError::NoStep { step: path, scope: self.scope.clone() }.into()),
        }
    }

    /// The commit that began a step whose record is there: the newest one before which there was none. Where retention
    /// has taken away what was there before, that is not known.
    fn began(&self, key: &str) -> Result<Option<Seq>> {
        if self.store.get(&self.scope, key)?.is_none() {
            return Ok(None);
        }
        for change in self.store.history(&self.scope).key(key).newest_first().iter() {
            let change = change?;
            if change.scope.as_str() != self.scope.as_str() {
                continue;
            }
            if change.old_removed {
                break;
            }
            if change.old.is_none() {
                return Ok(Some(change.seq));
            }
        }
        let step = key.strip_prefix(&format!(".{STEP}/")).unwrap_or(key).to_owned();
        Err(TaskError::BeginRemoved { step, key: key.to_owned(), scope: self.scope.clone() }.into())
    }

    /// The commit that began the first of a loop's steps.
    fn loop_began(&self, path: &str) -> Result<Option<Seq>> {
        let mut first: Option<Seq> = None;
        for entry in self.store.view(At::Latest)?.scan(&self.scope, &format!(".{STEP}/{path}[")) {
            let began = self.began(entry?.key.as_str())?;
            first = match (first, began) {
                (Some(first), Some(began)) => Some(first.min(began)),
                (first, began) => first.or(began),
            };
        }
        Ok(first)
    }
}
