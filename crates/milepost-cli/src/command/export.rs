//! `milepost export`: the log, or the state of a moment, as canonical JSON lines.

use std::{ffi::OsString, process::ExitCode};

use milepost::Seq;

use super::{Context, prefix, scope_of, view};
use crate::{args::Format, error::CliError, output::Out};

/// Write all commits as canonical JSON lines, or with --at the state of a moment. The same log gives the same bytes.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  milepost export > commits.jsonl
  milepost export --at 'yesterday 03:12' task/etl > state.jsonl
  milepost export | milepost import - --store copy")]
pub(crate) struct ExportArgs {
    /// Only this scope and those below it.
    prefix: Option<OsString>,
    /// The state as of this moment instead of the commits.
    #[arg(long, value_name = "MOMENT")]
    at: Option<String>,
}

pub(crate) fn run(args: ExportArgs, context: &Context, out: &mut Out) -> Result<ExitCode, CliError> {
    if context.format == Format::Csv {
        return Err(CliError::Argument {
            what: "--output",
            why: "export writes JSON lines only; for CSV, use scan, log or replay".into(),
        });
    }
    let within = prefix(args.prefix.as_deref())?;
    let store = context.open_read_only()?;
    let mut line = Vec::new();
    if args.at.is_some() {
        let view = view(&store, args.at.as_deref(), scope_of(within.as_ref()).as_ref())?;
        for scope in view.scopes(&within.unwrap_or_default())? {
            for entry in view.scan(&scope, "") {
                line.clear();
                milepost::json::write_entry(&mut line, &scope, &entry?);
                out.json(&line)?;
            }
        }
        return Ok(ExitCode::SUCCESS);
    }
    let mut replay = store.replay(Seq::FIRST);
    if let Some(within) = within {
        replay = replay.within(within);
    }
    for commit in replay {
        line.clear();
        milepost::json::write_commit(&mut line, &commit?);
        out.json(&line)?;
    }
    Ok(ExitCode::SUCCESS)
}
