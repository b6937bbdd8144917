//! What is recorded of a job, as a row of an answer.

use milepost::{Scope, task::JobRecord};
use serde_json::Value;

use crate::{
    error::CliError,
    escape,
    render::{Object, Row, Screen},
};

/// The fields of a record, by the names that they are kept under.
const FIELDS: [&str; 7] = ["state", "token", "request", "id", "status", "result", "error"];

/// A job and its record.
pub(super) struct RecordRow {
    scope: String,
    job: String,
    fields: [Option<Value>; FIELDS.len()],
}

impl RecordRow {
    pub(super) fn new(scope: &Scope, job: &str, record: &JobRecord) -> RecordRow {
        let value = serde_json::to_value(record).unwrap_or_default();
        let fields = FIELDS.map(|field| value.get(field).cloned());
        RecordRow { scope: scope.as_str().to_owned(), job: job.to_owned(), fields }
    }

    /// A field as text; nothing where it is not recorded.
    fn text(&self, name: &str) -> String {
        let field = FIELDS.iter().position(|field| *field == name).and_then(|at| self.fields[at].as_ref());
        match field {
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => String::new(),
        }
    }
}

impl Row for RecordRow {
    const TABLE: &'static [&'static str] = &["JOB", "STATE", "ID", "STATUS", "RESULT"];
    const CSV: &'static [&'static str] =
        &["scope", "job", "state", "token", "request", "id", "status", "result", "error"];

    fn table(&self, screen: &Screen) -> Vec<Vec<String>> {
        let cell = |name| escape::value(self.text(name).as_bytes(), screen.chars_max);
        let ended = if self.text("error").is_empty() { "result" } else { "error" };
        vec![vec![escape::one_line(&self.job), cell("state"), cell("id"), cell("status"), cell(ended)]]
    }

    fn csv(&self) -> Vec<Vec<String>> {
        let mut cells = vec![self.scope.clone(), self.job.clone()];
        cells.extend(FIELDS.map(|field| self.text(field)));
        vec![cells]
    }

    fn json(&self, line: &mut Vec<u8>) -> Result<(), CliError> {
        let mut object = Object::begin(line);
        object.put("scope", &*self.scope);
        object.put("job", &*self.job);
        for (name, value) in FIELDS.iter().zip(&self.fields) {
            if let Some(value) = value {
                object.put(name, value.clone());
            }
        }
        object.end();
        Ok(())
    }
}
