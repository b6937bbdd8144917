//! Why a run of a job has not come to its end, in the words of this command line.
//!
//! Invariant: a message says what is known of the remote side, and what the next run does.

use milepost::{Error, task::Job};

use super::shell::{Part, Shell};
use crate::error::{CliError, exit};

/// Of a run.
pub(super) fn of_run(error: Error, job: &Job, shell: &Shell) -> CliError {
    let name = job.name();
    match shell.late() {
        Some(part @ (Part::Submit | Part::Find)) => {
            let known = match part {
                Part::Submit => "whether it was submitted is not known, and",
                _ => "run it again:",
            };
            let part = part.name();
            let message = format!(
                "job {name}: its {part} was killed, for the time of --timeout is over; {known} the next run asks find first"
            );
            CliError::Own { message, code: exit::TIMED_OUT }
        }
        Some(Part::Poll | Part::Cancel) | None => error.into(),
    }
}
