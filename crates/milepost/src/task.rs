//! [`Task`]: a scope, and who works on it in which attempt. The task patterns are opened through it.
//!
//! Opening makes the claim of the attempt durable: its number is the fencing token of the scope. From then on a lower
//! attempt is refused in whatever it writes as a task, by an error that names both. What follows from that:
//!
//! * The same attempt under the same name goes on: a process that was started again is no other attempt. Under another
//!   name it is refused: two workers can't both be attempt 3.
//! * A writer without an attempt claims nothing and is not refused: a person who puts something right, or one of many
//!   tasks that write to an asset.
//! * [`Task::on`] is the same task, with the same claim, at the state of another scope: an asset that many tasks share.
//!
//! * [`Task::end`] says that it has ended, under the key `.task/end`, for a policy that lets its scope expire.
//!
//! # Where it is kept
//!
//! In the task's own scope, so that a checkpoint, a restore or a fork of the scope takes it along. A key of a pattern
//! is `.`, the pattern, `/`, the name: `.watermark/orders.updated_at`, `.job/emr-step`, `.step/extract`; a step of a
//! loop has its index behind, `.step/page[7]`, one within another that one's name before, `.step/outer/inner`. Its
//! content type says which pattern wrote it; a value of another type under such a key is refused and left as it is.
//! Keys that begin with `.` are better left to the patterns. Where a pattern has a key for each of many items, they are
//! in a scope of its own below the task's: `task/etl/load/.progress/checksum`.
//!
//! Invariant: whatever a pattern writes goes through [`Task::commit`], and so carries the writer and the claim.
//!
//! Must not know: what a pattern keeps.

mod error;
mod job;
pub(crate) mod progress;
mod record;
mod step;
mod watermark;

use milepost_engine::ENDED_KEY;
use milepost_types::{ContentType, Key, Receipt, Scope, Writer, limits};

pub(crate) use self::error::Boxed;
pub use self::{
    error::TaskError,
    job::{Job, JobRecord, JobState, Pace, Polled},
    progress::{Expected, Found, Item, Listing, Marked, Pending, Progress, ProgressOptions, Summary},
    record::Bytes,
    step::{ReplayPoint, Step, StepRecord, StepState},
    watermark::{AnyMark, Mark, Move, Moves, Stood, Watermark},
};
use crate::{CommitBuilder, Result, SetOptions, Store};
use progress::shared::Origin;

/// A scope, and who works on it. Cheap to clone, to share between threads and to send to one.
///
/// ```
/// use milepost::{Scope, Store, Writer};
/// # let dir = tempfile::tempdir().unwrap();
/// let (store, scope) = (Store::open(dir.path())?, Scope::parse("task/etl/load")?);
/// let task = store.task(&scope, Writer::new("worker-7")?.attempt(3))?;
/// assert_eq!((task.scope(), task.writer().attempt_number()), (&scope, Some(3)));
/// # Ok::<(), milepost::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Task {
    store: Store,
    /// Whose state it reads and writes.
    scope: Scope,
    /// Whose attempt it is. Another scope than `scope` only after [`Task::on`].
    claimed: Scope,
    writer: Writer,
    /// In which order steps were called since it was opened.
    places: step::Places,
}

impl Task {
    pub(crate) fn open(store: Store, scope: &Scope, writer: Writer) -> Result<Task> {
        let task =
            Task { store, scope: scope.clone(), claimed: scope.clone(), writer, places: step::Places::default() };
        if let Some(attempt) = task.writer.attempt_number() {
            limits::check("attempt", "as its number", attempt as usize, 0, limits::ATTEMPT_MAX as usize)?;
        }
        if let Some(claim) = task.claim() {
            // A task that is worked on has not ended.
            let has_ended = task.store.get(scope, ENDED_KEY)?.is_some();
            if has_ended { claim.delete(scope, ENDED_KEY) } else { claim }.durable()?;
        }
        Ok(task)
    }

    /// A commit that says nothing but whose attempt this is, and is refused once there is a newer one; `None` of a
    /// writer that claims nothing.
    pub(crate) fn claim(&self) -> Option<CommitBuilder> {
        self.writer.attempt_number().map(|_| self.commit())
    }

    /// Refuses what would change nothing as what would change something is: once there is a newer attempt.
    pub(crate) fn is_ours(&self) -> Result<()> {
        self.claim().map_or(Ok(()), CommitBuilder::ask)
    }

    /// The same task at the state of another scope, under the same claim.
    ///
    /// ```
    /// use milepost::{ErrorKind, Scope, Store, Writer};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (store, load) = (Store::open(dir.path())?, Scope::parse("task/etl/load")?);
    /// let orders = Scope::parse("asset/orders")?;
    /// let task = store.task(&load, Writer::new("worker-7")?.attempt(1))?.on(&orders);
    /// // Another task may write to the asset, whatever attempt it is in.
    /// let other = store.task(&Scope::parse("task/report")?, Writer::new("worker-8")?.attempt(9))?.on(&orders);
    /// task.commit().set(&orders, "rows", b"12").durable()?;
    /// other.commit().set(&orders, "rows", b"13").durable()?;
    /// // But once `load` has a newer attempt, the older one can't write there either.
    /// store.task(&load, Writer::new("worker-7")?.attempt(2))?;
    /// assert_eq!(task.commit().set(&orders, "rows", b"14").durable().unwrap_err().kind(), ErrorKind::Fenced);
    /// # Ok::<(), milepost::Error>(())
    /// ```
    #[must_use]
    pub fn on(&self, scope: &Scope) -> Task {
        Task { scope: scope.clone(), places: step::Places::default(), ..self.clone() }
    }

    /// Whose state it reads and writes.
    #[must_use]
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// Who works on it.
    #[must_use]
    pub fn writer(&self) -> &Writer {
        &self.writer
    }

    /// The store it is in.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Begins a commit that says who writes, and is refused once a newer attempt has opened the task: for state of the
    /// task's own.
    ///
    /// ```
    /// # use milepost::{Scope, Store, Writer};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("task/etl/load")?);
    /// let task = store.task(&scope, Writer::new("worker-7")?.attempt(3))?;
    /// let receipt = task.commit().set(&scope, "file", b"part-0041").durable()?;
    /// let meta = store.commit_at(receipt.seq)?.expect("it is durable").meta;
    /// assert_eq!((meta.writer.as_ref(), meta.fences[0].token), (Some(task.writer()), 3));
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn commit(&self) -> CommitBuilder {
        self.sign(self.store.commit())
    }

    /// Adds who writes, and the claim.
    pub(crate) fn sign(&self, commit: CommitBuilder) -> CommitBuilder {
        let commit = commit.writer(self.writer.clone());
        match self.writer.attempt_number() {
            Some(attempt) => commit.fence(&self.claimed, u64::from(attempt)),
            None => commit,
        }
    }

    /// Says durably that the task has ended, whose attempt this is. Where a policy lets scopes expire, the task's goes
    /// so long afterwards, with those below it. Until then nothing changes; whatever is committed there takes it back,
    /// and a new attempt does. So marks of progress are flushed before.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use milepost::{Policy, Scope, ScopePrefix, Store, Writer};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("task/etl/load")?);
    /// store.retention().set(&ScopePrefix::parse("task")?, Policy::default().expire_ended(Duration::ZERO))?;
    /// let task = store.task(&scope, Writer::new("worker-7")?.attempt(1))?;
    /// task.commit().set(&scope, "cursor", b"42").durable()?;
    /// store.compact()?;
    /// assert!(store.get(&scope, "cursor")?.is_some());
    /// task.end()?;
    /// assert_eq!(store.retention().explain(&scope)?.ended, 1);
    /// store.compact()?;
    /// assert!(store.get(&scope, "cursor")?.is_none());
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn end(&self) -> Result<Receipt> {
        let options = SetOptions { content_type: Some(ContentType::TEXT), ..SetOptions::default() };
        self.commit().set_with(&self.claimed, ENDED_KEY, b"ended", &options).durable()
    }

    /// Which of many items are done: the job of this name.
    ///
    /// ```
    /// # use milepost::{ErrorKind, Scope, Store, Writer};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("task/etl/load")?);
    /// let progress = store.task(&scope, Writer::new("worker-7")?.attempt(1))?.progress("checksum")?;
    /// progress.done("a")?;
    /// progress.flush()?;
    /// store.task(&scope, Writer::new("worker-8")?.attempt(2))?;
    /// progress.done("b")?;
    /// assert_eq!(progress.flush().unwrap_err().kind(), ErrorKind::Fenced);
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn progress(&self, name: &str) -> Result<Progress> {
        self.progress_with(name, &ProgressOptions::default())
    }

    /// The same, with other options.
    ///
    /// ```
    /// # use milepost::{Scope, Store, Writer, task::ProgressOptions};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("task/etl/load")?);
    /// let task = store.task(&scope, Writer::new("worker-7")?.attempt(1))?;
    /// let options = ProgressOptions { batch_marks: 100, ..ProgressOptions::default() };
    /// task.progress_with("checksum", &options)?.done("a")?;
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn progress_with(&self, name: &str, options: &ProgressOptions) -> Result<Progress> {
        let fence = self.writer.attempt_number().map(|attempt| (self.claimed.clone(), u64::from(attempt)));
        let origin = Origin { writer: Some(self.writer.clone()), fence };
        Progress::new(&self.store, &self.scope, name, options, origin)
    }

    /// The key of a pattern's state of this name, in the task's scope. Checked: what is wrong is told of the name that
    /// was given, and of `what` it is, not of the key that it becomes.
    pub(crate) fn key(&self, pattern: &str, what: &'static str, name: &str) -> Result<Key> {
        limits::check(what, "bytes", name.len(), 1, limits::KEY_BYTES_MAX - "./".len() - pattern.len())?;
        Key::parse(name)?;
        Ok(Key::parse(&format!(".{pattern}/{name}"))?)
    }

    #[cfg(test)]
    pub(crate) fn scope_below(&self, pattern: &str, name: &str) -> Result<Scope> {
        scope_below(&self.scope, pattern, name)
    }
}

/// The scope below a task's for the items of a pattern that has a key for each. A slash in the name does not make two
/// segments.
pub(crate) fn scope_below(scope: &Scope, pattern: &str, name: &str) -> Result<Scope> {
    Key::parse(name)?;
    Ok(Scope::parse(&format!("{}/.{pattern}/{}", scope.as_str(), segment(name)))?)
}

/// A name as one segment of a scope: `%`, `/`, and a name of dots alone are written as in a URL.
fn segment(name: &str) -> String {
    if matches!(name, "." | "..") {
        return name.replace('.', "%2E");
    }
    name.replace('%', "%25").replace('/', "%2F")
}

/// The name of a segment; `None` if no name is written so.
pub(crate) fn name_of(written: &str) -> Option<String> {
    let name = written.replace("%2F", "/").replace("%2E", ".").replace("%25", "%");
    Some(name).filter(|name| segment(name) == written)
}

#[cfg(test)]
mod tests;
