//! Marks of `milepost each`: each has one spelling, and an ending is never guessed.
//!
//! The program has no library to be called: its own file is compiled here once more.

#[path = "../../../crates/milepost-cli/src/each/mark.rs"]
mod format;

use format::{Ending, Kept, Mark};

/// Any bytes as a mark.
pub fn check(bytes: &[u8]) {
    let mark = match Mark::parse(bytes) {
        Ok(mark) => mark,
        Err(error) => return drop(error.to_string()),
    };
    assert_eq!(encoded(&mark), bytes, "read and never written");
    assert_eq!(mark.ending.is_ok(), bytes.starts_with(b"0 "), "{}", mark.ending);
    assert_eq!(mark.stdout.bytes.len() as u64 + mark.stdout.cut_bytes(), mark.stdout.total_bytes);
}

fn encoded(mark: &Mark<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    mark.encode(&mut bytes);
    bytes
}

/// Every ending, and outputs that are kept whole and in part.
pub(crate) fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let kept = |bytes, total_bytes| Kept { bytes, total_bytes };
    let mark = |ending, stdout, stderr| encoded(&Mark { ending, micros: 523, attempt: 1, stdout, stderr });
    let none = Kept::default();
    let last = Mark { micros: u64::MAX, attempt: u32::MAX, ..Mark::parse(b"255 0").unwrap() };
    vec![
        ("done", mark(Ending::Exit(0), none, none)),
        ("outputs", mark(Ending::Exit(1), kept(b"a\nb\n", 4), kept(b"\xff", 1))),
        ("cut-output", mark(Ending::Signal(9), kept(b"abc", 1 << 40), kept(b"", 7))),
        ("not-started", mark(Ending::NotStarted, none, kept(b"no such file", 12))),
        ("timed-out", mark(Ending::TimedOut, none, none)),
        ("largest", encoded(&last)),
        ("another-spelling", b"00 523 out=1/1\nx".to_vec()),
    ]
}
