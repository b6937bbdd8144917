//! A canonical run of the binary, each of its commands with one system call failing or killed in it.
//!
//! A test takes a sample; `MILEPOST_EVERY_FAULT=1` takes all. Short writes are made by the kernel itself in
//! `full_disk`: strace could only say that one was short, without anything being written.

mod cases;

use std::{
    fs,
    io::{self, Write},
    process::Command,
    sync::atomic::{AtomicUsize, Ordering},
};

use milepost::{Scope, Store};

use super::{
    faults::{can_trace, own_calls, trace},
    world::{Ran, World, clean, finish, line, mask_times, skipped},
};
use cases::{Case, SUBMITTED, cases, prepared};

const CALLS: &str = "openat,pwrite64,write,ftruncate,fallocate,fdatasync,fsync,rename,renameat,renameat2,mkdir,flock,unlink,unlinkat,pread64,statfs,getdents64";
/// Of the faults of a command, one in so many.
const SAMPLE: usize = 31;
/// Seconds after which a command counts as hung.
const SECONDS_MAX: &str = "30";
/// What the prepared store consists of, and what a command finds beside it.
const PARTS: [&str; 4] = [".milepost", "backups.milepost", "hurt.milepost", "commits.jsonl"];

/// Under strace, and under a bound on its time.
fn traced(world: &World, inject: &str, case: &Case) -> Ran {
    let mut command = Command::new("timeout");
    clean(&mut command, world.dir());
    command.args(["-s", "KILL", SECONDS_MAX, "strace", "-f", "-qq", "-o", "trace", "-e", &format!("trace={CALLS}")]);
    if !inject.is_empty() {
        command.args(["-e", &format!("inject={inject}")]);
    }
    command.arg(env!("CARGO_BIN_EXE_milepost")).args(case.args);
    finish(command.spawn().unwrap(), case.input.as_bytes())
}

/// FAULTS A1, B1, B3, B4, B7, C1: whatever fails, the command says so, and all that was acknowledged is there.
#[test]
fn every_command_survives_a_failing_call() {
    let test = "every_command_survives_a_failing_call";
    if !can_trace(test) {
        return;
    }
    if Command::new("timeout").args(["5", "true"]).status().is_err() {
        return skipped(test, "timeout is missing");
    }
    let sample = if std::env::var_os("MILEPOST_EVERY_FAULT").is_some() { 1 } else { SAMPLE };
    let (prepared, cases, next) = (prepared(), cases(), AtomicUsize::new(0));
    let (met, tried) = (AtomicUsize::new(0), AtomicUsize::new(0));
    // Mostly they wait for syncs: several commands at once.
    std::thread::scope(|threads| {
        for _ in 0..8 {
            threads.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let (some, all) = fail_each(&prepared, case, sample);
                    met.fetch_add(some, Ordering::Relaxed);
                    tried.fetch_add(all, Ordering::Relaxed);
                }
            });
        }
    });
    let (met, tried) = (met.into_inner(), tried.into_inner());
    // A figure of docs/reliability.md: past the capture of what tests print.
    let _ = writeln!(io::stdout(), "faults at system calls: {} commands, {tried} tried, {met} met", cases.len());
    assert!(met > 150, "only {met} faults of {tried} were met");
}

/// A place like the prepared one.
fn place(prepared: &World) -> World {
    let world = World::new();
    PARTS.iter().for_each(|part| prepared.copied(part, world.dir()));
    world
}

/// How it is before a command, and after it if nothing fails.
struct Sides {
    code: Option<i32>,
    before: Option<String>,
    after: Option<String>,
}

/// What those commands answer; nothing if the last one fails.
fn looked(world: &World, case: &Case, context: &str) -> Option<String> {
    let (last, first) = case.look.split_last().unwrap();
    remove(world, "looked");
    for args in first {
        let ran = world.run(*args);
        assert_eq!(ran.code, Some(0), "{context}: {args:?}: {ran:?}");
    }
    let ran = world.run(*last);
    assert!(matches!(ran.code, Some(0..=2)), "{context}: {last:?}: {ran:?}");
    (ran.code == Some(0)).then(|| match last[0] {
        // Without what tells one run from another.
        "results" => ran.text().lines().map(|row| row.split(',').take(3).collect::<String>() + "\n").collect(),
        _ => without_draw(&mask_times(&ran.text()).replace("\"attempts\":2", "\"attempts\":1")),
    })
}

/// One command with one of `sample` of its faults after the other; how many were met, of how many.
fn fail_each(prepared: &World, case: &Case, sample: usize) -> (usize, usize) {
    let before = looked(&place(prepared), case, "before it");
    let world = place(prepared);
    let ran = traced(&world, "", case);
    let context = format!("{:?} without a fault: {ran:?}", case.args);
    let calls = own_calls(&trace(&world));
    let sides = Sides { code: ran.code, before, after: looked(&world, case, &context) };
    check_after(&world, case, &sides, true, &context);
    let faults = calls.into_iter().flat_map(|(name, nth)| {
        ["error=EIO", "error=ENOSPC", "error=EINTR", "signal=SIGKILL"].map(|fault| format!("{name}:{fault}:when={nth}"))
    });
    let faults: Vec<_> = faults.step_by(sample).collect();
    (faults.iter().filter(|inject| fail_one(prepared, inject, case, &sides)).count(), faults.len())
}

/// One command with one fault; whether it was met.
fn fail_one(prepared: &World, inject: &str, case: &Case, sides: &Sides) -> bool {
    let world = place(prepared);
    let ran = traced(&world, inject, case);
    let context = format!("{:?} with {inject}: {ran:?}", case.args);
    let calls = trace(&world);
    assert!(!ran.stderr.contains("panicked"), "{context}");
    let killed = inject.contains("SIGKILL");
    assert!(killed || ran.code.is_some_and(|code| code < 128 && code != 101), "{context}");
    let acknowledged = ran.code == sides.code;
    if !killed && !acknowledged {
        assert!(!ran.stderr.is_empty(), "{context}: it says nothing");
    }
    let verified = world.verify();
    assert!(matches!(verified.code, Some(0 | 3)), "{context}: {verified:?}");
    check_after(&world, case, sides, acknowledged, &context);
    let (store, scope) = (Store::read_only(world.store()).unwrap(), Scope::parse("a/b").unwrap());
    let told = if case.args == ["append"] { 3 + ran.text().lines().count() } else { 3 };
    for n in 1..=told {
        let value = store.get(&scope, &format!("k{n}")).unwrap().unwrap_or_else(|| panic!("{context}: k{n} is gone"));
        assert_eq!(&*value, n.to_string().as_bytes(), "{context}");
    }
    killed || calls.iter().any(|call| call.contains("(INJECTED)"))
}

/// A job's token, `mp-store-place-seq-number`, ends with a number that is drawn.
fn without_draw(text: &str) -> String {
    let cell = |cell: &str| match cell.split('-').collect::<Vec<_>>()[..] {
        ["mp", store, place, seq, _drawn] => format!("mp-{store}-{place}-{seq}"),
        _ => cell.to_owned(),
    };
    text.split(',').map(cell).collect::<Vec<_>>().join(",")
}

/// What must hold after a command, whether it went well or not; and that work goes on.
fn check_after(world: &World, case: &Case, sides: &Sides, acknowledged: bool, context: &str) {
    let found = looked(world, case, context);
    let is_done = found == sides.after;
    assert!(is_done || !acknowledged, "{context}: it said that it has done it: {found:?}, not {:?}", sides.after);
    assert!(is_done || case.in_parts || found == sides.before, "{context}: it is half done: {found:?}");
    let mut is_over = acknowledged;
    if case.again && !acknowledged && (case.in_parts || !is_done) {
        let ran = world.feed(case.args, case.input.as_bytes());
        assert_eq!(ran.code, sides.code, "{context}: and again: {ran:?}");
        assert_eq!(looked(world, case, context), sides.after, "{context}: and again");
        is_over = true;
    }
    if let Some(value) = case.erases.filter(|_| is_over) {
        if case.args[0] != "compact" {
            world.ok(["compact"]);
        }
        assert_eq!(world.files_with(value), Vec::<String>::new(), "{context}");
    }
    if case.args.starts_with(&["job", "run"]) {
        let submitted = fs::read_to_string(world.dir().join(SUBMITTED)).unwrap();
        assert_eq!(submitted, "x\n", "{context}: it was submitted twice");
    }
    let after = world.run(["set", "after", "k", "1"]);
    assert_eq!(after.code, Some(0), "{context}: the store does not go on: {after:?}");
    assert_eq!(world.verify().code, Some(0), "{context}");
}

fn remove(world: &World, name: &str) {
    let path = world.dir().join(name);
    if path.exists() {
        fs::remove_dir_all(path).unwrap();
    }
}

/// FAULTS B8: few files may be open at once; commits need no more than they hold.
#[test]
fn few_open_files_are_enough() {
    let (mut refused, mut fine) = (0, 0);
    for files in 4..=16 {
        let world = World::with_commits(3);
        let mut command = Command::new("sh");
        clean(&mut command, world.dir());
        let limited = format!("ulimit -n {files}; exec \"$0\" append");
        command.args(["-c", &limited, env!("CARGO_BIN_EXE_milepost")]);
        let input: String = (4..200).map(|n| line(n) + "\n").collect();
        let ran = finish(command.spawn().unwrap(), input.as_bytes());
        let told: u64 = ran.text().lines().last().map_or(3, |line| line.parse().unwrap());
        match ran.code {
            Some(0) => {
                assert_eq!(told, 199, "{files}: {}", ran.stderr);
                fine += 1;
            }
            Some(7 | 8) => {
                assert!(ran.stderr.contains("Too many open files"), "{files}: {}", ran.stderr);
                refused += 1;
            }
            code => panic!("{files}: exit {code:?}: {}", ran.stderr),
        }
        assert!(matches!(world.verify().code, Some(0 | 3)), "{files}");
        assert_eq!(world.ok(["get", "a/b", &format!("k{told}")]), told.to_string(), "{files}");
        world.ok(["set", "a", "k", "1"]);
    }
    assert!(refused > 0 && fine > 2, "{refused} refused, {fine} fine");
}
