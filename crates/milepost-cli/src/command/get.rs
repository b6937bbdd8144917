//! `milepost get`: the bytes of a value.

use std::{ffi::OsString, process::ExitCode};

use milepost::{Entry, Key, Scope, Seq, Value};

use super::{Context, key, scan::EntryRow, scope, view};
use crate::{args::Format, error::CliError, output::Out, render::Rows};

/// Print a key's value, to the byte; exit 1 if it has none.
///
/// On a terminal, control characters in it are shown escaped, and a line end is added where there is none.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  milepost get task/etl/load cursor
  milepost get task/etl/load cursor --at 'yesterday 03:12'
  milepost get task/etl/load cursor -o jsonl")]
pub(crate) struct GetArgs {
    /// Whose state.
    scope: OsString,
    /// Which key.
    key: OsString,
    /// As of which moment (default: now).
    #[arg(long, value_name = "MOMENT", allow_negative_numbers = true)]
    at: Option<String>,
}

pub(crate) fn run(args: GetArgs, context: &Context, out: &mut Out) -> Result<ExitCode, CliError> {
    let (scope, key) = (scope(&args.scope)?, key(&args.key)?);
    let store = context.open_read_only()?;
    let view = view(&store, "--at", args.at.as_deref(), Some(&scope))?;
    let Some(value) = view.get(&scope, key.as_str())? else {
        let moment = match (&args.at, view.seq()) {
            (None, _) => String::new(),
            (Some(_), Seq::ZERO) if store.last().seq == Seq::ZERO => ", and the store has no commit yet".to_owned(),
            (Some(_), Seq::ZERO) => " at that moment, which is before the first commit".to_owned(),
            (Some(_), seq) => format!(" as of seq {seq}"),
        };
        return Err(CliError::NotFound(format!("key {key} of scope {scope} has no value{moment}")));
    };
    match context.format {
        Format::Table => out.bytes(&value)?,
        format => push(out, format, scope, key, value)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn push(out: &mut Out, format: Format, scope: Scope, key: Key, value: Value) -> Result<(), CliError> {
    let mut rows = Rows::new(out, format)?;
    rows.push(&EntryRow { scope, entry: Entry { key, value } })?;
    rows.flush()
}
