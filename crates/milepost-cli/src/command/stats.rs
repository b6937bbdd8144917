//! `milepost stats`: how large the store is and what it holds.

use std::process::ExitCode;

use milepost::Stats;

use super::Context;
use crate::{
    error::CliError,
    escape,
    output::Out,
    render::{Object, Row, Rows, Screen},
    time::{screen_text, utc_text},
};

pub(crate) fn run(context: &Context, out: &mut Out) -> Result<ExitCode, CliError> {
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
    fn numbers(&self) -> [(&'static str, u64); 13] {
        let stats = &self.stats;
        [
            ("epoch", u64::from(stats.epoch)),
            ("seq", stats.last.seq.0),
            ("scopes_ever", stats.scopes_ever),
            ("keys_ever", stats.keys_ever),
            ("versions", stats.versions),
            ("segments", stats.segments),
            ("log_bytes", stats.log_bytes),
            ("memtable_bytes", stats.memtable_bytes),
            ("frozen_bytes", stats.frozen_bytes),
            ("runs", stats.runs),
            ("run_bytes", stats.run_bytes),
            ("reserve_bytes", stats.reserve.bytes),
            ("reserve_whole", stats.reserve.whole),
        ]
    }

    fn rows(&self, at: String) -> Vec<Vec<String>> {
        let named = |name: &str, value: String| vec![name.to_owned(), value];
        let mut rows = vec![named("dir", self.dir.clone()), named("store", self.stats.store.clone())];
        rows.extend(self.numbers().into_iter().map(|(name, number)| named(name, number.to_string())));
        if self.stats.last.seq.0 > 0 {
            rows.push(named("at", at));
        }
        rows
    }
}

impl Row for StatsRow {
    const TABLE: &'static [&'static str] = &["NAME", "VALUE"];
    const CSV: &'static [&'static str] = &["name", "value"];

    fn table(&self, screen: &Screen) -> Vec<Vec<String>> {
        let mut rows = self.rows(screen_text(self.stats.last.at, screen));
        rows[0][1] = escape::one_line(&rows[0][1]);
        rows
    }

    fn csv(&self) -> Vec<Vec<String>> {
        self.rows(utc_text(self.stats.last.at))
    }

    fn json(&self, line: &mut Vec<u8>) -> Result<(), CliError> {
        let mut object = Object::begin(line);
        object.put("dir", &*self.dir);
        object.put("store", &*self.stats.store);
        for (name, number) in self.numbers() {
            object.put(name, number);
        }
        if self.stats.last.seq.0 > 0 {
            object.put("at", utc_text(self.stats.last.at));
        }
        object.end();
        Ok(())
    }
}
