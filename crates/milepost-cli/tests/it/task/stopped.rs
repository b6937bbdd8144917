//! Signals while a job is run or a step's command runs.

mod handed;
mod shells;

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    os::unix::process::{CommandExt, ExitStatusExt},
    process::{Child, ChildStderr, Command},
};

use rustix::process::{Pid, Signal, kill_process};

use super::super::world::World;

/// A running milepost in a group of its own, as a supervisor has it; the lines of its standard error are read.
struct Running {
    child: Child,
    stderr: BufReader<ChildStderr>,
    said: String,
}

impl Running {
    fn start(world: &World, args: &[&str]) -> Running {
        Running::spawn(world.command(args).process_group(0))
    }

    fn spawn(command: &mut Command) -> Running {
        let mut child = command.spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        Running { child, stderr, said: String::new() }
    }

    /// Reads on until a line with this text has come.
    fn says(&mut self, text: &str) {
        let from = self.said.len();
        while !self.said[from..].contains(text) {
            assert!(self.stderr.read_line(&mut self.said).unwrap() > 0, "{text:?} is missing in {}", self.said);
        }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// By which signal it died, as the code that a shell gives for it, with all that it said; all that it started and
    /// that holds its outputs has ended as well.
    fn end(mut self) -> (Option<i32>, String) {
        self.stderr.read_to_string(&mut self.said).unwrap();
        self.child.stdout.take().unwrap().read_to_end(&mut Vec::new()).unwrap();
        (self.child.wait().unwrap().signal().map(|signal| 128 + signal), self.said)
    }
}

fn job<'a>(submit: &'a str, find: &'a str, poll: &'a str) -> [&'a str; 11] {
    ["job", "run", "j", "--submit", submit, "--find", find, "--poll", poll, "--every", "1h"]
}

const FIND: &str = "head -n 1 mark 2>/dev/null || true";

/// Who stopped a job in the middle of its submit had it twice: milepost died and the submit, in a group of its own, ran
/// on; the next run asked `find` before the remote side knew the token, and submitted again. The submit is waited for.
#[test]
fn a_job_that_is_stopped_while_it_is_submitted_is_submitted_once() {
    for (signal, code, name) in [(Signal::TERM, 143, "SIGTERM"), (Signal::INT, 130, "SIGINT")] {
        let world = World::new();
        // As a remote side that knows a job only at the end of its submit; a time that is over in any case.
        let submit = "echo begun >&2; i=0; while ! test -e go && test $i -lt 200; do sleep .05; i=$((i+1)); done; \
                      echo id-7 >> mark; echo id-7";
        let args = job(submit, FIND, "echo finished ok");
        let mut running = Running::start(&world, &args);
        running.says("begun");
        running.signal(signal);
        fs::write(world.dir().join("go"), "").unwrap();
        let (ended, said) = running.end();
        assert_eq!(ended, Some(code), "{said}");
        let says = format!("job j: stopped by {name}; it was submitted (remote id id-7) and goes on");
        assert!(said.contains(&says) && said.contains("run the same command again"), "{said}");
        let got = world.ok(["job", "get", "j", "-o", "jsonl"]);
        assert!(got.contains(r#""state":"submitted""#) && got.contains("id-7"), "{got}");
        assert_eq!(world.ok(args), "ok\n");
        assert_eq!(fs::read_to_string(world.dir().join("mark")).unwrap(), "id-7\n");
    }
}

/// A second signal does not wait: the submit is killed with all that it has started, and what is not known is said.
#[test]
fn a_second_signal_kills_the_submit() {
    let world = World::new();
    let mut running = Running::start(&world, &job("echo begun >&2; sleep 20; echo id", FIND, "echo finished"));
    running.says("begun");
    running.signal(Signal::INT);
    running.says("its submit is waited for");
    running.signal(Signal::TERM);
    let (ended, said) = running.end();
    assert_eq!(ended, Some(130), "{said}");
    assert!(said.contains("its submit was killed") && said.contains("asks find first"), "{said}");
    assert!(world.ok(["job", "get", "j", "-o", "jsonl"]).contains(r#""state":"intended""#));
}

/// Where nothing is lost by it, the first signal ends it at once: in a pause, and in a poll or a find, which die too.
#[test]
fn a_job_that_waits_is_stopped_at_once() {
    for poll in ["echo begun >&2; echo pending RUNNING", "echo begun >&2; sleep 20; echo pending LATE"] {
        let world = World::new();
        let mut running = Running::start(&world, &job("echo id-7", FIND, poll));
        running.says("begun");
        running.signal(Signal::TERM);
        let (ended, said) = running.end();
        assert_eq!(ended, Some(143), "{said}");
        assert!(said.contains("(remote id id-7) and goes on"), "{said}");
    }
    let world = World::new();
    let ran = world.run(job("exit 1", FIND, "true"));
    assert_eq!(ran.code, Some(10), "{ran:?}");
    let mut running = Running::start(&world, &job("echo id >> mark", "echo begun >&2; sleep 20", "true"));
    running.says("begun");
    running.signal(Signal::INT);
    let (ended, said) = running.end();
    assert_eq!(ended, Some(130), "{said}");
    assert!(said.contains("asks find first") && !world.dir().join("mark").exists(), "{said}");
    let help = world.ok(["job", "run", "--help"]);
    assert!(help.contains("130 stopped by Ctrl-C, 143 by SIGTERM"), "{help}");
}

/// A cancel that was stopped left its command running, and nobody was told how it went.
#[test]
fn a_cancel_that_is_stopped_is_recorded() {
    let world = World::new();
    assert_eq!(world.run(job("echo id-7", FIND, "exit 1")).code, Some(10));
    let with = "echo begun >&2; i=0; while ! test -e go && test $i -lt 200; do sleep .05; i=$((i+1)); done";
    let mut running = Running::start(&world, &["job", "cancel", "j", "--with", with]);
    running.says("begun");
    running.signal(Signal::TERM);
    fs::write(world.dir().join("go"), "").unwrap();
    let (ended, said) = running.end();
    assert_eq!(ended, Some(143), "{said}");
    assert!(said.contains("it was cancelled, and that is recorded"), "{said}");
    assert!(world.ok(["job", "get", "j", "-o", "jsonl"]).contains(r#""state":"cancelled""#));
}

/// A step that was stopped left its command running, and the next run ran it beside that. The command gets the signal,
/// once, with what it has started, is waited for, and has not finished, whatever it exits with. So it is with a hangup,
/// which is what a terminal that goes away leaves of the script, and a quit: they left it running for longer.
#[test]
fn a_step_that_is_stopped_stops_its_command() {
    let waits = "i=0; while ! test -e go && test $i -lt 200; do sleep .05; i=$((i+1)); done";
    let signals = [(Signal::TERM, "TERM", 143), (Signal::INT, "INT", 130)];
    for (signal, word, code) in [&signals[..], &[(Signal::HUP, "HUP", 129), (Signal::QUIT, "QUIT", 131)]].concat() {
        let world = World::new();
        let script = format!("trap 'echo {word} >> got' {word}; echo ran >> ran; echo begun >&2; {waits}");
        let args = ["step", "s", "--", "sh", "-c", &script];
        let mut running = Running::start(&world, &args);
        running.says("begun");
        running.signal(signal);
        running.says(&format!("step s: stopped by SIG{word}"));
        fs::write(world.dir().join("go"), "").unwrap();
        let (ended, said) = running.end();
        assert_eq!(ended, Some(code), "{said}");
        assert!(said.contains("the next run runs it again"), "{said}");
        assert_eq!(fs::read_to_string(world.dir().join("got")).unwrap(), format!("{word}\n"));
        for _ in 0..2 {
            world.ok(args);
        }
        assert_eq!(fs::read_to_string(world.dir().join("ran")).unwrap(), "ran\nran\n", "once more, and then no more");
    }
    // What it has started, too.
    let world = World::new();
    let mut running = Running::start(&world, &["step", "s", "--", "sh", "-c", "sleep 20 & echo begun >&2; wait"]);
    running.says("begun");
    running.signal(Signal::TERM);
    let (ended, said) = running.end();
    assert_eq!(ended, Some(143), "{said}");
    let help = world.ok(["step", "--help"]);
    assert!(help.contains("130, 143  stopped by Ctrl-C or SIGTERM"), "{help}");
}
