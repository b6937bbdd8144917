//! Commits and state as Parquet, for tools that read columns.
//!
//! Rows are gathered into groups of bounded size, so memory does not grow with the log.

use std::{
    io::{self, BufWriter, Stdout},
    sync::Arc,
};

use milepost::{Commit, ContentType, Event, Fence, Note, Policy, Replay, Scope, ScopePrefix, Timestamp, View, Writer};
use parquet::{
    basic::Compression,
    data_type::{ByteArray, ByteArrayType, DataType, Int64Type},
    errors::ParquetError,
    file::{
        properties::WriterProperties,
        writer::{SerializedFileWriter, SerializedRowGroupWriter},
    },
    schema::parser::parse_message_type,
};

use crate::{error::CliError, output::Patient};

/// A group ends with so many rows,
const GROUP_ROWS_MAX: usize = 100_000;
/// or with so many bytes of values.
const GROUP_BYTES_MAX: usize = 32 << 20;

const COMMITS: &str = "message commits {
    optional int64 seq;
    optional int64 at (TIMESTAMP(MICROS,true));
    optional binary writer (STRING);
    optional int64 attempt;
    optional binary idempotency_key (STRING);
    optional binary fences (JSON);
    optional int64 event_index;
    optional binary event (STRING);
    optional binary scope (STRING);
    optional binary key (STRING);
    optional binary value;
    optional binary content_type (STRING);
    optional int64 expires_at (TIMESTAMP(MICROS,true));
    optional binary prefix (STRING);
    optional binary name (STRING);
    optional binary note (STRING);
    optional binary origin (STRING);
    optional int64 point;
    optional int64 keep_for_us;
    optional int64 keep_last;
    optional int64 expire_ended_us;
    optional int64 cold_after_us;
    optional int64 idempotency_for_us;
    optional int64 bytes;
}";

const STATE: &str = "message state {
    optional binary scope (STRING);
    optional binary key (STRING);
    optional binary value;
    optional binary content_type (STRING);
    optional int64 expires_at (TIMESTAMP(MICROS,true));
    optional int64 seq;
    optional int64 at (TIMESTAMP(MICROS,true));
}";

/// Writes a row for each event.
pub(super) fn commits(replay: Replay) -> Result<(), CliError> {
    let mut table = Table::new(COMMITS)?;
    for commit in replay {
        let commit = commit?;
        let fences = fences(&commit.meta.fences);
        for (index, event) in commit.events.iter().enumerate() {
            table.push(commit_row(&commit, &fences, Some((index, event))))?;
        }
        if commit.events.is_empty() {
            table.push(commit_row(&commit, &fences, None))?;
        }
    }
    table.end()
}

/// Writes a row for each key.
pub(super) fn state(view: &View, within: &ScopePrefix) -> Result<(), CliError> {
    let mut table = Table::new(STATE)?;
    for scope in view.scopes(within)? {
        for entry in view.scan(&scope, "") {
            let entry = entry?;
            table.push(vec![
                text(scope.as_str()),
                text(entry.key.as_str()),
                bytes(&entry.value),
                maybe_text(entry.value.content_type()),
                Cell::Number(entry.value.expires_at().map(|at| at.0)),
                number(entry.value.seq().0),
                time(entry.value.at()),
            ])?;
        }
    }
    table.end()
}

fn commit_row(commit: &Commit, fences: &Option<String>, event: Option<(usize, &Event)>) -> Vec<Cell> {
    let writer = commit.meta.writer.as_ref();
    let mut row = vec![
        number(commit.seq.0),
        time(commit.at),
        maybe_text(writer.map(Writer::name)),
        Cell::Number(writer.and_then(Writer::attempt_number).map(i64::from)),
        maybe_text(commit.meta.idempotency_key.as_deref()),
        maybe_text(fences.as_deref()),
        Cell::Number(event.map(|(index, _)| index as i64)),
    ];
    let parts = event.map(|(_, event)| Parts::of(event)).unwrap_or_default();
    row.extend([
        maybe_text(parts.kind),
        maybe_text(parts.scope.map(Scope::as_str)),
        maybe_text(parts.key),
        Cell::Bytes(parts.value.map(|value| ByteArray::from(value.to_vec()))),
        maybe_text(parts.content_type.map(ContentType::as_str)),
        Cell::Number(parts.expires_at.map(|at| at.0)),
        maybe_text(parts.prefix),
        maybe_text(parts.name),
        maybe_text(parts.note.map(Note::as_str)),
        maybe_text(parts.origin.map(Scope::as_str)),
        Cell::Number(parts.point),
    ]);
    let Policy { keep_for_us, keep_last, expire_ended_us, cold_after_us, idempotency_for_us } = parts.policy;
    let numbers = [keep_for_us, keep_last, expire_ended_us, cold_after_us, idempotency_for_us, parts.bytes];
    row.extend(numbers.map(|number| Cell::Number(number.map(u64::cast_signed))));
    row
}

/// What an event says, column by column.
#[derive(Default)]
struct Parts<'a> {
    kind: Option<&'static str>,
    scope: Option<&'a Scope>,
    key: Option<&'a str>,
    value: Option<&'a [u8]>,
    content_type: Option<&'a ContentType>,
    expires_at: Option<Timestamp>,
    prefix: Option<&'a str>,
    name: Option<&'a str>,
    note: Option<&'a Note>,
    origin: Option<&'a Scope>,
    point: Option<i64>,
    policy: Policy,
    bytes: Option<u64>,
}

impl<'a> Parts<'a> {
    fn of(event: &'a Event) -> Parts<'a> {
        let kind = |kind| Parts { kind: Some(kind), ..Parts::default() };
        match event {
            Event::Set { scope, key, value, content_type, expires_at } => Parts {
                scope: Some(scope),
                key: Some(key.as_str()),
                value: Some(value),
                content_type: content_type.as_ref(),
                expires_at: *expires_at,
                ..kind("set")
            },
            Event::Delete { scope, key } => Parts { scope: Some(scope), key: Some(key.as_str()), ..kind("delete") },
            Event::Clear { scope } => Parts { scope: Some(scope), ..kind("clear") },
            Event::ClearPrefix { prefix } => Parts { prefix: Some(prefix.as_str()), ..kind("clear_prefix") },
            Event::Checkpoint { scope, name, note } => {
                Parts { scope: Some(scope), name: Some(name.as_str()), note: note.as_ref(), ..kind("checkpoint") }
            }
            Event::Release { scope, name } => {
                Parts { scope: Some(scope), name: Some(name.as_str()), ..kind("release") }
            }
            Event::Fork { scope, origin, point } => {
                Parts { scope: Some(scope), origin: Some(origin), point: Some(point.0.cast_signed()), ..kind("fork") }
            }
            Event::Retain { prefix, policy } => {
                Parts { prefix: Some(prefix.as_str()), policy: *policy, ..kind("retain") }
            }
            Event::Unretain { prefix } => Parts { prefix: Some(prefix.as_str()), ..kind("unretain") },
            Event::Hold { prefix, name, note } => {
                let (prefix, name) = (Some(prefix.as_str()), Some(name.as_str()));
                Parts { prefix, name, note: note.as_ref(), ..kind("hold") }
            }
            Event::Unhold { prefix, name } => {
                Parts { prefix: Some(prefix.as_str()), name: Some(name.as_str()), ..kind("unhold") }
            }
            Event::Erase { scope, key, bytes } => {
                Parts { scope: Some(scope), key: Some(key.as_str()), bytes: Some(*bytes), ..kind("erase") }
            }
            Event::EraseScope { scope, bytes } => {
                Parts { scope: Some(scope), bytes: Some(*bytes), ..kind("erase_scope") }
            }
            Event::ErasePrefix { prefix, bytes } => {
                Parts { prefix: Some(prefix.as_str()), bytes: Some(*bytes), ..kind("erase_prefix") }
            }
        }
    }
}

/// The fences of a commit as JSON, as they stand in a line; `None` if there are none.
fn fences(fences: &[Fence]) -> Option<String> {
    let list = fences.iter().map(|fence| serde_json::json!({ "scope": fence.scope.as_str(), "token": fence.token }));
    let list: Vec<serde_json::Value> = list.collect();
    (!list.is_empty()).then(|| serde_json::Value::from(list).to_string())
}

/// A place in a row.
enum Cell {
    Number(Option<i64>),
    Bytes(Option<ByteArray>),
}

fn number(number: u64) -> Cell {
    Cell::Number(Some(number.cast_signed()))
}

fn time(at: Timestamp) -> Cell {
    Cell::Number(Some(at.0))
}

fn text(text: &str) -> Cell {
    maybe_text(Some(text))
}

fn maybe_text(text: Option<&str>) -> Cell {
    Cell::Bytes(text.map(|text| ByteArray::from(text.as_bytes().to_vec())))
}

fn bytes(bytes: &[u8]) -> Cell {
    Cell::Bytes(Some(ByteArray::from(bytes.to_vec())))
}

/// A file on its way out, a group of rows at a time.
struct Table {
    writer: SerializedFileWriter<BufWriter<Patient<Stdout>>>,
    rows: Vec<Vec<Cell>>,
    bytes: usize,
}

impl Table {
    fn new(schema: &str) -> Result<Table, CliError> {
        let schema = Arc::new(parse_message_type(schema).map_err(failed)?);
        let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
        let writer = SerializedFileWriter::new(BufWriter::new(Patient(io::stdout())), schema, Arc::new(properties));
        Ok(Table { writer: writer.map_err(failed)?, rows: Vec::new(), bytes: 0 })
    }

    fn push(&mut self, row: Vec<Cell>) -> Result<(), CliError> {
        self.bytes += row.iter().map(Cell::bytes).sum::<usize>();
        self.rows.push(row);
        if self.rows.len() >= GROUP_ROWS_MAX || self.bytes >= GROUP_BYTES_MAX { self.write_group() } else { Ok(()) }
    }

    fn write_group(&mut self) -> Result<(), CliError> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let mut rows = std::mem::take(&mut self.rows);
        self.bytes = 0;
        let columns = rows[0].len();
        let mut group = self.writer.next_row_group().map_err(failed)?;
        for column in 0..columns {
            match rows[0][column] {
                Cell::Number(_) => write::<Int64Type>(&mut group, rows.iter().map(|row| row[column].number())),
                Cell::Bytes(_) => write::<ByteArrayType>(&mut group, rows.iter_mut().map(|row| row[column].take())),
            }
            .map_err(failed)?;
        }
        group.close().map_err(failed)?;
        Ok(())
    }

    fn end(mut self) -> Result<(), CliError> {
        self.write_group()?;
        self.writer.finish().map_err(failed)?;
        io::Write::flush(self.writer.inner_mut()).map_err(CliError::Output)
    }
}

impl Cell {
    fn bytes(&self) -> usize {
        match self {
            Cell::Bytes(Some(bytes)) => bytes.len(),
            Cell::Bytes(None) | Cell::Number(_) => 8,
        }
    }

    fn number(&self) -> Option<i64> {
        match self {
            Cell::Number(number) => *number,
            Cell::Bytes(_) => unreachable!("a column holds cells of one kind"),
        }
    }

    fn take(&mut self) -> Option<ByteArray> {
        match self {
            Cell::Bytes(bytes) => bytes.take(),
            Cell::Number(_) => unreachable!("a column holds cells of one kind"),
        }
    }
}

fn write<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, BufWriter<Patient<Stdout>>>,
    cells: impl Iterator<Item = Option<T::T>>,
) -> Result<(), ParquetError> {
    let (mut values, mut levels) = (Vec::new(), Vec::new());
    for cell in cells {
        levels.push(i16::from(cell.is_some()));
        values.extend(cell);
    }
    let mut column = group.next_column()?.expect("there are as many columns as cells in a row");
    column.typed::<T>().write_batch(&values, Some(&levels), None)?;
    column.close()
}

fn failed(error: ParquetError) -> CliError {
    CliError::Output(match error {
        ParquetError::External(error) => match error.downcast::<io::Error>() {
            Ok(error) => *error,
            Err(error) => io::Error::other(error),
        },
        other => io::Error::other(other),
    })
}
