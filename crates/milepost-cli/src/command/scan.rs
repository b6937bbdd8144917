//! `milepost scan`: the keys of a scope, or the scopes of a store.

use std::{ffi::OsString, process::ExitCode};

use milepost::{Entry, Scope, ScopePrefix, View};

use super::{Context, scope, view};
use crate::{
    error::CliError,
    output::Out,
    render::{Object, Row, Rows, Screen, csv_value, shown},
    time::{screen_text, utc_text},
};

/// List the keys of a scope with their values, or the scopes that hold any.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  milepost scan                                   (the scopes)
  milepost scan task/etl/load
  milepost scan task/etl/load part-00 -o jsonl
  milepost scan task/etl/load --at '10 minutes ago'
  milepost scan task --below                      (of all scopes at and below task)")]
pub(crate) struct ScanArgs {
    /// Whose state; without it, the scopes are listed.
    scope: Option<OsString>,
    /// Only keys that begin with this.
    prefix: Option<String>,
    /// Of every scope at and below SCOPE; without SCOPE, of all.
    #[arg(long)]
    below: bool,
    /// As of which moment (default: now).
    #[arg(long, value_name = "MOMENT", allow_negative_numbers = true)]
    at: Option<String>,
}

/// A key with its value.
pub(crate) struct EntryRow {
    pub(crate) scope: Scope,
    pub(crate) entry: Entry,
}

/// The same among keys of other scopes.
struct PlacedRow(EntryRow);

/// A scope and what it holds.
struct ScopeRow {
    scope: Scope,
    keys: u64,
    seq: u64,
}

pub(crate) fn run(args: ScanArgs, context: &Context, out: &mut Out) -> Result<ExitCode, CliError> {
    let given = args.scope.as_deref().map(scope).transpose()?;
    let store = context.open_read_only()?;
    let view = view(&store, "--at", args.at.as_deref(), given.as_ref())?;
    match given {
        given if args.below => below(&view, given.as_ref(), args.prefix.as_deref(), context, out)?,
        None => scopes(&view, context, out)?,
        Some(scope) => {
            let mut rows = Rows::new(out, context.format)?;
            for entry in view.scan(&scope, args.prefix.as_deref().unwrap_or_default()) {
                rows.push(&EntryRow { scope: scope.clone(), entry: entry? })?;
            }
            let prefix = args.prefix.as_deref().map(|prefix| format!(" that begin with {prefix:?}"));
            rows.end(|| {
                let prefix = prefix.unwrap_or_default();
                format!("scope {scope} holds no keys{prefix}; `milepost scan` lists the scopes that hold any")
            })?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn below(
    view: &View,
    scope: Option<&Scope>,
    key_prefix: Option<&str>,
    context: &Context,
    out: &mut Out,
) -> Result<(), CliError> {
    let prefix = scope.map_or_else(ScopePrefix::root, ScopePrefix::from);
    let mut rows = Rows::new(out, context.format)?;
    for found in view.scan_below(&prefix, key_prefix.unwrap_or_default())? {
        let (scope, entry) = found?;
        rows.push(&PlacedRow(EntryRow { scope, entry }))?;
    }
    rows.end(|| match (scope, key_prefix) {
        (None, None) => "no scope holds a key".to_owned(),
        (Some(scope), None) => format!("no scope at or below {scope} holds a key"),
        (_, Some(prefix)) => format!("no scope there holds a key that begins with {prefix:?}"),
    })
}

fn scopes(view: &View, context: &Context, out: &mut Out) -> Result<(), CliError> {
    let mut rows = Rows::new(out, context.format)?;
    for scope in view.scopes(&ScopePrefix::root())? {
        let mut keys = 0;
        for entry in view.scan(&scope, "") {
            entry?;
            keys += 1;
        }
        let seq = view.scope_version(&scope)?.0;
        rows.push(&ScopeRow { scope, keys, seq })?;
    }
    rows.end(|| "no scope holds a key".to_owned())
}

impl Row for EntryRow {
    const TABLE: &'static [&'static str] = &["KEY", "SEQ", "TIME", "VALUE"];
    const CSV: &'static [&'static str] =
        &["scope", "key", "value", "value_base64", "content_type", "expires_at", "seq", "at"];

    fn table(&self, screen: &Screen) -> Vec<Vec<String>> {
        let value = &self.entry.value;
        vec![vec![
            self.entry.key.to_string(),
            value.seq().to_string(),
            screen_text(value.at(), screen),
            shown(value, screen.chars_max),
        ]]
    }

    fn csv(&self) -> Vec<Vec<String>> {
        let value = &self.entry.value;
        let [text, base64] = csv_value(Some(value));
        vec![vec![
            self.scope.as_str().to_owned(),
            self.entry.key.as_str().to_owned(),
            text,
            base64,
            value.content_type().unwrap_or_default().to_owned(),
            value.expires_at().map(utc_text).unwrap_or_default(),
            value.seq().to_string(),
            utc_text(value.at()),
        ]]
    }

    fn json(&self, line: &mut Vec<u8>) -> Result<(), CliError> {
        milepost::json::write_entry(line, &self.scope, &self.entry);
        Ok(())
    }
}

impl Row for PlacedRow {
    const TABLE: &'static [&'static str] = &["SCOPE", "KEY", "SEQ", "TIME", "VALUE"];
    const CSV: &'static [&'static str] = EntryRow::CSV;

    fn table(&self, screen: &Screen) -> Vec<Vec<String>> {
        let with_scope = |cells| std::iter::once(self.0.scope.to_string()).chain(cells).collect();
        self.0.table(screen).into_iter().map(with_scope).collect()
    }

    fn csv(&self) -> Vec<Vec<String>> {
        self.0.csv()
    }

    fn json(&self, line: &mut Vec<u8>) -> Result<(), CliError> {
        self.0.json(line)
    }
}

impl Row for ScopeRow {
    const TABLE: &'static [&'static str] = &["KEYS", "SEQ", "SCOPE"];
    const CSV: &'static [&'static str] = &["scope", "keys", "seq"];

    fn table(&self, _screen: &Screen) -> Vec<Vec<String>> {
        vec![vec![self.keys.to_string(), self.seq.to_string(), self.scope.to_string()]]
    }

    fn csv(&self) -> Vec<Vec<String>> {
        vec![vec![self.scope.as_str().to_owned(), self.keys.to_string(), self.seq.to_string()]]
    }

    fn json(&self, line: &mut Vec<u8>) -> Result<(), CliError> {
        let mut object = Object::begin(line);
        object.put("scope", self.scope.as_str());
        object.put("keys", self.keys);
        object.put("seq", self.seq);
        object.end();
        Ok(())
    }
}
