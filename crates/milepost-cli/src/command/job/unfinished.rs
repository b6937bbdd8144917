//! Why a run of a job, or a cancel, has not come to its end, in the words of this command line.
//!
//! Invariant: a message says what is known of the remote side, and what the next run does.

use std::process::ExitCode;

use milepost::{
    Error,
    task::{Job, JobRecord, JobState, TaskError},
};

use super::shell::{Cut, Part, Shell};
use crate::{
    command::stop::Asked,
    each::text,
    error::{CliError, exit, say},
};

/// Why a command of jobs has not come to its end.
pub(super) enum Unfinished {
    /// An error.
    Error(CliError),
    /// A signal asked for the end; what is known then.
    Stopped { asked: Asked, message: String },
}

impl<E: Into<CliError>> From<E> for Unfinished {
    fn from(error: E) -> Unfinished {
        Unfinished::Error(error.into())
    }
}

impl Unfinished {
    /// Ends the process, if a signal asked for that. All is closed by now.
    pub(super) fn end(self) -> Result<ExitCode, CliError> {
        match self {
            Unfinished::Error(error) => Err(error),
            Unfinished::Stopped { asked, message } => {
                say(&message);
                Ok(asked.ends_process())
            }
        }
    }
}

/// Of a run.
pub(super) fn of_run(
    error: Error,
    job: &Job,
    request: Option<&str>,
    shell: &Shell<'_>,
    asked: Option<Asked>,
) -> Unfinished {
    let name = job.name();
    let record = job.get().ok().flatten().filter(|record| !has_ended(record));
    match (shell.cut(), asked, record) {
        (Some(Cut::Late(part @ (Part::Submit | Part::Find))), None, _) => {
            let known = match part {
                Part::Submit => "whether it was submitted is not known, and",
                _ => "run it again:",
            };
            let part = part.name();
            let message = format!(
                "job {name}: its {part} was killed, for the time of --timeout is over; {known} the next run asks find first"
            );
            CliError::Own { message, code: exit::TIMED_OUT }.into()
        }
        (cut, Some(asked), Some(record)) => {
            if !matches!(cut, Some(Cut::NotStarted | Cut::Stopped(_))) {
                // Not because of the signal.
                say(&of_task(error, request).to_string());
            }
            stopped(name, asked, &record, cut == Some(Cut::Stopped(Part::Submit)))
        }
        _ => of_task(error, request).into(),
    }
}

fn stopped(name: &str, asked: Asked, record: &JobRecord, was_killed: bool) -> Unfinished {
    let known = match &record.id {
        Some(id) => {
            format!("; it was submitted (remote id {id}) and goes on: run the same command again to wait for it")
        }
        None if was_killed => ", and its submit was killed; whether it was submitted is not known: run the same \
                               command again, it asks find first"
            .to_owned(),
        None => "; run the same command again: it asks find first, and submits it if it is not there".to_owned(),
    };
    Unfinished::Stopped { asked, message: format!("job {name}: stopped by {}{known}", asked.name()) }
}

/// Of a cancel that was stopped.
pub(super) fn of_cancel(job: &Job, asked: Asked) -> Unfinished {
    let is_cancelled = job.get().ok().flatten().is_some_and(|record| record.state == JobState::Cancelled);
    let known = if is_cancelled {
        "it was cancelled, and that is recorded"
    } else {
        "whether it was cancelled is not known: run the same command again"
    };
    Unfinished::Stopped { asked, message: format!("job {}: stopped by {}; {known}", job.name(), asked.name()) }
}

/// An error of the library, which speaks of its functions, with the options that are meant.
fn of_task(error: Error, request: Option<&str>) -> CliError {
    let (message, code) = match error.task() {
        Some(TaskError::RequestChanged { name, recorded, given }) => {
            let before = recorded.as_deref().map_or("none".to_owned(), |kept| format!("fingerprint {kept}"));
            let now = match (request, given) {
                (Some(request), Some(given)) => format!("{} (fingerprint {given})", text::Escaped(request)),
                _ => "none".to_owned(),
            };
            let message = format!(
                "job {name} was begun with another --request, and nothing was submitted\n  before: {before}\n  \
                 now:    {now}\nsubmit a new one: --restart-if-changed\nforget the old one: milepost job reset {}",
                text::command_line(&[name])
            );
            (message, exit::NOT_FOUND)
        }
        Some(TaskError::JobFailed { .. } | TaskError::JobCancelled { .. }) => {
            (format!("{error}; to submit a new one: --restart-if-failed"), exit::NOT_FOUND)
        }
        Some(TaskError::JobTimedOut { name, id, status, waited }) => {
            let status = status.as_deref().filter(|status| !status.is_empty());
            let status = status.map_or(String::new(), |status| format!(", its status is {status}"));
            let message = format!(
                "job {name} (remote id {id}) has not ended within {}{status}; it goes on, and so does the next run of it",
                text::duration(*waited)
            );
            (message, exit::TIMED_OUT)
        }
        Some(TaskError::JobTooLarge { name, source }) => {
            let message = format!(
                "what the remote side says of job {name} can't be recorded: {source}; let its commands print where it \
                 is, as in `echo finished s3://bucket/result`"
            );
            (message, exit::UNRECORDED)
        }
        _ => return error.into(),
    };
    CliError::Own { message, code }
}

fn has_ended(record: &JobRecord) -> bool {
    !matches!(record.state, JobState::Intended | JobState::Submitted)
}
