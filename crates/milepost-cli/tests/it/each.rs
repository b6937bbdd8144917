//! `milepost each` and `milepost results`: the real binary, real processes, real kills.

#![expect(clippy::unwrap_used, reason = "a test that fails may panic")]

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    fs,
    hint::spin_loop,
    io::{BufRead, BufReader, Read, Write},
    path::PathBuf,
    process::{Child, ChildStderr, Command, Output, Stdio},
    time::{Duration, Instant},
};

use milepost::{ContentType, Scope, SetOptions, Store};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// A directory with a store in it, and what the tests do to it.
struct World(TempDir);

impl World {
    fn new() -> World {
        World(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn store(&self) -> PathBuf {
        self.path("store")
    }

    fn milepost<I: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = I>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_milepost"));
        command.arg("--store").arg(self.store()).args(args).current_dir(self.0.path());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs a command line with `input` on its standard input.
    fn run<I: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = I>, input: impl AsRef<[u8]>) -> Ran {
        feed(self.milepost(args), input.as_ref())
    }

    /// Runs a shell script per item, which is `$1` in it.
    fn each(&self, options: &[&str], script: &str, input: impl AsRef<[u8]>) -> Ran {
        self.run(each_args(options, script), input)
    }

    fn lines(&self, name: &str) -> Vec<String> {
        let text = fs::read_to_string(self.path(name)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
}

fn each_args<'a>(options: &[&'a str], script: &'a str) -> Vec<&'a str> {
    let mut args = vec!["each", "--job", "j"];
    args.extend(options);
    args.extend(["--", "sh", "-c", script, "sh", "{}"]);
    args
}

fn feed(mut command: Command, input: &[u8]) -> Ran {
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // A program that ends early closes its end: that is its right.
    let feeder = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    feeder.join().unwrap();
    Ran { code: status.code(), stdout, stderr: String::from_utf8(stderr).unwrap() }
}

#[derive(Debug)]
struct Ran {
    code: Option<i32>,
    stdout: Vec<u8>,
    stderr: String,
}

impl Ran {
    /// Demands an exit code and words on standard error.
    #[track_caller]
    fn says(self, code: i32, words: &[&str]) -> Ran {
        assert_eq!(self.code, Some(code), "{self:?}");
        for word in words {
            assert!(self.stderr.contains(word), "no {word:?} in: {}", self.stderr);
        }
        self
    }

    /// Demands the whole standard output.
    #[track_caller]
    fn prints(self, stdout: impl AsRef<[u8]>) -> Ran {
        assert_eq!(self.stdout.escape_ascii().to_string(), stdout.as_ref().escape_ascii().to_string());
        self
    }
}

fn numbers(count: usize) -> String {
    (1..=count).map(|n| format!("{n}\n")).collect()
}

#[test]
fn each_item_runs_once_and_nothing_is_printed() {
    let world = World::new();
    let script = r#"echo "$1" >> log"#;
    world.each(&["-j3"], script, numbers(50)).says(0, &["j: 50 done in", "50 marks durable at seq"]).prints("");
    let mut ran: Vec<usize> = world.lines("log").iter().map(|line| line.parse().unwrap()).collect();
    ran.sort_unstable();
    assert_eq!(ran, (1..=50).collect::<Vec<_>>());
    // Again, with some more: only those run.
    world.each(&["-j3"], script, numbers(52)).says(0, &["j: 2 done, 50 done before in"]);
    world.each(&[], script, numbers(52)).says(0, &["j: 0 done, 52 done before in", "nothing new to mark"]);
    assert_eq!(world.lines("log").len(), 52);
}

#[test]
fn items_reach_the_command_byte_for_byte() {
    let world = World::new();
    let items = [
        "a b",
        "  lead",
        "-rf",
        "--",
        "it's",
        "\"q\"",
        "$HOME `id` \\",
        "*",
        "ünï \u{202e}",
        "{}",
        "\r",
        "&;|<>",
        "a{}b",
    ];
    let script = r#"printf '%s\0' "$1" >> log; printf %s "$1""#;
    world.each(&["-j1"], script, items.join("\n")).says(0, &["13 done"]);
    let with_newlines = ["a\nb", "\n", "end\n"];
    world.each(&["-j1", "-0"], script, with_newlines.join("\0")).says(0, &["3 done"]);
    let log = fs::read_to_string(world.path("log")).unwrap();
    let ran: Vec<&str> = log.split_terminator('\0').collect();
    assert_eq!(ran, [&items[..], &with_newlines[..]].concat());
    for item in ran {
        world.run(["results", "--job", "j", "--", item], "").says(0, &[]).prints(item);
    }
}

#[test]
fn the_item_is_put_in_wherever_it_is_asked_for() {
    let world = World::new();
    world
        .run(["each", "--job", "a", "-j1", "--print", "--", "echo", "x{}y", "{}"], "1\n2\n")
        .says(0, &[])
        .prints("x1y 1\nx2y 2\n");
    world.run(["each", "--job", "b", "-j1", "--print", "--", "echo", "last"], "1\n").says(0, &[]).prints("last 1\n");
    // A program that depends on the item: one that is not there is that item's failure.
    world
        .run(["each", "--job", "c", "-j1", "--print", "--", "/bin/{}", "hi"], "echo\nnone-such\n")
        .says(1, &["none-such: not started: /bin/none-such: No such file"])
        .prints("hi\n");
}

#[test]
fn commands_see_their_item_job_and_attempt_and_an_empty_input() {
    let world = World::new();
    let script = r#"cat; echo "$MILEPOST_ITEM,$MILEPOST_JOB,$MILEPOST_ATTEMPT" >> log; exit 1"#;
    world.each(&["--retries", "1"], script, "a b\n").says(1, &["1 failed"]);
    world.each(&["-j1", "--retry-failed"], script, "a b\nnever read by a command\n").says(1, &["2 failed"]);
    assert_eq!(world.lines("log")[..3], ["a b,j,1", "a b,j,2", "a b,j,3"]);
}

#[test]
fn failed_items_are_kept_listed_and_retried_on_request() {
    let world = World::new();
    let script = r#"echo "out $1"; [ -e mended ] || [ "$1" -lt 9 ] || { echo "why $1" >&2; exit 3; }"#;
    world
        .each(&["-j1"], script, numbers(10))
        .says(1, &["8 done, 2 failed", "failed: 9: exit 3: why 9", "failed: 10: exit 3: why 10", "--retry-failed"]);
    let rows = world.run(["results", "--job", "j", "--failed", "-o", "jsonl"], "").says(0, &[]);
    let rows = String::from_utf8(rows.stdout).unwrap();
    assert_eq!(rows.lines().count(), 2, "{rows}");
    assert!(rows.contains(r#""item":"9""#) && rows.contains(r#""exit":3"#), "{rows}");
    world.run(["results", "--job", "j", "9", "--stderr"], "").says(0, &[]).prints("why 9\n");
    world.run(["results", "--job", "j", "9"], "").says(0, &[]).prints("out 9\n");
    fs::write(world.path("mended"), "").unwrap();
    world
        .each(&[], script, numbers(10))
        .says(1, &["0 done, 8 done before, 2 failed before", "2 failed (2 of them before)"]);
    world.each(&["--retry-failed"], script, numbers(10)).says(0, &["2 done, 8 done before"]);
    world.run(["results", "--job", "j", "--failed", "-o", "jsonl"], "").says(0, &[]).prints("");
}

#[test]
fn a_signal_that_ends_a_command_is_its_failure() {
    let world = World::new();
    world.each(&[], "kill -SEGV $$", "a\n").says(1, &["failed: a: SIGSEGV"]);
}

#[test]
fn a_run_stops_on_failure_if_asked_to() {
    let world = World::new();
    let script = r#"echo "$1" >> log; [ "$1" != 3 ]"#;
    world.each(&["-j1", "--stop-on-failure"], script, numbers(100)).says(1, &["2 done, 1 failed"]);
    assert_eq!(world.lines("log").len(), 3);
}

#[test]
fn outputs_read_back_to_the_byte() {
    let world = World::new();
    let bytes: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    for (name, length) in [("a", 100_000), ("b", 65_536), ("c", 1), ("d", 0)] {
        fs::write(world.path(name), &bytes[..length]).unwrap();
    }
    world.each(&[], r#"cat "$1""#, "d\nc\nb\na\n").says(0, &[]).prints("");
    world.run(["results", "--job", "j", "b"], "").says(0, &[]).prints(&bytes[..65_536]);
    world.run(["results", "--job", "j", "c"], "").says(0, &[]).prints(&bytes[..1]);
    world.run(["results", "--job", "j", "d"], "").says(0, &[]).prints("");
    // More than is kept: said, not passed over.
    world
        .run(["results", "--job", "j", "a"], "")
        .says(0, &["34464 of 100000 bytes of a were not kept", "--keep-output"])
        .prints(&bytes[..65_536]);
    // All of them, in the order of their names.
    let all = [&bytes[..65_536], &bytes[..65_536], &bytes[..1]].concat();
    world.run(["results", "--job", "j", "--outputs"], "").says(0, &["not kept"]).prints(all);
    // Printed as they come, they are whole whatever is kept.
    world.each(&["--restart", "--print", "--keep-output", "10"], r#"cat "$1""#, "a\n").says(0, &[]).prints(&bytes);
}

#[test]
fn another_command_is_refused_unless_it_is_said_what_that_means() {
    let world = World::new();
    world.each(&[], r#"echo "$1" >> one"#, numbers(3)).says(0, &["3 done"]);
    let other = r#"echo "$1" >> two"#;
    world
        .each(&[], other, numbers(4))
        .says(2, &["ran another command before", ">> one", ">> two", "--same-job", "--restart"]);
    assert!(world.lines("two").is_empty());
    world.each(&["--same-job"], other, numbers(4)).says(0, &["1 done, 3 done before"]);
    world.each(&["--restart"], other, numbers(4)).says(0, &["4 done in"]);
    assert_eq!(world.lines("two").len(), 5);
    world.each(&["--restart", "--same-job"], other, "").says(2, &["cannot be used with"]);
}

#[test]
fn what_is_no_item_is_named_and_the_rest_runs() {
    let world = World::new();
    let mut input = b"good\n".to_vec();
    input.extend_from_slice(&[b'x'; 1025]);
    input.extend_from_slice(b"\n\xff\xfe\na\0b\n");
    input.extend_from_slice(&[b'y'; 1024]);
    world.each(&[], "exit 0", input).says(
        1,
        &[
            "2 done, 3 refused",
            "line 2 is no item: it has 1025 bytes",
            "line 3 is no item: it is not UTF-8",
            "line 4 is no item: it holds a NUL",
        ],
    );
}

#[test]
fn an_item_that_stands_twice_in_the_input_runs_once() {
    let world = World::new();
    let script = r#"echo "$1" >> log; [ "$1" != bad ]"#;
    let input = "a\nbad\n".repeat(500);
    world.each(&["-j4"], script, &input).says(1, &["1 done, 1 failed, 998 repeated in the input"]);
    world
        .each(&["-j4", "--retry-failed"], script, &input)
        .says(1, &["0 done, 1 failed, 500 done before, 499 repeated"]);
    assert_eq!(world.lines("log").len(), 3);
}

#[test]
fn nothing_to_do_is_no_failure() {
    let world = World::new();
    world.each(&[], "exit 1", "").says(0, &["j: 0 done in"]);
    world.each(&[], "exit 1", "\n\n\n").says(0, &["j: 0 done in"]);
    // Nothing was marked, so another command is no other job.
    world.each(&[], "exit 0", "a\n").says(0, &["1 done"]);
}

#[test]
fn what_can_not_begin_leaves_nothing_behind() {
    let world = World::new();
    let rows: [(&[&str], i32, &str); 7] = [
        (&["each", "--job", "j", "--", "no-such-command-anywhere"], 127, "was not found in any directory of PATH"),
        (&["each", "--job", "j", "--", "/etc/passwd"], 127, "not executable"),
        (&["each", "--job", "j/", "--", "true"], 2, "--job: segment "),
        (&["each", "--job", "", "--", "true"], 2, "--job: segment "),
        (&["each", "--job", "j", "-j0", "--", "true"], 2, "0 is not in 1..=4096"),
        (&["each", "--job", "j"], 2, "COMMAND"),
        (
            &["each", "--job", "j", "--items", "none-such", "--", "true"],
            2,
            "can't read the items from none-such: No such file",
        ),
    ];
    for (args, code, words) in rows {
        world.run(args, "a\n").says(code, &[words]);
        assert!(!world.store().exists(), "{args:?}");
    }
}

#[test]
fn items_come_from_a_file_too() {
    let world = World::new();
    fs::write(world.path("items"), "1\n2\n").unwrap();
    world
        .each(&["--items", "items", "-j1", "--print"], "cat; echo $1", "not an item\n")
        .says(0, &["2 done"])
        .prints("1\n2\n");
}

#[test]
fn outputs_are_printed_whole_and_prefixed_on_request() {
    let world = World::new();
    let script = r#"for n in 1 2 3; do echo "$1-$n"; done; echo "e$1" >&2"#;
    let printed = world.each(&["-j4", "--print"], script, numbers(30)).says(0, &["e7\n"]).stdout;
    let printed = String::from_utf8(printed).unwrap();
    for n in 1..=30 {
        assert!(printed.contains(&format!("{n}-1\n{n}-2\n{n}-3\n")), "{printed}");
    }
    world
        .each(&["-j1", "--print", "--prefix"], script, "a b\n")
        .says(0, &["\"a b\": ea b\n"])
        .prints("\"a b\": a b-1\n\"a b\": a b-2\n\"a b\": a b-3\n");
}

/// Kills a job again and again at random moments, and lets it go on: every item runs, and none again that had ended.
///
/// What was printed had ended. A mark that was still on its way to the log when its next command had begun was once lost
/// with a kill, and its item ran again.
#[test]
fn sigkill_at_any_moment_repeats_only_what_was_running() {
    const ITEMS: usize = 300;
    const SLOTS: usize = 3;
    let world = World::new();
    let args = each_args(&["-j3", "--print"], r#"echo "$1" >> log; echo "$1""#);
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let mut printed = BTreeSet::new();
    let mut kills = 0;
    loop {
        let mut child = world.milepost(&args).spawn().unwrap();
        child.stdin.take().unwrap().write_all(numbers(ITEMS).as_bytes()).unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let (lines, wait) = (dice.below(12), Duration::from_micros(dice.below(3000)));
        let mut ended = Vec::new();
        for _ in 0..lines {
            stdout.read_until(b'\n', &mut ended).unwrap();
        }
        let until = Instant::now() + wait;
        while Instant::now() < until {
            spin_loop();
        }
        child.kill().unwrap();
        stdout.read_to_end(&mut ended).unwrap();
        for item in String::from_utf8(ended).unwrap().split_inclusive('\n').filter(|item| item.ends_with('\n')) {
            assert!(printed.insert(item.to_owned()), "item {item:?} ran again after it had ended, kill {kills}");
        }
        let status = child.wait().unwrap();
        if status.success() {
            break;
        }
        assert_eq!(status.code(), None, "it fails only by being killed");
        kills += 1;
        assert!(kills < 400, "no way forward");
    }
    assert!(kills > 10, "only {kills} kills: the job is too quick to be tested");
    let runs = world.lines("log");
    assert_eq!(runs.iter().collect::<BTreeSet<_>>().len(), ITEMS);
    let repeats = runs.len() - ITEMS;
    assert!(repeats <= kills * SLOTS, "{repeats} repeats after {kills} kills of {SLOTS} commands at a time");
    world.run(&args, numbers(ITEMS)).says(0, &["0 done, 300 done before"]);
    assert_eq!(world.lines("log").len(), runs.len());
    assert!(!world.store().join("each.handover").exists());
}

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// A job whose commands append their item to `log`, say in the pipe `began` that they have begun, and then wait until the
/// pipe `go` lets them. Item `quick` does nothing of that.
struct Held {
    child: Option<Child>,
    stderr: BufReader<ChildStderr>,
    began: BufReader<fs::File>,
    go: fs::File,
}

const HELD: &str = r#"[ "$1" = quick ] && exit; echo "$1" >> log; echo "$1" > began; read line < go"#;

impl Held {
    /// Starts the job over these items, and returns when `began` of them have.
    fn begin(world: &World, options: &[&str], items: &str, began: usize) -> Held {
        for pipe in ["began", "go"].iter().filter(|pipe| !world.path(pipe).exists()) {
            let made = Command::new("mkfifo").arg(world.path(pipe)).status().unwrap();
            assert!(made.success());
        }
        // Open both ways, so that no open waits and no writer leaves an end of file behind.
        let pipe = |name| fs::File::options().read(true).write(true).open(world.path(name)).unwrap();
        let mut child = world.milepost(each_args(options, HELD)).spawn().unwrap();
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

    fn kill(mut self) {
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
    for signal in [Signal::INT, Signal::TERM] {
        let world = World::new();
        let mut held = Held::begin(&world, &["-j2"], &numbers(10), 2);
        held.signal(signal);
        held.hear("waiting for the running commands");
        held.let_go(2);
        held.hear("j: 2 done in");
        held.hear("run the same command again");
        assert_eq!(held.wait(), Some(130));
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

/// The handover file keeps marks that are long durable until they are overwritten. Cleared by hand after a kill, they must
/// not come back from there.
#[test]
fn a_handover_is_left_alone_when_somebody_wrote_since() {
    for by_hand in [false, true] {
        let world = World::new();
        Held::begin(&world, &["-j1"], "quick\nheld\n", 1).kill();
        assert!(world.store().join("each.handover").exists());
        if by_hand {
            let store = Store::open(world.store()).unwrap();
            store.clear(&Scope::parse("each/j").unwrap()).unwrap();
            store.close().unwrap();
        }
        let counts = if by_hand { "1 done in" } else { "0 done, 1 done before in" };
        world.each(&["--same-job"], HELD, "quick\n").says(0, &[counts]);
    }
}

/// The file is all there is of an ending whose mark did not reach the log: it is taken over once, whatever runs next.
#[test]
fn a_handover_is_taken_over_by_the_next_run_of_any_job() {
    let world = World::new();
    Held::begin(&world, &["-j1"], "quick\nheld\n", 1).kill();
    // As if the kill had come between the end of the command and the write of its mark.
    let handover = fs::read(world.store().join("each.handover")).unwrap();
    let other = World::new();
    Held::begin(&other, &["-j1"], "held\n", 1).kill();
    fs::write(other.store().join("each.handover"), handover).unwrap();
    other.run(["each", "--job", "another", "--", "true"], "x\n").says(0, &["another: 1 done"]);
    let rows = other.run(["results", "--job", "j", "-o", "jsonl"], "").says(0, &[]).stdout;
    assert!(String::from_utf8(rows).unwrap().contains(r#""item":"quick""#));
}

#[test]
fn going_on_over_many_done_items_is_quick() {
    const ITEMS: usize = 100_000;
    let world = World::new();
    world.each(&[], "exit 0", "1\n").says(0, &["1 done"]);
    let store = Store::open(world.store()).unwrap();
    let scope = Scope::parse("each/j").unwrap();
    let text = SetOptions { content_type: Some(ContentType::TEXT), ..SetOptions::default() };
    let all = (2..=ITEMS).fold(store.commit(), |commit, n| commit.set_with(&scope, &n.to_string(), b"0 1", &text));
    all.durable().unwrap();
    store.close().unwrap();
    let began = Instant::now();
    world.each(&[], "exit 0", numbers(ITEMS + 1)).says(0, &["j: 1 done, 100 000 done before in"]);
    // A hundred times what it takes when nothing else runs.
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
}

#[test]
fn a_value_that_is_no_mark_is_named_and_not_guessed_at() {
    let world = World::new();
    world.each(&[], "exit 0", "1\n2\n").says(0, &["2 done"]);
    let store = Store::open(world.store()).unwrap();
    store.set(&Scope::parse("each/j").unwrap(), "2", b"yes").unwrap();
    store.close().unwrap();
    world.each(&[], "exit 0", "1\n2\n").says(4, &["item 2 of each/j (seq ", "): \"yes\" is not the mark of an item"]);
    world.run(["results", "--job", "j"], "").says(4, &["is not the mark of an item"]);
}

#[test]
fn jobs_are_listed_with_their_counts() {
    let world = World::new();
    world.each(&[], "[ $1 != 2 ]", numbers(3)).says(1, &[]);
    world.run(["each", "--job", "b", "--", "true"], "x\n").says(0, &[]);
    world.run(["results", "-o", "csv"], "").says(0, &[]);
    let rows = String::from_utf8(world.run(["results", "-o", "jsonl"], "").says(0, &[]).stdout).unwrap();
    let rows: Vec<&str> = rows.lines().collect();
    assert!(rows[0].starts_with(r#"{"job":"b","done":1,"failed":0,"runs":1,"command":"true""#), "{rows:?}");
    assert!(rows[1].starts_with(r#"{"job":"j","done":2,"failed":1,"runs":1,"command":"#), "{rows:?}");
    world.run(["results", "--job", "none"], "").says(1, &["there is no job none"]);
    world.run(["results", "--job", "j", "7"], "").says(1, &["job j has no mark of item 7"]);
}
