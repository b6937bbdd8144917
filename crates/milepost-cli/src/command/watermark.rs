//! `milepost watermark`: where a task left off, and who moved it.

mod given;

use std::{ffi::OsString, process::ExitCode};

use milepost::{
    ErrorKind, Key, Scope, Store, Writer,
    task::{AnyMark, Move, Stood, Watermark},
};

use self::given::{Kind, Reading};
use super::{Context, name, receipt, scope, task};
use crate::{
    args::{Format, TaskArgs},
    error::CliError,
    escape,
    output::Out,
    render::{Head, Object, Row, Rows, Screen, csv_value},
};

/// Say where a task left off, and move it on; never back but by a reset.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
A watermark keeps the type that it was given first. There a value is an integer if it looks like one, else a time if it looks \
like one, else text; --as says otherwise. What looks like a number or a date and is none, as 9.5 or 2026-1-5, is refused unless \
--as text makes it text, which stands in the order of its characters. Bytes are written in hexadecimal, as in 0x00ff, and the first \
ones with --as bytes.

Examples:
  milepost watermark advance asset/orders id 4711
  milepost watermark get asset/orders id
  milepost watermark advance asset/orders id 4800 --task task/etl/load --attempt 3
  milepost watermark reset asset/orders id 4700 --reason 'the orders of Monday came late'
  milepost watermark history asset/orders id

In a script, from where to where:
  since=$(milepost watermark get asset/orders id || echo 0)
  milepost watermark advance asset/orders id \"$((since + 100))\"")]
pub(crate) struct WatermarkArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Print where it is; exit 1 if it has never been moved.
    #[command(after_long_help = "Example:\n  milepost watermark get asset/orders id")]
    Get(NameArgs),
    /// Move it up, durably, and print the commit's seq. A lower value is refused (exit 1).
    #[command(after_long_help = "\
Examples:
  milepost watermark advance asset/orders id 4711
  milepost watermark advance asset/orders id 4800 --from 4711
  milepost watermark advance asset/orders updated-at 2026-11-24T03:12:00Z
  milepost watermark advance asset/orders id 4800 --task task/etl/load --attempt 3")]
    Advance(AdvanceArgs),
    /// Put it anywhere, durably, for a reason that is recorded, and print the commit's seq.
    #[command(
        after_long_help = "Example:\n  milepost watermark reset asset/orders id 4700 --reason 'the orders of Monday came late'"
    )]
    Reset(ResetArgs),
    /// Show who moved it, when, from where to where; the oldest move first.
    #[command(after_long_help = "Example:\n  milepost watermark history asset/orders id -o csv")]
    History(NameArgs),
}

#[derive(Debug, clap::Args)]
struct NameArgs {
    /// Whose state: a task, or an asset that many tasks share.
    scope: OsString,
    /// The watermark's name.
    name: OsString,
}

#[derive(Debug, clap::Args)]
struct AdvanceArgs {
    #[command(flatten)]
    name: NameArgs,
    /// Where to.
    #[arg(allow_negative_numbers = true)]
    to: String,
    /// Only from here; `--from ''` for one that was never moved, which an empty text is not.
    #[arg(long, value_name = "VALUE", allow_hyphen_values = true)]
    from: Option<String>,
    /// What the value is, where the watermark does not say so.
    #[arg(long = "as", value_enum, value_name = "TYPE")]
    kind: Option<Kind>,
    #[command(flatten)]
    task: TaskArgs,
}

#[derive(Debug, clap::Args)]
struct ResetArgs {
    #[command(flatten)]
    name: NameArgs,
    /// Where to.
    #[arg(allow_negative_numbers = true)]
    to: String,
    /// Why.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// What the value is, where the watermark does not say so.
    #[arg(long = "as", value_enum, value_name = "TYPE")]
    kind: Option<Kind>,
    #[command(flatten)]
    task: TaskArgs,
}

pub(crate) fn run(args: WatermarkArgs, context: &Context, out: &mut Out) -> Result<ExitCode, CliError> {
    match args.command {
        Command::Get(args) => get(&args, context, out),
        Command::Advance(args) => advance(&args, context, out),
        Command::Reset(args) => reset(&args, context, out),
        Command::History(args) => history(&args, context, out),
    }?;
    Ok(ExitCode::SUCCESS)
}

fn get(args: &NameArgs, context: &Context, out: &mut Out) -> Result<(), CliError> {
    let (scope, name) = (scope(&args.scope)?, name(&args.name)?);
    let watermark = reader(&context.open_read_only()?, &scope, name.as_str())?;
    let Some(mark) = watermark.get()? else {
        return Err(CliError::NotFound(format!("watermark {name} of scope {scope} was never moved")));
    };
    match context.format {
        Format::Table => out.line(escape::one_line(&mark.to_string()).as_bytes()),
        format => {
            let mut rows = Rows::new(out, format)?;
            rows.push(&MarkRow { scope, name: name.as_str().to_owned(), mark })?;
            rows.flush()
        }
    }
}

fn advance(args: &AdvanceArgs, context: &Context, out: &mut Out) -> Result<(), CliError> {
    let (scope, name) = (scope(&args.name.scope)?, name(&args.name.name)?);
    let read = |reading: &Reading<'_>| {
        let from = args.from.as_deref().filter(|from| !from.is_empty());
        let from = from.map(|from| reading.read("--from", from)).transpose()?;
        Ok::<_, CliError>((from, reading.read("VALUE", &args.to)?))
    };
    if !context.has_place()? {
        // No store is made for what can't be read.
        read(&Reading { name: name.as_str(), asked: args.kind, found: None })?;
    }
    let store = context.open()?;
    // Before the attempt is claimed: who is refused for a wrong value has not taken over.
    let (from, to) = read(&reading(&store, &scope, &name, args.kind)?)?;
    let watermark = task(&store, &args.task, &scope)?.watermark::<AnyMark>(name.as_str())?;
    let receipt = match &args.from {
        Some(_) => watermark.advance_if(from, to)?,
        None => watermark.advance(to)?,
    };
    receipt::tell_and_close(out, context, &store, receipt)
}

fn reset(args: &ResetArgs, context: &Context, out: &mut Out) -> Result<(), CliError> {
    let (scope, name) = (scope(&args.name.scope)?, name(&args.name.name)?);
    let read = |reading: &Reading<'_>| reading.read("VALUE", &args.to);
    if !context.has_place()? {
        read(&Reading { name: name.as_str(), asked: args.kind, found: None })?;
    }
    let store = context.open()?;
    let to = read(&reading(&store, &scope, &name, args.kind)?)?;
    let watermark = task(&store, &args.task, &scope)?.watermark::<AnyMark>(name.as_str())?;
    let receipt = watermark.reset(to, &args.reason)?;
    receipt::tell_and_close(out, context, &store, receipt)
}

fn history(args: &NameArgs, context: &Context, out: &mut Out) -> Result<(), CliError> {
    let (scope, name) = (scope(&args.scope)?, name(&args.name)?);
    let watermark = reader(&context.open_read_only()?, &scope, name.as_str())?;
    let mut rows = Rows::new(out, context.format)?;
    for moved in watermark.history() {
        rows.push(&MoveRow(moved?))?;
    }
    rows.end(|| format!("watermark {name} of scope {scope} was never moved"))
}

/// A watermark to read: who asks claims nothing.
fn reader(store: &Store, scope: &Scope, name: &str) -> Result<Watermark<AnyMark>, CliError> {
    let writer = Writer::new("reader").map_err(milepost::Error::from)?;
    Ok(store.task(scope, writer)?.watermark(name)?)
}

/// How values of a watermark are read: as what it is, where nothing else is said.
fn reading<'a>(store: &Store, scope: &Scope, name: &'a Key, asked: Option<Kind>) -> Result<Reading<'a>, CliError> {
    let found = match reader(store, scope, name.as_str())?.get() {
        Ok(mark) => mark.as_ref().and_then(Kind::of),
        // No watermark: whoever is to move it says so.
        Err(error) if error.kind() == ErrorKind::OtherType => None,
        Err(error) => return Err(error.into()),
    };
    Ok(Reading { name: name.as_str(), asked, found })
}

struct MarkRow {
    scope: Scope,
    name: String,
    mark: AnyMark,
}

impl Row for MarkRow {
    const TABLE: &'static [&'static str] = &["VALUE"];
    const CSV: &'static [&'static str] = &["scope", "name", "type", "value"];

    fn table(&self, _screen: &Screen) -> Vec<Vec<String>> {
        vec![vec![escape::one_line(&self.mark.to_string())]]
    }

    fn csv(&self) -> Vec<Vec<String>> {
        let type_name = self.mark.type_name().to_owned();
        vec![vec![self.scope.as_str().to_owned(), self.name.clone(), type_name, self.mark.to_string()]]
    }

    fn json(&self, line: &mut Vec<u8>) -> Result<(), CliError> {
        let mut object = Object::begin(line);
        object.put("scope", self.scope.as_str());
        object.put("name", self.name.as_str());
        object.put("type", self.mark.type_name());
        object.put("value", json(&self.mark));
        object.end();
        Ok(())
    }
}

struct MoveRow(Move<AnyMark>);

impl MoveRow {
    fn head(&self) -> Head<'_> {
        Head { seq: self.0.seq, at: self.0.at, writer: self.0.writer.as_ref() }
    }
}

impl Row for MoveRow {
    const TABLE: &'static [&'static str] = &Head::table_columns::<6>(&["FROM", "TO", "REASON"]);
    const CSV: &'static [&'static str] = &Head::csv_columns::<9>(&["from", "to", "reason", "from_is", "to_is"]);

    fn table(&self, screen: &Screen) -> Vec<Vec<String>> {
        let side = |stood: &Stood<AnyMark>| match stood {
            // An empty text is not nothing.
            Stood::At(AnyMark::Text(text)) if text.is_empty() => "\"\"".to_owned(),
            Stood::At(mark) => escape::value(mark.to_string().as_bytes(), screen.chars_max),
            Stood::Foreign(value) => format!("no watermark: {}", escape::value(value, screen.chars_max)),
            Stood::Removed => "removed".to_owned(),
            _ => "∅".to_owned(),
        };
        let reason = escape::one_line(self.0.reason.as_deref().unwrap_or_default());
        vec![self.head().table(screen, [side(&self.0.from), side(&self.0.to), reason])]
    }

    fn csv(&self) -> Vec<Vec<String>> {
        let side = |stood: &Stood<AnyMark>| match stood {
            Stood::At(mark) => [mark.to_string(), mark.type_name().to_owned()],
            Stood::Foreign(value) => match csv_value(Some(value)) {
                [text, base64] if base64.is_empty() => [text, "foreign".to_owned()],
                [_, base64] => [base64, "foreign_base64".to_owned()],
            },
            Stood::Removed => [String::new(), "removed".to_owned()],
            _ => [String::new(), String::new()],
        };
        let ([from, from_is], [to, to_is]) = (side(&self.0.from), side(&self.0.to));
        vec![self.head().csv([from, to, self.0.reason.clone().unwrap_or_default(), from_is, to_is])]
    }

    fn json(&self, line: &mut Vec<u8>) -> Result<(), CliError> {
        let Move { from, to, reason, .. } = &self.0;
        let mut object = Object::begin(line);
        self.head().json(&mut object);
        put(&mut object, "from", from);
        put(&mut object, "to", to);
        if let Some(reason) = reason {
            object.put("reason", reason.as_str());
        }
        object.end();
        Ok(())
    }
}

/// Where it was: null for nowhere; what was no watermark, or is removed, has a field of another name instead.
fn put(object: &mut Object<'_>, name: &str, stood: &Stood<AnyMark>) {
    match stood {
        Stood::At(mark) => object.put(name, json(mark)),
        Stood::Foreign(value) => match csv_value(Some(value)) {
            [text, base64] if base64.is_empty() => object.put(&format!("{name}_foreign"), text),
            [_, base64] => object.put(&format!("{name}_foreign_base64"), base64),
        },
        Stood::Removed => object.put(&format!("{name}_removed"), true),
        _ => object.put(name, serde_json::Value::Null),
    }
}

/// A number as a number, anything else as its text.
fn json(mark: &AnyMark) -> serde_json::Value {
    match mark {
        AnyMark::Integer(number) => (*number).into(),
        other => other.to_string().into(),
    }
}
