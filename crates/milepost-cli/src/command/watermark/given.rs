//! What is given on the command line as a watermark: of which type it is, and what is wrong with it.
//!
//! Invariant: what looks like a number or a date is one, or is refused: as text it would stand in another order than
//! those that are. The type of a watermark that has one is not guessed.

use clap::ValueEnum;
use jiff::{ZonedDateTime, civil::Date};
use milepost::task::AnyMark;

use crate::{
    error::CliError,
    time::{self, TimeError},
};

/// What a value can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Kind {
    /// A whole number.
    Integer,
    /// A time, as in 2026-11-24T03:12:00Z.
    Timestamp,
    /// Text, in the order of its bytes.
    Text,
    /// Bytes, in their order; written in hexadecimal, as in 0x00ff.
    Bytes,
}

/// How values of a watermark are read.
pub(super) struct Reading<'a> {
    /// Which watermark.
    pub(super) name: &'a str,
    /// What was said of the value.
    pub(super) asked: Option<Kind>,
    /// What the watermark is, where it was ever moved.
    pub(super) found: Option<Kind>,
}

impl Kind {
    /// That of a mark.
    pub(super) fn of(mark: &AnyMark) -> Option<Kind> {
        Kind::from_str(mark.type_name(), false).ok()
    }

    /// A value as one of this type, or why it is none.
    fn read(self, given: &str) -> Result<AnyMark, String> {
        match self {
            Kind::Integer => {
                given.parse().map(AnyMark::Integer).map_err(|error| format!("{given:?} is no integer: {error}"))
            }
            Kind::Timestamp => time::parse_time(given, &ZonedDateTime::now())
                .map(AnyMark::Timestamp)
                .map_err(|error| no_time(given, &error)),
            Kind::Text => Ok(AnyMark::Text(given.to_owned())),
            Kind::Bytes => bytes(given)
                .map(AnyMark::Bytes)
                .ok_or_else(|| format!("{given:?} is no hexadecimal: two digits a byte, as in 0x00ff")),
        }
    }
}

impl Reading<'_> {
    /// Reads a value: of the type that was said, else of the watermark's own, else of the one that it looks like.
    pub(super) fn read(&self, what: &'static str, given: &str) -> Result<AnyMark, CliError> {
        let read = match (self.asked, self.found) {
            (Some(asked), _) => asked.read(given),
            (None, Some(found)) => found.read(given).map_err(|why| {
                let of = found.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned());
                format!("{why}; watermark {} is of type {of}", self.name)
            }),
            (None, None) => guess(given),
        };
        read.map_err(|why| CliError::Argument { what, why })
    }
}

/// What is wrong with what is no time.
fn no_time(given: &str, error: &TimeError) -> String {
    match (DateLike::of(given), error) {
        (Some(date), _) => format!("{given:?} is no time: {}", date.fault()),
        (None, TimeError::Unknown { text }) => {
            format!("{text:?} is no time; write one, as in 2026-01-05T03:12:00Z or \"10 minutes ago\"")
        }
        (None, other) => other.to_string(),
    }
}

/// A value of the type that it looks like.
fn guess(given: &str) -> Result<AnyMark, String> {
    if let Ok(integer) = given.parse() {
        return Ok(AnyMark::Integer(integer));
    }
    // What a file with other line ends, or a word too much, leaves of a number or a date.
    let bare = given.trim();
    if bare != given && !matches!(guess(bare), Ok(AnyMark::Text(_))) {
        return Err(format!("{given:?} has white space around it; leave that out; with --as text it is text"));
    }
    if is_all_digits(given) {
        return Err(format!("{given:?} is a number that does not fit into 64 bits; with --as text it is text"));
    }
    if is_fraction(given) {
        return Err(format!(
            "{given:?} is no whole number; write one, of a smaller unit where it has a fraction; with --as text it is \
             text, in the order of its characters"
        ));
    }
    if DateLike::of(given).is_none() {
        return Ok(AnyMark::Text(given.to_owned()));
    }
    Kind::Timestamp
        .read(given)
        .map_err(|why| format!("{why}; with --as text it is text, in the order of its characters"))
}

/// Bytes as [`AnyMark`] shows them; the `0x` may be left out.
fn bytes(given: &str) -> Option<Vec<u8>> {
    let digits = given.strip_prefix("0x").unwrap_or(given).as_bytes();
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    let (pairs, rest) = digits.as_chunks::<2>();
    let bytes = pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect();
    if rest.is_empty() { bytes } else { None }
}

fn is_all_digits(given: &str) -> bool {
    let digits = given.strip_prefix(['-', '+']).unwrap_or(given);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether it looks like a number that is not whole, or not written as one: `9.5`, `1e6`, `1,000`.
fn is_fraction(given: &str) -> bool {
    let digits = given.trim_start_matches(['-', '+', '.', ',']);
    digits.starts_with(|first: char| first.is_ascii_digit()) && given.replace(',', "").trim().parse::<f64>().is_ok()
}

/// What looks like a date: three numbers, the first or the last of them with the four digits of a year.
struct DateLike<'a> {
    parts: [&'a str; 3],
    separator: char,
    /// What stands behind it.
    rest: &'a str,
}

impl<'a> DateLike<'a> {
    fn of(given: &'a str) -> Option<DateLike<'a>> {
        let end = given.find(|c: char| !c.is_ascii_digit() && !"-/.".contains(c)).unwrap_or(given.len());
        let (date, rest) = given.split_at(end);
        let separator = date.chars().find(|c| !c.is_ascii_digit())?;
        let parts: Vec<&str> = date.split(separator).collect();
        let parts = <[&str; 3]>::try_from(parts).ok()?;
        if parts.iter().any(|part| part.is_empty() || part.len() > 4 || !part.bytes().all(|c| c.is_ascii_digit())) {
            return None;
        }
        // `2026.1.0` is how versions are written.
        let has_year = parts[2].len() == 4 || (parts[0].len() == 4 && separator != '.');
        let mut behind = rest.chars();
        let is_time = match behind.next() {
            None | Some('Z' | 'z' | '[' | '+') => true,
            Some('T' | 't' | ' ') => behind.next().is_some_and(|c| c.is_ascii_digit()),
            Some(_) => false,
        };
        (has_year && is_time).then_some(DateLike { parts, separator, rest })
    }

    /// What is wrong with one that is no time.
    fn fault(&self) -> String {
        const AS: &str = "as in 2026-01-05 or 2026-01-05T03:12:00Z";
        let [year, month, day] = self.parts;
        if self.separator != '-' || year.len() != 4 {
            return format!("write the year first, then month and day, {AS}");
        }
        if month.len() != 2 || day.len() != 2 {
            return format!("month and day have two digits, {AS}");
        }
        let number = |digits: &str| digits.parse::<i8>().unwrap_or(i8::MAX);
        if !(1..=12).contains(&number(month)) {
            return format!("there is no month {month}");
        }
        let year = year.parse::<i16>().unwrap_or(i16::MAX);
        let days = Date::new(year, number(month), 1).map_or(31, Date::days_in_month);
        if !(1..=days).contains(&number(day)) {
            return format!("there is no day {day} in that month, which has {days}");
        }
        format!("what stands behind its date, {:?}, is no time of a day; write it {AS}", self.rest)
    }
}

#[cfg(test)]
mod tests;
