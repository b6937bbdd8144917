//! `milepost replay`: every commit once, in order. The rows here are those of `watch` as well.

use std::{borrow::Cow, ffi::OsString, process::ExitCode};

use milepost::{At, Commit, Event, Scope, Seq, Store};

use super::{Context, at, prefix, retain::policy_text, scope_of, seq_from};
use crate::{
    error::CliError,
    escape,
    output::Out,
    render::{Head, Row, Rows, Screen, csv_value},
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
    #[arg(long, value_name = "MOMENT", allow_negative_numbers = true)]
    from: Option<String>,
}

pub(crate) fn run(args: ReplayArgs, context: &Context, out: &mut Out) -> Result<ExitCode, CliError> {
    let prefix = prefix(args.prefix.as_deref())?;
    let store = context.open_read_only()?;
    let scope = scope_of(prefix.as_ref());
    let from = match args.from.as_deref() {
        Some(from) => first_from(&store, from, scope.as_ref())?,
        None => Seq::FIRST,
    };
    let mut replay = store.replay(from);
    if let Some(prefix) = prefix {
        replay = replay.within(prefix);
    }
    let mut rows = Rows::new(out, context.format)?;
    for commit in replay {
        rows.push(&CommitRow(commit?))?;
    }
    rows.end(|| "there is no such commit; `milepost replay` alone shows all".to_owned())?;
    Ok(ExitCode::SUCCESS)
}

/// The first commit to be shown. A seq that is not there yet is refused, as `log --since` does; `watch` waits for it.
fn first_from(store: &Store, given: &str, scope: Option<&Scope>) -> Result<Seq, CliError> {
    if let At::Seq(seq) = at("--from", Some(given), scope)?
        && seq > store.last().seq
    {
        store.view(seq)?;
    }
    seq_from(store, "--from", given, scope)
}

/// A commit: one JSON object, or a row for each of its events.
pub(crate) struct CommitRow(pub(crate) Commit);

impl CommitRow {
    fn head(&self) -> Head<'_> {
        Head { seq: self.0.seq, at: self.0.at, writer: self.0.meta.writer.as_ref() }
    }

    /// Kind, scope or prefix, key or name, and value, note or origin of each event.
    fn events(&self) -> impl Iterator<Item = (&'static str, &str, &str, Option<Cow<'_, [u8]>>)> {
        let events = self.0.events.iter().map(|event| match event {
            Event::Set { scope, key, value, .. } => ("set", scope.as_str(), key.as_str(), Some(Cow::from(value))),
            Event::Delete { scope, key } => ("delete", scope.as_str(), key.as_str(), None),
            Event::Clear { scope } => ("clear", scope.as_str(), "", None),
            Event::ClearPrefix { prefix } => ("clear_prefix", prefix.as_str(), "", None),
            Event::Checkpoint { scope, name, note } => {
                let note = note.as_ref().map(|note| Cow::from(note.as_str().as_bytes()));
                ("checkpoint", scope.as_str(), name.as_str(), note)
            }
            Event::Release { scope, name } => ("release", scope.as_str(), name.as_str(), None),
            Event::Fork { scope, origin, point } => {
                let from = format!("{}@{point}", origin.as_str());
                ("fork", scope.as_str(), "", Some(Cow::from(from.into_bytes())))
            }
            Event::Retain { prefix, policy } => {
                ("retain", prefix.as_str(), "", Some(Cow::from(policy_text(policy).into_bytes())))
            }
            Event::Unretain { prefix } => ("unretain", prefix.as_str(), "", None),
            Event::Hold { prefix, name, note } => {
                let note = note.as_ref().map(|note| Cow::from(note.as_str().as_bytes()));
                ("hold", prefix.as_str(), name.as_str(), note)
            }
            Event::Unhold { prefix, name } => ("unhold", prefix.as_str(), name.as_str(), None),
            Event::Erase { scope, key, .. } => ("erase", scope.as_str(), key.as_str(), None),
            Event::EraseScope { scope, .. } => ("erase_scope", scope.as_str(), "", None),
            Event::ErasePrefix { prefix, .. } => ("erase_prefix", prefix.as_str(), "", None),
        });
        // Without events, it is what is left of a commit that only claimed something.
        events.chain(self.0.events.is_empty().then_some(("claim", "", "", None)))
    }
}

impl Row for CommitRow {
    const TABLE: &'static [&'static str] = &Head::table_columns::<7>(&["EVENT", "SCOPE", "KEY", "VALUE"]);
    const CSV: &'static [&'static str] = &Head::csv_columns::<9>(&["event", "scope", "key", "value", "value_base64"]);

    fn table(&self, screen: &Screen) -> Vec<Vec<String>> {
        let row = |(kind, scope, key, value): (&str, &str, &str, Option<Cow<'_, [u8]>>)| {
            let value = value.map(|value| escape::value(&value, screen.chars_max)).unwrap_or_default();
            self.head().table(screen, [kind.to_owned(), escape::one_line(scope), escape::one_line(key), value])
        };
        self.events().map(row).collect()
    }

    fn csv(&self) -> Vec<Vec<String>> {
        let row = |(kind, scope, key, value): (&str, &str, &str, Option<Cow<'_, [u8]>>)| {
            let [text, base64] = csv_value(value.as_deref());
            self.head().csv([kind.into(), scope.into(), key.into(), text, base64])
        };
        self.events().map(row).collect()
    }

    fn json(&self, line: &mut Vec<u8>) -> Result<(), CliError> {
        milepost::json::write_commit(line, &self.0);
        Ok(())
    }
}
