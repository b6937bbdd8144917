//! Jobs that somebody else goes on with after a kill: under another name, on another host, after another kill.
//!
//! A killed run's claim once kept everybody out who had another name than its own, in any job of the store.

use std::{
    fs,
    process::{Command, Stdio},
};

use milepost::{Scope, Store, Writer, task::Found};

use super::{
    Ran, World, each_args, feed,
    held::{HELD, left_behind},
};
use crate::world::skipped;

/// The same store in a place of its own.
fn copy_of(world: &World) -> World {
    let copy = World::new();
    let made = Command::new("cp").arg("-a").arg(world.store()).arg(copy.store()).status().unwrap();
    assert!(made.success());
    copy
}

/// The job over `quick`, under the name of `user`; without one, as where nobody has logged in.
fn job(world: &World, user: Option<&str>, options: &[&str]) -> Command {
    let mut command = world.milepost(each_args(options, HELD));
    command.env_remove("LOGNAME").env_remove("USER").envs(user.map(|user| ("USER", user)));
    command
}

fn go_on(world: &World, user: Option<&str>, options: &[&str]) -> Ran {
    feed(job(world, user, options), b"quick\n")
}

/// What another program runs instead: `prefix`, then the command.
fn under(prefix: &[&str], command: &Command) -> Command {
    let mut whole = Command::new(prefix[0]);
    whole.args(&prefix[1..]).arg(command.get_program()).args(command.get_args());
    whole.current_dir(command.get_current_dir().unwrap());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => whole.env(name, value),
            None => whole.env_remove(name),
        };
    }
    whole.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    whole
}

fn works(program: &str, args: &[&str]) -> bool {
    Command::new(program).args(args).output().is_ok_and(|output| output.status.success())
}

const ALL_DONE: &str = "0 done, 1 done before";

#[test]
fn who_goes_on_need_not_be_who_was_killed() {
    let dead = left_behind().1;
    for user in [Some("alice"), None] {
        let world = copy_of(&dead);
        go_on(&world, user, &["--dry-run"]).says(0, &["0 to run, 1 done before"]);
        go_on(&world, user, &[]).says(0, &[ALL_DONE]);
        go_on(&world, Some("bob"), &[]).says(0, &[ALL_DONE]);
        // Its mark is the killed run's, whoever put it there.
        let store = Store::open(world.store()).unwrap();
        let items = store.progress(&Scope::parse("each/j").unwrap(), "items").unwrap();
        let Found::Done(mark) = items.find("quick").unwrap() else { panic!("quick has ended") };
        let of = |seq| store.commit_at(seq).unwrap().unwrap().meta.writer.unwrap();
        let began = Store::read_only(dead.store()).unwrap();
        let began = began.history(&Scope::parse("each-job/j").unwrap()).iter().next().unwrap().unwrap().seq;
        assert_eq!(of(mark.seq()), of(began));
    }
    let world = copy_of(&dead);
    let other = world.milepost(["each", "--job", "another", "--", "true"]).env("USER", "alice").status().unwrap();
    assert!(other.success());
    go_on(&copy_of(&dead), Some("alice"), &["--restart"]).says(0, &["1 done in"]);
}

#[test]
fn the_host_may_have_another_name() {
    let set_name = "hostname elsewhere && exec \"$@\"";
    if !works("unshare", &["--uts", "sh", "-c", set_name, "sh", "true"]) {
        skipped("the_host_may_have_another_name", "no name of its own can be given to a process here");
        return;
    }
    let world = left_behind().1;
    let prefix = ["unshare", "--uts", "sh", "-c", set_name, "sh"];
    feed(under(&prefix, &job(&world, Some("alice"), &[])), b"quick\n").says(0, &[ALL_DONE]);
    let log = String::from_utf8(world.run(["log", "each-job/j"], "").says(0, &[]).stdout).unwrap();
    assert!(log.contains("alice@elsewhere"), "{log}");
}

/// Kills a run at each sync and each write in turn, the taking over and the beginning among them; then somebody else
/// goes on.
#[test]
fn a_kill_at_any_call_locks_nobody_out() {
    if !works("strace", &["-f", "-o", "/dev/null", "-e", "inject=getppid:error=EIO", "true"]) {
        skipped("a_kill_at_any_call_locks_nobody_out", "strace is missing or may not trace");
        return;
    }
    let dead = left_behind().1;
    let fresh = World::new();
    fs::create_dir(fresh.store()).unwrap();
    let cases: [(&World, &[&str], &str); 3] = [(&dead, &[], ALL_DONE), (&dead, &["--restart"], ""), (&fresh, &[], "")];
    for (before, options, words) in cases {
        for call in ["fdatasync", "pwrite64"] {
            let kills = (1..).take_while(|nth| {
                let world = copy_of(before);
                let inject = format!("inject={call}:signal=SIGKILL:when={nth}");
                let prefix = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={call}"), "-e", &inject];
                let ran = feed(under(&prefix, &job(&world, Some("alice"), options)), b"quick\n");
                assert!(matches!(ran.code, None | Some(0)), "it fails only by being killed: {ran:?}");
                go_on(&world, Some("bob"), &[]).says(0, &[words]);
                ran.code.is_none()
            });
            let kills = kills.count();
            assert!(kills > 2, "only {kills} kills at {call}");
        }
    }
}

#[test]
fn a_cleared_record_of_runs_locks_nobody_out() {
    for runs in 1..=3 {
        let ran = World::new();
        for _ in 0..runs {
            go_on(&ran, Some("alice"), &[]).says(0, &[]);
        }
        ran.run(["clear", "each-job/j"], "").says(0, &[]);
        for user in ["alice", "bob"] {
            go_on(&copy_of(&ran), Some(user), &[]).says(0, &[ALL_DONE]);
            go_on(&copy_of(&ran), Some(user), &["--restart"]).says(0, &["1 done in"]);
        }
    }
}

/// Whoever claims the task of a job by hand keeps no run out, and loses no ending of a killed one.
#[test]
fn a_claim_by_hand_locks_nobody_out() {
    let world = left_behind().1;
    let store = Store::open(world.store()).unwrap();
    store.task(&Scope::parse("each/j").unwrap(), Writer::new("by hand").unwrap().attempt(9)).unwrap();
    store.close().unwrap();
    for user in ["alice", "alice", "bob"] {
        go_on(&world, Some(user), &[]).says(0, &[ALL_DONE]);
    }
}

/// What a killed job runs can't be read: that is for the job itself to say, and for no other.
#[test]
fn an_unreadable_record_of_a_killed_job_stops_no_other() {
    let world = left_behind().1;
    world.run(["set", "each-job/j", "run", "no record"], "").says(0, &[]);
    world.run(["each", "--job", "another", "--", "true"], "x\n").says(0, &["another: 1 done"]);
    go_on(&world, Some("alice"), &[]).says(4, &["each-job/j does not say what the job runs"]);
}
