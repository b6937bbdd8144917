//! Numbers as people read them.

use crate::figure::Unit;

/// A number of a unit, with three or more digits that count.
pub(crate) fn show(value: f64, unit: Unit) -> String {
    match unit {
        Unit::PerSecond => match value {
            _ if value >= 1e6 => format!("{:.2} M/s", value / 1e6),
            _ if value >= 1e3 => format!("{:.1} k/s", value / 1e3),
            _ => format!("{value:.0} /s"),
        },
        Unit::Bytes => format!("{value:.2} B"),
        Unit::Seconds => match value {
            _ if value < 0.1 => format!("{:.2} ms", value * 1e3),
            _ => format!("{value:.3} s"),
        },
        Unit::Percent => format!("{value:.1} %"),
    }
}

/// Microseconds, with decimals where they count.
pub(crate) fn micros(value: f64) -> String {
    if value < 10.0 { format!("{value:.2}") } else { format!("{value:.0}") }
}

impl Unit {
    /// Its name in JSON.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Unit::PerSecond => "per_second",
            Unit::Bytes => "bytes",
            Unit::Seconds => "seconds",
            Unit::Percent => "percent",
        }
    }
}
