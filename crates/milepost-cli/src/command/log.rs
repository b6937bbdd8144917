//! `milepost log`: who changed what, when, from what to what; the newest first.

use std::{ffi::OsString, process::ExitCode};

use milepost::Change;

use super::{Context, at, key, prefix};
use crate::{
    error::CliError,
    escape,
    output::Out,
    render::{Head, Row, Rows, Screen, csv_value},
};

/// Show who changed what, when, from what to what; the newest first.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  milepost log
  milepost log task/etl --since 'yesterday 03:00' --until 'yesterday 04:00'
  milepost log task/etl/load --key cursor -n 5
  milepost log --writer root@worker-7 -o csv")]
pub(crate) struct LogArgs {
    /// A scope, or where scopes begin: it is shown with all below it (default: everything).
    prefix: Option<OsString>,
    /// Only changes of this key.
    #[arg(long)]
    key: Option<OsString>,
    /// Only changes at this moment or later.
    #[arg(long, value_name = "MOMENT")]
    since: Option<String>,
    /// Only changes at this moment or earlier.
    #[arg(long, value_name = "MOMENT")]
    until: Option<String>,
    /// Only changes by this writer, in any attempt.
    #[arg(long, value_name = "NAME")]
    writer: Option<String>,
    /// At most this many changes.
    #[arg(short = 'n', long, value_name = "N")]
    limit: Option<usize>,
}

pub(crate) fn run(args: LogArgs, context: &Context, out: &mut Out) -> Result<ExitCode, CliError> {
    let prefix = prefix(args.prefix.as_deref())?.unwrap_or_default();
    let key = args.key.as_deref().map(key).transpose()?;
    let store = context.open_read_only()?;
    let mut history = store.history(prefix).newest_first();
    if let Some(key) = &key {
        history = history.key(key.as_str());
    }
    if let Some(since) = &args.since {
        history = history.since(at("--since", Some(since))?);
    }
    if let Some(until) = &args.until {
        history = history.until(at("--until", Some(until))?);
    }
    if let Some(writer) = &args.writer {
        history = history.writer(writer);
    }
    let mut rows = Rows::new(out, context.format)?;
    for change in history.iter().take(args.limit.unwrap_or(usize::MAX)) {
        rows.push(&ChangeRow(change?))?;
    }
    rows.end(|| "there is no such change; `milepost log` alone shows all".to_owned())?;
    Ok(ExitCode::SUCCESS)
}

struct ChangeRow(Change);

impl ChangeRow {
    fn head(&self) -> Head<'_> {
        Head { seq: self.0.seq, at: self.0.at, writer: self.0.writer.as_ref() }
    }
}

impl Row for ChangeRow {
    const TABLE: &'static [&'static str] = &Head::table_columns::<6>(&["SCOPE", "KEY", "CHANGE"]);
    const CSV: &'static [&'static str] =
        &Head::csv_columns::<11>(&["change", "scope", "key", "old", "old_base64", "new", "new_base64"]);

    fn table(&self, screen: &Screen) -> Vec<Vec<String>> {
        let change = &self.0;
        let side = |value: Option<&[u8]>| match value {
            Some(value) => escape::value(value, screen.chars_max),
            None => "∅".to_owned(),
        };
        let change_text = format!("{} → {}", side(change.old.as_deref()), side(change.new.as_deref()));
        vec![self.head().table(screen, [change.scope.to_string(), change.key.to_string(), change_text])]
    }

    fn csv(&self) -> Vec<Vec<String>> {
        let change = &self.0;
        let [old, old_base64] = csv_value(change.old.as_deref());
        let [new, new_base64] = csv_value(change.new.as_deref());
        let (kind, scope, key) = (change.kind.name(), change.scope.as_str(), change.key.as_str());
        vec![self.head().csv([kind.into(), scope.into(), key.into(), old, old_base64, new, new_base64])]
    }

    fn json(&self, line: &mut Vec<u8>) -> Result<(), CliError> {
        milepost::json::write_change(line, &self.0);
        Ok(())
    }
}
