//! The answer of a commit: its `Seq`.

use std::io;

use milepost::{ErasedSince, Receipt, Scope, Store};

use super::Context;
use crate::{
    args::Format,
    error::{CliError, say},
    output::Out,
    time::utc_text,
};

/// Tells the one receipt of a command, and closes the store. That nobody reads it is no error, as with every answer.
pub(crate) fn tell_and_close(
    out: &mut Out,
    context: &Context,
    store: &Store,
    receipt: Receipt,
) -> Result<(), CliError> {
    tell_lacking_and_close(out, context, store, receipt, ErasedSince::default())
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
    let written = write_header(out, context.format)
        .and_then(|()| write_lacking(out, context.format, receipt, erased))
        .and_then(|()| out.flush());
    store.close()?;
    written.map_err(|error| match error {
        CliError::Output(source) if source.kind() != io::ErrorKind::BrokenPipe => {
            CliError::UntoldCommit { seq: receipt.seq, source }
        }
        other => other,
    })
}

/// Writes a receipt: the bare `Seq` for people and scripts.
pub(crate) fn write(out: &mut Out, format: Format, receipt: Receipt) -> Result<(), CliError> {
    write_lacking(out, format, receipt, ErasedSince::default())
}

fn write_lacking(out: &mut Out, format: Format, receipt: Receipt, erased: ErasedSince) -> Result<(), CliError> {
    let seq = receipt.seq;
    let at = utc_text(receipt.at);
    let line = match format {
        Format::Table => seq.to_string(),
        Format::Jsonl => format!("{{\"seq\":{seq},\"at\":\"{at}\"{}}}", lacking_fields(erased)),
        Format::Csv => format!("{seq},{at}"),
    };
    out.line(line.as_bytes())
}

/// Writes the line above receipts, which only CSV has.
pub(crate) fn write_header(out: &mut Out, format: Format) -> Result<(), CliError> {
    if format == Format::Csv { out.line(b"seq,at") } else { Ok(()) }
}

/// Fields of a JSON object, those that say nothing left out.
fn lacking_fields(erased: ErasedSince) -> String {
    let counted = |name: &str, count: u64| if count == 0 { String::new() } else { format!(",\"{name}\":{count}") };
    let whole = erased.whole.map_or_else(String::new, |by| format!(",\"scope_erased_by\":{by}"));
    counted("erased_keys", erased.keys) + &counted("perhaps_erased_keys", erased.perhaps) + &whole
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
