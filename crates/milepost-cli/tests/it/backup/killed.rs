//! FAULTS A1 and C1: the binary killed, or refused for lack of room, at every call that changes something.

use std::fs;

use super::{World, export};
use crate::faults::{can_trace, run, trace};

/// Calls that change what is on the disk.
const CALLS: [&str; 5] = ["pwrite64", "fdatasync", "fsync", "rename", "unlink"];

/// Runs a command once for each such call, hurt there; after each, `check` is told the code. How often it was hurt.
fn hurt(world: &World, inject: &str, args: &[&str], check: &mut dyn FnMut(Option<i32>, &str)) -> u64 {
    let mut count = 0;
    for call in CALLS {
        for nth in 1.. {
            let ran = run(world, call, &format!("{call}:{inject}:when={nth}"), args, b"");
            let calls = trace(world);
            if !calls.iter().any(|call| call.contains("(INJECTED)") || call.contains("SIGKILL")) {
                check(ran.code, &format!("{call} {nth} never came: {ran:?}"));
                break;
            }
            count += 1;
            check(ran.code, &format!("{inject} at {call} {nth}: {ran:?}"));
        }
    }
    count
}

const WAYS: [&str; 2] = ["signal=SIGKILL", "error=ENOSPC"];

#[test]
fn a_backup_hurt_anywhere_goes_on() {
    if !can_trace("a_backup_hurt_anywhere_goes_on") {
        return;
    }
    for inject in WAYS {
        let world = World::with_commits(30);
        let exported = export(&world, ".milepost");
        let count = hurt(&world, inject, &["backup", "create", "backups"], &mut |_, what| {
            if world.dir().join("backups/STORE").exists() {
                let verified = world.run(["backup", "verify", "backups"]);
                assert_eq!(verified.code, Some(0), "{what}: {verified:?}");
            }
            world.ok(["backup", "create", "backups"]);
            world.ok(["backup", "restore", "backups", "restored"]);
            assert_eq!(export(&world, "restored"), exported, "{what}");
            fs::remove_dir_all(world.dir().join("restored")).unwrap();
            fs::remove_dir_all(world.dir().join("backups")).unwrap();
        });
        assert!(count > 10, "{inject}: {count}");
    }
}

#[test]
fn a_restore_and_an_import_hurt_anywhere_can_be_run_again() {
    if !can_trace("a_restore_and_an_import_hurt_anywhere_can_be_run_again") {
        return;
    }
    let world = World::with_commits(30);
    world.ok(["backup", "create", "backups"]);
    let exported = export(&world, ".milepost");
    fs::write(world.dir().join("commits.jsonl"), &exported).unwrap();
    let restore: &[&str] = &["backup", "restore", "backups", "made"];
    let import: &[&str] = &["import", "commits.jsonl", "--store", "made"];
    for (args, inject) in [(restore, WAYS[0]), (import, WAYS[0]), (restore, WAYS[1]), (import, WAYS[1])] {
        let count = hurt(&world, inject, args, &mut |code, what| {
            let read = world.run(["export", "--store", "made"]);
            if read.code == Some(0) {
                assert_eq!(read.text(), exported, "{what}: opened before it was whole");
            } else {
                assert_ne!(code, Some(0), "{what}");
                world.ok(args);
                assert_eq!(export(&world, "made"), exported, "{what}");
            }
            assert_eq!(world.run(["verify", "--store", "made"]).code, Some(0), "{what}");
            fs::remove_dir_all(world.dir().join("made")).unwrap();
        });
        assert!(count > 10, "{args:?}, {inject}: {count}");
    }
}
