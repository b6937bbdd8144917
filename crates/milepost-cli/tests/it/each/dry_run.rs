//! Jobs that are only shown: nothing runs, nothing is written.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::{Command, Stdio},
};

use super::{World, feed, held::left_behind, numbers};

/// Every file below a directory, to the byte.
fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(self::files(&path));
        } else {
            files.insert(path.display().to_string(), fs::read(&path).unwrap());
        }
    }
    files
}

#[test]
fn without_a_store_all_would_run_and_none_is_made() {
    let world = World::new();
    let options = ["each", "--job", "j", "--dry-run", "--", "touch", "{}", "it's {#}"];
    world
        .run(options, "a b\nc\na b\n\n")
        .says(0, &["dry run of j: 2 to run, 1 repeated in the input, 1 empty in the input; nothing was run or written"])
        .prints("touch 'a b' 'it'\\''s 1'\ntouch c 'it'\\''s 2'\n");
    assert!(fs::read_dir(world.0.path()).unwrap().next().is_none());
    // An empty directory is no store yet, and stays one.
    fs::create_dir(world.store()).unwrap();
    world.run(options, "c\n").says(0, &["1 to run"]);
    assert!(fs::read_dir(world.store()).unwrap().next().is_none());
}

#[test]
fn what_is_shown_is_what_the_run_then_does() {
    let world = World::new();
    let script = r#"echo "$1" >> log; [ "$1" != 2 ]"#;
    world.each(&["-j1"], script, numbers(3)).says(1, &["2 done, 1 failed"]);
    let before = files(&world.store());
    let shown = |options: &[&str], script: &str| world.each(&[&["--dry-run"], options].concat(), script, numbers(5));
    let ran = shown(&[], script).says(0, &["2 to run, 2 done before, 1 failed before"]);
    assert_eq!(String::from_utf8_lossy(&ran.stdout).lines().count(), 2);
    shown(&["--retry-failed"], script).says(0, &["3 to run, 2 done before; nothing"]);
    shown(&["--restart"], "exit 0").says(0, &["5 to run; nothing"]);
    shown(&["--same-job"], "exit 0").says(0, &["2 to run, 2 done before"]);
    shown(&[], "exit 0").says(2, &["ran another command before"]).prints("");
    world
        .each(&["--dry-run"], script, "a\0b\n1\n")
        .says(1, &["line 1 is no item", "0 to run, 1 done before, 1 refused"]);
    assert_eq!(files(&world.store()), before);
    assert_eq!(world.lines("log").len(), 3);
    world.each(&["-j1"], script, numbers(5)).says(1, &["2 done, 2 done before, 1 failed before"]);
}

/// What had ended in a killed run would not run again, whether its mark has reached the log or not.
#[test]
fn what_a_killed_run_has_left_is_done() {
    for world in <[World; 2]>::from(left_behind()) {
        let before = files(&world.store());
        world.each(&["--dry-run"], super::held::HELD, "quick\nheld\nnext\n").says(0, &["2 to run, 1 done before"]);
        assert_eq!(files(&world.store()), before);
    }
}

/// With less memory than the input has bytes. What is marked is counted once all the same.
#[test]
fn no_item_is_held() {
    const ITEMS: usize = 400;
    let world = World::new();
    let long = "x".repeat(120_000);
    let input: String = (0..ITEMS).map(|n| format!("{n}{long}\n")).collect();
    let binary = world.milepost(["each", "--job", "j", "--dry-run", "--", "true"]);
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -d 32000; exec \"$@\"", "sh"]).arg(binary.get_program()).args(binary.get_args());
    command.current_dir(world.path(".")).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let first = input.lines().next().unwrap().to_owned();
    feed(command, (input + &first).as_bytes()).says(0, &["400 to run, 1 repeated in the input;"]);
}

#[test]
fn what_stands_in_the_input_twice_is_counted_once() {
    let world = World::new();
    let script = "[ $1 != 2 ]";
    world.each(&["-j1"], script, numbers(3)).says(1, &["2 done, 1 failed"]);
    let input = numbers(4).repeat(3);
    let words = "2 done before, 1 failed before, 8 repeated in the input";
    world.each(&["--dry-run"], script, &input).says(0, &["1 to run", words]);
    world.each(&["--dry-run", "--retry-failed"], script, &input).says(0, &["2 to run, 2 done before, 8 repeated"]);
}
