//! What a haul says: rows as they come, then the verdicts; to a person, and as JSON lines to a file.
//!
//! Invariant: what is in the file is what was printed. A line is `{"row":..}`, `{"verdict":..}` or, at the end,
//! `{"haul":..}`.

use std::{
    fs::File,
    io::{self, Write},
    path::Path,
};

use serde::Serialize;
use serde_json::json;

use crate::{judge::Verdict, plan::Plan, row::Row, table};

pub(crate) struct Report {
    json: Option<File>,
    rows: u64,
}

/// The head comes again after so many rows.
const ROWS_OF_A_HEAD: u64 = 20;

impl Report {
    pub(crate) fn new(json: Option<&Path>, plan: &Plan) -> io::Result<Report> {
        let mut report = Report { json: json.map(File::create).transpose()?, rows: 0 };
        let mut said = json!({ "plan": plan });
        // Rows are to be shown to others, and where the store lay is nobody's business.
        said["plan"].as_object_mut().map(|plan| plan.remove("store"));
        report.line(&said)?;
        Ok(report)
    }

    pub(crate) fn row(&mut self, row: &Row) -> io::Result<()> {
        if self.rows.is_multiple_of(ROWS_OF_A_HEAD) {
            println!("{}", table::HEAD);
        }
        self.rows += 1;
        println!("{}", table::row(row));
        self.line(&json!({ "row": row }))
    }

    pub(crate) fn verdict(&mut self, verdict: &Verdict) -> io::Result<()> {
        println!("{}", table::verdict(verdict));
        self.line(&json!({ "verdict": verdict }))
    }

    /// The last line: what it came to.
    pub(crate) fn haul(&mut self, said: &impl Serialize) -> io::Result<()> {
        self.line(&json!({ "haul": said }))
    }

    fn line(&mut self, line: &serde_json::Value) -> io::Result<()> {
        self.json.as_mut().map_or(Ok(()), |file| writeln!(file, "{line}"))
    }
}
