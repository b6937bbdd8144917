//! The lines of an export that are no commits: those that retention has removed, and from where on the past can be
//! read.

use milepost_engine::Horizon;
use milepost_types::{ScopePrefix, Seq, Timestamp};
use serde::{Deserialize, Serialize};

use super::{JsonError, TimeOrMicros};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RemovedLine {
    removed: Stretch,
    /// Said by the last line of an export.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last: Option<bool>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stretch {
    first: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_at: Option<TimeOrMicros>,
    last: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_at: Option<TimeOrMicros>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct HorizonLine {
    horizon: Row,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    prefix: String,
    seq: u64,
    at: TimeOrMicros,
}

/// What a line says that is no commit.
pub(crate) enum Past {
    /// Commits that were removed, and when the first of them was stamped at the earliest and the last at the latest, if
    /// that is known.
    Removed { first: Seq, last: Seq, times: Option<(Timestamp, Timestamp)>, is_last: bool },
    /// From where on the past of a place can be read.
    Horizon(Horizon),
}

/// Says that the commits from one to another were removed, without a line end, and when the first of them was stamped
/// at the earliest and the last at the latest, if that is known.
///
/// ```
/// use milepost::{Seq, Timestamp, json};
/// let mut line = Vec::new();
/// json::write_removed(&mut line, Seq(5), Seq(7), None);
/// assert_eq!(line, br#"{"removed":{"first":5,"last":7}}"#);
/// line.clear();
/// json::write_removed(&mut line, Seq(5), Seq(5), Some((Timestamp(0), Timestamp(0))));
/// let epoch = "1970-01-01T00:00:00.000000Z";
/// let expected = format!(r#"{{"removed":{{"first":5,"first_at":"{epoch}","last":5,"last_at":"{epoch}"}}}}"#);
/// assert_eq!(line, expected.as_bytes());
/// ```
pub fn write_removed(out: &mut Vec<u8>, first: Seq, last: Seq, times: Option<(Timestamp, Timestamp)>) {
    let (first_at, last_at) = times.map(|(first, last)| (first.into(), last.into())).unzip();
    let line = RemovedLine { removed: Stretch { first: first.0, first_at, last: last.0, last_at }, last: None };
    serde_json::to_writer(out, &line).expect("memory takes it");
}

/// Says from where on the past of a place can be read, without a line end.
///
/// ```
/// use milepost::{Horizon, ScopePrefix, Seq, Timestamp, json};
/// let mut line = Vec::new();
/// json::write_horizon(&mut line, &Horizon { prefix: ScopePrefix::parse("a")?, seq: Seq(5), at: Timestamp(0) });
/// assert_eq!(line, br#"{"horizon":{"prefix":"a","seq":5,"at":"1970-01-01T00:00:00.000000Z"}}"#);
/// # Ok::<(), milepost::Error>(())
/// ```
pub fn write_horizon(out: &mut Vec<u8>, horizon: &Horizon) {
    let Horizon { prefix, seq, at } = horizon;
    let row = Row { prefix: prefix.as_str().to_owned(), seq: seq.0, at: (*at).into() };
    serde_json::to_writer(out, &HorizonLine { horizon: row }).expect("memory takes it");
}

/// Has a line that was written say that it is the last one of an export.
pub(crate) fn say_last(line: &mut Vec<u8>) {
    debug_assert!(line.ends_with(b"}"), "a line is one object");
    line.pop();
    line.extend_from_slice(br#","last":true}"#);
}

/// What a line says that is no commit; `None` of any other line.
pub(crate) fn past(line: &[u8]) -> Result<Option<Past>, JsonError> {
    let begin = line.trim_ascii_start();
    let syntax = |error: serde_json::Error| JsonError::Syntax { column: error.column(), what: error.to_string() };
    if begin.starts_with(br#"{"removed""#) {
        let RemovedLine { removed, last: is_last } = serde_json::from_slice(line).map_err(syntax)?;
        let Stretch { first, first_at, last, last_at } = removed;
        let times = match (first_at, last_at) {
            (Some(first_at), Some(last_at)) => Some((first_at.parse()?, last_at.parse()?)),
            (None, None) => None,
            (Some(_), None) | (None, Some(_)) => {
                let what = "only one of first_at and last_at is given".to_owned();
                return Err(JsonError::Field { place: "removed".to_owned(), what });
            }
        };
        return Ok(Some(Past::Removed { first: Seq(first), last: Seq(last), times, is_last: is_last == Some(true) }));
    }
    if begin.starts_with(br#"{"horizon""#) {
        let Row { prefix, seq, at } = serde_json::from_slice::<HorizonLine>(line).map_err(syntax)?.horizon;
        let named = if prefix.is_empty() { Ok(ScopePrefix::root()) } else { ScopePrefix::parse(&prefix) };
        let prefix = named.map_err(|error| JsonError::Name { place: "horizon".to_owned(), error })?;
        return Ok(Some(Past::Horizon(Horizon { prefix, seq: Seq(seq), at: at.parse()? })));
    }
    Ok(None)
}
