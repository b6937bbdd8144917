use std::path::Path;

use milepost_engine::{CommitError, Engine, OpenError, ReadError, Settings, Threads};
use milepost_io::SimDisk;
use milepost_sim::{
    damage::{Left, Specimen},
    machine::{Machine, STORE},
};
use milepost_types::{At, Scope, Seq, Timestamp, limits};

const NOW: Timestamp = Timestamp(1_795_000_000_000_000);

fn machine() -> Machine {
    Machine::new(1, 4 << 10, NOW)
}

fn scope() -> Scope {
    Scope::parse("a").unwrap()
}

/// Errors of opening that name a state of the directory. Nothing may be written by any of them.
#[test]
fn every_error_of_opening() {
    let file = |name: &str| Path::new(STORE).join(name);
    let specimen = Specimen::new(1, Left::Closed).unwrap();
    let copied = |without: &str| {
        let machine = machine();
        for (path, bytes) in specimen.files().iter().filter(|(path, _)| !path.ends_with(without)) {
            machine.disk.put_file(path, bytes);
        }
        machine
    };
    let newer = copied("MANIFEST");
    let (_, manifest) = specimen.files().iter().find(|(path, _)| path.ends_with("MANIFEST")).unwrap();
    let stray = machine();
    stray.disk.put_file(&file("holiday.jpg"), b"not a store");
    let in_the_way = machine();
    in_the_way.disk.put_file(Path::new(STORE), b"a file");
    type Is = fn(&OpenError) -> bool;
    let rows: [(&str, &Machine, Is); 4] = [
        ("missing", &machine(), |error| matches!(error, OpenError::Missing { .. })),
        ("not a store", &stray, |error| matches!(error, OpenError::NotAStore { .. })),
        ("a file in its place", &in_the_way, |error| matches!(error, OpenError::NotAStore { .. })),
        ("manifest missing", &copied("MANIFEST"), |error| matches!(error, OpenError::ManifestMissing { .. })),
    ];
    for (name, machine, is) in rows {
        let before = machine.disk.operations();
        match machine.open_read_only() {
            Err(error) if is(&error) => {}
            other => panic!("{name}: {other:?}"),
        }
        assert_eq!(machine.disk.operations(), before, "{name}: something was written");
    }
    let mut bytes = manifest.clone();
    let version = bytes.iter().position(|byte| *byte == 1).unwrap();
    bytes[version] = 2;
    newer.disk.put_file(&file("MANIFEST"), &bytes);
    let said = newer.open().map(|_| "opened").unwrap_err();
    assert!(matches!(said, OpenError::NewerFormat { .. } | OpenError::Corrupt(_)), "{said:?}");
    let small =
        Settings { segment_bytes: limits::SEGMENT_BYTES_MIN - 1, threads: Threads::Stepped, ..Settings::default() };
    let said = Engine::open(machine().parts(), Path::new(STORE), small).unwrap_err();
    assert!(matches!(said, OpenError::Limit(_)), "{said:?}");
}

/// Errors of a commit that are not a matter of the disk.
#[test]
fn every_error_of_a_request() {
    let machine = machine();
    let engine = machine.open().unwrap();
    let key_too_long = "k".repeat(limits::KEY_BYTES_MAX + 1);
    let said = engine.request().set(&scope(), &key_too_long, b"").unwrap_err();
    assert!(matches!(said, CommitError::Name(_)), "{said:?}");
    let said = engine.request().idempotency_key("").unwrap_err();
    assert!(matches!(said, CommitError::Limit(_)), "{said:?}");
    let said = engine.commit(engine.request()).unwrap_err();
    assert!(matches!(said, CommitError::Empty), "{said:?}");
    assert_eq!(engine.last().seq, Seq::ZERO);
    engine.commit(engine.request().set(&scope(), "k", b"v").unwrap()).unwrap();
    let reader = machine.open_read_only().unwrap();
    let said = reader.commit(reader.request().set(&scope(), "k", b"v").unwrap()).unwrap_err();
    assert!(matches!(said, CommitError::ReadOnly), "{said:?}");
    let said = engine.view(At::Seq(Seq(2))).unwrap_err();
    assert!(matches!(said, ReadError::Future { asked: Seq(2), last: Seq(1) }), "{said:?}");
    engine.close().unwrap();
    let said = engine.commit(engine.request().set(&scope(), "k", b"v").unwrap()).unwrap_err();
    assert!(matches!(said, CommitError::Closed), "{said:?}");
}

/// FAULTS B10: a queue that nobody leads fills up and refuses; what it took is committed in order, and there is room
/// again.
#[test]
fn a_full_queue_refuses_and_loses_nothing() {
    let machine = machine();
    let engine = machine.open().unwrap();
    let request = || engine.request().set(&scope(), "k", b"").unwrap();
    let mut tickets = Vec::new();
    let refused = loop {
        match engine.submit(request()) {
            Ok(ticket) => tickets.push(ticket),
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, CommitError::QueueFull { commits, .. } if commits == tickets.len()), "{refused:?}");
    assert_eq!(tickets.len(), limits::QUEUE_COMMITS_MAX);
    while engine.step_leader().commits > 0 {}
    for (ticket, seq) in tickets.into_iter().zip(1..) {
        assert_eq!(ticket.wait().unwrap().seq, Seq(seq));
    }
    let after = engine.submit(request()).unwrap();
    while engine.step_leader().commits > 0 {}
    assert_eq!(after.wait().unwrap().seq, Seq(limits::QUEUE_COMMITS_MAX as u64 + 1));
}

/// FAULTS B4: an IO error of a read-only opening names the file.
#[test]
fn a_disk_that_gives_no_reads_is_named() {
    let machine = machine();
    let engine = machine.open().unwrap();
    engine.commit(engine.request().set(&scope(), "k", b"v").unwrap()).unwrap();
    drop(engine);
    let dead: SimDisk = machine.disk.copy();
    dead.power_off();
    let said = machine.with_disk(dead).open_read_only().unwrap_err();
    assert!(matches!(&said, OpenError::Io { path, .. } if path.starts_with(STORE)), "{said:?}");
}
