//! `append`: lines in, receipts out; a receipt only for what is durable, and none twice.

use std::io::{BufRead, BufReader, Read, Write};

use milepost::Store;
use rustix::process::{Pid, Signal, kill_process};

use super::world::{World, line, lines};

const SET: &str = r#"{"writer":"w","events":[{"event":"set","scope":"a","key":"k","value":"1"}]}"#;

fn set(rest: &str) -> String {
    format!(r#"{{"events":[{{"event":"set","scope":"a","key":"k","value":"1"}}]{rest}}}"#)
}

/// What `append` says to an input: its code, its receipts and its complaints.
fn check(input: &str, options: &[&str], code: i32, receipts: &str, complaints: &[&str]) {
    let world = World::new();
    let args: Vec<_> = ["append"].iter().chain(options).collect();
    let ran = world.feed(&args, input.as_bytes());
    assert_eq!((ran.code, &*ran.text()), (Some(code), receipts), "{input}\n{}", ran.stderr);
    for complaint in complaints {
        assert!(ran.stderr.contains(complaint), "{:?} does not say {complaint:?}", ran.stderr);
    }
    if world.store().exists() {
        let verified = world.verify();
        assert_eq!(verified.code, Some(0), "{verified:?}");
    }
}

/// A first line that is no commit had made a store already.
#[test]
fn a_first_line_that_is_refused_makes_no_store() {
    let many = "[".repeat(100_000);
    for first in ["{", r#"{"events":[{"event":"clear","scope":"a//b"}]}"#, &many, "\n  \n{"] {
        let world = World::new();
        let ran = world.feed(["append"], format!("{first}\n{SET}\n").as_bytes());
        assert_eq!((ran.code, ran.stdout.len()), (Some(2), 0), "{ran:?}");
        assert!(!world.store().exists(), "{first:.20}: a store was made");
        // Where lines may be refused, the next one is a commit.
        let ran = world.feed(["append", "--keep-going"], format!("{first}\n{SET}\n").as_bytes());
        assert_eq!((ran.code, &*ran.text()), (Some(2), "1\n"), "{ran:?}");
    }
    // A line that was looked at is not lost, and the lines keep their numbers.
    let world = World::new();
    let ran = world.feed(["append"], format!("\n{SET}\n{SET}\n{{\n").as_bytes());
    assert_eq!((ran.code, &*ran.text()), (Some(2), "1\n2\n"), "{ran:?}");
    assert!(ran.stderr.contains("line 4 of standard input"), "{ran:?}");
}

/// Whatever `append` takes its help lists, and it takes what is listed.
#[test]
fn the_help_lists_every_event() {
    let help = World::new().ok(["append", "--help"]);
    let listed: Vec<&str> = help.lines().filter(|line| line.starts_with("  {\"event\":")).collect();
    assert_eq!(listed.len(), 14, "{help}");
    for line in listed {
        let end = line.find('}').unwrap();
        let event = line.trim_start()[..end - 1].replace("\"point\":..", "\"point\":0").replace("..", "\"x\"");
        let event = if event.contains("\"retain\"") { event.replace('}', ",\"keep_last\":1}") } else { event };
        let world = World::new();
        let ran = world.feed(["append", "--keep-going"], format!("{{\"events\":[{event}]}}").as_bytes());
        // A fork, a release or an unhold may be refused for what is there; none for being unknown.
        assert!(!ran.stderr.contains("unknown") && !ran.stderr.contains("column"), "{event}: {ran:?}");
    }
}

#[test]
fn receipts_come_in_the_order_of_the_lines() {
    let all: String = (1..=2000).map(|n| format!("{n}\n")).collect();
    check(&lines(2000), &[], 0, &all, &[]);
}

#[test]
fn bad_lines() {
    let (good, absent) = (SET, set(r#","require":[{"condition":"key_absent","scope":"a","key":"k"}]"#));
    for (input, options, code, receipts, complaints) in [
        ("".to_owned(), &[][..], 0, "", &[][..]),
        ("\n \n".to_owned(), &[], 0, "", &[]),
        (good.to_owned(), &[], 0, "1\n", &[]),
        (format!("{good}\r\n{good}"), &[], 0, "1\n2\n", &[]),
        (format!("{good}\n{{\n{good}\n"), &[], 2, "1\n", &["line 2 of standard input: EOF"]),
        (format!("{good}\n{{\n{good}\n"), &["--keep-going"], 2, "1\n2\n", &["line 2 of", "1 of 3 lines were refused"]),
        (
            format!("{good}\n{absent}\n{good}\n"),
            &[],
            1,
            "1\n",
            &["line 2 of standard input: key k of scope a was required to be absent; its version is 1"],
        ),
        (
            format!("{good}\n{absent}\n{good}\n"),
            &["--keep-going"],
            1,
            "1\n2\n",
            &["line 2", "1 of 3 lines were refused"],
        ),
        (format!("{absent}\n{good}\n"), &[], 0, "1\n2\n", &[]),
        (r#"{"events":[]}"#.to_owned(), &[], 2, "", &["line 1", "a commit needs at least one event"]),
        (set(r#","events":[]"#), &[], 2, "", &["duplicate field `events`"]),
        (set(r#","sequ":1"#), &[], 2, "", &["unknown field `sequ`"]),
        (good.replace("\"a\"", "\"a//b\""), &[], 2, "", &["event 0: segment 2 of scope"]),
        (good.replace("\"k\"", "\"\""), &[], 2, "", &["event 0: key has 0 bytes, allowed are 1 to 1024"]),
        (good.replace("\"a\"", "\"\\u001b[2J\\u0000\""), &[], 2, "", &["NUL"]),
        ("[".repeat(100_000), &[], 2, "", &["line 1"]),
        // It was told of a struct with nine elements.
        (" [1]".to_owned(), &[], 2, "", &["line 1", "a line is one JSON object: {\"events\":[...]}", "column 2"]),
        (set(&format!(r#","seq":{}"#, "9".repeat(1 << 20))), &[], 2, "", &["line 1"]),
    ] {
        check(&input, options, code, receipts, complaints);
    }
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    let world = World::new();
    let ran = world.feed(["append"], b"{\"events\":[{\"event\":\"clear\",\"scope\":\"\xff\"}]}\n");
    assert_eq!((ran.code, ran.stdout.len()), (Some(2), 0), "{ran:?}");
}

/// A receipt is told as soon as its commit is durable, though the input goes on.
#[test]
fn receipts_do_not_wait_for_the_end() {
    let world = World::new();
    let mut append = world.command(["append"]).spawn().unwrap();
    let (mut stdin, mut stdout) = (append.stdin.take().unwrap(), BufReader::new(append.stdout.take().unwrap()));
    for n in 1..=20 {
        writeln!(stdin, "{}", line(n)).unwrap();
        let mut receipt = String::new();
        stdout.read_line(&mut receipt).unwrap();
        assert_eq!(receipt, format!("{n}\n"));
        assert_eq!(world.ok(["get", "a/b", &format!("k{n}")]), n.to_string(), "a reader beside it does not see it");
    }
    drop(stdin);
    assert_eq!(append.wait().unwrap().code(), Some(0));
}

/// Many lines share a sync: far fewer syncs than lines, else this would take a minute on a slow disk.
#[test]
fn lines_share_syncs() {
    let world = World::new();
    let ran = world.feed(["append"], lines(20_000).as_bytes());
    assert_eq!((ran.code, ran.text().lines().count()), (Some(0), 20_000));
    assert_eq!(world.ok(["get", "a/b", "k20000"]), "20000");
}

#[test]
fn formats_of_receipts() {
    let world = World::new();
    let ran = world.feed(["append", "-o", "csv"], SET.as_bytes());
    assert_eq!(world.masked(&ran.text()), "seq,at,line\n1,9999-99-99T99:99:99.999999Z,1\n");
    let ran = world.feed(["append", "-o", "jsonl"], SET.as_bytes());
    assert_eq!(world.masked(&ran.text()), "{\"seq\":2,\"at\":\"9999-99-99T99:99:99.999999Z\",\"line\":1}\n");
}

/// Receipts did not say which line they answer: with a refusal before it, nobody could tell whose one was.
#[test]
fn every_answer_has_the_number_of_its_line() {
    let absent = set(r#","require":[{"condition":"key_absent","scope":"a","key":"k"}]"#);
    let long = SET.replace("\"1\"}", &format!("\"{}\"}}", "v".repeat((16 << 20) + 1)));
    let input = format!("{SET}\n\n{absent}\n{long}\n{{\n{SET}\n");
    let world = World::new();
    let ran = world.feed(["append", "--keep-going", "-o", "jsonl"], input.as_bytes());
    let text = ran.text();
    let mut answers: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    answers.sort_by_key(|answer| answer["line"].as_u64());
    let told = |at: usize| (answers[at]["line"].as_u64().unwrap(), answers[at]["seq"].as_u64());
    assert_eq!((answers.len(), ran.code), (5, Some(1)), "{ran:?}");
    assert_eq!([0, 1, 2, 3, 4].map(told), [(1, Some(1)), (3, None), (4, None), (5, None), (6, Some(2))]);
    for (at, code, why) in [(1, 1, "key k of scope a was required to be absent"), (2, 2, "16777217"), (3, 2, "EOF")] {
        let refused = answers[at]["refused"].as_str().unwrap();
        assert!(answers[at]["code"] == code && refused.contains(why), "{refused}");
        assert!(ran.stderr.contains(&format!("line {} of standard input: {refused}", told(at).0)), "{ran:?}");
    }
    // The one that it stops at is told as well, behind what was taken before.
    let world = World::new();
    let ran = world.feed(["append", "-o", "jsonl"], input.as_bytes());
    let lines: Vec<String> = ran.text().lines().map(str::to_owned).collect();
    assert_eq!((lines.len(), ran.code), (2, Some(1)), "{ran:?}");
    assert!(lines[0].ends_with("\"line\":1}") && lines[1].starts_with("{\"line\":3,\"refused\":"), "{lines:?}");
    // A table of bare numbers is what scripts read; for a program that is why it stays so.
    let ran = World::new().feed(["append", "--keep-going", "-o", "csv"], input.as_bytes());
    let numbers = |line: &str| [0, 2].map(|at| line.split(',').nth(at).unwrap().to_owned()).join(" ");
    assert_eq!(ran.text().lines().map(numbers).collect::<Vec<_>>(), ["seq line", "1 1", "2 6"]);
}

/// Who writes is said even where the line does not.
#[test]
fn a_line_without_a_writer_gets_the_default_one() {
    let world = World::new();
    assert_eq!(world.feed(["append"], set("").as_bytes()).code, Some(0));
    assert!(world.ok(["export"]).contains(r#""writer":"ann@"#));
}

/// The reader of the receipts goes away: what was told is durable, and the end is not called a success.
#[test]
fn a_closed_output_is_told() {
    let world = World::new();
    let mut append = world.command(["append"]).spawn().unwrap();
    let (mut stdin, mut stdout) = (append.stdin.take().unwrap(), BufReader::new(append.stdout.take().unwrap()));
    writeln!(stdin, "{}", line(1)).unwrap();
    let mut receipt = String::new();
    stdout.read_line(&mut receipt).unwrap();
    drop(stdout);
    // The first lines after that may still be taken; at some point nobody reads any more.
    while writeln!(stdin, "{}", line(2)).is_ok() {}
    let output = append.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(8));
    assert!(String::from_utf8_lossy(&output.stderr).contains("standard output was closed"), "{output:?}");
    assert_eq!(world.ok(["get", "a/b", "k1"]), "1");
}

/// FAULTS A9: asked to end in the middle of a stream, `append` used to die with commits under way: durable, and never
/// told. Now what was sent becomes durable and is told; what is told is there, and nothing else is.
#[test]
fn a_signal_ends_a_stream_without_a_loss() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130)] {
        for receipts in [1, 7, 500] {
            let world = World::new();
            let mut append = world.command(["append"]).spawn().unwrap();
            let (mut stdin, mut stdout) = (append.stdin.take().unwrap(), BufReader::new(append.stdout.take().unwrap()));
            let mut told = String::new();
            std::thread::scope(|threads| {
                // It never stops by itself: it is the signal that ends it.
                threads.spawn(move || (1..).take_while(|n| stdin.write_all(lines_at(*n).as_bytes()).is_ok()).count());
                for _ in 0..receipts {
                    stdout.read_line(&mut told).unwrap();
                }
                kill_process(Pid::from_child(&append), signal).unwrap();
                stdout.read_to_string(&mut told).unwrap();
            });
            let output = append.wait_with_output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(code), "{said}");
            let told: Vec<u64> = told.lines().map(|line| line.parse().unwrap()).collect();
            assert!(told.iter().copied().eq(1..=told.len() as u64) && told.len() >= receipts, "{told:?}");
            assert!(said.contains(&format!("(commits: {})", told.len())), "{said}");
            let store = Store::read_only(world.store()).unwrap();
            assert_eq!(store.last().seq.0, told.len() as u64, "what is durable and what was told differ");
            assert_eq!(world.verify().code, Some(0));
        }
    }
}

/// Ten lines at a time, so that many are under way.
fn lines_at(n: u64) -> String {
    (n * 10..n * 10 + 10).map(|n| line(n) + "\n").collect()
}

/// The same while it waits for input, in the middle of a line: that line was not taken, and is no bad line.
#[test]
fn a_signal_ends_a_wait_for_input() {
    let world = World::new();
    let mut append = world.command(["append"]).spawn().unwrap();
    let (mut stdin, mut stdout) = (append.stdin.take().unwrap(), BufReader::new(append.stdout.take().unwrap()));
    let half = &line(2)[..20];
    write!(stdin, "{}\n{half}", line(1)).unwrap();
    let mut told = String::new();
    stdout.read_line(&mut told).unwrap();
    kill_process(Pid::from_child(&append), Signal::TERM).unwrap();
    stdout.read_to_string(&mut told).unwrap();
    let output = append.wait_with_output().unwrap();
    assert_eq!((output.status.code(), &*told), (Some(143), "1\n"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.ends_with("(commits: 1), the rest was not read\n") && !said.contains("line 2"), "{said}");
    drop(stdin);
    assert_eq!(world.feed(["append"], line(2).as_bytes()).text(), "2\n");
}

/// FAULTS H4: a line of 300 MB, and one of 100 MB that is read as JSON, take no more memory than the longest line that
/// is allowed has bytes.
#[test]
fn a_json_bomb_takes_no_memory() {
    let world = World::new();
    let mut append = world.command(["append", "--keep-going"]).spawn().unwrap();
    let (mut stdin, mut stderr) = (append.stdin.take().unwrap(), BufReader::new(append.stderr.take().unwrap()));
    let mut said = String::new();
    for (open, megabytes, says) in [("[", 100, "one JSON object"), ("{", 100, "key must be"), ("[", 300, "more")] {
        let piece = open.repeat(1_000_000);
        (0..megabytes).for_each(|_| stdin.write_all(piece.as_bytes()).unwrap());
        stdin.write_all(b"\n").unwrap();
        while !said.contains(says) {
            said.clear();
            assert_ne!(stderr.read_line(&mut said).unwrap(), 0, "it ended without saying {says:?}");
        }
    }
    // Nothing is read any more, and it still lives: what it has taken at most is known.
    let status = std::fs::read_to_string(format!("/proc/{}/status", append.id())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let kilobytes: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(kilobytes < 160 << 10, "{kilobytes} kB were taken");
    drop(stdin);
    assert_eq!(append.wait().unwrap().code(), Some(2));
}
