//! System calls that fail under the real binary, made by `strace -e inject`. Skipped, loudly, where strace can't trace.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    process::Command,
    time::{Duration, Instant},
};

use milepost::{Scope, Store};

use super::world::{Ran, World, clean, finish, line, lines, skipped};

/// Whether strace is there and may trace. If not, says so.
pub(crate) fn can_trace(test: &str) -> bool {
    let traced =
        Command::new("strace").args(["-f", "-o", "/dev/null", "-e", "inject=getppid:error=EIO", "true"]).output();
    let can = traced.is_ok_and(|output| output.status.success());
    if !can {
        skipped(test, "strace is missing or may not trace");
    }
    can
}

/// The binary under strace. `calls` are traced, and written to the file `trace`.
fn traced(world: &World, calls: &str, inject: &str, args: &[&str]) -> Command {
    let mut command = Command::new("strace");
    clean(&mut command, world.dir());
    command.args(["-f", "-qq", "-o", "trace", "-e", &format!("trace={calls}")]);
    if !inject.is_empty() {
        command.args(["-e", &format!("inject={inject}")]);
    }
    command.arg(env!("CARGO_BIN_EXE_milepost")).args(args);
    command
}

pub(crate) fn run(world: &World, calls: &str, inject: &str, args: &[&str], input: &[u8]) -> Ran {
    finish(traced(world, calls, inject, args).spawn().unwrap(), input)
}

/// The lines of the last trace.
pub(crate) fn trace(world: &World) -> Vec<String> {
    fs::read_to_string(world.dir().join("trace")).unwrap().lines().map(str::to_owned).collect()
}

/// What must hold after any fault: what was told is there and right, nothing is damaged, and the store goes on.
fn check_after(world: &World, told: u64, context: &str) {
    if !world.store().join("MANIFEST").exists() {
        assert_eq!(told, 0, "{context}: commits were told, and there is no store");
    } else {
        let verified = world.verify();
        assert!(matches!(verified.code, Some(0 | 3)), "{context}: {verified:?}");
    }
    let ran = world.run(["set", "after", "k", "1"]);
    assert_eq!(ran.code, Some(0), "{context}: the store does not go on: {ran:?}");
    let seq: u64 = ran.text().trim_end().parse().unwrap();
    assert!(seq > told, "{context}: {told} were told, the next is {seq}");
    let (store, scope) = (Store::read_only(world.store()).unwrap(), Scope::parse("a/b").unwrap());
    for n in 1..seq {
        let value = store.get(&scope, &format!("k{n}")).unwrap().unwrap_or_else(|| panic!("{context}: k{n} is gone"));
        assert_eq!(&*value, n.to_string().as_bytes(), "{context}");
    }
    assert_eq!(world.verify().code, Some(0), "{context}");
}

fn last_told(ran: &Ran) -> u64 {
    ran.text().lines().last().map_or(0, |line| line.parse().unwrap())
}

/// A sync that fails once and would say OK the next time: the outcome is called unknown, the sync is not tried again on
/// that file, and opening again tells the truth.
#[test]
fn a_failed_sync_is_final() {
    if !can_trace("a_failed_sync_is_final") {
        return;
    }
    let mut failures = 0;
    for error in ["EIO", "ENOSPC", "EINTR"] {
        for nth in 1.. {
            let world = World::with_commits(3);
            let input = (4..10).map(|n| line(n) + "\n").collect::<String>();
            let ran =
                run(&world, "fdatasync", &format!("fdatasync:error={error}:when={nth}"), &["append"], input.as_bytes());
            let calls = trace(&world);
            let Some(failed) = calls.iter().position(|call| call.contains("(INJECTED)")) else {
                assert_eq!(ran.code, Some(0), "without a fault: {ran:?}");
                break;
            };
            failures += 1;
            let context = format!("{error} at fdatasync {nth}: {ran:?}");
            assert!(matches!(ran.code, Some(7 | 8)), "{context}");
            assert!(ran.stderr.starts_with("milepost: ") && !ran.stderr.contains("panicked"), "{context}");
            let file =
                |call: &str| call.split("fdatasync(").nth(1).map(|rest| rest.split(')').next().unwrap().to_owned());
            let again = calls[failed + 1..].iter().any(|call| file(call) == file(&calls[failed]));
            assert!(!again, "{context}: the sync was tried again: {calls:?}");
            check_after(&world, last_told(&ran).max(3), &context);
            assert!(nth < 50, "the fault never stops being hit");
        }
    }
    assert!(failures >= 6, "only {failures} syncs were failed");
}

/// Every system call that touches files, one at a time, each with several errors and a kill: of a run that makes a
/// store, commits to it and closes it, and of one that opens it again.
#[test]
fn every_call_may_fail_once() {
    if !can_trace("every_call_may_fail_once") {
        return;
    }
    let calls = "openat,pwrite64,ftruncate,fdatasync,fsync,rename,renameat,renameat2,mkdir,flock,unlink,unlinkat,pread64,fstatfs,getdents64";
    let input = (1..4).map(|n| line(n) + "\n").collect::<String>();
    for prepared in [0, 3] {
        let world = World::new();
        prepare(&world, prepared);
        let ran = run(&world, calls, "", &["append"], input.as_bytes());
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let mut faults = Vec::new();
        for (name, nth) in own_calls(&trace(&world)) {
            for fault in ["error=EIO", "error=ENOSPC", "error=EINTR", "signal=SIGKILL"] {
                faults.push((format!("{name}:{fault}:when={nth}"), fault));
            }
        }
        assert!(faults.len() > 40, "only {} faults are tried", faults.len());
        std::thread::scope(|threads| {
            for some in faults.chunks(faults.len().div_ceil(2)) {
                threads.spawn(|| some.iter().for_each(|(inject, fault)| fail_one(prepared, calls, inject, fault)));
            }
        });
    }
}

fn prepare(world: &World, commits: u64) {
    if commits > 0 {
        assert_eq!(world.feed(["append"], lines(commits).as_bytes()).code, Some(0));
    }
}

/// Runs once with one fault.
fn fail_one(prepared: u64, calls: &str, inject: &str, fault: &str) {
    let world = World::new();
    prepare(&world, prepared);
    let input = (prepared + 1..prepared + 4).map(|n| line(n) + "\n").collect::<String>();
    let ran = run(&world, calls, inject, &["append"], input.as_bytes());
    let context = format!("{inject} with {prepared} commits before: {ran:?}");
    assert!(!ran.stderr.contains("panicked"), "{context}");
    if fault != "signal=SIGKILL" {
        assert!(ran.code.is_some_and(|code| code <= 8), "{context}");
        assert!(ran.code == Some(0) || ran.stderr.starts_with("milepost: "), "{context}");
        if ran.code == Some(0) {
            assert_eq!(last_told(&ran), prepared + 3, "{context}");
        }
    }
    check_after(&world, last_told(&ran).max(prepared), &context);
}

/// The calls of a trace that the program makes on its store, each with its number among the calls of its name and
/// thread, which is what `when` counts. Those of the loader before it are left out.
pub(crate) fn own_calls(trace: &[String]) -> Vec<(String, usize)> {
    let mut counts = std::collections::HashMap::<(String, String), usize>::new();
    let mut calls = Vec::new();
    let mut own = false;
    for line in trace {
        let Some((thread, rest)) = line.split_once(' ') else { continue };
        let Some((name, _)) = rest.trim_start().split_once('(') else { continue };
        if !name.chars().all(|c| c.is_ascii_alphanumeric()) {
            continue;
        }
        own |= line.contains(".milepost");
        let count = counts.entry((thread.to_owned(), name.to_owned())).or_default();
        *count += 1;
        if own && !calls.contains(&(name.to_owned(), *count)) {
            calls.push((name.to_owned(), *count));
        }
    }
    calls
}

/// Interrupted calls are made again, as often as it takes.
#[test]
fn interrupted_reads_and_writes_are_made_again() {
    if !can_trace("interrupted_reads_and_writes_are_made_again") {
        return;
    }
    let world = World::with_commits(3);
    let input = (4..30).map(|n| line(n) + "\n").collect::<String>();
    let ran = run(&world, "pwrite64", "pwrite64:error=EINTR:when=2+3", &["append"], input.as_bytes());
    assert_eq!((ran.code, last_told(&ran)), (Some(0), 29), "{ran:?}");
    assert!(trace(&world).iter().any(|call| call.contains("(INJECTED)")), "nothing was interrupted");
    check_after(&world, 29, "EINTR");
    let calls = "openat,pread64";
    assert_eq!(run(&world, calls, "", &["get", "a/b", "k7"], b"").text(), "7");
    let reads: Vec<_> = own_calls(&trace(&world)).into_iter().filter(|(name, _)| name == "pread64").collect();
    assert!(reads.len() > 2, "only {} reads", reads.len());
    for (_, nth) in reads {
        let inject = format!("pread64:error=EINTR:when={nth}");
        let ran = run(&world, calls, &inject, &["get", "a/b", "k7"], b"");
        assert_eq!((ran.code, ran.text().as_str()), (Some(0), "7"), "read {nth}: {ran:?}");
        assert!(trace(&world).iter().any(|call| call.contains("(INJECTED)")), "read {nth} was not interrupted");
    }
}

/// FAULTS B7: whatever is interrupted, or can't be made at the moment, is made again, and the command goes well; but
/// for syncs, whose every error is final.
#[test]
fn every_interrupted_call_but_a_sync_is_made_again() {
    if !can_trace("every_interrupted_call_but_a_sync_is_made_again") {
        return;
    }
    let calls = "openat,pwrite64,ftruncate,rename,renameat,mkdir,flock,unlink,unlinkat,pread64,fstatfs,getdents64";
    let mut met = std::collections::BTreeSet::new();
    for (prepared, args, input) in [
        (0, &["append"][..], line(1) + "\n" + &line(2) + "\n"),
        (3, &["append"], line(4) + "\n"),
        (3, &["get", "a/b", "k2"], String::new()),
        (3, &["verify"], String::new()),
    ] {
        let world = World::new();
        prepare(&world, prepared);
        let whole = run(&world, calls, "", args, input.as_bytes());
        assert_eq!(whole.code, Some(0), "{whole:?}");
        for (name, nth) in own_calls(&trace(&world)) {
            for error in ["EINTR", "EAGAIN"] {
                // To a lock this is no failure: it says that somebody else holds it.
                if (name.as_str(), error) == ("flock", "EAGAIN") {
                    continue;
                }
                let world = World::new();
                prepare(&world, prepared);
                let inject = format!("{name}:error={error}:when={nth}");
                let ran = run(&world, calls, &inject, args, input.as_bytes());
                let context = format!("{args:?} after {prepared} commits with {inject}: {ran:?}");
                assert_eq!((ran.code, ran.text()), (Some(0), whole.text()), "{context}");
                if trace(&world).iter().any(|call| call.contains("(INJECTED)")) {
                    met.insert(name.clone());
                }
            }
        }
    }
    for name in ["openat", "pwrite64", "ftruncate", "rename", "mkdir", "flock", "pread64", "getdents64"] {
        assert!(met.contains(name), "{name} was never interrupted: {met:?}");
    }
}

/// Has the first write to the log fail, late, while the lines behind it are sent. Which line was refused. strace counts
/// by threads, and any of two may lead the first commit: only the segment's writes are looked at, so that one which has
/// written MANIFEST has not used up its failure.
fn refused_late(world: &World, args: &[&str], input: &str) -> (Ran, u64) {
    let segment = world.store().join("log/0000000001.seg");
    let only = format!("--trace-path={}", segment.canonicalize().unwrap().display());
    let late = "pwrite64:error=ENOSPC:delay_enter=300000:when=1";
    let mut command = Command::new("strace");
    clean(&mut command, world.dir());
    command.args(["-f", "-qq", "-o", "trace", &only, "-e", "trace=pwrite64", "-e", &format!("inject={late}")]);
    let ran = finish(command.arg(env!("CARGO_BIN_EXE_milepost")).args(args).spawn().unwrap(), input.as_bytes());
    let said = ran.stderr.strip_prefix("milepost: line ").and_then(|rest| rest.split_once(" of standard input: "));
    let Some((line, why)) = said else { panic!("{}", ran.stderr) };
    assert!(why.starts_with("the disk is full") && ran.code == Some(6), "{:?}: {}", ran.code, ran.stderr);
    let line = line.parse().unwrap();
    (ran, line)
}

/// None of the lines behind may become durable, or else "stops at the first line that is refused" has a hole, and
/// whoever counts the answers goes on at the wrong line.
#[test]
fn no_line_behind_one_that_is_refused_becomes_durable() {
    if !can_trace("no_line_behind_one_that_is_refused_becomes_durable") {
        return;
    }
    for format in ["table", "jsonl"] {
        let world = World::with_commits(3);
        let input = (4..1500).map(|n| line(n) + "\n").collect::<String>();
        let (ran, refused) = refused_late(&world, &["append", "-o", format], &input);
        let (answer, is_json) = (ran.text(), format == "jsonl");
        assert_eq!(answer.lines().count() as u64, refused - u64::from(!is_json), "{refused}: {answer}");
        let last = answer.lines().last().unwrap_or_default();
        assert!(!is_json || last.starts_with(&format!(r#"{{"line":{refused},"refused":"the disk is full"#)), "{last}");
        let told = 3 + refused - 1;
        check_after(&world, told, "behind the refused line");
        let next = world.ok(["set", "a/b", "k", "1"]);
        assert_eq!(next, format!("{}\n", told + 2), "of what was behind line {refused} nothing is there");
    }
}

/// So many lines are under way that the first is waited for before the others: what it was refused for is told, and
/// not that those behind it were skipped.
#[test]
fn the_line_that_was_refused_is_told_and_none_that_was_skipped() {
    if !can_trace("the_line_that_was_refused_is_told_and_none_that_was_skipped") {
        return;
    }
    let world = World::with_commits(3);
    let line = r#"{"events":[{"event":"set","scope":"a","key":"k","value":""}]}"#.to_owned() + "\n";
    let (ran, refused) = refused_late(&world, &["append"], &line.repeat(5000));
    assert_eq!(ran.text().lines().count() as u64, refused - 1);
}

/// A read error names the file, and does no harm: the next read is right.
#[test]
fn a_read_error_is_named() {
    if !can_trace("a_read_error_is_named") {
        return;
    }
    let world = World::with_commits(3);
    let ran = run(&world, "pread64", "", &["get", "a/b", "k1"], b"");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let reads = trace(&world).len();
    let mut named = 0;
    for nth in 1..=reads {
        let ran = run(&world, "pread64", &format!("pread64:error=EIO:when={nth}"), &["get", "a/b", "k1"], b"");
        let context = format!("EIO at pread64 {nth} of {reads}: {ran:?}");
        // The loader reads, too: it says so in its own words, and the program never begins.
        let loader = ran.code == Some(127);
        // Of a frame that was left in the file it is said as of a page of a map that can't be read.
        let left = ran.code == Some(4) && ran.stderr.contains("(seq 1): it can't be read: ");
        assert!(loader || left || ran.code == Some(8) || (ran.code == Some(0) && ran.text() == "1"), "{context}");
        named += usize::from(ran.stderr.contains(".milepost/") && ran.stderr.contains("os error 5"));
        assert_eq!(world.ok(["get", "a/b", "k1"]), "1", "{context}");
    }
    assert!(named > 0, "no read of the store failed");
}

/// A disk that takes two seconds to sync: the writer waits and does not fail, readers don't wait.
#[test]
fn a_slow_sync_is_no_failure() {
    if !can_trace("a_slow_sync_is_no_failure") {
        return;
    }
    let world = World::with_commits(3);
    let mut append =
        traced(&world, "fdatasync", "fdatasync:delay_exit=2000000:when=1..2", &["append"]).spawn().unwrap();
    let mut stdin = append.stdin.take().unwrap();
    writeln!(stdin, "{}", line(4)).unwrap();
    drop(stdin);
    let held = || world.ok(["verify", "--json"]).contains(r#""held":{"#);
    let begun = Instant::now();
    while !held() {
        assert!(begun.elapsed() < Duration::from_secs(20), "the writer never began");
    }
    let asked = Instant::now();
    assert_eq!(world.ok(["get", "a/b", "k3"]), "3");
    assert!(asked.elapsed() < Duration::from_millis(1500), "a reader waited for the writer: {:?}", asked.elapsed());
    let mut receipt = String::new();
    BufReader::new(append.stdout.take().unwrap()).read_line(&mut receipt).unwrap();
    assert_eq!(receipt, "4\n");
    assert_eq!(append.wait().unwrap().code(), Some(0));
}
