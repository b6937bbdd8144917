//! `milepost progress`: how far the jobs below a prefix are.
//!
//! Invariant: what is shown is durable. It costs the same however many items a job has.

use std::{ffi::OsString, io::Write, process::ExitCode, time::Duration};

use milepost::{At, Scope, ScopePrefix, Store, task::Summary};

use super::{Context, prefix, watch::nobody_reads_within};
use crate::{
    each::text,
    error::CliError,
    escape,
    output::Out,
    render::{Object, Row, Rows, Screen},
    time::utc_text,
};

/// Cells of a bar.
const BAR_CELLS: usize = 20;
/// How often the table is drawn anew.
const DRAW_EVERY: Duration = Duration::from_secs(1);

/// Show how far jobs are: done, failed, pace and time to go.
///
/// A job is what a program keeps with `progress`, or what `milepost each` runs.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  milepost progress                      (all jobs of the store)
  milepost progress task/etl --watch     (live, until nothing is left or nobody works on it)
  milepost progress -o jsonl

The items of a job are those that are marked and those of the list that is being done. Left are those of the list that are to be done: \
also one that has failed and is run again, and that is failed until it has ended. How many they are is known once the list was counted, \
or read to its end. The pace is that of the last minute. What a running job has not made durable yet is not counted.

Exit, with --watch: 0 nothing is left in any job, 1 something may be left or there is no job, and for a second no process has had the \
store open for writing.")]
pub(crate) struct ProgressArgs {
    /// Only jobs of this scope and those below it.
    prefix: Option<OsString>,
    /// Show it anew every second, until nothing is left to do or nobody is at it.
    #[arg(long)]
    watch: bool,
}

pub(crate) fn run(args: &ProgressArgs, context: &Context, out: &mut Out) -> Result<ExitCode, CliError> {
    let prefix = prefix(args.prefix.as_deref())?.unwrap_or_default();
    let store = context.open_read_only()?;
    let mut held = milepost::has_writer(store.dir());
    // What a writer did that has gone meanwhile is seen.
    store.refresh()?;
    let mut left = show(&store, &prefix, Rows::new(out, context.format)?)?;
    loop {
        out.flush()?;
        if !args.watch || left == Left::Nothing {
            return Ok(ExitCode::SUCCESS);
        }
        if nobody_reads_within(DRAW_EVERY) {
            return Ok(ExitCode::SUCCESS);
        }
        let (was_held, before) = (held, store.last().seq);
        held = milepost::has_writer(store.dir());
        store.refresh()?;
        let is_still = !held && !was_held && store.last().seq == before;
        if out.is_terminal() {
            // To the upper left, and nothing below.
            out.write_all(b"\x1b[H\x1b[J").map_err(CliError::Output)?;
        }
        left = show(&store, &prefix, Rows::more(out, context.format))?;
        if is_still && left != Left::Nothing {
            out.flush()?;
            let what = if left == Left::NoJob { "there is no job" } else { "not all is done" };
            return Err(CliError::NotFound(format!(
                "{what}, and nobody is at it: no process has the store open for writing"
            )));
        }
    }
}

/// What is left to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Left {
    /// In none of the jobs anything.
    Nothing,
    /// In one of them something, as far as is known.
    Something,
    /// There is no job.
    NoJob,
}

/// Shows all jobs; what is left in them.
fn show(store: &Store, prefix: &ScopePrefix, mut rows: Rows<'_, JobRow>) -> Result<Left, CliError> {
    let now = store.view(At::Latest)?.at()?;
    let mut left = Left::NoJob;
    for (scope, job) in store.progress_jobs(prefix.clone())? {
        let summary = store.progress(&scope, &job)?.summary()?;
        left = match (left, summary.left()) {
            (Left::NoJob | Left::Nothing, Some(0)) => Left::Nothing,
            _ => Left::Something,
        };
        rows.push(&JobRow { scope, job, summary, at: utc_text(now) })?;
    }
    rows.end(|| "no job here; `milepost each` runs one".to_owned())?;
    Ok(left)
}

/// A job.
struct JobRow {
    scope: Scope,
    job: String,
    summary: Summary,
    at: String,
}

impl JobRow {
    fn bar(&self) -> String {
        let Some(total) = self.summary.total.filter(|total| *total > 0) else { return "?".to_owned() };
        let left = self.summary.left().unwrap_or(total);
        let share = total.saturating_sub(left) as f64 / total as f64;
        let full = (share * BAR_CELLS as f64) as usize;
        format!("[{}{}] {:3.0}%", "=".repeat(full), " ".repeat(BAR_CELLS - full), (share * 100.0).floor())
    }

    fn rate(&self) -> String {
        format!("{:.1}", self.summary.per_second_lately)
    }

    fn seconds_left(&self) -> Option<u64> {
        self.summary.eta().map(|eta| eta.as_secs())
    }
}

impl Row for JobRow {
    const TABLE: &'static [&'static str] =
        &["SCOPE", "JOB", "PROGRESS", "DONE", "FAILED", "SKIPPED", "LEFT", "PER SECOND", "TO GO"];
    const CSV: &'static [&'static str] =
        &["scope", "job", "total", "done", "failed", "skipped", "left", "per_second", "seconds_left", "at"];

    fn table(&self, _screen: &Screen) -> Vec<Vec<String>> {
        let summary = &self.summary;
        vec![vec![
            self.scope.to_string(),
            escape::one_line(&self.job),
            self.bar(),
            summary.done.to_string(),
            summary.failed.to_string(),
            summary.skipped.to_string(),
            summary.left().map_or_else(|| "?".to_owned(), |left| left.to_string()),
            self.rate(),
            summary.eta().map_or_else(|| "?".to_owned(), text::duration),
        ]]
    }

    fn csv(&self) -> Vec<Vec<String>> {
        let (summary, maybe) = (&self.summary, |number: Option<u64>| number.map_or(String::new(), |n| n.to_string()));
        vec![vec![
            self.scope.to_string(),
            self.job.clone(),
            maybe(summary.total),
            summary.done.to_string(),
            summary.failed.to_string(),
            summary.skipped.to_string(),
            maybe(summary.left()),
            self.rate(),
            maybe(self.seconds_left()),
            self.at.clone(),
        ]]
    }

    fn json(&self, line: &mut Vec<u8>) -> Result<(), CliError> {
        let summary = &self.summary;
        let mut object = Object::begin(line);
        object.put("scope", self.scope.as_str());
        object.put("job", &*self.job);
        object.put("total", summary.total);
        object.put("done", summary.done);
        object.put("failed", summary.failed);
        object.put("skipped", summary.skipped);
        object.put("left", summary.left());
        object.put("per_second", summary.per_second_lately);
        object.put("seconds_left", self.seconds_left());
        object.put("at", &*self.at);
        object.end();
        Ok(())
    }
}
