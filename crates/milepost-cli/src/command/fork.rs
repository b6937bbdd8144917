//! `milepost fork`: a scope begins as another one was.

use std::{ffi::OsString, ops::ControlFlow, process::ExitCode};

use super::{
    Context, Signature, at, past,
    receipt::{self, say_lacking},
    scope,
};
use crate::{args::WriteArgs, error::CliError, output::Out};

/// Let a scope begin as another one was at a moment, durably, and print the commit's seq.
///
/// Nothing is copied: both have their values from the same commits until one of them changes. The new scope must hold
/// no key and be no fork. What was erased of the origin since that moment the fork lacks as well, and how much that is
/// is said.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  milepost fork task/etl/load task/etl/load-again --at checkpoint:after-40000
  milepost fork task/etl/load debug/load --at 'yesterday 03:12'")]
pub(crate) struct ForkArgs {
    /// The scope to begin as.
    origin: OsString,
    /// The scope that begins.
    scope: OsString,
    /// As of which moment of the origin (default: now).
    #[arg(long, value_name = "MOMENT", allow_negative_numbers = true)]
    at: Option<String>,
    #[command(flatten)]
    write: WriteArgs,
}

pub(crate) fn run(args: ForkArgs, context: &Context, out: &mut Out) -> Result<ExitCode, CliError> {
    let (origin, begins) = (scope(&args.origin)?, scope(&args.scope)?);
    let at = at("--at", args.at.as_deref(), Some(&origin))?;
    let signature = Signature::of(&args.write, Some(&begins))?;
    let store = context.open_existing()?;
    let view = store.view(past(&store, "--at", at)?)?;
    let (point, erased) = (view.seq(), view.each_erased(&origin, |_| ControlFlow::Continue(()))?);
    let receipt = signature.sign(store.commit()).fork(&begins, &origin, point).durable()?;
    say_lacking(&origin, erased, " (`restore --dry-run` of the origin names them)");
    receipt::tell_lacking_and_close(out, context, &store, receipt, erased)?;
    Ok(ExitCode::SUCCESS)
}
