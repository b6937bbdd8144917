//! The answer of a commit: its `Seq`.

use std::io;

use milepost::{Receipt, Store};

use super::Context;
use crate::{args::Format, error::CliError, output::Out, time::utc_text};

/// Tells the one receipt of a command, and closes the store. That nobody reads it is no error, as with every answer.
pub(crate) fn tell_and_close(
    out: &mut Out,
    context: &Context,
    store: &Store,
    receipt: Receipt,
) -> Result<(), CliError> {
    let written =
        write_header(out, context.format).and_then(|()| write(out, context.format, receipt)).and_then(|()| out.flush());
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
    let seq = receipt.seq;
    let at = utc_text(receipt.at);
    let line = match format {
        Format::Table => seq.to_string(),
        Format::Jsonl => format!("{{\"seq\":{seq},\"at\":\"{at}\"}}"),
        Format::Csv => format!("{seq},{at}"),
    };
    out.line(line.as_bytes())
}

/// Writes the line above receipts, which only CSV has.
pub(crate) fn write_header(out: &mut Out, format: Format) -> Result<(), CliError> {
    if format == Format::Csv { out.line(b"seq,at") } else { Ok(()) }
}

/// The same of one of many lines: with its number, but for people and scripts, who get the bare `Seq`.
pub(crate) fn write_of_line(out: &mut Out, format: Format, line: u64, receipt: Receipt) -> Result<(), CliError> {
    let seq = receipt.seq;
    let at = utc_text(receipt.at);
    let answer = match format {
        Format::Table => seq.to_string(),
        Format::Jsonl => format!("{{\"seq\":{seq},\"at\":\"{at}\",\"line\":{line}}}"),
        Format::Csv => format!("{seq},{at},{line}"),
    };
    out.line(answer.as_bytes())
}

/// Writes the line above receipts of lines, which only CSV has.
pub(crate) fn write_header_of_lines(out: &mut Out, format: Format) -> Result<(), CliError> {
    if format == Format::Csv { out.line(b"seq,at,line") } else { Ok(()) }
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
            let (why, code) = (serde_json::Value::from(why), error.code());
            out.line(format!("{{\"line\":{line},\"refused\":{why},\"code\":{code}}}").as_bytes())
        }
    }
}
