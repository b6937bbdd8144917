//! The head of a row that stands for a commit, or for a part of one: which, when, by whom.

use milepost::{Seq, Timestamp, Writer};

use super::{Object, Screen};
use crate::time::{screen_text, utc_text};

/// Which commit a row is of.
pub(crate) struct Head<'a> {
    pub(crate) seq: Seq,
    pub(crate) at: Timestamp,
    pub(crate) writer: Option<&'a Writer>,
}

impl Head<'_> {
    const TABLE: [&'static str; 3] = ["SEQ", "TIME", "WRITER"];
    const CSV: [&'static str; 4] = ["seq", "at", "writer", "attempt"];

    /// The columns of a table: those of the head, then `rest`.
    pub(crate) const fn table_columns<const N: usize>(rest: &[&'static str]) -> [&'static str; N] {
        joined(&Self::TABLE, rest)
    }

    /// The columns of a CSV: those of the head, then `rest`.
    pub(crate) const fn csv_columns<const N: usize>(rest: &[&'static str]) -> [&'static str; N] {
        joined(&Self::CSV, rest)
    }

    /// A row for people; the writer's attempt stands behind its name.
    pub(crate) fn table(&self, screen: &Screen, rest: impl IntoIterator<Item = String>) -> Vec<String> {
        let writer = self.writer.map(Writer::to_string).unwrap_or_default();
        let mut cells = vec![self.seq.to_string(), screen_text(self.at, screen), writer];
        cells.extend(rest);
        cells
    }

    /// A row for spreadsheets.
    pub(crate) fn csv(&self, rest: impl IntoIterator<Item = String>) -> Vec<String> {
        let name = self.writer.map(|writer| writer.name().to_owned()).unwrap_or_default();
        let attempt = self.writer.and_then(Writer::attempt_number);
        let attempt = attempt.map(|attempt| attempt.to_string()).unwrap_or_default();
        let mut cells = vec![self.seq.to_string(), utc_text(self.at), name, attempt];
        cells.extend(rest);
        cells
    }

    /// Its fields of a JSON object.
    pub(crate) fn json(&self, object: &mut Object<'_>) {
        object.put("seq", self.seq.0);
        object.put("at", utc_text(self.at));
        if let Some(writer) = self.writer {
            object.put("writer", writer.name());
            if let Some(attempt) = writer.attempt_number() {
                object.put("attempt", attempt);
            }
        }
    }
}

const fn joined<const N: usize>(head: &[&'static str], rest: &[&'static str]) -> [&'static str; N] {
    assert!(head.len() + rest.len() == N, "the number of columns");
    let mut all = [""; N];
    let mut at = 0;
    while at < N {
        all[at] = if at < head.len() { head[at] } else { rest[at - head.len()] };
        at += 1;
    }
    all
}
