//! Moments as people write them: a `Seq`, RFC 3339, local times, `yesterday 03:12`, `10 minutes ago`.
//!
//! Invariant: a text has one meaning or none; "now" and the time zone come in as an argument. A time without an offset
//! is local time; one that a change of clocks skips is taken as much later as was skipped, one that comes twice as the
//! first.

use std::time::Duration;

use jiff::{
    SignedDuration, Span, SpanRelativeTo, ToSpan, ZonedDateTime,
    civil::{Date, DateTime, Time},
    fmt::temporal::Pieces,
};
use milepost::{At, Seq, Timestamp};
use thiserror::Error;

use crate::render::Screen;

/// A text that names no moment.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum TimeError {
    /// Not understood.
    #[error(
        "{text:?} names no moment; write a seq (17), a time (2026-11-24T03:12:00Z, 2026-11-24 03:12, yesterday 03:12), \
         how long ago (\"10 minutes ago\") or a checkpoint (checkpoint:NAME)"
    )]
    Unknown { text: String },
    /// A number that is too large.
    #[error("{text:?} is no seq: those go up to 18446744073709551615")]
    Seq { text: String },
    /// A seq where a time is needed.
    #[error("{text:?} is a seq; a time is needed here, as in 2026-11-24T03:12:00Z or \"in 2 hours\"")]
    NoTime { text: String },
    /// A duration without its direction.
    #[error("{text:?} is a duration; say from when it counts, as in \"{text} ago\"")]
    Direction { text: String },
    /// Not a duration.
    #[error("{text:?} is no duration; write, for instance, 90s, 15m or \"2h 30m\"")]
    Duration { text: String },
    /// Nothing or less.
    #[error("{text:?} is not a positive duration; a value that expires must live for a while")]
    NotPositive { text: String },
    /// Outside of the calendar.
    #[error("{text:?} is out of range: times go from {first} to {last}", first = jiff::Timestamp::MIN, last = jiff::Timestamp::MAX)]
    Range { text: String },
}

/// Reads a moment of the store.
pub(crate) fn parse_at(text: &str, now: &ZonedDateTime) -> Result<At, TimeError> {
    let text = text.trim();
    if matches!(text, "now" | "latest") {
        return Ok(At::Latest);
    }
    if is_number(text) {
        return text.parse().map(|seq| At::Seq(Seq(seq))).map_err(|_| TimeError::Seq { text: short(text) });
    }
    moment(text, now).map(|moment| At::Time(timestamp(&moment)))
}

/// Reads a time.
pub(crate) fn parse_time(text: &str, now: &ZonedDateTime) -> Result<Timestamp, TimeError> {
    let text = text.trim();
    if is_number(text) {
        return Err(TimeError::NoTime { text: short(text) });
    }
    moment(text, now).map(|moment| timestamp(&moment))
}

/// Reads how long from now, and gives the time then.
pub(crate) fn parse_in(text: &str, now: &ZonedDateTime) -> Result<Timestamp, TimeError> {
    let span = span(text.trim()).ok_or_else(|| TimeError::Duration { text: short(text) })?;
    if !span.is_positive() {
        return Err(TimeError::NotPositive { text: short(text) });
    }
    let then = now.checked_add(span).map_err(|_| TimeError::Range { text: short(text) })?;
    Ok(timestamp(&then))
}

/// Reads how long something may take: not a span of the calendar, whose days differ.
pub(crate) fn duration(text: &str) -> Result<Duration, TimeError> {
    let unknown = || TimeError::Duration { text: short(text) };
    let signed: SignedDuration = text.trim().parse().map_err(|_| unknown())?;
    Duration::try_from(signed).map_err(|_| unknown())
}

/// Reads how long something is kept: a day has 24 hours, a month 30 days and a year 365.
pub(crate) fn long_duration(text: &str) -> Result<Duration, TimeError> {
    let unknown = || TimeError::Duration { text: short(text) };
    let span = span(text.trim()).ok_or_else(unknown)?;
    let (years, months) = (i64::from(span.get_years()), i64::from(span.get_months()));
    let rest = span.years(0).months(0).to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| unknown())?;
    let days = years.saturating_mul(365).saturating_add(months.saturating_mul(30));
    let whole = SignedDuration::from_secs(days.saturating_mul(86_400)).checked_add(rest).ok_or_else(unknown)?;
    Duration::try_from(whole).map_err(|_| unknown())
}

/// How long something is kept, as it can be typed.
pub(crate) fn duration_text(time: Duration) -> String {
    let days = time.as_secs() / 86_400;
    let rest = time - Duration::from_secs(days * 86_400);
    let rest_text = format!("{:#}", SignedDuration::try_from(rest).unwrap_or_default());
    match (days, rest.is_zero()) {
        (0, _) => rest_text,
        (days, true) => format!("{days}d"),
        (days, false) => format!("{days}d {rest_text}"),
    }
}

/// A time for a person, in the zone of `zone` with its offset: it names one commit's stamp exactly, and can be typed
/// back.
pub(crate) fn local_text(at: Timestamp, zone: &ZonedDateTime) -> String {
    let Ok(time) = jiff::Timestamp::from_microsecond(at.0) else { return utc_text(at) };
    let time = time.to_zoned_datetime(zone.time_zone().clone());
    // Years before the first have six digits and a sign, or nobody can type them back.
    let year = if time.year() < 0 { format!("{:07}", time.year()) } else { format!("{:04}", time.year()) };
    format!("{year}{}", time.strftime("-%m-%d %H:%M:%S%.6f%:z"))
}

/// A time in a table. On a terminal, where columns are few, it is the shortest that says the same when typed back:
/// `03:12:00.000000` today, else the day with it; elsewhere [`local_text`].
pub(crate) fn screen_text(at: Timestamp, screen: &Screen) -> String {
    let whole = local_text(at, &screen.now);
    if screen.width.is_none() {
        return whole;
    }
    // `YYYY-MM-DD HH:MM:SS.ffffff+hh:mm`; of years beyond four digits, and where a clock was set back, it stays whole.
    let shorter = if whole.find('-') == Some(4) { [whole.get(11..26), whole.get(..26)] } else { [None; 2] };
    let same = |text: &&str| parse_time(text, &screen.now) == Ok(at);
    shorter.into_iter().flatten().find(same).map_or_else(|| whole.clone(), str::to_owned)
}

/// A time in UTC as RFC 3339; beyond its years, in microseconds since 1970.
pub(crate) fn utc_text(at: Timestamp) -> String {
    milepost::json::time_text(at).unwrap_or_else(|| format!("{}µs since 1970", at.0))
}

fn moment(text: &str, now: &ZonedDateTime) -> Result<ZonedDateTime, TimeError> {
    let zone = now.time_zone();
    let unknown = || TimeError::Unknown { text: short(text) };
    let range = |_| TimeError::Range { text: short(text) };
    if text == "now" {
        return Ok(now.clone());
    }
    if let Some(past) = text.strip_suffix(" ago") {
        let span = span(past).ok_or_else(unknown)?;
        return now.checked_sub(span).map_err(range);
    }
    if let Some(ahead) = text.strip_prefix("in ") {
        let span = span(ahead).ok_or_else(unknown)?;
        return now.checked_add(span).map_err(range);
    }
    if let Some(moment) = day_and_time(text, now) {
        return moment.map_err(range);
    }
    if text.contains('[') {
        // Zone and offset must agree; the parsers below would pass over the zone.
        return text.parse().map_err(|_| unknown());
    }
    if let Ok(instant) = text.parse::<jiff::Timestamp>() {
        return Ok(instant.to_zoned_datetime(zone.clone()));
    }
    if let Ok(civil) = text.parse::<DateTime>() {
        return civil.to_zoned_datetime(zone.clone()).map_err(range);
    }
    // What the parsers above take for every other year.
    if Pieces::parse(text).is_ok_and(|pieces| pieces.date().year().unsigned_abs() == 9999) {
        return Err(TimeError::Range { text: short(text) });
    }
    match span(text) {
        Some(_) => Err(TimeError::Direction { text: short(text) }),
        None => Err(unknown()),
    }
}

/// `yesterday`, `today 14:00`, `tomorrow`, `03:12`.
fn day_and_time(text: &str, now: &ZonedDateTime) -> Option<Result<ZonedDateTime, jiff::Error>> {
    let (day, time) = match text.split_once(' ') {
        Some((day, time)) => (day, clock_time(time.trim_start())?),
        None if text.contains(':') => ("today", clock_time(text)?),
        None => (text, Time::midnight()),
    };
    let today: Date = now.date();
    let date = match day {
        "today" => Ok(today),
        "yesterday" => today.yesterday(),
        "tomorrow" => today.tomorrow(),
        _ => return None,
    };
    Some(date.and_then(|date| date.to_datetime(time).to_zoned_datetime(now.time_zone().clone())))
}

/// `03:12`, `03:12:05.5`. The library would also take the time out of a whole date and time.
fn clock_time(text: &str) -> Option<Time> {
    text.bytes().all(|byte| byte.is_ascii_digit() || byte == b':' || byte == b'.').then(|| text.parse().ok())?
}

/// `10 minutes`, `2h 30m`, `a day`, `PT10M`.
fn span(text: &str) -> Option<Span> {
    let text = text.trim();
    let one = |unit: &str| match unit {
        "second" => Some(1.second()),
        "minute" => Some(1.minute()),
        "hour" => Some(1.hour()),
        "day" => Some(1.day()),
        "week" => Some(1.week()),
        "month" => Some(1.month()),
        "year" => Some(1.year()),
        _ => None,
    };
    if let Some(unit) = text.strip_prefix("a ").or_else(|| text.strip_prefix("an ")) {
        return one(unit.trim());
    }
    // "-5m" and "5m ago" are read by the library too, and would turn the direction round.
    if text.starts_with(['-', '+']) || text.ends_with("ago") {
        return None;
    }
    text.parse().ok()
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn timestamp(moment: &ZonedDateTime) -> Timestamp {
    Timestamp(moment.timestamp().as_microsecond())
}

/// What was typed, to be shown.
fn short(text: &str) -> String {
    text.chars().take(80).collect()
}

#[cfg(test)]
mod tests;
