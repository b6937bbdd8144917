use std::{
    process::Command,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use rustix::process::Signal;

use super::{Ending, Outputs, Rest, Slot, TimeLimit};

fn sh(script: &str) -> Command {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script]);
    command
}

struct Case {
    script: &'static str,
    ending: Ending,
    stdout: &'static [u8],
    stderr: &'static [u8],
}

#[test]
fn endings_and_outputs_are_told_apart() {
    let slot = Slot::default();
    let mut outputs = Outputs::new(8, Rest::Dropped);
    let rows = [
        Case { script: ":", ending: Ending::Exit(0), stdout: b"", stderr: b"" },
        Case {
            script: "printf 'a\\n\\377'; printf b >&2; exit 7",
            ending: Ending::Exit(7),
            stdout: b"a\n\xff",
            stderr: b"b",
        },
        Case { script: "kill -9 $$", ending: Ending::Signal(9), stdout: b"", stderr: b"" },
        Case { script: "exec >&- 2>&-; exit 255", ending: Ending::Exit(255), stdout: b"", stderr: b"" },
        Case { script: "printf 123456789", ending: Ending::Exit(0), stdout: b"12345678", stderr: b"" },
    ];
    for row in rows {
        let ended = slot.run(&mut sh(row.script), &mut outputs, None).unwrap();
        assert_eq!(ended.ending, row.ending, "{}", row.script);
        assert_eq!(outputs.stdout.kept().bytes, row.stdout, "{}", row.script);
        assert_eq!(outputs.stderr.kept().bytes, row.stderr, "{}", row.script);
    }
    assert_eq!(outputs.stdout.kept().total_bytes, 9);
    assert_eq!(outputs.stdout.kept().cut_bytes(), 1);
}

#[test]
fn more_than_a_pipe_holds_on_both_outputs_at_once() {
    let slot = Slot::default();
    let script = "head -c 1000000 /dev/zero & head -c 1000000 /dev/zero >&2; wait; printf end";
    let mut outputs = Outputs::new(100, Rest::PutAside);
    slot.run(&mut sh(script), &mut outputs, None).unwrap();
    let mut whole = Vec::new();
    outputs.stdout.copy_to(&mut whole).unwrap();
    assert_eq!(whole.len(), 1_000_003);
    assert!(whole.ends_with(b"\0end"));
    assert_eq!(outputs.stdout.kept().bytes.len(), 100);
    assert_eq!(outputs.stderr.kept().total_bytes, 1_000_000);
}

/// `server &` in a script once held its item up for as long as the server lived.
#[test]
fn a_process_left_behind_does_not_hold_the_item_up() {
    let slot = Slot::default();
    let mut outputs = Outputs::new(100, Rest::Dropped);
    let begun = Instant::now();
    let ended = slot.run(&mut sh("sleep 30 & echo $!; echo said"), &mut outputs, None).unwrap();
    let said = String::from_utf8(outputs.stdout.kept().bytes.to_vec()).unwrap();
    let (left, said) = said.split_once('\n').unwrap();
    Command::new("kill").arg(left).status().unwrap();
    assert_eq!((ended.ending, said), (Ending::Exit(0), "said\n"));
    assert!(begun.elapsed() < Duration::from_secs(20));
}

#[test]
fn a_signal_reaches_the_command_and_its_children() {
    let slot = Arc::new(Slot::default());
    let runner = Arc::clone(&slot);
    let begun = Instant::now();
    let running = thread::spawn(move || {
        let mut outputs = Outputs::new(100, Rest::Dropped);
        // A pipeline, so that killing the shell alone would not do.
        runner.run(&mut sh("sleep 60 | cat"), &mut outputs, None).map(|ended| ended.ending).unwrap()
    });
    // Whether it has started or not: it is delivered either way.
    slot.signal(Signal::KILL);
    assert_eq!(running.join().unwrap(), Ending::Signal(9));
    assert!(begun.elapsed() < Duration::from_secs(30));
    // Nothing runs any more: nobody is hit.
    slot.signal(Signal::KILL);
}

#[test]
fn what_cannot_be_started_is_an_error() {
    let error = Slot::default()
        .run(&mut Command::new("/nonexistent/x"), &mut Outputs::new(1, Rest::Dropped), None)
        .unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
}

/// Ended in time, asked to end, killed: and nothing of it is left, whether it listens to its outputs or not.
#[test]
fn a_command_that_takes_too_long_is_asked_to_end_and_then_killed() {
    let limit =
        |timeout, grace| TimeLimit { timeout: Duration::from_millis(timeout), grace: Duration::from_millis(grace) };
    const LONG: u64 = 600_000;
    let rows = [
        ("printf in-time", limit(LONG, LONG), Ending::Exit(0), &b"in-time"[..]),
        ("exec >&- 2>&-; exit 3", limit(LONG, LONG), Ending::Exit(3), b""),
        ("printf said; sleep 600 | cat", limit(50, LONG), Ending::TimedOut, b"said"),
        ("exec >&- 2>&-; exec sleep 600", limit(50, LONG), Ending::TimedOut, b""),
        // It may have the last word, but not success.
        ("trap 'printf bye; exit 0' TERM; sleep 600 & wait", limit(200, LONG), Ending::TimedOut, b"bye"),
        ("trap '' TERM; while :; do sleep 600; done", limit(50, 50), Ending::TimedOut, b""),
        // More than all time: never.
        ("exit 4", TimeLimit { timeout: Duration::MAX, grace: Duration::MAX }, Ending::Exit(4), b""),
    ];
    for (script, limit, ending, stdout) in rows {
        let (slot, mut outputs, begun) = (Slot::default(), Outputs::new(100, Rest::Dropped), Instant::now());
        let ended = slot.run(&mut sh(script), &mut outputs, Some(limit)).unwrap();
        assert_eq!((ended.ending, outputs.stdout.kept().bytes), (ending, stdout), "{script}");
        assert!(begun.elapsed() < Duration::from_secs(60), "{script}");
    }
}
