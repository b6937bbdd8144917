//! `milepost results`: what became of a job's items, and what their commands wrote.
//!
//! Invariant: an output is written as it was kept, byte for byte, and what was not kept is said on standard error. Rows
//! are streamed: a job of many items takes no memory.
//!
//! Knows nothing of running; a job can be read while it runs.

mod rows;

use std::{ffi::OsString, os::unix::ffi::OsStrExt, process::ExitCode};

use milepost::{
    At, Scope, ScopePrefix, Store, View,
    task::{Found, Marked, Progress},
};

use self::rows::{ItemRow, JobRow};
use super::{
    error::EachError,
    job::{self, JOBS, RunRecord},
    mark::{Kept, Mark},
    text::{Escaped, Named},
};
use crate::{
    args::Format,
    command::Context,
    error::{CliError, say},
    output::Out,
    render::Rows,
};

/// Show what became of the items of a job.
///
/// Without --job, all jobs with their counts. With an item, what its command wrote.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  milepost results                                          (all jobs)
  milepost results --job checksum                           (all items of one)
  milepost results --job checksum --failed -o jsonl         (those that failed)
  milepost results --job checksum /usr/share/doc/README     (what one command wrote)
  milepost results --job checksum --outputs > SHA256SUMS    (what all wrote)")]
pub(crate) struct ResultsArgs {
    /// Name of the job.
    #[arg(long, value_name = "NAME")]
    job: Option<String>,
    /// Write what this item's command wrote, byte for byte.
    #[arg(requires = "job")]
    item: Option<OsString>,
    /// Only items that failed.
    #[arg(long, requires = "job", conflicts_with = "item")]
    failed: bool,
    /// Write what the commands wrote, byte for byte, in the order of the items' names.
    #[arg(long, requires = "job", conflicts_with = "item")]
    outputs: bool,
    /// Write standard error instead of standard output.
    #[arg(long, requires = "job")]
    stderr: bool,
}

/// A job as the store has it.
struct RecordedJob<'a> {
    name: &'a str,
    items: Scope,
    record: RunRecord,
    marks: Progress,
}

pub(crate) fn results(args: ResultsArgs, context: &Context, out: &mut Out) -> Result<ExitCode, CliError> {
    let store = context.open_read_only()?;
    let view = store.view(At::Latest)?;
    let Some(name) = &args.job else {
        list_jobs(&store, &view, context.format, out)?;
        return Ok(ExitCode::SUCCESS);
    };
    let job = find(&store, &view, name)?;
    match &args.item {
        Some(item) => show_item(&job, item.as_bytes(), &args, context.format, out)?,
        None if args.outputs => write_outputs(&job, &args, out)?,
        None => list_items(&job, &args, context.format, out)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn find<'a>(store: &Store, view: &View, name: &'a str) -> Result<RecordedJob<'a>, EachError> {
    let (items, jobs) = job::scopes(name)?;
    match job::run_record(view, &jobs)? {
        Some(record) => Ok(RecordedJob { name, marks: job::items_of(store, &items)?, items, record }),
        None => Err(EachError::NoJob { name: name.to_owned() }),
    }
}

fn list_jobs(store: &Store, view: &View, format: Format, out: &mut Out) -> Result<(), CliError> {
    let mut rows = Rows::new(out, format)?;
    let below = ScopePrefix::parse(JOBS).map_err(milepost::Error::from)?;
    for scope in view.scopes(&below)? {
        let Some(name) = scope.as_str().strip_prefix(JOBS).and_then(|rest| rest.strip_prefix('/')) else { continue };
        let RecordedJob { record, marks, .. } = find(store, view, name)?;
        let row = JobRow::new(name, &record, &marks.summary()?);
        rows.push(&row)?;
    }
    rows.end(|| "no job ran in this store; `milepost each` runs one".to_owned())
}

fn list_items(job: &RecordedJob<'_>, args: &ResultsArgs, format: Format, out: &mut Out) -> Result<(), CliError> {
    let mut rows = Rows::new(out, format)?;
    for entry in job.entries(args.failed)? {
        let entry = entry?;
        let mark = job.parse(&entry)?;
        if !args.failed || !mark.ending.is_ok() {
            rows.push(&ItemRow::new(&entry, &mark))?;
        }
    }
    rows.end(|| format!("job {} has no such item yet", Escaped(job.name)))
}

fn show_item(
    job: &RecordedJob<'_>,
    item: &[u8],
    args: &ResultsArgs,
    format: Format,
    out: &mut Out,
) -> Result<(), CliError> {
    let value = match job.marks.find(item)? {
        Found::Done(value) | Found::Failed(value) => value,
        _ => return Err(EachError::NoItem { job: job.name.to_owned(), item: item.to_owned() }.into()),
    };
    let entry = Marked { item: item.to_owned(), value };
    let mark = job.parse(&entry)?;
    if format != Format::Table {
        let mut rows = Rows::new(out, format)?;
        rows.push(&ItemRow::new(&entry, &mark))?;
        return rows.flush();
    }
    let kept = output(&mark, args);
    out.bytes(kept.bytes)?;
    out.flush()?;
    if kept.cut_bytes() > 0 {
        let (cut, all, item) = (kept.cut_bytes(), kept.total_bytes, Named(item));
        say(&format!("{cut} of {all} bytes of {item} were not kept; `milepost each --keep-output` says how many are"));
    }
    Ok(())
}

fn write_outputs(job: &RecordedJob<'_>, args: &ResultsArgs, out: &mut Out) -> Result<(), CliError> {
    let (mut items, mut bytes) = (0, 0);
    for entry in job.entries(args.failed)? {
        let entry = entry?;
        let mark = job.parse(&entry)?;
        if args.failed && mark.ending.is_ok() {
            continue;
        }
        let kept = output(&mark, args);
        out.bytes(kept.bytes)?;
        if kept.cut_bytes() > 0 {
            items += 1;
            bytes += kept.cut_bytes();
        }
    }
    out.flush()?;
    if items > 0 {
        say(&format!("{bytes} bytes of {items} items were not kept; `milepost each --keep-output` says how many are"));
    }
    Ok(())
}

fn output<'a>(mark: &Mark<'a>, args: &ResultsArgs) -> Kept<'a> {
    if args.stderr { mark.stderr } else { mark.stdout }
}

impl RecordedJob<'_> {
    /// The items that ended, in the order of their names; with `failed` those that failed, at least.
    fn entries(&self, failed: bool) -> Result<impl Iterator<Item = Result<Marked, CliError>>, CliError> {
        let done = if failed { None } else { Some(self.marks.results()?) };
        let mut done = done.into_iter().flatten().peekable();
        let mut failed = self.marks.failures()?.peekable();
        let next = move || {
            let is_done_first = match (done.peek(), failed.peek()) {
                (Some(Ok(done)), Some(Ok(failed))) => done.item < failed.item,
                (done, failed) => failed.is_none() || matches!(done, Some(Err(_))),
            };
            let marked = if is_done_first { done.next()? } else { failed.next()? };
            Some(marked.map_err(CliError::from))
        };
        Ok(std::iter::from_fn(next))
    }

    fn parse<'a>(&self, entry: &'a Marked) -> Result<Mark<'a>, EachError> {
        job::parse(&self.items, &entry.item, &entry.value)
    }
}
