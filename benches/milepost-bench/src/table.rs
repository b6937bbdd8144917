//! The table on standard output, and the same as JSON.
//!
//! Invariant: numbers are rounded for the eye here and nowhere else; verdicts were made before.

mod number;

use serde_json::{Value, json};

use crate::figure::{Latency, Row, Sample, Verdict};

pub(crate) use number::{micros, show};

const HEADS: [&str; 10] =
    ["figure", "aim", "measured", "baseline", "ratio", "p50 µs", "p99 µs", "sync p50 µs", "others", "verdict"];

/// The heads of the table and its rows, aligned.
pub(crate) fn render(rows: &[Row], smoke: bool) -> String {
    let mut cells = vec![HEADS.map(str::to_owned)];
    cells.extend(rows.iter().map(|row| cells_of(row, smoke)));
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

/// The same, for programs.
pub(crate) fn to_json(rows: &[Row], machine: &str, smoke: bool) -> Value {
    let rows: Vec<Value> = rows.iter().map(|row| row_to_json(row, smoke)).collect();
    json!({ "machine": machine, "smoke": smoke, "figures": rows })
}

fn cells_of(row: &Row, smoke: bool) -> [String; 10] {
    let baseline = row.baseline.as_ref();
    let both = |quantile: fn(&Latency) -> f64| {
        let of = |sample: &Sample| sample.latency.as_ref().map(|latency| micros(quantile(latency)));
        let both = [of(&row.measured), baseline.and_then(|(_, sample)| of(sample))];
        both.into_iter().flatten().collect::<Vec<_>>().join(" / ")
    };
    [
        row.name.to_owned(),
        aim_of(row),
        show(row.measured.value, row.unit),
        baseline.map_or_else(String::new, |(name, sample)| format!("{} {name}", show(sample.value, row.unit))),
        row.ratio().map_or_else(String::new, |ratio| format!("{ratio:.2}")),
        both(|latency| latency.p50_us),
        both(|latency| latency.p99_us),
        format!("{:.0}", row.conditions.sync_p50_us),
        row.conditions.others_percent.map_or_else(String::new, |percent| format!("{percent:.0} %")),
        verdict_of(row, smoke).to_owned(),
    ]
}

fn aim_of(row: &Row) -> String {
    let aim = &row.aim;
    let parts = [
        aim.at_least.map(|aim| format!(">= {}", show(aim, row.unit))),
        aim.at_most.map(|aim| format!("<= {}", show(aim, row.unit))),
        aim.ratio_at_least.map(|aim| format!(">= {aim} x")),
        aim.ratio_at_most.map(|aim| format!("<= {aim} x")),
        aim.p99_us_at_most.map(|aim| format!("p99 <= {aim} µs")),
        aim.p50_ratio_at_most.map(|aim| format!("p50 <= {aim} x")),
        aim.p99_ratio_at_most.map(|aim| format!("p99 <= {aim} x")),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// A smoke run is too short for a verdict, and a row without an aim is there to be looked at.
fn verdict_of(row: &Row, smoke: bool) -> &'static str {
    match row.verdict() {
        _ if aim_of(row).is_empty() => "-",
        _ if smoke => "smoke",
        Verdict::Reached if row.conditions.disturbed() => "reached, disturbed",
        Verdict::Short if row.conditions.disturbed() => "short, disturbed",
        Verdict::Reached => "reached",
        Verdict::Short => "short",
    }
}

fn row_to_json(row: &Row, smoke: bool) -> Value {
    json!({
        "name": row.name,
        "unit": row.unit.name(),
        "aim": aim_of(row),
        "measured": sample_to_json(&row.measured),
        "baseline": row.baseline.as_ref().map(|(name, sample)| json!({ "name": name, "is": sample_to_json(sample) })),
        "ratio": row.ratio(),
        "sync_p50_us": row.conditions.sync_p50_us,
        "others_percent": row.conditions.others_percent,
        "verdict": verdict_of(row, smoke),
    })
}

fn sample_to_json(sample: &Sample) -> Value {
    let latency = sample.latency;
    json!({
        "value": sample.value,
        "p50_us": latency.map(|latency| latency.p50_us),
        "p99_us": latency.map(|latency| latency.p99_us),
        "p999_us": latency.map(|latency| latency.p999_us),
    })
}

#[cfg(test)]
mod tests;
