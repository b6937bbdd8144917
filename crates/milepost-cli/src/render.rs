//! Answers as tables, JSON lines or CSV.
//!
//! Invariant: nothing in a table acts on a screen; no cell of CSV is a formula; JSON is exact. Rows are written as they
//! come: memory does not grow with their number.

mod head;
mod object;
mod table;

use std::{borrow::Cow, marker::PhantomData};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::ZonedDateTime;
use milepost::{Corruption, Value, task::AnyMark};

use crate::{
    args::Format,
    error::{CliError, say},
    escape,
    output::Out,
};
use table::Table;

pub(crate) use self::{head::Head, object::Object};

/// A thing of an answer: one JSON object, and usually one row.
pub(crate) trait Row {
    /// The columns of the table; the last one takes what is left of the line.
    const TABLE: &'static [&'static str];
    /// The columns of the CSV.
    const CSV: &'static [&'static str];

    /// Its rows for people, cells escaped.
    fn table(&self, screen: &Screen) -> Vec<Vec<String>>;
    /// Its rows for spreadsheets, cells as they are.
    fn csv(&self) -> Vec<Vec<String>>;
    /// Its JSON object.
    fn json(&self, line: &mut Vec<u8>) -> Result<(), CliError>;
}

/// What a table needs to know of who looks at it.
#[derive(Clone, Debug)]
pub(crate) struct Screen {
    /// Now, in the zone that times are shown in.
    pub(crate) now: ZonedDateTime,
    /// Characters of a value worth showing.
    pub(crate) chars_max: usize,
    /// Columns of the terminal, if it is one.
    pub(crate) width: Option<usize>,
}

impl Screen {
    fn of(out: &Out) -> Screen {
        let width = out.is_terminal().then(|| usize::from(console::Term::stdout().size().1).max(40));
        Screen { now: ZonedDateTime::now(), chars_max: width.unwrap_or(usize::MAX), width }
    }
}

/// The rows of an answer on their way out.
pub(crate) struct Rows<'o, R> {
    writer: Writer<'o>,
    screen: Screen,
    is_empty: bool,
    rows: PhantomData<fn(&R)>,
}

enum Writer<'o> {
    Table(Table<'o>),
    Jsonl { out: &'o mut Out, line: Vec<u8> },
    Csv(Box<csv::Writer<&'o mut Out>>),
}

impl<'o, R: Row> Rows<'o, R> {
    pub(crate) fn new(out: &'o mut Out, format: Format) -> Result<Rows<'o, R>, CliError> {
        let mut rows = Rows::more(out, format);
        if let Writer::Csv(writer) = &mut rows.writer {
            writer.write_record(R::CSV).map_err(output)?;
        }
        Ok(rows)
    }

    /// Goes on where an answer of the same rows has ended: a CSV has its header already. A table has one of its own.
    pub(crate) fn more(out: &'o mut Out, format: Format) -> Rows<'o, R> {
        let screen = Screen::of(out);
        let writer = match format {
            Format::Table => Writer::Table(Table::new(out, R::TABLE, screen.width)),
            Format::Jsonl => Writer::Jsonl { out, line: Vec::new() },
            Format::Csv => Writer::Csv(Box::new(csv::Writer::from_writer(out))),
        };
        Rows { writer, screen, is_empty: true, rows: PhantomData }
    }

    /// Writes a row.
    pub(crate) fn push(&mut self, row: &R) -> Result<(), CliError> {
        self.is_empty = false;
        match &mut self.writer {
            Writer::Table(table) => row.table(&self.screen).into_iter().try_for_each(|cells| table.push(cells)),
            Writer::Jsonl { out, line } => {
                line.clear();
                row.json(line)?;
                out.json(line)
            }
            Writer::Csv(writer) => {
                for cells in row.csv() {
                    let cells = cells.iter().map(|cell| match self.screen.width {
                        // A file gets the cell as it is; a terminal must not act on it.
                        Some(_) => escape::lines(&harmless(cell)),
                        None => harmless(cell).into_owned(),
                    });
                    writer.write_record(cells).map_err(output)?;
                }
                Ok(())
            }
        }
    }

    /// Hands on all of it. A person who looks at nothing is told why, in the words of `nothing`; a file stays empty.
    pub(crate) fn end(mut self, nothing: impl FnOnce() -> String) -> Result<(), CliError> {
        self.flush()?;
        if self.is_empty && self.screen.width.is_some() {
            say(&nothing());
        }
        Ok(())
    }

    /// Hands on what was written so far.
    pub(crate) fn flush(&mut self) -> Result<(), CliError> {
        match &mut self.writer {
            Writer::Table(table) => table.flush(),
            Writer::Jsonl { out, .. } => out.flush(),
            Writer::Csv(writer) => writer.flush().map_err(CliError::Output),
        }
    }
}

/// A cell that no spreadsheet takes for a formula: one that begins like one gets an apostrophe in front. Numbers stay.
fn harmless(cell: &str) -> Cow<'_, str> {
    let begins = cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']);
    let number = || {
        cell.len() < 64
            && cell.bytes().all(|b| b.is_ascii_digit() || b"+-.".contains(&b))
            && cell.parse::<f64>().is_ok()
    };
    if begins && !number() { Cow::Owned(format!("'{cell}")) } else { Cow::Borrowed(cell) }
}

/// One line of CSV, for an answer that is no table.
pub(crate) fn csv_line(cells: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Result<Vec<u8>, CliError> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(cells).map_err(output)?;
    writer.into_inner().map_err(|error| CliError::Output(error.into_error()))
}

fn output(error: csv::Error) -> CliError {
    let text = error.to_string();
    CliError::Output(match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        _ => std::io::Error::other(text),
    })
}

/// A value for people: a watermark as what it is, anything else as its bytes.
pub(crate) fn shown(value: &Value, chars_max: usize) -> String {
    match AnyMark::of_value(value.content_type(), value) {
        Some(mark) => escape::value(mark.to_string().as_bytes(), chars_max),
        None => escape::value(value, chars_max),
    }
}

/// The bytes of a value in CSV: as text, or else in base64 in the column behind.
pub(crate) fn csv_value(bytes: Option<&[u8]>) -> [String; 2] {
    let Some(bytes) = bytes else { return [String::new(), String::new()] };
    match str::from_utf8(bytes) {
        Ok(text) => [text.to_owned(), String::new()],
        Err(_) => [String::new(), STANDARD.encode(bytes)],
    }
}

/// Damage, with its place.
pub(crate) fn damage_json(damage: &Corruption) -> serde_json::Value {
    serde_json::json!({
        "file": damage.file.display().to_string(),
        "offset": damage.offset,
        "seq": damage.seq.map(|seq| seq.0),
        "what": damage.what,
    })
}

#[cfg(test)]
mod tests;
