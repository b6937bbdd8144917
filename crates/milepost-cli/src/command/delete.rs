//! `milepost delete`: takes a key's value away.

use std::{ffi::OsString, process::ExitCode};

use milepost::Seq;

use super::{Context, Signature, key, receipt, scope};
use crate::{
    args::{WriteArgs, whole},
    error::{CliError, say},
    output::Out,
};

/// Delete a key of a scope, durably, and print the commit's seq. Its history stays.
///
/// A key that has no value is left alone: nothing is appended, and that is no error.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  milepost delete task/etl/load cursor
  milepost delete lock/nightly owner --if-version 17")]
pub(crate) struct DeleteArgs {
    /// Whose state.
    scope: OsString,
    /// Which key.
    key: OsString,
    /// Only if the key's value is the one of this commit.
    #[arg(long, value_name = "SEQ", value_parser = whole::<u64>)]
    if_version: Option<u64>,
    #[command(flatten)]
    write: WriteArgs,
}

pub(crate) fn run(args: DeleteArgs, context: &Context, out: &mut Out) -> Result<ExitCode, CliError> {
    let (scope, key) = (scope(&args.scope)?, key(&args.key)?);
    let signature = Signature::of(&args.write, Some(&scope))?;
    let store = context.open_existing()?;
    let before = store.last().seq;
    let mut commit = signature.sign(store.commit());
    if let Some(version) = args.if_version {
        commit = commit.require_version(&scope, key.as_str(), Seq(version));
    }
    let receipt = commit.delete(&scope, key.as_str()).durable()?;
    if receipt.seq <= before && args.write.idempotency_key.is_none() {
        say(&format!("key {key} of scope {scope} had no value: nothing was appended"));
    }
    receipt::tell_and_close(out, context, &store, receipt)?;
    Ok(ExitCode::SUCCESS)
}
