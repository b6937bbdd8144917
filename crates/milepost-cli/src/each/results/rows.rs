//! Jobs and items as rows of an answer.
//!
//! Invariant: an ending is told in one field of its kind: `exit` a number, `signal` a name, `not_started` true.

use std::time::Duration;

use milepost::{Entry, Key, Seq, Timestamp};
use serde_json::json;

use crate::{
    each::{
        job::RunRecord,
        mark::{Ending, Mark},
        text,
    },
    error::CliError,
    escape,
    render::{Row, Screen},
    time::{local_text, utc_text},
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
    pub(super) fn new(job: &str, record: &RunRecord, seq: Seq) -> JobRow {
        let command = text::command_line(&record.command);
        JobRow { job: job.to_owned(), done: 0, failed: 0, runs: record.run, command, seq, last: None }
    }

    /// Counts an item.
    pub(super) fn count(&mut self, ending: Ending, at: Timestamp) {
        *if ending.is_ok() { &mut self.done } else { &mut self.failed } += 1;
        self.last = self.last.max(Some(at));
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
            self.last.map_or_else(|| "-".to_owned(), |at| local_text(at, &screen.now)),
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
        let mut object = Fields::new(line);
        object.put("job", &json!(self.job));
        object.put("done", &json!(self.done));
        object.put("failed", &json!(self.failed));
        object.put("runs", &json!(self.runs));
        object.put("command", &json!(self.command));
        object.put("seq", &json!(self.seq.0));
        if let Some(at) = self.last {
            object.put("last", &json!(utc_text(at)));
        }
        object.end();
        Ok(())
    }
}

/// An item in the list of a job's items.
pub(super) struct ItemRow {
    item: Key,
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
    pub(super) fn new(entry: &Entry, mark: &Mark<'_>) -> ItemRow {
        ItemRow {
            item: entry.key.clone(),
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
}

impl Row for ItemRow {
    const TABLE: &'static [&'static str] = &["STATUS", "EXIT", "TOOK", "WHEN", "ITEM", "SAID"];
    const CSV: &'static [&'static str] =
        &["item", "status", "exit", "signal", "attempt", "micros", "stdout_bytes", "stderr_bytes", "said", "seq", "at"];

    fn table(&self, screen: &Screen) -> Vec<Vec<String>> {
        let exit = match self.ending {
            Ending::Exit(code) => code.to_string(),
            other => other.to_string(),
        };
        vec![vec![
            self.status().to_owned(),
            exit,
            text::duration(Duration::from_micros(self.micros)),
            local_text(self.at, &screen.now),
            self.item.to_string(),
            self.said.clone().unwrap_or_default(),
        ]]
    }

    fn csv(&self) -> Vec<Vec<String>> {
        let (exit, signal) = match self.ending {
            Ending::Exit(code) => (code.to_string(), String::new()),
            Ending::Signal(_) => (String::new(), self.ending.to_string()),
            Ending::NotStarted => (String::new(), String::new()),
        };
        vec![vec![
            self.item.as_str().to_owned(),
            self.status().to_owned(),
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
        let mut object = Fields::new(line);
        object.put("item", &json!(self.item.as_str()));
        object.put("status", &json!(self.status()));
        match self.ending {
            Ending::Exit(code) => object.put("exit", &json!(code)),
            Ending::Signal(_) => object.put("signal", &json!(self.ending.to_string())),
            Ending::NotStarted => object.put("not_started", &json!(true)),
        }
        object.put("attempt", &json!(self.attempt));
        object.put("micros", &json!(self.micros));
        object.put("stdout_bytes", &json!(self.stdout_bytes));
        object.put("stderr_bytes", &json!(self.stderr_bytes));
        if let Some(said) = &self.said {
            object.put("said", &json!(said));
        }
        object.put("seq", &json!(self.seq.0));
        object.put("at", &json!(utc_text(self.at)));
        object.end();
        Ok(())
    }
}

/// The fields of a JSON object, in the order in which they are put.
struct Fields<'a> {
    line: &'a mut Vec<u8>,
    next: u8,
}

impl<'a> Fields<'a> {
    fn new(line: &'a mut Vec<u8>) -> Fields<'a> {
        Fields { line, next: b'{' }
    }

    fn put(&mut self, name: &str, value: &serde_json::Value) {
        self.line.push(self.next);
        self.next = b',';
        self.line.extend_from_slice(format!("\"{name}\":{value}").as_bytes());
    }

    fn end(self) {
        self.line.push(b'}');
    }
}
