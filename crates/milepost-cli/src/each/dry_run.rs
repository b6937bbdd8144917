//! `--dry-run`: prints the commands that a run would start, and does nothing.
//!
//! Invariant: nothing is run, nothing is written, and no store is made. Of the input no more is held than a hash of
//! each item that would run.

use std::{collections::HashSet, process::ExitCode};

use xxhash_rust::xxh3::xxh3_128;

use super::{
    EXIT_FAILED,
    command::Template,
    error::EachError,
    items::Items,
    past::Past,
    run::{FailedBefore, Input},
    text::{self, Escaped, count},
};
use crate::{
    error::{CliError, say},
    output::Out,
};

/// What is known before.
pub(super) struct DryRun<'a> {
    pub(super) job: &'a str,
    pub(super) template: &'a Template,
    pub(super) past: &'a Past,
    pub(super) failed_before: FailedBefore,
}

/// What became of the items.
#[derive(Default)]
struct Counts {
    to_run: u64,
    done: u64,
    failed: u64,
    repeated: u64,
    refused: u64,
    empty: u64,
}

impl DryRun<'_> {
    /// Reads the items and prints the commands of those that would be run, one a line, as a shell would read it.
    pub(super) fn print(&self, input: &Input, out: &mut Out) -> Result<ExitCode, CliError> {
        let failed = |source| EachError::Items { from: input.name.clone(), source };
        let mut items = Items::new(&input.file, input.separator);
        let mut counts = Counts::default();
        let mut to_run = HashSet::new();
        let mut place = 0;
        while let Some(found) = items.next().map_err(failed)? {
            place += 1;
            let item = match found.item {
                Ok(item) => item,
                Err(error) => {
                    counts.refused += 1;
                    say(&format!("line {} is no item: {error}", found.line));
                    continue;
                }
            };
            match self.past.is_done(item)? {
                Some(true) => *once(&mut counts.done, self.past.done(), &mut counts.repeated) += 1,
                Some(false) if self.failed_before == FailedBefore::Skip => {
                    *once(&mut counts.failed, self.past.failed(), &mut counts.repeated) += 1;
                }
                Some(false) | None if to_run.insert(xxh3_128(item)) => {
                    counts.to_run += 1;
                    out.line(text::command_line(&self.template.words(item, place)).as_bytes())?;
                }
                Some(false) | None => counts.repeated += 1,
            }
        }
        counts.empty = items.empty();
        out.flush()?;
        say(&format!("dry run of {}: {}; nothing was run or written", Escaped(self.job), counts.text()));
        Ok(if counts.refused > 0 { ExitCode::from(EXIT_FAILED) } else { ExitCode::SUCCESS })
    }
}

/// Where to count an item that is marked: what is beyond the number of those marks is repeated, as a run counts it.
fn once<'a>(counter: &'a mut u64, marked: u64, repeated: &'a mut u64) -> &'a mut u64 {
    if *counter < marked { counter } else { repeated }
}

impl Counts {
    fn text(&self) -> String {
        let mut text = format!("{} to run", count(self.to_run));
        let others = [
            (self.done, "done before"),
            (self.failed, "failed before"),
            (self.repeated, "repeated in the input"),
            (self.refused, "refused"),
            (self.empty, "empty in the input"),
        ];
        for (number, name) in others.iter().filter(|(number, _)| *number > 0) {
            text.push_str(&format!(", {} {name}", count(*number)));
        }
        text
    }
}
