use super::{render, show, to_json};
use crate::row::{Conditions, Row, Unit};

fn row(engine: &str, rounds: &[f64], milepost: Option<f64>, others_percent: Option<f64>) -> Row {
    let conditions = Conditions { sync_p50_us: 87.4, others_percent };
    Row {
        figure: "a::b/c=1",
        engine: engine.to_owned(),
        unit: Unit::PerSecond,
        rounds: rounds.to_vec(),
        curve: Vec::new(),
        milepost,
        conditions,
    }
}

#[test]
fn numbers() {
    for (value, unit, text) in [
        (11_240.0, Unit::PerSecond, "11.2 k/s"),
        (1_834_000.0, Unit::PerSecond, "1.83 M/s"),
        (999.0, Unit::PerSecond, "999 /s"),
        (1.256, Unit::Fold, "1.26 x"),
        (9.94, Unit::Micros, "9.9 µs"),
        (912.4, Unit::Micros, "912 µs"),
        (-3.4, Unit::Nanos, "-3 ns"),
        (1.5, Unit::Seconds, "1.500 s"),
        (0.000_17, Unit::Seconds, "0.17 ms"),
    ] {
        assert_eq!(show(value, unit), text);
    }
}

#[test]
fn columns_are_aligned_and_a_disturbed_run_says_so() {
    let rows = [
        row("milepost", &[3e6, 1e6, 2e6], Some(2e6), Some(0.4)),
        row("lmdb, one transaction", &[1e6, 1e6], Some(2e6), Some(10.1)),
        row("redb", &[5.0], None, None),
    ];
    let expected = [
        "figure    engine                 median    min..max              to milepost  sync p50 µs  others",
        "a::b/c=1  milepost               2.00 M/s  1.00 M/s..3.00 M/s    1.00         87           0 %",
        "a::b/c=1  lmdb, one transaction  1.00 M/s  1.00 M/s..1.00 M/s    0.50         87           10 %    disturbed",
        "a::b/c=1  redb                   5 /s      5 /s..5 /s                         87",
    ];
    let table = render(&rows);
    let lines: Vec<String> = table.lines().map(squeeze).collect();
    assert_eq!(lines, expected.map(squeeze));
    // Aligned: where the heads begin, the cells begin.
    let start = |text: &str| table.lines().find_map(|line| line.find(text)).expect("it is there");
    assert_eq!(start("median"), start("2.00 M/s"));
    assert_eq!(start("engine"), start("lmdb, one"));
}

#[test]
fn json_has_the_same() {
    let mut row = row("lmdb", &[4.0, 2.0], Some(6.0), Some(50.0));
    let json = to_json(&row);
    assert_eq!((json["median"].as_f64(), json["to_milepost"].as_f64()), (Some(3.0), Some(0.5)));
    assert_eq!((json["min"].as_f64(), json["max"].as_f64()), (Some(2.0), Some(4.0)));
    assert_eq!((json["disturbed"].as_bool(), json["unit"].as_str()), (Some(true), Some("per_second")));
    assert!(json.get("curve").is_none(), "{json}");
    row.curve = vec![(50.0, 1.5), (99.99, 7.0)];
    assert_eq!(to_json(&row)["curve"].to_string(), "[[50.0,1.5],[99.99,7.0]]");
}

fn squeeze(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}
