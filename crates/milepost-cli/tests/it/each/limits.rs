//! What bounds a job: the time of a command, attempts, failures, slots.

use std::{
    hint::spin_loop,
    io::Write,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use super::{World, each_args, numbers};

#[test]
fn a_command_that_takes_too_long_has_failed_and_says_why() {
    let world = World::new();
    let script = r#"[ "$1" = quick ] && exit; echo "of $1"; echo busy >&2; trap 'exit 0' TERM; sleep 600 & wait"#;
    let options = ["-j2", "--timeout", "300ms"];
    world
        .each(&options, script, "long\nquick\n")
        .says(1, &["1 done, 1 failed in", "failed: long: timed out: busy", "--failed"]);
    let row = world.run(["results", "--job", "j", "--failed", "-o", "jsonl"], "").says(0, &[]).stdout;
    let row = String::from_utf8(row).unwrap();
    assert!(row.contains(r#""item":"long","status":"failed","timed_out":true,"attempt":1"#), "{row}");
    let csv = String::from_utf8(world.run(["results", "--job", "j", "-o", "csv"], "").stdout).unwrap();
    assert!(csv.contains("long,,failed,timed_out,,,1,"), "{csv}");
    // What it said until then is kept; with more time, it is done.
    world.run(["results", "--job", "j", "long"], "").says(0, &[]).prints("of long\n");
    world.each(&options, script, "long\nquick\n").says(1, &["0 done, 1 done before, 1 failed before"]);
}

#[test]
fn a_command_that_does_not_listen_is_killed_and_each_attempt_has_its_own_time() {
    let world = World::new();
    let script = r#"echo "$MILEPOST_ATTEMPT" >> log; trap '' TERM; while :; do sleep 600; done"#;
    world
        .each(&["--timeout", "100ms", "--kill-after", "10ms", "--retries", "1", "--retry-delay", "0s"], script, "a\n")
        .says(1, &["failed: a: timed out"]);
    assert_eq!(world.lines("log"), ["1", "2"]);
}

#[test]
fn a_time_limit_that_is_none_is_refused() {
    let world = World::new();
    for (given, words) in
        [("0s", "leave --timeout out"), ("10", "is no duration"), ("-1s", "is no duration"), ("soon", "is no duration")]
    {
        world.each(&[&format!("--timeout={given}")], "exit 0", numbers(1)).says(2, &[words, "--timeout"]);
        assert!(!world.store().exists());
    }
}

#[test]
fn a_failing_item_is_run_again_after_longer_and_longer_pauses() {
    let world = World::new();
    let script = r#"echo "$1" >> log; [ "$1" = bad ] && exit 7; [ "$MILEPOST_ATTEMPT" = 4 ]"#;
    let began = Instant::now();
    world
        .each(&["-j1", "--retries", "3", "--retry-delay", "20ms"], script, "flaky\nbad\n")
        .says(1, &["1 done, 1 failed in", "failed: bad: exit 7"]);
    // Twice 20 + 40 + 80 ms.
    assert!(began.elapsed() >= Duration::from_millis(280), "{:?}", began.elapsed());
    assert_eq!(world.lines("log"), ["flaky", "flaky", "flaky", "flaky", "bad", "bad", "bad", "bad"]);
    let rows = world.run(["results", "--job", "j", "-o", "jsonl"], "").says(0, &[]).stdout;
    let rows = String::from_utf8(rows).unwrap();
    assert_eq!(rows.matches(r#""attempt":4"#).count(), 2, "{rows}");
}

/// An item that waits for its next attempt does not hold up who wants to go. It was kept as failed, with nine retries
/// left.
#[test]
fn a_pause_ends_when_the_run_is_to_end() {
    for delay in ["600s", "99999999999h"] {
        let world = World::new();
        let options = ["-j1", "--print", "--retries", "9", "--retry-delay", delay];
        let mut child = world.milepost(each_args(&options, r#"echo >> log; exit 7"#)).spawn().unwrap();
        child.stdin.take().unwrap().write_all(b"a\nb\n").unwrap();
        while world.lines("log").is_empty() {
            spin_loop();
        }
        kill_process(Pid::from_child(&child), Signal::INT).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(130), "{output:?}");
        // It has not failed before its last retry: the next run takes it up, without being told to.
        assert!(String::from_utf8_lossy(&output.stderr).contains("j: 0 done in"), "{output:?}");
        assert_eq!(world.lines("log").len(), 1);
        world.each(&["-j1", "--same-job"], "true", "a\nb\n").says(0, &["j: 2 done in"]);
    }
}

#[test]
fn a_run_halts_after_so_many_failures() {
    let world = World::new();
    let script = r#"echo "$1" >> log; [ $(($1 % 3)) != 0 ]"#;
    let run = |options: &[&str]| world.each(&[&["-j1"], options].concat(), script, numbers(100));
    run(&["--halt", "soon:2"]).says(1, &["j: 4 done, 2 failed in", "halted after 2 failed", "goes on"]);
    assert_eq!(world.lines("log"), ["1", "2", "3", "4", "5", "6"]);
    // Failures of earlier runs do not count, but those of retried items do.
    run(&["--halt", "soon:2"]).says(1, &["j: 4 done, 2 failed, 4 done before, 2 failed before in"]);
    run(&["--halt", "now:3", "--retry-failed"]).says(1, &["j: 0 done, 3 failed, ", "halted after 3"]);
    let ran = run(&["--halt", "never"]).says(1, &["j: 59 done, 29 failed, 8 done before, 4 failed before in"]);
    assert!(!ran.stderr.contains("halted"), "{ran:?}");
    for policy in ["soon", "soon:0", "now:x", "later:1"] {
        run(&["--halt", policy]).says(2, &["write never, soon:N", "now:N"]);
    }
    run(&["--halt", "soon:1", "--stop-on-failure"]).says(2, &["cannot be used with"]);
}

/// What is ended is not counted, and runs again; what does not listen is killed.
#[test]
fn a_run_that_halts_now_ends_what_runs() {
    for (trap, kill_after) in [(":", "600s"), ("trap '' TERM", "10ms")] {
        let world = World::new();
        let script = format!(
            r#"{trap}; echo "$1" >> log
            [ "$1" = bad ] && {{ while [ "$(wc -l < log)" -lt 3 ]; do :; done; exit 1; }}
            [ -e mended ] || while :; do sleep 600; done"#
        );
        let options = ["-j3", "--halt", "now:1", "--kill-after", kill_after, "--retries", "0"];
        world
            .each(&options, &script, "a\nbad\nb\nnever\n")
            .says(1, &["ending the running commands", "j: 0 done, 1 failed in", "halted after 1 failed"]);
        assert_eq!(world.lines("log").len(), 3);
        std::fs::write(world.path("mended"), "").unwrap();
        world.each(&options, &script, "a\nbad\nb\nnever\n").says(1, &["j: 3 done, 1 failed before in"]);
    }
}

/// On a machine of up to 199 processors, one in a hundred is one command at a time.
#[test]
fn a_share_of_the_processors_is_a_number_of_commands() {
    let world = World::new();
    let script = r#"mkdir here || exit 1; rmdir here"#;
    world.each(&["-j", "1%"], script, numbers(50)).says(0, &["50 done in"]);
    world.each(&["--parallel=300%", "--restart"], "exit 0", numbers(50)).says(0, &["50 done in"]);
}
