//! Backups and exports through the binary: made beside a writer, listed, verified, restored, imported; a salvage.

mod killed;

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::Child,
};

use super::world::{World, line, lines};

fn export(world: &World, store: &str) -> String {
    world.ok(["export", "--store", store])
}

fn field(json: &str, name: &str) -> u64 {
    let value: serde_json::Value = serde_json::from_str(json.lines().next_back().unwrap()).unwrap();
    value[name].as_u64().unwrap_or_else(|| panic!("no {name} in {json}"))
}

/// A process that holds the store and has made so many commits durable.
fn writer(world: &World, commits: u64) -> Child {
    let mut child = world.command(["append"]).spawn().unwrap();
    child.stdin.as_mut().unwrap().write_all(lines(commits).as_bytes()).unwrap();
    let stdout = BufReader::new(child.stdout.as_mut().unwrap());
    // The header, and a receipt for each.
    assert_eq!(stdout.lines().take(commits as usize).count(), commits as usize);
    child
}

#[test]
fn a_backup_beside_a_writer_is_whole_and_remembered() {
    let world = World::new();
    let mut child = writer(&world, 40);
    let made = world.ok(["backup", "create", "backups", "-o", "jsonl"]);
    let last = field(&made, "last");
    assert!(last >= 39, "{made}");
    child.stdin.as_mut().unwrap().write_all(line(41).as_bytes()).unwrap();
    child.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
    let exported = export(&world, ".milepost");
    world.ok(["backup", "restore", "backups", "restored"]);
    let restored = export(&world, "restored");
    assert_eq!(restored.lines().count() as u64, last);
    let commits = restored.strip_suffix(",\"last\":true}\n").unwrap();
    assert!(exported.starts_with(commits));
    assert!(world.ok(["verify", "--store", "restored"]).starts_with("clean"));
    // The note becomes a commit when somebody writes.
    let known = |world: &World| world.ok(["backup", "known", "-o", "jsonl"]);
    let noted = known(&world);
    assert_eq!(field(&noted, "last"), last);
    assert_eq!(fs::read_dir(world.store().join("noted")).unwrap().count(), 1);
    world.ok(["set", "a", "k", "v"]);
    assert_eq!(fs::read_dir(world.store().join("noted")).unwrap().count(), 0);
    assert_eq!(known(&world), noted);
    let history = world.ok(["log", "$/backup", "-o", "jsonl"]);
    assert!(history.contains("backups") && history.contains(r#""change":"set""#), "{history}");
    // With it the history is exported and imported.
    let exported = export(&world, ".milepost");
    let ran = world.feed(["import", "-", "--store", "copy"], exported.as_bytes());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(export(&world, "copy"), exported);
    assert_eq!(world.ok(["backup", "known", "--store", "copy", "-o", "jsonl"]), noted);
}

#[test]
fn a_backup_is_incremental_listed_verified_and_pruned() {
    let world = World::with_commits(50);
    let first = world.ok(["backup", "create", "backups", "-o", "jsonl"]);
    assert_eq!(field(&first, "new_bytes"), field(&first, "bytes"));
    world.feed(["append"], line(51).as_bytes());
    let second = world.ok(["backup", "create", "backups", "-o", "jsonl"]);
    assert!(field(&second, "new_bytes") < field(&first, "new_bytes") / 4, "{first}{second}");
    assert_eq!(world.ok(["backup", "list", "backups", "-o", "jsonl"]), format!("{first}{second}"));
    let table = world.ok(["backup", "list", "backups"]);
    assert!(table.starts_with("BACKUP") && table.lines().count() == 3, "{table}");
    let verified = world.ok(["backup", "verify", "backups"]);
    assert!(verified.starts_with("clean: 2 backups of store "), "{verified}");
    let to_first = world.ok(["backup", "restore", "backups", "first", "--at", "50", "-o", "jsonl"]);
    assert_eq!((field(&to_first, "seq"), field(&to_first, "backup")), (50, 2));
    world.ok(["backup", "restore", "backups", "one", "--backup", "1"]);
    assert_eq!(export(&world, "one"), export(&world, "first"));
    // A restored store goes on, and is the same store to its backups.
    world.ok(["set", "a", "k", "v", "--store", "first"]);
    world.ok(["backup", "create", "backups", "--store", "first"]);
    let pruned = world.ok(["backup", "prune", "backups", "--keep", "1", "-o", "jsonl"]);
    assert_eq!((field(&pruned, "kept"), field(&pruned, "removed")), (1, 2));
    world.ok(["backup", "restore", "backups", "last"]);
    assert_eq!(
        export(&world, "last"),
        export(&world, "first").lines().take(51).fold(String::new(), |all, line| all + line + "\n")
    );
}

#[test]
fn what_can_not_be_done_is_said() {
    let world = World::with_commits(5);
    world.ok(["backup", "create", "backups"]);
    world.ok(["set", "a", "k", "v", "--store", "other"]);
    let check = |args: &[&str], code, says: &str| {
        let ran = world.run(args);
        assert_eq!(ran.code, Some(code), "{args:?}: {ran:?}");
        assert!(ran.stderr.contains(says), "{args:?}: {}", ran.stderr);
    };
    check(&["backup", "create", "backups", "--store", "other"], 2, "name another directory");
    check(&["backup", "create", ".milepost"], 2, "inside the store");
    check(&["backup", "create", "./.milepost/b"], 2, "inside the store");
    let absolute = world.store().join("b");
    check(&["backup", "create", absolute.to_str().unwrap()], 2, "inside the store");
    // Nothing is made in a store, be it the one that is read, nor among backups.
    for into in [".milepost/new", ".milepost/log/new", "./other/../.milepost/new"] {
        check(&["salvage", into], 2, "which holds a store; name a directory outside of it");
        check(&["backup", "restore", "backups", into], 2, "which holds a store");
    }
    check(&["backup", "restore", "backups", "backups/new"], 2, "which holds backups");
    check(&["import", "-", "--store", ".milepost/new"], 2, "which holds a store");
    fs::rename(world.store().join("MANIFEST"), world.dir().join("MANIFEST")).unwrap();
    check(&["salvage", ".milepost/new"], 2, "which holds a store");
    fs::rename(world.dir().join("MANIFEST"), world.store().join("MANIFEST")).unwrap();
    assert_eq!(world.verify().code, Some(0));
    check(&["backup", "create", "other"], 2, "holds no backups");
    check(&["backup", "list", "other"], 2, "holds no backups");
    check(&["backup", "list", "nowhere"], 2, "it is not there");
    check(&["backup", "restore", "backups", "other"], 2, "is not empty");
    check(&["backup", "restore", "backups", "new", "--at", "9"], 1, "goes from 1 to 5");
    let early = "no backup there reaches back to 2001-01-01T00:00:00Z; the first commit of the last one is 1 (2";
    check(&["backup", "restore", "backups", "new", "--at", "2001-01-01T00:00:00Z"], 1, early);
    // What was never a store is not damaged.
    fs::create_dir(world.dir().join("empty")).unwrap();
    check(&["salvage", "salvaged", "--store", "empty"], 2, "there is no store at");
    check(&["salvage", "salvaged", "--store", "backups"], 2, "is not a store");
    check(&["backup", "restore", "backups", "new", "--backup", "9"], 2, "there is no backup 9");
    check(&["backup", "prune", "backups", "--keep", "0"], 2, "0");
    check(&["backup", "verify", "backups", "--backup", "9"], 2, "there is no backup 9");
    assert!(!world.dir().join("new").exists());
    damage(world.dir(), "backups/pieces");
    check(&["backup", "restore", "backups", "new"], 4, "pieces");
    let ran = world.run(["backup", "verify", "backups"]);
    assert_eq!(ran.code, Some(4));
    assert!(ran.text().contains("can't be restored"), "{ran:?}");
    // What a failed restore left is no store, and is taken over by the next one.
    let ran = world.run(["get", "a/b", "k1", "--store", "new"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("not finished; run that again"), "{ran:?}");
    assert_eq!(world.run(["set", "a/b", "k1", "x", "--store", "new"]).code, Some(2));
    assert_eq!(world.run(["verify", "--store", "new"]).code, Some(2));
}

/// Flips a bit in the middle of the first file of a directory.
fn damage(dir: &Path, below: &str) {
    let path: PathBuf = fs::read_dir(dir.join(below)).unwrap().next().unwrap().unwrap().path();
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, bytes).unwrap();
}

/// Every kind of event, and all that a commit carries.
const SCRIPT: &[&str] = &[
    "set task/a k 1 --writer ann --attempt 2",
    "set task/a k 2 --idempotency-key once --fence 7",
    "delete task/a k",
    "set task/a kept 3",
    "checkpoint create task/a begin --note 'a note, \"quoted\"'",
    "checkpoint create task/a end",
    "checkpoint release task/a end",
    "fork task/a task/b --at checkpoint:begin",
    "set task/b k 3 --expires-in 1000d",
    "restore task/a --at 2",
    "clear task/b",
    "clear task --prefix",
    "watermark advance asset/x day 2026-11-24T00:00:00Z",
];

#[test]
fn an_import_is_the_same_history_to_the_byte() {
    let world = World::new();
    for command in SCRIPT {
        let ran = world.run(super::world::words(command));
        assert_eq!(ran.code, Some(0), "{command}: {ran:?}");
    }
    let bytes = r#"{"events":[{"event":"set","scope":"task/c","key":"k","value_base64":"/w=="}]}"#;
    assert_eq!(world.feed(["append"], bytes.as_bytes()).code, Some(0));
    let exported = export(&world, ".milepost");
    for kind in ["set", "delete", "clear", "clear_prefix", "checkpoint", "release", "fork"] {
        assert!(exported.contains(&format!(r#""event":"{kind}""#)), "no {kind}: {exported}");
    }
    for field in
        ["writer", "attempt", "idempotency_key", "fences", "note", "expires_at", "content_type", "value_base64"]
    {
        assert!(exported.contains(&format!(r#""{field}":"#)), "no {field}: {exported}");
    }
    fs::write(world.dir().join("commits.jsonl"), &exported).unwrap();
    let last = world.ok(["import", "commits.jsonl", "--store", "copy", "-o", "jsonl"]);
    assert_eq!(field(&last, "seq"), exported.lines().count() as u64);
    assert_eq!(export(&world, "copy"), exported);
    assert!(world.ok(["verify", "--store", "copy"]).starts_with("clean"));
    for command in [["log", "task"], ["scan", "asset"], ["checkpoint", "list"]] {
        let of = |store: &str| world.ok(command.iter().copied().chain(["--store", store]));
        assert_eq!(of("copy"), of(".milepost"), "{command:?}");
    }
    // The idempotency key still answers with the first outcome, and the token is still the highest.
    let again = ["set", "task/a", "k", "2", "--idempotency-key", "once", "--fence", "7", "--store", "copy"];
    assert_eq!(world.ok(again).lines().next_back().unwrap().split_whitespace().next(), Some("2"));
    assert_eq!(world.run(["set", "task/a", "k", "9", "--fence", "6", "--store", "copy"]).code, Some(1));
    world.ok(["set", "task/a", "k", "9", "--store", "copy"]);
}

/// An export that ends with an error in the middle, behind a pipe whose first exit code nobody asks for, became a store
/// that was whole by all that it said.
#[test]
fn an_import_of_what_was_cut_short_is_refused() {
    let world = World::with_commits(4);
    let whole = export(&world, ".milepost");
    assert!(whole.ends_with(",\"last\":true}\n") && whole.matches("\"last\"").count() == 1, "{whole}");
    let rows: Vec<&str> = whole.lines().collect();
    let feed =
        |lines: &str, more: &[&str]| world.feed([&["import", "-", "--store", "new"], more].concat(), lines.as_bytes());
    for cut in ["".to_owned(), rows[0].to_owned(), rows[..3].join("\n"), whole.replace(",\"last\":true", "")] {
        let ran = feed(&cut, &[]);
        assert_eq!((ran.code, ran.stdout.len()), (Some(2), 0), "{ran:?}");
        assert!(ran.stderr.contains("standard input does not end with the last line of an export"), "{ran:?}");
        assert_eq!(world.run(["scan", "a", "--store", "new"]).code, Some(2), "nothing can be opened there");
    }
    let ran = feed(&[&whole, rows[0]].concat(), &[]);
    assert!(ran.stderr.contains("line 5 of standard input: last: the line before was the last one"), "{ran:?}");
    let ran = feed(&rows[..3].join("\n"), &["--incomplete"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(export(&world, "new").lines().count(), 3);
}

#[test]
fn a_bad_import_is_named_and_can_be_run_again() {
    let world = World::with_commits(4);
    let good = export(&world, ".milepost");
    let rows: Vec<&str> = good.lines().collect();
    let joined = |rows: &[&str]| rows.join("\n");
    let cases = [
        (joined(&[rows[0], rows[2]]), "line 2 of standard input: commit 3", 2),
        (joined(&[rows[0], rows[0]]), "line 2 of standard input", 2),
        (joined(&[rows[1]]), "line 1 of standard input", 2),
        (joined(&[rows[0], &rows[1].replace(&rows[1][8..44], &rows[0][8..44])]), "line 2 of standard input", 2),
        (joined(&[rows[0], "{\"events\":[]}"]), "line 2 of standard input: seq: it is missing", 2),
        (joined(&[&rows[0].replace("\"at\"", "\"when\"")]), "unknown field `when`", 2),
        (
            joined(&[&rows[0].replace(
                "\"events\"",
                "\"require\":[{\"condition\":\"scope_at\",\"scope\":\"a\",\"seq\":0}],\"events\"",
            )]),
            "require",
            2,
        ),
        (joined(&[&"[".repeat(100_000)]), "line 1 of standard input", 2),
        (joined(&[rows[0], &fork(rows[1], "task/x", "task/x", 1)]), "as itself", 2),
        (joined(&[rows[0], &fork(rows[1], "task/x", "a/b", 7)]), "there is no such commit yet", 1),
    ];
    for (input, says, code) in cases {
        let ran = world.feed(["import", "-", "--store", "new", "--incomplete"], input.as_bytes());
        assert!(ran.code == Some(code) && ran.stderr.contains(says), "{says}: {ran:?}");
        assert_eq!(world.run(["scan", "a", "--store", "new"]).code, Some(2));
    }
    let ran = world.feed(["import", "-", "--store", "new"], good.as_bytes());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(export(&world, "new"), good);
    let ran = world.feed(["import", "-", "--store", "new"], good.as_bytes());
    assert!(ran.code == Some(2) && ran.stderr.contains("is not empty"), "{ran:?}");
    let ran = world.run(["import", "nowhere.jsonl", "--store", "newer"]);
    assert!(ran.code == Some(2) && ran.stderr.contains("nowhere.jsonl"), "{ran:?}");
    assert!(!world.dir().join("newer").exists());
    if !cfg!(feature = "parquet") {
        let ran = world.run(["export", "--format", "parquet"]);
        assert!(ran.code == Some(2) && ran.stderr.contains("--features parquet"), "{ran:?}");
    }
}

/// A line with a fork in place of its events.
fn fork(row: &str, scope: &str, origin: &str, point: u64) -> String {
    let begin = row.find("\"events\"").unwrap();
    format!(r#"{}"events":[{{"event":"fork","scope":"{scope}","origin":"{origin}","point":{point}}}]}}"#, &row[..begin])
}

#[test]
fn a_salvage_says_what_is_lost() {
    let world = World::with_commits(8);
    let exported = export(&world, ".milepost");
    assert_eq!(world.run(["salvage", "whole"]).code, Some(0));
    assert_eq!(export(&world, "whole"), exported);
    let path = world.store().join("log/0000000001.seg");
    let mut bytes = fs::read(&path).unwrap();
    bytes[64 + 40 + 10] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let verified = world.verify();
    assert_eq!(verified.code, Some(4));
    let refused = world.run(["set", "a", "k", "v"]);
    assert!(refused.code == Some(4) && refused.stderr.contains("milepost salvage"), "{refused:?}");
    let ran = world.run(["salvage", "salvaged", "--json"]);
    assert_eq!(ran.code, Some(11), "{ran:?}");
    let report: serde_json::Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!(
        (&report["lost_count"], &report["lost"][0]["first"], &report["commits"]),
        (&1.into(), &1.into(), &7.into())
    );
    assert_eq!(report["lost"][0]["place"]["offset"], 64);
    assert_eq!(fs::read(&path).unwrap(), bytes, "the damaged store is only read");
    assert_eq!(fs::read_dir(world.dir().join("salvaged/quarantine")).unwrap().count(), 1);
    let kept: Vec<String> = export(&world, "salvaged").lines().map(str::to_owned).collect();
    assert!(kept[0].contains("$/lost") && kept[1..] == exported.lines().skip(1).collect::<Vec<_>>()[..]);
    assert_eq!(world.ok(["log", "$/lost", "--store", "salvaged", "-o", "jsonl"]).lines().count(), 1);
    assert!(world.ok(["verify", "--store", "salvaged"]).starts_with("clean"));
    world.ok(["set", "a", "k", "v", "--store", "salvaged"]);
    let text = world.run(["salvage", "again"]);
    assert!(text.text().contains("lost: seq 1: ") && text.code == Some(11), "{text:?}");
    // Without MANIFEST, and with it again.
    fs::remove_file(world.store().join("MANIFEST")).unwrap();
    let refused = world.run(["get", "a/b", "k2"]);
    assert!(refused.code == Some(4) && refused.stderr.contains("milepost salvage"), "{refused:?}");
    assert_eq!(world.run(["salvage", "third"]).code, Some(11));
    // What was lost may have been a policy, and MANIFEST alone said from where on the past can be read.
    let third = export(&world, "third");
    let (closed, commits) = third.split_once('\n').unwrap();
    assert!(closed.starts_with(r#"{"horizon":{"prefix":"","seq":8,"#), "{closed}");
    assert_eq!(commits, export(&world, "again"));
}
