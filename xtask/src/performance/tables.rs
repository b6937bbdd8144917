//! The tables of the page, by name.
//!
//! Invariant: a number is shown as the median of its rounds with the lowest and the highest, and one of a disturbed run
//! has a star.

use super::{
    numbers::{digits, range, show},
    rows::{Measured, Row},
};

const MILEPOST: &str = "milepost";
const READS: [&str; 6] = ["get::", "scope::", "history::", "replay::", "disk::", "open::"];

/// The table of a name.
pub(super) fn table(name: &str, measured: &Measured) -> Result<String, String> {
    match name {
        "machine" => Ok(machine(measured)),
        "reads" => Ok(by_engine(measured, &measured.figures(&READS), &|engine| !engine.contains(','))),
        "one transaction" => {
            let of_transactions = |engine: &str| engine == MILEPOST || engine.ends_with(", one transaction");
            let figures = measured.figures(&["get::"]);
            let figures: Vec<_> = figures.into_iter().filter(|figure| !figure.contains("by_time")).collect();
            Ok(by_engine(measured, &figures, &of_transactions))
        }
        "commits" => Ok(by_figure(
            measured,
            &[
                ("commit::single/writers=1", "1 writer"),
                ("commit::single/writers=8", "8"),
                ("commit::single/writers=64", "64"),
                ("commit::single_p99/writers=64", "64: p99"),
                ("commit::batches/writers=1,events=1000", "1 writer, 1000 events each"),
                ("commit::batches/writers=64,events=100", "64 writers, 100 events each"),
                ("commit::batches_p99/writers=64,events=100", "the same: p99"),
            ],
        )),
        "retention" => Ok(by_figure(
            measured,
            &[
                ("retention::churn/batch=200", "events"),
                ("retention::p99/batch=200", "p99 of a commit"),
                ("retention::p999/batch=200", "p99.9"),
                ("retention::max/batch=200", "the longest"),
                ("retention::left/kept=3", "bytes left, for each that must be kept"),
                ("retention::written/kept=3", "bytes written, for each given"),
            ],
        )),
        "scale" => Ok(scale(measured)),
        "haul" => Ok(haul(measured)),
        other => Err(format!("there is no table {other:?}")),
    }
}

fn machine(measured: &Measured) -> String {
    let runs: Vec<_> = measured.runs.iter().map(|run| format!("* {run}\n")).collect();
    let syncs = measured.rows.iter().map(|row| row.sync_p50_us);
    let (low, high) = syncs.fold((f64::INFINITY, 0.0f64), |(low, high), sync| (low.min(sync), high.max(sync)));
    let others = measured.rows.iter().filter_map(|row| row.others_percent);
    let most = others.fold(0.0f64, f64::max);
    let sync = range(low, high, "microseconds");
    format!(
        "{}* the median of an fdatasync was {sync}; others took up to {most:.0} % of the processors\n",
        runs.concat()
    )
}

/// A line for each figure, a column for each engine.
fn by_engine(measured: &Measured, figures: &[&str], is_shown: &dyn Fn(&str) -> bool) -> String {
    let engines: Vec<_> = measured.engines(figures).into_iter().filter(|engine| is_shown(engine)).collect();
    let mut table = Table::new(["figure"].iter().copied().chain(engines.iter().copied()).chain(["sync p50"]));
    for figure in figures {
        let rows: Vec<_> = engines.iter().map(|engine| measured.row(figure, engine)).collect();
        if rows.iter().all(Option::is_none) {
            continue;
        }
        let ours = measured.row(figure, MILEPOST).map(|row| row.median);
        let sync = rows.iter().flatten().next().map_or(0.0, |row| row.sync_p50_us);
        let cells = rows.iter().map(|row| cell(*row, ours));
        table.line([format!("`{figure}`")].into_iter().chain(cells).chain([show(sync, "microseconds")]));
    }
    table.text
}

/// A line for each engine, and for each way to use it; a column for each figure.
fn by_figure(measured: &Measured, figures: &[(&str, &str)]) -> String {
    let names: Vec<_> = figures.iter().map(|(figure, _)| *figure).collect();
    let mut table = Table::new(["engine"].iter().copied().chain(figures.iter().map(|(_, head)| *head)));
    for engine in measured.engines(&names) {
        let cells = names.iter().map(|figure| {
            let ours = measured.row(figure, MILEPOST).map(|row| row.median);
            cell(measured.row(figure, engine), ours)
        });
        table.line([engine.to_owned()].into_iter().chain(cells));
    }
    let syncs = names.iter().filter_map(|figure| measured.row(figure, MILEPOST)).map(|row| row.sync_p50_us);
    table.line(["sync p50".to_owned()].into_iter().chain(syncs.map(|sync| show(sync, "microseconds"))));
    table.text
}

/// A line for each question, a column for each size, and by how much it grew with the last step of ten.
fn scale(measured: &Measured) -> String {
    const SIZES: [&str; 3] = ["1m", "10m", "100m"];
    let mut table = Table::new(["Milepost", "1 M versions", "10 M", "100 M", "10 M to 100 M"]);
    for first in measured.figures(&["scale::"]).into_iter().filter(|figure| figure.ends_with("=1m")) {
        let question = first.trim_end_matches("/versions=1m");
        let of_size = |size: &&str| measured.row(&format!("{question}/versions={size}"), MILEPOST);
        let rows: Vec<_> = SIZES.iter().map(of_size).collect();
        let grew = rows[2]
            .zip(rows[1])
            .map_or_else(String::new, |(large, small)| format!("{} x", digits(large.median / small.median)));
        let cells = rows.iter().map(|row| cell(*row, None));
        table.line([format!("`{question}`")].into_iter().chain(cells).chain([grew]));
    }
    table.text
}

/// Median, range, and how many times ours it is.
fn cell(row: Option<&Row>, ours: Option<f64>) -> String {
    let Some(row) = row else { return String::new() };
    let star = if row.is_disturbed { "*" } else { "" };
    let median = format!("{}{star}", show(row.median, &row.unit));
    let spread = if row.min < row.max { format!(" ({})", range(row.min, row.max, &row.unit)) } else { String::new() };
    let ratio = ours.filter(|_| row.engine != MILEPOST).map(|ours| format!(", {} x", digits(row.median / ours)));
    format!("{median}{}{spread}", ratio.unwrap_or_default())
}

/// What the long haul judged: the last third of its minutes beside the middle one.
fn haul(measured: &Measured) -> String {
    let mut table = Table::new(["judged", "middle third", "last third", "times", "at most", "outcome"]);
    for verdict in &measured.verdicts {
        let text = |name: &str| verdict[name].as_str().unwrap_or_default().to_owned();
        let number = |name: &str| verdict[name].as_f64().map_or_else(String::new, digits);
        let unit = text("unit");
        let with_unit = |name: &str| format!("{} {unit}", number(name)).trim_end().to_owned();
        let cells = [text("name"), with_unit("before"), with_unit("after"), number("times"), number("times_max")];
        table.line(cells.into_iter().chain([text("outcome").replace('_', " ")]));
    }
    let sums = measured.haul.as_ref().map_or_else(String::new, |haul| {
        let count = |name: &str| haul[name].as_u64().unwrap_or_default();
        let (checks, kills, looked_for) = (count("checks"), count("kills"), count("looked_for"));
        let micros = |of: &str| haul[of]["p999_us"].as_f64().map_or_else(String::new, |us| show(us, "microseconds"));
        format!(
            "\n{} minutes, {kills} kills; {checks} answers compared, none wrong; {looked_for} acknowledged \
             commits looked for, none lost. Over all of it the p99.9 of a commit was {}, of the disk's own sync {}.\n",
            measured.minutes.len(),
            micros("commit"),
            micros("sync")
        )
    });
    table.text + &sums
}

struct Table {
    text: String,
}

impl Table {
    fn new<'a>(heads: impl IntoIterator<Item = &'a str>) -> Table {
        let mut table = Table { text: String::new() };
        let heads: Vec<_> = heads.into_iter().map(str::to_owned).collect();
        let rules = vec!["---".to_owned(); heads.len()];
        table.line(heads);
        table.line(rules);
        table
    }

    fn line(&mut self, cells: impl IntoIterator<Item = String>) {
        for cell in cells {
            self.text.push_str(&format!("| {cell} "));
        }
        self.text.push_str("|\n");
    }
}
