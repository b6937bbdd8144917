use super::*;

#[test]
fn what_is_sent_is_what_was_recorded() {
    let recorder = Recorder::default();
    for micros in 1..=1000 {
        recorder.record(Kind::Commit, Duration::from_micros(micros));
    }
    recorder.record(Kind::Sync, Duration::from_secs(600));
    let mut together = Latencies::default();
    for (kind, counts) in recorder.take() {
        together.add(kind, &counts);
    }
    assert!(recorder.take().is_empty());
    let spread = Spread::of(together.of(Kind::Commit));
    assert_eq!(spread.count, 1000);
    for (is, expected) in [(spread.p50_us, 500.0), (spread.p99_us, 990.0), (spread.max_us, 1000.0)] {
        assert!((is - expected).abs() <= expected / 500.0, "{is}, expected {expected}");
    }
    assert_eq!(Spread::of(together.of(Kind::Sync)).count, 1);
    assert!(Spread::of(together.of(Kind::Sync)).max_us >= 60_000_000.0);
}
