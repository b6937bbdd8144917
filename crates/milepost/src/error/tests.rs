//! Every error of the engine and its kind, as a table.

use std::{io, path::PathBuf};

use milepost_engine::{Denied, HoldSet};
use milepost_io::Room;
use milepost_types::{Corruption, HoldName, Precondition, Scope, ScopePrefix, Seq, Timestamp};

use super::{CommitError, Error, ErrorKind, OpenError, ReadError, Refusal};

fn place() -> PathBuf {
    PathBuf::from("here")
}

fn damage() -> Corruption {
    Corruption { file: place(), offset: 7, seq: Some(Seq(3)), what: "checksum is 1, expected 2".into() }
}

fn refused(refusal: Refusal) -> CommitError {
    CommitError::Refused(Box::new(refusal))
}

fn check(error: impl Into<Error>, kind: ErrorKind, says: &str) {
    let error: Error = error.into();
    assert_eq!(error.kind(), kind, "{error}");
    let text = error.to_string();
    assert!(text.contains(says), "{text:?} does not say {says:?}");
    assert!(!text.ends_with('.'), "{text:?} ends with a full stop");
}

#[test]
fn opening() {
    let io = || io::Error::other("because");
    let io_error = OpenError::Io { action: "read", path: place(), source: io() };
    check(OpenError::Missing { dir: place() }, ErrorKind::Missing, "no store at here");
    check(OpenError::NotAStore { dir: place(), why: "x".into() }, ErrorKind::NotAStore, "not a store");
    check(OpenError::ManifestMissing { dir: place() }, ErrorKind::Corrupt, "MANIFEST");
    check(OpenError::NewerFormat { file: place(), found: 9, supported: 1 }, ErrorKind::NewerFormat, "version 9");
    check(OpenError::InUse { dir: place(), holder: None }, ErrorKind::InUse, "held by another process");
    for (denied, says) in [
        (Denied::Read, "no permission to read here (because); run as the store's owner, or have"),
        (Denied::Write, "no permission to write here (because); run as the store's owner, or name a store"),
        (Denied::AnyWrite, "can't write here (because); mount it for writing"),
    ] {
        check(OpenError::Permission { path: place(), denied, source: io() }, ErrorKind::Permission, says);
    }
    let full = |free| OpenError::DiskFull { dir: place(), need: 5, free };
    check(full(Room::Free(4)), ErrorKind::DiskFull, "5 bytes are needed, 4 are free; make room; what only reads");
    check(full(Room::FileLimit), ErrorKind::DiskFull, "5 bytes more are needed; raise it");
    check(OpenError::Corrupt(damage()), ErrorKind::Corrupt, "here at byte 7 (seq 3)");
    check(io_error, ErrorKind::Io, "can't read here: because");
}

#[test]
fn committing() {
    let scope = || Scope::parse("a/b").unwrap();
    check(CommitError::Empty, ErrorKind::Invalid, "at least one event");
    let full = |free| CommitError::DiskFull { need: 5, free };
    check(full(Room::Free(4)), ErrorKind::DiskFull, "4 are free; nothing was written, make room and try again");
    check(full(Room::FileLimit), ErrorKind::DiskFull, "limit on a file's size is reached (`ulimit -f`");
    check(CommitError::QueueFull { commits: 1, bytes: 2 }, ErrorKind::Busy, "try again");
    check(CommitError::Skipped, ErrorKind::Skipped, "see to that one first");
    check(CommitError::ReadOnly, ErrorKind::ReadOnly, "read-only");
    check(CommitError::Closed, ErrorKind::Closed, "closed");
    check(CommitError::Removed { seq: Seq(7) }, ErrorKind::Removed, "commit 7");
    check(CommitError::Forked, ErrorKind::Forked, "fork");
    check(CommitError::Corrupt(damage()), ErrorKind::Corrupt, "damaged");
    let failed = Precondition::ScopeAt { scope: scope(), seq: Seq(4) };
    let refusal = Refusal::Precondition { failed, actual: Some(Seq(5)) };
    check(refused(refusal), ErrorKind::Conflict, "its version is 5");
    let refusal = Refusal::Fenced { scope: scope(), token: 1, writer: None, highest: 2, holder: None };
    check(refused(refusal), ErrorKind::Fenced, "token 1 for scope a/b");
    let refusal = Refusal::IdempotencyConflict { key: "k".into(), first: Seq(9) };
    check(refused(refusal), ErrorKind::Conflict, "used by commit 9");
    let refusal = Refusal::ClockJump { last: Timestamp(1), wall: Timestamp(2) };
    check(refused(refusal), ErrorKind::Clock, "clock");
    check(refused(Refusal::Exhausted), ErrorKind::Stopped, "no sequence number");
}

#[test]
fn reading() {
    check(ReadError::Corrupt(damage()), ErrorKind::Corrupt, "other reads go on");
    check(ReadError::Future { asked: Seq(5), last: Seq(4) }, ErrorKind::NotYet, "no commit 5 yet");
    check(ReadError::Removed { seq: Seq(7) }, ErrorKind::Removed, "commit 7");
    check(ReadError::Forked, ErrorKind::Forked, "fork");
    check(ReadError::RolledBack { last: Seq(5), seen: Seq(9) }, ErrorKind::RolledBack, "put back to an older copy");
    check(ReadError::TwoHandles, ErrorKind::Invalid, "open both from one");
    check(ReadError::Io { path: place(), message: "because".into() }, ErrorKind::Io, "because");
}

/// A name that acts on a screen, or holds quotes, is shown and does nothing.
#[test]
fn names_in_messages_are_escaped() {
    let (name, shown) = ("it's\u{202e}\u{1b}[2J", r"it's\u{202e}\u{1b}[2J");
    let hold = |prefix| {
        let (name, seq, at) = (HoldName::parse("audit").unwrap(), Seq(7), Timestamp(1));
        Error::hold_stands(HoldSet { prefix, name, note: None, seq, at, writer: None })
    };
    let prefix = ScopePrefix::parse(name).unwrap();
    check(hold(ScopePrefix::root()), ErrorKind::Conflict, "\"audit\" on / stands since commit 7");
    check(hold(prefix.clone()), ErrorKind::Conflict, &format!("on {shown} stands"));
    let refusal = Refusal::Held { prefix, name: name.into() };
    check(refused(refusal), ErrorKind::Held, &format!("at or below {shown} is erased while the hold {shown} is"));
    let refusal = Refusal::IdempotencyConflict { key: name.into(), first: Seq(9) };
    check(refused(refusal), ErrorKind::Conflict, &format!("idempotency key {shown} was"));
    let (asked, horizon, at) = (Seq(1), Seq(2), Timestamp(3));
    let before = ReadError::BeforeHorizon { scope: name.into(), asked, horizon, at };
    check(before, ErrorKind::BeforeHorizon, &format!("past of scope {shown} is"));
    let (scope, others) = (Scope::parse("a").unwrap(), vec![name.into(), "b".into()]);
    let missing = ReadError::NoCheckpoint { scope, name: name.into(), others };
    let says = format!("no checkpoint {shown}; its newest are: {shown}, b");
    check(missing, ErrorKind::NoCheckpoint, &says);
}

#[test]
fn input() {
    check(Scope::parse("a/../b").unwrap_err(), ErrorKind::Invalid, "segment 2");
    check(crate::json::parse_commit(b"{").unwrap_err(), ErrorKind::Invalid, "EOF");
}
