//! What the command of a step gets of a signal, and what is done where it does not end by it.

use std::{fs, process::Command};

use rustix::process::Signal;

use super::{Running, World};
use crate::world::{Ran, clean, finish};

const WAITS: &str = "i=0; while ! test -e go && test $i -lt 200; do sleep .05; i=$((i+1)); done";

const LEFT: &str = "step s: something that its command has started holds its output, and is left running";

fn step(script: &str) -> [&str; 6] {
    ["step", "s", "--", "sh", "-c", script]
}

/// Runs a step in the foreground of a terminal of its own, and shows what is on that.
fn at_a_terminal(world: &World, script: &str) -> Ran {
    let line = shlex::try_join(["exec", env!("CARGO_BIN_EXE_milepost")].into_iter().chain(step(script))).unwrap();
    let mut command = Command::new("script");
    clean(&mut command, world.dir());
    finish(command.args(["-qec", &line, "/dev/null"]).spawn().unwrap(), b"")
}

/// Of a SIGINT to milepost alone the command in the foreground was said to have it, as if it had come from the
/// terminal. It gets it where that makes no difference; else it is not said that it has.
#[test]
fn a_ctrl_c_that_did_not_come_from_the_terminal_is_handed_on_or_not_claimed() {
    let world = World::new();
    let ended = at_a_terminal(&world, "(sleep .3; kill -INT $PPID) & exec sleep 60");
    assert_eq!(ended.code, Some(130), "{ended:?}");
    assert!(ended.text().contains("step s: stopped by SIGINT; its command has got that too"), "{ended:?}");
    // A trap that is run by a signal only; the second one, a while later, kills.
    let world = World::new();
    let script = "trap 'echo caught' INT; kill -INT $PPID; sleep .5; kill -INT $PPID; sleep 3; echo lived";
    let ended = at_a_terminal(&world, script);
    assert_eq!(ended.code, Some(130), "{ended:?}");
    let says = "its command, which has got that if it came from the terminal, is waited for; a second signal kills it";
    assert!(ended.text().contains(says), "{ended:?}");
    assert!(!ended.text().contains("caught") && !ended.text().contains("lived"), "{ended:?}");
}

/// A command that takes no notice of a signal could be ended by its number only, which nobody had said; whoever sent a
/// signal again had it handed on again. The second one kills it, and the first one says so.
#[test]
fn a_second_signal_kills_the_command_of_a_step() {
    let world = World::new();
    let mut running = Running::start(&world, &step("trap '' TERM INT; echo begun >&2; sleep 20; echo > ended"));
    running.says("begun");
    running.signal(Signal::TERM);
    running
        .says("step s: stopped by SIGTERM; its command has got that too, and is waited for; a second signal kills it");
    running.signal(Signal::INT);
    let (ended, said) = running.end();
    assert_eq!(ended, Some(143), "{said}");
    assert!(said.contains("step s failed: stopped by SIGTERM; the next run runs it again"), "{said}");
    assert_eq!(said.matches("a second signal").count(), 1, "{said}");
    assert!(!world.dir().join("ended").exists());
}

/// `timeout` sends its signal to its command and to the group that this is in, so twice; a supervisor sends a hangup
/// behind it. Neither is somebody who will not wait.
#[test]
fn a_signal_that_comes_twice_at_once_kills_nothing() {
    let world = World::new();
    let script = "trap 'echo TERM >> got; echo told >&2' TERM; trap 'echo HUP >> got; echo hung up >&2' HUP; \
                  echo begun >&2; ";
    let script = format!("{script}{WAITS}; echo ended >> got");
    let mut running = Running::start(&world, &step(&script));
    running.says("begun");
    running.signal(Signal::TERM);
    running.signal(Signal::TERM);
    running.says("told");
    running.signal(Signal::HUP);
    running.says("hung up");
    fs::write(world.dir().join("go"), "").unwrap();
    let (ended, said) = running.end();
    assert_eq!(ended, Some(143), "{said}");
    assert_eq!(fs::read_to_string(world.dir().join("got")).unwrap(), "TERM\nHUP\nended\n");
}

/// A step whose command had ended could not be ended as long as something that this had started held its output, in a
/// session of its own, or in the foreground, where no signal met it.
#[test]
fn who_holds_the_output_of_a_stopped_step_is_not_waited_for() {
    for is_second in [false, true] {
        let world = World::new();
        let script = "setsid sh -c 'echo $$ > pid; echo left; echo begun >&2; exec sleep 60 2>&-' & wait";
        let mut running = Running::start(&world, &step(script));
        running.says("begun");
        running.signal(Signal::TERM);
        running.says("a second signal kills it");
        if is_second {
            running.signal(Signal::INT);
        }
        let (ended, said) = running.end();
        // It is there still.
        let killed = Command::new("sh").args(["-c", "kill $(cat pid)"]).current_dir(world.dir()).status();
        assert!(killed.unwrap().success(), "{said}");
        assert_eq!(ended, Some(143), "{said}");
        assert!(said.contains(LEFT), "{said}");
    }
    let world = World::new();
    let ended = at_a_terminal(&world, "(sleep .3; kill -TERM $PPID) & sleep 60 & wait");
    assert_eq!(ended.code, Some(143), "{ended:?}");
    assert!(ended.text().contains(LEFT), "{ended:?}");
    // Where nobody asks for the end, all that is printed counts.
    assert_eq!(World::new().ok(step("(sleep .3; echo late) & echo soon")), "soon\nlate\n");
}
