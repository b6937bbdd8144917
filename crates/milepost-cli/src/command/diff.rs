//! `milepost diff`: in which keys two states differ. The rows here are those of `restore` as well.

use std::{ffi::OsString, process::ExitCode};

use milepost::{Difference, Value};

use super::{Context, at, scope};
use crate::{
    error::CliError,
    output::Out,
    render::{Row, Rows, Screen, csv_value, shown},
};

/// Show in which keys a scope differs between two moments, or two scopes differ.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  milepost diff task/etl/load --from checkpoint:after-40000
  milepost diff task/etl/load --from 'yesterday 03:00' --to 'yesterday 04:00'
  milepost diff task/etl/load task/etl/load-again           (two scopes, as they are now)")]
pub(crate) struct DiffArgs {
    /// Whose state.
    scope: OsString,
    /// Another scope to compare it with.
    #[arg(required_unless_present = "from")]
    other: Option<OsString>,
    /// The first side: the scope as of this moment (default: now).
    #[arg(long, value_name = "MOMENT")]
    from: Option<String>,
    /// The second side: the scope, or the other one, as of this moment (default: now).
    #[arg(long, value_name = "MOMENT")]
    to: Option<String>,
}

pub(crate) fn run(args: DiffArgs, context: &Context, out: &mut Out) -> Result<ExitCode, CliError> {
    let old_scope = scope(&args.scope)?;
    let new_scope = args.other.as_deref().map_or_else(|| Ok(old_scope.clone()), scope)?;
    let store = context.open_read_only()?;
    let old = store.view(at("--from", args.from.as_deref(), Some(&old_scope))?)?;
    let new = store.view(at("--to", args.to.as_deref(), Some(&new_scope))?)?;
    let mut rows = Rows::new(out, context.format)?;
    for difference in old.diff(&old_scope, &new, &new_scope)? {
        rows.push(&DifferenceRow(difference?))?;
    }
    rows.end(|| "nothing differs".to_owned())?;
    Ok(ExitCode::SUCCESS)
}

/// A key that differs.
pub(crate) struct DifferenceRow(pub(crate) Difference);

impl Row for DifferenceRow {
    const TABLE: &'static [&'static str] = &["DIFFERENCE", "KEY", "CHANGE"];
    const CSV: &'static [&'static str] = &["difference", "key", "old", "old_base64", "new", "new_base64"];

    fn table(&self, screen: &Screen) -> Vec<Vec<String>> {
        let Difference { key, old, new } = &self.0;
        let text = from_to(old.as_ref(), new.as_ref(), screen.chars_max);
        vec![vec![self.0.kind().name().to_owned(), key.to_string(), text]]
    }

    fn csv(&self) -> Vec<Vec<String>> {
        let Difference { key, old, new } = &self.0;
        let [old, old_base64] = csv_value(old.as_deref());
        let [new, new_base64] = csv_value(new.as_deref());
        let (kind, key) = (self.0.kind().name().to_owned(), key.as_str().to_owned());
        vec![vec![kind, key, old, old_base64, new, new_base64]]
    }

    fn json(&self, line: &mut Vec<u8>) -> Result<(), CliError> {
        milepost::json::write_difference(line, &self.0);
        Ok(())
    }
}

/// A value before and after, on one line.
pub(crate) fn from_to(old: Option<&Value>, new: Option<&Value>, chars_max: usize) -> String {
    format!("{} → {}", side(old, chars_max), side(new, chars_max))
}

/// A value, or that there is none.
pub(crate) fn side(value: Option<&Value>, chars_max: usize) -> String {
    value.map_or_else(|| "∅".to_owned(), |value| shown(value, chars_max))
}
