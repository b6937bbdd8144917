//! The task patterns on the command line.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
};

use expect_test::expect;

use super::world::World;

// `step --again`, and what goes with it.
mod again;
// What a submit prints, and how long it may take.
mod outputs;
// Ctrl-C and SIGTERM.
mod stopped;
// What messages name: programs, words and options.
mod told;

#[test]
fn a_watermark_only_advances() {
    let shown = World::new().transcript(&[
        "watermark get asset/orders id",
        "watermark advance asset/orders id 42 --writer w --task task/load --attempt 3",
        "watermark get asset/orders id",
        "watermark get asset/orders id -o jsonl",
        "watermark get asset/orders id -o csv",
        "watermark advance asset/orders id 41 --writer w",
        "watermark advance asset/orders id 43 --from 41 --writer w",
        "watermark advance asset/orders id 43 --from 42 --writer w",
        "watermark advance asset/orders id 50 --writer z --task task/load --attempt 2",
        "watermark advance asset/orders id soon --writer w",
        "watermark reset asset/orders id -5 --reason 'late orders' --writer ann",
        "watermark history asset/orders id",
        "watermark history asset/orders id -o jsonl",
        "watermark history asset/orders id -o csv",
        "scan asset/orders",
        "watermark advance asset/orders at 2026-11-24T03:12:00Z --writer w",
        "watermark get asset/orders at",
        "watermark advance asset/orders n 7 --as text --writer w",
        "watermark advance asset/orders n x --as integer --writer w",
    ]);
    expect![[r#"
        $ milepost watermark get asset/orders id
        ! milepost: there is no store: no .milepost in <dir> or a directory above it; name one with --store DIR or MILEPOST_STORE, or make one by a first `milepost set SCOPE KEY VALUE`
        exit 2
        $ milepost watermark advance asset/orders id 42 --writer w --task task/load --attempt 3
        2
        ! milepost: made a new store at <dir>/.milepost
        $ milepost watermark get asset/orders id
        42
        $ milepost watermark get asset/orders id -o jsonl
        {"scope":"asset/orders","name":"id","type":"integer","value":42}
        $ milepost watermark get asset/orders id -o csv
        scope,name,type,value
        asset/orders,id,integer,42
        $ milepost watermark advance asset/orders id 41 --writer w
        ! milepost: watermark id is at 42 and does not go back to 41; a reset does, with its reason
        exit 1
        $ milepost watermark advance asset/orders id 43 --from 41 --writer w
        ! milepost: watermark id was expected at 41, and is at 42
        exit 1
        $ milepost watermark advance asset/orders id 43 --from 42 --writer w
        3
        $ milepost watermark advance asset/orders id 50 --writer z --task task/load --attempt 2
        ! milepost: attempt 2 of writer z for scope task/load is not the highest: attempt 3 of writer w was seen; a newer attempt has taken over
        exit 1
        $ milepost watermark advance asset/orders id soon --writer w
        ! milepost: VALUE: "soon" is no integer: invalid digit found in string; watermark id is of type integer
        exit 2
        $ milepost watermark reset asset/orders id -5 --reason 'late orders' --writer ann
        4
        $ milepost watermark history asset/orders id
        SEQ  TIME                              WRITER  FROM  TO  REASON
        2    9999-99-99 99:99:99.999999+00:00  w#3     ∅     42
        3    9999-99-99 99:99:99.999999+00:00  w       42    43
        4    9999-99-99 99:99:99.999999+00:00  ann     43    -5  late orders
        $ milepost watermark history asset/orders id -o jsonl
        {"seq":2,"at":"9999-99-99T99:99:99.999999Z","writer":"w","attempt":3,"from":null,"to":42}
        {"seq":3,"at":"9999-99-99T99:99:99.999999Z","writer":"w","from":42,"to":43}
        {"seq":4,"at":"9999-99-99T99:99:99.999999Z","writer":"ann","from":43,"to":-5,"reason":"late orders"}
        $ milepost watermark history asset/orders id -o csv
        seq,at,writer,attempt,from,to,reason,from_is,to_is
        2,9999-99-99T99:99:99.999999Z,w,3,,42,,,integer
        3,9999-99-99T99:99:99.999999Z,w,,42,43,,integer,integer
        4,9999-99-99T99:99:99.999999Z,ann,,43,-5,late orders,integer,integer
        $ milepost scan asset/orders
        KEY                  SEQ  TIME                              VALUE
        .watermark-reset/id  4    9999-99-99 99:99:99.999999+00:00  late orders
        .watermark/id        4    9999-99-99 99:99:99.999999+00:00  -5
        $ milepost watermark advance asset/orders at 2026-11-24T03:12:00Z --writer w
        5
        $ milepost watermark get asset/orders at
        2026-11-24T03:12:00Z
        $ milepost watermark advance asset/orders n 7 --as text --writer w
        6
        $ milepost watermark advance asset/orders n x --as integer --writer w
        ! milepost: VALUE: "x" is no integer: invalid digit found in string
        exit 2
    "#]].assert_eq(&shown);
}

#[test]
fn a_step_runs_once() {
    let world = World::new();
    let shown = world.transcript(&[
        "step hello -- sh -c 'echo ran >&2; echo out'",
        "step hello -- sh -c 'echo ran >&2; echo out'",
        "step hello -- sh -c 'echo other'",
        "step fails -- sh -c 'echo half; exit 3'",
        "step fails -- sh -c 'echo half; exit 3'",
        "step grep --accept 1 -- grep -c nobody /dev/null",
        "step grep --accept 1 -- grep -c nobody /dev/null",
        "step killed -- sh -c 'kill -9 $$'",
        "step none -- /no/such/program",
        "step hello --again -- sh -c 'echo other'",
        "step hello --attempt 1 --writer z -- true",
    ]);
    expect![[r#"
        $ milepost step hello -- sh -c 'echo ran >&2; echo out'
        out
        ! milepost: made a new store at <dir>/.milepost
        ! ran
        $ milepost step hello -- sh -c 'echo ran >&2; echo out'
        out
        $ milepost step hello -- sh -c 'echo other'
        ! milepost: step hello ran other words before, of which only a fingerprint is kept
        !   before: fingerprint a0d6dc67de3f7ea2a4bde1c22663c6ee
        !   now:    sh -c 'echo other'
        ! run it with these words, and again all that began after it: --again
        exit 1
        $ milepost step fails -- sh -c 'echo half; exit 3'
        half
        ! milepost: step fails failed: exit 3
        exit 3
        $ milepost step fails -- sh -c 'echo half; exit 3'
        half
        ! milepost: step fails failed: exit 3
        exit 3
        $ milepost step grep --accept 1 -- grep -c nobody /dev/null
        0
        exit 1
        $ milepost step grep --accept 1 -- grep -c nobody /dev/null
        0
        exit 1
        $ milepost step killed -- sh -c 'kill -9 $$'
        ! milepost: step killed failed: killed by signal 9
        exit 137
        $ milepost step none -- /no/such/program
        ! milepost: step none failed: can't start /no/such/program: No such file or directory (os error 2)
        exit 127
        $ milepost step hello --again -- sh -c 'echo other'
        other
        ! milepost: step hello runs again; with it went step fails, step grep, step killed, step none
        $ milepost step hello --attempt 1 --writer z -- true
        ! milepost: step hello ran other words before, of which only a fingerprint is kept
        !   before: fingerprint e064b777eb306314691f04aaea23766d
        !   now:    true
        ! run it with these words, and again all that began after it: --again
        exit 1
    "#]]
    .assert_eq(&shown);
    assert_eq!(world.verify().code, Some(0));
}

/// Bytes that are no text come back as they were.
#[test]
fn any_output_is_recorded() {
    let world = World::new();
    let args = ["step", "bytes", "--", "printf", r"\377\000\n"];
    for _ in 0..2 {
        assert_eq!(world.run(args).stdout, b"\xff\0\n");
    }
}

/// A step that is killed in the middle runs again; one that finished before does not.
#[test]
fn a_killed_script_goes_on() {
    let world = World::new();
    world.ok(["step", "first", "--", "sh", "-c", "echo first >> ran"]);
    let script = "echo second >> ran; echo; read x";
    let mut child = world.command(["step", "second", "--", "sh", "-c", script]).spawn().unwrap();
    // The command has begun once it has printed.
    child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
    child.kill().unwrap();
    // The command's input ends with it, and so does the command.
    child.wait().unwrap();
    world.ok(["step", "first", "--", "sh", "-c", "echo first >> ran"]);
    world.feed(["step", "second", "--", "sh", "-c", script], b"x\n");
    assert_eq!(fs::read_to_string(world.dir().join("ran")).unwrap(), "first\nsecond\nsecond\n");
}

const SUBMIT: &str = "echo submitted >> jobs; echo job-7 | tee \"token-$MILEPOST_TOKEN\"";
const FIND: &str = "cat \"token-$MILEPOST_TOKEN\" 2>/dev/null || true";

fn job<'a>(submit: &'a str, poll: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let args = ["job", "run", "build", "--submit", submit, "--find", FIND, "--poll", poll, "--every", "1ms"];
    args.iter().chain(more).copied().collect()
}

#[test]
fn a_job_is_submitted_once() {
    let world = World::new();
    let jobs = || fs::read_to_string(world.dir().join("jobs")).unwrap_or_default().lines().count();
    // It reaches the remote side, and then the command fails.
    let ran = world.run(job(&format!("{SUBMIT}; exit 4"), "echo finished", &[]));
    assert_eq!((ran.code, jobs()), (Some(10), 1), "{ran:?}");
    assert!(ran.stderr.contains("submit of job build failed: exit status: 4"), "{ran:?}");
    // It is found; the poll says nothing that is known.
    let ran = world.run(job(SUBMIT, "echo maybe", &[]));
    assert_eq!((ran.code, jobs()), (Some(10), 1), "{ran:?}");
    // It does not end in time, by polls that end and by one that does not.
    for poll in ["echo pending RUNNING", "sleep 100"] {
        let ran = world.run(job(SUBMIT, poll, &["--timeout", "300ms"]));
        assert_eq!((ran.code, jobs()), (Some(9), 1), "{ran:?}");
        assert!(ran.stderr.contains("its status is RUNNING; it goes on"), "{ran:?}");
    }
    let poll = "test $MILEPOST_ID = job-7 && echo finished s3://out/7";
    for _ in 0..2 {
        assert_eq!(world.ok(job(SUBMIT, poll, &[])), "s3://out/7\n");
    }
    let ran = world.run(job(SUBMIT, poll, &["--request", "other"]));
    assert_eq!((ran.code, jobs()), (Some(1), 1), "{ran:?}");
    let got = world.ok(["job", "get", "build", "-o", "jsonl"]);
    assert!(got.contains(r#""state":"finished""#) && got.contains(r#""id":"job-7""#), "{got}");
    let table = world.ok(["job", "get", "build"]);
    assert!(table.starts_with("JOB    STATE     ID     STATUS   RESULT\n"), "{table}");
    assert!(table.contains("build  finished  job-7"), "{table}");
    let csv = world.ok(["job", "get", "build", "-o", "csv"]);
    assert!(
        csv.starts_with("scope,job,state,token,request,id,status,result,error\ntask/script,build,finished,"),
        "{csv}"
    );
    world.ok(job(SUBMIT, poll, &["--request", "other", "--restart-if-changed"]));
    assert_eq!(jobs(), 2);
    world.ok(["job", "reset", "build"]);
    assert_eq!(world.run(["job", "get", "build"]).code, Some(1));
    assert_eq!(world.run(["job", "reset", "build"]).code, Some(1));
}

#[test]
fn a_job_is_cancelled() {
    let world = World::new();
    let ran = world.run(job(SUBMIT, "exit 1", &[]));
    assert_eq!(ran.code, Some(10), "{ran:?}");
    let ran = world.run(["job", "cancel", "build", "--with", "exit 1"]);
    assert_eq!(ran.code, Some(10), "{ran:?}");
    world.ok(["job", "cancel", "build", "--with", "echo $MILEPOST_ID > cancelled"]);
    assert_eq!(fs::read_to_string(world.dir().join("cancelled")).unwrap(), "job-7\n");
    let ran = world.run(job(SUBMIT, "echo finished", &[]));
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("job build was cancelled (remote id job-7)"), "{ran:?}");
    assert_eq!(world.ok(job(SUBMIT, "echo finished ok", &["--restart-if-failed"])), "ok\n");
}

/// A format that a command does not have is refused before anything is done.
#[test]
fn a_format_that_is_not_there_is_refused() {
    let world = World::new();
    let run = job("touch submitted", "echo finished", &[]);
    let rows: [&[&str]; 4] = [
        &run,
        &["job", "cancel", "build", "--with", "touch cancelled"],
        &["job", "reset", "build"],
        &["step", "hello", "--", "touch", "ran"],
    ];
    for args in rows {
        for (format, name) in [("csv", "CSV"), ("jsonl", "JSON")] {
            // Before the command of a step, not behind it.
            let ran = world.run([&["-o", format], args].concat());
            assert_eq!(ran.code, Some(2), "{ran:?}");
            let words = format!("has no {name}; leave -o out");
            assert!(ran.stderr.contains(&words) && ran.stdout.is_empty(), "{ran:?}");
        }
    }
    assert!(fs::read_dir(world.dir()).unwrap().next().is_none(), "nothing was done");
}

/// Where nobody takes the output any more the command still runs to its end, is recorded, and says how it ended.
#[test]
fn a_step_without_a_listener_is_recorded() {
    let script = "i=0; while [ $i -lt 200 ]; do echo $i xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; i=$((i+1)); done; \
                  echo over >> ended; exit 3";
    for full in [false, true] {
        let world = World::new();
        let args = ["step", "long", "--accept", "3", "--", "sh", "-c", script];
        for run in 0..2 {
            let mut command = world.command(args);
            if full {
                command.stdout(fs::File::options().write(true).open("/dev/full").unwrap());
            }
            let mut child = command.spawn().unwrap();
            drop(child.stdout.take());
            let ran = child.wait_with_output().unwrap();
            let said = String::from_utf8_lossy(&ran.stderr).into_owned();
            assert_eq!(ran.status.code(), Some(3), "{said}");
            assert_eq!(said.contains("can't write to standard output"), full, "{said}");
            assert_eq!(fs::read_to_string(world.dir().join("ended")).unwrap(), "over\n", "run {run}");
        }
        let ran = world.run(args);
        assert_eq!((ran.code, ran.text().lines().count()), (Some(3), 200));
    }
}

/// FAULTS: the highest attempt would be the last one for good.
#[test]
fn the_highest_attempt_is_refused() {
    let world = World::new();
    for args in [
        &["step", "a", "--attempt", "4294967295", "--", "true"][..],
        &["watermark", "advance", "asset/o", "id", "1", "--attempt", "4294967295"],
    ] {
        let ran = world.run(args);
        assert_eq!(ran.code, Some(2), "{ran:?}");
        assert!(ran.stderr.contains("attempt has 4294967295 as its number, allowed are 0 to 4294967294"), "{ran:?}");
    }
    let ran = world.run(["set", "a", "k", "v", "--fence", "9007199254740991"]);
    assert!(ran.code == Some(2) && ran.stderr.contains("the highest is 9007199254740990"), "{ran:?}");
}

/// A number that is none of ours does not become text, whose order is another one.
#[test]
fn a_number_that_does_not_fit_is_refused() {
    let world = World::new();
    for number in ["99999999999999999999", "-99999999999999999999", "+99999999999999999999"] {
        let ran = world.run(["watermark", "advance", "asset/o", "new", "--as", "integer", "--", number]);
        assert!(ran.code == Some(2) && ran.stderr.contains("is no integer"), "{ran:?}");
        let ran = world.run(["watermark", "advance", "asset/o", "new", "--", number]);
        assert_eq!(ran.code, Some(2), "{ran:?}");
        let said = format!("VALUE: {number:?} is a number that does not fit into 64 bits; with --as text it is text");
        assert!(ran.stderr.contains(&said), "{ran:?}");
    }
    world.ok(["watermark", "advance", "asset/o", "new", "99999999999999999999", "--as", "text"]);
    world.ok(["watermark", "advance", "asset/o", "version", "1.2.0"]);
}

/// An id is one line: what else is printed is no part of it, and which line is the id nobody knows.
#[test]
fn a_submit_that_prints_two_lines_is_refused() {
    let world = World::new();
    for (submit, find) in [("printf '1\\n2\\n'", "true"), ("true", "printf '1\\n2\\n'"), ("printf '1\\n2'", "true")] {
        let args = ["job", "run", "two", "--submit", submit, "--find", find, "--poll", "echo finished"];
        // The first time there is nothing to be found.
        world.run(args);
        let ran = world.run(args);
        assert_eq!(ran.code, Some(10), "{ran:?}");
        assert!(ran.stderr.contains("it printed more than one line"), "{ran:?}");
        assert!(!world.ok(["job", "get", "two", "-o", "jsonl"]).contains(r#""id""#));
    }
}

/// A write by hand killed the history of a watermark for good, though it was put right. It is a row of it, and acts on
/// no screen.
#[test]
fn a_stray_write_is_a_row_of_the_history() {
    let shown = World::new().transcript(&[
        "watermark advance asset/o id 7 --writer w",
        "set asset/o .watermark/id 99\u{1b}[2J --writer w",
        "watermark get asset/o id",
        "delete asset/o .watermark/id --writer w",
        "watermark advance asset/o id 8 --writer w",
        "watermark reset asset/o id 5 --reason right --writer w",
        "watermark get asset/o id",
        "watermark history asset/o id",
        "watermark history asset/o id -o jsonl",
        "watermark history asset/o id -o csv",
    ]);
    let shown = shown.replace('\u{1b}', "<esc>");
    expect![[r#"
        $ milepost watermark advance asset/o id 7 --writer w
        1
        ! milepost: made a new store at <dir>/.milepost
        $ milepost set asset/o .watermark/id 99<esc>[2J --writer w
        2
        $ milepost watermark get asset/o id
        ! milepost: key .watermark/id of scope asset/o is no watermark: commit 2 set it to a value without content type
        exit 1
        $ milepost delete asset/o .watermark/id --writer w
        3
        $ milepost watermark advance asset/o id 8 --writer w
        4
        $ milepost watermark reset asset/o id 5 --reason right --writer w
        5
        $ milepost watermark get asset/o id
        5
        $ milepost watermark history asset/o id
        SEQ  TIME                              WRITER  FROM                       TO                         REASON
        1    9999-99-99 99:99:99.999999+00:00  w       ∅                          7
        2    9999-99-99 99:99:99.999999+00:00  w       7                          no watermark: 99\u{1b}[2J
        3    9999-99-99 99:99:99.999999+00:00  w       no watermark: 99\u{1b}[2J  ∅
        4    9999-99-99 99:99:99.999999+00:00  w       ∅                          8
        5    9999-99-99 99:99:99.999999+00:00  w       8                          5                          right
        $ milepost watermark history asset/o id -o jsonl
        {"seq":1,"at":"9999-99-99T99:99:99.999999Z","writer":"w","from":null,"to":7}
        {"seq":2,"at":"9999-99-99T99:99:99.999999Z","writer":"w","from":7,"to_foreign":"99\u001b[2J"}
        {"seq":3,"at":"9999-99-99T99:99:99.999999Z","writer":"w","from_foreign":"99\u001b[2J","to":null}
        {"seq":4,"at":"9999-99-99T99:99:99.999999Z","writer":"w","from":null,"to":8}
        {"seq":5,"at":"9999-99-99T99:99:99.999999Z","writer":"w","from":8,"to":5,"reason":"right"}
        $ milepost watermark history asset/o id -o csv
        seq,at,writer,attempt,from,to,reason,from_is,to_is
        1,9999-99-99T99:99:99.999999Z,w,,,7,,,integer
        2,9999-99-99T99:99:99.999999Z,w,,7,99<esc>[2J,,integer,foreign
        3,9999-99-99T99:99:99.999999Z,w,,99<esc>[2J,,,foreign,
        4,9999-99-99T99:99:99.999999Z,w,,,8,,,integer
        5,9999-99-99T99:99:99.999999Z,w,,8,5,right,integer,integer
    "#]]
    .assert_eq(&shown);
}

/// Bytes are written as they are shown, and stand in their order, which is not that of their digits.
#[test]
fn a_watermark_of_bytes() {
    let world = World::new();
    let bytes = ["--as", "bytes", "--writer", "w"];
    let advance = |to: &str| world.run([&["watermark", "advance", "asset/o", "offset", to], &bytes[..]].concat());
    for to in ["0x", "00", "0x00ff", "0xFE", "fe00"] {
        assert_eq!(advance(to).code, Some(0), "{to}");
    }
    assert_eq!(advance("0xfd").code, Some(1));
    assert_eq!(world.ok(["watermark", "get", "asset/o", "offset"]), "0xfe00\n");
    let got = world.ok(["watermark", "get", "asset/o", "offset", "-o", "jsonl"]);
    assert!(got.contains(r#""type":"bytes","value":"0xfe00""#), "{got}");
    for to in ["0xf", "fg", "0x 0", "+f", "é0", "0x0xff"] {
        let ran = advance(to);
        assert_eq!(ran.code, Some(2), "{ran:?}");
        assert!(ran.stderr.contains("is no hexadecimal: two digits a byte, as in 0x00ff"), "{ran:?}");
    }
    // It is known to be of bytes.
    world.ok(["watermark", "advance", "asset/o", "offset", "0xff"]);
    let ran = world.run(["watermark", "advance", "asset/o", "offset", "0xff", "--as", "text"]);
    assert!(ran.code == Some(1) && ran.stderr.contains("is of type bytes, asked for was one of type text"), "{ran:?}");
}

/// The type was guessed from each value anew, and what looked like a number or a date and was none became text without
/// a word: 10.5 was below 9.5, a watermark of text was told that 5 is no text, and one of times that 2026-13-45 is.
#[test]
fn a_watermark_is_moved_as_what_it_is() {
    let shown = World::new().transcript(&[
        "watermark advance a x 9.5 --writer w",
        "watermark advance a x 2026-1-5 --writer w",
        "watermark reset a x 1e6 --reason r --writer w",
        "watermark advance a x 7 --from 0.5 --writer w",
        "watermark advance a x 9.5 --as text --writer w",
        "watermark advance a x 91.0 --writer w",
        "watermark advance a t 100 --as text --writer w",
        "watermark advance a t 5 --writer w",
        "watermark advance a t 50 --from 5 --writer w",
        "watermark get a t -o jsonl",
        "watermark advance a at 2026-01-05T00:00:00Z --writer w",
        "watermark advance a at 2026-13-45 --writer w --task job --attempt 9",
        "watermark advance a at soon --writer w",
        "watermark advance a at 2026-02-01 --writer w --task job --attempt 1",
        "watermark get a at",
        "watermark advance a n 5 --writer w",
        "watermark reset a n soon --reason r --writer w",
    ]);
    expect![[r#"
        $ milepost watermark advance a x 9.5 --writer w
        ! milepost: VALUE: "9.5" is no whole number; write one, of a smaller unit where it has a fraction; with --as text it is text, in the order of its characters
        exit 2
        $ milepost watermark advance a x 2026-1-5 --writer w
        ! milepost: VALUE: "2026-1-5" is no time: month and day have two digits, as in 2026-01-05 or 2026-01-05T03:12:00Z; with --as text it is text, in the order of its characters
        exit 2
        $ milepost watermark reset a x 1e6 --reason r --writer w
        ! milepost: VALUE: "1e6" is no whole number; write one, of a smaller unit where it has a fraction; with --as text it is text, in the order of its characters
        exit 2
        $ milepost watermark advance a x 7 --from 0.5 --writer w
        ! milepost: --from: "0.5" is no whole number; write one, of a smaller unit where it has a fraction; with --as text it is text, in the order of its characters
        exit 2
        $ milepost watermark advance a x 9.5 --as text --writer w
        1
        ! milepost: made a new store at <dir>/.milepost
        $ milepost watermark advance a x 91.0 --writer w
        2
        $ milepost watermark advance a t 100 --as text --writer w
        3
        $ milepost watermark advance a t 5 --writer w
        4
        $ milepost watermark advance a t 50 --from 5 --writer w
        5
        $ milepost watermark get a t -o jsonl
        {"scope":"a","name":"t","type":"text","value":"50"}
        $ milepost watermark advance a at 2026-01-05T00:00:00Z --writer w
        6
        $ milepost watermark advance a at 2026-13-45 --writer w --task job --attempt 9
        ! milepost: VALUE: "2026-13-45" is no time: there is no month 13; watermark at is of type timestamp
        exit 2
        $ milepost watermark advance a at soon --writer w
        ! milepost: VALUE: "soon" is no time; write one, as in 2026-01-05T03:12:00Z or "10 minutes ago"; watermark at is of type timestamp
        exit 2
        $ milepost watermark advance a at 2026-02-01 --writer w --task job --attempt 1
        8
        $ milepost watermark get a at
        2026-02-01T00:00:00Z
        $ milepost watermark advance a n 5 --writer w
        9
        $ milepost watermark reset a n soon --reason r --writer w
        ! milepost: VALUE: "soon" is no integer: invalid digit found in string; watermark n is of type integer
        exit 2
    "#]].assert_eq(&shown);
}

/// An empty text was shown as nothing at all, so that a message said where it is by a blank.
#[test]
fn an_empty_text_is_not_nothing() {
    let shown = World::new().transcript(&[
        "watermark advance a e '' --from '' --writer w",
        "watermark advance a e b --from '' --writer w",
        "watermark advance a e c --from b --writer w",
        "watermark advance a e c --writer w",
        "watermark advance a e '' --writer w",
        "watermark history a e",
    ]);
    expect![[r#"
        $ milepost watermark advance a e '' --from '' --writer w
        1
        ! milepost: made a new store at <dir>/.milepost
        $ milepost watermark advance a e b --from '' --writer w
        ! milepost: watermark e was expected at nothing, and is at ""
        exit 1
        $ milepost watermark advance a e c --from b --writer w
        ! milepost: watermark e was expected at b, and is at ""
        exit 1
        $ milepost watermark advance a e c --writer w
        2
        $ milepost watermark advance a e '' --writer w
        ! milepost: watermark e is at c and does not go back to ""; a reset does, with its reason
        exit 1
        $ milepost watermark history a e
        SEQ  TIME                              WRITER  FROM  TO  REASON
        1    9999-99-99 99:99:99.999999+00:00  w       ∅     ""
        2    9999-99-99 99:99:99.999999+00:00  w       ""    c
    "#]]
    .assert_eq(&shown);
}

/// What was wrong with a NAME was told of a KEY, which no command line has, and a step's made a store before.
#[test]
fn a_name_is_called_a_name() {
    let world = World::new();
    for args in [
        &["watermark", "advance", "a", "", "1"][..],
        &["step", "", "--", "true"],
        &["job", "run", "", "--submit", "true", "--find", "true", "--poll", "true"],
    ] {
        let ran = world.run(args);
        assert_eq!(ran.code, Some(2), "{ran:?}");
        assert_eq!(ran.stderr, "milepost: NAME: it has 0 bytes, allowed are 1 to 1024\n");
        assert!(!world.store().exists());
    }
}

/// One is one: `1 lines are no items`, `1 marks durable`. And nothing is to go in no microseconds.
#[test]
fn one_is_told_as_one() {
    let world = World::new();
    let ran = world.feed(["each", "--job", "j", "--", "true"], b"a\na\0b\n");
    assert!(ran.stderr.contains("; 1 mark durable at seq"), "{ran:?}");
    assert!(ran.stderr.contains("1 line is no item, named above: correct it and run it again"), "{ran:?}");
    let table = world.ok(["progress"]);
    assert!(table.contains("  0s") && !table.contains("0µs"), "{table}");
}

/// What can't be recorded had exit 2 or 8, as a wrong command line or the system have, by whether it was too long as it
/// is or only as JSON. The command has succeeded: it has a code of its own, which the help says.
#[test]
fn an_output_that_is_too_large_has_a_code_of_its_own() {
    let world = World::new();
    let fill = |bytes: u64, filler: &str| format!("echo ran >> ran; head -c {bytes} /dev/zero | tr '\\0' '{filler}'");
    for (name, bytes, filler) in [
        ("raw", (16 << 20) + 1, "x"),
        ("lines", 9 << 20, "\\n"),
        ("binary", 13 << 20, "\\377"),
        ("whole", 16 << 20, "x"),
    ] {
        let script = fill(bytes, filler);
        for run in 1..=2 {
            let ran = world.run(["step", name, "--", "sh", "-c", &script]);
            assert_eq!((ran.code, ran.stdout.len() as u64), (Some(125), bytes), "{name}: {}", ran.stderr);
            let says = format!("step {name}: the command succeeded, and its output of {bytes} bytes is too large");
            assert!(ran.stderr.contains(&says), "{}", ran.stderr);
            let lines = fs::read_to_string(world.dir().join("ran")).unwrap().lines().count();
            assert_eq!(lines, run, "{name} runs again");
        }
        fs::remove_file(world.dir().join("ran")).unwrap();
    }
    // What fits, as JSON, is recorded; a failure of the command is one, however much it prints.
    for (name, bytes, filler, code) in [("fits", 16_700_000, "x", 0), ("bytes", 12_500_000, "\\377", 0)] {
        for _ in 0..2 {
            let ran = world.run(["step", name, "--", "sh", "-c", &fill(bytes, filler)]);
            assert_eq!((ran.code, ran.stdout.len() as u64), (Some(code), bytes), "{name}: {}", ran.stderr);
        }
        let lines = fs::read_to_string(world.dir().join("ran")).unwrap().lines().count();
        assert_eq!(lines, 1, "{name} runs once");
        fs::remove_file(world.dir().join("ran")).unwrap();
    }
    let script = format!("{}; exit 3", fill(17 << 20, "x"));
    assert_eq!(world.run(["step", "fails", "--", "sh", "-c", &script]).code, Some(3));
    let help = world.ok(["step", "--help"]);
    assert!(help.contains("125  the command succeeded") && help.contains("JSON of at most 16 MiB"), "{help}");
    assert!(world.ok(["--help"]).contains("125 step, job run: "));
}

/// A replay was committed, and then the step refused for its changed words: now nothing is put back.
#[test]
fn a_replay_comes_after_the_refusals() {
    let world = World::new();
    let writer = ["--scope", "task/s", "--writer", "w"];
    let step = |name: &str, more: &[&str], words: &[&str]| {
        world.run([&["step", name], &writer[..], more, &["--"], words].concat())
    };
    assert_eq!(step("a", &[], &["echo", "1"]).code, Some(0));
    world.ok(["checkpoint", "create", "task/s", "cp"]);
    assert_eq!(step("b", &[], &["echo", "2"]).code, Some(0));
    let before = world.ok(["log", "-o", "jsonl"]);
    let ran = step("a", &["--replay-from", "cp"], &["echo", "other"]);
    assert!(ran.code == Some(1) && ran.stderr.contains("ran other words before"), "{ran:?}");
    let ran = step("a", &["--replay-from", "nope"], &["echo", "1"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let says =
        "scope task/s has no checkpoint nope to replay from; `milepost checkpoint list task/s` lists those it has";
    assert!(ran.stderr.contains(says), "{ran:?}");
    // The claim was durable before the checkpoint was looked for: a slip of the pen locked out the attempt at work.
    for (more, word) in [("nope", "1"), ("cp", "other")] {
        let ran = step("a", &["--attempt", "9", "--replay-from", more], &["echo", word]);
        assert_eq!(ran.code, Some(1), "{ran:?}");
    }
    assert_eq!(world.ok(["log", "-o", "jsonl"]), before, "nothing was put back, and nothing claimed");
    assert_eq!(step("a", &["--attempt", "2"], &["echo", "1"]).text(), "1\n");
    // What is not refused runs again, with other words too.
    assert_eq!(step("b", &["--replay-from", "cp"], &["echo", "3"]).text(), "3\n");
    assert_eq!(step("a", &["--replay-from", "cp"], &["echo", "1"]).text(), "1\n");
    assert_eq!(world.verify().code, Some(0));
}

/// Killed in its first poll, a job has no status: none is told, and none is recorded.
#[test]
fn a_first_poll_that_is_killed_says_no_status() {
    let world = World::new();
    let ran = world.run(job(SUBMIT, "sleep 100", &["--timeout", "300ms"]));
    assert_eq!(ran.code, Some(9), "{ran:?}");
    assert!(ran.stderr.contains("; it goes on") && !ran.stderr.contains("status"), "{ran:?}");
    assert!(!world.ok(["job", "get", "build", "-o", "jsonl"]).contains("status"));
    let help = world.ok(["job", "run", "--help"]);
    assert!(help.contains("held for the whole wait"), "{help}");
}

/// A CSV that is shown again and again is one CSV: its header stood in it every second.
#[test]
fn a_watched_progress_has_one_header() {
    let world = World::new();
    // It halts at the first item that fails, so that one is left for good.
    let ran = world.feed(["each", "--job", "j", "-j1", "--halt", "soon:1", "--", "false"], b"a\nb\n");
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let mut child = world.command(["progress", "--watch", "-o", "csv"]).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let seen: Vec<String> = lines.take(3).map(Result::unwrap).collect();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(seen[0].starts_with("scope,job,total"), "{seen:?}");
    assert!(seen[1..].iter().all(|line| line.starts_with("each/j,items,")), "{seen:?}");
}
