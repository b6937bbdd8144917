//! The errors of the engine and their kinds, as tables; but for `CompactError::NotSealed`, which names a segment by a
//! number that only the log gives out.

use std::{io, path::PathBuf};

use milepost_engine::{Denied, HoldSet, NewerCommit, NoFork};
use milepost_io::{Failure, Room};
use milepost_types::{Corruption, HoldName, Precondition, Receipt, Scope, ScopePrefix, Seq, Timestamp, limits};

use super::{BackupError, CommitError, CompactError, Error, ErrorKind, FillError, OpenError, ReadError, Refusal};

fn place() -> PathBuf {
    PathBuf::from("here")
}

fn damage() -> Corruption {
    Corruption { file: place(), offset: 7, seq: Some(Seq(3)), what: "checksum is 1, expected 2".into() }
}

fn failure() -> Failure {
    Failure::new(&place(), "do it", "because")
}

fn newer() -> NewerCommit {
    NewerCommit { file: place(), seq: Seq(3), what: "event 99".into() }
}

fn full(need: u64) -> (u64, Room) {
    (need, Room::Free(4))
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
fn errors_of_an_opening_have_their_kinds() {
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
    check(OpenError::NewerCommit(newer()), ErrorKind::NewerFormat, "commit 3 in here was written by a newer version");
    check(OpenError::NoIndex { dir: place(), seq: Seq(9) }, ErrorKind::ReadOnly, "commit 9 is too far behind");
    let limit = limits::check("setting", "bytes", 1, 2, 3).unwrap_err();
    check(OpenError::Limit(limit), ErrorKind::Invalid, "setting");
    check(OpenError::Stopped(failure()), ErrorKind::Stopped, "because");
    check(io_error, ErrorKind::Io, "can't read here: because");
}

#[test]
fn errors_of_a_commit_have_their_kinds() {
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
    check(CommitError::Write(failure()), ErrorKind::Io, "nothing was appended");
    check(CommitError::OutcomeUnknown(failure()), ErrorKind::OutcomeUnknown, "open the store again to see");
    check(CommitError::Stopped(failure()), ErrorKind::Stopped, "reads go on; open it again");
    check(CommitError::NewerCommit(newer()), ErrorKind::NewerFormat, "upgrade to read it");
    check(CommitError::Name(Scope::parse("").unwrap_err()), ErrorKind::Invalid, "scope");
    let limit = limits::check("value", "bytes", 9, 0, 3).unwrap_err();
    check(CommitError::Limit(limit), ErrorKind::Invalid, "value");
    check(CommitError::Corrupt(damage()), ErrorKind::Corrupt, "damaged");
}

#[test]
fn refusals_have_their_kinds() {
    let scope = || Scope::parse("a/b").unwrap();
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
    check(refused(Refusal::Erased { since: Seq(4) }), ErrorKind::Conflict, "behind commit 4");
    let refusal = Refusal::Held { prefix: ScopePrefix::root(), name: "audit".into() };
    check(refused(refusal), ErrorKind::Held, "nothing in this store is erased while the hold audit is there");
    let at = |seq, at| Receipt { seq: Seq(seq), at: Timestamp(at) };
    let refusal = Refusal::NotNext { place: at(9, 9), last: at(4, 4) };
    check(refused(refusal), ErrorKind::Invalid, "commit 9 does not follow commit 4");
    let refusal = Refusal::NotNext { place: at(5, 3), last: at(4, 4) };
    check(refused(refusal), ErrorKind::Invalid, "which is not after commit 4");
    let (origin, point, version) = (scope, Seq(5), Seq(7));
    for (why, kind, says) in [
        (NoFork::Itself, ErrorKind::Invalid, "as itself"),
        (NoFork::PointAhead { point, last: Seq(4) }, ErrorKind::NotYet, "there is no such commit yet"),
        (NoFork::IsFork { since: point }, ErrorKind::Conflict, "a fork since commit 5"),
        (
            NoFork::BeforeHorizon { origin: origin(), point, horizon: version },
            ErrorKind::BeforeHorizon,
            "from commit 7",
        ),
        (NoFork::NoKeys { origin: origin(), point, version }, ErrorKind::Invalid, "it held no key then"),
        (NoFork::HasState { version }, ErrorKind::Conflict, "its version is 7"),
        (NoFork::TooDeep { origin: origin() }, ErrorKind::Invalid, "forks deep already"),
    ] {
        check(refused(Refusal::Fork { scope: scope(), why }), kind, says);
    }
}

#[test]
fn errors_of_a_read_have_their_kinds() {
    check(ReadError::Corrupt(damage()), ErrorKind::Corrupt, "other reads go on");
    check(ReadError::Future { asked: Seq(5), last: Seq(4) }, ErrorKind::NotYet, "no commit 5 yet");
    check(ReadError::Removed { seq: Seq(7) }, ErrorKind::Removed, "commit 7");
    check(ReadError::Forked, ErrorKind::Forked, "fork");
    check(ReadError::RolledBack { last: Seq(5), seen: Seq(9) }, ErrorKind::RolledBack, "put back to an older copy");
    check(ReadError::TwoHandles, ErrorKind::Invalid, "open both from one");
    check(ReadError::Io { path: place(), message: "because".into() }, ErrorKind::Io, "because");
    check(ReadError::NewerCommit(newer()), ErrorKind::NewerFormat, "upgrade to read it");
    let (scope, name) = (Scope::parse("a").unwrap(), "before".to_owned());
    let missing = ReadError::NoCheckpoint { scope, name, others: Vec::new() };
    check(missing, ErrorKind::NoCheckpoint, "scope a has no checkpoint before; it has none");
    let (asked, horizon, at) = (Seq(1), Seq(2), Timestamp(3));
    let before = ReadError::BeforeHorizon { scope: "a".into(), asked, horizon, at };
    check(before, ErrorKind::BeforeHorizon, "from commit 2 on");
    let before = ReadError::BeforeFirst { asked: Timestamp(1), first: Seq(1), at: Timestamp(2) };
    check(before, ErrorKind::BeforeHorizon, "the first commit is 1");
}

#[test]
fn errors_of_a_compaction_have_their_kinds() {
    let (need, free) = full(5);
    check(CompactError::DiskFull { need, free }, ErrorKind::DiskFull, "5 bytes are needed, 4 are free");
    check(CompactError::Failed(failure()), ErrorKind::Io, "the segments are as they were");
    check(CompactError::Quarantine(failure()), ErrorKind::Io, "so compact again");
    check(CompactError::Read(ReadError::Corrupt(damage())), ErrorKind::Corrupt, "damaged");
    check(CompactError::Commit(CommitError::Closed), ErrorKind::Closed, "closed");
    check(CompactError::Open(OpenError::Stopped(failure())), ErrorKind::Stopped, "because");
}

#[test]
fn errors_of_a_store_that_is_filled_have_their_kinds() {
    check(FillError::NotEmpty { dir: place(), found: "x".into() }, ErrorKind::NotAStore, "here is not empty");
    let inside = FillError::Inside { dir: place(), host: "there".into(), what: "a store" };
    check(inside, ErrorKind::Invalid, "here is inside there, which holds a store");
    check(FillError::Open(OpenError::Missing { dir: place() }), ErrorKind::Missing, "no store at here");
    check(
        FillError::Refused { seq: Seq(3), source: CommitError::Empty },
        ErrorKind::Invalid,
        "commit 3: a commit needs",
    );
    check(FillError::Close(CommitError::Stopped(failure())), ErrorKind::Stopped, "because");
}

#[test]
fn errors_of_backups_have_their_kinds() {
    let dir = place;
    check(BackupError::NotBackups { dir: dir(), why: "x".into() }, ErrorKind::NotAStore, "here holds no backups: x");
    check(BackupError::InStore { dir: dir() }, ErrorKind::Invalid, "name a directory on another disk");
    let other = BackupError::OtherStore { dir: dir(), expected: "aa".into(), found: "bb".into() };
    check(other, ErrorKind::NotAStore, "are of store bb, this is store aa");
    check(BackupError::InUse { dir: dir() }, ErrorKind::InUse, "wait for it to end");
    let back = BackupError::RolledBack { number: 7, backed_up: Seq(9), store: Seq(5) };
    check(back, ErrorKind::RolledBack, "backup 7 holds commit 9, the store 5");
    check(BackupError::NoBackup { dir: dir(), number: Some(7) }, ErrorKind::Missing, "no backup 7 in here");
    check(BackupError::NoBackup { dir: dir(), number: None }, ErrorKind::Missing, "no backup in here");
    let outside = BackupError::OutsideSeq { asked: Seq(9), first: Seq(1), last: Seq(5) };
    check(outside, ErrorKind::NotYet, "the last one goes from 1 to 5");
    let outside = BackupError::OutsideTime { asked: Timestamp(1), first: Seq(2), first_at: Timestamp(3) };
    check(outside, ErrorKind::NotYet, "the first commit of the last one is 2");
    let before = BackupError::BeforeHorizon { asked: Seq(1), horizon: Seq(2) };
    check(before, ErrorKind::BeforeHorizon, "before commit 2 may be gone");
    check(BackupError::Corrupt(damage()), ErrorKind::Corrupt, "here at byte 7");
    let newer = BackupError::NewerFormat { file: place(), found: 9, supported: 1 };
    check(newer, ErrorKind::NewerFormat, "format version 9");
    let last = Receipt { seq: Seq(5), at: Timestamp(5) };
    check(BackupError::NoEpoch { last }, ErrorKind::Stopped, "export it into a new store");
    let (need, free) = full(5);
    check(BackupError::DiskFull { dir: dir(), need, free }, ErrorKind::DiskFull, "5 bytes are needed");
    let io = BackupError::Io { action: "read", path: place(), source: io::Error::other("because") };
    check(io, ErrorKind::Io, "can't read here: because");
    check(BackupError::Read(ReadError::Forked), ErrorKind::Forked, "fork");
    check(BackupError::Fill(FillError::Close(CommitError::Closed)), ErrorKind::Closed, "closed");
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
