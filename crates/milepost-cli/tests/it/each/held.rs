//! Jobs stopped while commands run: interrupted, killed, or asked for by a second process.

use std::{
    fs,
    hint::spin_loop,
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStderr, Command},
};

use milepost::{Scope, Store};
use rustix::process::{Pid, Signal, kill_process};

use super::{World, each_args, numbers};

/// A job whose commands append their item to `log`, say in the pipe `began` that they have begun, and then wait until
/// the pipe `go` lets them. Item `quick` does nothing of that.
pub(super) struct Held {
    child: Option<Child>,
    stderr: BufReader<ChildStderr>,
    began: BufReader<fs::File>,
    go: fs::File,
}

pub(super) const HELD: &str = r#"[ "$1" = quick ] && exit; echo "$1" >> log; echo "$1" > began; read line < go"#;

impl Held {
    /// Starts the job over these items, and returns when `began` of them have.
    pub(super) fn begin(world: &World, options: &[&str], items: &str, began: usize) -> Held {
        Held::begin_with(world, options, HELD, items, began)
    }

    fn begin_with(world: &World, options: &[&str], script: &str, items: &str, began: usize) -> Held {
        for pipe in ["began", "go"].iter().filter(|pipe| !world.path(pipe).exists()) {
            let made = Command::new("mkfifo").arg(world.path(pipe)).status().unwrap();
            assert!(made.success());
        }
        // Open both ways, so that no open waits and no writer leaves an end of file behind.
        let pipe = |name| fs::File::options().read(true).write(true).open(world.path(name)).unwrap();
        let mut child = world.milepost(each_args(options, script)).spawn().unwrap();
        child.stdin.take().unwrap().write_all(items.as_bytes()).unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let mut held = Held { child: Some(child), stderr, began: BufReader::new(pipe("began")), go: pipe("go") };
        for _ in 0..began {
            held.began.read_line(&mut String::new()).unwrap();
        }
        held
    }

    fn let_go(&mut self, count: usize) {
        self.go.write_all(&vec![b'\n'; count]).unwrap();
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(self.child.as_ref().unwrap()), signal).unwrap();
    }

    /// Waits until standard error says something, and returns the line.
    fn hear(&mut self, words: &str) -> String {
        let mut line = String::new();
        while !line.contains(words) {
            line.clear();
            assert_ne!(self.stderr.read_line(&mut line).unwrap(), 0, "it ended without saying {words:?}");
        }
        line
    }

    fn wait(mut self) -> Option<i32> {
        self.child.take().unwrap().wait().unwrap().code()
    }

    pub(super) fn kill(mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        // What it had running lives on: it is let go, so that it leaves with the test.
        self.let_go(64);
    }
}

/// Killed if the test fails, so that it leaves nothing running.
impl Drop for Held {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
            self.let_go(64);
        }
    }
}

#[test]
fn the_first_interrupt_lets_running_commands_finish() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let world = World::new();
        let mut held = Held::begin(&world, &["-j2"], &numbers(10), 2);
        held.signal(signal);
        held.hear("waiting for the running commands");
        held.let_go(2);
        held.hear("j: 2 done in");
        held.hear("run the same command again");
        assert_eq!(held.wait(), Some(code));
        assert_eq!(world.lines("log").len(), 2);
        world.run(["results", "--job", "j", "-o", "jsonl"], "").says(0, &[]);
        // The store is free, and the job goes on.
        let mut held = Held::begin(&world, &["-j8"], &numbers(10), 8);
        held.let_go(8);
        held.hear("j: 8 done, 2 done before in");
        assert_eq!(held.wait(), Some(0));
        assert_eq!(world.lines("log").len(), 10);
    }
}

#[test]
fn the_second_interrupt_ends_running_commands_and_does_not_count_them() {
    let world = World::new();
    let mut held = Held::begin(&world, &["-j2", "--retries", "5"], &numbers(10), 2);
    held.signal(Signal::INT);
    held.hear("waiting for the running commands");
    held.signal(Signal::INT);
    held.hear("ending the running commands");
    held.hear("j: 0 done in");
    assert_eq!(held.wait(), Some(130));
    assert_eq!(world.lines("log").len(), 2);
    world.run(["results", "--job", "j", "-o", "jsonl"], "").says(0, &[]).prints("");
}

#[test]
fn an_interrupt_is_heard_while_the_input_is_silent() {
    let world = World::new();
    let mut child = world.milepost(each_args(&[], "echo $1 >> log")).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"1\n").unwrap();
    while world.lines("log").is_empty() {
        spin_loop();
    }
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{output:?}");
    drop(stdin);
}

#[test]
fn a_second_process_is_told_who_holds_the_store() {
    let world = World::new();
    let mut held = Held::begin(&world, &["-j1"], "1\n", 1);
    let pid = held.child.as_ref().unwrap().id().to_string();
    world.each(&[], "exit 0", "1\n").says(5, &["is held by", &pid]);
    // Reading beside it is allowed.
    world.run(["results", "--job", "j", "-o", "jsonl"], "").says(0, &[]).prints("");
    held.let_go(1);
    assert_eq!(held.wait(), Some(0));
}

/// The handover file keeps marks that are long durable until they are overwritten. Cleared by hand after a kill, they
/// must not come back from there.
#[test]
fn a_handover_is_left_alone_when_somebody_wrote_since() {
    for by_hand in [false, true] {
        let world = World::new();
        let held = Held::begin(&world, &["-j1"], "quick\nheld\n", 1);
        let items = Scope::parse("each/j").unwrap();
        let marked = |store: Store| store.progress(&items, "items").unwrap().summary().unwrap().done > 0;
        while !marked(Store::read_only(world.store()).unwrap()) {
            spin_loop();
        }
        held.kill();
        assert!(world.store().join("each.handover").exists());
        if by_hand {
            let store = Store::open(world.store()).unwrap();
            store.progress(&items, "items").unwrap().reset_all().unwrap();
            store.close().unwrap();
        }
        let counts = if by_hand { "1 done in" } else { "0 done, 1 done before in" };
        world.each(&["--same-job"], HELD, "quick\n").says(0, &[counts]);
    }
}

/// A killed run of `quick`, which ended, and `held`; and one whose kill came between the end of `quick` and the write
/// of its mark: only the handover file knows.
pub(super) fn left_behind() -> (World, World) {
    let world = World::new();
    Held::begin(&world, &["-j1"], "quick\nheld\n", 1).kill();
    let handover = fs::read(world.store().join("each.handover")).unwrap();
    let other = World::new();
    Held::begin(&other, &["-j1"], "held\n", 1).kill();
    fs::write(other.store().join("each.handover"), handover).unwrap();
    (world, other)
}

/// The file is all there is of an ending whose mark did not reach the log: it is taken over once, whatever runs next.
#[test]
fn a_handover_is_taken_over_by_the_next_run_of_any_job() {
    let (_, other) = left_behind();
    other.run(["each", "--job", "another", "--", "true"], "x\n").says(0, &["another: 1 done"]);
    let rows = other.run(["results", "--job", "j", "-o", "jsonl"], "").says(0, &[]).stdout;
    assert!(String::from_utf8(rows).unwrap().contains(r#""item":"quick""#));
}

/// Whoever stopped the run already needs to ask only once more, and an error counts as asking.
#[test]
fn after_a_failure_that_stops_the_run_one_interrupt_ends_what_runs() {
    let world = World::new();
    let script = r#"if [ "$1" = bad ]; then read line < go; exit 1; fi; echo > began; sleep 600"#;
    let mut held = Held::begin_with(&world, &["-j2", "--stop-on-failure"], script, "bad\nlong\nnever\n", 1);
    held.let_go(1);
    held.hear("waiting for the running commands");
    held.signal(Signal::INT);
    held.hear("ending the running commands");
    held.hear("j: 0 done, 1 failed");
    assert_eq!(held.wait(), Some(130));
}

/// What does not end when it is asked to is killed after its time, without a third request.
#[test]
fn the_second_interrupt_kills_what_does_not_end() {
    let world = World::new();
    let script = r#"trap '' TERM; echo > began; while :; do sleep 0.1; done"#;
    let mut held = Held::begin_with(&world, &["-j1", "--kill-after", "100ms"], script, "1\n2\n", 1);
    held.signal(Signal::INT);
    held.hear("waiting for the running commands");
    held.signal(Signal::INT);
    held.hear("ending the running commands");
    held.hear("j: 0 done in");
    assert_eq!(held.wait(), Some(130));
}
