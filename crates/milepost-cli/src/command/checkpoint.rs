//! `milepost checkpoint`: names for moments of a scope: made, listed, released.

use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::OsStrExt,
    process::ExitCode,
};

use milepost::{Checkpoint, CheckpointName, Note};

use super::{Context, Signature, argument, prefix, receipt, scope};
use crate::{
    args::WriteArgs,
    error::{CliError, say},
    escape,
    output::Out,
    render::{Head, Row, Rows, Screen},
};

/// Give moments of a scope a name, list the names, let them go.
///
/// A checkpoint is the state of its scope after the commit that made it. Other commands take it as a moment:
/// --at checkpoint:NAME.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  milepost checkpoint create task/etl/load after-40000 --note 'before the new price list'
  milepost checkpoint list task
  milepost scan task/etl/load --at checkpoint:after-40000
  milepost checkpoint release task/etl/load after-40000")]
pub(crate) struct CheckpointArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Name the state of a scope as it is now, durably, and print the commit's seq. A name given again moves on.
    #[command(
        after_long_help = "Example:\n  milepost checkpoint create task/etl/load after-40000 --note 'before the new price list'"
    )]
    Create(CreateArgs),
    /// List the checkpoints of a scope and of those below it.
    #[command(after_long_help = "\
Examples:
  milepost checkpoint list
  milepost checkpoint list task/etl -o jsonl")]
    List(ListArgs),
    /// Let the name of a checkpoint go, durably, and print the commit's seq. Its history stays.
    #[command(after_long_help = "Example:\n  milepost checkpoint release task/etl/load after-40000")]
    Release(ReleaseArgs),
}

#[derive(Debug, clap::Args)]
struct CreateArgs {
    /// Whose state.
    scope: OsString,
    /// The name.
    name: OsString,
    /// What a person should know of it.
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    #[command(flatten)]
    write: WriteArgs,
}

#[derive(Debug, clap::Args)]
struct ListArgs {
    /// A scope, or where scopes begin (default: everything).
    prefix: Option<OsString>,
}

#[derive(Debug, clap::Args)]
struct ReleaseArgs {
    /// Whose checkpoint.
    scope: OsString,
    /// Its name.
    name: OsString,
    #[command(flatten)]
    write: WriteArgs,
}

pub(crate) fn run(args: CheckpointArgs, context: &Context, out: &mut Out) -> Result<ExitCode, CliError> {
    match args.command {
        Command::Create(args) => create(args, context, out),
        Command::List(args) => list(&args, context, out),
        Command::Release(args) => release(args, context, out),
    }?;
    Ok(ExitCode::SUCCESS)
}

fn create(args: CreateArgs, context: &Context, out: &mut Out) -> Result<(), CliError> {
    let (scope, name) = (scope(&args.scope)?, name(&args.name)?);
    let note = args.note.as_deref().map(Note::parse).transpose().map_err(argument("--note"))?;
    let signature = Signature::of(&args.write, Some(&scope))?;
    let store = context.open()?;
    let commit = signature.sign(store.commit());
    let commit = match &note {
        Some(note) => commit.checkpoint_with(&scope, name.as_str(), note),
        None => commit.checkpoint(&scope, name.as_str()),
    };
    receipt::tell_and_close(out, context, &store, commit.durable()?)
}

fn release(args: ReleaseArgs, context: &Context, out: &mut Out) -> Result<(), CliError> {
    let (scope, name) = (scope(&args.scope)?, name(&args.name)?);
    let signature = Signature::of(&args.write, Some(&scope))?;
    let store = context.open_existing()?;
    let before = store.last().seq;
    let receipt = signature.sign(store.commit()).release(&scope, name.as_str()).durable()?;
    if receipt.seq <= before && args.write.idempotency_key.is_none() {
        say(&format!("scope {scope} had no checkpoint {name}: nothing was appended"));
    }
    receipt::tell_and_close(out, context, &store, receipt)
}

fn list(args: &ListArgs, context: &Context, out: &mut Out) -> Result<(), CliError> {
    let prefix = prefix(args.prefix.as_deref())?.unwrap_or_default();
    let store = context.open_read_only()?;
    let mut rows = Rows::new(out, context.format)?;
    for checkpoint in store.checkpoints(prefix)? {
        rows.push(&CheckpointRow(checkpoint))?;
    }
    rows.end(|| "there is no checkpoint; `milepost checkpoint create SCOPE NAME` makes one".to_owned())
}

fn name(given: &OsStr) -> Result<CheckpointName, CliError> {
    CheckpointName::from_bytes(given.as_bytes()).map_err(argument("NAME"))
}

struct CheckpointRow(Checkpoint);

impl CheckpointRow {
    fn head(&self) -> Head<'_> {
        Head { seq: self.0.seq, at: self.0.at, writer: self.0.writer.as_ref() }
    }

    fn note(&self) -> &str {
        self.0.note.as_ref().map_or("", Note::as_str)
    }
}

impl Row for CheckpointRow {
    const TABLE: &'static [&'static str] = &Head::table_columns::<6>(&["SCOPE", "NAME", "NOTE"]);
    const CSV: &'static [&'static str] = &Head::csv_columns::<7>(&["scope", "name", "note"]);

    fn table(&self, screen: &Screen) -> Vec<Vec<String>> {
        let cells = [self.0.scope.to_string(), self.0.name.to_string(), escape::one_line(self.note())];
        vec![self.head().table(screen, cells)]
    }

    fn csv(&self) -> Vec<Vec<String>> {
        let cells = [self.0.scope.as_str(), self.0.name.as_str(), self.note()];
        vec![self.head().csv(cells.map(str::to_owned))]
    }

    fn json(&self, line: &mut Vec<u8>) -> Result<(), CliError> {
        milepost::json::write_checkpoint(line, &self.0);
        Ok(())
    }
}
