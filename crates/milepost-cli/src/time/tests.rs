//! Moments as a table. "Now" is a Tuesday in Berlin, in winter time.

use jiff::ZonedDateTime;
use milepost::{At, Seq, Timestamp};
use proptest::prelude::*;

use super::{
    duration, duration_text, local_text, long_duration, parse_at, parse_in, parse_time, screen_text, utc_text,
};
use crate::render::Screen;

fn now() -> ZonedDateTime {
    "2026-11-24T12:00:00+01:00[Europe/Berlin]".parse().unwrap()
}

#[test]
fn moments() {
    for (text, utc) in [
        ("2026-11-24T03:12:00Z", "2026-11-24T03:12:00.000000Z"),
        ("2026-11-24T03:12:00.000001+01:00", "2026-11-24T02:12:00.000001Z"),
        ("2026-11-24 03:12:00.5+01:00", "2026-11-24T02:12:00.500000Z"),
        ("2026-11-24 03:12", "2026-11-24T02:12:00.000000Z"),
        ("2026-11-24T03:12:05", "2026-11-24T02:12:05.000000Z"),
        ("2025-02-03T03:12:05", "2025-02-03T02:12:05.000000Z"),
        ("2026-07-01 03:12", "2026-07-01T01:12:00.000000Z"),
        ("2026-11-24", "2026-11-23T23:00:00.000000Z"),
        ("2025-11-24T03:12[America/New_York]", "2025-11-24T08:12:00.000000Z"),
        ("2025-11-24T03:12:00-05:00[America/New_York]", "2025-11-24T08:12:00.000000Z"),
        ("  03:12 ", "2026-11-24T02:12:00.000000Z"),
        ("today", "2026-11-23T23:00:00.000000Z"),
        ("today 14:00", "2026-11-24T13:00:00.000000Z"),
        ("yesterday 03:12", "2026-11-23T02:12:00.000000Z"),
        ("yesterday", "2026-11-22T23:00:00.000000Z"),
        ("tomorrow 00:00:01", "2026-11-24T23:00:01.000000Z"),
        ("10 minutes ago", "2026-11-24T10:50:00.000000Z"),
        ("2h 30m ago", "2026-11-24T08:30:00.000000Z"),
        ("a minute ago", "2026-11-24T10:59:00.000000Z"),
        ("an hour ago", "2026-11-24T10:00:00.000000Z"),
        ("1 day ago", "2026-11-23T11:00:00.000000Z"),
        ("2 weeks ago", "2026-11-10T11:00:00.000000Z"),
        ("in 2 hours", "2026-11-24T13:00:00.000000Z"),
        // A clock time in the hour that the change of clocks skips, and in the one that comes twice.
        ("2026-03-29 02:30", "2026-03-29T01:30:00.000000Z"),
        ("2026-10-25 02:30", "2026-10-25T00:30:00.000000Z"),
    ] {
        let found = parse_time(text, &now()).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(utc_text(found), utc, "{text}");
        assert_eq!(parse_at(text, &now()).unwrap(), At::Time(found), "{text}");
    }
}

#[test]
fn seqs_and_now() {
    for (text, at) in [
        ("0", At::Seq(Seq(0))),
        ("17", At::Seq(Seq(17))),
        ("18446744073709551615", At::Seq(Seq::MAX)),
        ("now", At::Latest),
        ("latest", At::Latest),
    ] {
        assert_eq!(parse_at(text, &now()).unwrap(), at);
    }
}

#[test]
fn no_moments() {
    for (text, says) in [
        ("", "names no moment"),
        ("soon", "names no moment"),
        ("2026-13-01", "names no moment"),
        ("2026-02-30", "names no moment"),
        ("25:00", "names no moment"),
        ("yesterday noon", "names no moment"),
        ("yesterday 2025-01-01T03:12", "names no moment"),
        ("2025-11-24T03:12:00+03:00[America/New_York]", "names no moment"),
        ("2025-11-24T03:12[Nowhere/Land]", "names no moment"),
        ("-5 minutes ago", "names no moment"),
        ("-17", "names no moment"),
        ("10 minutes", "\"10 minutes ago\""),
        ("PT10M", "\"PT10M ago\""),
        ("20000 years ago", "names no moment"),
        ("19000 years ago", "out of range"),
        ("9999-12-31", "out of range: times go from -009999-01-02T01:59:59Z to 9999-12-30T22:00:00.999999999Z"),
        ("9999-12-31T00:00:00Z", "to 9999-12-30T22:00:00.999999999Z"),
        ("-009999-01-01T00:00:00Z", "out of range"),
        ("9999-12-32", "names no moment"),
        ("18446744073709551616", "is no seq"),
        ("\u{1b}[31m", "\"\\u{1b}[31m\" names no moment"),
    ] {
        let error = parse_at(text, &now()).expect_err(text).to_string();
        assert!(error.contains(says), "{error:?} does not say {says:?}");
    }
    assert!(parse_time("17", &now()).unwrap_err().to_string().contains("is a seq"));
}

#[test]
fn durations_from_now() {
    for (text, utc) in [
        ("90s", "2026-11-24T11:01:30.000000Z"),
        ("2h 30m", "2026-11-24T13:30:00.000000Z"),
        ("7 days", "2026-12-01T11:00:00.000000Z"),
        ("a week", "2026-12-01T11:00:00.000000Z"),
    ] {
        assert_eq!(utc_text(parse_in(text, &now()).unwrap()), utc, "{text}");
    }
    for (text, says) in [
        ("0s", "not a positive"),
        ("-1s", "no duration"),
        ("10 minutes ago", "no duration"),
        ("60", "no duration"),
        ("tomorrow", "no duration"),
        ("19000 years", "out of range"),
    ] {
        let error = parse_in(text, &now()).expect_err(text).to_string();
        assert!(error.contains(says), "{error:?} does not say {says:?}");
    }
}

#[test]
fn what_is_shown_can_be_typed() {
    let at = Timestamp(1_795_489_920_000_001);
    let shown = local_text(at, &now());
    assert_eq!(shown, "2026-11-24 04:12:00.000001+01:00");
    assert_eq!(parse_time(&shown, &now()).unwrap(), at);
    assert_eq!(utc_text(Timestamp::MIN), "-9223372036854775808µs since 1970");
    assert_eq!(local_text(Timestamp::MAX, &now()), utc_text(Timestamp::MAX));
    // Before the year 0 it was shown with three digits, which nobody reads.
    for (text, shown) in [
        ("110000w ago", "-000082-09-17 12:"),
        ("-000001-01-01T12:00Z", "-000001-01-01 12:"),
        ("0000-07-01T12:00Z", "0000-07-01 12:"),
    ] {
        let at = parse_time(text, &now()).unwrap();
        let told = local_text(at, &now());
        assert!(told.starts_with(shown), "{told}");
        assert_eq!(parse_time(&told, &now()), Ok(at));
    }
}

/// On a terminal a time is as short as it can be and still name the same moment when typed back.
#[test]
fn what_is_shown_on_a_terminal_can_be_typed() {
    let screen = |width| Screen { now: now(), chars_max: 80, width };
    for (time, shown) in [
        ("2026-11-24T04:12:00.000001+01:00", "04:12:00.000001"),
        ("2026-11-24T23:59:59+01:00", "23:59:59.000000"),
        ("2026-11-23T23:59:59+01:00", "2026-11-23 23:59:59.000000"),
        ("2026-07-01T12:00:00+02:00", "2026-07-01 12:00:00.000000"),
        // The hour that comes twice: only the first can be typed without its offset.
        ("2026-10-25T02:30:00+02:00", "2026-10-25 02:30:00.000000"),
        ("2026-10-25T02:30:00+01:00", "2026-10-25 02:30:00.000000+01:00"),
        ("-001500-01-01T00:00:00Z", "-001500-01-01 00:53:28.000000+00:53:28"),
    ] {
        let at = parse_time(time, &now()).unwrap();
        assert_eq!(screen_text(at, &screen(Some(80))), shown, "{time}");
        assert_eq!(screen_text(at, &screen(None)), local_text(at, &now()), "a file has the whole time");
    }
    assert_eq!(screen_text(Timestamp::MAX, &screen(Some(80))), utc_text(Timestamp::MAX));
}

proptest! {
    /// Whatever is typed is a moment or is refused, and a moment that is shown can be typed back.
    #[test]
    fn any_text_is_a_moment_or_is_refused(
        text in prop_oneof![
            any::<String>(),
            "[-+]?[0-9]{0,20}",
            "(in |a |an |yesterday |today |tomorrow )?[-+]?[0-9]{0,6}(:[0-9]{0,3}){0,3} ?(s|m|h|d|w|mo|y|minutes|years)?( ago)?",
            "-?[0-9]{1,6}-[0-9]{1,2}-[0-9]{1,2}[ T]?([0-9]{1,2}:?){0,3}(\\.[0-9]{0,10})?(Z|[-+][0-9]{2}:[0-9]{2})?(\\[[A-Z][a-z/A-Z]*\\])?",
        ],
    ) {
        if let Ok(At::Time(at)) = parse_at(&text, &now()) {
            prop_assert_eq!(parse_time(&local_text(at, &now()), &now()), Ok(at), "{}", text);
        }
        let _ = (parse_time(&text, &now()), parse_in(&text, &now()));
        let _ = (duration(&text), long_duration(&text).map(duration_text));
    }
}
