//! `milepost restore`: a scope goes back to what it was.

use std::{ffi::OsString, process::ExitCode};

use milepost::{Restore, Scope, json::Side};

use super::{
    Context, Signature, at,
    diff::{DifferenceRow, push_erased},
    past,
    receipt::{self, say_lacking},
    scope,
};
use crate::{
    args::WriteArgs,
    error::{CliError, say},
    output::Out,
    render::Rows,
};

/// Return a scope to what it was at a moment, by one durable commit of the difference, and print its seq.
///
/// History stays: what is undone can be seen and come back to. A value that has expired since stays gone. So does what
/// was erased since: how many keys that are is said, and --dry-run names them. If another process changes the scope
/// meanwhile, nothing is done; run it again.
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
    #[arg(long, value_name = "MOMENT", allow_negative_numbers = true)]
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
        let restore = store.restore(&scope, past(&store, "--at", at)?)?;
        for difference in restore.differences() {
            rows.push(&DifferenceRow::Differs(difference.clone()))?;
        }
        let erased = push_erased(&mut rows, Side::New, |visit| restore.each_erased(visit))?;
        rows.end(|| format!("scope {scope} is as it was then"))?;
        say_lacking(&scope, erased, "");
        refuse_too_large(&restore, &scope, &args.at)?;
        return Ok(ExitCode::SUCCESS);
    }
    let store = context.open_existing()?;
    let restore = store.restore(&scope, past(&store, "--at", at)?)?;
    let erased = restore.erased();
    refuse_too_large(&restore, &scope, &args.at)?;
    let receipt = match restore.commit() {
        Some(commit) => signature.sign(commit).durable()?,
        None => {
            let but = if erased.is_nothing() { "" } else { ", but for what was erased since" };
            say(&format!("scope {scope} is as it was then{but}: nothing was appended"));
            store.last()
        }
    };
    say_lacking(&scope, erased, " (--dry-run names them)");
    receipt::tell_lacking_and_close(out, context, &store, receipt, erased)?;
    Ok(ExitCode::SUCCESS)
}

/// What one commit can't hold, a fork can.
fn refuse_too_large(restore: &Restore, scope: &Scope, at: &str) -> Result<(), CliError> {
    restore.fits().map_err(|error| CliError::Argument {
        what: "SCOPE",
        why: format!(
            "{error}: the difference is too large for one commit; `milepost fork {scope} OTHER --at '{at}'` begins \
             another scope as this one was, without a copy, and after `milepost clear {scope}` this one can be forked \
             from that"
        ),
    })
}
