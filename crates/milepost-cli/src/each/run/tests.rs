use std::time::Duration;

use super::Retries;

#[test]
fn pauses_double_up_to_a_minute_or_what_was_asked_for() {
    let seconds = Duration::from_secs;
    let rows = [
        (seconds(1), 0, seconds(1)),
        (seconds(1), 1, seconds(2)),
        (seconds(1), 5, seconds(32)),
        (seconds(1), 6, seconds(60)),
        (seconds(1), 31, seconds(60)),
        (seconds(1), 32, seconds(60)),
        (seconds(1), u32::MAX, seconds(60)),
        (seconds(600), 0, seconds(600)),
        (seconds(600), 9, seconds(600)),
        (Duration::ZERO, 40, Duration::ZERO),
        (Duration::MAX, 40, Duration::MAX),
    ];
    for (pause, attempt, expected) in rows {
        assert_eq!(Retries { count: 9, pause }.pause(attempt), expected, "{pause:?} {attempt}");
    }
}
