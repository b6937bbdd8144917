//! What a side of a difference lacks, because it was erased since.

use milepost_engine::ErasedKey;
use milepost_types::Seq;
use serde::Serialize;

/// A side of a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The first one.
    Old,
    /// The second one.
    New,
}

#[derive(Serialize)]
struct Line<'a> {
    difference: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    old_erased_by: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    new_erased_by: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    is_sure: Option<bool>,
}

/// Says that a side lacks a key that was erased since, without a line end.
///
/// ```
/// use milepost::{Scope, Store, json};
/// # let dir = tempfile::tempdir().unwrap();
/// let (store, scope) = (Store::open(dir.path())?, Scope::parse("a")?);
/// let first = store.set(&scope, "k", b"1")?;
/// store.erase(&scope, "k")?;
/// let mut line = Vec::new();
/// store.restore(&scope, first.seq)?.each_erased(|erased| {
///     json::write_erased(&mut line, json::Side::New, &erased);
///     std::ops::ControlFlow::Continue(())
/// })?;
/// assert_eq!(line, br#"{"difference":"erased","key":"k","new_erased_by":2}"#);
/// # Ok::<(), milepost::Error>(())
/// ```
pub fn write_erased(out: &mut Vec<u8>, side: Side, erased: &ErasedKey) {
    let key = Some(erased.key.as_str());
    write(out, side, erased.by, Line { key, is_sure: (!erased.is_sure).then_some(false), ..Line::of("erased") });
}

/// Says that all of a side was erased since, names of keys that nobody knows any more with it, without a line end.
///
/// ```
/// use milepost::{Seq, json};
/// let mut line = Vec::new();
/// json::write_erased_scope(&mut line, json::Side::Old, Seq(7));
/// assert_eq!(line, br#"{"difference":"erased_scope","old_erased_by":7}"#);
/// ```
pub fn write_erased_scope(out: &mut Vec<u8>, side: Side, by: Seq) {
    write(out, side, by, Line::of("erased_scope"));
}

impl Line<'_> {
    fn of(difference: &'static str) -> Line<'static> {
        Line { difference, key: None, old_erased_by: None, new_erased_by: None, is_sure: None }
    }
}

fn write(out: &mut Vec<u8>, side: Side, by: Seq, line: Line<'_>) {
    let line = match side {
        Side::Old => Line { old_erased_by: Some(by.0), ..line },
        Side::New => Line { new_erased_by: Some(by.0), ..line },
    };
    serde_json::to_writer(out, &line).expect("memory takes it");
}
