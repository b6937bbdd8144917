//! `milepost export`: the log, or the state of a moment, as canonical JSON lines or as Parquet.

#[cfg(feature = "parquet")]
mod parquet;

use std::{ffi::OsString, process::ExitCode};

use clap::ValueEnum;
use milepost::{Replay, ScopePrefix, Seq, Store, View};

use super::{Context, prefix, scope_of, view};
use crate::{args::Format, error::CliError, output::Out};

/// Write all commits as canonical JSON lines, or with --at the state of a moment. The same log gives the same bytes.
///
/// Where retention has removed commits, a line says which, and when the first and the last of them were made; the
/// first lines say from where on the past of a place can be read, where that is not from the first commit on.
///
/// As Parquet there is a row for each event, with the seq, the time and the writer of its commit; of the state of a
/// moment, a row for each key. A commit that only claims scopes is a row without an event; one that was removed is no
/// row, so a seq that is missing between others was removed.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  milepost export > commits.jsonl
  milepost export --at 'yesterday 03:12' task/etl > state.jsonl
  milepost export | milepost import - --store copy
  milepost export --format parquet > events.parquet")]
pub(crate) struct ExportArgs {
    /// Only this scope and those below it.
    prefix: Option<OsString>,
    /// The state as of this moment instead of the commits.
    #[arg(long, value_name = "MOMENT", allow_negative_numbers = true)]
    at: Option<String>,
    /// In which format.
    #[arg(long, value_enum, default_value_t = FileFormat::Jsonl)]
    format: FileFormat,
}

/// What is exported to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FileFormat {
    /// Canonical JSON lines: what import takes.
    Jsonl,
    /// For other tools to read; only where the program was built with it.
    Parquet,
}

/// What is exported.
enum What {
    /// All that the store says, what is not there any more told.
    All(Store),
    /// The commits of a place.
    Some(Replay),
    State(View, ScopePrefix),
}

pub(crate) fn run(args: ExportArgs, context: &Context, out: &mut Out) -> Result<ExitCode, CliError> {
    if context.format == Format::Csv {
        return Err(CliError::Argument {
            what: "--output",
            why: "export writes JSON lines or Parquet; for CSV, use scan, log or replay".into(),
        });
    }
    if args.format == FileFormat::Parquet {
        can_write_parquet(out)?;
    }
    let within = prefix(args.prefix.as_deref())?;
    let store = context.open_read_only()?;
    let what = if args.at.is_some() {
        let view = view(&store, "--at", args.at.as_deref(), scope_of(within.as_ref()).as_ref())?;
        What::State(view, within.unwrap_or_default())
    } else {
        match within {
            Some(within) => What::Some(store.replay(Seq::FIRST).within(within)),
            None => What::All(store),
        }
    };
    match args.format {
        FileFormat::Jsonl => lines(what, out)?,
        FileFormat::Parquet => write_parquet(what)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn lines(what: What, out: &mut Out) -> Result<(), CliError> {
    let mut line = Vec::new();
    match what {
        What::Some(replay) => {
            for commit in replay {
                line.clear();
                milepost::json::write_commit(&mut line, &commit?);
                out.json(&line)?;
            }
        }
        What::All(store) => {
            let mut export = store.export();
            while export.next_line(&mut line)? {
                out.json(&line)?;
            }
        }
        What::State(view, within) => {
            for scope in view.scopes(&within)? {
                for entry in view.scan(&scope, "") {
                    line.clear();
                    milepost::json::write_entry(&mut line, &scope, &entry?);
                    out.json(&line)?;
                }
            }
        }
    }
    Ok(())
}

/// Refuses before anything is read.
fn can_write_parquet(out: &Out) -> Result<(), CliError> {
    let refused = |why: &str| Err(CliError::Argument { what: "--format", why: why.to_owned() });
    if !cfg!(feature = "parquet") {
        return refused("this program was built without Parquet; build it with `--features parquet`");
    }
    if out.is_terminal() {
        return refused("Parquet is not for a terminal; send it to a file, as in > events.parquet");
    }
    Ok(())
}

#[cfg(feature = "parquet")]
fn write_parquet(what: What) -> Result<(), CliError> {
    match what {
        What::All(store) => parquet::commits(store.replay(Seq::FIRST)),
        What::Some(replay) => parquet::commits(replay),
        What::State(view, within) => parquet::state(&view, &within),
    }
}

#[cfg(not(feature = "parquet"))]
fn write_parquet(_what: What) -> Result<(), CliError> {
    unreachable!("refused before anything was read")
}
