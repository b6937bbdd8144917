//! [`Measured`]: the rows that the programs printed, read back.
//!
//! Invariant: a figure of an engine is there once.

use std::{fs, path::Path};

use serde_json::Value;

/// What an engine reached in a figure.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) figure: String,
    pub(super) engine: String,
    pub(super) unit: String,
    pub(super) median: f64,
    pub(super) min: f64,
    pub(super) max: f64,
    pub(super) sync_p50_us: f64,
    pub(super) others_percent: Option<f64>,
    pub(super) is_disturbed: bool,
    pub(super) curve: Vec<(f64, f64)>,
}

/// Everything that was measured, in the order of the files' names and of their lines.
#[derive(Debug, Default)]
pub(super) struct Measured {
    /// A line on each run: machine and rounds.
    pub(super) runs: Vec<String>,
    pub(super) rows: Vec<Row>,
    /// What the long haul said of each minute.
    pub(super) minutes: Vec<Value>,
    /// What it judged in the end.
    pub(super) verdicts: Vec<Value>,
    /// Its sums.
    pub(super) haul: Option<Value>,
}

impl Measured {
    /// Reads all `*.jsonl` of a folder.
    pub(super) fn read(folder: &Path) -> Result<Measured, String> {
        let listed = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let mut files: Vec<_> = listed.filter_map(Result::ok).map(|entry| entry.path()).collect();
        files.retain(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
        files.sort();
        let mut measured = Measured::default();
        for path in files {
            let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
            for (line, number) in text.lines().zip(1..) {
                let added = serde_json::from_str(line).map_err(|error| error.to_string()).and_then(|v| measured.add(v));
                added.map_err(|error| format!("{}:{number}: {error}", path.display()))?;
            }
        }
        Ok(measured)
    }

    fn add(&mut self, value: Value) -> Result<(), String> {
        if let Some(machine) = value["machine"].as_str() {
            let run = format!("{machine}; {} rounds", value["rounds"]);
            if !self.runs.contains(&run) {
                self.runs.push(run);
            }
            return Ok(());
        }
        // What the long haul says has one name, and all of it below that.
        if let Some((name, said)) = value.as_object().filter(|lines| lines.len() == 1).and_then(|l| l.iter().next()) {
            match name.as_str() {
                "plan" => {}
                "row" => self.minutes.push(said.clone()),
                "verdict" => self.verdicts.push(said.clone()),
                "haul" => self.haul = Some(said.clone()),
                other => return Err(format!("nobody says {other:?}")),
            }
            return Ok(());
        }
        let row = Row::of(&value).ok_or("this is no row")?;
        if self.row(&row.figure, &row.engine).is_some() {
            return Err(format!("{} of {} is there twice", row.figure, row.engine));
        }
        self.rows.push(row);
        Ok(())
    }

    /// A figure of an engine.
    pub(super) fn row(&self, figure: &str, engine: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.figure == figure && row.engine == engine)
    }

    /// The names of figures that begin so, in order, each once.
    pub(super) fn figures(&self, prefixes: &[&str]) -> Vec<&str> {
        let fits = |row: &&Row| prefixes.iter().any(|prefix| row.figure.starts_with(prefix));
        once(self.rows.iter().filter(fits).map(|row| row.figure.as_str()))
    }

    /// Who has a row in one of these figures, in order, each once.
    pub(super) fn engines(&self, figures: &[&str]) -> Vec<&str> {
        let fits = |row: &&Row| figures.contains(&row.figure.as_str());
        once(self.rows.iter().filter(fits).map(|row| row.engine.as_str()))
    }
}

fn once<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut found = Vec::new();
    for name in names {
        if !found.contains(&name) {
            found.push(name);
        }
    }
    found
}

impl Row {
    fn of(value: &Value) -> Option<Row> {
        let text = |name: &str| value[name].as_str().map(str::to_owned);
        let number = |name: &str| value[name].as_f64();
        let points = value["curve"].as_array().map_or(&[][..], Vec::as_slice);
        let curve = points.iter().map(|point| Some((point[0].as_f64()?, point[1].as_f64()?)));
        Some(Row {
            figure: text("figure")?,
            engine: text("engine")?,
            unit: text("unit")?,
            median: number("median")?,
            min: number("min")?,
            max: number("max")?,
            sync_p50_us: number("sync_p50_us")?,
            others_percent: number("others_percent"),
            is_disturbed: value["disturbed"].as_bool()?,
            curve: curve.collect::<Option<_>>()?,
        })
    }
}
