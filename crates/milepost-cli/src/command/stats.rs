//! `milepost stats`: how large the store is and what it holds.

use std::process::ExitCode;

use milepost::{Horizon, Stats, Timestamp};
use serde_json::json;

use super::{Context, segments};
use crate::{
    error::CliError,
    escape,
    output::Out,
    render::{Object, Row, Rows, Screen},
    time::{screen_text, utc_text},
};

/// Say how large the store is, what it holds, what was written, and from where on its past can be read.
///
/// appended_bytes is what commits took in the log since the store was last opened for writing, the written_ figures
/// what was written to its files in that time; write_amplification is all of the latter over the former. They are as of
/// when the writer last wrote MANIFEST: whenever a segment is full, the index or compaction has changed a file, and at
/// its end. log_bytes are the frames of all commits, as they are read; `verify` counts their bodies alone, and
/// --segments what is in use of each file, header and footer included. A horizon says from which commit on a place can
/// be read; where none is said, it is the first.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  milepost stats -o jsonl
  milepost stats --segments                      (bytes that are live and dead)")]
pub(crate) struct StatsArgs {
    /// List the segments of the log instead: bytes that are live and dead, what `milepost compact` would make of each,
    /// and what a store that stays open does by itself. Walks over the whole index. A segment's bytes are shared out by
    /// its records.
    #[arg(long)]
    segments: bool,
}

pub(crate) fn run(args: &StatsArgs, context: &Context, out: &mut Out) -> Result<ExitCode, CliError> {
    if args.segments {
        return segments::run(context, out);
    }
    let store = context.open_read_only()?;
    let mut rows = Rows::new(out, context.format)?;
    rows.push(&StatsRow { dir: store.dir().display().to_string(), stats: store.stats() })?;
    rows.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// Numbers with their names, one a row; one JSON object.
struct StatsRow {
    dir: String,
    stats: Stats,
}

impl StatsRow {
    fn numbers(&self) -> [(&'static str, u64); 21] {
        let stats = &self.stats;
        [
            ("epoch", u64::from(stats.epoch)),
            ("seq", stats.last.seq.0),
            ("scopes_ever", stats.scopes_ever),
            ("keys_ever", stats.keys_ever),
            ("versions", stats.versions),
            ("segments", stats.segments),
            ("log_bytes", stats.log_bytes),
            ("cold_segments", stats.cold_segments),
            ("cold_bytes", stats.cold_bytes),
            ("cold_file_bytes", stats.cold_file_bytes),
            ("memtable_bytes", stats.memtable_bytes),
            ("frozen_bytes", stats.frozen_bytes),
            ("runs", stats.runs),
            ("run_bytes", stats.run_bytes),
            ("reserve_bytes", stats.reserve.bytes),
            ("reserve_whole", stats.reserve.whole),
            ("quarantine_bytes", stats.quarantine_bytes),
            ("appended_bytes", stats.written.frame_bytes),
            ("written_log_bytes", stats.written.log_bytes),
            ("written_index_bytes", stats.written.index_bytes),
            ("written_other_bytes", stats.written.other_bytes),
        ]
    }

    fn rows(&self, time: impl Fn(Timestamp) -> String) -> Vec<Vec<String>> {
        let named = |name: &str, value: String| vec![name.to_owned(), value];
        let mut rows = vec![named("dir", self.dir.clone()), named("store", self.stats.store.clone())];
        rows.extend(self.numbers().into_iter().map(|(name, number)| named(name, number.to_string())));
        if let Some(ratio) = self.stats.written.amplification() {
            rows.push(named("write_amplification", format!("{ratio:.2}")));
        }
        for Horizon { prefix, seq, at } in &self.stats.horizons {
            rows.push(named("horizon", format!("{} commit {seq} ({})", prefix.given_raw(), time(*at))));
        }
        if self.stats.last.seq.0 > 0 {
            rows.push(named("at", time(self.stats.last.at)));
        }
        rows
    }
}

impl Row for StatsRow {
    const TABLE: &'static [&'static str] = &["NAME", "VALUE"];
    const CSV: &'static [&'static str] = &["name", "value"];

    fn table(&self, screen: &Screen) -> Vec<Vec<String>> {
        let rows = self.rows(|at| screen_text(at, screen));
        rows.into_iter().map(|row| row.iter().map(|cell| escape::one_line(cell)).collect()).collect()
    }

    fn csv(&self) -> Vec<Vec<String>> {
        self.rows(utc_text)
    }

    fn json(&self, line: &mut Vec<u8>) -> Result<(), CliError> {
        let mut object = Object::begin(line);
        object.put("dir", &*self.dir);
        object.put("store", &*self.stats.store);
        for (name, number) in self.numbers() {
            object.put(name, number);
        }
        if let Some(ratio) = self.stats.written.amplification() {
            object.put("write_amplification", ratio);
        }
        let horizon = |of: &Horizon| json!({ "prefix": of.prefix.as_str(), "seq": of.seq.0, "at": utc_text(of.at) });
        object.put("horizons", self.stats.horizons.iter().map(horizon).collect::<Vec<_>>());
        if self.stats.last.seq.0 > 0 {
            object.put("at", utc_text(self.stats.last.at));
        }
        object.end();
        Ok(())
    }
}
