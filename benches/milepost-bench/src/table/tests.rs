use super::{micros, render, show};
use crate::figure::{Aim, Conditions, Row, Sample, Unit};

#[test]
fn numbers() {
    for (value, unit, text) in [
        (11_240.0, Unit::PerSecond, "11.2 k/s"),
        (1_834_000.0, Unit::PerSecond, "1.83 M/s"),
        (999.0, Unit::PerSecond, "999 /s"),
        (7.256, Unit::Bytes, "7.26 B"),
        (1.5, Unit::Seconds, "1.500 s"),
        (-0.44, Unit::Percent, "-0.4 %"),
    ] {
        assert_eq!(show(value, unit), text);
    }
    assert_eq!([0.254, 9.99, 87.4].map(micros), ["0.25", "9.99", "87"]);
}

#[test]
fn columns_are_aligned() {
    let row = |name, value, baseline, others| Row {
        name,
        unit: Unit::PerSecond,
        aim: Aim { ratio_at_least: Some(0.95), ..Aim::default() },
        measured: Sample::value(value),
        baseline,
        conditions: Conditions { sync_p50_us: 87.4, others_percent: Some(others) },
    };
    let rows = [
        row("a::b/c=1", 950.0, Some(("bare loop".to_owned(), Sample::value(1000.0))), 0.4),
        row("a::long/c=1000", 1e6, None, 10.1),
    ];
    let expected = [
        "figure          aim        measured  baseline           ratio  p50 µs  p99 µs  sync p50 µs  others  verdict",
        "a::b/c=1        >= 0.95 x  950 /s    1.0 k/s bare loop  0.95                   87           0 %     reached",
        "a::long/c=1000  >= 0.95 x  1.00 M/s                                            87           10 %    short, disturbed",
    ];
    let table = render(&rows, false);
    assert_eq!(table.lines().collect::<Vec<_>>(), expected);
    assert!(render(&rows, true).contains("smoke"));
}
