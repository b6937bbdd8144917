//! [`Job`]: a job was started elsewhere; find it again.
//!
//! ```
//! use milepost::{Scope, Store, Writer, task::Polled};
//! # let dir = tempfile::tempdir().unwrap();
//! # struct Farm;
//! # impl Farm {
//! #     fn submit(&self, _token: &str) -> std::io::Result<String> { Ok("build-17".into()) }
//! #     fn find(&self, _token: &str) -> std::io::Result<Option<String>> { Ok(None) }
//! #     fn poll(&self, _id: &str) -> std::io::Result<Polled> { Ok(Polled::Finished("ok".into())) }
//! # }
//! # let farm = Farm;
//! let (store, scope) = (Store::open(dir.path())?, Scope::parse("task/nightly/build")?);
//! let task = store.task(&scope, Writer::new("worker-7")?.attempt(3))?;
//! let result = task.job("build")?.request(b"commit 0a1b2c").run(
//!     |token| farm.submit(token),  // start it, under this token; return its id
//!     |token| farm.find(token),    // the id of the job of this token, if there is one
//!     |id| farm.poll(id),          // how is it
//! )?;
//! assert_eq!(&*result, b"ok");
//! # Ok::<(), milepost::Error>(())
//! ```
//!
//! Invariant: the intent, with its token, is durable before anything is submitted, and the remote id is durable before
//! anything is polled. So whoever finds an intent alone asks for its token first, and submits only what the remote side
//! does not know. One run of a process at a time works on a job.
//!
//! An attempt that is no longer the newest is refused before it submits or cancels: a commit that only claims goes
//! before either. What no record can prevent: an older attempt may have passed that and be in the middle of its submit
//! while a newer one finds the intent. Where the remote side takes the token as its idempotency key, that is harmless
//! too.

mod one_at_a_time;
mod protocol;

use std::time::Duration;

use milepost_io::{Stopwatch, sleep};
use milepost_types::{Key, Receipt, Seq};
use serde::{Deserialize, Serialize};

use super::{Boxed, Bytes, Task, TaskError, record::fingerprint};
use crate::{ErrorKind, Result};
use protocol::{Act, Protocol};

/// The pattern's name in keys and messages.
const JOB: &str = "job";
/// How often to look again after the run of another process has changed it meanwhile.
const TRIES_MAX: usize = 64;

/// A job that runs elsewhere; made by [`Task::job`].
#[derive(Clone, Debug)]
pub struct Job {
    task: Task,
    name: String,
    key: Key,
    request: Option<String>,
    pace: Pace,
    restart_if_changed: bool,
    restart_if_failed: bool,
}

/// How often to poll, and for how long.
///
/// ```
/// use std::time::Duration;
/// use milepost::task::Pace;
/// let pace = Pace { timeout: Some(Duration::from_secs(3600)), ..Pace::default() };
/// assert_eq!((pace.first, pace.longest), (Duration::from_secs(1), Duration::from_secs(60)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// The pause after the first poll. Each one after it is half as long again.
    pub first: Duration,
    /// The longest pause.
    pub longest: Duration,
    /// How long one run waits for the end at most; for ever if `None`. [`Job::run`] looks at it between two polls: a
    /// closure that does not return is not cut short, and needs a timeout of its own. [`Job::run_async`] drops a poll
    /// that takes longer.
    pub timeout: Option<Duration>,
}

/// What a poll has seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Polled {
    /// It goes on; the remote side calls its status so. Recorded when it differs from the last one.
    Pending(String),
    /// It has finished, with a result: a few words, or where the result is.
    Finished(Bytes),
    /// It has failed, with an error.
    Failed(String),
    /// It was cancelled on the remote side.
    Cancelled,
}

/// How far a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum JobState {
    /// It is about to be submitted, or has been.
    Intended,
    /// It has been, and has a remote id.
    Submitted,
    /// It has finished.
    Finished,
    /// It has failed.
    Failed,
    /// It was cancelled.
    Cancelled,
}

/// What is recorded of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct JobRecord {
    /// How far it is.
    pub state: JobState,
    /// What the remote side knows it by before it has an id.
    pub token: String,
    /// The fingerprint of its request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// Its remote id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The last status seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Its result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Bytes>,
    /// What it failed with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Default for Pace {
    fn default() -> Pace {
        Pace { first: Duration::from_secs(1), longest: Duration::from_secs(60), timeout: None }
    }
}

impl Pace {
    /// The pause after one.
    fn after(&self, pause: Duration) -> Duration {
        (pause + pause / 2).min(self.longest)
    }

    /// The pause, or what is left of the time.
    fn cut(&self, pause: Duration, waited: Duration) -> Duration {
        self.timeout.map_or(pause, |timeout| pause.min(timeout.saturating_sub(waited)))
    }

    fn is_over(&self, waited: Duration) -> bool {
        self.timeout.is_some_and(|timeout| waited >= timeout)
    }
}

impl Task {
    /// The job of this name in the task's scope.
    pub fn job(&self, name: &str) -> Result<Job> {
        Ok(Job {
            task: self.clone(),
            name: name.to_owned(),
            key: self.key(JOB, "name of a job", name)?,
            request: None,
            pace: Pace::default(),
            restart_if_changed: false,
            restart_if_failed: false,
        })
    }
}

impl Job {
    /// Says what is asked for, in any bytes: a later run that asks for something else is refused.
    ///
    /// ```
    /// # use milepost::{ErrorKind, Scope, Store, Writer, task::Polled};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("task/build")?);
    /// let task = store.task(&scope, Writer::new("worker-7")?)?;
    /// let run = |request: &[u8]| {
    ///     let job = task.job("build")?.request(request);
    ///     job.run(|_| Ok::<_, String>("7".into()), |_| Ok(None), |_| Ok(Polled::Finished("ok".into())))
    /// };
    /// run(b"commit 1")?;
    /// assert_eq!(run(b"commit 2").unwrap_err().kind(), ErrorKind::Changed);
    /// # Ok::<(), milepost::Error>(())
    /// ```
    #[must_use]
    pub fn request(mut self, request: impl AsRef<[u8]>) -> Job {
        self.request = Some(fingerprint(request.as_ref()));
        self
    }

    /// How often to poll, and for how long.
    #[must_use]
    pub fn pace(mut self, pace: Pace) -> Job {
        self.pace = pace;
        self
    }

    /// Submits a new job where the recorded one had another request. The old one is not cancelled: see [`Job::cancel`].
    #[must_use]
    pub fn restart_if_changed(mut self) -> Job {
        self.restart_if_changed = true;
        self
    }

    /// Submits a new job where the recorded one failed or was cancelled.
    #[must_use]
    pub fn restart_if_failed(mut self) -> Job {
        self.restart_if_failed = true;
        self
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What is recorded of it.
    ///
    /// ```
    /// # use milepost::{Scope, Store, Writer, task::{JobState, Polled}};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("task/build")?);
    /// let job = store.task(&scope, Writer::new("worker-7")?)?.job("build")?;
    /// assert!(job.get()?.is_none());
    /// let down = job.run(|_| Err("the farm is down"), |_| Ok(None), |_| Ok(Polled::Cancelled));
    /// assert_eq!(down.unwrap_err().to_string(), "submit of job build failed: the farm is down");
    /// assert_eq!(job.get()?.map(|record| record.state), Some(JobState::Intended));
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn get(&self) -> Result<Option<JobRecord>> {
        Ok(self.task.record(JOB, &self.key)?.record)
    }

    /// Brings the job to its end, from wherever an earlier run has left it, and returns its result.
    ///
    /// `submit` starts it under a token and returns its remote id; `find` returns the id of the job of a token, if the
    /// remote side knows one; `poll` says how it is. An error of theirs ends the run and changes nothing: the next run
    /// goes on from there. A poll that does not return is not cut short here: give it a timeout of its own, or use
    /// [`Job::run_async`].
    pub fn run<E: Into<Boxed>>(
        &self,
        mut submit: impl FnMut(&str) -> Result<String, E>,
        mut find: impl FnMut(&str) -> Result<Option<String>, E>,
        mut poll: impl FnMut(&str) -> Result<Polled, E>,
    ) -> Result<Bytes> {
        let _alone = one_at_a_time::enter(self)?;
        let mut protocol = Protocol::load(self)?;
        let (watch, mut pause) = (Stopwatch::start(), self.pace.first);
        loop {
            match protocol.next()? {
                Act::Record(commit) => protocol.recorded(commit.durable())?,
                Act::Claim(commit) => protocol.claimed(commit.durable())?,
                Act::Find { token } => protocol.found(find(&token).map_err(|error| self.caller("find", error))?),
                Act::Submit { token } => {
                    protocol.submitted(submit(&token).map_err(|error| self.caller("submit", error))?);
                }
                Act::Poll { id } => protocol.polled(poll(&id).map_err(|error| self.caller("poll", error))?),
                Act::Pause => {
                    protocol.in_time(watch.elapsed())?;
                    sleep(self.pace.cut(pause, watch.elapsed()));
                    pause = self.pace.after(pause);
                }
                Act::End(result) => return Ok(result),
            }
        }
    }

    /// The same for closures that return futures. No runtime is needed but the one that they need: `sleep` is how it
    /// lets time pass. Where there is a timeout, a poll that does not return is dropped when it is over.
    ///
    /// ```
    /// # use milepost::{Scope, Store, Writer, task::Polled};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("task/build")?);
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// let job = store.task(&scope, Writer::new("worker-7")?)?.job("build")?;
    /// let result = job
    ///     .run_async(
    ///         async |_token: String| Ok::<_, std::io::Error>("build-17".to_owned()),
    ///         async |_token: String| Ok(None),
    ///         async |_id: String| Ok(Polled::Finished("ok".into())),
    ///         tokio::time::sleep,
    ///     )
    ///     .await?;
    /// assert_eq!(&*result, b"ok");
    /// # Ok::<(), milepost::Error>(())
    /// # })?;
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub async fn run_async<E: Into<Boxed>, S: Future>(
        &self,
        mut submit: impl AsyncFnMut(String) -> Result<String, E>,
        mut find: impl AsyncFnMut(String) -> Result<Option<String>, E>,
        mut poll: impl AsyncFnMut(String) -> Result<Polled, E>,
        mut sleep: impl FnMut(Duration) -> S,
    ) -> Result<Bytes> {
        let _alone = one_at_a_time::enter(self)?;
        let mut protocol = Protocol::load(self)?;
        let (watch, mut pause) = (Stopwatch::start(), self.pace.first);
        loop {
            match protocol.next()? {
                Act::Record(commit) => protocol.recorded(commit.submit()?.await)?,
                Act::Claim(commit) => protocol.claimed(commit.submit()?.await)?,
                Act::Find { token } => protocol.found(find(token).await.map_err(|error| self.caller("find", error))?),
                Act::Submit { token } => {
                    protocol.submitted(submit(token).await.map_err(|error| self.caller("submit", error))?);
                }
                Act::Poll { id } => {
                    let left = self.pace.timeout.map(|timeout| sleep(timeout.saturating_sub(watch.elapsed())));
                    match first_of(poll(id), left).await {
                        Some(polled) => protocol.polled(polled.map_err(|error| self.caller("poll", error))?),
                        None => return Err(protocol.timed_out(watch.elapsed())),
                    }
                }
                Act::Pause => {
                    protocol.in_time(watch.elapsed())?;
                    sleep(self.pace.cut(pause, watch.elapsed())).await;
                    pause = self.pace.after(pause);
                }
                Act::End(result) => return Ok(result),
            }
        }
    }

    /// Cancels it: `cancel` is called with what is recorded, unless the job has ended or never began, and does so on
    /// the remote side; then that is recorded, and a run that waits for it ends with an error. If a submit of the same
    /// attempt was under way meanwhile, the id that it comes back with is recorded too, and the error of its run names
    /// it: that job is still to be cancelled on the remote side.
    ///
    /// ```
    /// # use milepost::{ErrorKind, Scope, Store, Writer, task::Polled};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("task/build")?);
    /// let job = store.task(&scope, Writer::new("worker-7")?)?.job("build")?;
    /// let run = || job.run(|_| Ok::<_, &str>("7".into()), |_| Ok(None), |_| Err("the network is down"));
    /// assert_eq!(run().unwrap_err().kind(), ErrorKind::Caller);
    /// job.cancel(|record| if record.id.as_deref() == Some("7") { Ok(()) } else { Err("which job?") })?;
    /// assert_eq!(run().unwrap_err().kind(), ErrorKind::Failed);
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn cancel<E: Into<Boxed>>(&self, cancel: impl FnOnce(&JobRecord) -> Result<(), E>) -> Result<()> {
        let mut cancel = Some(cancel);
        for _ in 0..TRIES_MAX {
            let found = self.task.record::<JobRecord>(JOB, &self.key)?;
            let Some(record) = found.record.filter(|record| !record.has_ended()) else { return Ok(()) };
            if let Some(cancel) = cancel.take() {
                // What was read may be that of a newer attempt, which a zombie must not touch on the remote side.
                if let Some(claim) = self.task.claim() {
                    claim.durable()?;
                }
                cancel(&record).map_err(|error| self.caller("cancel", error))?;
            }
            let record = JobRecord { state: JobState::Cancelled, ..record };
            match self.task.write_record(JOB, &self.key, found.version, &record)?.durable() {
                Err(error) if error.kind() == ErrorKind::Conflict => {}
                written => return written.map(drop),
            }
        }
        Err(self.moved())
    }

    /// Forgets it, durably on return: the next run submits a new job. Its history stays; on the remote side nothing
    /// happens.
    pub fn reset(&self) -> Result<Receipt> {
        self.task.commit().delete(&self.task.scope, self.key.as_str()).durable()
    }

    /// A token that no other intent has: the store's identity, after which of its commits this is intended, and a
    /// number that is drawn, since a store that was put back from a backup counts its commits on from an older one.
    fn new_token(&self) -> String {
        let stats = self.task.store.stats();
        let place = fingerprint(format!("{}\0{}", self.task.scope.as_str(), self.name).as_bytes());
        let (store, place) = (&stats.store[..stats.store.len().min(16)], &place[..12]);
        format!("mp-{store}-{place}-{}-{:08x}", stats.last.seq, self.task.store.engine().draw() as u32)
    }

    fn intent(&self) -> JobRecord {
        JobRecord {
            state: JobState::Intended,
            token: self.new_token(),
            request: self.request.clone(),
            id: None,
            status: None,
            result: None,
            error: None,
        }
    }

    fn write(&self, version: Seq, record: &JobRecord) -> Result<crate::CommitBuilder> {
        let commit = self.task.write_record(JOB, &self.key, version, record)?;
        match commit.refusal() {
            Some(source) => {
                Err(TaskError::JobTooLarge { name: self.name.clone(), source: source.to_string().into() }.into())
            }
            None => Ok(commit),
        }
    }

    fn caller<E: Into<Boxed>>(&self, part: &str, error: E) -> crate::Error {
        TaskError::Caller { what: format!("{part} of job {}", self.name), source: error.into() }.into()
    }

    fn moved(&self) -> crate::Error {
        TaskError::Moved { what: JOB, name: self.name.clone() }.into()
    }
}

impl JobRecord {
    fn has_ended(&self) -> bool {
        match self.state {
            JobState::Intended | JobState::Submitted => false,
            JobState::Finished | JobState::Failed | JobState::Cancelled => true,
        }
    }
}

/// What a future comes to, or nothing if the other one is ready first.
async fn first_of<T>(wanted: impl Future<Output = T>, other: Option<impl Future>) -> Option<T> {
    let mut wanted = std::pin::pin!(wanted);
    let Some(other) = other else { return Some(wanted.await) };
    let mut other = std::pin::pin!(other);
    std::future::poll_fn(|context| {
        if let std::task::Poll::Ready(value) = wanted.as_mut().poll(context) {
            return std::task::Poll::Ready(Some(value));
        }
        other.as_mut().poll(context).map(|_| None)
    })
    .await
}
