//! [`TaskError`]: why a pattern could not go on.
//!
//! Invariant: a message names the thing, what is recorded and what was asked for.

use std::time::Duration;

use milepost_types::{Scope, Seq};
use thiserror::Error;

use crate::ErrorKind;

/// An error of the caller's own code.
pub(crate) type Boxed = Box<dyn std::error::Error + Send + Sync>;

/// Why a pattern could not go on.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TaskError {
    /// Something else is kept under the key of a pattern.
    #[error(
        "key {key} of scope {scope} is no {what}: commit {seq} set it to {}",
        .content_type.as_ref().map_or("a value without content type".to_owned(), |text| format!("a value of type {text:?}"))
    )]
    OtherValue {
        /// Which pattern was looked for.
        what: &'static str,
        /// Whose state.
        scope: Scope,
        /// Under which key.
        key: String,
        /// By which commit.
        seq: Seq,
        /// What it is.
        content_type: Option<String>,
    },
    /// What is kept says that it is of a pattern, and can't be read as that.
    #[error("key {key} of scope {scope} says that it is a {what}, and is none (commit {seq}): {source}")]
    Unreadable {
        /// Which pattern.
        what: &'static str,
        /// Whose state.
        scope: Scope,
        /// Under which key.
        key: String,
        /// By which commit.
        seq: Seq,
        /// Why not.
        source: Boxed,
    },
    /// A watermark is of another type.
    #[error("watermark {name} is of type {found}, asked for was one of type {asked}")]
    WatermarkType {
        /// Which.
        name: String,
        /// Its type.
        found: &'static str,
        /// The type asked for.
        asked: &'static str,
    },
    /// A watermark is higher already.
    #[error("watermark {name} is at {actual} and does not go back to {offered}; a reset does, with its reason")]
    Behind {
        /// Which.
        name: String,
        /// Where it was to go.
        offered: String,
        /// Where it is.
        actual: String,
    },
    /// A watermark is elsewhere than was expected.
    #[error(
        "watermark {name} was expected at {}, and is at {}",
        .expected.as_deref().unwrap_or("nothing"), .actual.as_deref().unwrap_or("nothing")
    )]
    Elsewhere {
        /// Which.
        name: String,
        /// Where it was expected.
        expected: Option<String>,
        /// Where it is.
        actual: Option<String>,
    },
    /// A job was asked for with another request than the recorded one.
    #[error(
        "job {name} was begun with another request (fingerprint {}, now {}); nothing was submitted: \
         reset the job, or restart it if its request changed",
        .recorded.as_deref().unwrap_or("none"), .given.as_deref().unwrap_or("none")
    )]
    RequestChanged {
        /// Which.
        name: String,
        /// The fingerprint of the recorded request.
        recorded: Option<String>,
        /// That of the one given.
        given: Option<String>,
    },
    /// The remote job failed.
    #[error("job {name} failed{}: {error}", .id.as_ref().map_or(String::new(), |id| format!(" (remote id {id})")))]
    JobFailed {
        /// Which.
        name: String,
        /// Its remote id, if it has got one.
        id: Option<String>,
        /// What the remote side says.
        error: String,
    },
    /// The job was cancelled.
    #[error("job {name} was cancelled{}", .id.as_ref().map_or(String::new(), |id| format!(" (remote id {id})")))]
    JobCancelled {
        /// Which.
        name: String,
        /// Its remote id, if it has got one.
        id: Option<String>,
    },
    /// The remote job has not ended in time. It goes on.
    #[error(
        "job {name} (remote id {id}) has not ended within {waited:?}{}; it goes on, and so does the next run of it",
        .status.as_ref().filter(|text| !text.is_empty()).map_or(String::new(), |text| format!(", its status is {text}"))
    )]
    JobTimedOut {
        /// Which.
        name: String,
        /// Its remote id.
        id: String,
        /// The last status seen.
        status: Option<String>,
        /// How long it was waited for.
        waited: Duration,
    },
    /// A result, an error or a status of the remote side is larger than a value may be.
    #[error(
        "what the remote side says of job {name} can't be recorded: {source}; keep it elsewhere and return where it is"
    )]
    JobTooLarge {
        /// Which.
        name: String,
        /// The limit.
        source: Boxed,
    },
    /// The same job is being run by this process already.
    #[error("job {name} of scope {scope} is being run by this process already")]
    JobRunning {
        /// Which.
        name: String,
        /// Of which scope.
        scope: Scope,
    },
    /// Somebody else changed the state that this run has begun with.
    #[error("{what} {name} was changed by another run meanwhile; run it again to go on from there")]
    Moved {
        /// Which pattern.
        what: &'static str,
        /// Which of it.
        name: String,
    },
    /// The caller's own code returned an error.
    #[error("{what} failed: {source}")]
    Caller {
        /// Which part of it.
        what: String,
        /// The error.
        source: Boxed,
    },
    /// A step appears in another order than recorded.
    #[error("step {place}{} was {recorded:?} when it ran, and is {given:?} now; replay the task from the step that changed", inside(.within))]
    StepOrder {
        /// The how-manieth, from 1.
        place: usize,
        /// Within which step, if in one.
        within: String,
        /// What was recorded there.
        recorded: String,
        /// What came now.
        given: String,
    },
    /// A step ran twice in one opening of the task.
    #[error(
        "step {step} was called twice; in a loop name it with what differs, as in (\"page\", 7), \
         and to run the task again open it again"
    )]
    StepTwice {
        /// Which.
        step: String,
    },
    /// A finished step was called with another input.
    #[error(
        "step {step} ran with another input (fingerprint {}, now {}); replay the task from it to run it with this one",
        .recorded.as_deref().unwrap_or("none"), .given.as_deref().unwrap_or("none")
    )]
    StepInput {
        /// Which.
        step: String,
        /// The fingerprint of the recorded input.
        recorded: Option<String>,
        /// That of the one given.
        given: Option<String>,
    },
    /// A recorded result is no value of the type asked for.
    #[error("the recorded result of step {step} (commit {seq}) is no {asked}: {source}; replay the task from it")]
    StepResult {
        /// Which.
        step: String,
        /// By which commit.
        seq: Seq,
        /// The type asked for.
        asked: &'static str,
        /// Why not.
        source: serde_json::Error,
    },
    /// A result can't be recorded.
    #[error("the result of step {step}, a {given}, can't be recorded: {source}")]
    StepUnrecordable {
        /// Which.
        step: String,
        /// Its type.
        given: &'static str,
        /// Why not.
        source: serde_json::Error,
    },
    /// A result is larger than a value may be.
    #[error("the result of step {step} can't be recorded: {source}; keep it elsewhere and return where it is")]
    StepTooLarge {
        /// Which.
        step: String,
        /// The limit.
        source: Boxed,
    },
    /// When a step began is not kept any more.
    #[error(
        "when step {step} of scope {scope} began is not kept any more; replay from a checkpoint, or delete its key, \
         {key}: then it runs again, and the steps after it that are to run again are deleted likewise"
    )]
    BeginRemoved {
        /// Which.
        step: String,
        /// The key of its record.
        key: String,
        /// Of which scope.
        scope: Scope,
    },
    /// There is no such step to replay from.
    #[error("step {step} has not begun in scope {scope}; there is nothing to replay")]
    NoStep {
        /// Which.
        step: String,
        /// Of which scope.
        scope: Scope,
    },
}

fn inside(step: &str) -> String {
    if step.is_empty() { String::new() } else { format!(" of step {step}") }
}

impl TaskError {
    pub(crate) fn kind(&self) -> ErrorKind {
        match self {
            TaskError::OtherValue { .. } | TaskError::WatermarkType { .. } | TaskError::StepResult { .. } => {
                ErrorKind::OtherType
            }
            TaskError::Unreadable { .. } => ErrorKind::Corrupt,
            TaskError::Behind { .. } | TaskError::Elsewhere { .. } | TaskError::Moved { .. } => ErrorKind::Conflict,
            TaskError::RequestChanged { .. } | TaskError::StepOrder { .. } | TaskError::StepInput { .. } => {
                ErrorKind::Changed
            }
            TaskError::JobFailed { .. } | TaskError::JobCancelled { .. } => ErrorKind::Failed,
            TaskError::JobTimedOut { .. } => ErrorKind::TimedOut,
            TaskError::JobRunning { .. } => ErrorKind::Busy,
            TaskError::Caller { .. } => ErrorKind::Caller,
            TaskError::StepTwice { .. }
            | TaskError::StepUnrecordable { .. }
            | TaskError::StepTooLarge { .. }
            | TaskError::JobTooLarge { .. } => ErrorKind::Invalid,
            TaskError::NoStep { .. } => ErrorKind::NotYet,
            TaskError::BeginRemoved { .. } => ErrorKind::BeforeHorizon,
        }
    }
}
