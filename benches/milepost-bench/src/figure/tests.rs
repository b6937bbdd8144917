use super::{Aim, Conditions, Row, Sample, Unit, Verdict, median, sample::Latency};

fn sample(value: f64, p99_us: f64) -> Sample {
    Sample { value, latency: Some(Latency { p50_us: 1.0, p99_us, p999_us: 9.0 }) }
}

#[test]
fn medians() {
    for (numbers, middle) in [(vec![3.0], 3.0), (vec![9.0, 1.0, 5.0], 5.0), (vec![4.0, 1.0, 2.0, 100.0], 3.0)] {
        assert_eq!(median(numbers.clone()), middle, "{numbers:?}");
    }
    let of_rounds = Sample::median(&[sample(1.0, 30.0), sample(3.0, 10.0), sample(2.0, 20.0)]);
    assert_eq!((of_rounds.value, of_rounds.latency.unwrap().p99_us), (2.0, 20.0));
    assert!(Sample::median(&[sample(1.0, 1.0), Sample::value(2.0)]).latency.is_none());
}

/// Every part of an aim can make a row short by itself, and the limit itself is allowed.
#[test]
fn verdicts() {
    let none = Aim::default();
    for (aim, reached) in [
        (none, true),
        (Aim { at_least: Some(90.0), ..none }, true),
        (Aim { at_least: Some(90.1), ..none }, false),
        (Aim { at_most: Some(90.0), ..none }, true),
        (Aim { at_most: Some(89.9), ..none }, false),
        (Aim { ratio_at_least: Some(0.9), ..none }, true),
        (Aim { ratio_at_least: Some(0.91), ..none }, false),
        (Aim { ratio_at_most: Some(0.9), ..none }, true),
        (Aim { ratio_at_most: Some(0.89), ..none }, false),
        (Aim { p99_us_at_most: Some(20.0), ..none }, true),
        (Aim { p99_us_at_most: Some(19.0), ..none }, false),
        (Aim { p50_ratio_at_most: Some(1.0), ..none }, true),
        (Aim { p50_ratio_at_most: Some(0.9), ..none }, false),
        (Aim { p99_ratio_at_most: Some(2.0), ..none }, true),
        (Aim { p99_ratio_at_most: Some(1.9), ..none }, false),
        (Aim { ratio_at_least: Some(0.5), p99_ratio_at_most: Some(1.9), ..none }, false),
    ] {
        let row = Row {
            name: "a::b",
            unit: Unit::PerSecond,
            aim,
            measured: sample(90.0, 20.0),
            baseline: Some(("bare".into(), sample(100.0, 10.0))),
            conditions: Conditions { sync_p50_us: 87.0, others_percent: None },
        };
        assert_eq!(row.verdict() == Verdict::Reached, reached, "{aim:?}");
    }
}

#[test]
fn a_missing_number_is_short() {
    let aim = Aim { p99_us_at_most: Some(1e9), ..Aim::default() };
    let row = Row {
        name: "a::b",
        unit: Unit::Bytes,
        aim,
        measured: Sample::value(1.0),
        baseline: None,
        conditions: Conditions { sync_p50_us: 87.0, others_percent: None },
    };
    assert_eq!(row.verdict(), Verdict::Short);
}
