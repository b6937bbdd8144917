//! `milepost diff`: in which keys two states differ. The rows here are those of `restore` as well.

use std::{ffi::OsString, ops::ControlFlow, process::ExitCode};

use milepost::{
    Difference, ErasedKey, ErasedSince, Seq, Value,
    json::{self, Side},
};

use super::{Context, scope, view};
use crate::{
    error::CliError,
    output::Out,
    render::{Row, Rows, Screen, csv_value, shown},
};

/// Show in which keys a scope differs between two moments, or two scopes differ.
///
/// It takes as long as there is that changed: between the moments, or in a fork and what it was forked from since.
/// Scopes that have nothing in common are gone through whole.
///
/// What was erased since no moment shows any more. Behind the differences it is said of each side which keys it lacks
/// for that: `erased` for a key, `erased_scope` where all of the scope was.
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
    #[arg(long, value_name = "MOMENT", allow_negative_numbers = true)]
    from: Option<String>,
    /// The second side: the scope, or the other one, as of this moment (default: now).
    #[arg(long, value_name = "MOMENT", allow_negative_numbers = true)]
    to: Option<String>,
}

pub(crate) fn run(args: DiffArgs, context: &Context, out: &mut Out) -> Result<ExitCode, CliError> {
    let old_scope = scope(&args.scope)?;
    let new_scope = args.other.as_deref().map_or_else(|| Ok(old_scope.clone()), scope)?;
    let store = context.open_read_only()?;
    let old = view(&store, "--from", args.from.as_deref(), Some(&old_scope))?;
    // Of two scopes as they are now it is one moment.
    let is_now = args.from.is_none() && args.to.is_none();
    let new = if is_now { old.clone() } else { view(&store, "--to", args.to.as_deref(), Some(&new_scope))? };
    let mut rows = Rows::new(out, context.format)?;
    for difference in old.diff(&old_scope, &new, &new_scope)? {
        rows.push(&DifferenceRow::Differs(difference?))?;
    }
    push_erased(&mut rows, Side::Old, |visit| old.each_erased(&old_scope, visit))?;
    push_erased(&mut rows, Side::New, |visit| new.each_erased(&new_scope, visit))?;
    rows.end(|| "nothing differs".to_owned())?;
    Ok(ExitCode::SUCCESS)
}

/// A key that differs, or that a side lacks because it was erased since.
pub(crate) enum DifferenceRow {
    Differs(Difference),
    Erased(Side, ErasedKey),
    /// All keys of a side, by this commit.
    ErasedScope(Side, Seq),
}

impl Row for DifferenceRow {
    const TABLE: &'static [&'static str] = &["DIFFERENCE", "KEY", "CHANGE"];
    const CSV: &'static [&'static str] =
        &["difference", "key", "old", "old_base64", "new", "new_base64", "old_erased_by", "new_erased_by", "is_sure"];

    fn table(&self, screen: &Screen) -> Vec<Vec<String>> {
        let [kind, key, text] = match self {
            DifferenceRow::Differs(difference) => {
                let Difference { key, old, new } = difference;
                let text = from_to(old.as_ref(), new.as_ref(), screen.chars_max);
                [difference.kind().name().to_owned(), key.to_string(), text]
            }
            DifferenceRow::Erased(side, ErasedKey { key, by, is_sure }) => {
                let text = if *is_sure { String::new() } else { ", if it had a value then".to_owned() };
                ["erased".to_owned(), key.to_string(), lacking(*side, &format!("erased by {by}{text}"))]
            }
            DifferenceRow::ErasedScope(side, by) => {
                let text = format!("all of it was erased by {by}, names that compaction took not listed");
                ["erased_scope".to_owned(), String::new(), lacking(*side, &text)]
            }
        };
        vec![vec![kind, key, text]]
    }

    fn csv(&self) -> Vec<Vec<String>> {
        let by = |side: Side, by: Seq| match side {
            Side::Old => [by.to_string(), String::new()],
            Side::New => [String::new(), by.to_string()],
        };
        let none = || [String::new(), String::new()];
        let (kind, key, [old, new], erased_by, is_sure) = match self {
            DifferenceRow::Differs(difference) => {
                let sides = [csv_value(difference.old.as_deref()), csv_value(difference.new.as_deref())];
                (difference.kind().name(), difference.key.as_str(), sides, none(), "")
            }
            DifferenceRow::Erased(side, erased) => {
                let is_sure = if erased.is_sure { "" } else { "false" };
                ("erased", erased.key.as_str(), [none(), none()], by(*side, erased.by), is_sure)
            }
            DifferenceRow::ErasedScope(side, seq) => ("erased_scope", "", [none(), none()], by(*side, *seq), ""),
        };
        let cells = [kind.to_owned(), key.to_owned()].into_iter().chain(old).chain(new).chain(erased_by);
        vec![cells.chain([is_sure.to_owned()]).collect()]
    }

    fn json(&self, line: &mut Vec<u8>) -> Result<(), CliError> {
        match self {
            DifferenceRow::Differs(difference) => json::write_difference(line, difference),
            DifferenceRow::Erased(side, erased) => json::write_erased(line, *side, erased),
            DifferenceRow::ErasedScope(side, by) => json::write_erased_scope(line, *side, *by),
        }
        Ok(())
    }
}

/// On which side something is missing.
fn lacking(side: Side, what: &str) -> String {
    match side {
        Side::Old => format!("({what}) →"),
        Side::New => format!("→ ({what})"),
    }
}

/// Writes what a side lacks because it was erased since: each key, and then that all of it was.
pub(crate) fn push_erased(
    rows: &mut Rows<'_, DifferenceRow>,
    side: Side,
    each: impl FnOnce(&mut dyn FnMut(ErasedKey) -> ControlFlow<()>) -> milepost::Result<ErasedSince>,
) -> Result<ErasedSince, CliError> {
    let mut pushed = Ok(());
    let told = each(&mut |erased| {
        pushed = rows.push(&DifferenceRow::Erased(side, erased));
        if pushed.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    pushed?;
    if let Some(by) = told.whole {
        rows.push(&DifferenceRow::ErasedScope(side, by))?;
    }
    Ok(told)
}

/// A value before and after, on one line.
pub(crate) fn from_to(old: Option<&Value>, new: Option<&Value>, chars_max: usize) -> String {
    format!("{} → {}", side(old, chars_max), side(new, chars_max))
}

/// A value, or that there is none.
pub(crate) fn side(value: Option<&Value>, chars_max: usize) -> String {
    value.map_or_else(|| "∅".to_owned(), |value| shown(value, chars_max))
}
