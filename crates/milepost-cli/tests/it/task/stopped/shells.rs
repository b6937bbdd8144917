//! Signals to a shell script that runs milepost, and what a shell had ignored before.

use std::{os::unix::process::CommandExt, process::Command};

use rustix::process::{Pid, Signal, kill_process_group};

use super::{Running, World};
use crate::world::{Ran, clean, finish};

/// A script of a shell that finds the binary as `$MILEPOST`, in a group of its own.
fn script(world: &World, shell: &str, text: &str) -> Command {
    let mut command = Command::new(shell);
    clean(&mut command, world.dir());
    command.args(["-c", text]).env("MILEPOST", env!("CARGO_BIN_EXE_milepost")).process_group(0);
    command
}

fn ran(world: &World, text: &str) -> Ran {
    finish(script(world, "sh", text).spawn().unwrap(), b"")
}

/// Bash ends its script on a Ctrl-C only if what it waits for has died of that signal. Milepost exited with 130, and
/// the script went on with the next step, or the next job.
#[test]
fn a_script_ends_with_the_step_or_the_job_that_is_stopped() {
    for stopped in [
        "$MILEPOST step a -- sh -c 'echo begun >&2; sleep 20'",
        "$MILEPOST job run a --find true --submit 'echo id' --poll 'echo begun >&2; sleep 20; echo pending X'",
    ] {
        let world = World::new();
        let text = format!("{stopped}; echo \"after: $?\" >&2; $MILEPOST step b -- sh -c 'echo B runs >&2'");
        let mut running = Running::spawn(&mut script(&world, "bash", &text));
        running.says("begun");
        kill_process_group(Pid::from_child(&running.child), Signal::INT).unwrap();
        let (ended, said) = running.end();
        assert_eq!(ended, Some(130), "{said}");
        assert!(said.contains("stopped by SIGINT") && !said.contains("after") && !said.contains("B runs"), "{said}");
    }
}

/// A command in the background of a script ignores Ctrl-C, and so does what nohup runs with a hangup. Milepost listened
/// all the same, and ended a step that was meant to go on.
#[test]
fn what_was_ignored_stays_ignored() {
    let waits = "i=0; while ! test -e begun && test $i -lt 200; do sleep .05; i=$((i+1)); done";
    let step = "$MILEPOST step ig -- sh -c 'echo >begun; sleep .3; kill -INT $$; echo lived' & p=$!";
    let world = World::new();
    let ended = ran(&world, &format!("trap '' INT; {step}; {waits}; kill -INT $p; wait $p"));
    assert_eq!((ended.code, &*ended.text()), (Some(0), "lived\n"), "{ended:?}");
    assert!(!ended.stderr.contains("SIGINT"), "{ended:?}");
    // What was not ignored is heard.
    let world = World::new();
    let ended = ran(&world, &format!("trap '' INT; {step}; {waits}; kill -TERM $p; wait $p"));
    assert_eq!(ended.code, Some(143), "{ended:?}");
    assert!(ended.stderr.contains("step ig: stopped by SIGTERM"), "{ended:?}");
    // As does a job.
    let world = World::new();
    let job =
        "$MILEPOST job run j --find true --submit 'echo id' --poll 'echo >begun; sleep .3; echo finished ok' & p=$!";
    let ended = ran(&world, &format!("trap '' INT; {job}; {waits}; kill -INT $p; wait $p"));
    assert_eq!((ended.code, &*ended.text()), (Some(0), "ok\n"), "{ended:?}");
}
