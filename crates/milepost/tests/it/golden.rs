//! Stores written by each format that was ever released, read for good.
//!
//! Each folder of `tests/golden` holds three small stores of the same commits, `clean` after a close, `torn` after a
//! crash in the middle of a write and `cold` after all was compressed, and what they must answer: `commits.jsonl` and
//! `state.jsonl`. A released folder is never written again. `cargo run -p xtask -- golden v2` writes the folder of a
//! new format.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use milepost::{
    At, Store, Timestamp, Verdict, json,
    limits::{MEMORY_BYTES_MIN, SEGMENT_BYTES_MIN},
};
use milepost_engine::{Engine, Parts, Request, Settings, Threads};
use milepost_io::{Disk, Process, SimClock, SimDisk, SimEntropy, read_file};

use super::{bytes_of, copy_dir, export, state};

/// The folder of the format that is written today.
const TODAY: &str = "v1";

/// Every kind of event, every condition, every field; what a line says is what is exported, but for seq and time.
/// A minute passes between two lines; two that stand in one string are one batch.
const COMMITS: &[&str] = &[
    r#"{"writer":"ann@host","attempt":1,"events":[{"event":"set","scope":"task/etl/load","key":"cursor","value":"41"},{"event":"set","scope":"task/etl/load","key":"part-00","value":""},{"event":"set","scope":"task/etl/load","key":"part-01","value_base64":"AP+A/g=="},{"event":"set","scope":"task/etl","key":"ü/名前 \n","value":"é","content_type":"text/plain"}]}"#,
    r#"{"events":[{"event":"set","scope":"task/etl/load","key":"cursor","value":"42"}]}"#,
    r#"{"writer":"ann@host","idempotency_key":"request-1","events":[{"event":"set","scope":"asset/orders","key":"schema","value":"{\"v\":1}","content_type":"application/json"},{"event":"set","scope":"asset/orders","key":"custom","value":"x","content_type":"application/x-own"}]}"#,
    r#"{"writer":"bob","attempt":7,"fences":[{"scope":"lock/nightly","token":7}],"events":[{"event":"set","scope":"lock/nightly","key":"owner","value":"bob","expires_at":"9999-01-01T00:00:00Z"},{"event":"set","scope":"lock/nightly","key":"short","value":"gone soon","expires_at":"2026-11-24T03:17:30Z"}]}"#,
    concat!(
        r#"{"events":[{"event":"set","scope":"batch","key":"one","value":"1"}]}"#,
        "\n",
        r#"{"events":[{"event":"set","scope":"batch","key":"two","value":"2"},{"event":"delete","scope":"batch","key":"one"}]}"#
    ),
    r#"{"require":[{"condition":"key_absent","scope":"big","key":"0"}],"events":[{"event":"set","scope":"big","key":"0","value":"LONG"}]}"#,
    r#"{"require":[{"condition":"key_at","scope":"task/etl/load","key":"cursor","seq":2}],"events":[{"event":"delete","scope":"task/etl/load","key":"cursor"}]}"#,
    r#"{"events":[{"event":"set","scope":"gone","key":"k","value":"v"},{"event":"set","scope":"gone/below","key":"k","value":"v"}]}"#,
    r#"{"events":[{"event":"clear","scope":"gone"}]}"#,
    r#"{"events":[{"event":"clear_prefix","prefix":"gone"}]}"#,
    r#"{"fences":[{"scope":"lock/nightly","token":8}],"writer":"eve","events":[{"event":"set","scope":"task/etl/load","key":"cursor","value":"43"}]}"#,
    r#"{"events":[{"event":"checkpoint","scope":"task/etl/load","name":"after 43","note":"é\n"},{"event":"checkpoint","scope":"task/etl/load","name":"released"}]}"#,
    r#"{"events":[{"event":"release","scope":"task/etl/load","name":"released"}]}"#,
    r#"{"writer":"ann@host","events":[{"event":"fork","scope":"trial/load","origin":"task/etl/load","point":2},{"event":"delete","scope":"trial/load","key":"part-00"}]}"#,
    // Nothing goes by these: all stores have the same to answer.
    r#"{"writer":"ops","events":[{"event":"retain","prefix":"","keep_for_us":2592000000000,"cold_after_us":604800000000,"idempotency_for_us":3456000000000}]}"#,
    r#"{"events":[{"event":"retain","prefix":"task/x","keep_for_us":2592000000000,"keep_last":3,"expire_ended_us":7776000000000},{"event":"retain","prefix":"audit"}]}"#,
    r#"{"events":[{"event":"unretain","prefix":"task/x"}]}"#,
    r#"{"events":[{"event":"hold","prefix":"task","name":"case 17","note":"é\n"},{"event":"hold","prefix":"","name":"released"}]}"#,
    r#"{"events":[{"event":"unhold","prefix":"","name":"released"}]}"#,
    r#"{"events":[{"event":"erase","scope":"none","key":"k","bytes":0}]}"#,
    r#"{"events":[{"event":"erase_scope","scope":"none","bytes":0}]}"#,
    r#"{"events":[{"event":"erase_prefix","prefix":"none","bytes":7}]}"#,
    // A run of its own, behind one that is merged.
    r#"{"events":[{"event":"set","scope":"task/etl","key":"last","value":"1"}]}"#,
];

/// 2026-11-24T03:12:00Z.
const BEGIN: Timestamp = Timestamp(1_795_489_920_000_000);

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

fn request(engine: &Engine, line: &str) -> Request {
    let line = json::parse_commit(line.replace("LONG", &"long ".repeat(900)).as_bytes()).unwrap();
    let mut request = engine.request();
    if let Some(writer) = line.meta.writer {
        request = request.writer(writer);
    }
    if let Some(key) = &line.meta.idempotency_key {
        request = request.idempotency_key(key).unwrap();
    }
    for fence in &line.meta.fences {
        request = request.fence(&fence.scope, fence.token).unwrap();
    }
    let request = line.require.into_iter().fold(request, Request::require);
    line.events.iter().fold(request, |request, event| request.event(event).unwrap())
}

/// The files of a simulated disk below a directory, but for LOCK, which says who writes, and RESERVE, which says
/// nothing.
fn files_of(disk: &SimDisk, dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in disk.list(dir).unwrap() {
        let path = dir.join(&entry.name);
        if entry.is_dir {
            files.extend(files_of(disk, &path));
        } else if entry.name != "LOCK" && entry.name != "RESERVE" {
            files.push((path.strip_prefix("/").unwrap().to_owned(), read_file(disk, &path).unwrap()));
        }
    }
    files.sort();
    files
}

/// The stores as today's code writes them. Time and randomness are simulated: it is the same on every machine.
fn written_today() -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    for name in ["clean", "torn", "cold"] {
        let (disk, clock) = (SimDisk::new(1), SimClock::new(BEGIN));
        let parts = Parts {
            disk: Arc::new(disk.clone()),
            clock: Arc::new(clock.clone()),
            entropy: Arc::new(SimEntropy::new(1)),
            process: Process::simulated(),
        };
        let dir = Path::new("/").join(name);
        let (segment_bytes, memory_bytes) = (SEGMENT_BYTES_MIN, MEMORY_BYTES_MIN);
        let settings = Settings { threads: Threads::Stepped, segment_bytes, memory_bytes, ..Settings::default() };
        let engine = Engine::open(parts, &dir, settings).unwrap();
        for batch in COMMITS {
            let tickets: Vec<_> = batch.lines().map(|line| engine.submit(request(&engine, line)).unwrap()).collect();
            while engine.step_leader().commits > 0 {}
            assert!(tickets.into_iter().all(|ticket| ticket.wait().is_ok()));
            // The torn one has no runs.
            while name != "torn" && engine.step_index() {}
            clock.advance(60_000_000);
        }
        if name == "cold" {
            engine.compact_cold(&mut |_, _| {}).unwrap();
        }
        if name != "torn" {
            engine.close().unwrap();
            files.extend(files_of(&disk, &dir));
            continue;
        }
        // One commit more, of which the crash has left a part.
        let whole = files_of(&disk, &dir);
        engine.commit(request(&engine, COMMITS[0])).unwrap();
        for ((path, mut bytes), (_, before)) in files_of(&disk, &dir).into_iter().zip(whole) {
            if bytes != before {
                // Where it differs: zeros stand ahead of a log's last commit.
                let differs = |index: &usize| bytes[*index] != before.get(*index).copied().unwrap_or(0);
                let (first, last) = ((0..bytes.len()).find(differs), (0..bytes.len()).rfind(differs));
                bytes.truncate(first.unwrap().midpoint(last.unwrap()));
            }
            files.push((path, bytes));
        }
    }
    files
}

fn write(files: &[(PathBuf, Vec<u8>)], to: &Path) {
    for (path, bytes) in files {
        let path = to.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

/// Commits, and the state at the last one.
fn answers(dir: &Path) -> (String, String) {
    let store = Store::read_only(dir).unwrap();
    (export(&store), state(&store.view(At::Seq(store.last().seq)).unwrap()))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// FAULTS E3: every released format answers the same for good; read-only, and after a writer has taken it over.
#[test]
fn released_stores_are_read_for_good() {
    let mut formats = 0;
    for folder in fs::read_dir(golden("")).unwrap() {
        let folder = folder.unwrap().path();
        let expected = (read(&folder.join("commits.jsonl")), read(&folder.join("state.jsonl")));
        for name in ["clean", "torn", "cold"] {
            let copy = tempfile::tempdir().unwrap();
            let dir = copy.path().join("store");
            copy_dir(&folder.join(name), &dir);
            let untouched = bytes_of(&dir);
            let verdict = milepost::verify(&dir, &mut |_, _| ()).unwrap().verdict;
            match name {
                "torn" => assert!(matches!(verdict, Verdict::TornTail { bytes: 1.., .. }), "{verdict:?}"),
                _ => assert_eq!(verdict, Verdict::Clean),
            }
            assert!(
                answers(&dir) == expected,
                "{} answers otherwise: {:#?}",
                folder.join(name).display(),
                answers(&dir)
            );
            assert!(bytes_of(&dir) == untouched, "reading has written");
            // Not by the clock of the machine: far ahead of the last commit, it would be refused.
            let parts = Parts { clock: Arc::new(SimClock::new(BEGIN)), ..Parts::real() };
            let engine = Engine::open(parts, &dir, Settings { threads: Threads::Stepped, ..Settings::default() });
            let engine = engine.unwrap();
            assert_eq!(dir.join("quarantine").exists(), name == "torn");
            assert_eq!(answers(&dir), expected);
            let first = engine.commit(request(&engine, COMMITS[2])).unwrap();
            assert_eq!(first.seq.0, 3, "an idempotency key is not known any more");
            assert!(engine.commit(request(&engine, COMMITS[3])).is_err(), "a fencing token is not known any more");
            let added = engine.commit(request(&engine, COMMITS[1])).unwrap();
            engine.close().unwrap();
            let (commits, _) = answers(&dir);
            assert!(commits.starts_with(&expected.0) && commits.contains(&format!("{{\"seq\":{},", added.seq)));
            assert_eq!(milepost::verify(&dir, &mut |_, _| ()).unwrap().verdict, Verdict::Clean);
        }
        let size: usize = bytes_of(&folder).iter().map(|(_, bytes)| bytes.len()).sum();
        assert!(size < 64 << 10, "{} has {size} bytes", folder.display());
        formats += 1;
    }
    assert!(formats >= 1);
}

/// The same commits are written as the same bytes. If they are not, it is a mistake, or a new format: then
/// `docs/format.md` says so, and it gets a folder of its own.
#[test]
fn what_is_written_today_is_the_golden_store() {
    let files = written_today();
    if let Some(name) = std::env::var_os("MILEPOST_GOLDEN") {
        let folder = golden(name.to_str().unwrap());
        assert!(!folder.exists(), "{} is there already; what was released is never written again", folder.display());
        write(&files, &folder);
        let (commits, state) = answers(&folder.join("clean"));
        fs::write(folder.join("commits.jsonl"), commits).unwrap();
        fs::write(folder.join("state.jsonl"), state).unwrap();
    }
    // What zstd makes of a block is for its version to say: a cold store is read for good, not written the same.
    for (path, bytes) in files.into_iter().filter(|(path, _)| !path.starts_with("cold")) {
        let golden = fs::read(golden(TODAY).join(&path)).unwrap();
        assert!(golden == bytes, "{} is written otherwise; see the top of this file", path.display());
    }
}

/// The commits come back as they were given, every field of them; so the exports checked in are right, and not only
/// the same.
#[test]
fn the_golden_commits_are_those_that_were_given() {
    let commits = read(&golden(TODAY).join("commits.jsonl"));
    let given: Vec<_> = COMMITS.iter().flat_map(|batch| batch.lines()).collect();
    assert_eq!(commits.lines().count(), given.len());
    for (found, given) in commits.lines().zip(given) {
        let found = json::parse_commit(found.as_bytes()).unwrap();
        let given = json::parse_commit(given.replace("LONG", &"long ".repeat(900)).as_bytes()).unwrap();
        assert_eq!((found.meta, found.events), (given.meta, given.events));
    }
    let state = read(&golden(TODAY).join("state.jsonl"));
    for gone in ["gone", "\"short\"", "\"one\""] {
        assert!(!state.contains(gone), "{gone}");
    }
    assert_eq!(state.lines().count(), 12);
}
