//! What bounds a job: the time of a command, attempts, failures, slots.

use super::{World, numbers};

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
    assert!(csv.contains("long,failed,timed_out,,,1,"), "{csv}");
    // What it said until then is kept; with more time, it is done.
    world.run(["results", "--job", "j", "long"], "").says(0, &[]).prints("of long\n");
    world.each(&options, script, "long\nquick\n").says(1, &["0 done, 1 done before, 1 failed before"]);
}

#[test]
fn a_command_that_does_not_listen_is_killed_and_each_attempt_has_its_own_time() {
    let world = World::new();
    let script = r#"echo "$MILEPOST_ATTEMPT" >> log; trap '' TERM; while :; do sleep 600; done"#;
    world
        .each(&["--timeout", "100ms", "--kill-after", "10ms", "--retries", "1"], script, "a\n")
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
