//! `milepost clear`: takes all keys of a scope away, or of all scopes below a prefix.

use std::{ffi::OsString, process::ExitCode};

use milepost::{Scope, ScopePrefix};

use super::{Context, Signature, prefix, receipt, scope};
use crate::{
    args::WriteArgs,
    error::{CliError, say},
    output::Out,
};

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

enum What {
    Scope(Scope),
    Prefix(ScopePrefix),
}

pub(crate) fn run(args: ClearArgs, context: &Context, out: &mut Out) -> Result<ExitCode, CliError> {
    let what = if args.prefix {
        What::Prefix(prefix(Some(&args.scope))?.unwrap_or_default())
    } else {
        What::Scope(scope(&args.scope)?)
    };
    if matches!(&what, What::Prefix(prefix) if prefix.as_str().is_empty()) {
        // More likely a variable that was not set than the wish to clear everything.
        let why = "it is empty, which would clear every scope of the store; name what is to be cleared";
        return Err(CliError::Argument { what: "PREFIX", why: why.into() });
    }
    let claimed = match &what {
        What::Scope(scope) => Some(scope),
        What::Prefix(_) => None,
    };
    let signature = Signature::of(&args.write, claimed)?;
    let store = context.open_existing()?;
    let before = store.last().seq;
    let commit = signature.sign(store.commit());
    let commit = match &what {
        What::Scope(scope) => commit.clear(scope),
        What::Prefix(prefix) => commit.clear_prefix(prefix),
    };
    let receipt = commit.durable()?;
    if receipt.seq <= before && args.write.idempotency_key.is_none() {
        say("there was nothing to clear: nothing was appended");
    }
    receipt::tell_and_close(out, context, &store, receipt)?;
    Ok(ExitCode::SUCCESS)
}
