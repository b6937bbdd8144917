//! `milepost log`: who changed what, when, from what to what; the newest first.

use std::{ffi::OsString, process::ExitCode};

use clap::ValueEnum;
use milepost::{At, Change, ChangeKind, Key, Subject};

use super::{
    Context, at,
    diff::{from_to, side},
    key, past, prefix,
    retain::policy_text,
    scope_of,
};
use crate::{
    args::whole,
    error::CliError,
    escape,
    output::Out,
    render::{Head, Row, Rows, Screen, csv_value},
};

/// Show who changed what, when, from what to what; the newest first.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  milepost log
  milepost log task/etl --since 'yesterday 03:00' --until 'yesterday 04:00'
  milepost log task/etl/load --key cursor -n 5
  milepost log task/etl/load --since checkpoint:after-40000
  milepost log --kind checkpoint
  milepost log --writer root@worker-7 -o csv")]
pub(crate) struct LogArgs {
    /// A scope, or where scopes begin: it is shown with all below it (default: everything).
    prefix: Option<OsString>,
    /// Only changes of this key.
    #[arg(long)]
    key: Option<OsString>,
    /// Only changes at this moment or later.
    #[arg(long, value_name = "MOMENT", allow_negative_numbers = true)]
    since: Option<String>,
    /// Only changes at this moment or earlier.
    #[arg(long, value_name = "MOMENT", allow_negative_numbers = true)]
    until: Option<String>,
    /// Only changes by this writer, in any attempt.
    #[arg(long, value_name = "NAME")]
    writer: Option<String>,
    /// Only changes in this attempt of a task.
    #[arg(long, value_name = "N", value_parser = whole::<u32>)]
    attempt: Option<u32>,
    /// Only changes of this kind.
    #[arg(long, value_enum, value_name = "KIND")]
    kind: Option<Kind>,
    /// At most this many changes.
    #[arg(short = 'n', long, value_name = "N", value_parser = whole::<usize>)]
    limit: Option<usize>,
}

/// The kinds of change.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Kind {
    /// A key got a value.
    Set,
    /// A key was deleted.
    Delete,
    /// A key went when its scope was cleared.
    Clear,
    /// A scope's state got a name.
    Checkpoint,
    /// The name of a checkpoint was let go.
    Release,
    /// A scope began as another one.
    Fork,
    /// It was said what of the past is kept.
    Retain,
    /// What was said of it was taken back.
    Unretain,
    /// A hold was set: nothing is removed.
    Hold,
    /// A hold was released.
    Unhold,
    /// All that there ever was went.
    Erase,
}

impl From<Kind> for ChangeKind {
    fn from(kind: Kind) -> ChangeKind {
        match kind {
            Kind::Set => ChangeKind::Set,
            Kind::Delete => ChangeKind::Delete,
            Kind::Clear => ChangeKind::Clear,
            Kind::Checkpoint => ChangeKind::Checkpoint,
            Kind::Release => ChangeKind::Release,
            Kind::Fork => ChangeKind::Fork,
            Kind::Retain => ChangeKind::Retain,
            Kind::Unretain => ChangeKind::Unretain,
            Kind::Hold => ChangeKind::Hold,
            Kind::Unhold => ChangeKind::Unhold,
            Kind::Erase => ChangeKind::Erase,
        }
    }
}

pub(crate) fn run(args: LogArgs, context: &Context, out: &mut Out) -> Result<ExitCode, CliError> {
    let prefix = prefix(args.prefix.as_deref())?.unwrap_or_default();
    let scope = scope_of(Some(&prefix));
    let key = args.key.as_deref().map(key).transpose()?;
    let store = context.open_read_only()?;
    let mut history = store.history(prefix).newest_first();
    if let Some(key) = &key {
        history = history.key(key.as_str());
    }
    let moment = |what, given: &Option<String>| {
        let given = given.as_deref();
        given.map(|text| at(what, Some(text), scope.as_ref())).transpose()
    };
    let (since, until) = (moment("--since", &args.since)?, moment("--until", &args.until)?);
    in_order(since.as_ref(), until.as_ref())?;
    if let Some(since) = since {
        history = history.since(past(&store, "--since", since)?);
    }
    if let Some(until) = until {
        history = history.until(until);
    }
    if let Some(writer) = &args.writer {
        history = history.writer(writer);
    }
    if let Some(attempt) = args.attempt {
        history = history.attempt(attempt);
    }
    if let Some(kind) = args.kind {
        history = history.kind(kind.into());
    }
    let mut rows = Rows::new(out, context.format)?;
    for change in history.iter().take(args.limit.unwrap_or(usize::MAX)) {
        rows.push(&ChangeRow(change?))?;
    }
    rows.end(|| "there is no such change; `milepost log` alone shows all".to_owned())?;
    Ok(ExitCode::SUCCESS)
}

/// Refuses an end before the beginning: that there is nothing between them would read as if nothing had happened.
fn in_order(since: Option<&At>, until: Option<&At>) -> Result<(), CliError> {
    let is_backwards = match (since, until) {
        (Some(At::Seq(since)), Some(At::Seq(until))) => since > until,
        (Some(At::Time(since)), Some(At::Time(until))) => since > until,
        _ => false,
    };
    if is_backwards {
        let why = "it is later than --until, and nothing lies between them; exchange the two".to_owned();
        return Err(CliError::Argument { what: "--since", why });
    }
    Ok(())
}

struct ChangeRow(Change);

impl ChangeRow {
    fn head(&self) -> Head<'_> {
        Head { seq: self.0.seq, at: self.0.at, writer: self.0.writer.as_ref() }
    }
}

impl Row for ChangeRow {
    const TABLE: &'static [&'static str] = &Head::table_columns::<6>(&["SCOPE", "KEY", "CHANGE"]);
    const CSV: &'static [&'static str] =
        &Head::csv_columns::<12>(&["change", "scope", "key", "old", "old_base64", "old_removed", "new", "new_base64"]);

    fn table(&self, screen: &Screen) -> Vec<Vec<String>> {
        let change = &self.0;
        let (name, text) = match &change.subject {
            Subject::Key(key) if change.old_removed => {
                (key.to_string(), format!("removed → {}", side(change.new.as_ref(), screen.chars_max)))
            }
            Subject::Key(key) => (key.to_string(), from_to(change.old.as_ref(), change.new.as_ref(), screen.chars_max)),
            Subject::Checkpoint { name, note } => {
                let note = note.as_ref().map(|note| format!(": {}", escape::one_line(note.as_str())));
                (name.to_string(), format!("{}{}", change.kind.name(), note.unwrap_or_default()))
            }
            Subject::Fork { origin, point } => (String::new(), format!("fork of {origin} at {point}")),
            Subject::Policy { policy: Some(policy) } => (String::new(), format!("retain: {}", policy_text(policy))),
            Subject::Policy { policy: None } => (String::new(), change.kind.name().to_owned()),
            Subject::Hold { name, note } => {
                let note = note.as_ref().map(|note| format!(": {}", escape::one_line(note.as_str())));
                (name.to_string(), format!("{}{}", change.kind.name(), note.unwrap_or_default()))
            }
            Subject::Erased { key, with_below, bytes } => {
                let below = if *with_below { " and all below" } else { "" };
                let key = key.as_ref().map(ToString::to_string).unwrap_or_default();
                (key, format!("erased{below}, {bytes} bytes of values"))
            }
        };
        vec![self.head().table(screen, [change.scope.to_string(), name, text])]
    }

    fn csv(&self) -> Vec<Vec<String>> {
        let change = &self.0;
        let [old, old_base64] = csv_value(change.old.as_deref());
        let [new, new_base64] = csv_value(change.new.as_deref());
        let (name, new) = match &change.subject {
            Subject::Key(key) => (key.as_str(), new),
            Subject::Checkpoint { name, note } => {
                (name.as_str(), note.as_ref().map(|note| note.as_str().to_owned()).unwrap_or_default())
            }
            Subject::Fork { origin, point } => ("", format!("{}@{point}", origin.as_str())),
            Subject::Policy { policy } => ("", policy.as_ref().map(policy_text).unwrap_or_default()),
            Subject::Hold { name, note } => {
                (name.as_str(), note.as_ref().map(|note| note.as_str().to_owned()).unwrap_or_default())
            }
            Subject::Erased { key, bytes, .. } => (key.as_ref().map_or("", Key::as_str), bytes.to_string()),
        };
        let (kind, scope) = (change.kind.name(), change.scope.as_str());
        let old_removed = if change.old_removed { "true".to_owned() } else { String::new() };
        let row = [kind.into(), scope.into(), name.into(), old, old_base64, old_removed, new, new_base64];
        vec![self.head().csv(row)]
    }

    fn json(&self, line: &mut Vec<u8>) -> Result<(), CliError> {
        milepost::json::write_change(line, &self.0);
        Ok(())
    }
}
