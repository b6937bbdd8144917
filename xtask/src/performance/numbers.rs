//! How a number is written: three digits that count, and a unit that keeps it short.

/// A number of a unit, as the programs name units.
pub(super) fn show(value: f64, unit: &str) -> String {
    match unit {
        "per_second" => format!("{}/s", scaled(value, &[(1e6, " M"), (1e3, " k"), (1.0, " ")])),
        "seconds" => scaled(value, &[(1.0, " s"), (1e-3, " ms"), (1e-6, " µs")]),
        "microseconds" => scaled(value, &[(1e6, " s"), (1e3, " ms"), (1.0, " µs")]),
        "nanoseconds" => scaled(value, &[(1e3, " µs"), (1.0, " ns")]),
        "bytes" => scaled(value, &[(1e9, " GB"), (1e6, " MB"), (1e3, " kB"), (1.0, " B")]),
        _ => digits(value),
    }
}

/// The same without its unit, for a range whose other end has it.
pub(super) fn range(low: f64, high: f64, unit: &str) -> String {
    let (low, high) = (show(low, unit), show(high, unit));
    let same = |text: &str| text.split_once(' ').map(|(_, unit)| unit.to_owned());
    if same(&low) == same(&high) {
        return format!("{} to {high}", low.split(' ').next().unwrap_or_default());
    }
    format!("{low} to {high}")
}

fn scaled(value: f64, steps: &[(f64, &str)]) -> String {
    let step = steps.iter().find(|(step, _)| value.abs() >= *step).or(steps.last());
    step.map_or_else(|| digits(value), |(step, name)| format!("{}{name}", digits(value / step)))
}

/// Three digits that count.
pub(super) fn digits(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        0.0 => "0".to_owned(),
        size if size < 0.01 => format!("{value:.4}"),
        _ => format!("{value:.2}"),
    }
}
