//! A version, written as the step from the one before it.
//!
//! ```text
//! 1   bits 0-3  kind
//!     bits 4-5  Seq: 0 the same, 1 one more, 2 one less, 3 varint: the difference, zigzag
//!     bits 6-7  record: 0 the same, 1 one byte: how much more, less 1, 2 one byte: the record itself,
//!                       3 varint: the difference, zigzag
//!     then what they ask for: first that of Seq, then that of the record
//! ```
//!
//! Most writers write one event per commit, or many events in one: then a version takes one byte, or two.
//!
//! Invariant: any version can follow any other.

use super::{Malformed, varint, varint::Fields};
use crate::Version;

/// The most bytes that a step takes.
pub const STEP_BYTES_MAX: usize = 1 + 10 + 5;

/// From where a step is counted: the version before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its `Seq`.
    pub seq: u64,
    /// Its record.
    pub record: u32,
}

impl Place {
    /// The place of a version.
    #[must_use]
    pub fn of(version: Version) -> Place {
        Place { seq: version.seq, record: version.record }
    }
}

/// Appends a version that follows `from`.
pub fn put(out: &mut Vec<u8>, from: Place, version: Version) {
    assert!(version.kind <= crate::version::KIND_MAX, "kind {} of a version", version.kind);
    let seq_by = version.seq.wrapping_sub(from.seq).cast_signed();
    let seq_code = match seq_by {
        0 => 0,
        1 => 1,
        -1 => 2,
        _ => 3,
    };
    let record_by = version.record.wrapping_sub(from.record);
    let record_code = match record_by {
        0 => 0,
        1..=256 if version.record > from.record => 1,
        _ if version.record <= u32::from(u8::MAX) => 2,
        _ => 3,
    };
    out.push(version.kind | seq_code << 4 | record_code << 6);
    if seq_code == 3 {
        varint::put(out, varint::zigzag(seq_by));
    }
    match record_code {
        1 => out.push((record_by - 1) as u8),
        2 => out.push(version.record as u8),
        3 => varint::put(out, varint::zigzag(i64::from(version.record) - i64::from(from.record))),
        _ => {}
    }
}

/// Reads the version that follows `from`.
#[inline(always)]
pub fn read(fields: &mut Fields<'_>, from: Place) -> Result<Version, Malformed> {
    let head = fields.byte()?;
    let seq = match head >> 4 & 3 {
        0 => from.seq,
        1 => from.seq.wrapping_add(1),
        2 => from.seq.wrapping_sub(1),
        _ => from.seq.wrapping_add_signed(varint::unzigzag(fields.varint()?)),
    };
    let record = match head >> 6 {
        0 => from.record,
        1 => from.record.wrapping_add(u32::from(fields.byte()?) + 1),
        2 => u32::from(fields.byte()?),
        _ => from.record.wrapping_add_signed(varint::unzigzag(fields.varint()?) as i32),
    };
    Ok(Version { seq, record, kind: head & 15 })
}
