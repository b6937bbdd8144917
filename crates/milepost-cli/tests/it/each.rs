//! `milepost each` and `milepost results`: the real binary and real processes.
//!
//! `dry_run`: jobs only shown. `full`: jobs on a bad disk. `held`: jobs stopped while commands run. `kill`: jobs
//! killed at random moments. `left`: what is said to be left. `limits`: time, retries and halting. `order`: outputs in
//! the order of the input. `taken_over`: jobs that somebody else goes on with.

#![expect(clippy::unwrap_used, reason = "a test that fails may panic")]

use std::{
    ffi::OsStr,
    fs,
    io::Write,
    os::unix::ffi::OsStrExt,
    path::PathBuf,
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use milepost::{Scope, Store};
use tempfile::TempDir;

mod dry_run;
mod full;
mod held;
mod kill;
mod left;
mod limits;
mod order;
mod taken_over;

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
    world.each(&["--retries", "1", "--retry-delay", "0s"], script, "a b\n").says(1, &["1 failed"]);
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
    world.each(&["--resume-failed"], script, numbers(10)).says(0, &["2 done, 8 done before"]);
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
    input.extend_from_slice(&vec![b'x'; 128 << 10]);
    input.extend_from_slice(b"\na\0b\n");
    input.extend_from_slice(&[b'y'; 1024]);
    world
        .each(&[], "exit 0", input)
        .says(1, &["2 done, 2 refused", "line 2 is no item: it has 131072 bytes", "line 3 is no item: it holds a NUL"]);
}

/// No text, and longer than a key: each runs with its own bytes, once, and is found again.
#[test]
fn an_item_is_any_bytes_but_nul() {
    let world = World::new();
    let long = |length: usize| [&b"long/"[..], &vec![b'z'; length - 5]].concat();
    let all: Vec<u8> = (1..=255).filter(|byte| *byte != b'\n').collect();
    let items = [b"caf\xe9/a.b".to_vec(), all, b"\x01a".to_vec(), br"caf\xe9/a.b".to_vec(), long(1025), long(64 << 10)];
    let input = items.join(&b'\n');
    let script = r#"printf %s "$1"; [ "$1" = "$MILEPOST_ITEM" ] && echo >> log"#;
    world.each(&["-j1"], script, &input).says(0, &["6 done in"]);
    world.each(&["-j1"], script, &input).says(0, &["0 done, 6 done before"]);
    world.each(&["--dry-run"], script, &input).says(0, &["0 to run, 6 done before"]);
    assert_eq!(world.lines("log").len(), 6);
    for item in &items {
        let item_arg = OsStr::from_bytes(item);
        let args = ["results", "--job", "j", "--"].map(OsStr::new).into_iter().chain([item_arg]);
        world.run(args, "").says(0, &[]).prints(item);
    }
    let rows = String::from_utf8(world.run(["results", "--job", "j", "-o", "jsonl"], "").says(0, &[]).stdout).unwrap();
    assert_eq!(rows.lines().count(), 6);
    assert_eq!(rows.matches(r#"{"item_base64":"#).count(), 2, "{rows}");
    let table = String::from_utf8(world.run(["results", "--job", "j"], "").says(0, &[]).stdout).unwrap();
    assert!(table.contains(r"caf\xe9/a.b"), "{table}");
    // Parts of it, and its name where it fails.
    let args = ["each", "--job", "parts", "--print", "--prefix", "--", "printf", "%s\\n", "{/.}{//}"];
    let ran = world.run(args, b"caf\xe9/a.b\n").says(0, &[]);
    ran.prints(b"\"caf\\xe9/a.b\": acaf\xe9\n");
    world.run(["each", "--job", "bad", "--", "false"], b"\xff\n").says(1, &[r#"failed: "\xff": exit 1"#]);
    // The word that it is put into is too long for any command: its failure, and nobody else's.
    let args = ["each", "--job", "word", "--", "test", "-n", "a longer word before {}"];
    let input = [&long(131_057)[..], b"short"].join(&b'\n');
    world.run(args, input).says(1, &["1 done, 1 failed", "not started", "Argument list too long"]);
}

#[test]
fn an_item_that_stands_twice_in_the_input_runs_once() {
    let world = World::new();
    let script = r#"echo "$1" >> log; [ "$1" != bad ]"#;
    let input = "a\nbad\n".repeat(500);
    world.each(&["-j4"], script, &input).says(1, &["1 done, 1 failed, 998 repeated in the input"]);
    world.each(&["-j4", "--retry-failed"], script, &input).says(1, &["0 done, 1 failed, 1 done before, 998 repeated"]);
    assert_eq!(world.lines("log").len(), 3);
}

#[test]
fn nothing_to_do_is_no_failure() {
    let world = World::new();
    world.each(&[], "exit 1", "").says(0, &["j: 0 done in"]);
    world.each(&[], "exit 1", "\n\n\n").says(0, &["j: 0 done, 3 empty in the input in"]);
    // Nothing was marked, so another command is no other job.
    world.each(&[], "exit 0", "a\n").says(0, &["1 done"]);
}

#[test]
fn what_can_not_begin_leaves_nothing_behind() {
    let world = World::new();
    fs::create_dir(world.path("folder")).unwrap();
    let rows: [(&[&str], i32, &str); 10] = [
        (&["each", "--job", "j", "--", "no-such-command-anywhere"], 127, "was not found in any directory of PATH"),
        (&["each", "--job", "j", "--", "/etc/passwd"], 127, "not executable"),
        (&["each", "--job", "j/", "--", "true"], 2, "--job: segment 2 of scope \"j/\" is empty"),
        (&["each", "--job", "", "--", "true"], 2, "--job: scope has 0 bytes"),
        (&["each", "--job", "j", "-j0", "--", "true"], 2, "leave -j out for one command a processor"),
        (&["each", "--job", "j", "-j", "half", "--", "true"], 2, "nor a share of the processors, as 50%"),
        (&["each", "--job", "j"], 2, "COMMAND"),
        (
            &["each", "--job", "j", "--items", "none-such", "--", "true"],
            2,
            "can't read the items from none-such: No such file",
        ),
        (
            &["each", "--job", "j", "--items", "folder", "--", "true"],
            2,
            "can't read the items from folder: Is a directory",
        ),
        (
            &["each", "--job", "j", "--items", "/proc/self/mem", "--", "true"],
            2,
            "can't read the items from /proc/self/mem: Input/output error",
        ),
    ];
    for (args, code, words) in rows {
        let ran = world.run(args, "a\n").says(code, &[words]);
        assert!(!ran.stderr.contains("waiting for"), "nothing has begun: {ran:?}");
        assert!(!world.store().exists(), "{args:?}");
    }
    // The same of standard input: a folder, and what can only be written to.
    let folder = fs::File::open(world.path("folder")).unwrap();
    let written = fs::File::create(world.path("written")).unwrap();
    for (input, words) in [(folder, "standard input: Is a directory"), (written, "standard input: Bad file descriptor")]
    {
        let Output { status, stderr, .. } =
            world.milepost(["each", "--job", "j", "--", "true"]).stdin(input).output().unwrap();
        let stderr = String::from_utf8(stderr).unwrap();
        assert!(status.code() == Some(2) && stderr.contains(words), "{stderr}");
        assert!(!world.store().exists());
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

#[test]
fn going_on_over_many_done_items_is_quick() {
    const ITEMS: usize = 100_000;
    let world = World::new();
    world.each(&[], "exit 0", "1\n").says(0, &["1 done"]);
    let store = Store::open(world.store()).unwrap();
    let job = store.progress(&Scope::parse("each/j").unwrap(), "items").unwrap();
    (2..=ITEMS).for_each(|n| job.done_with(n.to_string(), b"0 1").unwrap());
    drop(job);
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
    store.set(&Scope::parse("each/j/.progress/items/done").unwrap(), "2", b"yes").unwrap();
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

#[test]
fn progress_shows_how_far_each_job_is() {
    let world = World::new();
    world.each(&[], "test $1 != 2", "1\n2\n3\n4\n").says(1, &["3 done, 1 failed"]);
    let shown = |args: &[&str]| {
        let ran = world.run(args, "").says(0, &[]);
        String::from_utf8_lossy(&ran.stdout).into_owned()
    };
    let table = shown(&["progress"]);
    assert!(table.contains("each/j") && table.contains("[====================] 100%"), "{table}");
    let one = r#""scope":"each/j","job":"items","total":4,"done":3,"failed":1,"skipped":0,"left":0,"#;
    let json = shown(&["progress", "each", "-o", "jsonl"]);
    assert!(json.contains(one), "{json}");
    // Nothing is left: it does not wait.
    assert_eq!(shown(&["progress", "--watch"]).lines().count(), table.lines().count());
    assert_eq!(shown(&["progress", "task"]).lines().filter(|line| line.contains("each/j")).count(), 0);
}

/// A finished job is at 100 %, however its input looks: what stands in it twice is one item, what is refused is none.
#[test]
fn a_finished_job_has_nothing_left() {
    let world = World::new();
    let input = b"a\n\nb\na\0b\na\n\n";
    world.each(&[], "exit 0", input).says(1, &["2 done, 1 repeated in the input, 1 refused, 2 empty in the input in"]);
    for _ in 0..2 {
        let rows = world.run(["progress", "-o", "jsonl"], "").says(0, &[]).stdout;
        let row = String::from_utf8(rows).unwrap();
        assert!(row.contains(r#""total":2,"done":2"#) && row.contains(r#""left":0"#), "{row}");
        // It ends by itself.
        world.run(["progress", "--watch", "-o", "jsonl"], "").says(0, &[]);
        world.each(&[], "exit 0", input).says(1, &["0 done, 2 done before, 1 repeated in the input, 1 refused"]);
    }
    world
        .each(&["--dry-run"], "exit 0", input)
        .says(1, &["2 done before, 1 repeated in the input, 1 refused, 2 empty in the input;"]);
}

#[test]
fn a_dash_is_standard_input() {
    let world = World::new();
    for name in ["--items", "--input"] {
        world.run(["each", "--job", &name[2..], name, "-", "--", "true"], "a\nb\n").says(0, &["2 done in"]);
    }
}

/// Off a terminal it is a plain line now and then.
#[test]
fn the_time_to_go_is_told_in_plain_lines() {
    let world = World::new();
    fs::write(world.path("items"), numbers(40)).unwrap();
    let args = ["--eta=1ms", "-j1", "--items", "items"];
    let ran = world.each(&args, "sleep 0.01", "").says(0, &["j: 40 done in"]);
    let lines: Vec<&str> = ran.stderr.lines().filter(|line| line.contains(" of 40")).collect();
    assert!(lines.len() > 2 && lines.iter().all(|line| !line.contains('\u{1b}')), "{ran:?}");
    assert!(lines.iter().any(|line| line.contains("to go")), "{ran:?}");
    // Nothing is said of a job that is over before the first line is due.
    let ran = world.run(["each", "--job", "quick", "--eta", "--", "true"], "a\n").says(0, &["quick: 1 done"]);
    assert!(!ran.stderr.contains("to go"), "{ran:?}");
}

/// A job of this name would have kept its items where another job has its own.
#[test]
fn a_job_is_no_part_of_another() {
    let world = World::new();
    for name in ["a/.progress/items", ".progress", "a/.job/x"] {
        let ran = world.run(["each", "--job", name, "--", "true"], "x\n");
        ran.says(2, &["segments that begin with a dot are kept"]);
        world.run(["results", "--job", name], "").says(2, &[]);
    }
    world.run(["each", "--job", "a/b.c", "--", "true"], "x\n").says(0, &[]);
}
