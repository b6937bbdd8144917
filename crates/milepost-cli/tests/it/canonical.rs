//! A canonical run of the binary, each of its commands with one system call failing or killed in it.
//!
//! A test takes a sample; `MILEPOST_EVERY_FAULT=1` takes all. Short writes are made by the kernel itself in
//! `full_disk`: strace could only say that one was short, without anything being written.

use std::process::Command;

use milepost::{Scope, Store};

use super::{
    faults::{can_trace, own_calls, trace},
    world::{Ran, World, clean, finish, line, skipped},
};

const CALLS: &str = "openat,pwrite64,write,ftruncate,fdatasync,fsync,rename,renameat,renameat2,mkdir,flock,unlink,unlinkat,pread64,fstatfs,getdents64";
/// Of the faults of a command, one in so many.
const SAMPLE: usize = 13;
/// Commits of the prepared store that set none of the counted keys.
const COMMITS_MORE: u64 = 2;
/// Seconds after which a command counts as hung.
const SECONDS_MAX: &str = "30";

/// The commands: their words, and what they are fed.
fn canonical() -> [(&'static [&'static str], String); 7] {
    [
        (&["set", "a/b", "k4", "4"], String::new()),
        (&["append"], (4..7).map(|n| line(n) + "\n").collect()),
        (&["each", "-j", "1", "--job", "job", "--", "true"], "x\ny\nz\n".into()),
        (&["checkpoint", "create", "a/b", "second"], String::new()),
        (&["restore", "a/b", "--at", "checkpoint:first"], String::new()),
        (&["get", "a/b", "k1"], String::new()),
        (&["verify"], String::new()),
    ]
}

fn prepared() -> World {
    let world = World::with_commits(3);
    world.ok(["checkpoint", "create", "a/b", "first"]);
    world.ok(["set", "a/b", "extra", "1"]);
    world
}

/// Under strace, and under a bound on its time.
fn traced(world: &World, inject: &str, args: &[&str], input: &str) -> Ran {
    let mut command = Command::new("timeout");
    clean(&mut command, world.dir());
    command.args(["-s", "KILL", SECONDS_MAX, "strace", "-f", "-qq", "-o", "trace", "-e", &format!("trace={CALLS}")]);
    if !inject.is_empty() {
        command.args(["-e", &format!("inject={inject}")]);
    }
    command.arg(env!("CARGO_BIN_EXE_milepost")).args(args);
    finish(command.spawn().unwrap(), input.as_bytes())
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
    // Mostly they wait for syncs: all commands at once.
    let hit: usize = std::thread::scope(|threads| {
        let each =
            |(args, input): (&'static [&'static str], String)| threads.spawn(move || fail_each(args, &input, sample));
        let running: Vec<_> = canonical().into_iter().map(each).collect();
        running.into_iter().map(|one| one.join().unwrap_or_else(|said| std::panic::resume_unwind(said))).sum()
    });
    assert!(hit > 40, "only {hit} faults were met");
}

/// One command with one of `sample` of its faults after the other; how many were met.
fn fail_each(args: &[&str], input: &str, sample: usize) -> usize {
    let world = prepared();
    let ran = traced(&world, "", args, input);
    assert_eq!(ran.code, Some(0), "{args:?} without a fault: {ran:?}");
    let faults = own_calls(&trace(&world)).into_iter().flat_map(|(name, nth)| {
        ["error=EIO", "error=ENOSPC", "error=EINTR", "signal=SIGKILL"].map(|fault| format!("{name}:{fault}:when={nth}"))
    });
    faults.step_by(sample).filter(|inject| fail_one(inject, args, input)).count()
}

/// One command with one fault; whether it was met.
fn fail_one(inject: &str, args: &[&str], input: &str) -> bool {
    let world = prepared();
    let ran = traced(&world, inject, args, input);
    let context = format!("{args:?} with {inject}: {ran:?}");
    let calls = trace(&world);
    assert!(!ran.stderr.contains("panicked"), "{context}");
    let killed = inject.contains("SIGKILL");
    assert!(killed || ran.code.is_some_and(|code| code < 128 && code != 101), "{context}");
    if !killed && ran.code != Some(0) {
        assert!(!ran.stderr.is_empty(), "{context}: it says nothing");
    }
    let verified = world.verify();
    assert!(matches!(verified.code, Some(0 | 3)), "{context}: {verified:?}");
    let acknowledged = ran.code == Some(0);
    if acknowledged && args[0] == "set" {
        assert_eq!(world.ok(["get", "a/b", "k4"]), "4", "{context}");
    }
    let after = world.run(["set", "after", "k", "1"]);
    assert_eq!(after.code, Some(0), "{context}: the store does not go on: {after:?}");
    let (store, scope) = (Store::read_only(world.store()).unwrap(), Scope::parse("a/b").unwrap());
    let told = match args[0] {
        "append" => ran.text().lines().last().map_or(3, |line| line.parse::<u64>().unwrap() - COMMITS_MORE),
        _ => 3,
    };
    for n in 1..=told {
        let value = store.get(&scope, &format!("k{n}")).unwrap().unwrap_or_else(|| panic!("{context}: k{n} is gone"));
        assert_eq!(&*value, n.to_string().as_bytes(), "{context}");
    }
    assert_eq!(world.verify().code, Some(0), "{context}");
    killed || calls.iter().any(|call| call.contains("(INJECTED)"))
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
