//! What must hold for any bytes: one function per decoder.
//!
//! The fuzzer calls these functions, and so does a test on stable, for every file of the corpus in `fuzz/seeds` and for
//! many bytes near them. A function returns for every input: it panics where an invariant of the decoder is broken.
//!
//! A checksum would keep a fuzzer out of all that lies behind it. So each decoder is tried twice: with the bytes as
//! they are, and with the checksums made right.
//!
//! Must not know: the inside of a decoder. What is not public is reached through what is.

#![expect(clippy::unwrap_used, reason = "a panic is how a target says that something is wrong")]

pub mod asides;
pub mod backup;
pub mod backup_place;
pub mod body;
pub mod canary;
pub mod cold;
pub mod footer;
pub mod frame;
pub mod handover;
pub mod import;
pub mod json_line;
pub mod manifest;
pub mod mark;
pub mod names;
pub mod progress;
pub mod records;
pub mod run;
pub mod seeds;
pub mod segment;
pub mod segment_header;
mod store;
pub mod store_ops;
pub mod typed;

/// A function that returns for all bytes, or panics and has found something.
pub type Target = fn(&[u8]);

/// Every target by the name of its folder in the corpus. The canary is not among them: it must fail.
pub const TARGETS: &[(&str, Target)] = &[
    ("asides", asides::check),
    ("backup", backup::check),
    ("backup_place", backup_place::check),
    ("body", body::check),
    ("cold", cold::check),
    ("footer", footer::check),
    ("frame", frame::check),
    ("handover", handover::check),
    ("import", import::check),
    ("json_line", json_line::check),
    ("manifest", manifest::check),
    ("mark", mark::check),
    ("names", names::check),
    ("progress", progress::check),
    ("records", records::check),
    ("run", run::check),
    ("segment", segment::check),
    ("segment_header", segment_header::check),
    ("store_ops", store_ops::check),
    ("typed", typed::check),
];
