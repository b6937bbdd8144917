//! What the commands of a job print, and how long they may take.

use super::super::world::World;

fn job<'a>(submit: &'a str, poll: &'a str, timeout: &'a str) -> [&'a str; 11] {
    ["job", "run", "j", "--submit", submit, "--find", "true", "--poll", poll, "--timeout", timeout]
}

/// An id without the end of a line was waited for as long as the job in the background lived, which was killed when the
/// time was over, and no id was recorded. What is there when the shell has ended is what it has said.
#[test]
fn an_id_needs_no_end_of_a_line() {
    let world = World::new();
    let poll = "kill $MILEPOST_ID && echo finished it ran";
    assert_eq!(world.ok(job("sleep 20 2>/dev/null & printf %s $!", poll, "10s")), "it ran\n");
    // One that says nothing has no id, and is not waited for either.
    world.ok(["job", "reset", "j"]);
    let ran = world.run(job("sleep 20 2>/dev/null & echo $! > pid", poll, "10s"));
    let killed = std::process::Command::new("sh").args(["-c", "kill $(cat pid)"]).current_dir(world.dir()).status();
    assert!(killed.unwrap().success(), "it runs");
    assert_eq!(ran.code, Some(10), "{ran:?}");
    assert!(ran.stderr.contains("submit of job j failed: it printed no id"), "{ran:?}");
}

/// A submit that takes longer than the run may was said to have failed (exit 10), though the help says 9 of a time that
/// is over; and not, that it may have been submitted all the same.
#[test]
fn a_submit_that_takes_too_long_is_out_of_time() {
    let world = World::new();
    let ran = world.run(job("echo ran >&2; sleep 20; echo id", "echo finished ok", "300ms"));
    assert_eq!(ran.code, Some(9), "{ran:?}");
    let says = "job j: its submit was killed, for the time of --timeout is over; whether it was submitted is not known, \
                and the next run asks find first";
    assert!(ran.stderr.contains(says), "{ran:?}");
    let find = ["job", "run", "j", "--submit", "echo id", "--find", "sleep 20", "--poll", "true", "--timeout", "300ms"];
    let ran = world.run(find);
    assert_eq!(ran.code, Some(9), "{ran:?}");
    assert!(ran.stderr.contains("job j: its find was killed, for the time of --timeout is over"), "{ran:?}");
    // One that fails by itself has failed.
    assert_eq!(world.run(job("exit 1", "true", "10s")).code, Some(10));
    let help = world.ok(["job", "run", "--help"]);
    assert!(help.contains("a submit that is killed then may have been submitted"), "{help}");
}

/// A result that can't be recorded was a wrong command line (exit 2). It has the code of a step's output that is too
/// large, and the message says what to do.
#[test]
fn a_result_that_is_too_large_has_a_code_of_its_own() {
    let world = World::new();
    let poll = "printf 'finished '; head -c 16777217 /dev/zero | tr '\\0' x";
    for _ in 0..2 {
        let ran = world.run(job("echo id-7", poll, "1min"));
        assert_eq!(ran.code, Some(125), "{ran:?}");
        let says = "let its commands print where it is, as in `echo finished s3://bucket/result`";
        assert!(ran.stderr.contains("job j") && ran.stderr.contains(says), "{ran:?}");
        assert!(ran.stdout.is_empty());
    }
    assert_eq!(world.ok(job("exit 1", "echo finished file:///result", "1min")), "file:///result\n");
    let help = world.ok(["job", "run", "--help"]);
    assert!(help.contains("125 what a command printed is too large to be recorded"), "{help}");
}
