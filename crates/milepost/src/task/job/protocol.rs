//! [`Protocol`]: what to do next for a job, and what came of it; the same for both forms of a run.
//!
//! ```text
//!  (nothing) ── record the intent ──> intended ── submit ──┐
//!                                        │                 ├── record the id ──> submitted ── poll ──> ended
//!         found by a later run: claim ──> └── find ── known ┘                        │  └─ record a new status
//!                                              └ unknown: claim, submit             └─ pause
//! ```
//!
//! Invariant: each change is recorded on the condition of the version that was read, and before what follows from it is
//! done. Between a commit that has passed the fence and a submit there is nothing else: what was read alone may be an
//! attempt's that is no longer the newest.

use std::time::Duration;

use milepost_types::{Receipt, Seq};

use super::{JOB, Job, JobRecord, JobState, Polled};
use crate::{
    CommitBuilder, Error, ErrorKind, Result,
    task::{Bytes, TaskError},
};

/// What to do next.
pub(super) enum Act {
    /// Make this durable, then tell [`Protocol::recorded`].
    Record(CommitBuilder),
    /// Make this durable, which changes nothing and is refused a zombie, then tell [`Protocol::claimed`].
    Claim(CommitBuilder),
    /// Ask the remote side for the token, then tell [`Protocol::found`].
    Find { token: String },
    /// Submit, then tell [`Protocol::submitted`].
    Submit { token: String },
    /// Poll, then tell [`Protocol::polled`].
    Poll { id: String },
    /// Wait a while.
    Pause,
    /// It has finished.
    End(Bytes),
}

/// A run of a job.
pub(super) struct Protocol<'a> {
    job: &'a Job,
    /// What is recorded, and by which commit.
    record: JobRecord,
    version: Seq,
    /// What is to be recorded next.
    next: Option<JobRecord>,
    /// Whether the intent is an earlier run's, which may have submitted it.
    is_found: bool,
    /// Whether the last thing that was done was a commit of this run.
    is_claimed: bool,
    /// Whether the last poll found it going on.
    is_polled: bool,
}

impl<'a> Protocol<'a> {
    pub(super) fn load(job: &'a Job) -> Result<Protocol<'a>> {
        let found = job.task.record::<JobRecord>(JOB, &job.key)?;
        let version = found.version;
        let of = |record: JobRecord, next: Option<JobRecord>| {
            let is_found = next.is_none();
            Protocol { job, record, version, next, is_found, is_claimed: false, is_polled: false }
        };
        let Some(record) = found.record else { return Ok(of(job.intent(), Some(job.intent()))) };
        if record.request != job.request {
            if job.restart_if_changed {
                return Ok(of(record, Some(job.intent())));
            }
            let (name, recorded, given) = (job.name.clone(), record.request, job.request.clone());
            return Err(TaskError::RequestChanged { name, recorded, given }.into());
        }
        let has_failed = matches!(record.state, JobState::Failed | JobState::Cancelled);
        let next = (has_failed && job.restart_if_failed).then(|| job.intent());
        Ok(of(record, next))
    }

    pub(super) fn next(&mut self) -> Result<Act> {
        if let Some(record) = &self.next {
            return Ok(Act::Record(self.job.write(self.version, record)?));
        }
        let (token, id) = (self.record.token.clone(), self.record.id.clone().unwrap_or_default());
        match self.record.state {
            JobState::Intended if !self.is_claimed => {
                self.is_unmoved()?;
                match self.job.task.claim() {
                    Some(commit) => Ok(Act::Claim(commit)),
                    None => Ok(self.act(token)),
                }
            }
            JobState::Intended => Ok(self.act(token)),
            JobState::Submitted if self.is_polled => {
                self.is_polled = false;
                Ok(Act::Pause)
            }
            JobState::Submitted => {
                self.is_unmoved()?;
                Ok(Act::Poll { id })
            }
            JobState::Finished => Ok(Act::End(self.record.result.clone().unwrap_or_default())),
            JobState::Failed | JobState::Cancelled => Err(self.ended()),
        }
    }

    /// What an intent asks for.
    fn act(&self, token: String) -> Act {
        if self.is_found { Act::Find { token } } else { Act::Submit { token } }
    }

    /// What came of [`Act::Claim`].
    pub(super) fn claimed(&mut self, receipt: Result<Receipt>) -> Result<()> {
        self.is_claimed = true;
        receipt.map(drop)
    }

    /// What came of [`Act::Record`].
    pub(super) fn recorded(&mut self, receipt: Result<Receipt>) -> Result<()> {
        match receipt {
            Ok(receipt) => {
                self.is_claimed = true;
                self.record = self.next.take().expect("something was to be recorded");
                self.version = receipt.seq;
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::Conflict => {
                if self.was_cancelled_meanwhile()? {
                    return Ok(());
                }
                self.is_unmoved()?;
                Err(error)
            }
            Err(error) => Err(error),
        }
    }

    /// Whether it was cancelled while it was submitted: who cancelled it knew no id, and on the remote side it goes on.
    /// The id is recorded next.
    fn was_cancelled_meanwhile(&mut self) -> Result<bool> {
        let id = self.next.as_ref().and_then(|next| next.id.clone()).filter(|_| self.record.id.is_none());
        let found = self.job.task.record::<JobRecord>(JOB, &self.job.key)?;
        let is_same = |record: &JobRecord| record.state == JobState::Cancelled && record.token == self.record.token;
        match (id, found.record.filter(is_same)) {
            (Some(id), Some(cancelled)) if cancelled.id.is_none() => {
                self.version = found.version;
                self.next = Some(JobRecord { id: Some(id), ..cancelled });
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    pub(super) fn found(&mut self, id: Option<String>) {
        (self.is_found, self.is_claimed) = (false, false);
        if let Some(id) = id {
            self.submitted(id);
        }
    }

    pub(super) fn submitted(&mut self, id: String) {
        self.next = Some(JobRecord { state: JobState::Submitted, id: Some(id), ..self.record.clone() });
    }

    pub(super) fn polled(&mut self, polled: Polled) {
        let last = self.record.clone();
        self.next = match polled {
            Polled::Pending(status) => {
                self.is_polled = true;
                // None is as good as an empty one: neither says anything.
                let is_new = last.status.as_deref().unwrap_or_default() != status;
                is_new.then_some(JobRecord { status: Some(status), ..last })
            }
            Polled::Finished(result) => Some(JobRecord { state: JobState::Finished, result: Some(result), ..last }),
            Polled::Failed(error) => Some(JobRecord { state: JobState::Failed, error: Some(error), ..last }),
            Polled::Cancelled => Some(JobRecord { state: JobState::Cancelled, ..last }),
        };
    }

    /// Fails once the time is over.
    pub(super) fn in_time(&self, waited: Duration) -> Result<()> {
        if self.job.pace.is_over(waited) { Err(self.timed_out(waited)) } else { Ok(()) }
    }

    pub(super) fn timed_out(&self, waited: Duration) -> Error {
        let (id, status) = (self.record.id.clone().unwrap_or_default(), self.record.status.clone());
        TaskError::JobTimedOut { name: self.job.name.clone(), id, status, waited }.into()
    }

    /// Fails if somebody else has changed what is recorded: has cancelled it, above all.
    fn is_unmoved(&mut self) -> Result<()> {
        let found = self.job.task.record::<JobRecord>(JOB, &self.job.key)?;
        if found.version == self.version {
            return Ok(());
        }
        match found.record {
            Some(record) if record.state == JobState::Cancelled => {
                self.record = record;
                Err(self.ended())
            }
            Some(_) | None => Err(self.job.moved()),
        }
    }

    fn ended(&self) -> Error {
        let (name, id) = (self.job.name.clone(), self.record.id.clone());
        match self.record.state {
            JobState::Cancelled => TaskError::JobCancelled { name, id }.into(),
            JobState::Intended | JobState::Submitted | JobState::Finished | JobState::Failed => {
                let error = self.record.error.clone().unwrap_or_default();
                TaskError::JobFailed { name, id, error }.into()
            }
        }
    }
}
