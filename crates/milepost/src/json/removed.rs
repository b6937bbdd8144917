//! The line of an export that stands for commits which retention has removed.

use milepost_types::Seq;
use serde::{Deserialize, Serialize};

use super::JsonError;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    removed: Stretch,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stretch {
    first: u64,
    last: u64,
}

/// Says that the commits from one to another were removed, without a line end.
///
/// ```
/// use milepost::{Seq, json};
/// let mut line = Vec::new();
/// json::write_removed(&mut line, Seq(5), Seq(7));
/// assert_eq!(line, br#"{"removed":{"first":5,"last":7}}"#);
/// ```
pub fn write_removed(out: &mut Vec<u8>, first: Seq, last: Seq) {
    let line = Line { removed: Stretch { first: first.0, last: last.0 } };
    serde_json::to_writer(out, &line).expect("memory takes it");
}

/// The first and the last commit that a line says were removed; `None` of any other line.
pub(crate) fn removed(line: &[u8]) -> Result<Option<(Seq, Seq)>, JsonError> {
    if !line.trim_ascii_start().starts_with(br#"{"removed""#) {
        return Ok(None);
    }
    let found: Line = serde_json::from_slice(line)
        .map_err(|error| JsonError::Syntax { column: error.column(), what: error.to_string() })?;
    Ok(Some((Seq(found.removed.first), Seq(found.removed.last))))
}
