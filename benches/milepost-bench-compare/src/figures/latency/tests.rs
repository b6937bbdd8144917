use std::time::Duration;

use super::Latency;

#[test]
fn no_percentile_is_made_up() {
    for (count, percentiles) in [
        (0, &[][..]),
        (1, &[100.0]),
        (10, &[50.0, 90.0, 100.0]),
        (99, &[50.0, 90.0, 100.0]),
        (1000, &[50.0, 90.0, 99.0, 99.9, 100.0]),
        (10_000, &[50.0, 90.0, 99.0, 99.9, 99.99, 100.0]),
    ] {
        let mut latency = Latency::new().unwrap();
        (1..=count).for_each(|micros| latency.record(Duration::from_micros(micros)));
        let curve = latency.curve();
        assert_eq!(curve.iter().map(|(x, _)| *x).collect::<Vec<_>>(), percentiles, "of {count}");
        for (percentile, micros) in curve {
            let expected = count as f64 * percentile / 100.0;
            assert!((micros - expected).abs() <= expected / 500.0 + 1.0, "{percentile} of {count}: {micros}");
        }
    }
}
