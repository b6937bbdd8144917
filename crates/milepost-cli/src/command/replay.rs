//! `milepost replay`: every commit once, in order. The rows here are those of `watch` as well.

use std::{ffi::OsString, process::ExitCode};

use milepost::{Commit, Event, Seq, Writer};

use super::{Context, prefix, seq_from};
use crate::{
    error::CliError,
    escape,
    output::Out,
    render::{Row, Rows, Screen, csv_value},
    time::{local_text, utc_text},
};

/// Show every commit once, in order, event by event.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  milepost replay
  milepost replay task/etl --from 'today 03:00'
  milepost replay --from 17 -o jsonl            (one commit a line)")]
pub(crate) struct ReplayArgs {
    /// Only events of this scope and those below it.
    prefix: Option<OsString>,
    /// From which moment on (default: the beginning).
    #[arg(long, value_name = "MOMENT")]
    from: Option<String>,
}

pub(crate) fn run(args: ReplayArgs, context: &Context, out: &mut Out) -> Result<ExitCode, CliError> {
    let prefix = args.prefix.as_deref().map(|given| prefix(Some(given))).transpose()?;
    let store = context.open_read_only()?;
    let from = args.from.as_deref().map_or(Ok(Seq::FIRST), |from| seq_from(&store, "--from", from))?;
    let mut replay = store.replay(from);
    if let Some(prefix) = prefix {
        replay = replay.within(prefix);
    }
    let mut rows = Rows::new(out, context.format)?;
    for commit in replay {
        rows.push(&CommitRow(commit?))?;
    }
    rows.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// A commit: one JSON object, or a row for each of its events.
pub(crate) struct CommitRow(pub(crate) Commit);

impl CommitRow {
    /// Kind, scope or prefix, key and value of each event.
    fn events(&self) -> impl Iterator<Item = (&'static str, &str, &str, Option<&[u8]>)> {
        let events = self.0.events.iter().map(|event| match event {
            Event::Set { scope, key, value, .. } => ("set", scope.as_str(), key.as_str(), Some(&value[..])),
            Event::Delete { scope, key } => ("delete", scope.as_str(), key.as_str(), None),
            Event::Clear { scope } => ("clear", scope.as_str(), "", None),
            Event::ClearPrefix { prefix } => ("clear_prefix", prefix.as_str(), "", None),
            _ => ("other", "", "", None),
        });
        // Without events, it is what is left of a commit that only claimed something.
        events.chain(self.0.events.is_empty().then_some(("claim", "", "", None)))
    }
}

impl Row for CommitRow {
    const TABLE: &'static [&'static str] = &["SEQ", "TIME", "WRITER", "EVENT", "SCOPE", "KEY", "VALUE"];
    const CSV: &'static [&'static str] =
        &["seq", "at", "writer", "attempt", "event", "scope", "key", "value", "value_base64"];

    fn table(&self, screen: &Screen) -> Vec<Vec<String>> {
        let writer = self.0.meta.writer.as_ref().map(Writer::to_string).unwrap_or_default();
        let time = local_text(self.0.at, &screen.now);
        let row = |(kind, scope, key, value): (&str, &str, &str, Option<&[u8]>)| {
            vec![
                self.0.seq.to_string(),
                time.clone(),
                writer.clone(),
                kind.to_owned(),
                escape::one_line(scope),
                escape::one_line(key),
                value.map(|value| escape::value(value, screen.chars_max)).unwrap_or_default(),
            ]
        };
        self.events().map(row).collect()
    }

    fn csv(&self) -> Vec<Vec<String>> {
        let writer = self.0.meta.writer.as_ref();
        let row = |(kind, scope, key, value): (&str, &str, &str, Option<&[u8]>)| {
            let [text, base64] = csv_value(value);
            vec![
                self.0.seq.to_string(),
                utc_text(self.0.at),
                writer.map(|writer| writer.name().to_owned()).unwrap_or_default(),
                writer.and_then(Writer::attempt_number).map(|attempt| attempt.to_string()).unwrap_or_default(),
                kind.to_owned(),
                scope.to_owned(),
                key.to_owned(),
                text,
                base64,
            ]
        };
        self.events().map(row).collect()
    }

    fn json(&self, line: &mut Vec<u8>) -> Result<(), CliError> {
        Ok(milepost::json::write_commit(line, &self.0).map_err(milepost::Error::from)?)
    }
}
