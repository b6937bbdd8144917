//! The text of a note of a backup, and of an entry below `$/backup`. Pure: text in, value or nothing out.
//!
//! ```text
//! number 7
//! seq 41
//! at 1700000000000000
//! made_at 1700000000000000
//! dir /the/place
//! ```
//!
//! An entry has the place for its key, and so no last line. In a note the place stands last, without an end of the
//! line, and may hold anything that a key may.
//!
//! Invariant: what is read back is what was written; what can't be read says nothing.

use milepost_types::{Key, Receipt, Seq, Timestamp};

use super::KnownBackup;

/// What an entry says.
pub(super) fn entry(known: &KnownBackup) -> String {
    let KnownBackup { number, last, made_at, .. } = known;
    format!("number {number}\nseq {}\nat {}\nmade_at {}\n", last.seq.0, last.at.0, made_at.0)
}

/// The other way, of the entry of a place.
pub(super) fn of_entry(value: &[u8], dir: &str) -> Option<KnownBackup> {
    of_note(&format!("{}dir {dir}", String::from_utf8_lossy(value)))
}

pub(super) fn note(known: &KnownBackup) -> String {
    format!("{}dir {}", entry(known), known.dir)
}

/// The other way.
pub(super) fn of_note(text: &str) -> Option<KnownBackup> {
    let mut rest = text;
    let mut field = |name: &str| {
        let (line, after) = rest.split_once('\n')?;
        rest = after;
        line.strip_prefix(name)?.strip_prefix(' ')?.parse::<i64>().ok()
    };
    let (number, seq, at, made_at) = (field("number")?, field("seq")?, field("at")?, field("made_at")?);
    let last = Receipt { seq: Seq(seq.cast_unsigned()), at: Timestamp(at) };
    let dir = rest.strip_prefix("dir ").filter(|dir| Key::parse(dir).is_ok())?.to_owned();
    Some(KnownBackup { dir, number: number.cast_unsigned(), last, made_at: Timestamp(made_at) })
}

#[cfg(test)]
mod tests;
