//! `milepost watch`: commits as they become durable.

use std::{ffi::OsString, os::fd::AsFd, process::ExitCode, time::Duration};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::{Context, prefix, replay::CommitRow, scope_of, seq_from};
use crate::{args::whole, error::CliError, output::Out, render::Rows};

/// How long a wait is before standard output is looked at again.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Show commits as they become durable, each once and in order, also those of other processes. Ctrl-C ends it.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  milepost watch
  milepost watch task/etl --from 1 -o jsonl     (from the beginning, then live)")]
pub(crate) struct WatchArgs {
    /// Only events of this scope and those below it.
    prefix: Option<OsString>,
    /// From which moment on.
    #[arg(long, value_name = "MOMENT", allow_negative_numbers = true, default_value = "now")]
    from: String,
    /// End after this many commits.
    #[arg(short = 'n', long, value_name = "N", value_parser = whole::<u64>)]
    limit: Option<u64>,
}

pub(crate) fn run(args: WatchArgs, context: &Context, out: &mut Out) -> Result<ExitCode, CliError> {
    let prefix = prefix(args.prefix.as_deref())?;
    let store = context.open_read_only()?;
    let mut watch = store.watch(seq_from(&store, "--from", &args.from, scope_of(prefix.as_ref()).as_ref())?);
    if let Some(prefix) = prefix {
        watch = watch.within(prefix);
    }
    let mut rows = Rows::new(out, context.format)?;
    rows.flush()?;
    let mut left = args.limit.unwrap_or(u64::MAX);
    while left > 0 {
        let commit = match watch.try_next()? {
            Some(commit) => commit,
            None => {
                rows.flush()?;
                match watch.next_timeout(LOOK_EVERY)? {
                    Some(commit) => commit,
                    None if nobody_reads_within(Duration::ZERO) => break,
                    None => continue,
                }
            }
        };
        rows.push(&CommitRow(commit))?;
        left -= 1;
    }
    rows.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// Whether whoever read standard output has gone, as in `milepost watch | head -1`, or goes while it is waited for.
pub(crate) fn nobody_reads_within(wait: Duration) -> bool {
    let stdout = std::io::stdout();
    let mut output = [PollFd::from_borrowed_fd(stdout.as_fd(), PollFlags::empty())];
    let wait = Timespec { tv_sec: wait.as_secs() as i64, tv_nsec: i64::from(wait.subsec_nanos()) };
    let asked = poll(&mut output, Some(&wait));
    asked.is_ok() && output[0].revents().contains(PollFlags::ERR)
}
