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

/// The first, a middle and the last day of every month, through three turns of the calendar, by the lengths of months
/// and the rule of leap years alone.
#[test]
fn dates_are_those_of_the_calendar() {
    const DAYS: [i64; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let (mut days, mut second) = (-865_625, 0);
    for year in -400..800_i64 {
        let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        for (month, days_of) in (1..).zip(DAYS) {
            let last = days_of + i64::from(month == 2 && is_leap);
            for day in [1, 15, last] {
                second = (second + 7919) % 86_400;
                let at = Timestamp(((days + day - 1) * 86_400 + second) * 1_000_000 + 999_999);
                let year = if year < 0 { format!("-{:06}", -year) } else { format!("{year:04}") };
                let time = format!("{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60);
                assert_eq!(time_text(at), format!("{year}-{month:02}-{day:02}T{time}Z"));
            }
            days += last;
        }
    }
}
