//! The answer of a commit: its `Seq`.

use milepost::Receipt;

use crate::{args::Format, error::CliError, output::Out, time::utc_text};

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
