//! The table on standard output, and the same as JSON lines.
//!
//! Invariant: numbers are rounded for the eye here and nowhere else.

use serde_json::{Value, json};

use crate::row::{Row, Unit};

const HEADS: [&str; 8] = ["figure", "engine", "median", "min..max", "to milepost", "sync p50 µs", "others", ""];

/// The heads of the table and its rows, aligned.
pub(crate) fn render(rows: &[Row]) -> String {
    let mut cells = vec![HEADS.map(str::to_owned)];
    cells.extend(rows.iter().map(cells_of));
    let widths: Vec<usize> = (0..HEADS.len())
        .map(|column| cells.iter().map(|row| row[column].chars().count()).max().unwrap_or_default())
        .collect();
    let mut text = String::new();
    for row in &cells {
        let line: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        text.push_str(line.join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// A row, for programs.
pub(crate) fn to_json(row: &Row) -> Value {
    let (low, high) = row.range();
    let mut object = json!({
        "figure": row.figure,
        "engine": row.engine,
        "unit": row.unit.name(),
        "median": row.median(),
        "min": low,
        "max": high,
        "rounds": row.rounds,
        "to_milepost": row.ratio(),
        "sync_p50_us": row.conditions.sync_p50_us,
        "others_percent": row.conditions.others_percent,
        "disturbed": row.conditions.disturbed(),
    });
    if !row.curve.is_empty() {
        object["curve"] = json!(row.curve);
    }
    object
}

fn cells_of(row: &Row) -> [String; 8] {
    let (low, high) = row.range();
    [
        row.figure.to_owned(),
        row.engine.clone(),
        show(row.median(), row.unit),
        format!("{}..{}", show(low, row.unit), show(high, row.unit)),
        row.ratio().map_or_else(String::new, |ratio| format!("{ratio:.2}")),
        format!("{:.0}", row.conditions.sync_p50_us),
        row.conditions.others_percent.map_or_else(String::new, |percent| format!("{percent:.0} %")),
        if row.conditions.disturbed() { "disturbed" } else { "" }.to_owned(),
    ]
}

/// A number of a unit, with three or more digits that count.
fn show(value: f64, unit: Unit) -> String {
    match unit {
        Unit::PerSecond => match value {
            _ if value >= 1e6 => format!("{:.2} M/s", value / 1e6),
            _ if value >= 1e3 => format!("{:.1} k/s", value / 1e3),
            _ => format!("{value:.0} /s"),
        },
        Unit::Fold => format!("{value:.2} x"),
        Unit::Micros if value < 100.0 => format!("{value:.1} µs"),
        Unit::Micros => format!("{value:.0} µs"),
        Unit::Nanos => format!("{value:.0} ns"),
        Unit::Seconds if value < 1.0 => format!("{:.2} ms", value * 1e3),
        Unit::Seconds => format!("{value:.3} s"),
        Unit::Bytes if value >= 1e6 => format!("{:.1} MB", value / 1e6),
        Unit::Bytes => format!("{value:.1} B"),
        Unit::Count => format!("{value:.2}"),
    }
}

impl Unit {
    /// Its name in JSON.
    fn name(self) -> &'static str {
        match self {
            Unit::PerSecond => "per_second",
            Unit::Fold => "bytes_per_user_byte",
            Unit::Micros => "microseconds",
            Unit::Nanos => "nanoseconds",
            Unit::Seconds => "seconds",
            Unit::Bytes => "bytes",
            Unit::Count => "count",
        }
    }
}

#[cfg(test)]
mod tests;
