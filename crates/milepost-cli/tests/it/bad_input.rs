//! What is refused, how, and with which exit code. Nothing is appended, and no store is made.

use std::{
    ffi::{OsStr, OsString},
    fs,
    io::{BufRead, BufReader, Write},
    os::unix::{
        ffi::OsStrExt,
        fs::{MetadataExt, OpenOptionsExt, PermissionsExt, symlink},
    },
    process::Command,
};

use milepost::Store;
use rustix::fs::OFlags;

use super::world::{World, finish, line, skipped};

/// Runs a command that must be refused, in an empty directory: nothing may be there afterwards.
fn refused(args: &[&OsStr], code: i32, says: &str) {
    let world = World::new();
    let ran = world.run(args);
    assert_eq!(ran.code, Some(code), "{args:?}: {ran:?}");
    assert!(ran.stdout.is_empty(), "{args:?}: {ran:?}");
    assert!(ran.stderr.contains(says), "{args:?}: {:?} does not say {says:?}", ran.stderr);
    assert!(ran.stderr.chars().all(|c| c == '\n' || !c.is_control()), "{args:?}: {:?}", ran.stderr);
    assert!(!world.store().exists(), "{args:?} made a store");
}

#[test]
fn names_and_values() {
    let long = "x".repeat(1025);
    let deep = ["s"; 33].join("/");
    for (args, says) in [
        (&["set", "", "k", "1"][..], "SCOPE: scope has 0 bytes, allowed are 1 to 1024"),
        (&["set", &long, "k", "1"], "SCOPE: scope has 1025 bytes, allowed are 1 to 1024"),
        (&["set", &deep, "k", "1"], "SCOPE: scope has 33 segments, allowed are 1 to 32"),
        (&["set", "a//b", "k", "1"], "segment 2 of scope \"a//b\" is empty"),
        (&["set", "/a", "k", "1"], "segment 1"),
        (&["set", "a/", "k", "1"], "segment 2"),
        (&["set", "a/../b", "k", "1"], "segment 2 of scope \"a/../b\" is \"..\""),
        (&["set", ".", "k", "1"], "segment 1"),
        (&["set", "$/x", "k", "1"], "reserved root $"),
        (&["set", "\u{1b}[31m//x", "k", "1"], "\\u{1b}[31m//x"),
        (&["set", "a", "", "1"], "KEY: key has 0 bytes, allowed are 1 to 1024"),
        (&["set", "a", &long, "1"], "KEY: key has 1025 bytes"),
        (&["set", "a", "k", "1", "--writer", ""], "--writer: writer has 0 bytes, allowed are 1 to 256"),
        (
            &["set", "a", "k", "1", "--content-type", "ä"],
            "--content-type: content type has 2 characters outside visible ASCII",
        ),
        (&["set", "a", "k", "1", "--expires-in", "0s"], "not a positive duration"),
        (&["set", "a", "k", "1", "--expires-in", "-1s"], "no duration"),
        (&["set", "a", "k", "1", "--expires-in", "60"], "no duration"),
        (&["set", "a", "k", "1", "--expires-at", "2020-01-01"], "has passed"),
        (&["set", "a", "k", "1", "--expires-at", "17"], "is a seq; a time is needed"),
        (
            &["set", "a", "k", "1", "--if-version", "x"],
            "'x' for '--if-version <SEQ>': write a whole number from 0 to 18",
        ),
        (&["set", "a", "k", "1", "--attempt", "4294967296"], "write a whole number from 0 to 4294967295"),
        (&["man", "nodir"], "DIR: there is no directory nodir; make it first"),
        (&["set", "a", "k", "1", "--if-absent", "--if-version", "1"], "cannot be used with"),
        (&["set", "a", "k", "1", "--idempotency-key", ""], "--idempotency-key: idempotency key has 0 bytes"),
        (&["set", "a", "k", "1", "--fence", "9007199254740992"], "the highest is 9007199254740990"),
        (&["clear", "--prefix", "a", "--fence", "1"], "--fence: a token claims one scope"),
        (&["set", "a", "k", "1", "2"], "unexpected argument '2'"),
        (&["set", "a"], "required"),
        (&["set", "a", "k", "1", "-o", "\u{1b}[2J\u{7}"], "possible values: table, jsonl, csv"),
        (&["sett", "a", "k", "1"], "set"),
        (&[], "Usage"),
        (&["clear", "a//b"], "SCOPE: segment 2"),
        (&["clear", "--prefix", "a//b"], "PREFIX: segment 2"),
        (&["clear", "--prefix", ""], "PREFIX: it is empty, which would clear every scope"),
        (&["delete", "a", ""], "KEY: key has 0 bytes"),
        (&["get", "a", "k", "--at", "soon"], "\"soon\" names no moment"),
    ] {
        let args: Vec<_> = args.iter().map(OsStr::new).collect();
        // `get` looks for its store before it reads the moment.
        let says = if args.first() == Some(&OsStr::new("get")) { "there is no store" } else { says };
        refused(&args, 2, says);
    }
}

#[test]
fn moments_are_told_where_there_is_a_store() {
    let world = World::with_commits(1);
    for (at, says) in [
        ("soon", "names no moment"),
        ("18446744073709551616", "is no seq"),
        ("10 minutes", "\"10 minutes ago\""),
        ("-1", "\"-1\" names no moment; write a seq (17)"),
    ] {
        let ran = world.run(["get", "a/b", "k1", "--at", at]);
        assert_eq!(ran.code, Some(2), "{ran:?}");
        assert!(ran.stderr.contains("--at: ") && ran.stderr.contains(says), "{ran:?}");
    }
}

/// It was answered with what is there now: at one in the morning, 03:12 is still to come, and yesterday's was meant.
#[test]
fn a_moment_that_is_still_to_come() {
    let world = World::with_commits(2);
    for args in [
        &["get", "a/b", "k1", "--at", "in 2 hours"][..],
        &["scan", "--at", "in 2 hours"],
        &["export", "--at", "in 2 hours"],
        &["diff", "a/b", "--from", "in 2 hours"],
        &["diff", "a/b", "--from", "1", "--to", "in 2 hours"],
        &["restore", "a/b", "--at", "in 2 hours"],
        &["restore", "a/b", "--at", "in 2 hours", "--dry-run"],
        &["fork", "a/b", "c", "--at", "in 2 hours"],
        &["replay", "--from", "in 2 hours"],
        &["log", "--since", "in 2 hours"],
        &["watch", "--from", "in 2 hours"],
    ] {
        let ran = world.run(args);
        assert_eq!((ran.code, ran.stdout.len()), (Some(1), 0), "{args:?}: {ran:?}");
        assert!(ran.stderr.contains("is still to come; write now for the newest state"), "{args:?}: {ran:?}");
    }
    world.ok(["backup", "create", "backups"]);
    let ran = world.run(["backup", "restore", "backups", "restored", "--at", "in 2 hours"]);
    assert!(ran.code == Some(1) && ran.stderr.contains("is still to come"), "{ran:?}");
    assert!(!world.dir().join("restored").exists());
    assert!(world.verify().text().contains("2 commits"), "something was appended");
    assert_eq!(world.ok(["get", "a/b", "k1", "--at", "0s ago"]), "1");
}

/// What a store has is past, also where its clock was ahead.
#[test]
fn the_newest_moment_of_a_store_whose_clock_was_ahead() {
    let world = World::with_commits(1);
    let exported = world.ok(["export"]);
    let (before, time) = exported.split_once(r#""at":""#).unwrap();
    let (_, after) = time.split_once('"').unwrap();
    let ahead = format!(r#"{before}"at":"2500-01-01T00:00:00.000000Z"{after}"#);
    let ran = world.feed(["import", "-", "--store", "ahead"], ahead.as_bytes());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(world.ok(["--store", "ahead", "get", "a/b", "k1", "--at", "2500-01-01T00:00:00Z"]), "1");
    assert_eq!(world.run(["--store", "ahead", "get", "a/b", "k1", "--at", "2500-01-01T00:00:01Z"]).code, Some(1));
}

/// It was answered with nothing, as if nothing had happened.
#[test]
fn an_end_before_the_beginning() {
    let world = World::with_commits(3);
    for (since, until) in [("3", "2"), ("1 minute ago", "2 minutes ago")] {
        let ran = world.run(["log", "--since", since, "--until", until]);
        assert_eq!((ran.code, ran.stdout.len()), (Some(2), 0), "{ran:?}");
        assert!(ran.stderr.contains("--since: it is later than --until"), "{ran:?}");
    }
    assert_eq!(world.ok(["log", "--since", "2", "--until", "2"]).lines().count(), 2, "a row, and what its columns are");
}

#[test]
fn names_that_are_not_utf8() {
    let bad = OsStr::from_bytes(b"a\xffb");
    let [set, get, scope, key] = ["set", "get", "a", "k"].map(OsStr::new);
    refused(&[set, bad, key, key], 2, "SCOPE: scope is not UTF-8 from byte 1 on");
    refused(&[set, scope, bad, key], 2, "KEY: key is not UTF-8 from byte 1 on");
    refused(&[get, scope, bad], 2, "KEY: key is not UTF-8");
    let world = World::new();
    let ran = world.run([set, scope, key, bad]);
    assert_eq!(ran.code, Some(0), "a value is bytes: {ran:?}");
    assert_eq!(world.run([get, scope, key]).stdout, b"a\xffb");
}

#[test]
fn a_value_of_too_many_bytes() {
    let world = World::new();
    let most = 16 << 20;
    let ran = world.feed(["set", "a", "k"], &vec![b'x'; most + 1]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("VALUE: it has more than 16777216 bytes, the most; keep it in a file"),
        "{}",
        ran.stderr
    );
    assert!(!world.store().exists());
    assert_eq!(world.feed(["set", "a", "k"], &vec![b'x'; most]).code, Some(0));
    assert_eq!(world.run(["get", "a", "k"]).stdout.len(), most);
}

/// Directories that are no store, and what is said about each.
#[test]
fn places_that_are_no_store() {
    let world = World::new();
    fs::write(world.dir().join("file"), "x").unwrap();
    fs::create_dir(world.dir().join("empty")).unwrap();
    fs::create_dir(world.dir().join("photos")).unwrap();
    fs::write(world.dir().join("photos/cat.jpg"), "x").unwrap();
    for (store, says) in [
        ("missing", "there is no store at missing"),
        ("empty", "there is no store at empty"),
        ("photos", "photos is not a store"),
    ] {
        for args in
            [&["get", "a", "k"][..], &["scan"], &["log"], &["replay"], &["export"], &["verify"], &["stats"], &["watch"]]
        {
            let ran = world.run([&["--store", store], args].concat());
            assert_eq!((ran.code, ran.stdout.len()), (Some(2), 0), "{args:?} of {store}: {ran:?}");
            assert!(ran.stderr.contains(says), "{args:?} of {store}: {ran:?}");
        }
    }
    let ran = world.run(["--store", "photos", "set", "a", "k", "1"]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.stderr.contains("cat.jpg"), "{ran:?}");
    assert_eq!(fs::read_dir(world.dir().join("photos")).unwrap().count(), 1, "something was written among the photos");
    let ran = world.run(["--store", "file", "set", "a", "k", "1"]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.stderr.contains("file is not a store: it is a file; name a store"), "{ran:?}");
    assert!(world.run(["scan"]).stderr.contains("no .milepost in"));
    // Set to nothing, the variable names no store; it was an option without a value once, which nobody had given.
    let empty = finish(world.command(["scan"]).env("MILEPOST_STORE", "").spawn().unwrap(), b"");
    assert!(empty.stderr.contains("no .milepost in"), "{empty:?}");
}

/// A file of the store carries a newer version: refused with both versions named, nothing written.
#[test]
fn a_store_of_a_newer_version() {
    let world = World::with_commits(3);
    // An index of so little is in memory alone.
    let events = (0..20_000).map(|n| format!(r#"{{"event":"set","scope":"a/c","key":"key {n}","value":"{n}"}}"#));
    let many = format!(r#"{{"events":[{}]}}"#, events.collect::<Vec<_>>().join(","));
    let ran = finish(world.command(["append"]).spawn().unwrap(), many.as_bytes());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let first_of = |dir: &str| fs::read_dir(world.store().join(dir)).unwrap().next().unwrap().unwrap().path();
    // Where the version stands in each kind of file, and the checksum over the header up to it.
    let of_store = (world.store().join("MANIFEST"), 8, 20);
    for (file, version_at, crc_at) in [of_store, (first_of("log"), 8, 60), (first_of("index"), 8, 60)] {
        let whole = fs::read(&file).unwrap();
        let mut newer = whole.clone();
        assert_eq!(newer[version_at], 1, "the version stands elsewhere in {}", file.display());
        newer[version_at] = 2;
        let crc = crc32fast::hash(&newer[..crc_at]);
        newer[crc_at..crc_at + 4].copy_from_slice(&crc.to_le_bytes());
        fs::write(&file, &newer).unwrap();
        for args in [&["get", "a/b", "k1"][..], &["set", "a", "k", "1"], &["verify"]] {
            let ran = world.run(args);
            assert_eq!(ran.code, Some(8), "{args:?} with {}: {ran:?}", file.display());
            assert!(ran.stderr.contains("has format version 2, this program reads up to 1; upgrade"), "{ran:?}");
        }
        // It read the commits of a newer segment as if they were of this format, and said that nothing was lost. A run
        // it does not need.
        let ran = world.run(["salvage", "salvaged"]);
        let is_run = file.extension().is_some_and(|extension| extension == "run");
        assert_eq!(ran.code, Some(if is_run { 0 } else { 8 }), "{}: {ran:?}", file.display());
        assert_eq!(world.dir().join("salvaged").exists(), is_run, "{}", file.display());
        assert_eq!(fs::read(&file).unwrap(), newer, "something was written");
        fs::write(&file, &whole).unwrap();
    }
    assert_eq!(world.ok(["get", "a/b", "k1"]), "1");
}

/// Stray files are left alone and listed; a store behind a symbolic link is the same store.
#[test]
fn strays_and_links() {
    let world = World::with_commits(3);
    fs::write(world.store().join("log/notes.txt"), "mine").unwrap();
    let ran = world.verify();
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.text().contains("notes.txt"), "{ran:?}");
    world.ok(["set", "a", "k", "1"]);
    assert_eq!(fs::read_to_string(world.store().join("log/notes.txt")).unwrap(), "mine");
    symlink(world.store(), world.dir().join("link")).unwrap();
    assert_eq!(world.ok(["--store", "link", "get", "a", "k"]), "1");
    world.ok(["--store", "link", "set", "a", "k", "2"]);
    assert_eq!(world.ok(["get", "a", "k"]), "2");
}

/// Held by another process: writers are told who, readers go on, and a kill frees it at once.
#[test]
fn a_store_that_is_held() {
    let world = World::new();
    let mut holder = world.command(["append"]).spawn().unwrap();
    let (mut stdin, mut stdout) = (holder.stdin.take().unwrap(), BufReader::new(holder.stdout.take().unwrap()));
    writeln!(stdin, "{}", line(1)).unwrap();
    stdout.read_line(&mut String::new()).unwrap();
    for round in 0..2 {
        // All at once: each waits for about a second.
        let commands = [&["set", "a", "k", "1"][..], &["append"], &["clear", "a"]];
        let waiting: Vec<_> = commands.iter().map(|args| (args, world.command(*args).spawn().unwrap())).collect();
        for (args, waiting) in waiting {
            let ran = finish(waiting, b"");
            assert_eq!((ran.code, ran.stdout.len()), (Some(5), 0), "{args:?}: {ran:?}");
            assert!(ran.stderr.contains(&format!("process {}", holder.id())) || round > 0, "{args:?}: {ran:?}");
        }
        // Whoever removes the file does not free the lock.
        let _ = fs::remove_file(world.store().join("LOCK"));
    }
    assert_eq!(world.ok(["get", "a/b", "k1"]), "1");
    assert_eq!(world.verify().code, Some(0));
    holder.kill().unwrap();
    holder.wait().unwrap();
    world.ok(["set", "a", "k", "1"]);
}

/// A killed `each` leaves its lock for a moment to a child that has not come to its exec: whoever came in this moment
/// was told that the store is in use, by a process that was gone. Only `each` itself waited.
///
/// A writer that finds the lock held reads who holds it. LOCK is a pipe here, so that this read can be waited for:
/// only then the lock is let go.
#[test]
fn a_holder_that_is_just_going_is_waited_for() {
    let world = World::with_commits(1);
    let lock = world.store().join("LOCK");
    fs::remove_file(&lock).unwrap();
    assert!(Command::new("mkfifo").arg(&lock).status().unwrap().success());
    let one = line(1);
    for (args, input) in [
        (&["set", "a", "k", "1"][..], ""),
        (&["delete", "a", "k"], ""),
        (&["clear", "a"], ""),
        (&["append"], &*one),
        (&["each", "--job", "j", "--", "true"], "x"),
    ] {
        let holder = Store::open(world.store()).unwrap();
        let mut waiting = world.command(args).spawn().unwrap();
        let looked = loop {
            let mut options = fs::File::options();
            // Opens only once there is a reader.
            match options.write(true).custom_flags(OFlags::NONBLOCK.bits() as i32).open(&lock) {
                Ok(writer) => break writer,
                Err(_) => assert!(waiting.try_wait().unwrap().is_none(), "{args:?} did not look who holds the store"),
            }
        };
        holder.close().unwrap();
        drop((holder, looked));
        let ran = finish(waiting, input.as_bytes());
        assert_eq!(ran.code, Some(0), "{args:?}: {ran:?}");
    }
}

/// Another user's store, and one on a place that can only be read. Root may do all, so the user is changed.
#[test]
fn a_store_of_another_user() {
    let world = World::with_commits(3);
    let is_root = fs::metadata(world.store()).unwrap().uid() == 0;
    if !is_root {
        skipped("a_store_of_another_user", "only root can become another user");
        return;
    }
    fs::set_permissions(world.dir(), fs::Permissions::from_mode(0o755)).unwrap();
    let as_nobody = |args: &[&str]| {
        let mut command = Command::new("setpriv");
        super::world::clean(&mut command, world.dir());
        command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]);
        command.arg(env!("CARGO_BIN_EXE_milepost")).args(args);
        finish(command.spawn().unwrap(), b"")
    };
    if as_nobody(&["--version"]).code != Some(0) {
        skipped("a_store_of_another_user", &format!("another user can't run {}", env!("CARGO_BIN_EXE_milepost")));
        return;
    }
    assert_eq!(as_nobody(&["get", "a/b", "k1"]).text(), "1", "reading needs no right to write");
    assert_eq!(as_nobody(&["verify"]).code, Some(0));
    let ran = as_nobody(&["set", "a", "k", "1"]);
    assert_eq!((ran.code, ran.stdout.len()), (Some(8), 0), "{ran:?}");
    assert!(ran.stderr.contains("no permission to write ") && ran.stderr.contains(".milepost/"), "{ran:?}");
    assert!(ran.stderr.contains("or name a store where this user may write"), "{ran:?}");
    let ran = as_nobody(&["--store", "new", "set", "a", "k", "1"]);
    assert_eq!((ran.code, ran.stdout.len()), (Some(8), 0), "{ran:?}");
    assert!(ran.stderr.contains("no permission to write new (Permission denied"), "{ran:?}");
    fs::set_permissions(world.store(), fs::Permissions::from_mode(0o700)).unwrap();
    let ran = as_nobody(&["get", "a/b", "k1"]);
    assert_eq!((ran.code, ran.stdout.len()), (Some(8), 0), "{ran:?}");
    assert!(ran.stderr.contains("no permission to read "), "{ran:?}");
    assert!(ran.stderr.contains("have the owner let this user read it"), "{ran:?}");
}

/// Odd scopes and keys go in and come out as they are (arguments are bytes), next to all that look like them.
#[test]
fn odd_names_round_trip() {
    let world = World::new();
    let names =
        ["é", "e\u{301}", "\u{202e}txt", "a\nb", "\u{1b}[31m", " ", "=cmd()", "%2F", "\\", "-leading", "..x", "~", "*"];
    for name in names {
        let args: Vec<OsString> = ["set", "--", name, name, name].map(OsString::from).into();
        assert_eq!(world.run(&args).code, Some(0), "{name:?}");
    }
    for name in names {
        assert_eq!(world.ok(["get", "--", name, name]), name);
    }
    assert_eq!(world.ok(["scan", "-o", "jsonl"]).lines().count(), names.len());
    assert_eq!(world.ok(["scan"]).lines().count(), names.len() + 1, "a name breaks the table");
}
