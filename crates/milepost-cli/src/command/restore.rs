//! `milepost restore`: a scope goes back to what it was.

use std::{ffi::OsString, process::ExitCode};

use super::{Context, Signature, at, diff::DifferenceRow, receipt, scope};
use crate::{
    args::WriteArgs,
    error::{CliError, say},
    output::Out,
    render::Rows,
};

/// Return a scope to what it was at a moment, by one durable commit of the difference, and print its seq.
///
/// History stays: what is undone can be seen and come back to. A value that has expired since stays gone. If another
/// process changes the scope meanwhile, nothing is done; run it again.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  milepost restore asset/orders --at 'yesterday 03:11' --dry-run
  milepost restore asset/orders --at 'yesterday 03:11'
  milepost restore task/etl/load --at checkpoint:after-40000")]
pub(crate) struct RestoreArgs {
    /// Whose state.
    scope: OsString,
    /// To which moment.
    #[arg(long, value_name = "MOMENT")]
    at: String,
    /// Show what would change, and change nothing.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    write: WriteArgs,
}

pub(crate) fn run(args: RestoreArgs, context: &Context, out: &mut Out) -> Result<ExitCode, CliError> {
    let scope = scope(&args.scope)?;
    let at = at("--at", Some(&args.at), Some(&scope))?;
    let signature = Signature::of(&args.write, Some(&scope))?;
    if args.dry_run {
        let store = context.open_read_only()?;
        let mut rows = Rows::new(out, context.format)?;
        let restore = store.restore(&scope, at)?;
        for difference in restore.differences() {
            rows.push(&DifferenceRow(difference.clone()))?;
        }
        rows.end(|| format!("scope {scope} is as it was then"))?;
        return Ok(ExitCode::SUCCESS);
    }
    let store = context.open()?;
    let receipt = match store.restore(&scope, at)?.commit() {
        Some(commit) => signature.sign(commit).durable()?,
        None => {
            say(&format!("scope {scope} is as it was then: nothing was appended"));
            store.last()
        }
    };
    receipt::tell_and_close(out, context, &store, receipt)?;
    Ok(ExitCode::SUCCESS)
}
