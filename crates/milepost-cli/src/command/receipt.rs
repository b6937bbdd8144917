//! The answer of a commit: its `Seq`.

use std::io;

use milepost::{ErasedSince, Receipt, Scope, Store};
use serde_json::Value;

use super::Context;
use crate::{
    args::Format,
    error::{CliError, say},
    output::Out,
    render::{Object, csv_line},
    time::utc_text,
};

/// Tells the one receipt of a command, and closes the store. That nobody reads it is no error, as with every answer.
pub(crate) fn tell_and_close(
    out: &mut Out,
    context: &Context,
    store: &Store,
    receipt: Receipt,
) -> Result<(), CliError> {
    tell_more_and_close(out, context, store, receipt, &[])
}

/// The same of a commit that goes back to a moment of which something was erased since. In JSON the receipt says how
/// much; to people it is said by [`say_lacking`].
pub(crate) fn tell_lacking_and_close(
    out: &mut Out,
    context: &Context,
    store: &Store,
    receipt: Receipt,
    erased: ErasedSince,
) -> Result<(), CliError> {
    let fields = if context.format == Format::Jsonl { lacking_fields(erased) } else { Vec::new() };
    tell_more_and_close(out, context, store, receipt, &fields)
}

/// The same, with more to tell programs about the commit. In CSV what has parts stands as JSON.
pub(crate) fn tell_more_and_close(
    out: &mut Out,
    context: &Context,
    store: &Store,
    receipt: Receipt,
    more: &[(&str, Value)],
) -> Result<(), CliError> {
    let names: Vec<_> = more.iter().map(|(name, _)| *name).collect();
    let written = write_header(out, context.format, &names)
        .and_then(|()| write(out, context.format, receipt, more))
        .and_then(|()| out.flush());
    store.close()?;
    written.map_err(|error| match error {
        CliError::Output(source) if source.kind() != io::ErrorKind::BrokenPipe => {
            CliError::UntoldCommit { seq: receipt.seq, source }
        }
        other => other,
    })
}

/// Writes a receipt: the bare `Seq` for people and scripts, and for programs what more there is to tell.
pub(crate) fn write(out: &mut Out, format: Format, receipt: Receipt, more: &[(&str, Value)]) -> Result<(), CliError> {
    let (seq, at) = (receipt.seq.to_string(), utc_text(receipt.at));
    match format {
        Format::Table => out.line(seq.as_bytes()),
        Format::Jsonl => {
            let mut line = Vec::new();
            let mut object = Object::begin(&mut line);
            object.put("seq", receipt.seq.0);
            object.put("at", at);
            more.iter().for_each(|(name, value)| object.put(name, value.clone()));
            object.end();
            out.line(&line)
        }
        Format::Csv => {
            let cells = [seq, at].into_iter().chain(more.iter().map(|(_, value)| value.to_string()));
            out.raw(&csv_line(cells)?)
        }
    }
}

/// Writes the line above receipts, which only CSV has.
pub(crate) fn write_header(out: &mut Out, format: Format, more: &[&str]) -> Result<(), CliError> {
    match format {
        Format::Csv => out.raw(&csv_line(["seq", "at"].iter().chain(more))?),
        Format::Table | Format::Jsonl => Ok(()),
    }
}

/// Writes that a line was refused, where that can stand between receipts: why, and the code to exit with for it.
pub(crate) fn write_refusal(out: &mut Out, format: Format, line: u64, error: &CliError) -> Result<(), CliError> {
    match format {
        // A column of its own would be empty in every receipt, and a `Seq` is all that scripts expect here.
        Format::Table | Format::Csv => Ok(()),
        Format::Jsonl => {
            let why = match error {
                CliError::Line { error, .. } => error.to_string(),
                other => other.to_string(),
            };
            let mut object_line = Vec::new();
            let mut object = Object::begin(&mut object_line);
            object.put("line", line);
            object.put("refused", why);
            object.put("code", error.code());
            object.end();
            out.line(&object_line)
        }
    }
}

/// What is said of it in JSON; what is nothing is left out.
fn lacking_fields(erased: ErasedSince) -> Vec<(&'static str, Value)> {
    let counted = |count: u64| Some(count).filter(|count| *count > 0);
    let fields = [
        ("erased_keys", counted(erased.keys)),
        ("perhaps_erased_keys", counted(erased.perhaps)),
        ("scope_erased_by", erased.whole.map(|by| by.0)),
    ];
    fields.into_iter().filter_map(|(name, number)| Some((name, Value::from(number?)))).collect()
}

/// Says to people what a scope as of a moment lacks because it was erased since, if anything, and what names it.
pub(crate) fn say_lacking(scope: &Scope, erased: ErasedSince, names_it: &str) {
    if erased.is_nothing() {
        return;
    }
    let mut parts = Vec::new();
    let keys = |count: u64| if count == 1 { "1 key".to_owned() } else { format!("{count} keys") };
    if erased.keys > 0 {
        parts.push(format!("{} had a value then", keys(erased.keys)));
    }
    if erased.perhaps > 0 {
        parts.push(format!("{} may have had a value then", keys(erased.perhaps)));
    }
    if let Some(by) = erased.whole {
        parts.push(format!("commit {by} erased all of it, and names that compaction took are not counted"));
    }
    let parts = parts.join("; ");
    say(&format!("what was erased of scope {scope} since that moment stays gone: {parts}{names_it}"));
}
