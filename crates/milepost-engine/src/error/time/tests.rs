use super::*;

#[test]
fn times_are_told_as_dates() {
    for (seconds, text) in [
        (0, "1970-01-01T00:00:00Z"),
        (-1, "1969-12-31T23:59:59Z"),
        (951_782_400, "2000-02-29T00:00:00Z"),
        (951_868_799, "2000-02-29T23:59:59Z"),
        (1_795_489_920, "2026-11-24T03:12:00Z"),
        (4_107_542_400, "2100-03-01T00:00:00Z"),
        (-64_732_481_608, "-000082-09-17T11:06:32Z"),
    ] {
        assert_eq!(time_text(Timestamp(seconds * 1_000_000)), text);
    }
    assert_eq!(exact_text(Timestamp(-1)), "1969-12-31T23:59:59.999999Z");
    assert!(!time_text(Timestamp::MIN).is_empty() && !time_text(Timestamp::MAX).is_empty());
}
