//! Steps: run once, replay the result ever after.
//!
//! ```
//! use milepost::{Scope, Store, Writer};
//! # let dir = tempfile::tempdir().unwrap();
//! let (store, scope) = (Store::open(dir.path())?, Scope::parse("task/etl/load")?);
//! let load = |attempt| {
//!     let task = store.task(&scope, Writer::new("worker-7")?.attempt(attempt))?;
//!     let files = task.step("list", || Ok::<_, std::io::Error>(vec!["a.csv", "b.csv"].len()))?;
//!     for n in 0..files {
//!         task.step(("load", n), || if n < attempt as usize { Ok(n * 100) } else { Err("the disk is full") })?;
//!     }
//!     Ok::<_, milepost::Error>(())
//! };
//! // The first attempt gets through one file, the second one goes on with the other.
//! assert_eq!(load(1).unwrap_err().to_string(), "step load[1] failed: the disk is full");
//! load(2)?;
//! # Ok::<(), milepost::Error>(())
//! ```
//!
//! What runs once is a step that *finished*: one that was killed, failed or panicked runs again. A step within another
//! is written by calling [`Task::step`] in the closure of the outer one, on the same thread; where the outer one runs
//! again, the inner ones that finished don't.
//!
//! Invariant: a step's closure runs only after it is durable that it begins, which an older attempt is refused; its
//! result is durable before it is returned, and never changes but by a replay.

mod places;
mod replay;
mod within;

use std::fmt;

use milepost_types::{Key, Receipt, Seq};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;

use self::places::Place;
pub(crate) use self::places::Places;
pub use self::replay::ReplayPoint;
use super::{Boxed, Task, TaskError, record::fingerprint, segment};
use crate::{CommitBuilder, Error, ErrorKind, Result};

/// The pattern's name in keys and messages.
const STEP: &str = "step";
/// Stands behind an error that was cut.
const CUT: &str = "…";

/// Which step, and on which input. A `&str`, a `String` and a pair as in `("page", 7)` are steps too.
///
/// ```
/// use milepost::task::Step;
/// assert_eq!(Step::new("load").to_string(), "load");
/// assert_eq!(Step::from(("page", 7)).to_string(), "page[7]");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    name: String,
    index: Option<String>,
    input: Option<String>,
    is_ordered: bool,
}

/// How far a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum StepState {
    /// It has begun; it runs, or was killed, or has panicked.
    Begun,
    /// It has failed; the next attempt runs it again.
    Failed,
    /// It has finished: its result is what it is.
    Done,
}

/// What is recorded of a step.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StepRecord {
    /// How far it is.
    pub state: StepState,
    /// How often it has begun.
    pub attempts: u32,
    /// The fingerprint of its input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
    /// Its result, as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Box<RawValue>>,
    /// What it failed with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Step {
    /// A step by its name.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Step {
        Step { name: name.into(), index: None, input: None, is_ordered: true }
    }

    /// Says on what it runs, in any bytes: once it has finished, it is an error to call it with something else.
    ///
    /// ```
    /// # use milepost::{ErrorKind, Scope, Store, Writer, task::Step};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("task/load")?);
    /// let lines = |text: &str| {
    ///     let task = store.task(&scope, Writer::new("worker-7")?)?;
    ///     task.step(Step::new("lines").input(text), || Ok::<_, String>(text.lines().count()))
    /// };
    /// assert_eq!(lines("a\nb")?, 2);
    /// assert_eq!(lines("a\nb\nc").unwrap_err().kind(), ErrorKind::Changed);
    /// # Ok::<(), milepost::Error>(())
    /// ```
    #[must_use]
    pub fn input(mut self, input: impl AsRef<[u8]>) -> Step {
        self.input = Some(fingerprint(input.as_ref()));
        self
    }

    /// Lets it come at any place: where threads or processes decide about the order.
    ///
    /// ```
    /// # use milepost::{Scope, Store, Writer, task::Step};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("task/load")?);
    /// let run = |names: [&str; 2]| {
    ///     let task = store.task(&scope, Writer::new("worker-7")?)?;
    ///     names.into_iter().try_for_each(|name| task.step(Step::new(name).in_any_order(), || Ok::<(), String>(())))
    /// };
    /// run(["left", "right"])?;
    /// run(["right", "left"])?;
    /// # Ok::<(), milepost::Error>(())
    /// ```
    #[must_use]
    pub fn in_any_order(mut self) -> Step {
        self.is_ordered = false;
        self
    }
}

impl From<&str> for Step {
    fn from(name: &str) -> Step {
        Step::new(name)
    }
}

impl From<String> for Step {
    fn from(name: String) -> Step {
        Step::new(name)
    }
}

/// One of many in a loop. They may come in any order, and from many threads.
impl<N: Into<String>, I: fmt::Display> From<(N, I)> for Step {
    fn from((name, index): (N, I)) -> Step {
        Step { name: name.into(), index: Some(index.to_string()), input: None, is_ordered: true }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.index {
            Some(index) => write!(f, "{}[{index}]", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// A step that is to run.
struct Begun {
    task: Task,
    step: Step,
    parent: String,
    path: String,
    key: Key,
    version: Seq,
    record: StepRecord,
    is_done: bool,
}

/// What a step comes to before its closure is called.
enum Next<T> {
    Done(T),
    /// To be begun by the commit.
    Run(Box<(Begun, CommitBuilder)>),
}

impl Task {
    /// Runs a closure once in the life of the scope, and returns its result ever after. The result is kept as JSON; for
    /// bytes there is [`Bytes`](super::Bytes).
    ///
    /// Steps come in the same order in each run. Those of a loop, as in `("page", n)`, count as one.
    pub fn step<T, E>(&self, step: impl Into<Step>, run: impl FnOnce() -> Result<T, E>) -> Result<T>
    where
        T: Serialize + DeserializeOwned,
        E: Into<Boxed>,
    {
        let step = step.into();
        match self.begin(&step)? {
            Next::Done(result) => Ok(result),
            Next::Run(next) => {
                let (mut begun, commit) = *next;
                begun.begins(commit.durable())?;
                let ended = {
                    let _within = within::enter(self, &begun.path);
                    run()
                };
                let (commit, ended) = begun.end(ended)?;
                begun.ends(commit.durable(), &ended)?;
                ended
            }
        }
    }

    /// The same for a closure that returns a future. What it calls while it is polled is within the step.
    ///
    /// ```
    /// # use milepost::{Scope, Store, Writer};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("task/load")?);
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let task = store.task(&scope, Writer::new("worker-7")?)?;
    /// let rows = task.step_async("extract", async || Ok::<_, std::io::Error>(12)).await?;
    /// assert_eq!(rows, 12);
    /// # Ok::<(), milepost::Error>(())
    /// # })?;
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub async fn step_async<T, E>(&self, step: impl Into<Step>, run: impl AsyncFnOnce() -> Result<T, E>) -> Result<T>
    where
        T: Serialize + DeserializeOwned,
        E: Into<Boxed>,
    {
        let step = step.into();
        match self.begin(&step)? {
            Next::Done(result) => Ok(result),
            Next::Run(next) => {
                let (mut begun, commit) = *next;
                begun.begins(commit.submit()?.await)?;
                let ended = within::polled(self, &begun.path, run()).await;
                let (commit, ended) = begun.end(ended)?;
                begun.ends(commit.submit()?.await, &ended)?;
                ended
            }
        }
    }

    /// What is recorded of the steps of the task's scope, by their paths.
    ///
    /// ```
    /// # use milepost::{Scope, Store, Writer, task::StepState};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("task/load")?);
    /// let task = store.task(&scope, Writer::new("worker-7")?)?;
    /// task.step("extract", || Err::<(), _>("no network")).unwrap_err();
    /// let steps = task.steps()?;
    /// assert_eq!((steps[0].0.as_str(), steps[0].1.state), ("extract", StepState::Failed));
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn steps(&self) -> Result<Vec<(String, StepRecord)>> {
        let prefix = format!(".{STEP}/");
        let mut steps = Vec::new();
        for entry in self.store.view(milepost_types::At::Latest)?.scan(&self.scope, &prefix) {
            let entry = entry?;
            let path = entry.key.as_str().strip_prefix(&prefix).unwrap_or_default().to_owned();
            let record = self.read_record::<StepRecord>(STEP, &entry.key, &entry.value)?.record;
            steps.extend(record.map(|record| (path, record)));
        }
        Ok(steps)
    }

    /// Looks up a step, and records that it begins where it has not finished.
    fn begin<T: DeserializeOwned>(&self, step: &Step) -> Result<Next<T>> {
        let parent = within::parent(self);
        let path = path(&parent, step);
        let key = self.key(STEP, "name of a step", &path)?;
        let place = self.places.enter(self, &parent, step)?;
        let entered = self.begin_at(&place, (&parent, &path, &key), step);
        // What could not be begun may be called again, in this run as well.
        entered.inspect_err(|_| self.places.leave(&parent, step))
    }

    fn begin_at<T: DeserializeOwned>(
        &self,
        place: &Place,
        (parent, path, key): (&str, &str, &Key),
        step: &Step,
    ) -> Result<Next<T>> {
        let found = self.record::<StepRecord>(STEP, key)?;
        if let Some(record) = &found.record
            && record.state == StepState::Done
        {
            return done(path, step, record, found.version).map(Next::Done);
        }
        let attempts = found.record.map_or(0, |record| record.attempts).saturating_add(1);
        let record =
            StepRecord { state: StepState::Begun, attempts, input: step.input.clone(), result: None, error: None };
        let commit = place.record(self, self.write_record(STEP, key, found.version, &record)?);
        let begun = Begun {
            task: self.clone(),
            step: step.clone(),
            parent: parent.to_owned(),
            path: path.to_owned(),
            key: key.clone(),
            version: found.version,
            record,
            is_done: false,
        };
        Ok(Next::Run(Box::new((begun, commit))))
    }
}

/// Refuses a step that has finished on another input.
fn same_input(path: &str, step: &Step, record: &StepRecord) -> Result<()> {
    if record.input == step.input {
        return Ok(());
    }
    let (recorded, given) = (record.input.clone(), step.input.clone());
    Err(TaskError::StepInput { step: path.to_owned(), recorded, given }.into())
}

/// The result of a step that has finished.
fn done<T: DeserializeOwned>(path: &str, step: &Step, record: &StepRecord, seq: Seq) -> Result<T> {
    same_input(path, step, record)?;
    let result = record.result.as_deref().map_or("null", RawValue::get);
    serde_json::from_str(result).map_err(|source| {
        TaskError::StepResult { step: path.to_owned(), seq, asked: std::any::type_name::<T>(), source }.into()
    })
}

/// No two steps share one: what stands before the first `[` is the name, in which one is written `%5B`.
fn path(parent: &str, step: &Step) -> String {
    let mut own = segment(&step.name).replace('[', "%5B");
    if let Some(index) = &step.index {
        own = format!("{own}[{}]", segment(index));
    }
    if parent.is_empty() { own } else { format!("{parent}/{own}") }
}

impl Begun {
    /// What to record of the end, and what to return once that is durable.
    fn end<T: Serialize, E: Into<Boxed>>(&self, ended: Result<T, E>) -> Result<(CommitBuilder, Result<T>)> {
        let step = || self.path.clone();
        let failed = |error: TaskError| {
            let text = match &error {
                TaskError::Caller { source, .. } => source.to_string(),
                other => other.to_string(),
            };
            Ok((self.write_failed(text)?, Err(error.into())))
        };
        let value = match ended {
            Ok(value) => value,
            Err(error) => {
                return failed(TaskError::Caller { what: format!("step {}", self.path), source: error.into() });
            }
        };
        let result = match serde_json::value::to_raw_value(&value) {
            Ok(result) => result,
            Err(source) => {
                let given = std::any::type_name::<T>();
                return failed(TaskError::StepUnrecordable { step: step(), given, source });
            }
        };
        let record = StepRecord { state: StepState::Done, result: Some(result), ..self.record.clone() };
        let commit = self.write(&record)?;
        match commit.refusal() {
            Some(source) => failed(TaskError::StepTooLarge { step: step(), source: source.to_string().into() }),
            None => Ok((commit, Ok(value))),
        }
    }

    fn write(&self, record: &StepRecord) -> Result<CommitBuilder> {
        self.task.write_record(STEP, &self.key, self.version, record)
    }

    /// Records with what it failed. Of a text that is longer than a value may be, the beginning is: its caller is to be
    /// told what went wrong, not that this can't be recorded.
    fn write_failed(&self, mut text: String) -> Result<CommitBuilder> {
        loop {
            let record = StepRecord { state: StepState::Failed, error: Some(text), ..self.record.clone() };
            let commit = self.write(&record)?;
            text = record.error.unwrap_or_default();
            if commit.refusal().is_none() || text.len() <= 2 * CUT.len() {
                return Ok(commit);
            }
            text.truncate(text.floor_char_boundary(text.len() / 2));
            text.push_str(CUT);
        }
    }

    /// Takes up the version of its begin.
    fn begins(&mut self, receipt: Result<Receipt>) -> Result<()> {
        self.version = self.told(receipt)?.seq;
        self.task.places.begin_inside(&self.path);
        Ok(())
    }

    fn ends<T>(&mut self, receipt: Result<Receipt>, ended: &Result<T>) -> Result<()> {
        self.told(receipt)?;
        self.is_done = ended.is_ok();
        Ok(())
    }

    /// The receipt, or that somebody else is at the same step.
    fn told(&self, receipt: Result<Receipt>) -> Result<Receipt> {
        receipt.map_err(|error| {
            if error.kind() == ErrorKind::Conflict {
                return Error::from(TaskError::Moved { what: STEP, name: self.path.clone() });
            }
            error
        })
    }
}

/// One that failed, panicked or was dropped may be called again.
impl Drop for Begun {
    fn drop(&mut self) {
        if !self.is_done {
            self.task.places.leave(&self.parent, &self.step);
        }
    }
}
