//! `milepost clear`: takes all keys of a scope away, or of all scopes below a prefix.

use std::{ffi::OsString, process::ExitCode};

use super::{Context, prefix, receipt, scope, signed};
use crate::{args::WriteArgs, error::CliError, output::Out};

/// Delete all keys of a scope, durably, and print the commit's seq. Their history stays.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  milepost clear task/etl/2026-11-24/load
  milepost clear --prefix task/etl/2026-11-24     (this scope and all below it)")]
pub(crate) struct ClearArgs {
    /// Which scope.
    scope: OsString,
    /// Clear all scopes below it as well.
    #[arg(long)]
    prefix: bool,
    #[command(flatten)]
    write: WriteArgs,
}

pub(crate) fn run(args: ClearArgs, context: &Context, out: &mut Out) -> Result<ExitCode, CliError> {
    // Named before the store is touched: a wrong name makes no new store.
    let (whole, one) =
        if args.prefix { (Some(prefix(Some(&args.scope))?), None) } else { (None, Some(scope(&args.scope)?)) };
    let store = context.open()?;
    let commit = signed(store.commit(), &args.write, one.as_ref())?;
    let commit = match (&whole, &one) {
        (Some(prefix), _) => commit.clear_prefix(prefix),
        (None, Some(scope)) => commit.clear(scope),
        (None, None) => commit,
    };
    let receipt = commit.durable()?;
    receipt::write_header(out, context.format)?;
    receipt::write(out, context.format, receipt)?;
    store.close()?;
    Ok(ExitCode::SUCCESS)
}
