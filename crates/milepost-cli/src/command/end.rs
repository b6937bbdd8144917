//! `milepost end`: a task says that it has ended.

use std::{ffi::OsString, process::ExitCode};

use super::{Context, receipt, scope, task};
use crate::{
    args::{TaskArgs, whole},
    error::CliError,
    output::Out,
};

/// Say durably that a task has ended, and print the commit's seq.
///
/// Where a policy lets scopes expire (`milepost retain set --expire-ended`), the task's scope goes so long afterwards,
/// with those below it. Until then nothing changes: whoever commits there, or opens a new attempt, takes it back.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  milepost retain set task --expire-ended 30d
  milepost end task/etl/2026-11-24/load
  milepost retain explain task/etl/2026-11-24/load     (when it goes, and what keeps it)")]
pub(crate) struct EndArgs {
    /// The task's scope.
    scope: OsString,
    /// Who says so (default: user@host of this process).
    #[arg(long, value_name = "NAME", env = "MILEPOST_WRITER")]
    writer: Option<String>,
    /// Which attempt of the task this is: from now on, lower ones are refused.
    #[arg(long, value_name = "N", env = "MILEPOST_ATTEMPT", value_parser = whole::<u32>)]
    attempt: Option<u32>,
}

pub(crate) fn run(args: EndArgs, context: &Context, out: &mut Out) -> Result<ExitCode, CliError> {
    let scope = scope(&args.scope)?;
    let store = context.open()?;
    let who = TaskArgs { writer: args.writer, attempt: args.attempt, task: None };
    let receipt = task(&store, &who, &scope)?.end()?;
    receipt::tell_and_close(out, context, &store, receipt)?;
    Ok(ExitCode::SUCCESS)
}
