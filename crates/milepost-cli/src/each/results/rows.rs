//! Jobs and items as rows of an answer.
//!
//! Invariant: an ending is told in one field of its kind: `exit` a number, `signal` a name, `not_started` or
//! `timed_out` true; as CSV, `ending` says which.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use milepost::{
    Seq, Timestamp,
    task::{Marked, Summary},
};

use crate::{
    each::{
        job::RunRecord,
        mark::{Ending, Mark},
        text,
    },
    error::CliError,
    escape,
    render::{Object, Row, Screen, csv_value},
    time::{screen_text, utc_text},
};

/// A job in the list of jobs.
pub(super) struct JobRow {
    job: String,
    done: u64,
    failed: u64,
    runs: u32,
    command: String,
    /// The last commit that touched its items; none if nothing ended yet.
    seq: Seq,
    /// When the last of its items ended.
    last: Option<Timestamp>,
}

impl JobRow {
    pub(super) fn new(job: &str, record: &RunRecord, summary: &Summary) -> JobRow {
        let command = text::command_line(&record.command);
        let (done, failed, last) = (summary.done, summary.failed, summary.last);
        JobRow { job: job.to_owned(), done, failed, runs: record.run, command, seq: summary.last_seq(), last }
    }
}

impl Row for JobRow {
    const TABLE: &'static [&'static str] = &["JOB", "DONE", "FAILED", "RUNS", "LAST", "COMMAND"];
    const CSV: &'static [&'static str] = &["job", "done", "failed", "runs", "command", "seq", "last"];

    fn table(&self, screen: &Screen) -> Vec<Vec<String>> {
        vec![vec![
            escape::one_line(&self.job),
            self.done.to_string(),
            self.failed.to_string(),
            self.runs.to_string(),
            self.last.map_or_else(|| "-".to_owned(), |at| screen_text(at, screen)),
            escape::value(self.command.as_bytes(), screen.chars_max),
        ]]
    }

    fn csv(&self) -> Vec<Vec<String>> {
        vec![vec![
            self.job.clone(),
            self.done.to_string(),
            self.failed.to_string(),
            self.runs.to_string(),
            self.command.clone(),
            self.seq.to_string(),
            self.last.map(utc_text).unwrap_or_default(),
        ]]
    }

    fn json(&self, line: &mut Vec<u8>) -> Result<(), CliError> {
        let mut object = Object::begin(line);
        object.put("job", &*self.job);
        object.put("done", self.done);
        object.put("failed", self.failed);
        object.put("runs", self.runs);
        object.put("command", &*self.command);
        object.put("seq", self.seq.0);
        if let Some(at) = self.last {
            object.put("last", utc_text(at));
        }
        object.end();
        Ok(())
    }
}

/// An item in the list of a job's items.
pub(super) struct ItemRow {
    item: Vec<u8>,
    ending: Ending,
    micros: u64,
    attempt: u32,
    stdout_bytes: u64,
    stderr_bytes: u64,
    /// The last line of its error output, if it failed.
    said: Option<String>,
    seq: Seq,
    at: Timestamp,
}

impl ItemRow {
    pub(super) fn new(entry: &Marked, mark: &Mark<'_>) -> ItemRow {
        ItemRow {
            item: entry.item.clone(),
            ending: mark.ending,
            micros: mark.micros,
            attempt: mark.attempt,
            stdout_bytes: mark.stdout.total_bytes,
            stderr_bytes: mark.stderr.total_bytes,
            said: if mark.ending.is_ok() { None } else { text::last_line(mark.stderr.bytes) },
            seq: entry.value.seq(),
            at: entry.value.at(),
        }
    }

    fn status(&self) -> &'static str {
        if self.ending.is_ok() { "ok" } else { "failed" }
    }

    fn ending_kind(&self) -> &'static str {
        match self.ending {
            Ending::Exit(_) => "exit",
            Ending::Signal(_) => "signal",
            Ending::NotStarted => "not_started",
            Ending::TimedOut => "timed_out",
        }
    }
}

impl Row for ItemRow {
    const TABLE: &'static [&'static str] = &["STATUS", "EXIT", "TOOK", "WHEN", "ITEM", "SAID"];
    const CSV: &'static [&'static str] = &[
        "item",
        "item_base64",
        "status",
        "ending",
        "exit",
        "signal",
        "attempt",
        "micros",
        "stdout_bytes",
        "stderr_bytes",
        "said",
        "seq",
        "at",
    ];

    fn table(&self, screen: &Screen) -> Vec<Vec<String>> {
        let exit = match self.ending {
            Ending::Exit(code) => code.to_string(),
            ending @ (Ending::Signal(_) | Ending::NotStarted | Ending::TimedOut) => ending.to_string(),
        };
        vec![vec![
            self.status().to_owned(),
            exit,
            text::duration(Duration::from_micros(self.micros)),
            screen_text(self.at, screen),
            text::shown(&self.item),
            self.said.clone().unwrap_or_default(),
        ]]
    }

    fn csv(&self) -> Vec<Vec<String>> {
        let (exit, signal) = match self.ending {
            Ending::Exit(code) => (code.to_string(), String::new()),
            Ending::Signal(_) => (String::new(), self.ending.to_string()),
            Ending::NotStarted | Ending::TimedOut => (String::new(), String::new()),
        };
        let [item, item_base64] = csv_value(Some(&self.item));
        vec![vec![
            item,
            item_base64,
            self.status().to_owned(),
            self.ending_kind().to_owned(),
            exit,
            signal,
            self.attempt.to_string(),
            self.micros.to_string(),
            self.stdout_bytes.to_string(),
            self.stderr_bytes.to_string(),
            self.said.clone().unwrap_or_default(),
            self.seq.to_string(),
            utc_text(self.at),
        ]]
    }

    fn json(&self, line: &mut Vec<u8>) -> Result<(), CliError> {
        let mut object = Object::begin(line);
        match str::from_utf8(&self.item) {
            Ok(item) => object.put("item", item),
            Err(_) => object.put("item_base64", STANDARD.encode(&self.item)),
        }
        object.put("status", self.status());
        match self.ending {
            Ending::Exit(code) => object.put("exit", code),
            Ending::Signal(_) => object.put("signal", self.ending.to_string()),
            Ending::NotStarted => object.put("not_started", true),
            Ending::TimedOut => object.put("timed_out", true),
        }
        object.put("attempt", self.attempt);
        object.put("micros", self.micros);
        object.put("stdout_bytes", self.stdout_bytes);
        object.put("stderr_bytes", self.stderr_bytes);
        if let Some(said) = &self.said {
            object.put("said", &**said);
        }
        object.put("seq", self.seq.0);
        object.put("at", utc_text(self.at));
        object.end();
        Ok(())
    }
}
